//! The laws that there are tables for.

use super::{bessel, gaussian, weights};

/// A symmetric law on the integers, by a positive rational.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    /// Of this variance.
    Skellam { numerator: u64, denominator: u64 },
    /// Of this sigma^2; the variance is a little less where sigma is small.
    DiscreteGaussian { numerator: u64, denominator: u64 },
}

impl Law {
    /// Weights of the magnitudes 0, 1, ..., K, summing to 2^127; weight k stands for P(X = k) + P(X = -k). `None` if the law is
    /// too wide for a table.
    pub(super) fn magnitude_weights(self) -> Option<Vec<u128>> {
        let values = match self {
            Self::Skellam {
                numerator,
                denominator,
            } => bessel::probabilities(numerator, denominator),
            Self::DiscreteGaussian {
                numerator,
                denominator,
            } => gaussian::probabilities(numerator, denominator),
        };
        weights::from_values(&values?)
    }
}
