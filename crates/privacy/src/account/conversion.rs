//! Zero-concentrated privacy, its translations, and where it comes from.

use super::domain::{OutsideProof, check_delta, check_noise};
use super::gaussian::GaussianPrivacy;
use super::normal::minimise;
use super::orders::OrderGrid;
use super::rdp::{RenyiCurve, log_terms};
use super::renyi;

/// rho-zCDP: the Renyi divergence is at most rho a at every order a > 1. rho adds up over releases.
///
/// Source: Bun, Steinke, "Concentrated Differential Privacy" (2016), Definition 1.1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct ZeroConcentrated {
    rho: f64,
}

impl ZeroConcentrated {
    /// With this rho, positive and finite.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`].
    pub fn new(rho: f64) -> Result<Self, OutsideProof> {
        check_noise(rho).map(|rho| Self { rho })
    }

    /// Of one Gaussian or discrete Gaussian release: rho = 1 / (2 z^2), z the parameter sigma over the L2 sensitivity.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`].
    pub fn of_gaussian(noise_multiplier: f64) -> Result<Self, OutsideProof> {
        Self::new(renyi::gaussian(1.0, check_noise(noise_multiplier)?))
    }

    /// rho.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// The same released `count` times.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`] if the product is zero or too large for a number.
    pub fn times(&self, count: u64) -> Result<Self, OutsideProof> {
        Self::new((self.rho * count as f64).next_up())
    }

    /// Its Renyi curve on a grid.
    pub fn curve<O: OrderGrid>(&self) -> RenyiCurve<O> {
        RenyiCurve::from_bound(|order| order * self.rho)
    }

    /// An upper bound on epsilon at `delta`: the best order of all above 1, not only of a grid, rounded up by 10^-12 of the
    /// magnitudes added. Any order is valid, so an inexact search costs tightness only.
    ///
    /// Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), Corollary 13.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn epsilon(&self, delta: f64) -> Result<f64, OutsideProof> {
        check_delta(delta)?;
        let at = |log_excess: f64| {
            let order = 1.0 + log_excess.exp();
            let (terms, magnitude) = log_terms(order, delta);
            order * self.rho + terms + 1e-12 * (order * self.rho + magnitude)
        };
        // a - 1 between e^-30 and e^30; the best lies near sqrt(ln(1/delta) / rho).
        Ok(minimise(-30.0, 30.0, 120, at).1.max(0.0))
    }

    /// rho + 2 sqrt(rho ln(1/delta)), the older translation, which is never below [`ZeroConcentrated::epsilon`] by more than
    /// rounding; for comparison, not for a report.
    ///
    /// Source: Bun, Steinke, "Concentrated Differential Privacy" (2016), Proposition 1.3.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn epsilon_classic(&self, delta: f64) -> Result<f64, OutsideProof> {
        let logarithm = -check_delta(delta)?.ln();
        Ok(self.rho + 2.0 * (self.rho * logarithm).sqrt())
    }
}

impl From<GaussianPrivacy> for ZeroConcentrated {
    /// mu-GDP is (mu^2 / 2)-zCDP. The reverse does not hold.
    fn from(privacy: GaussianPrivacy) -> Self {
        Self {
            rho: (privacy.mu() * privacy.mu() / 2.0).next_up().next_up(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: a translation falls below the exact Gaussian value, which no bound for all rho-zCDP mechanisms may.
    #[test]
    fn bounds_lie_above_the_gaussian_they_cover() {
        for mu in [0.1, 0.5, 1.0, 3.0, 12.0] {
            let gaussian = GaussianPrivacy::new(mu).unwrap();
            let rho = ZeroConcentrated::from(gaussian);
            for delta in [1e-2, 1e-5, 1e-9, 1e-18] {
                let (exact, best) = (gaussian.epsilon(delta).unwrap(), rho.epsilon(delta).unwrap());
                let classic = rho.epsilon_classic(delta).unwrap();
                assert!(
                    exact <= best && best <= classic * (1.0 + 1e-9),
                    "{mu} {delta}: {exact} {best} {classic}"
                );
                let curve = rho.curve::<super::super::FineOrders>();
                assert!(curve.epsilon_bound(delta).unwrap() >= best * (1.0 - 1e-9));
            }
        }
        let rho = ZeroConcentrated::of_gaussian(2.0).unwrap();
        assert_eq!(rho.rho(), 0.125);
        assert!(rho.times(8).unwrap().rho() >= 1.0);
        assert_eq!(rho.epsilon(1.0), Err(OutsideProof::Delta(1.0)));
        assert!(ZeroConcentrated::new(0.0).is_err());
    }
}
