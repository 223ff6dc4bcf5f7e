//! Exact sampling of Skellam noise from tables of integers; no float anywhere in this folder.
//!
//! A table holds the law of one draw as integer weights that sum to 2^127 (`bessel`), arranged so that a draw is one look-up
//! and one comparison on 128 fresh bits (`table`): the same work for every outcome. Which entry is read depends on the
//! outcome, so a neighbour on the same cache could learn from it; a peer across the network cannot.
//!
//! A law wider than [`WIDEST_TABLE_Q16`] is drawn as a sum of j independent draws of variance 1/j of it, which is exactly
//! Skellam again.

mod bessel;
mod cache;
mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::keystream::KeyStream;
use table::{BYTES_PER_DRAW, SkellamTable};

/// Largest variance of one table draw, in units of 2^-16: standard deviation 10^4.
pub(crate) const WIDEST_TABLE_Q16: u64 = 100_000_000 << 16;

/// Most draws in one noise value. Keeps the summed distance from the true law below 2^-100, see `bessel`.
pub(crate) const MAX_PARTS: u64 = 512;

/// Noise values made per block of random bytes.
const BLOCK: usize = 512;

/// A sampler of one fixed Skellam law.
pub(crate) struct SkellamSampler {
    table: Arc<SkellamTable>,
    parts: u64,
}

impl SkellamSampler {
    /// For variance `variance_q16` / 2^16, positive and at most [`WIDEST_TABLE_Q16`] x [`MAX_PARTS`]; `None` otherwise.
    /// The table comes from a small cache where possible.
    pub(crate) fn new(variance_q16: u64) -> Option<Self> {
        let parts = variance_q16.div_ceil(WIDEST_TABLE_Q16);
        if parts == 0 || parts > MAX_PARTS {
            return None;
        }
        let table = cache::table(variance_q16, parts << 16)?;
        Some(Self { table, parts })
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
