//! Constant-work sampling from integer weights: Walker's alias method without a float.
//!
//! The weights (sum 2^127) are spread over 2^m columns of capacity 2^(127-m) so that each column holds at most two outcomes:
//! its own up to a threshold, an alias above it. The construction (Walker 1977, Vose 1991) is exact on integers: what the
//! columns give an outcome adds up to exactly its weight.

use super::law::Law;
use super::weights::{MAX_MAGNITUDES, TOTAL};

/// Random bytes one draw consumes.
pub(super) const BYTES_PER_DRAW: usize = 16;

/// The law of one draw.
pub(super) struct NoiseTable {
    /// Per column: the threshold in the low `fraction_bits` bits, the alias above them.
    columns: Vec<u128>,
    /// m, log2 of the number of columns.
    index_bits: u32,
}

impl NoiseTable {
    /// `None` if the law is too wide for a table.
    pub(super) fn new(law: Law) -> Option<Self> {
        Self::from_weights(law.magnitude_weights()?)
    }

    /// From weights of the magnitudes 0, 1, ... that sum to 2^127.
    fn from_weights(mut weights: Vec<u128>) -> Option<Self> {
        let columns = weights.len().max(2).next_power_of_two();
        let index_bits = columns.trailing_zeros();
        if columns > MAX_MAGNITUDES {
            return None;
        }
        let capacity = TOTAL >> index_bits;
        weights.resize(columns, 0);
        // Full columns are their own alias with threshold 0; the others are overwritten below.
        let mut packed: Vec<u128> = (0..columns as u128).map(|own| own * capacity).collect();
        let (mut under, mut over): (Vec<usize>, Vec<usize>) =
            (0..columns).partition(|&i| weights[i] < capacity);
        while let Some(short) = under.pop() {
            // The remaining weights average to the capacity, so a short column implies a long one.
            let long = over.pop()?;
            packed[short] = long as u128 * capacity + weights[short];
            weights[long] -= capacity - weights[short];
            if weights[long] < capacity {
                under.push(long);
            } else {
                over.push(long);
            }
        }
        Some(Self {
            columns: packed,
            index_bits,
        })
    }

    /// Adds one draw to each value, mod 2^64, from 16 random bytes a value: bit 0 the sign, the top m bits the column, the
    /// bits between the comparison with its threshold.
    pub(super) fn add_draws(&self, values: &mut [i64], random: &[u8]) {
        let fraction_bits = 127 - self.index_bits;
        let fraction_mask = (1u128 << fraction_bits) - 1;
        let column_mask = self.columns.len() - 1;
        let (words, _) = random.as_chunks::<BYTES_PER_DRAW>();
        for (value, word) in values.iter_mut().zip(words) {
            let bits = u128::from_le_bytes(*word);
            let own = (bits >> (128 - self.index_bits)) as u64;
            let fraction = (bits >> 1) & fraction_mask;
            let column = self.columns[own as usize & column_mask];
            let alias = (column >> fraction_bits) as u64;
            let keep = u64::from(fraction < (column & fraction_mask)).wrapping_neg();
            let magnitude = alias ^ ((alias ^ own) & keep);
            let sign = (bits as u64 & 1).wrapping_neg();
            *value = value.wrapping_add((magnitude ^ sign).wrapping_sub(sign) as i64);
        }
    }

    /// The exact weight of every magnitude, read back from the columns.
    #[cfg(test)]
    pub(super) fn weights(&self) -> Vec<u128> {
        let capacity = TOTAL >> self.index_bits;
        let mut weights = vec![0u128; self.columns.len()];
        for (own, column) in self.columns.iter().enumerate() {
            let threshold = column % capacity;
            weights[own] += threshold;
            weights[(column / capacity) as usize] += capacity - threshold;
        }
        weights
    }
}
