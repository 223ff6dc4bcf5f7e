//! Skellam probabilities as integers, from the recurrence of the modified Bessel functions.
//!
//! A Skellam variable of variance mu has P(X = k) = exp(-mu) I_|k|(mu), and exp(mu) = I_0 + 2 (I_1 + I_2 + ...): ratios of
//! Bessel values are enough, no exponential is computed. The recurrence I_{k-1} = I_{k+1} + (2k/mu) I_k, run downwards from
//! f_{N+1} = 0, f_N = 2^192 (Miller's algorithm: Olver, NIST DLMF 3.6), gives f_k close to a multiple of I_k.
//!
//! **Distance from the true law** (total variation, per draw), with K the last magnitude kept and K < 2^17:
//! 1. *Cut-off.* K is chosen so that P(|X| > K) <= 2^-120 (`tail`); cutting and renormalising costs at most that.
//! 2. *Start.* For exact f the cross product I_k f_{k-1} - I_{k-1} f_k only changes sign from k to k-1, so its size is
//!    I_{N+1} f_N throughout. Dividing by f_k f_{k-1} and summing over 1..=k: |I_k - (I_0/f_0) f_k| <= I_{N+1} f_k
//!    sum_j f_N / (f_j f_{j-1}) <= K I_{N+1} as f falls from 0 to K and f_N <= f_K (both checked below). N is chosen so
//!    that P(|X| > N) <= 2^-180, which bounds exp(-mu) I_{N+1}: less than 2 K^2 2^-180 <= 2^-145 over all k.
//! 3. *Integers.* Every step rounds down, by less than 1 in values that are checked to stay above 2^160; all terms are
//!    positive, so relative errors only add: at most N 2^-160 < 2^-140.
//! 4. *Weights* (`weights`): at most K 2^-127 <= 2^-110.
//!
//! Together below 2^-109, and below 2^-100 for a sum of 2^9 draws.

use num_bigint::BigUint;
use num_traits::Zero;

use super::weights::MAX_MAGNITUDES;
use crate::tail::bernstein_radius;

const CUT_OFF_BITS: u32 = 120;
const START_BITS: u32 = 180;
const START_VALUE_BITS: u32 = 192;
const SMALLEST_VALUE_BITS: u64 = 161;

/// Values proportional to P(X = k), k = 0, 1, ..., K, for variance `numerator` / `denominator`. `None` if the law is too wide for
/// a table.
pub(super) fn probabilities(numerator: u64, denominator: u64) -> Option<Vec<BigUint>> {
    let radius = |bits| bernstein_radius(u128::from(numerator), u128::from(denominator), bits);
    let last = usize::try_from(radius(CUT_OFF_BITS)?).ok()?;
    let start = usize::try_from(radius(START_BITS)?).ok()?;
    if last == 0 || last >= MAX_MAGNITUDES || start <= last {
        return None;
    }
    bessel_values(numerator, denominator, last, start)
}

/// f_0, ..., f_last from the downward recurrence started at `start`. `None` if a check that the error bound relies on
/// fails, which no admitted variance does.
fn bessel_values(numerator: u64, denominator: u64, last: usize, start: usize) -> Option<Vec<BigUint>> {
    let mut kept = Vec::with_capacity(last + 1);
    let first = BigUint::from(1u32) << START_VALUE_BITS;
    let (mut above, mut current) = (BigUint::zero(), first.clone());
    for k in (1..=start).rev() {
        if k <= last {
            kept.push(current.clone());
        }
        // f_{k-1} = f_{k+1} + (2 k / mu) f_k.
        let factor = (k as u64).checked_mul(2)?.checked_mul(denominator)?;
        let below = above + &current * factor / numerator;
        above = current;
        current = below;
        if current.bits() < SMALLEST_VALUE_BITS {
            return None;
        }
    }
    kept.push(current);
    kept.reverse();
    let falling = kept.windows(2).all(|pair| pair[0] >= pair[1]);
    let past_the_start = kept.last().is_some_and(|value| *value >= first);
    (falling && past_the_start).then_some(kept)
}
