//! Conditional stochastic rounding: unbiased up to the condition, and never past the integer norm bound.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::keystream::KeyStream;

/// Roundings drawn before falling back to truncation.
///
/// Each passes with probability at least 1 - exp(-1/2) for a vector of norm at most S (usually above 0.9), so the fallback
/// is taken less than once in 2,800 vectors at worst. How many were drawn depends on the data and leaves this file nowhere.
pub(crate) const MAX_DRAWS: usize = 16;

/// Coordinates handled per block of randomness.
const BLOCK: usize = 1024;

/// Bound applied before squaring so that a block's sum fits a `u64`; such a vector fails the norm check anyway.
const CAP: i32 = 1 << 26;

/// Rounds `len` values to integers whose exact sum of squares is at most `squared_bound`; `None` if neither a random rounding
/// nor truncation toward zero meets it, which means that the norm of the values was not bounded as it should be.
///
/// `scaled(start, values)` gives the values from `start` on; it is asked for pieces of `piece` values in order, and for all
/// of them again for each draw, so that only the integers are ever held whole.
pub(crate) fn round_conditionally(
    len: usize,
    piece: usize,
    scaled: impl Fn(usize, &mut [f64]),
    squared_bound: u128,
    rng: &mut impl CryptoRng,
) -> Option<Zeroizing<Vec<i32>>> {
    let mut rounded = Zeroizing::new(vec![0i32; len]);
    let mut values = Zeroizing::new(vec![0.0f64; piece.min(len)]);
    let mut stream = KeyStream::from_rng(rng);
    for draw in 0..=MAX_DRAWS {
        let mut total = 0u128;
        for (start, integers) in (0..len)
            .step_by(piece.max(1))
            .zip(rounded.chunks_mut(piece.max(1)))
        {
            let values = &mut values[..integers.len()];
            scaled(start, values);
            total += if draw < MAX_DRAWS {
                round_once(values, integers, &mut stream)
            } else {
                truncate(values, integers)
            };
        }
        if total <= squared_bound {
            return Some(rounded);
        }
    }
    None
}

/// Each coordinate to its floor or the integer above, with the expectation of the coordinate to within 2^-32.
/// Returns the sum of squares.
fn round_once(scaled: &[f64], rounded: &mut [i32], stream: &mut KeyStream) -> u128 {
    let mut random = Zeroizing::new(vec![0u8; 4 * BLOCK.min(scaled.len())]);
    let mut total = 0u128;
    for (values, integers) in scaled.chunks(BLOCK).zip(rounded.chunks_mut(BLOCK)) {
        let random = &mut random[..4 * values.len()];
        stream.fill(random);
        let mut sum = 0u64;
        let (words, _) = random.as_chunks::<4>();
        for ((value, integer), word) in values.iter().zip(integers.iter_mut()).zip(words) {
            let floor = value.floor();
            let uniform = f64::from(u32::from_le_bytes(*word)) * (1.0 / 4_294_967_296.0);
            let up = i32::from(uniform < value - floor);
            *integer = (floor as i32).clamp(-CAP, CAP).wrapping_add(up);
            sum = sum.wrapping_add(square(*integer));
        }
        total += u128::from(sum);
    }
    total
}

/// Each coordinate toward zero, which enlarges no magnitude. Returns the sum of squares.
fn truncate(scaled: &[f64], rounded: &mut [i32]) -> u128 {
    let mut total = 0u128;
    for (value, integer) in scaled.iter().zip(rounded) {
        *integer = (value.trunc() as i32).clamp(-CAP, CAP);
        total += u128::from(square(*integer));
    }
    total
}

fn square(value: i32) -> u64 {
    let magnitude = u64::from(value.unsigned_abs());
    magnitude.wrapping_mul(magnitude)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::sensitivity::IntegerSensitivity;

    /// A whole vector, in pieces of 1,024 values.
    fn round(scaled: &[f64], bound: u128, rng: &mut ChaCha20Rng) -> Option<Zeroizing<Vec<i32>>> {
        let give =
            |start: usize, values: &mut [f64]| values.copy_from_slice(&scaled[start..start + values.len()]);
        round_conditionally(scaled.len(), 1024, give, bound, rng)
    }

    fn norm(values: &[i32]) -> u128 {
        values.iter().map(|&v| u128::from(square(v))).sum()
    }

    #[test]
    fn rounding_is_unbiased_and_neighbouring() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let scaled: Vec<f64> = (0..4096).map(|i| [0.25, -0.25, 3.5, -7.75][i % 4]).collect();
        let mut sums = [0i64; 4];
        for _ in 0..64 {
            let rounded = round(&scaled, u128::MAX, &mut rng).unwrap();
            for (i, (&r, &v)) in rounded.iter().zip(&scaled).enumerate() {
                assert!(f64::from(r) == v.floor() || f64::from(r) == v.ceil());
                sums[i % 4] += i64::from(r);
            }
        }
        // 65,536 samples of standard deviation at most 1/2: five deviations are 0.0098.
        for (sum, expected) in sums.iter().zip([0.25, -0.25, 3.5, -7.75]) {
            assert!(
                (*sum as f64 / 65536.0 - expected).abs() < 0.0098,
                "{sum} for {expected}"
            );
        }
    }

    #[test]
    fn bound_holds_at_the_edge_for_awkward_vectors() {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        for (grid, len) in [(8u32, 1024usize), (64, 1024), (256, 4096), (1, 1), (3, 16)] {
            let bound = IntegerSensitivity::after_rounding(grid, len as u32).squared_l2;
            // Norm exactly S, spread evenly: the fractional parts do their worst together.
            let flat = vec![f64::from(grid) / (len as f64).sqrt(); len];
            for _ in 0..50 {
                assert!(norm(&round(&flat, bound, &mut rng).unwrap()) <= bound);
            }
        }
    }

    #[test]
    fn hopeless_draws_end_in_truncation() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        // Every rounding up breaks the bound of 0; a draw with no rounding up at all has probability 2^-4096.
        let scaled = vec![0.5; 4096];
        assert_eq!(*round(&scaled, 0, &mut rng).unwrap(), vec![0; 4096]);
        let mixed = [1.9, -1.9, 0.5, -3.0];
        let mut rounded = [0; 4];
        assert_eq!(truncate(&mixed, &mut rounded), 11);
        assert_eq!(rounded, [1, -1, 0, -3]);
    }

    #[test]
    fn an_unbounded_vector_is_refused_rather_than_wrapped() {
        let mut rng = ChaCha20Rng::seed_from_u64(4);
        assert!(round(&[5.0, 0.0], 24, &mut rng).is_none());
        assert!(round(&vec![1e300; 2048], 1 << 60, &mut rng).is_none());
        assert!(round(&[f64::NEG_INFINITY], 1 << 50, &mut rng).is_none());
    }
}
