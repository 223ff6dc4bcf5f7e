//! A release to which each record contributed with a probability below one, by coins that stay with its client.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::gaussian_release::DiscreteGaussianRelease;
use super::orders::ORDERS;
use super::rdp::RdpCurve;
use super::release::SkellamRelease;
use super::sampling::poisson_symmetric;
use crate::decimal::Decimal;

/// The release of all records, each of them with certainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsampled {
    /// A sum with Skellam noise.
    Skellam(SkellamRelease),
    /// A sum with noise of discrete Gaussians.
    DiscreteGaussian(DiscreteGaussianRelease),
}

/// One noised sum over Poisson-sampled records, under add-remove adjacency of one record.
///
/// The adversary may be the server with its colluders: it sees neither which records a client sampled nor how many, only a sum that
/// the noise of honest shares covers. Where it knew the coins of a client, nothing would be amplified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampledRelease {
    /// What a record that was certain to be there would cost; its grid and coordinates are those of one record's vector.
    pub of: Unsampled,
    /// q, above 0 and at most 1.
    pub sampling: Decimal,
}

/// Curves kept: a task's rounds are alike, or as many kinds as there were numbers of survivors. A curve takes 1 KiB and half a million
/// exponentials.
const CAPACITY: usize = 64;

static CURVES: Mutex<Vec<(SampledRelease, RdpCurve)>> = Mutex::new(Vec::new());

impl SampledRelease {
    /// Its Renyi curve: [`poisson_symmetric`] over the bound of the release without sampling. Infinite for a probability that is none.
    pub fn curve(&self) -> RdpCurve {
        // A curve is put in whole, so a panic elsewhere cannot have left half of one.
        let find = |curves: &[(Self, RdpCurve)]| {
            let known = curves.iter().find(|(known, _)| known == self);
            known.map(|(_, curve)| curve.clone())
        };
        if let Some(curve) = find(&CURVES.lock().unwrap_or_else(PoisonError::into_inner)) {
            return curve;
        }
        let curve = self.computed();
        let mut curves = CURVES.lock().unwrap_or_else(PoisonError::into_inner);
        if curves.len() >= CAPACITY {
            curves.remove(0);
        }
        curves.push((*self, curve.clone()));
        curve
    }

    fn computed(&self) -> RdpCurve {
        // Up: the bound grows with q, and a decimal is within two units in the last place of its value.
        let q = self.sampling.to_f64().next_up().next_up();
        if self.sampling.is_zero() || self.sampling > Decimal::ONE {
            return RdpCurve::from_integer_bound(|_| f64::INFINITY);
        }
        let last = ORDERS[ORDERS.len() - 1];
        // Each order of a sample needs the bound at all below it.
        let single: Vec<f64> = match self.of {
            Unsampled::Skellam(of) => (0..=last).map(of.bound()).collect(),
            Unsampled::DiscreteGaussian(of) => (0..=last).map(of.bound()).collect(),
        };
        RdpCurve::from_integer_bound(|order| poisson_symmetric(order, q, |l| single[l as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::law::DiscreteLaw;

    fn skellam(grid: u32, padded: u32, share_variance_q16: u64, honest_shares: u32) -> SkellamRelease {
        SkellamRelease {
            grid,
            padded,
            share_variance_q16,
            honest_shares,
            shares: honest_shares,
        }
    }

    fn sampled(of: SkellamRelease, q: &str) -> SampledRelease {
        SampledRelease {
            of: Unsampled::Skellam(of),
            sampling: q.parse().unwrap(),
        }
    }

    /// Failure: sampling is credited where there is none, or not at all.
    #[test]
    fn certainty_costs_what_the_release_costs_and_less_costs_less() {
        let of = skellam(256, 32, 400_000 << 16, 2);
        assert_eq!(sampled(of, "1").curve(), of.curve());
        let mut before = of.curve();
        for q in ["0.5", "0.25", "0.05", "0.001"] {
            let curve = sampled(of, q).curve();
            for order in [2u32, 3, 8, 32, 128] {
                assert!(curve.at(order) < before.at(order), "{q} {order}");
            }
            before = curve;
        }
        assert_eq!(sampled(of, "0").curve().at(2), Some(f64::INFINITY));
        let twice = SampledRelease {
            sampling: "2".parse().unwrap(),
            ..sampled(of, "1")
        };
        assert_eq!(twice.curve().at(2), Some(f64::INFINITY));
    }

    /// Failure: the bound is below the divergence of the real mixture (1 - q) P + q Q from P in one coordinate, in either direction.
    #[test]
    fn it_dominates_the_exact_divergence_of_a_sampled_coordinate() {
        // d = 1, S = 4: B2 = 20, so that one record moves the coordinate by 4 at most.
        let of = skellam(4, 1, 30 << 16, 2);
        let shift = 4i64;
        let law = DiscreteLaw::Skellam { variance: 60.0 }.table(200).unwrap();
        for (q, text) in [(0.05, "0.05"), (0.3, "0.3"), (0.9, "0.9")] {
            let curve = sampled(of, text).curve();
            for order in [2u32, 3, 5, 9] {
                let (mut there, mut back) = (0.0, 0.0);
                for x in -90i64..=90 {
                    let p = law.ln_probability(x).exp();
                    let mixed = (1.0 - q) * p + q * law.ln_probability(x - shift).exp();
                    there += (mixed / p).powi(order as i32) * p;
                    back += (p / mixed).powi(order as i32) * mixed;
                }
                let exact = f64::max(there, back).ln() / f64::from(order - 1);
                let bound = curve.at(order).unwrap();
                assert!(bound >= exact, "q {q} order {order}: {bound} < {exact}");
            }
        }
    }
}
