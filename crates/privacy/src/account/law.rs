//! Discrete noise on one coordinate: probabilities, moments, and exact divergences between a law and its shift.
//!
//! Both laws are symmetric and log-concave on the integers, so the ratio P(x - s) / P(x) grows with x: the worst set of
//! outcomes is a half line, and the largest admitted shift is the worst (compare P(X + s >= t) for two shifts s).
//!
//! Values are `f64`: logarithms of probabilities are off by at most 10^-12 for magnitudes up to 10^5, see each law.

use super::domain::OutsideProof;
use super::gaussian::bisect;
use super::normal::LogSum;

/// Most magnitudes of a tabulated law.
const MAX_MAGNITUDES: f64 = (1 << 22) as f64;

/// How far logarithms reach: probabilities below e^-700 of the largest are left out, unless a longer reach is asked for.
const DEPTH: f64 = 700.0;

/// A symmetric law on the integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiscreteLaw {
    /// P(x) proportional to exp(-x^2 / (2 sigma^2)). Its variance is below sigma^2.
    DiscreteGaussian {
        /// The parameter sigma, in integer steps; not the standard deviation.
        sigma: f64,
    },
    /// The difference of two Poisson variables of mean mu/2 each: P(x) = exp(-mu) I_|x|(mu).
    Skellam {
        /// mu, the variance.
        variance: f64,
    },
}

/// The probabilities of a [`DiscreteLaw`], or of a sum of independent ones.
#[derive(Clone, Debug)]
pub struct LawTable {
    /// ln P(0), ln P(1), ...
    logs: Vec<f64>,
}

impl DiscreteLaw {
    /// Tabulates magnitudes until probabilities fall below e^-700 of the largest, and at least up to `reach`.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`] unless the parameter is positive and finite, [`OutsideProof::TooWide`].
    pub fn table(&self, reach: u64) -> Result<LawTable, OutsideProof> {
        let (parameter, deepest) = match *self {
            Self::DiscreteGaussian { sigma } => (sigma, sigma * (2.0 * DEPTH).sqrt()),
            // Bernstein: k^2 / (2 (mu + k/3)) = depth.
            Self::Skellam { variance } => {
                let third = DEPTH / 3.0;
                (variance, third + (third * third + 2.0 * variance * DEPTH).sqrt())
            }
        };
        super::domain::check_noise(parameter)?;
        let last = deepest.max(reach as f64).ceil() + 1.0;
        if last > MAX_MAGNITUDES {
            return Err(OutsideProof::TooWide);
        }
        let last = last as usize;
        let relative: Vec<f64> = match *self {
            // One square and one quotient: relative error of the exponent 2 x 2^-53.
            Self::DiscreteGaussian { sigma } => (0..=last)
                .map(|x| -(x as f64) * (x as f64) / (2.0 * sigma * sigma))
                .collect(),
            Self::Skellam { variance } => bessel_logs(variance, last),
        };
        // The smallest first, so that the sum is good to a few units in the last place.
        let tail: f64 = compensated(relative[1..].iter().rev().map(|log| log.exp()));
        let normaliser = (1.0 + 2.0 * tail).ln();
        Ok(LawTable {
            logs: relative.into_iter().map(|log| log - normaliser).collect(),
        })
    }
}

/// ln(I_k(mu) / I_0(mu)) for k = 0..=last, from the ratios I_k / I_{k-1} = 1 / (2k/mu + I_{k+1} / I_k).
///
/// Run downwards the recurrence only adds and divides positive numbers and contracts errors (each factor is the square of a
/// ratio below 1), so each ratio is good to a few units in the last place; the start at 0, far above `last`, is forgotten.
fn bessel_logs(mu: f64, last: usize) -> Vec<f64> {
    let start = last + 60 + (4.0 * mu.sqrt()) as usize;
    let mut ratio = 0.0;
    let mut logs = vec![0.0; last + 1];
    for k in (1..=start).rev() {
        ratio = 1.0 / (2.0 * k as f64 / mu + ratio);
        if k <= last {
            logs[k] = ratio.ln();
        }
    }
    let mut total = Compensated::default();
    for log in &mut logs {
        total.add(*log);
        *log = total.value();
    }
    logs
}

/// Neumaier's sum, which is good to a few units in the last place of the sum of magnitudes.
#[derive(Clone, Copy, Default)]
struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    fn add(&mut self, term: f64) {
        let next = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() {
            (self.sum - next) + term
        } else {
            (term - next) + self.sum
        };
        self.sum = next;
    }

    fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

fn compensated(terms: impl Iterator<Item = f64>) -> f64 {
    let mut sum = Compensated::default();
    for term in terms {
        sum.add(term);
    }
    sum.value()
}

impl LawTable {
    /// The law of the sum of `count` independent variables of this law, by direct convolution of positive numbers.
    ///
    /// # Errors
    /// [`OutsideProof::NoRounds`] for no variable, [`OutsideProof::TooWide`] for more work than 2^33 products.
    pub fn sum_of(&self, count: u32) -> Result<Self, OutsideProof> {
        if count == 0 {
            return Err(OutsideProof::NoRounds);
        }
        let single: Vec<f64> = self.both_sides().iter().map(|log| log.exp()).collect();
        let work = (single.len() as f64 * f64::from(count)).powi(2) / 2.0;
        if work > (1u64 << 33) as f64 {
            return Err(OutsideProof::TooWide);
        }
        let mut all = single.clone();
        for _ in 1..count {
            let mut next = vec![0.0; all.len() + single.len() - 1];
            for (i, a) in all.iter().enumerate() {
                for (slot, b) in next[i..].iter_mut().zip(&single) {
                    *slot += a * b;
                }
            }
            all = next;
        }
        let half = all[all.len() / 2..].iter().map(|p| p.ln()).collect();
        Ok(Self { logs: half })
    }

    fn both_sides(&self) -> Vec<f64> {
        let below = self.logs[1..].iter().rev();
        below.chain(&self.logs).copied().collect()
    }

    /// The largest magnitude with a tabulated probability.
    pub fn last(&self) -> u64 {
        self.logs.len() as u64 - 1
    }

    /// ln P(x); negative infinity outside the table.
    pub fn ln_probability(&self, x: i64) -> f64 {
        usize::try_from(x.unsigned_abs())
            .ok()
            .and_then(|magnitude| self.logs.get(magnitude))
            .copied()
            .unwrap_or(f64::NEG_INFINITY)
    }

    /// E[|X|^power] for even powers.
    pub fn moment(&self, power: i32) -> f64 {
        let terms = self.logs.iter().enumerate().skip(1).rev();
        2.0 * compensated(terms.map(|(x, log)| (x as f64).powi(power) * log.exp()))
    }

    /// P(|X| >= x) for x >= 1; 1 for x = 0.
    pub fn two_sided_tail(&self, x: u64) -> f64 {
        if x == 0 {
            return 1.0;
        }
        let skipped = usize::try_from(x).unwrap_or(usize::MAX);
        2.0 * compensated(self.logs.iter().skip(skipped).rev().map(|log| log.exp()))
    }

    /// ln(P(x - shift) / P(x)).
    pub(crate) fn ln_ratio(&self, x: i64, shift: u64) -> f64 {
        self.ln_probability(x - shift as i64) - self.ln_probability(x)
    }

    /// The Renyi divergence of order a > 1 between the law shifted by `shift` and the law itself.
    ///
    /// # Errors
    /// [`OutsideProof::Order`] for orders that are not above 1, and for those whose largest terms lie outside the table.
    pub fn divergence(&self, order: f64, shift: u64) -> Result<f64, OutsideProof> {
        let last = self.last() as i64;
        if order.is_nan() || order <= 1.0 || shift > self.last() {
            return Err(OutsideProof::Order(order));
        }
        let mut sum = LogSum::new();
        let mut largest = (f64::NEG_INFINITY, 0);
        for x in shift as i64 - last..=last {
            let log = order * self.ln_ratio(x, shift) + self.ln_probability(x);
            // Nothing times infinity: a probability that underflowed in a sum of laws.
            if log.is_nan() {
                continue;
            }
            if log > largest.0 {
                largest = (log, x);
            }
            sum.add(log);
        }
        // Terms fall on both sides of the largest; at the end of the table they must have become negligible.
        let end = order * self.ln_ratio(last, shift) + self.ln_probability(last);
        if largest.1 == last || end > largest.0 - 40.0 {
            return Err(OutsideProof::Order(order));
        }
        Ok((sum.ln() / (order - 1.0)).max(0.0))
    }

    /// The smallest epsilon at `delta` of one release of one coordinate that an adjacent input moves by at most `shift`, rounded
    /// up by 10^-12: delta(epsilon) = sum over x of max(0, P(x - shift) - e^epsilon P(x)).
    ///
    /// # Errors
    /// [`OutsideProof::Delta`], [`OutsideProof::TooWide`] for a shift beyond the table or a delta below e^-600.
    pub fn epsilon(&self, shift: u64, delta: f64) -> Result<f64, OutsideProof> {
        super::domain::check_delta(delta)?;
        let last = self.last() as i64;
        if shift > self.last() / 2 || delta.ln() < -600.0 {
            return Err(OutsideProof::TooWide);
        }
        let smallest_first: Vec<(f64, f64)> = (shift as i64 - last..=last)
            .rev()
            .map(|x| (self.ln_probability(x - shift as i64), self.ln_ratio(x, shift)))
            .collect();
        let delta_at = |epsilon: f64| {
            let above = smallest_first.iter().take_while(|(_, ratio)| *ratio > epsilon);
            compensated(above.map(|(log, ratio)| log.exp() * -(epsilon - ratio).exp_m1()))
        };
        let fits = |epsilon: f64| delta_at(epsilon) <= delta;
        if fits(0.0) {
            return Ok(0.0);
        }
        let high = smallest_first[0].1;
        Ok(bisect(0.0, high, fits) * (1.0 + 1e-12))
    }
}
