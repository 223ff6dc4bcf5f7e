//! The standard normal law with small relative errors in the tails, and sums kept as logarithms.

use core::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// Bound on the relative error of [`upper_tail`], [`density`] and [`mills`] for arguments of magnitude below 40: erfc and exp
/// are good to two units in the last place, and an exponent x^2/2 <= 800 is off by at most as many units.
pub(crate) const RELATIVE_ERROR: f64 = 1e-12;

/// P(N > x).
pub(crate) fn upper_tail(x: f64) -> f64 {
    0.5 * libm::erfc(x * FRAC_1_SQRT_2)
}

/// exp(-x^2 / 2) / sqrt(2 pi).
pub(crate) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// P(N > x) / density(x) for x >= 0, which neither under- nor overflows.
pub(crate) fn mills(x: f64) -> f64 {
    if x < 6.0 {
        return upper_tail(x) / density(x);
    }
    // Laplace's continued fraction 1/(x + 1/(x + 2/(x + ...))), from its tail; 80 terms give full precision from 6 on.
    let mut rest = x;
    for k in (1..=80).rev() {
        rest = x + f64::from(k) / rest;
    }
    1.0 / rest
}

/// The x >= 0 with P(N > x) <= `tail`, to within 10^-3 above the smallest.
pub(crate) fn tail_quantile(tail: f64) -> f64 {
    let (mut low, mut high) = (0.0, 38.0 * SQRT_2);
    while high - low > 1e-3 {
        let middle = 0.5 * (low + high);
        if upper_tail(middle) > tail {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

/// A sum of positive terms given by their logarithms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSum {
    largest: f64,
    scaled: f64,
}

impl LogSum {
    pub(crate) fn new() -> Self {
        Self {
            largest: f64::NEG_INFINITY,
            scaled: 0.0,
        }
    }

    pub(crate) fn add(&mut self, log: f64) {
        if log == f64::NEG_INFINITY {
            return;
        }
        if log <= self.largest {
            self.scaled += (log - self.largest).exp();
        } else {
            self.scaled = self.scaled * (self.largest - log).exp() + 1.0;
            self.largest = log;
        }
    }

    /// The logarithm of the sum; negative infinity for no terms.
    pub(crate) fn ln(&self) -> f64 {
        self.largest + self.scaled.ln()
    }
}

/// ln(e^x - 1) for x > 0.
pub(crate) fn ln_expm1(x: f64) -> f64 {
    if x > 30.0 {
        x + (-(-x).exp()).ln_1p()
    } else {
        x.exp_m1().ln()
    }
}

/// ln of the binomial coefficient.
pub(crate) fn ln_binomial(n: u32, k: u32) -> f64 {
    let ln_factorial = |m: u32| libm::lgamma(f64::from(m) + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// The smallest point of a function that falls and then rises, by golden sections of `low`..`high`, with its value.
pub(crate) fn minimise(low: f64, high: f64, steps: u32, mut f: impl FnMut(f64) -> f64) -> (f64, f64) {
    const RATIO: f64 = 0.618_033_988_749_894_8;
    let (mut a, mut b) = (low, high);
    let (mut left, mut right) = (b - RATIO * (b - a), a + RATIO * (b - a));
    let (mut at_left, mut at_right) = (f(left), f(right));
    for _ in 0..steps {
        // Infinities lie on the right: a value that overflowed is larger than any other.
        if at_left <= at_right {
            b = right;
            (right, at_right) = (left, at_left);
            left = b - RATIO * (b - a);
            at_left = f(left);
        } else {
            a = left;
            (left, at_left) = (right, at_right);
            right = a + RATIO * (b - a);
            at_right = f(right);
        }
    }
    if at_left <= at_right {
        (left, at_left)
    } else {
        (right, at_right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: tails lose precision, which the slack of every bound that uses them would not cover.
    #[test]
    fn tails_match_values_of_fifty_digits() {
        for (x, expected) in [
            (0.5, 0.308_537_538_725_986_9),
            (3.0, 1.349_898_031_630_094_6e-3),
            (10.0, 7.619_853_024_160_527e-24),
            (30.0, 4.906_713_927_148_187e-198),
        ] {
            assert!((upper_tail(x) / expected - 1.0).abs() < RELATIVE_ERROR, "{x}");
            assert!(
                (mills(x) * density(x) / expected - 1.0).abs() < RELATIVE_ERROR,
                "{x}"
            );
        }
        // Both ways of computing the ratio agree where they meet.
        let direct = upper_tail(6.5) / density(6.5);
        assert!((mills(6.5) / direct - 1.0).abs() < 1e-14);
        assert!(upper_tail(tail_quantile(1e-20)) <= 1e-20 && upper_tail(tail_quantile(1e-20) - 0.01) > 1e-20);
    }

    /// Failure: sums in the log domain drop a term or add it at another scale.
    #[test]
    fn log_sums_are_sums() {
        let mut sum = LogSum::new();
        assert_eq!(sum.ln(), f64::NEG_INFINITY);
        for term in [1e-30f64, 3.0, 0.5, 200.0] {
            sum.add(term.ln());
        }
        assert!((sum.ln() - 203.5f64.ln()).abs() < 1e-14);
        assert!((ln_binomial(10, 3) - 120f64.ln()).abs() < 1e-13);
        assert!((ln_expm1(1e-9).exp() - 1e-9).abs() < 1e-17 && ln_expm1(800.0) == 800.0);
        assert!((minimise(0.0, 10.0, 60, |x| (x - 3.0).powi(2)).0 - 3.0).abs() < 1e-6);
    }
}
