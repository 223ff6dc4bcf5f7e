//! One mechanism, released a number of times: the question of a calculator, answered by the accountant asked for or refused.
//!
//! Costs of the true law of the noise. What a round of a deployment costs, in the integers of its manifest, is a [`crate::Release`].

use super::calibration::{self, Accountant};
use super::distributed::{DistributedRelease, ShareLaw};
use super::domain::{OutsideProof, check_delta, check_noise};
use super::law::DiscreteLaw;
use super::orders::FineOrders;
use super::pld::LossDistribution;
use super::rdp::RdpCurve;
use super::schedule::{GaussianRounds, GaussianSchedule, Sampling};
use crate::sensitivity::{Adjacency, RoundedSensitivity};

/// What integer noise is added to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerVectors {
    /// Delta2, the largest Euclidean norm of the difference that the adjacency makes, in integer steps.
    pub sensitivity: u32,
    /// d, coordinates.
    pub dimension: u32,
    /// n, contributors that each add a share of the noise; the shares that the adversary does not know.
    pub shares: u32,
}

impl IntegerVectors {
    /// A count that one contributor changes by 1, with noise from one source. For Renyi bounds at a given noise multiplier the worst of all integer vectors:
    /// with Delta1 <= Delta2^2 and mu = (z Delta2)^2 every term of [`super::renyi::skellam`] falls as Delta2 grows.
    pub const COUNT: Self = Self {
        sensitivity: 1,
        dimension: 1,
        shares: 1,
    };
}

/// The law of the noise in one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoiseLaw {
    /// Gaussian, in real numbers.
    Gaussian,
    /// Discrete Gaussian of parameter sigma, or a sum of several that come near one.
    DiscreteGaussian(IntegerVectors),
    /// Skellam; a sum of shares has the same law, whatever their number.
    Skellam(IntegerVectors),
}

/// A mechanism released `count` times, each time on a fresh sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RepeatedRelease {
    /// The law of the noise.
    pub law: NoiseLaw,
    /// Who takes part.
    pub sampling: Sampling,
    /// How often.
    pub count: u64,
    /// Which inputs are neighbours.
    pub adjacency: Adjacency,
}

/// What it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// An upper bound on epsilon.
    pub epsilon: f64,
    /// What no analysis can fall below, where the accountant knows it.
    pub lower: Option<f64>,
    /// The Renyi order that gave the bound.
    pub order: Option<f64>,
    /// The lattice step of a loss distribution, in nats.
    pub step: Option<f64>,
}

impl Cost {
    fn of(epsilon: f64) -> Self {
        Self {
            epsilon,
            lower: None,
            order: None,
            step: None,
        }
    }
}

impl RepeatedRelease {
    /// Upper bounds on epsilon at each delta, for noise of standard deviation (for a discrete Gaussian: parameter sigma) `noise_multiplier` x Delta2,
    /// Delta2 the L2 sensitivity under the adjacency.
    ///
    /// # Errors
    /// [`OutsideProof`], one variant per cause: nothing outside a proof is approximated.
    pub fn costs(
        &self,
        noise_multiplier: f64,
        accountant: Accountant,
        deltas: &[f64],
    ) -> Result<Vec<Cost>, OutsideProof> {
        let z = check_noise(noise_multiplier)?;
        deltas
            .iter()
            .try_for_each(|&delta| check_delta(delta).map(drop))?;
        let smallest = deltas.iter().copied().fold(1.0, f64::min);
        let schedule = self.schedule(z)?;
        match (self.law, accountant) {
            (NoiseLaw::Gaussian, Accountant::Exact) => deltas
                .iter()
                .map(|&delta| calibration::epsilon(&schedule, accountant, delta).map(Cost::of))
                .collect(),
            (NoiseLaw::Gaussian, Accountant::Renyi) => {
                let curve = schedule.curve::<FineOrders>();
                let best = |&delta| curve.best_order(delta).map(by_order);
                deltas.iter().map(best).collect()
            }
            (NoiseLaw::Gaussian, Accountant::LossDistribution { step }) => {
                read(&LossDistribution::gaussian(&schedule, step, smallest)?, deltas)
            }
            (_, Accountant::Exact) => Err(OutsideProof::NoClosedForm),
            (_, Accountant::Renyi) => {
                let curve = self.integer_curve(z)?;
                let best = |&delta| curve.best_order(delta).map(by_order);
                deltas.iter().map(best).collect()
            }
            (_, Accountant::LossDistribution { step }) => {
                let (law, shift) = self.coordinate(z)?;
                let (q, count) = (self.probability()?, self.count);
                read(
                    &LossDistribution::discrete(law, shift, q, count, step, smallest)?,
                    deltas,
                )
            }
        }
    }

    /// An upper bound on epsilon from one Renyi order alone, as an auditor recomputes it.
    ///
    /// # Errors
    /// [`OutsideProof::Order`] for integer noise at an order that is not an integer from 2 on, [`OutsideProof::OffGrid`] at an order that is not
    /// kept, and as [`RepeatedRelease::costs`].
    pub fn cost_at_order(&self, noise_multiplier: f64, order: f64, delta: f64) -> Result<Cost, OutsideProof> {
        let z = check_noise(noise_multiplier)?;
        check_delta(delta)?;
        let schedule = self.schedule(z)?;
        let found = match self.law {
            NoiseLaw::Gaussian => schedule
                .curve::<FineOrders>()
                .epsilon_at_order(order, delta)?
                .ok_or(OutsideProof::OffGrid(order)),
            _ => self.integer_curve(z)?.epsilon_at_order(order, delta)?.ok_or(
                if order.fract() == 0.0 && order >= 2.0 {
                    OutsideProof::OffGrid(order)
                } else {
                    OutsideProof::Order(order)
                },
            ),
        };
        found.map(|epsilon| by_order((order, epsilon)))
    }

    /// The smallest noise multiplier that is (`target`, `delta`), rounded up; within 10^-5 of it for loss distributions. It has itself
    /// been checked to meet the target.
    ///
    /// # Errors
    /// As [`RepeatedRelease::costs`], [`OutsideProof::Epsilon`], [`OutsideProof::Unreachable`].
    pub fn noise_multiplier(
        &self,
        accountant: Accountant,
        target: f64,
        delta: f64,
    ) -> Result<f64, OutsideProof> {
        if self.law == NoiseLaw::Gaussian {
            return calibration::gaussian(
                accountant,
                target,
                delta,
                self.sampling,
                self.count,
                self.adjacency,
            );
        }
        let spent = |z: f64| Ok(self.costs(z, accountant, &[delta])?[0].epsilon);
        calibration::search(accountant, target, delta, spent)
    }

    /// Its rounds as if the noise were Gaussian: checks of sampling, adjacency and counts are the same for every law.
    fn schedule(&self, noise_multiplier: f64) -> Result<GaussianSchedule, OutsideProof> {
        let rounds = GaussianRounds {
            noise_multiplier,
            sampling: self.sampling,
            count: self.count,
        };
        GaussianSchedule::new(vec![rounds], self.adjacency)
    }

    /// q of integer noise.
    fn probability(&self) -> Result<f64, OutsideProof> {
        match self.sampling {
            Sampling::Everyone => Ok(1.0),
            Sampling::Poisson(q) => Ok(q),
            Sampling::FixedSize { .. } => Err(OutsideProof::FixedSizeNoise),
        }
    }

    fn integer_curve(&self, z: f64) -> Result<RdpCurve, OutsideProof> {
        let (vectors, law) = match self.law {
            NoiseLaw::DiscreteGaussian(vectors) => (vectors, ShareLaw::DiscreteGaussian),
            NoiseLaw::Skellam(vectors) => (vectors, ShareLaw::Skellam),
            NoiseLaw::Gaussian => return Err(OutsideProof::Sensitivity(0.0)),
        };
        let l2 = vectors.check()?;
        let release = DistributedRelease {
            law,
            sensitivity: RoundedSensitivity {
                l2,
                l1: l2 * f64::from(vectors.dimension).sqrt().min(l2),
            },
            padded: vectors.dimension,
            shares: vectors.shares,
            share_std: z * l2 / f64::from(vectors.shares).sqrt(),
        };
        Ok(release.curve(self.probability()?)?.times(self.count))
    }

    /// The law of the one coordinate there is, and how far it moves.
    fn coordinate(&self, z: f64) -> Result<(DiscreteLaw, u64), OutsideProof> {
        let one = |vectors: IntegerVectors| match (vectors.check()?, vectors.dimension) {
            (l2, 1) => Ok((z * l2, u64::from(vectors.sensitivity))),
            (_, dimension) => Err(OutsideProof::Dimensions(dimension)),
        };
        match self.law {
            NoiseLaw::DiscreteGaussian(vectors) if vectors.shares > 1 => {
                Err(OutsideProof::SumLossDistribution(vectors.shares))
            }
            NoiseLaw::DiscreteGaussian(vectors) => {
                one(vectors).map(|(sigma, shift)| (DiscreteLaw::DiscreteGaussian { sigma }, shift))
            }
            NoiseLaw::Skellam(vectors) => one(vectors).map(|(std, shift)| {
                let variance = std * std;
                (DiscreteLaw::Skellam { variance }, shift)
            }),
            NoiseLaw::Gaussian => Err(OutsideProof::Sensitivity(0.0)),
        }
    }
}

impl IntegerVectors {
    /// Delta2, if there is something to account for.
    fn check(&self) -> Result<f64, OutsideProof> {
        if self.sensitivity == 0 || self.dimension == 0 {
            return Err(OutsideProof::Sensitivity(0.0));
        }
        if self.shares == 0 {
            return Err(OutsideProof::Noise(0.0));
        }
        Ok(f64::from(self.sensitivity))
    }
}

fn by_order((order, epsilon): (f64, f64)) -> Cost {
    Cost {
        order: Some(order),
        ..Cost::of(epsilon)
    }
}

fn read(losses: &LossDistribution, deltas: &[f64]) -> Result<Vec<Cost>, OutsideProof> {
    let one = |&delta| {
        losses.epsilon(delta).map(|bounds| Cost {
            epsilon: bounds.upper,
            lower: Some(bounds.lower),
            order: None,
            step: Some(bounds.step),
        })
    };
    deltas.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skellam(vectors: IntegerVectors, sampling: Sampling) -> RepeatedRelease {
        RepeatedRelease {
            law: NoiseLaw::Skellam(vectors),
            sampling,
            count: 20,
            adjacency: Adjacency::ZeroOut,
        }
    }

    /// Failure: what is assumed when no sensitivity is given costs less than some integer vectors do at the same noise multiplier.
    #[test]
    fn a_count_is_the_worst_of_all_integer_vectors() {
        for z in [0.6, 1.0, 3.0, 40.0] {
            for sampling in [Sampling::Everyone, Sampling::Poisson(0.1)] {
                let cost = |vectors| {
                    let costs = skellam(vectors, sampling).costs(z, Accountant::Renyi, &[1e-6]);
                    costs.unwrap()[0].epsilon
                };
                let worst = cost(IntegerVectors::COUNT);
                for sensitivity in [1, 2, 5, 100, 4096] {
                    for dimension in [1, 2, 30, 10_000] {
                        let shares = 1;
                        let vectors = IntegerVectors {
                            sensitivity,
                            dimension,
                            shares,
                        };
                        assert!(cost(vectors) <= worst * (1.0 + 1e-9), "{z} {vectors:?}");
                    }
                }
            }
        }
    }

    /// Failure: shares change what Skellam noise costs, or the bound of a single order differs from the curve's.
    #[test]
    fn skellam_shares_add_up_and_orders_agree_with_the_curve() {
        let vectors = IntegerVectors {
            sensitivity: 7,
            dimension: 12,
            shares: 1,
        };
        let many = IntegerVectors {
            shares: 50,
            ..vectors
        };
        let [one, fifty] = [vectors, many].map(|v| skellam(v, Sampling::Everyone));
        let best = one.costs(2.0, Accountant::Renyi, &[1e-6]).unwrap()[0];
        let sum = fifty.costs(2.0, Accountant::Renyi, &[1e-6]).unwrap()[0];
        assert!((best.epsilon / sum.epsilon - 1.0).abs() < 1e-12);
        let order = best.order.unwrap();
        assert_eq!(one.cost_at_order(2.0, order, 1e-6).unwrap(), best);
        let next = one.cost_at_order(2.0, order + 1.0, 1e-6).unwrap();
        assert!(next.epsilon > best.epsilon);
        assert_eq!(one.cost_at_order(2.0, 2.5, 1e-6), Err(OutsideProof::Order(2.5)));
        assert_eq!(
            one.cost_at_order(2.0, 200.0, 1e-6),
            Err(OutsideProof::OffGrid(200.0))
        );
    }
}
