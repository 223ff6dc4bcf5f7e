//! The randomised Hadamard rotation: u = H D x / sqrt(d), signs D from a public seed.
//!
//! It spreads a vector evenly over its coordinates, so that one grid suits all of them. It is orthogonal: norms, and with
//! them all privacy statements, do not depend on the seed.

use tacita_algebra::TaggedHash;

use crate::keystream::KeyStream;

/// Transforms that fit the first-level cache go breadth first, larger ones depth first down to this many values.
const CACHED: usize = 1 << 11;

/// x <- H D x / sqrt(d). The length is a power of two.
pub(crate) fn rotate(values: &mut [f64], seed: &[u8; 32]) {
    let scale = 1.0 / (values.len() as f64).sqrt();
    apply_signs(values, seed, scale);
    hadamard(values);
}

/// u <- D H u / sqrt(d), the inverse of [`rotate`].
pub(crate) fn rotate_back(values: &mut [f64], seed: &[u8; 32]) {
    let scale = 1.0 / (values.len() as f64).sqrt();
    hadamard(values);
    apply_signs(values, seed, scale);
}

/// Multiplies by `scale`, negated where bit i mod 8 of byte i / 8 of the seed's key stream is set.
fn apply_signs(values: &mut [f64], seed: &[u8; 32], scale: f64) {
    let key = TaggedHash::new("tacita/1 rotation").bytes(seed).finish();
    let mut stream = KeyStream::from_key(&key);
    let mut bytes = [0u8; 512];
    for chunk in values.chunks_mut(8 * bytes.len()) {
        stream.fill(&mut bytes);
        for (eight, byte) in chunk.chunks_mut(8).zip(bytes) {
            for (bit, value) in eight.iter_mut().enumerate() {
                *value *= if (byte >> bit) & 1 == 1 { -scale } else { scale };
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

    #[test]
    fn rotation_keeps_norms_and_comes_back() {
        for len in [1usize, 2, 64, 8192] {
            let input: Vec<f64> = (0..len).map(|i| (i as f64).sin()).collect();
            let mut rotated = input.clone();
            rotate(&mut rotated, &[7; 32]);
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
            assert!((norm(&input) - norm(&rotated)).abs() <= 1e-12 * norm(&input));
            rotate_back(&mut rotated, &[7; 32]);
            assert!(input.iter().zip(&rotated).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }

    #[test]
    fn a_spike_is_spread_flat_and_signs_depend_on_the_seed() {
        let spike = |seed: u8| {
            let mut values = vec![0.0; 1024];
            values[1] = 1.0;
            values[513] = 1.0;
            rotate(&mut values, &[seed; 32]);
            values
        };
        assert!(spike(1).iter().all(|x| x.abs() <= 2.0 / 32.0 + 1e-15));
        let signs = |seed: u8| {
            let mut values = vec![1.0; 4096 * 3];
            apply_signs(&mut values, &[seed; 32], 1.0);
            values
        };
        assert_ne!(signs(1), signs(2));
        let balance: f64 = signs(1).iter().sum();
        // 5.5 standard deviations; a constant or short-period sign pattern would miss it.
        assert!(balance.abs() < 5.5 * (4096f64 * 3.0).sqrt());
        assert_ne!(signs(1)[..4096], signs(1)[4096..8192]);
    }
}
