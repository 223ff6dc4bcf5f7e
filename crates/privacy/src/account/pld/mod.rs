//! Privacy loss distributions on a lattice: certified bounds from both sides.
//!
//! For a **fixed schedule** only: a plan, or the final report of one. Whether a task may go on is decided by a [`crate::BudgetFilter`],
//! because plain composition says nothing about parameters that were chosen after seeing results.
//!
//! Upper bounds come from connecting the dots (`lattice`), composed with every error accounted (`compose`): they are never below
//! the truth, and above it by an amount of the order rounds x step^2. The lower bound shows how much that is.

mod compose;
mod lattice;

use super::domain::{OutsideProof, check_delta, check_noise, check_probability};
use super::law::DiscreteLaw;
use super::normal::tail_quantile;
use super::schedule::{GaussianSchedule, Sampling};
use compose::{Between, StepLaw, Target};
use lattice::{Direction, PairLattice};

/// The usual step of the lattice, in nats.
pub const STEP: f64 = 1e-4;
/// The coarsest step a wide law is given before it is refused.
const COARSEST: f64 = 0.1;
/// The part of the smallest delta that outcomes which are not tabulated may take.
const TAIL_PART: f64 = 1e-8;

/// An answer between certified bounds: the guarantee is `upper`, and no analysis can show less than `lower`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossBounds {
    /// Not above the truth.
    pub lower: f64,
    /// Not below the truth.
    pub upper: f64,
    /// The lattice step it was computed with, in nats: what was asked for, or more if the law was too wide.
    pub step: f64,
}

#[derive(Clone, Debug)]
enum Mechanism {
    Gaussian { noise_multiplier: f64, q: f64 },
    Discrete { law: DiscreteLaw, shift: u64, q: f64 },
}

/// The privacy losses of a schedule.
#[derive(Clone, Debug)]
pub struct LossDistribution {
    mechanisms: Vec<(Mechanism, u64)>,
    pairs: Vec<(PairLattice, u64)>,
    step: f64,
    smallest_delta: f64,
}

impl LossDistribution {
    /// Of Gaussian rounds, sampled by Poisson coins or not, for any number of distinct kinds of rounds. Rounds without sampling are one
    /// Gaussian release together, exactly. Deltas from `smallest_delta` on can be asked for.
    ///
    /// # Errors
    /// [`OutsideProof::FixedSizeLossDistribution`], [`OutsideProof::Delta`], [`OutsideProof::TooWide`] for noise so small that epsilon is in
    /// the hundreds.
    pub fn gaussian(
        schedule: &GaussianSchedule,
        step: f64,
        smallest_delta: f64,
    ) -> Result<Self, OutsideProof> {
        let mut mechanisms = Vec::new();
        if let Some(plain) = schedule.unsampled() {
            let noise_multiplier = 1.0 / plain.mu();
            mechanisms.push((
                Mechanism::Gaussian {
                    noise_multiplier,
                    q: 1.0,
                },
                1,
            ));
        }
        for round in schedule.sampled() {
            let Sampling::Poisson(q) = round.sampling else {
                return Err(OutsideProof::FixedSizeLossDistribution);
            };
            let noise_multiplier = round.noise_multiplier;
            mechanisms.push((Mechanism::Gaussian { noise_multiplier, q }, round.count));
        }
        Self::of(mechanisms, step, smallest_delta)
    }

    /// Of `count` releases of one coordinate with discrete noise, which an adjacent input moves by at most `shift` integer steps; each
    /// contributor takes part with probability q. In one dimension the largest shift is the worst one, see [`super::law`].
    ///
    /// # Errors
    /// [`OutsideProof::Sensitivity`] for a shift of 0, [`OutsideProof::Probability`], [`OutsideProof::NoRounds`],
    /// [`OutsideProof::TooManyRounds`], [`OutsideProof::Delta`], [`OutsideProof::TooWide`], [`OutsideProof::Noise`].
    pub fn discrete(
        law: DiscreteLaw,
        shift: u64,
        q: f64,
        count: u64,
        step: f64,
        smallest_delta: f64,
    ) -> Result<Self, OutsideProof> {
        check_probability(q)?;
        if shift == 0 {
            return Err(OutsideProof::Sensitivity(0.0));
        }
        match count {
            0 => Err(OutsideProof::NoRounds),
            count if count > GaussianSchedule::MAX_ROUNDS => Err(OutsideProof::TooManyRounds(count)),
            _ => Self::of(
                vec![(Mechanism::Discrete { law, shift, q }, count)],
                step,
                smallest_delta,
            ),
        }
    }

    fn of(mechanisms: Vec<(Mechanism, u64)>, step: f64, smallest_delta: f64) -> Result<Self, OutsideProof> {
        check_delta(smallest_delta)?;
        if !(1e-6..=COARSEST).contains(&step) {
            return Err(OutsideProof::TooWide);
        }
        let rounds: u64 = mechanisms.iter().map(|(_, count)| count).sum();
        let tail = smallest_delta * TAIL_PART / rounds as f64;
        if tail < 1e-60 {
            return Err(OutsideProof::Delta(smallest_delta));
        }
        let pair = |(mechanism, count): &(Mechanism, u64)| {
            let pair = match *mechanism {
                Mechanism::Gaussian { noise_multiplier, q } => {
                    PairLattice::gaussian(check_noise(noise_multiplier)?, q, step, tail_quantile(tail))
                }
                Mechanism::Discrete { law, shift, q } => {
                    // The table ends far below the tail: its own depth, and two shifts.
                    let reach = law.table(0)?.last().saturating_add(shift.saturating_mul(2));
                    PairLattice::discrete(&law.table(reach)?, shift, q, step, tail)
                }
            };
            Ok((pair?, *count))
        };
        let pairs: Result<Vec<_>, OutsideProof> = mechanisms.iter().map(pair).collect();
        match pairs {
            Err(OutsideProof::TooWide) if 2.0 * step <= COARSEST => {
                Self::of(mechanisms, 2.0 * step, smallest_delta)
            }
            Err(other) => Err(other),
            Ok(pairs) => Ok(Self {
                mechanisms,
                pairs,
                step,
                smallest_delta,
            }),
        }
    }

    /// Epsilon at `delta`.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`], [`OutsideProof::Resolution`], [`OutsideProof::TooWide`].
    pub fn epsilon(&self, delta: f64) -> Result<LossBounds, OutsideProof> {
        check_delta(delta)?;
        if delta < self.smallest_delta {
            return Err(OutsideProof::Resolution {
                smallest: self.smallest_delta,
                asked: delta,
            });
        }
        self.ask(Target::Delta(delta))
    }

    /// Delta at `epsilon`. Below the smallest delta that the distribution was made for the upper bound is valid, but not tight.
    ///
    /// # Errors
    /// [`OutsideProof::Epsilon`], [`OutsideProof::TooWide`].
    pub fn delta(&self, epsilon: f64) -> Result<LossBounds, OutsideProof> {
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(OutsideProof::Epsilon(epsilon));
        }
        self.ask(Target::Epsilon(epsilon))
    }

    /// Both directions, composed apart; the larger one counts. (The worse direction of one round need not be the worse of many.)
    fn ask(&self, target: Target) -> Result<LossBounds, OutsideProof> {
        let symmetric = |(mechanism, _): &(Mechanism, u64)| match *mechanism {
            Mechanism::Gaussian { q, .. } | Mechanism::Discrete { q, .. } => q == 1.0,
        };
        let one = |direction| -> Result<Between, OutsideProof> {
            let toward = |(pair, count): &(PairLattice, u64)| pair.toward(direction, *count);
            let laws: Vec<StepLaw> = self.pairs.iter().map(toward).collect();
            compose::compose(&laws, self.step, target)
        };
        let both = if self.mechanisms.iter().all(symmetric) {
            one(Direction::Present)
        } else {
            let (present, absent) = rayon::join(|| one(Direction::Present), || one(Direction::Absent));
            present.and_then(|a| {
                let b = absent?;
                Ok(Between {
                    lower: a.lower.max(b.lower),
                    upper: a.upper.max(b.upper),
                })
            })
        };
        match both {
            Err(OutsideProof::TooWide) if 2.0 * self.step <= COARSEST => {
                Self::of(self.mechanisms.clone(), 2.0 * self.step, self.smallest_delta)?.ask(target)
            }
            Err(other) => Err(other),
            Ok(Between { lower, upper }) => Ok(LossBounds {
                lower,
                upper,
                step: self.step,
            }),
        }
    }
}
