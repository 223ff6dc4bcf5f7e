//! Rounds of Gaussian noise as a schedule: who is sampled how, under which adjacency, how often.

use super::domain::{OutsideProof, check_noise, check_probability};
use super::gaussian::GaussianPrivacy;
use super::orders::OrderGrid;
use super::rdp::RenyiCurve;
use super::renyi;
use super::sampling::{FixedSizeGaussian, poisson_gaussian};
use crate::sensitivity::Adjacency;

/// How the contributors of a round are chosen. Only what the deployment carries out, unseen by the adversary, may be claimed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Everybody takes part, or whoever chooses is the adversary.
    Everyone,
    /// Each takes part with this probability, independently in every round.
    Poisson(f64),
    /// Cohorts of a fixed size, drawn without replacement, independently in every round.
    FixedSize {
        /// Contributors in a round.
        cohort: u64,
        /// Contributors to choose from.
        population: u64,
    },
}

impl Sampling {
    /// Refuses parameters without a meaning, and pairs of sampling and adjacency for which there is no proof.
    ///
    /// # Errors
    /// [`OutsideProof`], one variant per cause.
    pub fn check(self, adjacency: Adjacency) -> Result<(), OutsideProof> {
        match (self, adjacency) {
            (Self::Everyone, _) => Ok(()),
            (Self::Poisson(_), Adjacency::ReplaceOne) => Err(OutsideProof::PoissonAdjacency),
            (Self::Poisson(q), _) => check_probability(q).map(drop),
            (Self::FixedSize { cohort, population }, Adjacency::ReplaceOne) => {
                if cohort == 0 || cohort > population {
                    return Err(OutsideProof::Cohort { cohort, population });
                }
                Ok(())
            }
            (Self::FixedSize { .. }, other) => Err(OutsideProof::FixedSizeAdjacency(other)),
        }
    }
}

/// Rounds that are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianRounds {
    /// Standard deviation of the noise over the L2 sensitivity under the schedule's adjacency.
    pub noise_multiplier: f64,
    /// Who takes part.
    pub sampling: Sampling,
    /// How many rounds; none is allowed.
    pub count: u64,
}

/// A fixed sequence of rounds; their order does not matter.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianSchedule {
    rounds: Vec<GaussianRounds>,
}

impl GaussianSchedule {
    /// Most rounds of a schedule: error bounds grow with their number.
    pub const MAX_ROUNDS: u64 = 10_000_000;

    /// Checks every round against the adjacency.
    ///
    /// # Errors
    /// [`OutsideProof`], one variant per cause.
    pub fn new(rounds: Vec<GaussianRounds>, adjacency: Adjacency) -> Result<Self, OutsideProof> {
        for round in &rounds {
            check_noise(round.noise_multiplier)?;
            round.sampling.check(adjacency)?;
        }
        match rounds
            .iter()
            .fold(0u64, |sum, round| sum.saturating_add(round.count))
        {
            0 => Err(OutsideProof::NoRounds),
            count if count > Self::MAX_ROUNDS => Err(OutsideProof::TooManyRounds(count)),
            _ => Ok(Self { rounds }),
        }
    }

    /// The rounds.
    pub fn rounds(&self) -> &[GaussianRounds] {
        &self.rounds
    }

    /// The Renyi curve of all rounds on a grid.
    pub fn curve<O: OrderGrid>(&self) -> RenyiCurve<O> {
        self.rounds.iter().fold(RenyiCurve::zero(), |sum, round| {
            sum.plus(&round_curve(round).times(round.count))
        })
    }

    /// What the rounds without sampling cost, exactly; `None` if there are none.
    pub fn unsampled(&self) -> Option<GaussianPrivacy> {
        let plain = self.rounds.iter().filter(|round| is_everyone(round.sampling));
        let rounds: Vec<_> = plain.map(|round| (round.noise_multiplier, round.count)).collect();
        GaussianPrivacy::of_rounds(&rounds).ok()
    }

    /// Rounds of which only a sample takes part.
    pub fn sampled(&self) -> impl Iterator<Item = &GaussianRounds> {
        self.rounds
            .iter()
            .filter(|round| round.count > 0 && !is_everyone(round.sampling))
    }
}

fn is_everyone(sampling: Sampling) -> bool {
    match sampling {
        Sampling::Everyone => true,
        Sampling::Poisson(q) => q == 1.0,
        Sampling::FixedSize { cohort, population } => cohort == population,
    }
}

fn round_curve<O: OrderGrid>(round: &GaussianRounds) -> RenyiCurve<O> {
    let z = round.noise_multiplier;
    match round.sampling {
        Sampling::Everyone => RenyiCurve::from_bound(|order| renyi::gaussian(order, z)),
        Sampling::Poisson(q) => RenyiCurve::from_bound(|order| poisson_gaussian(order, z, q)),
        Sampling::FixedSize { cohort, population } => {
            let bound = FixedSizeGaussian::new(z, cohort as f64 / population as f64);
            RenyiCurve::from_bound(|order| bound.rdp(order))
        }
    }
}
