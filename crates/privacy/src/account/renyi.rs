//! Renyi divergences of single mechanisms, one formula each, as functions of the order. In nats, to the nearest `f64` or
//! nearly; [`super::RenyiCurve::from_bound`] pushes them up.

use super::domain::OutsideProof;

/// a / (2 z^2): the Gaussian mechanism with noise multiplier z = standard deviation over L2 sensitivity; exact at every order
/// above 1. The discrete Gaussian with the same parameters obeys the same bound.
///
/// Source: Mironov, "Renyi Differential Privacy" (2017), Proposition 7; Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential
/// Privacy" (2020), Theorem 4.
pub fn gaussian(order: f64, noise_multiplier: f64) -> f64 {
    order / (2.0 * noise_multiplier * noise_multiplier)
}

/// a Delta2^2 / (2 mu) + min(((2a - 1) Delta2^2 + 6 Delta1) / (4 mu^2), 3 Delta1 / (2 mu)): Skellam noise of variance mu per
/// coordinate, for integer sensitivities with squared L2 norm `l2_squared` and L1 norm `l1`, at integer orders from 2 on.
///
/// Source: Agarwal, Kairouz, Liu, "The Skellam Mechanism for Differentially Private Federated Learning" (2021), the main Renyi
/// bound, for integer orders.
pub fn skellam(order: u32, l2_squared: f64, l1: f64, mu: f64) -> f64 {
    let order = f64::from(order);
    let leading = order * l2_squared / (2.0 * mu);
    let second = ((2.0 * order - 1.0) * l2_squared + 6.0 * l1) / (4.0 * mu * mu);
    let linear = 3.0 * l1 / (2.0 * mu);
    leading + second.min(linear)
}

/// Independent discrete Gaussians, added up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscreteGaussianSum {
    /// Parameter sigma of one share, P(x) proportional to exp(-x^2 / (2 sigma^2)), in integer steps.
    pub sigma: f64,
    /// n, shares in the sum.
    pub shares: u32,
}

impl DiscreteGaussianSum {
    /// Most that tau x d may be for [`DiscreteGaussianSum::check`] to pass: then it adds less than a billionth to a Renyi
    /// divergence.
    pub const NEGLIGIBLE: f64 = 1e-9;
    /// A share of at least this sigma is accepted only if tau x d is negligible too.
    pub const SMALLEST_SHARE: f64 = 0.71;

    /// tau = 10 sum_{j=1}^{n-1} exp(-2 pi^2 sigma^2 j / (j + 1)): how far the sum can be from a discrete Gaussian, as a
    /// bound on the logarithm of the ratio of probabilities.
    ///
    /// Source: Kairouz, Liu, Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure Aggregation"
    /// (2021), the sum of discrete Gaussians.
    pub fn tau(&self) -> f64 {
        let rate = -2.0 * core::f64::consts::PI.powi(2) * self.sigma * self.sigma;
        // Terms fall to the one of j/(j+1) = 1 and stay there; the smallest are added first.
        10.0 * (1..self.shares)
            .rev()
            .map(|j| (rate * f64::from(j) / (f64::from(j) + 1.0)).exp())
            .sum::<f64>()
    }

    /// n sigma^2.
    pub fn variance(&self) -> f64 {
        f64::from(self.shares) * self.sigma * self.sigma
    }

    /// Refuses shares for which tau x d is not negligible, or of variance below 1/2, where the lemma behind tau does not
    /// apply. One share alone is a discrete Gaussian, whatever its sigma.
    ///
    /// # Errors
    /// [`OutsideProof::ShareTooSmall`].
    pub fn check(&self, padded: u32) -> Result<(), OutsideProof> {
        let excess = self.tau() * f64::from(padded);
        let fits = self.sigma >= Self::SMALLEST_SHARE && excess <= Self::NEGLIGIBLE;
        if self.shares == 1 || fits {
            return Ok(());
        }
        Err(OutsideProof::ShareTooSmall {
            sigma: self.sigma,
            shares: self.shares,
            excess,
            limit: Self::NEGLIGIBLE,
        })
    }

    /// The Renyi divergence at any order above 1, with S2 = n sigma^2:
    ///
    /// min(a D2^2 / (2 S2) + tau d, (a/2) (D2^2 / S2 + 2 tau D1 / sqrt(S2) + tau^2 d), (a/2) (D2 / sqrt(S2) + tau sqrt(d))^2).
    ///
    /// Source: as for tau, the main theorem on the privacy of the sum.
    pub fn rdp(&self, order: f64, l2: f64, l1: f64, padded: f64) -> f64 {
        self.rdp_at(self.tau(), order, (l2, l1), padded)
    }

    /// The same for many orders: tau, the dear part, does not depend on the order.
    pub(crate) fn rdp_at(&self, tau: f64, order: f64, (l2, l1): (f64, f64), padded: f64) -> f64 {
        let variance = self.variance();
        let plain = order * l2 * l2 / (2.0 * variance) + tau * padded;
        let mixed =
            order / 2.0 * (l2 * l2 / variance + 2.0 * tau * l1 / variance.sqrt() + tau * tau * padded);
        let joint = order / 2.0 * (l2 / variance.sqrt() + tau * padded.sqrt()).powi(2);
        plain.min(mixed).min(joint)
    }

    /// The same as zero-concentrated privacy: rho = min(D2^2 / (2 S2) + tau d, (D2 / sqrt(S2) + tau sqrt(d))^2 / 2).
    pub fn rho(&self, l2: f64, padded: f64) -> f64 {
        let (tau, variance) = (self.tau(), self.variance());
        let plain = l2 * l2 / (2.0 * variance) + tau * padded;
        plain.min((l2 / variance.sqrt() + tau * padded.sqrt()).powi(2) / 2.0)
    }
}
