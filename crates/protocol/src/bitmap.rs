//! Bitmaps over roster indices: bit i of byte i / 8, least significant bit first, spare bits zero.

use crate::refusal::Refusal;

/// A set of roster indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bitmap {
    size: u16,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// The empty set over `size` indices.
    #[must_use]
    pub fn empty(size: u16) -> Self {
        Self {
            size,
            bytes: vec![0; usize::from(size).div_ceil(8)],
        }
    }

    /// A set from an iterator of indices; those out of range are left out.
    pub fn from_indices(size: u16, indices: impl IntoIterator<Item = u16>) -> Self {
        let mut map = Self::empty(size);
        for index in indices {
            map.insert(index);
        }
        map
    }

    /// Reads a peer's bitmap: the length must be exact and spare bits zero.
    pub fn decode(size: u16, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != usize::from(size).div_ceil(8) {
            return None;
        }
        let spare = (8 - size % 8) % 8;
        if spare > 0 && bytes.last().is_some_and(|last| last >> (8 - spare) != 0) {
            return None;
        }
        Some(Self {
            size,
            bytes: bytes.to_vec(),
        })
    }

    /// As [`Bitmap::decode`], naming the list in the refusal.
    pub(crate) fn decode_or(size: u16, bytes: &[u8], refusal: Refusal) -> Result<Self, Refusal> {
        Self::decode(size, bytes).ok_or(refusal)
    }

    /// Adds an index.
    pub fn insert(&mut self, index: u16) {
        if index < self.size
            && let Some(byte) = self.bytes.get_mut(usize::from(index / 8))
        {
            *byte |= 1 << (index % 8);
        }
    }

    /// Whether an index is in the set.
    #[must_use]
    pub fn contains(&self, index: u16) -> bool {
        index < self.size
            && self
                .bytes
                .get(usize::from(index / 8))
                .is_some_and(|b| b >> (index % 8) & 1 == 1)
    }

    /// Number of indices in the set.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.bytes
            .iter()
            .map(|b| u16::try_from(b.count_ones()).unwrap_or(0))
            .sum()
    }

    /// Size of the roster it ranges over.
    #[must_use]
    pub fn size(&self) -> u16 {
        self.size
    }

    /// The wire form.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The indices in rising order.
    pub fn indices(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.size).filter(|i| self.contains(*i))
    }

    /// Whether every index of `self` is in `other`.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.size == other.size && self.bytes.iter().zip(&other.bytes).all(|(a, b)| a & !b == 0)
    }

    /// How many members of the set come before `index`.
    #[must_use]
    pub fn rank(&self, index: u16) -> u16 {
        let index = index.min(self.size);
        let whole = self.bytes.iter().take(usize::from(index / 8));
        let before: u16 = whole.map(|b| u16::try_from(b.count_ones()).unwrap_or(0)).sum();
        let rest = (index / 8 * 8..index).map(|i| u16::from(self.contains(i)));
        before + rest.sum::<u16>()
    }
}

#[cfg(test)]
mod tests {
    use super::Bitmap;

    #[test]
    fn spare_bits_and_lengths_are_refused() {
        assert!(Bitmap::decode(9, &[0xff, 0x01]).is_some());
        assert!(Bitmap::decode(9, &[0xff, 0x02]).is_none());
        assert!(Bitmap::decode(9, &[0xff]).is_none());
        assert!(Bitmap::decode(9, &[0xff, 0, 0]).is_none());
        assert!(Bitmap::decode(8, &[0x80]).is_some());
    }

    #[test]
    fn sets_behave() {
        let a = Bitmap::from_indices(20, [1, 7, 8, 19]);
        assert_eq!(a.indices().collect::<Vec<_>>(), [1, 7, 8, 19]);
        assert_eq!((a.count(), a.rank(8), a.rank(20)), (4, 2, 4));
        for index in 0..=21 {
            assert_eq!(
                a.rank(index),
                (0..index.min(20)).filter(|i| a.contains(*i)).count() as u16
            );
        }
        assert!(Bitmap::from_indices(20, [7]).is_within(&a));
        assert!(!Bitmap::from_indices(20, [6]).is_within(&a));
        assert!(!a.contains(200));
    }
}
