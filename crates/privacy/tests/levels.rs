//! Noise levels through the whole pipeline: the variance that is left, of drop-outs, of survivors that reveal and of one
//! that does not.
#![allow(clippy::unwrap_used)] // A failed assumption is a failed test.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacita_algebra::RingVector;
use tacita_privacy::{
    Adversary, Budget, BudgetFilter, FoundLevels, LocalUpdate, NoiseLevels, Plan, PlanRequest, SurplusSeed,
};

const CLIENTS: u32 = 20;
const MINIMUM: u32 = 16;
const COLLUDERS: u32 = 1;
const DIMENSION: u32 = 1 << 14;

fn request(levels: &[u32]) -> PlanRequest {
    PlanRequest {
        epsilon: Some("8".parse().unwrap()),
        delta: "0.00001".parse().unwrap(),
        rounds: 10,
        clients: CLIENTS,
        minimum_survivors: MINIMUM,
        colluders: COLLUDERS,
        block: None,
        dimension: DIMENSION,
        clip: "1".parse().unwrap(),
        noise_levels: levels.to_vec(),
        mechanism: tacita_privacy::Mechanism::Skellam,
        records: None,
    }
}

/// The sum of `survivors` zero vectors with noise, after those that reveal had their surplus taken off.
fn sum(plan: &Plan, survivors: u32, reveal: impl Fn(u32) -> bool, seed: u64) -> RingVector {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let budget = Budget {
        epsilon: "9".parse().unwrap(),
        delta: "0.00001".parse().unwrap(),
    };
    let padded = plan.encoding().padded() as usize;
    let mut sum = RingVector::zeros(plan.bits(), padded);
    let mut seeds = Vec::new();
    for client in 0..survivors {
        let mut filter = BudgetFilter::new(budget).unwrap();
        let mut ticket = filter.reserve(plan.release().unwrap()).unwrap();
        let mut noised = LocalUpdate::new(vec![0.0; DIMENSION as usize])
            .unwrap()
            .clip(plan.encoding())
            .unwrap()
            .encode(plan.contribution().client().unwrap(), &mut rng)
            .unwrap()
            .noise(&mut ticket, &mut rng)
            .unwrap();
        if let Some(layers) = noised.take_layer_seeds() {
            assert!(noised.take_layer_seeds().is_none(), "the seeds are there once");
            let anchor = layers.anchor();
            if let (Some(seed), true) = (layers.surplus(survivors), reveal(client)) {
                seeds.push((seed.reveal(), anchor));
            }
        }
        sum.add_assign(&noised.dangerous_into_ring()).unwrap();
    }
    let share = plan.noise_share();
    for (seed, anchor) in seeds {
        let seed = SurplusSeed::check(&seed, survivors, share.levels().unwrap(), &anchor).unwrap();
        seed.remove_at(0, sum.words_mut()).unwrap();
        sum.reduce();
    }
    sum
}

/// Mean square over the coordinates, which are independent.
fn variance(sum: &RingVector) -> f64 {
    let values = sum.to_signed();
    values.iter().map(|value| (*value as f64).powi(2)).sum::<f64>() / values.len() as f64
}

/// Within six standard deviations of a mean of squares of nearly normal values.
#[track_caller]
fn close(measured: f64, expected: f64) {
    let tolerance = 6.0 * (2.0 / f64::from(DIMENSION)).sqrt();
    let ratio = measured / expected;
    assert!(
        (ratio - 1.0).abs() < tolerance,
        "{ratio}: {measured} for {expected}"
    );
}

fn q16(variance: u64) -> f64 {
    variance as f64 / 65_536.0
}

#[test]
fn the_variance_left_is_the_one_planned() {
    let found = FoundLevels::find(CLIENTS, MINIMUM, COLLUDERS).unwrap();
    let plan = Plan::calibrate(request(&found.dropouts)).unwrap();
    let share = plan.noise_share();
    let total = q16(share.variance_q16()) * f64::from(MINIMUM - COLLUDERS);
    for survivors in MINIMUM..=CLIENTS {
        let left = variance(&sum(&plan, survivors, |_| true, u64::from(survivors)));
        let kept = q16(share.kept_variance_q16(survivors));
        close(left, kept * f64::from(survivors));
        // Of that the honest part, which is what counts: all but c shares.
        let honest = left * f64::from(survivors - COLLUDERS) / f64::from(survivors);
        let tolerance = 6.0 * (2.0 / f64::from(DIMENSION)).sqrt();
        assert!(honest > total * (1.0 - tolerance) && honest < 1.05 * total * (1.0 + tolerance));
        // Without levels every survivor beyond m is too much.
        let bare = variance(&sum(&plan, survivors, |_| false, 100 + u64::from(survivors)));
        close(bare, q16(share.variance_q16()) * f64::from(survivors));
    }
}

#[test]
fn who_does_not_reveal_leaves_its_surplus_in() {
    let plan = Plan::calibrate(request(&[2, 4])).unwrap();
    let share = plan.noise_share();
    let kept = q16(share.kept_variance_q16(CLIENTS));
    let all = q16(share.variance_q16());
    for silent in [1u32, 7, 20] {
        let left = variance(&sum(&plan, CLIENTS, |client| client >= silent, 5));
        close(left, kept * f64::from(CLIENTS - silent) + all * f64::from(silent));
        assert!(left > kept * f64::from(CLIENTS) * 0.97, "never under the plan");
    }
}

#[test]
fn levels_change_neither_share_nor_charge() {
    let plain = Plan::calibrate(request(&[])).unwrap();
    let layered = Plan::calibrate(request(&[1, 2, 3, 4])).unwrap();
    assert_eq!(
        plain.noise_share().variance_q16(),
        layered.noise_share().variance_q16()
    );
    assert_eq!(
        (plain.bits(), plain.encoding()),
        (layered.bits(), layered.encoding())
    );
    assert_eq!(plain.epsilon_planned(), layered.epsilon_planned());
    let (one, many) = (plain.release().unwrap(), layered.release().unwrap());
    assert_eq!(one.curve(), many.curve());
    // The sampler draws once more for every level.
    assert_eq!(many.draws(), 5 * one.draws());
    // A ticket for one is a ticket for the other's share: what they cost is the same but for the draws.
    assert_ne!(one, many);
    assert_ne!(plain.noise_share(), layered.noise_share());
}

/// The epsilon of a sum is the plan's or less for every number of survivors, and near it where without levels it would be
/// far below: that is what is gained.
#[test]
fn epsilon_comes_near_the_plan_and_never_over_it() {
    let found = FoundLevels::find(CLIENTS, MINIMUM, COLLUDERS).unwrap();
    let plan = Plan::calibrate(request(&found.dropouts)).unwrap();
    let (share, delta) = (plan.noise_share(), "0.00001".parse().unwrap());
    let planned = plan.epsilon_planned().unwrap();
    for survivors in MINIMUM..=CLIENTS {
        let server = Adversary::Server { colluders: COLLUDERS };
        let release = |share| {
            let honest = server.honest_shares(survivors).unwrap();
            plan.release().unwrap().of_survivors(&share, honest, survivors)
        };
        let epsilon = |share| {
            let release = release(share);
            let draws = 10 * release.draws();
            release
                .curve()
                .times(10)
                .epsilon_with_sampler(delta, draws)
                .unwrap()
        };
        let spent = epsilon(share);
        assert!(spent <= planned, "{survivors}: {spent} of {planned}");
        assert!(
            spent.to_f64() > planned.to_f64() * 0.97,
            "{survivors}: {spent} of {planned}"
        );
    }
    let levels = NoiseLevels::derive(
        (CLIENTS, MINIMUM, COLLUDERS),
        share.variance_q16(),
        &found.dropouts,
    );
    assert_eq!(share.levels(), Some(&levels.unwrap()));
}
