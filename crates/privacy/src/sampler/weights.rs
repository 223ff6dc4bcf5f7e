//! From close multiples of probabilities to integer weights.

use num_bigint::BigUint;
use num_traits::{ToPrimitive, Zero};

/// The weights of a table sum to 2^127.
pub(super) const TOTAL: u128 = 1 << 127;

/// Most magnitudes in a table.
pub(super) const MAX_MAGNITUDES: usize = 1 << 17;

/// Weights of the magnitudes 0, 1, ..., K of a symmetric law, summing to [`TOTAL`], from values proportional to the
/// probabilities of 0, 1, ..., K: weight k stands for P(X = k) + P(X = -k).
///
/// Each weight is rounded down to a multiple of 2^-127 of the whole and magnitude 0 takes the rest: a total variation of at
/// most K 2^-127 <= 2^-110 from the law that the values describe. `None` if they describe none.
pub(super) fn from_values(values: &[BigUint]) -> Option<Vec<u128>> {
    let (zero, others) = values.split_first()?;
    let mut sum = BigUint::zero();
    for value in others {
        sum += value;
    }
    let normaliser = zero + (sum << 1u32);
    if normaliser.is_zero() || values.len() > MAX_MAGNITUDES {
        return None;
    }
    let mut weights = vec![0u128; values.len()];
    let mut rest = TOTAL;
    for (weight, value) in weights.iter_mut().zip(values).skip(1) {
        *weight = ((value << 128u32) / &normaliser).to_u128()?;
        rest = rest.checked_sub(*weight)?;
    }
    *weights.first_mut()? = rest;
    Some(weights)
}
