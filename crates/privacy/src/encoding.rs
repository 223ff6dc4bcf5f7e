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
    /// The rotation's block is no power of two, or larger than the vector needs.
    #[error("block {0} is not a power of two that the vector can be rotated in")]
    Block(u32),
}

/// The largest block that is chosen unless another is asked for: 2^16 values of binary64 stay in a core's own cache.
const LARGEST_CHOSEN_BLOCK: u32 = 1 << 16;
/// Up to this many values make one block, whatever the padding.
const SINGLE_BLOCK: u32 = 1 << 10;
/// Padding of a longer vector, at most this part of it.
const MOST_PADDING: u32 = 16;

/// How a clipped vector is laid on the integer grid: all public, all in the round's manifest.
///
/// `clip` bounds the Euclidean norm of the whole vector (extra coordinates included). A vector of that norm has norm
/// `grid` once scaled, so `grid` / `clip` integer steps make one model unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoding {
    dimension: u32,
    block: u32,
    padded: u32,
    clip: Decimal,
    grid: u32,
    bits: RingBits,
    rotation_seed: [u8; 32],
}

impl Encoding {
    /// Most values a vector can hold, 2^28.
    pub const MAX_DIMENSION: u32 = 1 << 28;
    /// Finest grid, 2^24 steps per clip norm.
    pub const MAX_GRID: u32 = 1 << 24;

    /// Checks and keeps parameters: `dimension` values (extra coordinates included), joint clip norm, grid steps per clip
    /// norm, ring, and the public seed of this round's rotation. The rotation's block is [`Encoding::usual_block`].
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
        let block = Self::usual_block(dimension);
        Ok(Self {
            dimension,
            block,
            padded: dimension.next_multiple_of(block),
            clip,
            grid,
            bits,
            rotation_seed,
        })
    }

    /// The block that a vector of `dimension` values is rotated in unless another is asked for: all of it if it is short,
    /// else the largest power of two, at most 2^16, whose padding is at most a sixteenth of the values.
    pub fn usual_block(dimension: u32) -> u32 {
        let whole = dimension.max(1).next_power_of_two();
        if whole <= SINGLE_BLOCK {
            return whole;
        }
        let mut block = whole.min(LARGEST_CHOSEN_BLOCK);
        // Ends above 32 values: 63 of padding are a sixteenth of 1,025.
        while dimension.next_multiple_of(block).saturating_sub(dimension) > dimension / MOST_PADDING {
            block /= 2;
        }
        block
    }

    /// The same, rotated in blocks of another size: a power of two, at most the least one that holds all values.
    ///
    /// # Errors
    /// [`EncodingError::Block`].
    pub fn with_block(mut self, block: u32) -> Result<Self, EncodingError> {
        if !block.is_power_of_two() || block > self.dimension.next_power_of_two() {
            return Err(EncodingError::Block(block));
        }
        self.block = block;
        self.padded = self.dimension.next_multiple_of(block);
        Ok(self)
    }

    /// Whether some block pads a vector of `dimension` values to `padded` coordinates: what an auditor can check, who sees both
    /// numbers and not the block.
    pub fn can_pad(dimension: u32, padded: u32) -> bool {
        // The largest block that divides `padded`, in which padding is least likely to be a block or more.
        let block = 1u32.checked_shl(padded.trailing_zeros()).unwrap_or(0);
        padded
            .checked_sub(dimension)
            .is_some_and(|padding| padding < block && padded <= dimension.max(1).next_power_of_two())
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

    /// Values that are rotated together, a power of two.
    pub fn block(&self) -> u32 {
        self.block
    }

    /// Coordinates of the integer vector: the multiple of `block` not below `dimension`.
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
            make((1 << 28) + 1, one, 64),
            Err(EncodingError::Dimension((1 << 28) + 1))
        );
        assert_eq!(make(5, one, 0), Err(EncodingError::Grid(0)));
        assert_eq!(
            make(5, one, (1 << 24) + 1),
            Err(EncodingError::Grid((1 << 24) + 1))
        );
        assert_eq!(make(5, Decimal::ZERO, 64), Err(EncodingError::Clip));
        for (dimension, padded) in [(1, 1), (2, 2), (5, 8), (8, 8), (650, 1024), (1 << 28, 1 << 28)] {
            assert_eq!(make(dimension, one, 64).unwrap().padded(), padded);
        }
    }

    #[test]
    fn padding_is_small_and_blocks_are_large() {
        for (dimension, block, padded) in [
            (1024, 1024, 1024),
            (1025, 64, 1088),
            (4096, 4096, 4096),
            (4097, 256, 4352),
            (16_400, 1024, 17_408),
            (79_510, 16_384, 81_920),
            (1_000_000, 65_536, 1_048_576),
            (1_100_000, 65_536, 1_114_112),
            ((1 << 28) - 1, 65_536, 1 << 28),
        ] {
            let encoding = Encoding::new(
                dimension,
                "1".parse().unwrap(),
                64,
                RingBits::new(24).unwrap(),
                [0; 32],
            );
            let encoding = encoding.unwrap();
            assert_eq!(
                (encoding.block(), encoding.padded()),
                (block, padded),
                "{dimension}"
            );
        }
        for dimension in (1025..70_000).step_by(7).chain([1 << 20, (1 << 26) + 1]) {
            let block = Encoding::usual_block(dimension);
            let padding = dimension.next_multiple_of(block) - dimension;
            assert!(padding <= dimension / 16 && block >= 64, "{dimension}: {block}");
            assert!(block >= 1024 || dimension < 16_384, "{dimension}: {block}");
        }
    }

    #[test]
    fn an_auditor_knows_every_padding_there_is() {
        for dimension in 1u32..200 {
            let paddings: std::collections::BTreeSet<u32> = (0..=dimension.next_power_of_two().ilog2())
                .map(|log| dimension.next_multiple_of(1 << log))
                .collect();
            for padded in 0..600 {
                assert_eq!(
                    Encoding::can_pad(dimension, padded),
                    paddings.contains(&padded),
                    "{dimension} to {padded}"
                );
            }
        }
    }

    #[test]
    fn a_block_is_a_power_of_two_that_is_not_too_large() {
        let bits = RingBits::new(24).unwrap();
        let make = || Encoding::new(650, "1".parse().unwrap(), 64, bits, [0; 32]).unwrap();
        for (block, padded) in [
            (1, 650),
            (2, 650),
            (4, 652),
            (128, 768),
            (512, 1024),
            (1024, 1024),
        ] {
            assert_eq!(make().with_block(block).unwrap().padded(), padded);
        }
        for block in [0, 3, 96, 2048, 1 << 31, u32::MAX] {
            assert_eq!(make().with_block(block), Err(EncodingError::Block(block)));
        }
    }
}
