//! Proof, before a round starts, that its sum will not wrap around the ring.

use tacita_algebra::RingBits;

use crate::encoding::Encoding;
use crate::noise::NoiseShare;
use crate::sensitivity::IntegerSensitivity;
use crate::tail::bernstein_radius;

/// Why a round must not start with these parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadroomError {
    /// A cohort of nobody.
    #[error("a round needs at least one client")]
    NoClients,
    /// The sum could leave [-2^(b-1), 2^(b-1)).
    #[error("the sum could wrap: it needs {needed} ring bits, the round has {bits}")]
    Wraps {
        /// Smallest sufficient b.
        needed: u8,
        /// The encoding's b.
        bits: u8,
    },
    /// No ring is wide enough.
    #[error("no ring of at most {max} bits holds the sum", max = RingBits::MAX)]
    TooWide,
}

/// An encoding and a noise share together with the proof that the sum over a whole cohort does not wrap.
///
/// |sum| <= n floor(sqrt(B2)) + r < 2^(b-1) in every coordinate, except with probability [`Headroom::FAILURE_LOG2`] over
/// the noise, r being a Bernstein radius for the noise of all n clients with a union bound over coordinates. The first
/// term is the worst case: every client as large as the norm check admits, in the same direction and coordinate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headroom {
    encoding: Encoding,
    share: NoiseShare,
    clients: u32,
}

impl Headroom {
    /// log2 of the largest admitted probability that any coordinate wraps.
    pub const FAILURE_LOG2: i32 = -40;

    /// Proves that the sum of `clients` vectors of this encoding, with these noise shares, does not wrap.
    ///
    /// # Errors
    /// [`HeadroomError`], one variant per cause.
    pub fn prove(encoding: Encoding, share: NoiseShare, clients: u32) -> Result<Self, HeadroomError> {
        let needed = Self::needed_bits(encoding.grid(), encoding.padded(), &share, clients)?;
        if needed > encoding.bits() {
            return Err(HeadroomError::Wraps {
                needed: needed.get(),
                bits: encoding.bits().get(),
            });
        }
        Ok(Self {
            encoding,
            share,
            clients,
        })
    }

    /// The smallest ring in which the sum of `clients` vectors of `padded` coordinates on this grid does not wrap.
    ///
    /// # Errors
    /// [`HeadroomError::NoClients`], [`HeadroomError::TooWide`].
    pub fn needed_bits(
        grid: u32,
        padded: u32,
        share: &NoiseShare,
        clients: u32,
    ) -> Result<RingBits, HeadroomError> {
        Self::needed_bits_of(grid, padded, share, clients, 1)
    }

    /// The same where each client contributes the sum of up to `vectors` such vectors: the largest number of records in the record unit.
    ///
    /// # Errors
    /// As [`Headroom::needed_bits`].
    pub fn needed_bits_of(
        grid: u32,
        padded: u32,
        share: &NoiseShare,
        clients: u32,
        vectors: u32,
    ) -> Result<RingBits, HeadroomError> {
        if clients == 0 {
            return Err(HeadroomError::NoClients);
        }
        // Below 2^14 x 2^14 x 2^32 x 2^32.
        let signal = IntegerSensitivity::after_rounding(grid, padded).largest_coordinate()
            * u128::from(clients)
            * u128::from(vectors);
        let variance = u128::from(share.variance_q16()) * u128::from(clients);
        let union_bits = Self::FAILURE_LOG2.unsigned_abs() + padded.max(1).next_power_of_two().ilog2();
        // A discrete Gaussian's tail is below that of a normal law of variance sigma^2, which is below Bernstein's.
        let radius = bernstein_radius(variance, 1 << 16, union_bits).ok_or(HeadroomError::TooWide)?;
        let magnitude = signal + u128::from(radius);
        // 2^(b-1) > magnitude.
        let bits = (128 - magnitude.leading_zeros() + 1).max(u32::from(RingBits::MIN));
        u8::try_from(bits)
            .ok()
            .and_then(|bits| RingBits::new(bits).ok())
            .ok_or(HeadroomError::TooWide)
    }

    /// The encoding.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The noise of one client.
    pub fn noise_share(&self) -> NoiseShare {
        self.share
    }

    /// Largest cohort the proof covers.
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// The same proof under another rotation, on which it does not depend.
    pub fn with_rotation_seed(mut self, seed: [u8; 32]) -> Self {
        self.encoding = self.encoding.with_rotation_seed(seed);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(grid: u32, bits: u8) -> Encoding {
        let bits = RingBits::new(bits).unwrap();
        Encoding::new(1, "1".parse().unwrap(), grid, bits, [0; 32]).unwrap()
    }

    #[test]
    fn the_edge_is_exact_without_noise() {
        // d = 1, S = 10: B2 = floor(100 + 1/4 + 10 + 1/2) = 110, so a coordinate is at most 10. 2^8 > 10 n / (1/2).
        let none = NoiseShare::none();
        assert!(Headroom::prove(encoding(10, 8), none, 12).is_ok());
        let refused = Headroom::prove(encoding(10, 8), none, 13);
        assert_eq!(refused, Err(HeadroomError::Wraps { needed: 9, bits: 8 }));
        // 64 x 2 = 128 = 2^7 does not fit below 2^(8-1): the bound is strict.
        let two = encoding(2, 8);
        assert_eq!(two.sensitivity().largest_coordinate(), 2);
        assert!(Headroom::prove(two.clone(), none, 63).is_ok());
        assert!(Headroom::prove(two, none, 64).is_err());
        assert_eq!(
            Headroom::prove(encoding(10, 8), none, 0),
            Err(HeadroomError::NoClients)
        );
    }

    #[test]
    fn noise_counts_for_the_whole_cohort_and_every_coordinate() {
        let share = NoiseShare::skellam(1_000_000 << 16).unwrap();
        let bits = |padded, clients| Headroom::needed_bits(1, padded, &share, clients).unwrap().get();
        // sqrt(2 ln 2 x 41) = 7.54 standard deviations of 1,000; then of 10,000; then 9.2 with 2^20 coordinates.
        assert_eq!(bits(1, 1), 14);
        assert_eq!(bits(1, 100), 18);
        assert_eq!(bits(1 << 20, 1), 15);
        let widest = NoiseShare::skellam(NoiseShare::MAX_VARIANCE_Q16).unwrap();
        assert!(Headroom::needed_bits(1 << 24, 1 << 26, &widest, u32::MAX).is_ok());
    }
}
