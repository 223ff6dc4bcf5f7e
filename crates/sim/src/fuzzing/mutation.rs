//! A plain mutator for where there is no libFuzzer: what it makes depends on its seed alone.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Values at which lengths and counts turn over.
const EDGES: [&[u8]; 8] = [
    &[0],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0xff, 0xff],
    &[0, 0, 0, 1],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x03, 0xe9],
];

/// Longest input it makes.
const LONGEST: usize = 300_000;

/// Makes inputs out of inputs.
pub struct Mutator(ChaCha20Rng);

impl Mutator {
    /// A mutator.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() as usize).checked_rem(limit).unwrap_or(0)
    }

    /// A mutation of one of `corpus`, or nothing if that is empty.
    pub fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut data = corpus.get(self.below(corpus.len())).cloned().unwrap_or_default();
        // Most often one change, so that what was valid nearly stays so.
        for _ in 0..1 + self.below(4) * self.below(3) {
            self.change(&mut data, corpus);
        }
        data.truncate(LONGEST);
        data
    }

    fn change(&mut self, data: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(data.len() + 1);
        match self.below(8) {
            0 | 1 => {
                let bit = 1u8 << self.below(8);
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= bit;
                }
            }
            2 => {
                let value = self.0.next_u32().to_le_bytes()[0];
                if let Some(byte) = data.get_mut(at) {
                    *byte = value;
                }
            }
            3 => {
                // Written over, so that lengths keep their place.
                let edge = EDGES.get(self.below(EDGES.len())).copied().unwrap_or_default();
                for (byte, value) in data.iter_mut().skip(at).zip(edge) {
                    *byte = *value;
                }
            }
            4 => data.truncate(at),
            5 => {
                let end = at.saturating_add(1 + self.below(32)).min(data.len());
                drop(data.drain(at..end));
            }
            6 => {
                let mut new = vec![0; 1 + self.below(16)];
                self.0.fill_bytes(&mut new);
                data.splice(at..at, new);
            }
            _ => {
                // The end of another input.
                let other = corpus
                    .get(self.below(corpus.len()))
                    .map(Vec::as_slice)
                    .unwrap_or_default();
                let from = self.below(other.len() + 1);
                data.truncate(at);
                data.extend_from_slice(other.get(from..).unwrap_or_default());
            }
        }
    }
}
