//! The randomised Hadamard rotation, block by block: u = H D x / sqrt(block), signs D from a public seed.
//!
//! It spreads a vector evenly over the coordinates of each block, so that one grid suits all of them. It is orthogonal: norms, and
//! with them all privacy statements, do not depend on the seed or on the block. Whole blocks can be rotated alone, so no copy
//! of the whole vector is needed, and side by side, so all cores can work.

use rayon::prelude::*;
use tacita_algebra::TaggedHash;

use crate::keystream::KeyStream;

/// Transforms that fit the first-level cache go breadth first, larger ones depth first down to this many values.
const CACHED: usize = 1 << 11;
/// Values whose signs are drawn at a time; also the least that is worth a task of its own.
const SIGNS: usize = 1 << 12;

/// The rotation of one round.
pub(crate) struct Rotation {
    key: [u8; 32],
    block: usize,
}

impl Rotation {
    /// For a seed and a block that is a power of two.
    pub(crate) fn new(seed: &[u8; 32], block: u32) -> Self {
        let key = TaggedHash::new("tacita/1 rotation").bytes(seed).finish();
        Self {
            key,
            block: block.max(1) as usize,
        }
    }

    /// Values handled at a time where the whole is never held: whole blocks, whole draws of signs.
    pub(crate) fn piece(&self) -> usize {
        self.block.max(16 * SIGNS)
    }

    /// x <- H D x / sqrt(block) in each of the whole blocks of `values`, which start at `start`, a multiple of the piece.
    pub(crate) fn rotate(&self, start: usize, values: &mut [f64]) {
        self.apply_signs(start, values);
        self.transform(values);
    }

    /// u <- D H u / sqrt(block), the inverse of [`Rotation::rotate`].
    pub(crate) fn rotate_back(&self, start: usize, values: &mut [f64]) {
        self.transform(values);
        self.apply_signs(start, values);
    }

    fn transform(&self, values: &mut [f64]) {
        if values.len() <= 4 * SIGNS {
            return values.chunks_mut(self.block).for_each(hadamard);
        }
        let blocks_a_task = (SIGNS / self.block).max(1);
        values
            .par_chunks_mut(self.block)
            .with_min_len(blocks_a_task)
            .for_each(hadamard);
    }

    /// Multiplies by 1 / sqrt(block), negated where bit i mod 8 of byte i / 8 of the key stream is set, i counted from the first
    /// value of the whole vector.
    fn apply_signs(&self, start: usize, values: &mut [f64]) {
        let scale = 1.0 / (self.block as f64).sqrt();
        let mut stream = KeyStream::from_key_at(&self.key, start as u64 / 8);
        let mut bytes = [0u8; SIGNS / 8];
        for chunk in values.chunks_mut(SIGNS) {
            stream.fill(&mut bytes);
            for (eight, byte) in chunk.chunks_mut(8).zip(bytes) {
                for (bit, value) in eight.iter_mut().enumerate() {
                    *value *= if (byte >> bit) & 1 == 1 { -scale } else { scale };
                }
            }
        }
    }
}

/// In-place Walsh-Hadamard transform without normalisation; the length is a power of two.
fn hadamard(values: &mut [f64]) {
    let len = values.len();
    if len <= CACHED {
        return hadamard_cached(values);
    }
    // Two levels in one pass over memory.
    let quarter = len / 4;
    let (low, high) = values.split_at_mut(2 * quarter);
    let (a, b) = low.split_at_mut(quarter);
    let (c, d) = high.split_at_mut(quarter);
    butterflies_of_four(a, b, c, d);
    for part in [a, b, c, d] {
        hadamard(part);
    }
}

fn hadamard_cached(values: &mut [f64]) {
    let mut half = 1;
    while 4 * half <= values.len() {
        for block in values.chunks_exact_mut(4 * half) {
            let (low, high) = block.split_at_mut(2 * half);
            let (a, b) = low.split_at_mut(half);
            let (c, d) = high.split_at_mut(half);
            butterflies_of_four(a, b, c, d);
        }
        half *= 4;
    }
    if 2 * half <= values.len() {
        let (low, high) = values.split_at_mut(half);
        for (a, b) in low.iter_mut().zip(high) {
            (*a, *b) = (*a + *b, *a - *b);
        }
    }
}

fn butterflies_of_four(a: &mut [f64], b: &mut [f64], c: &mut [f64], d: &mut [f64]) {
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let (ac, ac_diff) = (*a + *c, *a - *c);
        let (bd, bd_diff) = (*b + *d, *b - *d);
        (*a, *b, *c, *d) = (ac + bd, ac - bd, ac_diff + bd_diff, ac_diff - bd_diff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_definition() {
        // H[i][j] = (-1)^popcount(i & j), for odd and even powers of two and across the cache boundary.
        for log in [0usize, 1, 2, 3, 5, 6, 12, 13] {
            let len = 1usize << log;
            let input: Vec<f64> = (0..len).map(|i| ((i * 37 + 11) % 101) as f64 - 50.0).collect();
            let mut output = input.clone();
            hadamard(&mut output);
            for i in (0..len).step_by(1.max(len / 64)) {
                let expected: f64 = (0..len)
                    .map(|j| {
                        if (i & j).count_ones() % 2 == 0 {
                            input[j]
                        } else {
                            -input[j]
                        }
                    })
                    .sum();
                assert_eq!(output[i], expected, "length {len}, row {i}");
            }
        }
    }

    /// The definition, over the whole vector, with signs taken bit by bit.
    fn by_definition(values: &[f64], seed: &[u8; 32], block: usize) -> Vec<f64> {
        let key = TaggedHash::new("tacita/1 rotation").bytes(seed).finish();
        let mut signs = vec![0u8; values.len().div_ceil(8)];
        KeyStream::from_key(&key).fill(&mut signs);
        let signed: Vec<f64> = values
            .iter()
            .enumerate()
            .map(|(i, value)| {
                if (signs[i / 8] >> (i % 8)) & 1 == 1 {
                    -value
                } else {
                    *value
                }
            })
            .collect();
        let row = |block: &[f64], i: usize| -> f64 {
            let terms = block.iter().enumerate();
            terms
                .map(|(j, x)| {
                    if (i & j).count_ones().is_multiple_of(2) {
                        *x
                    } else {
                        -x
                    }
                })
                .sum()
        };
        signed
            .chunks(block)
            .flat_map(|part| (0..block).map(move |i| row(part, i) / (block as f64).sqrt()))
            .collect()
    }

    #[test]
    fn blocks_follow_the_definition_whole_and_in_pieces() {
        for (block, blocks) in [(1u32, 11usize), (2, 5), (8, 3), (64, 7), (1024, 3)] {
            let len = block as usize * blocks;
            let input: Vec<f64> = (0..len).map(|i| ((i * 37 + 11) % 101) as f64 - 50.0).collect();
            let mut rotated = input.clone();
            Rotation::new(&[9; 32], block).rotate(0, &mut rotated);
            let expected = by_definition(&input, &[9; 32], block as usize);
            assert!(
                rotated.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-9),
                "block {block}"
            );
        }
        let rotation = Rotation::new(&[9; 32], 64);
        let input: Vec<f64> = (0..2 * rotation.piece() + 640)
            .map(|i| (i as f64).cos())
            .collect();
        let (mut whole, mut pieces) = (input.clone(), input);
        rotation.rotate(0, &mut whole);
        let starts = (0..pieces.len()).step_by(rotation.piece());
        for (start, piece) in starts.zip(pieces.chunks_mut(rotation.piece())) {
            rotation.rotate(start, piece);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn rotation_keeps_norms_and_comes_back() {
        for (len, block) in [
            (1usize, 1u32),
            (2, 2),
            (64, 64),
            (64, 16),
            (8192, 8192),
            (9216, 1024),
        ] {
            let input: Vec<f64> = (0..len).map(|i| (i as f64).sin()).collect();
            let mut rotated = input.clone();
            let rotation = Rotation::new(&[7; 32], block);
            rotation.rotate(0, &mut rotated);
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
            assert!((norm(&input) - norm(&rotated)).abs() <= 1e-12 * norm(&input));
            rotation.rotate_back(0, &mut rotated);
            assert!(input.iter().zip(&rotated).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn a_spike_is_spread_flat_and_signs_depend_on_the_seed() {
        let spike = |seed: u8| {
            let mut values = vec![0.0; 1024];
            values[1] = 1.0;
            values[513] = 1.0;
            Rotation::new(&[seed; 32], 1024).rotate(0, &mut values);
            values
        };
        assert!(spike(1).iter().all(|x| x.abs() <= 2.0 / 32.0 + 1e-15));
        let signs = |seed: u8| {
            let mut values = vec![1.0; 4096 * 3];
            Rotation::new(&[seed; 32], 1).apply_signs(0, &mut values);
            values
        };
        assert_ne!(signs(1), signs(2));
        let balance: f64 = signs(1).iter().sum();
        // 5.5 standard deviations; a constant or short-period sign pattern would miss it.
        assert!(balance.abs() < 5.5 * (4096f64 * 3.0).sqrt());
        assert_ne!(signs(1)[..4096], signs(1)[4096..8192]);
    }
}
