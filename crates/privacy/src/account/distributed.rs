//! A sum that n contributors noise together: from real parameters to a Renyi curve, for planning.
//!
//! What a round is charged is a [`crate::Release`], in the integers of its manifest; this is the same bound for any scale, bias
//! and law of shares.

use super::domain::{OutsideProof, check_delta, check_noise, check_probability};
use super::gaussian::bisect;
use super::orders::ORDERS;
use super::rdp::RdpCurve;
use super::renyi::{self, DiscreteGaussianSum};
use super::sampling::poisson;
use crate::sensitivity::RoundedSensitivity;

/// The law of one share of noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareLaw {
    /// Discrete Gaussian with parameter `share_std`; the sum is near one, by tau.
    DiscreteGaussian,
    /// Skellam with standard deviation `share_std`; the sum is Skellam.
    Skellam,
}

/// One sum of n noised integer vectors, under zero-out adjacency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistributedRelease {
    /// The law of the shares.
    pub law: ShareLaw,
    /// How far one contributor moves the sum, in integer steps.
    pub sensitivity: RoundedSensitivity,
    /// d, coordinates after padding.
    pub padded: u32,
    /// n, shares that the adversary does not know.
    pub shares: u32,
    /// Of one share, in integer steps.
    pub share_std: f64,
}

impl DistributedRelease {
    /// The shares as a sum of discrete Gaussians.
    pub fn discrete_gaussians(&self) -> DiscreteGaussianSum {
        DiscreteGaussianSum {
            sigma: self.share_std,
            shares: self.shares,
        }
    }

    /// The Renyi curve at integer orders, for contributors that take part with probability q each.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`], [`OutsideProof::Probability`], and [`OutsideProof::ShareTooSmall`] for narrow shares of
    /// discrete Gaussian noise.
    pub fn curve(&self, q: f64) -> Result<RdpCurve, OutsideProof> {
        check_noise(self.share_std)?;
        check_probability(q)?;
        let RoundedSensitivity { l2, l1 } = self.sensitivity;
        let mu = f64::from(self.shares) * self.share_std * self.share_std;
        let padded = f64::from(self.padded);
        let sum = self.discrete_gaussians();
        if self.law == ShareLaw::DiscreteGaussian {
            sum.check(self.padded)?;
        }
        // tau does not depend on the order; each order of a sample needs the bound at all below it.
        let single: Vec<f64> = (0..=ORDERS[ORDERS.len() - 1])
            .map(|order| match self.law {
                ShareLaw::DiscreteGaussian => sum.rdp(f64::from(order), l2, l1, padded),
                ShareLaw::Skellam => renyi::skellam(order, l2 * l2, l1, mu),
            })
            .collect();
        Ok(RdpCurve::from_integer_bound(|order| {
            poisson(order, q, |l| single[l as usize])
        }))
    }

    /// The smallest standard deviation of a share, in integer steps, with which `count` such releases are (`epsilon`, `delta`); rounded up.
    ///
    /// # Errors
    /// As [`DistributedRelease::curve`], [`OutsideProof::Delta`], [`OutsideProof::Epsilon`], [`OutsideProof::Unreachable`].
    pub fn smallest_share_std(
        &self,
        epsilon: f64,
        delta: f64,
        q: f64,
        count: u64,
    ) -> Result<f64, OutsideProof> {
        check_delta(delta)?;
        check_probability(q)?;
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(OutsideProof::Epsilon(epsilon));
        }
        let with = |share_std: f64| Self { share_std, ..*self };
        let meets = |share_std: f64| {
            let curve = with(share_std).curve(q)?.times(count);
            Ok(curve.epsilon_bound(delta)? <= epsilon)
        };
        const LARGEST: f64 = 1e15;
        if !meets(LARGEST)? {
            return Err(OutsideProof::Unreachable);
        }
        // A share outside the proof meets nothing.
        let found = bisect(1e-6, LARGEST, |share_std| meets(share_std).unwrap_or(false));
        Ok(found)
    }
}
