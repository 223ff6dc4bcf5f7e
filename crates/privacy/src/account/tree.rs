//! Tree aggregation with one participation: noise on the nodes of a binary tree over the rounds, every prefix sum released.

use super::domain::{OutsideProof, check_noise};
use super::gaussian::GaussianPrivacy;

/// A client that takes part once is one leaf, and touches the nodes on its way to the root: ceil(log2(steps + 1)) of them.
///
/// # Errors
/// [`OutsideProof::NoRounds`].
pub fn height(steps: u64) -> Result<u32, OutsideProof> {
    match steps {
        0 => Err(OutsideProof::NoRounds),
        // ceil(log2(s + 1)) is the number of binary digits of s.
        steps => Ok(u64::BITS - steps.leading_zeros()),
    }
}

/// What `steps` rounds of tree aggregation cost a client that takes part in at most one of them, each node having Gaussian noise
/// of `noise_multiplier` times the L2 sensitivity of one round: [`height`] Gaussian releases. For zero-out adjacency.
///
/// Source: Kairouz, McMahan, Song, Thakkar, Thakurta, Xu, "Practical and Private (Deep) Learning without Sampling or Shuffling" (2021),
/// Theorem 4.1.
///
/// # Errors
/// [`OutsideProof::NoRounds`], [`OutsideProof::Noise`].
pub fn single_participation(noise_multiplier: f64, steps: u64) -> Result<GaussianPrivacy, OutsideProof> {
    GaussianPrivacy::of_rounds(&[(check_noise(noise_multiplier)?, u64::from(height(steps)?))])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: a full tree is taken for a lower one, which undercounts a release.
    #[test]
    fn heights_at_the_edges() {
        let heights = [1, 2, 3, 4, 7, 8, 15, 16, 2047, 2048].map(|steps| height(steps).unwrap());
        assert_eq!(heights, [1, 2, 2, 3, 3, 4, 4, 5, 11, 12]);
        assert_eq!(height(0), Err(OutsideProof::NoRounds));
        assert_eq!(single_participation(2.0, 15).unwrap().mu(), 1.0);
    }
}
