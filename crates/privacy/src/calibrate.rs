//! From a privacy target to noise, grid and ring bits.

use tacita_algebra::RingBits;

use crate::account::{AccountError, Adversary, Release};
use crate::budget::{Budget, BudgetFilter, BudgetRefusal};
use crate::contribution::Contribution;
use crate::decimal::Decimal;
use crate::encoding::{Encoding, EncodingError};
use crate::headroom::{Headroom, HeadroomError};
use crate::noise::{Mechanism, NoiseError, NoiseShare};
use crate::noise_levels::{LevelsError, NoiseLevels};
use crate::record::RecordTerms;
use crate::sampler::NoiseSampler;

/// Widest ring whose coordinates still travel and add as 32-bit words.
const NARROW_BITS: u8 = 32;
/// Coarsest grid that is tried.
const SMALLEST_GRID: u32 = 64;
/// A coarse grid inflates the sensitivity by 1/S; this keeps that part below 0.4 %.
const USUAL_GRID: u32 = 256;
/// Without noise the grid alone decides the error.
const NOISELESS_GRID: u32 = 1 << 16;

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Needs 1 <= m <= n <= [`Plan::MAX_CLIENTS`].
    #[error("{minimum_survivors} minimum survivors of {clients} clients is not a cohort")]
    Cohort {
        /// n.
        clients: u32,
        /// m.
        minimum_survivors: u32,
    },
    /// Needs c < m: at least one survivor's noise must be unknown to the server.
    #[error("{colluders} colluders leave no honest survivor among {minimum_survivors}")]
    Colluders {
        /// c.
        colluders: u32,
        /// m.
        minimum_survivors: u32,
    },
    /// Needs 1 <= rounds <= [`Plan::MAX_ROUNDS`].
    #[error("{0} rounds is outside the accepted range")]
    Rounds(u32),
    /// No noise that the sampler offers reaches the target.
    #[error(
        "the target needs more noise than is sampled; ask for fewer rounds, more clients or a larger epsilon"
    )]
    TooMuchNoise,
    /// A target without a mechanism that could meet it.
    #[error("a target epsilon needs a noise mechanism")]
    NoMechanism,
    /// The target itself.
    #[error(transparent)]
    Budget(#[from] BudgetRefusal),
    /// The encoding.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
    /// The noise.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// The noise levels.
    #[error(transparent)]
    Levels(#[from] LevelsError),
    /// The ring.
    #[error(transparent)]
    Headroom(#[from] HeadroomError),
    /// The accounting.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// What a task asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRequest {
    /// Epsilon over all rounds, for the server with its colluders; `None` for no noise and no promise.
    pub epsilon: Option<Decimal>,
    /// Delta of that promise, the sampler's part included.
    pub delta: Decimal,
    /// T, rounds that may be charged.
    pub rounds: u32,
    /// n, the cohort.
    pub clients: u32,
    /// m, fewest survivors a round is finished with.
    pub minimum_survivors: u32,
    /// c, clients that collude with the server.
    pub colluders: u32,
    /// Values in a vector, extra coordinates included.
    pub dimension: u32,
    /// Values that are rotated together, a power of two; `None`: [`Encoding::usual_block`].
    pub block: Option<u32>,
    /// Joint clip norm, in model units.
    pub clip: Decimal,
    /// Drop-outs of each noise level, rising to n - m; empty for none.
    pub noise_levels: Vec<u32>,
    /// The law of the noise; without an epsilon none is drawn.
    pub mechanism: Mechanism,
    /// The record unit: `dimension` and `clip` are those of one record's vector. `None`: the client unit.
    pub records: Option<RecordTerms>,
}

impl PlanRequest {
    /// The encoding on a grid and in a ring, with a rotation seed of zero.
    fn encoding(&self, grid: u32, bits: RingBits) -> Result<Encoding, EncodingError> {
        let encoding = Encoding::new(self.dimension, self.clip, grid, bits, [0; 32])?;
        match self.block {
            None => Ok(encoding),
            Some(block) => encoding.with_block(block),
        }
    }
}

/// Parameters that meet a [`PlanRequest`], proven not to wrap.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    contribution: Contribution,
    request: PlanRequest,
    epsilon_planned: Option<Decimal>,
}

impl Plan {
    /// Largest cohort of a plan.
    pub const MAX_CLIENTS: u32 = 100_000;
    /// Most rounds of a plan.
    pub const MAX_ROUNDS: u32 = 10_000_000;

    /// Finds grid, noise and ring.
    ///
    /// The grid S starts as a power of two of at least 256 and 8 sqrt(d), where rounding inflates the squared sensitivity
    /// by less than 1 %; the share's variance is the smallest whose T rounds at |U2| = m fit the budget; the ring is the
    /// smallest with headroom for n. Should the ring pass 32 bits or the noise the sampler's range, S is halved while it
    /// stays at 64 or more and 2 sqrt(d) or more (6 % inflation from the dimension at most), and all is found again; if that
    /// does not help the first grid with a wide ring is taken. For discrete Gaussian noise S starts large enough for shares that the
    /// account of their sum covers.
    ///
    /// The rotation seed of the result is zero; see [`Plan::for_round`].
    ///
    /// # Errors
    /// [`PlanError`], one variant per cause.
    pub fn calibrate(request: PlanRequest) -> Result<Self, PlanError> {
        let honest = check(&request)?;
        if request.epsilon.is_none() && !request.noise_levels.is_empty() {
            return Err(LevelsError::NoNoise.into());
        }
        match request.mechanism {
            Mechanism::None if request.epsilon.is_some() => return Err(PlanError::NoMechanism),
            Mechanism::DiscreteGaussian if !request.noise_levels.is_empty() => {
                return Err(LevelsError::Undivided.into());
            }
            _ => {}
        }
        let budget = request.epsilon.map(|epsilon| Budget {
            epsilon,
            delta: request.delta,
        });
        // Refuse impossible targets for what they are, not as missing noise.
        if let Some(budget) = budget {
            budget.watched()?;
        }
        // Checks the dimension and the clip norm before anything is derived from them.
        let probe = request.encoding(1, narrow()?)?;
        let padded = probe.padded();
        let root = u32::try_from(u64::from(padded).isqrt()).unwrap_or(u32::MAX);
        let (usual, noise_floor) = match budget {
            Some(_) => (USUAL_GRID.max(8 * root), SMALLEST_GRID.max(2 * root)),
            None => (NOISELESS_GRID.max(32 * root), USUAL_GRID.max(4 * root)),
        };

        let mut first: Option<Contribution> = None;
        let mut too_much_noise = false;
        let mut grid = usual.next_power_of_two();
        // Shares too narrow for the account of their sum grow with the grid.
        while budget.is_some()
            && request.mechanism == Mechanism::DiscreteGaussian
            && grid < Encoding::MAX_GRID
        {
            match find_share(&request, budget, grid, padded, honest)? {
                Some(share) if share.variance_q16() == NoiseShare::MIN_GAUSSIAN_Q16 => grid *= 2,
                _ => break,
            }
        }
        while grid >= noise_floor {
            match find_share(&request, budget, grid, padded, honest)? {
                None => too_much_noise = true,
                Some(share) => match prove(&request, grid, padded, share) {
                    Ok(proven) if proven.encoding().bits().is_narrow() => {
                        return Self::finish(proven, request);
                    }
                    Ok(proven) => {
                        first.get_or_insert(proven);
                    }
                    // No ring at all on this grid.
                    Err(PlanError::Headroom(HeadroomError::TooWide)) => {}
                    Err(error) => return Err(error),
                },
            }
            grid /= 2;
        }
        match first {
            Some(proven) => Self::finish(proven, request),
            None if too_much_noise => Err(PlanError::TooMuchNoise),
            None => Err(HeadroomError::TooWide.into()),
        }
    }

    fn finish(contribution: Contribution, request: PlanRequest) -> Result<Self, PlanError> {
        let mut plan = Self {
            contribution,
            request,
            epsilon_planned: None,
        };
        if plan.request.epsilon.is_some() {
            let colluders = plan.request.colluders;
            plan.epsilon_planned = plan.epsilon_for(Adversary::Server { colluders })?;
        }
        Ok(plan)
    }

    /// The same plan for vectors of another joint clip norm: grid, noise, ring and cost are counted in clip norms and stay.
    ///
    /// # Errors
    /// [`PlanError`] for a clip norm of zero.
    pub fn with_clip(&self, clip: Decimal) -> Result<Self, PlanError> {
        let mut plan = self.clone();
        plan.request.clip = clip;
        let encoding = plan.request.encoding(self.encoding().grid(), self.bits())?;
        plan.contribution = Contribution::prove(
            encoding,
            self.noise_share(),
            plan.request.clients,
            plan.request.records,
        )?;
        Ok(plan)
    }

    /// The encoding, without a round's rotation seed.
    pub fn encoding(&self) -> &Encoding {
        self.contribution.encoding()
    }

    /// The noise each client adds.
    pub fn noise_share(&self) -> NoiseShare {
        self.contribution.noise_share()
    }

    /// Proof that the sum over n clients of this plan does not wrap.
    pub fn contribution(&self) -> &Contribution {
        &self.contribution
    }

    /// The same for one round's rotation seed.
    pub fn for_round(&self, rotation_seed: [u8; 32]) -> Contribution {
        self.contribution.clone().with_rotation_seed(rotation_seed)
    }

    /// The ring.
    pub fn bits(&self) -> RingBits {
        self.encoding().bits()
    }

    /// What was asked for.
    pub fn request(&self) -> &PlanRequest {
        &self.request
    }

    /// Epsilon of all rounds for the server with its colluders, rounded up; at most what was asked. `None` without noise.
    pub fn epsilon_planned(&self) -> Option<Decimal> {
        self.epsilon_planned
    }

    /// The release that one round is charged as, in that adversary's view, at |U2| = m. `None` without noise, or if the
    /// adversary knows every share.
    pub fn release_for(&self, adversary: Adversary) -> Option<Release> {
        let honest = adversary.honest_shares(self.request.minimum_survivors)?;
        Release::of_round(self.encoding(), &self.noise_share(), honest, self.request.clients)
            .map(|release| release.of_records(self.contribution.sampling()))
    }

    /// The release that one round is charged as: the server's view.
    pub fn release(&self) -> Option<Release> {
        self.release_for(Adversary::Server {
            colluders: self.request.colluders,
        })
    }

    /// Epsilon of all rounds in that adversary's view, rounded up. `None` without noise, or if the adversary knows every
    /// share.
    ///
    /// # Errors
    /// [`PlanError::Account`].
    pub fn epsilon_for(&self, adversary: Adversary) -> Result<Option<Decimal>, PlanError> {
        let Some(release) = self.release_for(adversary) else {
            return Ok(None);
        };
        let rounds = u64::from(self.request.rounds);
        let draws = release.draws().saturating_mul(u128::from(rounds));
        let curve = release.curve().times(rounds);
        Ok(Some(curve.epsilon_with_sampler(self.request.delta, draws)?))
    }

    /// Standard deviation of the guaranteed noise in the sum (m - c shares) over the clip norm; for display.
    pub fn noise_multiplier(&self) -> f64 {
        let honest = self
            .request
            .minimum_survivors
            .saturating_sub(self.request.colluders);
        self.noise_share().standard_deviation(honest, self.encoding()) / self.request.clip.to_f64()
    }
}

/// What each client contributes on this grid, in the smallest ring with headroom.
fn prove(
    request: &PlanRequest,
    grid: u32,
    padded: u32,
    share: NoiseShare,
) -> Result<Contribution, PlanError> {
    let vectors = request.records.map_or(1, |records| records.largest());
    let bits = Headroom::needed_bits_of(grid, padded, &share, request.clients, vectors)?;
    let encoding = request.encoding(grid, bits)?;
    Ok(Contribution::prove(
        encoding,
        share,
        request.clients,
        request.records,
    )?)
}

fn narrow() -> Result<RingBits, PlanError> {
    RingBits::new(NARROW_BITS).map_err(|_| HeadroomError::TooWide.into())
}

/// Checks counts; m - c.
fn check(request: &PlanRequest) -> Result<u32, PlanError> {
    let &PlanRequest {
        clients,
        minimum_survivors,
        colluders,
        rounds,
        ..
    } = request;
    if minimum_survivors == 0 || minimum_survivors > clients || clients > Plan::MAX_CLIENTS {
        return Err(PlanError::Cohort {
            clients,
            minimum_survivors,
        });
    }
    if rounds == 0 || rounds > Plan::MAX_ROUNDS {
        return Err(PlanError::Rounds(rounds));
    }
    Adversary::Server { colluders }
        .honest_shares(minimum_survivors)
        .ok_or(PlanError::Colluders {
            colluders,
            minimum_survivors,
        })
}

/// The smallest share on this grid that meets the budget in all rounds; `Ok(None)` if the sampler's range is too small.
fn find_share(
    request: &PlanRequest,
    budget: Option<Budget>,
    grid: u32,
    padded: u32,
    honest_shares: u32,
) -> Result<Option<NoiseShare>, PlanError> {
    let Some(budget) = budget else {
        return Ok(Some(NoiseShare::none()));
    };
    let filter = BudgetFilter::new(budget)?;
    let layers = u32::try_from(request.noise_levels.len() + 1).unwrap_or(u32::MAX);
    let rounds = u64::from(request.rounds);
    let sampling = request.records.map(|records| records.sampling());
    let release = |variance: u64| {
        let share = NoiseShare::of_law(request.mechanism, variance)?;
        let draws = request.clients.saturating_mul(layers);
        Release::of_integers((grid, padded), &share, honest_shares, draws)
            .map(|release| release.of_records(sampling))
            .ok_or(PlanError::NoMechanism)
    };
    // Both the filter, round by round, and the schedule as a whole must stay within epsilon.
    let fits = |variance: u64| -> Result<bool, PlanError> {
        let release = release(variance)?;
        match filter.admits(&release, rounds) {
            Ok(()) => {}
            Err(BudgetRefusal::Exhausted { .. }) => return Ok(false),
            Err(other) => return Err(other.into()),
        }
        let planned = release
            .curve()
            .times(rounds)
            .epsilon_with_sampler(budget.delta, release.draws().saturating_mul(u128::from(rounds)));
        Ok(planned.is_ok_and(|planned| planned <= budget.epsilon))
    };
    let (mut low, mut high) = match request.mechanism {
        Mechanism::DiscreteGaussian => (NoiseShare::MIN_GAUSSIAN_Q16 - 1, NoiseSampler::MAX_GAUSSIAN_Q16),
        _ => (0, NoiseShare::MAX_VARIANCE_Q16),
    };
    if !fits(high)? {
        return Ok(None);
    }
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if fits(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    let share = NoiseShare::of_law(request.mechanism, high)?;
    if request.noise_levels.is_empty() {
        return Ok(Some(share));
    }
    let counts = (request.clients, request.minimum_survivors, request.colluders);
    let levels = NoiseLevels::derive(counts, high, &request.noise_levels)?;
    Ok(Some(share.with_levels(levels)?))
}

#[cfg(test)]
mod tests;
