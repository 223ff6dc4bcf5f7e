//! A client's noise, layer by layer: a base that stays, and layers above it whose seeds form a hash chain.
//!
//! With z_1 fresh and z_{l+1} = H(`tacita/1 noise chain`; u64 l, z_l), layer l is drawn under the key
//! H(`tacita/1 noise layer`; u64 l, z_l). Whoever learns z_l can draw, and take away, layers l, l + 1, ..., L and no earlier
//! one. z_{L+1} is the anchor: signed with the upload, it says nothing about any layer and tells a false seed from a true one.

use core::fmt;

use rand_core::CryptoRng;
use tacita_algebra::{TaggedHash, WordsMut};
use zeroize::Zeroizing;

use crate::keystream::KeyStream;
use crate::noise::{Mechanism, NoiseError, NoiseShare};
use crate::noise_levels::NoiseLevels;
use crate::sampler::NoiseSampler;

const CHAIN_LABEL: &str = "tacita/1 noise chain";
const LAYER_LABEL: &str = "tacita/1 noise layer";

/// Coordinates noised at a time; a multiple of the sampler's block, so that it changes no draw.
pub(crate) const BLOCK: usize = 4096;

/// One independent part of a client's noise, drawn strictly in the order of the coordinates.
struct Layer {
    sampler: NoiseSampler,
    stream: KeyStream,
}

impl Layer {
    fn new(sampler: NoiseSampler, stream: KeyStream) -> Self {
        Self { sampler, stream }
    }
}

/// All of a client's noise for one vector.
pub(crate) struct ShareNoise {
    layers: Vec<Layer>,
}

impl ShareNoise {
    /// Fresh noise for one vector, with the seeds of its layers if the share has any.
    pub(crate) fn fresh(
        share: &NoiseShare,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Option<LayerSeeds>), NoiseError> {
        let mut layers = Vec::new();
        let base = share
            .levels()
            .map_or(share.variance_q16(), NoiseLevels::base_variance_q16);
        let sampler = match share.mechanism() {
            Mechanism::None => return Ok((Self { layers }, None)),
            Mechanism::Skellam => NoiseSampler::skellam(base)?,
            Mechanism::DiscreteGaussian => NoiseSampler::discrete_gaussian(base)?,
        };
        layers.push(Layer::new(sampler, KeyStream::from_rng(rng)));
        let seeds = share.levels().map(|levels| LayerSeeds::random(*levels, rng));
        if let Some(seeds) = &seeds {
            layers.extend(layers_from(&seeds.levels, 1, &seeds.first, 0)?);
        }
        Ok((Self { layers }, seeds))
    }

    /// Adds the noise of the next coordinates. Every call but the last must be for a multiple of the sampler's block.
    pub(crate) fn add_to(&mut self, block: &mut [i64]) {
        for layer in &mut self.layers {
            layer.sampler.add_to(block, &mut layer.stream);
        }
    }
}

/// z_{l+1} from z_l.
fn next(number: u64, seed: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(TaggedHash::new(CHAIN_LABEL).u64(number).bytes(seed).finish())
}

/// Layers `from`, `from` + 1, ..., L (counted from 1) given z_`from`, from coordinate `start` on.
fn layers_from(
    levels: &NoiseLevels,
    from: usize,
    seed: &[u8; 32],
    start: u64,
) -> Result<Vec<Layer>, NoiseError> {
    let mut seed = Zeroizing::new(*seed);
    let mut layers = Vec::new();
    for (number, level) in (1u64..).zip(levels.levels()).skip(from.saturating_sub(1)) {
        let key = Zeroizing::new(TaggedHash::new(LAYER_LABEL).u64(number).bytes(&*seed).finish());
        let variance = level.variance_q16;
        let sampler = NoiseSampler::skellam(variance)?;
        let stream = KeyStream::from_key_at(&key, start.saturating_mul(sampler.bytes_per_value()));
        layers.push(Layer::new(sampler, stream));
        seed = next(number, &seed);
    }
    Ok(layers)
}

/// The anchor z_{L+1} given z_`from`.
fn anchor(levels: &NoiseLevels, from: usize, seed: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    let numbers = (1u64..).zip(levels.levels()).skip(from.saturating_sub(1));
    numbers.fold(Zeroizing::new(*seed), |seed, (number, _)| next(number, &seed))
}

/// The seeds of the layers of one noised vector. One seed can be had of it, once, and only that of the first surplus layer.
///
/// ```compile_fail,E0382
/// # use tacita_privacy::LayerSeeds;
/// fn two_levels(seeds: LayerSeeds) {
///     let _ = seeds.surplus(10);
///     let _ = seeds.surplus(9);
/// }
/// ```
pub struct LayerSeeds {
    first: Zeroizing<[u8; 32]>,
    levels: NoiseLevels,
}

impl LayerSeeds {
    fn random(levels: NoiseLevels, rng: &mut impl CryptoRng) -> Self {
        let mut first = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(first.as_mut_slice());
        Self { first, levels }
    }

    /// What binds the client to its layers before anybody knows who survives; tells nothing about them.
    pub fn anchor(&self) -> [u8; 32] {
        *anchor(&self.levels, 1, &self.first)
    }

    /// The seed of the first layer that is surplus among so many survivors; the others are wiped. `None` if all are kept.
    pub fn surplus(self, survivors: u32) -> Option<SurplusSeed> {
        let from = self.levels.first_surplus(survivors)?;
        let mut seed = self.first.clone();
        for number in 1..from as u64 {
            seed = next(number, &seed);
        }
        Some(SurplusSeed {
            seed,
            from,
            levels: self.levels,
        })
    }
}

/// The seed of a first surplus layer: what a survivor reveals, and the server takes away again.
pub struct SurplusSeed {
    seed: Zeroizing<[u8; 32]>,
    /// The layer that it is the seed of, counted from 1.
    from: usize,
    levels: NoiseLevels,
}

impl SurplusSeed {
    /// Coordinates that are drawn together.
    pub const ALIGNMENT: usize = BLOCK;

    /// The 32 bytes, on their way to the server.
    pub fn reveal(self) -> [u8; 32] {
        *self.seed
    }

    /// Takes what a client revealed, if it is the seed of the first layer that is surplus among so many survivors, of the
    /// chain that the client's anchor ends.
    pub fn check(
        revealed: &[u8; 32],
        survivors: u32,
        levels: &NoiseLevels,
        committed: &[u8; 32],
    ) -> Option<Self> {
        let from = levels.first_surplus(survivors)?;
        // Both are public by now.
        (*anchor(levels, from, revealed) == *committed).then(|| Self {
            seed: Zeroizing::new(*revealed),
            from,
            levels: *levels,
        })
    }

    /// Takes the surplus layers off a sum that holds this client's vector: the very integers that it added. `words` are the
    /// sum's from coordinate `start` on, a multiple of [`SurplusSeed::ALIGNMENT`]; pieces can be taken in any order. The
    /// words wrap: [`RingVector::reduce`](tacita_algebra::RingVector::reduce) comes at the end.
    ///
    /// # Errors
    /// [`NoiseError::Unaligned`]; [`NoiseError::TooLarge`] never for levels of a [`NoiseShare`].
    pub fn remove_at(&self, start: usize, words: WordsMut<'_>) -> Result<(), NoiseError> {
        if !start.is_multiple_of(Self::ALIGNMENT) {
            return Err(NoiseError::Unaligned);
        }
        let mut noise = ShareNoise {
            layers: layers_from(&self.levels, self.from, &self.seed, start as u64)?,
        };
        match words {
            WordsMut::Narrow(words) => {
                remove(&mut noise, words, |word, value| word.wrapping_sub(value as u32));
            }
            WordsMut::Wide(words) => {
                remove(&mut noise, words, |word, value| word.wrapping_sub(value as u64));
            }
        }
        Ok(())
    }
}

/// Combines each word with the next value of the noise.
fn remove<W: Copy>(noise: &mut ShareNoise, words: &mut [W], minus: impl Fn(W, i64) -> W) {
    let mut block = Zeroizing::new(vec![0i64; BLOCK.min(words.len())]);
    for words in words.chunks_mut(BLOCK) {
        let values = &mut block[..words.len()];
        values.fill(0);
        noise.add_to(values);
        for (word, value) in words.iter_mut().zip(values.iter()) {
            *word = minus(*word, *value);
        }
    }
}

impl fmt::Debug for LayerSeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LayerSeeds(..)")
    }
}

impl fmt::Debug for SurplusSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SurplusSeed(..)")
    }
}

#[cfg(test)]
mod tests;
