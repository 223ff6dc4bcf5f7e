//! Discrete Gaussian probabilities as integers, from a fixed-point exponential.
//!
//! The discrete Gaussian of parameter sigma^2 has P(X = k) proportional to g_k = exp(-y k^2), y = 1 / (2 sigma^2), over all
//! integers k (Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy", 2020, definition 1). With
//! t_k = exp(-y (2k + 1)): g_0 = 1, g_{k+1} = g_k t_k, t_{k+1} = t_k exp(-2y); one exponential is computed, everything else
//! is products of numbers in [0, 1] with 256 bits after the point, each rounded down.
//!
//! **Distance from the true law** (total variation, per draw), with K the last magnitude kept and K < 2^17:
//! 1. *Cut-off.* E exp(tX) <= exp(t^2 sigma^2 / 2) (the same paper, lemma 9), so P(|X| >= k) <= 2 exp(-k^2 / (2 sigma^2)). K is
//!    the smallest k for which that is at most 2^-120; cutting and renormalising costs at most that.
//! 2. *Exponential.* exp(-y / 2^j) with y / 2^j <= 1/2 is summed from its series: fewer than 64 terms, each off by less than 2 units of
//!    2^-256, the rest of the series below 1: less than 2^8 units. Squaring j <= 16 times (sigma^2 >= 2^-16) at most doubles an
//!    error and adds a unit: less than 2^25 units.
//! 3. *Products.* Of numbers up to 1 the errors add, and rounding adds a unit: t_k is off by less than (k + 1) 2^27 units, g_k by
//!    less than K^2 2^27 <= 2^61, all g_k of both signs by less than 2^79 units = 2^-177. Their sum is at least g_0 = 1, so
//!    that is at most 2^-176 of the law.
//! 4. *Weights* (`weights`): at most 2^-110.
//!
//! Together below 2^-109.

use num_bigint::BigUint;
use num_traits::Zero;

/// Bits after the point.
const PRECISION: u32 = 256;
/// -log2 of what lies beyond the last magnitude.
const CUT_OFF_BITS: u128 = 120;

/// Values proportional to P(X = k), k = 0, 1, ..., K, for sigma^2 = `numerator` / `denominator`, at least 2^-16. `None` if the law is too
/// wide for a table, or narrower than that.
pub(super) fn probabilities(numerator: u64, denominator: u64) -> Option<Vec<BigUint>> {
    let last = last_magnitude(numerator, denominator)?;
    if u128::from(numerator) << 16 < u128::from(denominator) {
        return None;
    }
    let one = BigUint::from(1u32) << PRECISION;
    // y = denominator / (2 numerator).
    let mut factor = exp_minus(u128::from(denominator), 2 * u128::from(numerator));
    let step = product(&factor, &factor);
    let mut values = Vec::with_capacity(last + 1);
    let mut value = one;
    for _ in 0..last {
        let next = product(&value, &factor);
        values.push(value);
        value = next;
        factor = product(&factor, &step);
    }
    values.push(value);
    Some(values)
}

/// The smallest k with k^2 / (2 sigma^2) >= (120 + 1) ln 2, where ln 2 < 0.6931472.
fn last_magnitude(numerator: u64, denominator: u64) -> Option<usize> {
    let demand = 2 * 6_931_472 * (CUT_OFF_BITS + 1) * u128::from(numerator);
    let scale = 10_000_000 * u128::from(denominator);
    if demand == 0 || scale == 0 {
        return None;
    }
    // k^2 >= demand / scale, and k^2 is whole.
    let square = demand.div_ceil(scale);
    let root = square.isqrt();
    let last = root + u128::from(root * root < square);
    usize::try_from(last)
        .ok()
        .filter(|&last| last < super::weights::MAX_MAGNITUDES)
}

fn product(a: &BigUint, b: &BigUint) -> BigUint {
    (a * b) >> PRECISION
}

/// exp(-`numerator` / `denominator`) as a multiple of 2^-256.
fn exp_minus(numerator: u128, denominator: u128) -> BigUint {
    let numerator = BigUint::from(numerator);
    let mut denominator = BigUint::from(denominator);
    let mut halvings = 0;
    while &numerator << 1u32 > denominator {
        denominator <<= 1u32;
        halvings += 1;
    }
    let mut term = BigUint::from(1u32) << PRECISION;
    let (mut plus, mut minus) = (BigUint::zero(), BigUint::zero());
    let mut index = 0u32;
    while !term.is_zero() {
        if index.is_multiple_of(2) {
            plus += &term;
        } else {
            minus += &term;
        }
        index += 1;
        term = term * &numerator / (&denominator * index);
    }
    // The terms fall, so the sum is positive.
    let mut result = plus - minus;
    for _ in 0..halvings {
        result = product(&result, &result);
    }
    result
}
