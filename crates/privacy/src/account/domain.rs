//! Where the proofs hold: parameters outside are refused with the reason, never approximated.

use crate::sensitivity::Adjacency;

/// Why a formula does not apply to these parameters.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum OutsideProof {
    /// Delta must lie strictly between 0 and 1.
    #[error("delta {0} is not between 0 and 1")]
    Delta(f64),
    /// Epsilon must be a number of at least 0, or positive where noise is calibrated to it.
    #[error("epsilon {0} is outside the accepted range")]
    Epsilon(f64),
    /// Noise must be positive and finite.
    #[error("noise of {0} times the sensitivity is not positive and finite")]
    Noise(f64),
    /// A sampling probability must be positive and at most 1.
    #[error("a sampling probability of {0} is not above 0 and at most 1")]
    Probability(f64),
    /// A cohort must be at least 1 and at most the population.
    #[error("a cohort of {cohort} out of {population} cannot be drawn")]
    Cohort {
        /// Clients in a round.
        cohort: u64,
        /// Clients to choose from.
        population: u64,
    },
    /// At least one round.
    #[error("there are no rounds to account for")]
    NoRounds,
    /// More rounds than error bounds are proved for.
    #[error("{0} rounds are more than the error bounds cover")]
    TooManyRounds(u64),
    /// The bound for cohorts of a fixed size compares data sets in which one client is replaced by another.
    #[error("cohorts of a fixed size are analysed for replace-one adjacency only, not for {0}")]
    FixedSizeAdjacency(Adjacency),
    /// Poisson sampling is analysed with a client present or absent.
    #[error("Poisson sampling is analysed for zero-out and add-remove adjacency only, not for replace-one")]
    PoissonAdjacency,
    /// No privacy loss distribution that dominates sampling without replacement under composition is known.
    #[error("there is no privacy loss distribution for cohorts of a fixed size; use the Renyi accountant")]
    FixedSizeLossDistribution,
    /// Sampling without replacement is analysed for Gaussian noise.
    #[error("cohorts of a fixed size are analysed for Gaussian noise only")]
    FixedSizeNoise,
    /// The exact law of a sum of discrete Gaussians is not tabulated.
    #[error(
        "there is no privacy loss distribution for the sum of {0} discrete Gaussians, which is only near one; use the Renyi \
         accountant"
    )]
    SumLossDistribution(u32),
    /// Only norms of the worst shift are known in d dimensions, and they do not determine the worst privacy loss.
    #[error(
        "the privacy loss distribution of {0}-dimensional discrete noise is not determined by the sensitivities; use the \
         Renyi accountant"
    )]
    Dimensions(u32),
    /// The noise of single shares is too narrow for their sum to be near a discrete Gaussian.
    #[error(
        "a share of standard deviation {sigma} is too narrow: the sum of {shares} of them may be {excess:e} away from a \
         discrete Gaussian, more than {limit:e}"
    )]
    ShareTooSmall {
        /// Its parameter, in integer steps.
        sigma: f64,
        /// Shares in the sum.
        shares: u32,
        /// tau x d.
        excess: f64,
        /// Most that is accepted.
        limit: f64,
    },
    /// A bound for integer orders was asked for at another.
    #[error("the bound is proved at integer orders from 2 on, not at {0}")]
    Order(f64),
    /// A curve that is kept at some orders was asked at another.
    #[error("order {0} is not among those the curve is kept at")]
    OffGrid(f64),
    /// A sensitivity must be positive and finite.
    #[error("a sensitivity of {0} is not positive and finite")]
    Sensitivity(f64),
    /// The law is too wide, or the loss too large, for the memory that is set aside.
    #[error("the law is too wide to be tabulated")]
    TooWide,
    /// Delta is below what the losses were tabulated for.
    #[error("the losses were tabulated for a delta of {smallest:e} and above, not {asked:e}")]
    Resolution {
        /// Smallest delta covered.
        smallest: f64,
        /// The one asked for.
        asked: f64,
    },
    /// The noise asked for does not exist in the range searched.
    #[error("no noise in the range searched meets the target")]
    Unreachable,
    /// Only Gaussian noise without sampling has a closed form.
    #[error(
        "there is no closed form for sampled rounds or integer noise; use the Renyi or the loss distribution accountant"
    )]
    NoClosedForm,
    /// Numbers of an audit that cannot be.
    #[error("{correct} right answers in {guesses} guesses about {canaries} canaries cannot be")]
    Guesses {
        /// m.
        canaries: u64,
        /// r.
        guesses: u64,
        /// v.
        correct: u64,
    },
    /// A significance must lie strictly between 0 and 1.
    #[error("a significance of {0} is not between 0 and 1")]
    Significance(f64),
    /// A spread must be positive and finite.
    #[error("a standard deviation of {0} is not positive and finite")]
    Spread(f64),
}

/// `delta`, if it lies strictly between 0 and 1.
pub(crate) fn check_delta(delta: f64) -> Result<f64, OutsideProof> {
    if delta > 0.0 && delta < 1.0 {
        Ok(delta)
    } else {
        Err(OutsideProof::Delta(delta))
    }
}

/// `noise`, if it is positive and finite.
pub(crate) fn check_noise(noise: f64) -> Result<f64, OutsideProof> {
    if noise > 0.0 && noise.is_finite() {
        Ok(noise)
    } else {
        Err(OutsideProof::Noise(noise))
    }
}

/// `q`, if it is positive and at most 1.
pub(crate) fn check_probability(q: f64) -> Result<f64, OutsideProof> {
    if q > 0.0 && q <= 1.0 {
        Ok(q)
    } else {
        Err(OutsideProof::Probability(q))
    }
}
