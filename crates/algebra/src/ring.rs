//! Vectors over Z/2^b, the group in which updates are masked and summed.

use core::fmt;
use core::ops::Range;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::AlgebraError;
use crate::packing;

/// The exponent b of the ring Z/2^b, 8 <= b <= 62.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RingBits(u8);

impl RingBits {
    /// Smallest exponent.
    pub const MIN: u8 = 8;
    /// Largest exponent; two bits of headroom keep sums and centred values inside an `i64`.
    pub const MAX: u8 = 62;

    /// Checks an exponent.
    ///
    /// # Errors
    /// [`AlgebraError::RingBits`] outside 8..=62.
    pub const fn new(bits: u8) -> Result<Self, AlgebraError> {
        if bits < Self::MIN || bits > Self::MAX {
            Err(AlgebraError::RingBits(bits))
        } else {
            Ok(Self(bits))
        }
    }

    /// The exponent b.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// 2^b - 1.
    pub const fn mask(self) -> u64 {
        (1 << self.0) - 1
    }

    /// Bytes that `coords` packed coordinates take: ceil(coords x b / 8); `usize::MAX` where that does not fit.
    pub const fn packed_len(self, coords: usize) -> usize {
        let bytes = (coords as u128 * self.0 as u128).div_ceil(8);
        if bytes > usize::MAX as u128 {
            usize::MAX
        } else {
            bytes as usize
        }
    }

    /// Whether `bytes` is what `coords` packed coordinates can be.
    ///
    /// # Errors
    /// [`AlgebraError::PackedLength`] unless there are exactly [`RingBits::packed_len`] bytes, [`AlgebraError::SpareBits`]
    /// unless the bits after the last coordinate are zero.
    pub fn check_packed(self, coords: usize, bytes: &[u8]) -> Result<(), AlgebraError> {
        let expected = self.packed_len(coords);
        if bytes.len() != expected {
            return Err(AlgebraError::PackedLength {
                expected,
                got: bytes.len(),
            });
        }
        // Bits used in the last byte, 1..=8; with 8 none is spare.
        let used = (coords % 8 * usize::from(self.0) + 7) % 8 + 1;
        if bytes.last().is_some_and(|&last| u32::from(last) >> used != 0) {
            return Err(AlgebraError::SpareBits);
        }
        Ok(())
    }

    /// Whether a coordinate is held in a `u32` word (b <= 32) rather than a `u64`.
    pub const fn is_narrow(self) -> bool {
        self.0 <= 32
    }
}

/// The words of a vector, for reading. See [`RingVector::words`].
pub enum Words<'a> {
    /// b <= 32.
    Narrow(&'a [u32]),
    /// b > 32.
    Wide(&'a [u64]),
}

/// The words of a vector, for masking in place. See [`RingVector::words_mut`].
pub enum WordsMut<'a> {
    /// b <= 32.
    Narrow(&'a mut [u32]),
    /// b > 32.
    Wide(&'a mut [u64]),
}

impl WordsMut<'_> {
    /// Adds packed coordinates to these words, one each, wrapping in the full word.
    ///
    /// # Errors
    /// As [`RingBits::check_packed`]; nothing has changed then.
    pub fn add_packed(self, bits: RingBits, bytes: &[u8]) -> Result<(), AlgebraError> {
        let width = u32::from(bits.get());
        match self {
            Self::Narrow(words) => {
                bits.check_packed(words.len(), bytes)?;
                packing::unpack(width, bytes, words.iter_mut(), |slot, word| {
                    *slot = slot.wrapping_add(word as u32);
                });
            }
            Self::Wide(words) => {
                bits.check_packed(words.len(), bytes)?;
                packing::unpack(width, bytes, words.iter_mut(), |slot, word| {
                    *slot = slot.wrapping_add(word);
                });
            }
        }
        Ok(())
    }
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
enum Storage {
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

/// A vector over Z/2^b.
///
/// Words may carry anything above bit b between operations (masks wrap in the full word, which is the same thing
/// mod 2^b); whatever reads coordinates looks at the low b bits only. Wiped on drop; `Debug` prints no coordinate;
/// equality compares coordinates mod 2^b, in time that depends on the shape alone.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RingVector {
    #[zeroize(skip)]
    bits: RingBits,
    storage: Storage,
}

impl RingVector {
    /// `len` zeros.
    pub fn zeros(bits: RingBits, len: usize) -> Self {
        let storage = if bits.is_narrow() {
            Storage::Narrow(vec![0; len])
        } else {
            Storage::Wide(vec![0; len])
        };
        Self { bits, storage }
    }

    /// The coordinates of `values` mod 2^b, in two's complement.
    pub fn from_signed(bits: RingBits, values: &[i64]) -> Self {
        let mask = bits.mask();
        let storage = if bits.is_narrow() {
            Storage::Narrow(values.iter().map(|&v| (v as u64 & mask) as u32).collect())
        } else {
            Storage::Wide(values.iter().map(|&v| v as u64 & mask).collect())
        };
        Self { bits, storage }
    }

    /// Coordinates from signed integers, in their own memory where words are as wide as they are (b <= 32). Not reduced.
    #[must_use]
    pub fn from_integers(bits: RingBits, values: Vec<i32>) -> Self {
        let storage = if bits.is_narrow() {
            // Collecting from a vector into one of the same layout keeps its memory; a test counts it.
            Storage::Narrow(values.into_iter().map(|value| value as u32).collect())
        } else {
            let values = Zeroizing::new(values);
            Storage::Wide(values.iter().map(|value| i64::from(*value) as u64).collect())
        };
        Self { bits, storage }
    }

    /// Number of coordinates.
    pub fn len(&self) -> usize {
        match &self.storage {
            Storage::Narrow(words) => words.len(),
            Storage::Wide(words) => words.len(),
        }
    }

    /// Whether there are no coordinates.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ring.
    pub fn bits(&self) -> RingBits {
        self.bits
    }

    /// The words, one a coordinate; bits above b are unspecified unless [`RingVector::reduce`] came last.
    pub fn words(&self) -> Words<'_> {
        match &self.storage {
            Storage::Narrow(words) => Words::Narrow(words),
            Storage::Wide(words) => Words::Wide(words),
        }
    }

    /// The words for changing in place, wrapping in the full word; call [`RingVector::reduce`] once at the end.
    pub fn words_mut(&mut self) -> WordsMut<'_> {
        match &mut self.storage {
            Storage::Narrow(words) => WordsMut::Narrow(words),
            Storage::Wide(words) => WordsMut::Wide(words),
        }
    }

    /// Clears the bits above b in every word.
    pub fn reduce(&mut self) {
        let mask = self.bits.mask();
        match &mut self.storage {
            Storage::Narrow(words) => words.iter_mut().for_each(|word| *word &= mask as u32),
            Storage::Wide(words) => words.iter_mut().for_each(|word| *word &= mask),
        }
    }

    /// Adds `other`, coordinate by coordinate.
    ///
    /// # Errors
    /// [`AlgebraError::RingMismatch`] or [`AlgebraError::LengthMismatch`]; nothing has changed then.
    pub fn add_assign(&mut self, other: &Self) -> Result<(), AlgebraError> {
        self.combine(other, u32::wrapping_add, u64::wrapping_add)
    }

    /// Subtracts `other`, coordinate by coordinate.
    ///
    /// # Errors
    /// [`AlgebraError::RingMismatch`] or [`AlgebraError::LengthMismatch`]; nothing has changed then.
    pub fn sub_assign(&mut self, other: &Self) -> Result<(), AlgebraError> {
        self.combine(other, u32::wrapping_sub, u64::wrapping_sub)
    }

    fn combine(
        &mut self,
        other: &Self,
        narrow: impl Fn(u32, u32) -> u32,
        wide: impl Fn(u64, u64) -> u64,
    ) -> Result<(), AlgebraError> {
        let (left, right) = (self.len(), other.len());
        if left != right {
            return Err(AlgebraError::LengthMismatch { left, right });
        }
        let mismatch = AlgebraError::RingMismatch {
            left: self.bits.get(),
            right: other.bits.get(),
        };
        if self.bits != other.bits {
            return Err(mismatch);
        }
        match (&mut self.storage, &other.storage) {
            (Storage::Narrow(to), Storage::Narrow(from)) => {
                to.iter_mut().zip(from).for_each(|(a, b)| *a = narrow(*a, *b));
            }
            (Storage::Wide(to), Storage::Wide(from)) => {
                to.iter_mut().zip(from).for_each(|(a, b)| *a = wide(*a, *b));
            }
            _ => return Err(mismatch),
        }
        Ok(())
    }

    /// The coordinates, centred into [-2^(b-1), 2^(b-1)).
    pub fn to_signed(&self) -> Vec<i64> {
        self.signed(0).collect()
    }

    /// The coordinates from `start` on, centred into [-2^(b-1), 2^(b-1)).
    pub fn signed(&self, start: usize) -> impl Iterator<Item = i64> + '_ {
        let spare = 64 - u32::from(self.bits.get());
        // The left shift drops whatever lies above bit b, the arithmetic right shift extends the sign.
        let centre = move |word: u64| ((word << spare) as i64) >> spare;
        let (narrow, wide): (&[u32], &[u64]) = match &self.storage {
            Storage::Narrow(words) => (words, &[]),
            Storage::Wide(words) => (&[], words),
        };
        let narrow = narrow.get(start..).unwrap_or_default().iter();
        let wide = wide.get(start..).unwrap_or_default().iter();
        narrow
            .map(|&word| u64::from(word))
            .chain(wide.copied())
            .map(centre)
    }

    /// The coordinates of `range`, bit-packed: coordinate i of the range at bits i x b and up, little-endian,
    /// in [`RingBits::packed_len`] bytes, unused top bits zero.
    ///
    /// A range that reaches past the end is cut there, so the last chunk may be asked for like any other.
    pub fn pack(&self, range: Range<usize>) -> Vec<u8> {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        let mut out = Vec::with_capacity(self.bits.packed_len(end - start));
        let bits = u32::from(self.bits.get());
        match &self.storage {
            Storage::Narrow(words) => {
                packing::pack(
                    bits,
                    words[start..end].iter().map(|&word| u64::from(word)),
                    &mut out,
                );
            }
            Storage::Wide(words) => packing::pack(bits, words[start..end].iter().copied(), &mut out),
        }
        out
    }

    /// Replaces coordinates `start .. start + count` by a packed chunk.
    ///
    /// # Errors
    /// [`AlgebraError::OutOfRange`] if the chunk leaves the vector, [`AlgebraError::PackedLength`] unless `bytes` has
    /// exactly [`RingBits::packed_len`] bytes, [`AlgebraError::SpareBits`] unless the bits after the last coordinate
    /// are zero. Nothing has changed then.
    pub fn unpack_into(&mut self, start: usize, count: usize, bytes: &[u8]) -> Result<(), AlgebraError> {
        let len = self.len();
        let end = start
            .checked_add(count)
            .filter(|&end| end <= len)
            .ok_or(AlgebraError::OutOfRange { start, count, len })?;
        self.bits.check_packed(count, bytes)?;
        let bits = u32::from(self.bits.get());
        match &mut self.storage {
            Storage::Narrow(words) => {
                let slots = words[start..end].iter_mut();
                packing::unpack(bits, bytes, slots, |slot, word| *slot = word as u32);
            }
            Storage::Wide(words) => {
                packing::unpack(bits, bytes, words[start..end].iter_mut(), |slot, word| {
                    *slot = word
                });
            }
        }
        Ok(())
    }
}

impl PartialEq for RingVector {
    fn eq(&self, other: &Self) -> bool {
        if self.bits != other.bits || self.len() != other.len() {
            return false;
        }
        let difference = match (&self.storage, &other.storage) {
            (Storage::Narrow(a), Storage::Narrow(b)) => {
                u64::from(a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)))
            }
            (Storage::Wide(a), Storage::Wide(b)) => a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)),
            _ => u64::MAX,
        };
        difference & self.bits.mask() == 0
    }
}

impl Eq for RingVector {}

impl fmt::Debug for RingVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingVector")
            .field("bits", &self.bits.get())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
