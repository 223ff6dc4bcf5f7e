//! A release whose noise is a sum of discrete Gaussians.

use serde::{Deserialize, Serialize};

use super::concentrated::Concentrated;
use super::rdp::RdpCurve;
use super::renyi::DiscreteGaussianSum;
use crate::sensitivity::IntegerSensitivity;

/// One sum released with discrete Gaussian noise in every share, under zero-out adjacency of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscreteGaussianRelease {
    /// S, grid steps per clip norm.
    pub grid: u32,
    /// d, coordinates of the integer vector, padding included.
    pub padded: u32,
    /// sigma^2 of one client's share, in units of 2^-16 squared grid steps.
    pub share_sigma_squared_q16: u64,
    /// Shares of which the adversary knows nothing: |U2| - c for the server, |U2| - 1 for the public, with |U2| = m when
    /// planning and charging.
    pub honest_shares: u32,
    /// Most shares in the sum, n: each is a draw that is off the true law by at most 2^-100.
    pub shares: u32,
}

impl DiscreteGaussianRelease {
    /// Its Renyi curve, with tau for the distance of the sum from one discrete Gaussian ([`DiscreteGaussianSum::rdp`]). Infinite for shares
    /// outside the proof.
    pub fn curve(&self) -> RdpCurve {
        RdpCurve::from_integer_bound(self.bound())
    }

    /// The Renyi bound at any integer order from 2 on; infinite outside the proof. Tau, the dear part, is found once.
    pub(crate) fn bound(&self) -> impl Fn(u32) -> f64 {
        let proved = self.proved().map(|sum| (sum, sum.tau()));
        let (norms, padded) = (self.norms(), f64::from(self.padded));
        move |order| match &proved {
            Some((sum, tau)) => sum.rdp_at(*tau, f64::from(order), norms, padded),
            None => f64::INFINITY,
        }
    }

    /// See [`super::Release::concentrated`].
    pub(super) fn concentrated(&self) -> Concentrated {
        let (l2, _) = self.norms();
        self.proved().map_or(Concentrated::UNBOUNDED, |sum| {
            Concentrated::discrete_gaussians(&sum, l2, f64::from(self.padded))
        })
    }

    /// The sum that the adversary does not know; `None` outside the proof.
    fn proved(&self) -> Option<DiscreteGaussianSum> {
        let sum = DiscreteGaussianSum {
            // Down: less noise than there is.
            sigma: (self.share_sigma_squared_q16 as f64 / 65_536.0)
                .sqrt()
                .next_down(),
            shares: self.honest_shares,
        };
        (self.honest_shares > 0 && sum.check(self.padded).is_ok()).then_some(sum)
    }

    /// Delta2 and Delta1, both up: a root and a count above 2^53 round.
    fn norms(&self) -> (f64, f64) {
        let sensitivity = IntegerSensitivity::after_rounding(self.grid, self.padded);
        let l2 = (sensitivity.squared_l2 as f64).next_up().sqrt().next_up();
        (l2, (sensitivity.l1 as f64).next_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(share_sigma_squared_q16: u64, honest_shares: u32) -> DiscreteGaussianRelease {
        DiscreteGaussianRelease {
            grid: 256,
            padded: 1024,
            share_sigma_squared_q16,
            honest_shares,
            shares: 100,
        }
    }

    /// Failure: the curve forgets shares, the inflation by rounding, or tau.
    #[test]
    fn the_curve_is_the_gaussian_one_and_tau() {
        let b2 = IntegerSensitivity::after_rounding(256, 1024).squared_l2 as f64;
        // Wide shares: a B2 / (2 n sigma^2), tau far below the last digit.
        let wide = release(400 << 16, 50).curve();
        for order in [2u32, 17, 128] {
            let expected = f64::from(order) * b2 / (2.0 * 50.0 * 400.0);
            let bound = wide.at(order).unwrap();
            assert!(
                bound >= expected && bound <= expected * (1.0 + 1e-11),
                "{bound} {expected}"
            );
        }
        // sigma = 2: tau = 10 exp(-4 pi^2) (1 + ...) each coordinate, and no more.
        let narrow = release(4 << 16, 50).curve().at(2).unwrap();
        let without = 2.0 * b2 / (2.0 * 50.0 * 4.0);
        assert!(narrow >= without && narrow - without < 1e-9 * without);
    }

    /// Failure: a sum whose distance from a discrete Gaussian is not proved gets a finite epsilon.
    #[test]
    fn what_is_outside_the_proof_costs_everything() {
        for release in [release(1 << 15, 50), release(1 << 16, 50), release(400 << 16, 0)] {
            assert_eq!(release.curve().at(2), Some(f64::INFINITY), "{release:?}");
        }
    }
}
