//! What a seed gives and what it does not, and that what is taken off is what was added.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacita_algebra::RingBits;

use tacita_algebra::RingVector;

use super::*;

/// n = 10, m = 7, c = 1 with a level for each drop-out.
fn share(variance_q16: u64) -> NoiseShare {
    let levels = NoiseLevels::derive((10, 7, 1), variance_q16, &[1, 2, 3]).unwrap();
    NoiseShare::skellam(variance_q16)
        .unwrap()
        .with_levels(levels)
        .unwrap()
}

fn skellam(variance_q16: u64) -> NoiseSampler {
    NoiseSampler::skellam(variance_q16).unwrap()
}

fn seeds(share: &NoiseShare, seed: u64) -> LayerSeeds {
    LayerSeeds::random(*share.levels().unwrap(), &mut ChaCha20Rng::seed_from_u64(seed))
}

/// The chain written out: every z_l, the anchor last.
fn chain(first: [u8; 32]) -> Vec<[u8; 32]> {
    let mut chain = vec![first];
    for number in 1..=3u64 {
        let last = *chain.last().unwrap();
        chain.push(TaggedHash::new(CHAIN_LABEL).u64(number).bytes(&last).finish());
    }
    chain
}

#[test]
fn the_seed_revealed_is_that_of_the_level_behind_the_one_kept() {
    let share = share(7 << 30);
    let chain = chain(*seeds(&share, 1).first);
    for (survivors, at) in [(10, 0), (9, 1), (8, 2)] {
        let seed = seeds(&share, 1).surplus(survivors).unwrap();
        assert_eq!((seed.reveal(), at + 1), (chain[at], 11 - survivors as usize));
    }
    assert!(
        seeds(&share, 1).surplus(7).is_none(),
        "at |U2| = m everything stays"
    );
    assert!(seeds(&share, 1).surplus(6).is_none());
    assert_eq!(seeds(&share, 1).anchor(), chain[3]);
    // Nothing is called twice in one place of the chain, nor a layer's key revealed by its successor's seed.
    let levels = share.levels().unwrap();
    assert_eq!(*anchor(levels, 2, &chain[1]), chain[3]);
    assert_eq!(*anchor(levels, 3, &chain[2]), chain[3]);
}

#[test]
fn a_seed_of_another_level_or_chain_is_told_apart() {
    let share = share(7 << 30);
    let levels = *share.levels().unwrap();
    let committed = seeds(&share, 1).anchor();
    let chain = chain(*seeds(&share, 1).first);
    for (survivors, right) in [(10, Some(0)), (9, Some(1)), (8, Some(2)), (7, None)] {
        for (at, seed) in chain.iter().enumerate() {
            let taken = SurplusSeed::check(seed, survivors, &levels, &committed).is_some();
            assert_eq!(taken, right == Some(at), "z_{} for {survivors} survivors", at + 1);
        }
    }
    let other = *seeds(&share, 2).first;
    assert!(SurplusSeed::check(&other, 10, &levels, &committed).is_none());
    let mut flipped = chain[0];
    flipped[31] ^= 1;
    assert!(SurplusSeed::check(&flipped, 10, &levels, &committed).is_none());
}

/// Draws all of a share's noise and takes the surplus off again; gives what each layer alone adds, base first.
fn drawn(
    share: &NoiseShare,
    bits: RingBits,
    count: usize,
    seed: u64,
) -> (RingVector, LayerSeeds, Vec<RingVector>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (mut noise, seeds) = ShareNoise::fresh(share, &mut rng).unwrap();
    let mut values = vec![0i64; count];
    values.chunks_mut(BLOCK).for_each(|block| noise.add_to(block));
    let whole = RingVector::from_signed(bits, &values);
    // The same from the definitions: one key a layer.
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let levels = share.levels().unwrap();
    let mut parts = vec![Layer::new(
        skellam(levels.base_variance_q16()),
        KeyStream::from_rng(&mut rng),
    )];
    let chain = chain(*seeds.as_ref().unwrap().first);
    for ((number, level), seed) in (1u64..).zip(levels.levels()).zip(&chain) {
        let key = TaggedHash::new(LAYER_LABEL).u64(number).bytes(seed).finish();
        parts.push(Layer::new(skellam(level.variance_q16), KeyStream::from_key(&key)));
    }
    let parts = parts
        .iter_mut()
        .map(|part| {
            let mut values = vec![0i64; count];
            values
                .chunks_mut(512)
                .for_each(|block| part.sampler.add_to(block, &mut part.stream));
            RingVector::from_signed(bits, &values)
        })
        .collect();
    (whole, seeds.unwrap(), parts)
}

#[test]
fn exactly_what_was_added_is_taken_off() {
    // Narrow and wide rings, one draw a value and several, whole blocks and a rest.
    for (bits, variance, count) in [(20, 7 << 22, 4096), (32, 7 << 40, 10_000), (40, 900 << 41, 777)] {
        let bits = RingBits::new(bits).unwrap();
        let share = share(variance);
        for survivors in [10u32, 9, 8] {
            let (mut left, seeds, parts) = drawn(&share, bits, count, 3);
            let committed = seeds.anchor();
            let mut all = RingVector::zeros(bits, count);
            parts.iter().for_each(|part| all.add_assign(part).unwrap());
            assert_eq!(left, all, "a share is its base and its layers");
            let revealed = seeds.surplus(survivors).unwrap().reveal();
            let levels = share.levels().unwrap();
            let seed = SurplusSeed::check(&revealed, survivors, levels, &committed).unwrap();
            seed.remove_at(0, left.words_mut()).unwrap();
            left.reduce();
            let mut kept = RingVector::zeros(bits, count);
            let layers = levels.layers_kept(survivors);
            parts[..=layers]
                .iter()
                .for_each(|part| kept.add_assign(part).unwrap());
            assert_eq!(left, kept, "base and layers up to the level kept");
        }
    }
}

#[test]
fn a_share_without_levels_is_drawn_as_ever() {
    let plain = NoiseShare::skellam(1 << 30).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let (mut noise, seeds) = ShareNoise::fresh(&plain, &mut rng).unwrap();
    assert!(seeds.is_none());
    let (mut got, mut expected) = (vec![0i64; 1000], vec![0i64; 1000]);
    noise.add_to(&mut got);
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(9));
    NoiseSampler::skellam(1 << 30)
        .unwrap()
        .add_to(&mut expected, &mut stream);
    assert_eq!(got, expected);
    assert_eq!((plain.layers(), share(1 << 30).layers()), (1, 4));
}

/// Failure: a share's noise is drawn from the table of another law, which no test of its variance would see.
#[test]
fn each_mechanism_draws_from_its_own_law() {
    let variance = 9 << 16;
    let drawn = |share: NoiseShare| {
        let (mut noise, seeds) = ShareNoise::fresh(&share, &mut ChaCha20Rng::seed_from_u64(8)).unwrap();
        assert!(seeds.is_none());
        let mut values = [0i64; 1000];
        noise.add_to(&mut values);
        values
    };
    let direct = |sampler: NoiseSampler| {
        let mut values = [0i64; 1000];
        sampler.add(&mut values, &mut ChaCha20Rng::seed_from_u64(8));
        values
    };
    let gaussian = direct(NoiseSampler::discrete_gaussian(variance).unwrap());
    assert_eq!(drawn(NoiseShare::discrete_gaussian(variance).unwrap()), gaussian);
    assert_eq!(
        drawn(NoiseShare::skellam(variance).unwrap()),
        direct(skellam(variance))
    );
    assert_ne!(gaussian, direct(skellam(variance)));
    assert_eq!(drawn(NoiseShare::none()), [0; 1000]);
}
