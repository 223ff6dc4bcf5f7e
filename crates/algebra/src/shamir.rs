//! Shamir secret sharing over the scalar field, with small abscissae.
//!
//! Shamir, How to share a secret, CACM 1979: a polynomial of degree t - 1 whose constant term is the secret, every
//! other coefficient uniform; holder j gets its value at the abscissa x_j. Any t values determine it, fewer say nothing
//! at all about the secret.
//!
//! Abscissae are small public integers (a roster or arc position plus one), which makes evaluation cheap: see the
//! accumulator in `wide.rs`.

use curve25519_dalek::Scalar;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::AlgebraError;
use crate::scalar::SecretScalar;
use crate::wide::{Limbs, Wide, limbs};

/// Splits `secret` so that any `threshold` of the returned values determine it; value i belongs to `abscissae[i]`.
///
/// The coefficients of the polynomial are drawn from `rng`, 64 bytes each, highest degree first, and wiped before
/// return. The work depends on `threshold` and `abscissae` alone.
///
/// # Errors
/// [`AlgebraError::ZeroAbscissa`], [`AlgebraError::DuplicateAbscissa`], or [`AlgebraError::Threshold`] unless
/// 2 <= `threshold` <= number of abscissae.
pub fn split(
    secret: &SecretScalar,
    threshold: usize,
    abscissae: &[u16],
    rng: &mut impl CryptoRng,
) -> Result<Vec<SecretScalar>, AlgebraError> {
    check(abscissae)?;
    let holders = abscissae.len();
    if threshold < 2 || threshold > holders {
        return Err(AlgebraError::Threshold { threshold, holders });
    }
    // Highest degree first, as Horner's rule wants it. Allocated once: a growing vector would leave copies behind.
    let mut coefficients: Zeroizing<Vec<Limbs>> = Zeroizing::new(Vec::with_capacity(threshold));
    for _ in 1..threshold {
        coefficients.push(limbs(SecretScalar::random(rng).as_bytes()));
    }
    coefficients.push(limbs(secret.as_bytes()));
    Ok(abscissae
        .iter()
        .map(|&x| SecretScalar::new(evaluate(&coefficients, x)))
        .collect())
}

fn evaluate(coefficients: &[Limbs], x: u16) -> Scalar {
    let mut value = Wide::zero();
    value.horner(x, coefficients);
    value.to_scalar()
}

/// Lagrange interpolation at zero for one set of abscissae.
///
/// Made once for a set of holders and used for every secret they share: the costly part, one inversion and a square
/// number of small products, depends on the abscissae alone.
pub struct Interpolator {
    weights: Vec<Limbs>,
}

impl Interpolator {
    /// Prepares interpolation from values at exactly these abscissae: lambda_i = prod over j != i of
    /// x_j / (x_j - x_i).
    ///
    /// # Errors
    /// [`AlgebraError::NoAbscissae`], [`AlgebraError::ZeroAbscissa`] or [`AlgebraError::DuplicateAbscissa`].
    pub fn new(abscissae: &[u16]) -> Result<Self, AlgebraError> {
        check(abscissae)?;
        if abscissae.is_empty() {
            return Err(AlgebraError::NoAbscissae);
        }
        // lambda_i = (prod over all x_j) / (x_i * prod over j != i of (x_j - x_i)): one numerator for all.
        let numerator = product(abscissae.iter().copied());
        let mut denominators: Vec<Scalar> = abscissae
            .iter()
            .map(|&own| {
                let others = abscissae.iter().copied().filter(|&other| other != own);
                let size = product(others.clone().map(|other| other.abs_diff(own)).chain([own]));
                if others.filter(|&other| other < own).count() % 2 == 0 {
                    size
                } else {
                    -size
                }
            })
            .collect();
        // No factor is zero and each is below l, a prime: every denominator has an inverse.
        Scalar::invert_batch_alloc(&mut denominators);
        let weights = denominators
            .iter()
            .map(|inverse| limbs((numerator * inverse).as_bytes()))
            .collect();
        Ok(Self { weights })
    }

    /// The secret behind one value per abscissa, in the order of the abscissae.
    ///
    /// Fewer than the threshold of the sharing, or a wrong value among them, gives an unrelated scalar: the caller
    /// compares with what the dealer committed to.
    ///
    /// # Errors
    /// [`AlgebraError::ShareCount`] unless there is exactly one value for each abscissa.
    pub fn reconstruct(&self, values: &[&SecretScalar]) -> Result<SecretScalar, AlgebraError> {
        if values.len() != self.weights.len() {
            return Err(AlgebraError::ShareCount {
                needed: self.weights.len(),
                given: values.len(),
            });
        }
        let pairs = self
            .weights
            .iter()
            .zip(values.iter().map(|value| limbs(value.as_bytes())));
        Ok(SecretScalar::new(Wide::inner_product(pairs)))
    }
}

/// The product of small non-zero factors, four of them to a word.
fn product(factors: impl Iterator<Item = u16>) -> Scalar {
    let mut product = Wide::one();
    let (mut word, mut taken) = (1u64, 0);
    for factor in factors {
        word *= u64::from(factor);
        taken += 1;
        if taken == 4 {
            product.mul(word, u64::BITS);
            (word, taken) = (1, 0);
        }
    }
    product.mul(word, u64::BITS);
    product.to_scalar()
}

fn check(abscissae: &[u16]) -> Result<(), AlgebraError> {
    let mut sorted = abscissae.to_vec();
    sorted.sort_unstable();
    if sorted.first() == Some(&0) {
        return Err(AlgebraError::ZeroAbscissa);
    }
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(AlgebraError::DuplicateAbscissa(pair[0])),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "shamir_tests.rs"]
mod tests;
