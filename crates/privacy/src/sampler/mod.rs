//! Exact sampling of integer noise from tables of integers; no float anywhere in this folder.
//!
//! A table holds the law of one draw as integer weights that sum to 2^127: `bessel` computes them for Skellam noise and
//! `gaussian` for the discrete Gaussian, with a proof each that the total variation from the true law is below 2^-109. `table`
//! arranges them so that a draw is one look-up and one comparison on 128 fresh bits.
//!
//! **What does not depend on the values drawn**: the instructions that run, their number and order (no branch, no
//! rejection and no loop on a secret: comparison and selection are arithmetic, and x86-64 machine code was looked at for it), the
//! random bytes taken, and every address but one. **What does**: the address of that one look-up, 16 bytes in a table of 32 bytes
//! to 2 MiB, and hence whether a cache holds them. A neighbour on the same machine who watches the cache could learn from it,
//! and one who could time a single draw. Nobody times one across a network: a client draws for a whole vector at once. Reading the
//! whole table for each draw would hide even this, at one comparison of 128 bits for each magnitude, 13 standard deviations of
//! them: 130,000 at the widest.
//!
//! A Skellam law wider than [`WIDEST_TABLE_Q16`] is drawn as a sum of j independent draws of variance 1/j of it, which is
//! exactly Skellam again. A sum of discrete Gaussians is none, so a discrete Gaussian that wide is refused.

mod bessel;
mod cache;
mod gaussian;
mod law;
mod table;
mod weights;

#[cfg(test)]
mod exact_tests;
#[cfg(test)]
mod recipe_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keystream::KeyStream;
use crate::noise::NoiseError;
use law::Law;
use table::{BYTES_PER_DRAW, NoiseTable};

/// Largest variance of one table draw, in units of 2^-16: standard deviation 10^4.
pub(crate) const WIDEST_TABLE_Q16: u64 = 100_000_000 << 16;

/// Most draws in one noise value. Keeps the summed distance from the true law below 2^-100, see `bessel`.
pub(crate) const MAX_PARTS: u64 = 512;

/// Noise values made per block of random bytes.
const BLOCK: usize = 512;

/// A sampler of one fixed law. Each value is within total variation 2^-100 of it.
///
/// A client's pipeline has its own; this one is for whoever wants integer noise alone, as audits and benches do.
pub struct NoiseSampler {
    table: Arc<NoiseTable>,
    parts: u64,
}

impl NoiseSampler {
    /// Largest sigma^2 of a discrete Gaussian, in units of 2^-16: sigma 10^4. A sum of discrete Gaussians is not one, so nothing
    /// wider is put together from parts.
    pub const MAX_GAUSSIAN_Q16: u64 = WIDEST_TABLE_Q16;

    /// Skellam noise of variance `variance_q16` x 2^-16: P(X = k) = exp(-mu) I_|k|(mu). The first sampler of a law makes its table (a
    /// tenth of a second for the widest), which is kept.
    ///
    /// # Errors
    /// [`NoiseError::Zero`], [`NoiseError::TooLarge`].
    pub fn skellam(variance_q16: u64) -> Result<Self, NoiseError> {
        let parts = variance_q16.div_ceil(WIDEST_TABLE_Q16);
        if parts == 0 {
            return Err(NoiseError::Zero);
        }
        if parts > MAX_PARTS {
            return Err(NoiseError::TooLarge(variance_q16));
        }
        let law = Law::Skellam {
            numerator: variance_q16,
            denominator: parts << 16,
        };
        Self::of_law(law, parts).ok_or(NoiseError::TooLarge(variance_q16))
    }

    /// Discrete Gaussian noise with sigma^2 = `sigma_squared_q16` x 2^-16: P(X = k) proportional to exp(-k^2 / (2 sigma^2)). The
    /// variance is a little below sigma^2 where sigma is small.
    ///
    /// # Errors
    /// [`NoiseError::Zero`], [`NoiseError::GaussianTooWide`].
    pub fn discrete_gaussian(sigma_squared_q16: u64) -> Result<Self, NoiseError> {
        if sigma_squared_q16 == 0 {
            return Err(NoiseError::Zero);
        }
        if sigma_squared_q16 > Self::MAX_GAUSSIAN_Q16 {
            return Err(NoiseError::GaussianTooWide(sigma_squared_q16));
        }
        let law = Law::DiscreteGaussian {
            numerator: sigma_squared_q16,
            denominator: 1 << 16,
        };
        Self::of_law(law, 1).ok_or(NoiseError::GaussianTooWide(sigma_squared_q16))
    }

    /// Adds one independent value to each of `values`, mod 2^64, from AES-256-CTR under a fresh key.
    pub fn add(&self, values: &mut [i64], rng: &mut impl CryptoRng) {
        self.add_to(values, &mut KeyStream::from_rng(rng));
    }

    fn of_law(law: Law, parts: u64) -> Option<Self> {
        Some(Self {
            table: cache::table(law)?,
            parts,
        })
    }

    /// Bytes of the stream that one value takes.
    pub(crate) fn bytes_per_value(&self) -> u64 {
        self.parts * BYTES_PER_DRAW as u64
    }

    /// Adds one independent noise value to each of `values`, mod 2^64.
    pub(crate) fn add_to(&self, values: &mut [i64], stream: &mut KeyStream) {
        let mut random = Zeroizing::new(vec![0u8; BYTES_PER_DRAW * BLOCK.min(values.len())]);
        for block in values.chunks_mut(BLOCK) {
            let bytes = &mut random[..BYTES_PER_DRAW * block.len()];
            for _ in 0..self.parts {
                stream.fill(bytes);
                self.table.add_draws(block, bytes);
            }
        }
    }
}
