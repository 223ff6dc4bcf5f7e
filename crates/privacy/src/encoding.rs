//! The public parameters by which vectors of floats become vectors of integers.

use tacita_algebra::RingBits;

use crate::decimal::Decimal;
use crate::sensitivity::IntegerSensitivity;

/// Why parameters make no [`Encoding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// No values, or more than [`Encoding::MAX_DIMENSION`].
    #[error("dimension {0} is outside 1..={max}", max = Encoding::MAX_DIMENSION)]
    Dimension(u32),
    /// The grid is outside 1..=[`Encoding::MAX_GRID`].
    #[error("grid {0} is outside 1..={max}", max = Encoding::MAX_GRID)]
    Grid(u32),
    /// A clip norm of zero.
    #[error("the clip norm must be positive")]
    Clip,
}

/// How a clipped vector is laid on the integer grid: all public, all in the round's manifest.
///
/// `clip` bounds the Euclidean norm of the whole vector (extra coordinates included). A vector of that norm has norm
/// `grid` once scaled, so `grid` / `clip` integer steps make one model unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    dimension: u32,
    padded: u32,
    clip: Decimal,
    grid: u32,
    bits: RingBits,
    rotation_seed: [u8; 32],
}

impl Encoding {
    /// Most values a vector can hold, 2^26.
    pub const MAX_DIMENSION: u32 = 1 << 26;
    /// Finest grid, 2^24 steps per clip norm.
    pub const MAX_GRID: u32 = 1 << 24;

    /// Checks and keeps parameters: `dimension` values (extra coordinates included), joint clip norm, grid steps per clip
    /// norm, ring, and the public seed of this round's rotation.
    ///
    /// # Errors
    /// [`EncodingError`], one variant per parameter.
    pub fn new(
        dimension: u32,
        clip: Decimal,
        grid: u32,
        bits: RingBits,
        rotation_seed: [u8; 32],
    ) -> Result<Self, EncodingError> {
        if dimension == 0 || dimension > Self::MAX_DIMENSION {
            return Err(EncodingError::Dimension(dimension));
        }
        if grid == 0 || grid > Self::MAX_GRID {
            return Err(EncodingError::Grid(grid));
        }
        if clip.is_zero() {
            return Err(EncodingError::Clip);
        }
        Ok(Self {
            dimension,
            padded: dimension.next_power_of_two(),
            clip,
            grid,
            bits,
            rotation_seed,
        })
    }

    /// The same encoding under another rotation; each round has its own seed.
    pub fn with_rotation_seed(mut self, seed: [u8; 32]) -> Self {
        self.rotation_seed = seed;
        self
    }

    /// Values in a vector, extra coordinates included.
    pub fn dimension(&self) -> u32 {
        self.dimension
    }

    /// Coordinates of the integer vector: the power of two not below `dimension`.
    pub fn padded(&self) -> u32 {
        self.padded
    }

    /// Bound on the norm of the whole vector.
    pub fn clip(&self) -> Decimal {
        self.clip
    }

    /// S, grid steps per clip norm.
    pub fn grid(&self) -> u32 {
        self.grid
    }

    /// The ring Z/2^b that sums live in.
    pub fn bits(&self) -> RingBits {
        self.bits
    }

    /// Seed of the random signs of the rotation.
    pub fn rotation_seed(&self) -> &[u8; 32] {
        &self.rotation_seed
    }

    /// Integer sensitivities of one encoded vector.
    pub fn sensitivity(&self) -> IntegerSensitivity {
        IntegerSensitivity::after_rounding(self.grid, self.padded)
    }

    /// B2: an encoded vector's integer sum of squares never exceeds this.
    pub fn squared_l2_sensitivity(&self) -> u128 {
        self.sensitivity().squared_l2
    }

    /// Delta1: an encoded vector's sum of magnitudes never exceeds this.
    pub fn l1_sensitivity(&self) -> u128 {
        self.sensitivity().l1
    }

    /// Grid steps per model unit.
    pub(crate) fn steps_per_unit(&self) -> f64 {
        f64::from(self.grid) / self.clip.to_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_bounded() {
        let bits = RingBits::new(24).unwrap();
        let one: Decimal = "1".parse().unwrap();
        let make = |dimension, clip, grid| Encoding::new(dimension, clip, grid, bits, [0; 32]);
        assert_eq!(make(0, one, 64), Err(EncodingError::Dimension(0)));
        assert_eq!(
            make((1 << 26) + 1, one, 64),
            Err(EncodingError::Dimension((1 << 26) + 1))
        );
        assert_eq!(make(5, one, 0), Err(EncodingError::Grid(0)));
        assert_eq!(
            make(5, one, (1 << 24) + 1),
            Err(EncodingError::Grid((1 << 24) + 1))
        );
        assert_eq!(make(5, Decimal::ZERO, 64), Err(EncodingError::Clip));
        for (dimension, padded) in [(1, 1), (2, 2), (5, 8), (8, 8), (1 << 26, 1 << 26)] {
            assert_eq!(make(dimension, one, 64).unwrap().padded(), padded);
        }
    }
}
