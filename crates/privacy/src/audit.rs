//! What an attack that happened says about epsilon: one-run lower bounds, and the one-shot canary estimate.

use crate::account::domain::{OutsideProof, check_delta};
use crate::account::gaussian::bisect;
use crate::account::{ln_binomial, normal_tail};

/// One run with m canaries, each put in by its own fair coin; an auditor who does not know the coins guesses some of them
/// and abstains on the others.
///
/// How many guesses are made must not depend on which of them will be right, and the coins stay secret until the guesses are
/// made. Source: Steinke, Nasr, Jagielski, "Privacy Auditing with One (1) Training Run" (2023), Theorem 5.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneRun {
    canaries: u32,
    guesses: u32,
    correct: u32,
    delta: f64,
}

impl OneRun {
    /// `correct` <= `guesses` <= `canaries`, and 0 <= `delta` < 1.
    ///
    /// # Errors
    /// [`OutsideProof::Guesses`], [`OutsideProof::Delta`].
    pub fn new(canaries: u32, guesses: u32, correct: u32, delta: f64) -> Result<Self, OutsideProof> {
        if correct > guesses || guesses > canaries {
            return Err(OutsideProof::Guesses {
                canaries: canaries.into(),
                guesses: guesses.into(),
                correct: correct.into(),
            });
        }
        if !(0.0..1.0).contains(&delta) {
            return Err(OutsideProof::Delta(delta));
        }
        Ok(Self {
            canaries,
            guesses,
            correct,
            delta,
        })
    }

    /// The most probable it can be, at most 1, that so many guesses or more are right if the mechanism is (`epsilon`, delta):
    /// with W ~ Bin(r, e^epsilon / (1 + e^epsilon)) and f(i) = P(v - i <= W < v),
    ///
    /// P(W >= v) + 2 m delta max over 1 <= i <= v of f(i) / i.
    pub fn p_value(&self, epsilon: f64) -> f64 {
        let (right, wrong) = (-(-epsilon).exp().ln_1p(), -epsilon.exp().ln_1p());
        let probability = |k: u32| {
            let (w, rest) = (f64::from(k), f64::from(self.guesses - k));
            // 0 x infinity, where an epsilon leaves no chance of a wrong guess.
            let rest = if rest == 0.0 { 0.0 } else { rest * wrong };
            (ln_binomial(self.guesses, k) + w * right + rest).exp()
        };
        let tail: f64 = (self.correct..=self.guesses).rev().map(probability).sum();
        let (mut within, mut worst) = (0.0, 0.0f64);
        for i in 1..=self.correct {
            within += probability(self.correct - i);
            worst = worst.max(within / f64::from(i));
        }
        (tail + 2.0 * f64::from(self.canaries) * self.delta * worst).min(1.0)
    }

    /// The largest epsilon that the outcome refutes: with confidence 1 - `significance` the mechanism is not (epsilon, delta) for
    /// any smaller epsilon. Rounded down; 0 if nothing is refuted.
    ///
    /// # Errors
    /// [`OutsideProof::Significance`].
    pub fn lower_bound(&self, significance: f64) -> Result<f64, OutsideProof> {
        if !(significance > 0.0 && significance < 1.0) {
            return Err(OutsideProof::Significance(significance));
        }
        // The p-value rises with epsilon; its rounding error, at most 10^-9 of it, is counted against the auditor.
        let refuted = |epsilon: f64| self.p_value(epsilon) * (1.0 + 1e-9) < significance;
        if !refuted(0.0) {
            return Ok(0.0);
        }
        let first_open = bisect(0.0, 700.0, |epsilon| !refuted(epsilon));
        Ok((first_open * (1.0 - 1e-12)).next_down())
    }
}

/// A normal law.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Normal {
    mean: f64,
    std: f64,
}

impl Normal {
    /// P(low < X < high).
    fn between(&self, low: f64, high: f64) -> f64 {
        let (a, b) = ((low - self.mean) / self.std, (high - self.mean) / self.std);
        if a > 0.0 {
            normal_tail(a) - normal_tail(b)
        } else {
            normal_tail(-b) - normal_tail(-a)
        }
        .max(0.0)
    }

    fn outside(&self, low: f64, high: f64) -> f64 {
        normal_tail((self.mean - low) / self.std) + normal_tail((high - self.mean) / self.std)
    }

    /// sup over sets of P(set) - e^epsilon Q(set), P this law and Q `other`: the set where ln(p/q) > epsilon, inside or outside two roots
    /// of a quadratic.
    fn hockey_stick(&self, other: &Self, epsilon: f64) -> f64 {
        let precision = |law: &Self| 1.0 / (law.std * law.std);
        let square = 0.5 * (precision(other) - precision(self));
        let linear = self.mean * precision(self) - other.mean * precision(other);
        let constant = (other.std / self.std).ln()
            + 0.5 * (other.mean.powi(2) * precision(other) - self.mean.powi(2) * precision(self))
            - epsilon;
        let set = |law: &Self| -> f64 {
            if square == 0.0 {
                let edge = -constant / linear;
                return match linear {
                    0.0 => f64::from(u8::from(constant > 0.0)),
                    l if l > 0.0 => law.between(edge, f64::INFINITY),
                    _ => law.between(f64::NEG_INFINITY, edge),
                };
            }
            let discriminant = linear * linear - 4.0 * square * constant;
            if discriminant <= 0.0 {
                return f64::from(u8::from(square > 0.0));
            }
            // The stable pair of roots.
            let half = -0.5 * (linear + discriminant.sqrt().copysign(linear));
            let (x, y) = (half / square, constant / half);
            let (low, high) = (x.min(y), x.max(y));
            if square > 0.0 {
                law.outside(low, high)
            } else {
                law.between(low, high)
            }
        };
        let reference = set(other);
        let scaled = if reference > 0.0 {
            (epsilon + reference.ln()).exp()
        } else {
            0.0
        };
        (set(self) - scaled).max(0.0)
    }
}

/// Epsilon of the one-shot canary audit: cosines of canaries that took part, as a normal law, against those of canaries that
/// did not. **An estimate, without a confidence level.**
///
/// It is the epsilon at which the hockey-stick divergence between N(`mean`, `std`^2) and N(0, `null_std`^2), the larger of both
/// directions, equals `delta`; absent canaries in d dimensions have `null_std` = 1 / sqrt(d).
/// Source: Andrew, Kairouz, Oh, Oprea, McMahan, Suriyakumar, "One-shot Empirical Privacy Estimation for Federated Learning" (2023), Algorithm 2.
///
/// # Errors
/// [`OutsideProof::Delta`], [`OutsideProof::Spread`], [`OutsideProof::Unreachable`] for means that are not numbers, or an epsilon above 10,000.
pub fn one_shot_estimate(mean: f64, std: f64, null_std: f64, delta: f64) -> Result<f64, OutsideProof> {
    check_delta(delta)?;
    for spread in [std, null_std] {
        if !(spread > 0.0 && spread.is_finite()) {
            return Err(OutsideProof::Spread(spread));
        }
    }
    let (present, absent) = (
        Normal { mean, std },
        Normal {
            mean: 0.0,
            std: null_std,
        },
    );
    let within = |epsilon: f64| {
        let there = present.hockey_stick(&absent, epsilon);
        there.max(absent.hockey_stick(&present, epsilon)) <= delta
    };
    const LARGEST: f64 = 1e4;
    if !mean.is_finite() || !within(LARGEST) {
        return Err(OutsideProof::Unreachable);
    }
    if within(0.0) {
        return Ok(0.0);
    }
    Ok(bisect(0.0, LARGEST, within))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: the term of delta is left out, as public copies of the method do, so that an audit claims too much.
    #[test]
    fn delta_weakens_what_an_audit_shows() {
        let bound = |delta| {
            OneRun::new(1000, 100, 95, delta)
                .unwrap()
                .lower_bound(0.05)
                .unwrap()
        };
        assert!((bound(0.0) - 2.1724).abs() < 1e-3);
        assert!(bound(1e-5) < bound(0.0) - 1e-3 && bound(1e-3) < bound(1e-5));
        let run = OneRun::new(1000, 100, 95, 1e-5).unwrap();
        assert!(run.p_value(3.0) > run.p_value(2.0) && run.p_value(700.0) == 1.0);
        // Chance: half of the guesses are right.
        assert_eq!(OneRun::new(100, 100, 50, 0.0).unwrap().lower_bound(0.05), Ok(0.0));
    }

    /// Failure: numbers that no audit can give are computed with.
    #[test]
    fn impossible_audits_are_refused() {
        assert!(matches!(
            OneRun::new(10, 11, 5, 0.0),
            Err(OutsideProof::Guesses { .. })
        ));
        assert!(matches!(
            OneRun::new(10, 5, 6, 0.0),
            Err(OutsideProof::Guesses { .. })
        ));
        assert_eq!(OneRun::new(10, 5, 5, 1.0), Err(OutsideProof::Delta(1.0)));
        let run = OneRun::new(10, 5, 5, 0.0).unwrap();
        assert_eq!(run.lower_bound(0.0), Err(OutsideProof::Significance(0.0)));
        assert_eq!(
            one_shot_estimate(0.1, 0.0, 0.1, 1e-5),
            Err(OutsideProof::Spread(0.0))
        );
        assert_eq!(
            one_shot_estimate(0.1, 0.1, 0.1, 0.0),
            Err(OutsideProof::Delta(0.0))
        );
        assert_eq!(
            one_shot_estimate(f64::NAN, 0.1, 0.1, 0.1),
            Err(OutsideProof::Unreachable)
        );
    }

    /// Failure: the wrong root, or one direction only, of the divergence of two normal laws.
    #[test]
    fn equal_spreads_give_the_gaussian_mechanism() {
        let exact = crate::account::gaussian::GaussianPrivacy::new(2.0)
            .unwrap()
            .epsilon(1e-5)
            .unwrap();
        for mean in [0.2, -0.2] {
            let estimate = one_shot_estimate(mean, 0.1, 0.1, 1e-5).unwrap();
            assert!((estimate / exact - 1.0).abs() < 1e-9, "{estimate} {exact}");
        }
        // A wider law is told from a narrower one even at the same mean, in either direction.
        let wide = one_shot_estimate(0.0, 0.2, 0.1, 1e-5).unwrap();
        assert!((one_shot_estimate(0.0, 0.1, 0.2, 1e-5).unwrap() / wide - 1.0).abs() < 1e-9);
        assert_eq!(one_shot_estimate(0.0, 0.1, 0.1, 1e-5), Ok(0.0));
    }
}
