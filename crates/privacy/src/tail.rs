//! A certified tail bound for Skellam noise, decided in integers.

/// The smallest radius k with P(|X| >= k) <= 2^-`log2_inverse` by Bernstein's inequality, for X Skellam of variance
/// mu = `numerator` / `denominator`. `None` if k would pass 2^40 or the arithmetic 128 bits.
///
/// E exp(t X) = exp(mu (cosh t - 1)) and cosh t - 1 <= (t^2 / 2) / (1 - t / 3) for 0 <= t < 3 (compare the series term by
/// term), so P(|X| >= k) <= 2 exp(-k^2 / (2 (mu + k/3))): Boucheron, Lugosi, Massart, "Concentration Inequalities" (2013),
/// section 2.8. The Gaussian tail alone would be too short, a Skellam law is only sub-exponential.
pub(crate) fn bernstein_radius(numerator: u128, denominator: u128, log2_inverse: u32) -> Option<u64> {
    if numerator == 0 {
        return Some(0);
    }
    // k^2 / (2 (mu + k/3)) >= (L + 1) ln 2, with ln 2 < 0.6931472, all over a common denominator.
    let demand = 2 * 6_931_472 * (u128::from(log2_inverse) + 1);
    let holds = |k: u64| -> Option<bool> {
        let k = u128::from(k);
        let left = (k * k).checked_mul(denominator)?.checked_mul(30_000_000)?;
        let right = numerator
            .checked_mul(3)?
            .checked_add(k.checked_mul(denominator)?)?
            .checked_mul(demand)?;
        Some(left >= right)
    };
    let mut high = 1u64;
    while !holds(high)? {
        high *= 2;
        if high > 1 << 40 {
            return None;
        }
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if holds(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::bernstein_radius;

    #[test]
    fn solves_the_inequality_tightly() {
        for (mu, bits) in [
            (0.001, 40u32),
            (0.5, 60),
            (8.0, 112),
            (1e4, 64),
            (1e8, 180),
            (1e12, 70),
        ] {
            let k = bernstein_radius((mu * 65536.0) as u128, 65536, bits).unwrap() as f64;
            let exponent = |k: f64| k * k / (2.0 * (mu + k / 3.0)) / core::f64::consts::LN_2 - 1.0;
            assert!(
                exponent(k) >= f64::from(bits) - 1e-4 && exponent(k - 1.0) < f64::from(bits),
                "mu = {mu}"
            );
        }
    }

    #[test]
    fn covers_the_exact_tail() {
        // P(|X| >= 24) = 2^-40.4 and P(|X| >= 25) = 2^-43.1 for mu = 8, summed exactly: no valid radius for 2^-42 is below 25.
        assert!(bernstein_radius(8, 1, 42).unwrap() >= 25);
        assert_eq!(bernstein_radius(0, 1, 100), Some(0));
        assert_eq!(bernstein_radius(u128::MAX / 2, 1, 100), None);
    }
}
