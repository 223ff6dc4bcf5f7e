//! Seeded generators and permutations whose results stay the same across versions of this crate.
//!
//! Written out here, on ChaCha8 and rejection sampling, because the shuffles of `rand` may change between releases and two
//! machines must agree on a split.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A generator for one purpose: different labels give independent streams for the same seed.
pub(crate) fn generator(label: &'static str, seed: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(label.as_bytes());
    hash.update([0]);
    hash.update(seed.to_le_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

/// A uniform integer in `0..bound`; `bound` must not be zero.
pub(crate) fn below(rng: &mut impl Rng, bound: usize) -> usize {
    debug_assert!(bound > 0);
    let bound = bound as u64;
    // The largest multiple of `bound` that fits, so that the remainder is unbiased.
    let limit = u64::MAX - (u64::MAX % bound);
    loop {
        let draw = rng.next_u64();
        if draw < limit {
            // Below `bound`, which came from a usize.
            return (draw % bound) as usize;
        }
    }
}

/// A uniform float in [0, 1) with 24 random bits.
pub(crate) fn unit(rng: &mut impl Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Fisher-Yates.
pub(crate) fn shuffle<T>(values: &mut [T], rng: &mut impl Rng) {
    for last in (1..values.len()).rev() {
        values.swap(last, below(rng, last + 1));
    }
}

/// A uniform permutation of `0..len`.
pub(crate) fn permutation(len: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, rng);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutation_is_complete_and_pinned() {
        let order = permutation(10, &mut generator("tacita/test", 7));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        // Pinned: a change would silently move every held-out set.
        assert_eq!(order, PINNED);
        assert_ne!(order, permutation(10, &mut generator("tacita/test", 8)));
        assert_ne!(order, permutation(10, &mut generator("tacita/other", 7)));
    }

    const PINNED: [usize; 10] = [2, 3, 4, 1, 7, 9, 5, 8, 6, 0];

    #[test]
    fn below_is_uniform() {
        let mut rng = generator("tacita/test", 1);
        let mut counts = [0u32; 5];
        for _ in 0..50_000 {
            counts[below(&mut rng, 5)] += 1;
        }
        // Standard deviation 89; five of them.
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 450), "{counts:?}");
    }
}
