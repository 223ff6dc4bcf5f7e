//! What rounds cost as concentrated privacy: two numbers that add up, for every order above 1 instead of a grid of them.

use super::domain::{OutsideProof, check_delta};
use super::normal::minimise;
use super::rdp::{AccountError, delta_for_rdp, log_terms, round_up};
use super::renyi::DiscreteGaussianSum;
use super::sampler_delta;
use crate::decimal::Decimal;
use crate::sensitivity::IntegerSensitivity;

/// Relative slack that covers the rounding of one closed formula.
const SLACK: f64 = 1e-12;

/// (xi, rho)-zCDP: the Renyi divergence is at most xi + rho a at every order a above 1. Both numbers are upper bounds.
///
/// Source: Bun, Steinke, "Concentrated Differential Privacy" (2016), Definition 1.1; with xi = 0 it is rho-zCDP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concentrated {
    /// xi, in nats; at least 0, infinite without a bound.
    pub xi: f64,
    /// rho, in nats; at least 0, infinite without a bound.
    pub rho: f64,
}

impl Concentrated {
    /// Nothing released.
    pub const NOTHING: Self = Self { xi: 0.0, rho: 0.0 };
    /// No bound.
    pub const UNBOUNDED: Self = Self {
        xi: f64::INFINITY,
        rho: f64::INFINITY,
    };

    /// One Skellam release of variance mu = `variance_q16` / 2^16 per coordinate:
    ///
    /// rho = D2^2 / (2 mu) + D2^2 / (2 mu^2), xi = D2^2 / (2 mu) + (D2^2 + 6 D1) / (4 mu^2).
    ///
    /// Proof: the bound of [`super::renyi::skellam`] with the first of its two corrections is b(k) = xi + rho (k - 1) at integer k from 2
    /// on. The Renyi divergence does not fall with the order (van Erven, Harremoes, "Renyi Divergence and Kullback-Leibler Divergence",
    /// 2014, Theorem 3), and an order a above 1 lies at or below an integer k with 2 <= k < a + 1, so it is at most b(k) <= xi + rho a.
    pub(crate) fn skellam(sensitivity: IntegerSensitivity, variance_q16: u128) -> Self {
        let mu = variance_q16 as f64 / 65_536.0;
        let (squared, l1) = (sensitivity.squared_l2 as f64, sensitivity.l1 as f64);
        Self::up(
            squared / (2.0 * mu) + (squared + 6.0 * l1) / (4.0 * mu * mu),
            squared / (2.0 * mu) + squared / (2.0 * mu * mu),
        )
    }

    /// One release with a sum of discrete Gaussians: xi = 0 and [`DiscreteGaussianSum::rho`].
    pub(crate) fn discrete_gaussians(sum: &DiscreteGaussianSum, l2: f64, padded: f64) -> Self {
        Self::up(0.0, sum.rho(l2, padded))
    }

    /// Pushed up, past the rounding of a handful of operations; what is not a number is infinite.
    fn up(xi: f64, rho: f64) -> Self {
        if !(xi.is_finite() && rho.is_finite()) {
            return Self::UNBOUNDED;
        }
        Self {
            xi: xi * (1.0 + SLACK),
            rho: rho * (1.0 + SLACK),
        }
    }

    /// This and `other` released.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let add = |a: f64, b: f64| match (a > 0.0, b > 0.0) {
            (true, true) => (a + b).next_up(),
            (true, false) => a,
            (false, _) => b,
        };
        Self {
            xi: add(self.xi, other.xi),
            rho: add(self.rho, other.rho),
        }
    }

    /// The same released `count` times.
    #[must_use]
    pub fn times(self, count: u64) -> Self {
        let multiply = |value: f64| match count {
            0 => 0.0,
            1 => value,
            // A count above 2^53 rounds too, hence two steps.
            _ if value > 0.0 => (value * count as f64).next_up().next_up(),
            _ => value,
        };
        Self {
            xi: multiply(self.xi),
            rho: multiply(self.rho),
        }
    }

    /// An upper bound on epsilon at `delta`, infinite if there is none: the best order of all above 1,
    ///
    /// epsilon = min over a of xi + rho a + ln(1 - 1/a) - (ln delta + ln a) / (a - 1), not below 0.
    ///
    /// Any order is valid, so an inexact search costs tightness only. Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for
    /// Differential Privacy" (2020), Proposition 12.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn epsilon_bound(&self, delta: f64) -> Result<f64, OutsideProof> {
        check_delta(delta)?;
        let at = |log_excess: f64| {
            let order = 1.0 + log_excess.exp();
            let divergence = self.xi + self.rho * order;
            let (terms, magnitude) = log_terms(order, delta);
            divergence + terms + SLACK * (divergence + magnitude)
        };
        // a - 1 between e^-30 and e^30; the best lies near sqrt(ln(1/delta) / rho).
        Ok(minimise(-30.0, 30.0, 120, at).1.max(0.0))
    }

    /// The smallest epsilon for a stated `delta` that also covers the sampler, rounded up to a multiple of 10^-6; as
    /// [`super::RenyiCurve::epsilon_with_sampler`].
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn epsilon_with_sampler(&self, delta: Decimal, draws: u128) -> Result<Decimal, AccountError> {
        let (part, sampler_part) = delta_for_rdp(delta.to_f64());
        let bound = check_delta(delta.to_f64())
            .and_then(|_| self.epsilon_bound(part))
            .map_err(|_| AccountError::Delta(delta))?;
        let epsilon = round_up(bound).ok_or(AccountError::Unbounded)?;
        if sampler_delta(epsilon.to_f64(), draws) > sampler_part {
            return Err(AccountError::SamplerError);
        }
        Ok(epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DiscreteGaussianRelease, ORDERS, Release, SkellamRelease};
    use super::*;

    fn releases() -> [Release; 5] {
        let skellam = |share_variance_q16| {
            Release::Skellam(SkellamRelease {
                grid: 256,
                padded: 1024,
                share_variance_q16,
                honest_shares: 20,
                shares: 50,
            })
        };
        let gaussian = |share_sigma_squared_q16| {
            Release::DiscreteGaussian(DiscreteGaussianRelease {
                grid: 256,
                padded: 1024,
                share_sigma_squared_q16,
                honest_shares: 20,
                shares: 50,
            })
        };
        [
            skellam(1 << 16),
            skellam(40_000 << 16),
            gaussian(9 << 15),
            gaussian(40_000 << 16),
            skellam(40_000 << 16).of_records(Some("0.2".parse().unwrap())),
        ]
    }

    /// Failure: the line falls below the bound that it stands for at an order between two of the grid, where the divergence may be as
    /// large as at the next integer.
    #[test]
    fn the_line_lies_above_the_curve_at_the_next_integer_order() {
        for release in releases() {
            let (line, curve) = (release.concentrated(), release.curve());
            for order in ORDERS.into_iter().filter(|&order| order <= 128) {
                let just_above = f64::from(order - 1) * (1.0 + 1e-15);
                let proved = curve.at(order).unwrap();
                let needed = match release {
                    Release::Skellam(_) | Release::Sampled(_) => proved,
                    // Proved at every order.
                    Release::DiscreteGaussian(_) => proved * f64::from(order - 1) / f64::from(order),
                };
                let bound = line.xi + line.rho * just_above;
                // The line has the first correction alone: equal to the curve's bound where that is the smaller.
                assert!(
                    bound >= needed * (1.0 - 1e-11),
                    "{release:?} {order}: {bound} {needed}"
                );
            }
        }
    }

    /// Failure: sums lose a release, or the translation falls below that of the same law on the grid by more than the grid costs.
    #[test]
    fn sums_and_epsilon_agree_with_the_grid() {
        let delta: Decimal = "0.00001".parse().unwrap();
        let [_, skellam, _, gaussian, _] = releases();
        for (release, most) in [(gaussian, 1.0), (skellam, 1.3)] {
            for count in [1, 10, 100] {
                let grid = release.curve().times(count).epsilon(delta).unwrap().to_f64();
                let line = release.concentrated().times(count).epsilon_bound(1e-5).unwrap();
                assert!(
                    line <= grid * most && line >= grid * 0.9,
                    "{release:?} {count}: {line} {grid}"
                );
            }
        }
        let (a, b) = (skellam.concentrated(), gaussian.concentrated());
        let sum = a.plus(b);
        assert!(sum.rho >= a.rho + b.rho && sum.xi >= a.xi && a.xi > 0.0 && b.xi == 0.0);
        assert_eq!(Concentrated::NOTHING.plus(a).plus(Concentrated::NOTHING), a);
        assert_eq!(a.times(0), Concentrated::NOTHING);
        assert_eq!(
            Concentrated::UNBOUNDED.epsilon_with_sampler(delta, 0),
            Err(AccountError::Unbounded)
        );
        assert_eq!(
            a.epsilon_with_sampler(delta, u128::MAX),
            Err(AccountError::SamplerError)
        );
        let one: Decimal = "1".parse().unwrap();
        assert_eq!(a.epsilon_with_sampler(one, 0), Err(AccountError::Delta(one)));
    }
}
