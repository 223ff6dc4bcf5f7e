//! Which noise a client adds, as integers.

use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::noise_levels::{LevelsError, NoiseLevels};
use crate::sampler::{MAX_PARTS, NoiseSampler, WIDEST_TABLE_Q16};

/// The law of the noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// No noise and no promise of privacy beyond secure aggregation.
    None,
    /// Skellam noise: the difference of two Poisson variables of equal mean. Sums of shares are exactly Skellam, so the law
    /// of the total does not depend on who drops out, only its variance does.
    Skellam,
    /// Discrete Gaussian noise. A sum of shares is close to a discrete Gaussian, not one: the distance, tau, is part of the account, and
    /// shares so narrow that it counts are refused. Not divided into levels.
    DiscreteGaussian,
}

/// Why noise is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoiseError {
    /// A share without variance.
    #[error("a noise share needs a positive variance")]
    Zero,
    /// A variance where no noise is drawn.
    #[error("share variance {0} x 2^-16 without a mechanism that draws it")]
    NoMechanism(u64),
    /// A share wider than the sampler admits, see [`NoiseShare::MAX_VARIANCE_Q16`].
    #[error("share variance {0} x 2^-16 is above the largest that is sampled, {max}", max = NoiseShare::MAX_VARIANCE_Q16)]
    TooLarge(u64),
    /// A discrete Gaussian wider than one table: no sum of narrower ones has its law.
    #[error("sigma^2 {0} x 2^-16 is above the largest discrete Gaussian that is sampled, {max}", max = NoiseSampler::MAX_GAUSSIAN_Q16)]
    GaussianTooWide(u64),
    /// Discrete Gaussian shares so narrow that their sum is no longer close to one.
    #[error("sigma^2 {0} x 2^-16 is below the smallest of a discrete Gaussian share, {min}", min = NoiseShare::MIN_GAUSSIAN_Q16)]
    GaussianTooNarrow(u64),
    /// The ticket was reserved for other parameters (grid, dimension, noise) or for none at all.
    #[error("the budget ticket was reserved for another release")]
    TicketMismatch,
    /// The ticket has paid for a noised vector before; a second one is a second release.
    #[error("the budget ticket has been used")]
    TicketUsed,
    /// Surplus was to be taken off from the middle of a block on.
    #[error("noise is drawn in whole blocks")]
    Unaligned,
    /// The levels.
    #[error(transparent)]
    Levels(#[from] LevelsError),
}

/// The noise one client adds to each coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseShare {
    mechanism: Mechanism,
    variance_q16: u64,
    levels: Option<NoiseLevels>,
}

impl NoiseShare {
    /// Largest variance of a share in units of 2^-16: 512 draws of standard deviation 10^4.
    pub const MAX_VARIANCE_Q16: u64 = WIDEST_TABLE_Q16 * MAX_PARTS;

    /// Smallest sigma^2 of a discrete Gaussian share in units of 2^-16: 4.5, sigma 2.12, where tau x d is below 10^-9, and so negligible
    /// ([`crate::account::renyi::DiscreteGaussianSum::check`]), for any number of shares up to 10^5 of the longest vector that there is.
    pub const MIN_GAUSSIAN_Q16: u64 = 9 << 15;

    /// No noise.
    pub fn none() -> Self {
        Self {
            mechanism: Mechanism::None,
            variance_q16: 0,
            levels: None,
        }
    }

    /// Skellam noise of variance `variance_q16` x 2^-16 in squared grid steps.
    ///
    /// # Errors
    /// [`NoiseError::Zero`], [`NoiseError::TooLarge`].
    pub fn skellam(variance_q16: u64) -> Result<Self, NoiseError> {
        match variance_q16 {
            0 => Err(NoiseError::Zero),
            v if v > Self::MAX_VARIANCE_Q16 => Err(NoiseError::TooLarge(v)),
            _ => Ok(Self {
                mechanism: Mechanism::Skellam,
                variance_q16,
                levels: None,
            }),
        }
    }

    /// Discrete Gaussian noise with sigma^2 = `sigma_squared_q16` x 2^-16 in squared grid steps.
    ///
    /// # Errors
    /// [`NoiseError::Zero`], [`NoiseError::GaussianTooNarrow`], [`NoiseError::GaussianTooWide`].
    pub fn discrete_gaussian(sigma_squared_q16: u64) -> Result<Self, NoiseError> {
        match sigma_squared_q16 {
            0 => Err(NoiseError::Zero),
            v if v < Self::MIN_GAUSSIAN_Q16 => Err(NoiseError::GaussianTooNarrow(v)),
            v if v > NoiseSampler::MAX_GAUSSIAN_Q16 => Err(NoiseError::GaussianTooWide(v)),
            variance_q16 => Ok(Self {
                mechanism: Mechanism::DiscreteGaussian,
                variance_q16,
                levels: None,
            }),
        }
    }

    /// The same noise, drawn in layers of which the surplus can be taken off the sum again.
    ///
    /// # Errors
    /// [`LevelsError::NoNoise`], [`LevelsError::Undivided`], [`LevelsError::OtherShare`] unless the layers add up to this share.
    pub fn with_levels(self, levels: NoiseLevels) -> Result<Self, LevelsError> {
        match self.mechanism {
            Mechanism::None => Err(LevelsError::NoNoise),
            Mechanism::DiscreteGaussian => Err(LevelsError::Undivided),
            Mechanism::Skellam if levels.share_variance_q16() != self.variance_q16 => {
                Err(LevelsError::OtherShare)
            }
            Mechanism::Skellam => Ok(Self {
                levels: Some(levels),
                ..self
            }),
        }
    }

    /// A share of this law and variance; of a discrete Gaussian sigma^2.
    ///
    /// # Errors
    /// [`NoiseError`] for a variance that is none of this law's.
    pub fn of_law(mechanism: Mechanism, variance_q16: u64) -> Result<Self, NoiseError> {
        match mechanism {
            Mechanism::None if variance_q16 == 0 => Ok(Self::none()),
            Mechanism::None => Err(NoiseError::NoMechanism(variance_q16)),
            Mechanism::Skellam => Self::skellam(variance_q16),
            Mechanism::DiscreteGaussian => Self::discrete_gaussian(variance_q16),
        }
    }

    /// The share that a round with this n, m and c states: its law and variance, and the drop-outs of its levels, if any.
    ///
    /// # Errors
    /// As [`NoiseShare::of_law`], and [`NoiseError::Levels`] for levels that are not those of such a round.
    pub fn of_round(
        mechanism: Mechanism,
        variance_q16: u64,
        counts: (u32, u32, u32),
        dropouts: &[u32],
    ) -> Result<Self, NoiseError> {
        let share = Self::of_law(mechanism, variance_q16)?;
        if dropouts.is_empty() {
            return Ok(share);
        }
        Ok(share.with_levels(NoiseLevels::derive(counts, variance_q16, dropouts)?)?)
    }

    /// The levels, if the noise is drawn in layers.
    pub fn levels(&self) -> Option<&NoiseLevels> {
        self.levels.as_ref()
    }

    /// Independent parts that the share is drawn in: 1, or one more than there are levels.
    pub fn layers(&self) -> u32 {
        self.levels.map_or(1, |levels| 1 + levels.levels().len() as u32)
    }

    /// Variance that one client keeps in the sum of so many survivors, in units of 2^-16: with levels what is left when the
    /// surplus is gone, without them the share.
    pub fn kept_variance_q16(&self, survivors: u32) -> u64 {
        self.levels
            .map_or(self.variance_q16, |levels| levels.kept_variance_q16(survivors))
    }

    /// The law.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Variance of one share, of a discrete Gaussian sigma^2, in units of 2^-16 squared grid steps; 0 without noise.
    pub fn variance_q16(&self) -> u64 {
        self.variance_q16
    }

    /// Standard deviation of the sum of `shares` shares in model units, for display.
    pub fn standard_deviation(&self, shares: u32, encoding: &Encoding) -> f64 {
        (f64::from(shares) * self.variance_q16 as f64 / 65536.0).sqrt() / encoding.steps_per_unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variance_is_bounded_both_ways() {
        assert_eq!(NoiseShare::skellam(0), Err(NoiseError::Zero));
        let max = NoiseShare::MAX_VARIANCE_Q16;
        assert_eq!(NoiseShare::skellam(max + 1), Err(NoiseError::TooLarge(max + 1)));
        assert_eq!(NoiseShare::skellam(max).unwrap().variance_q16(), max);
        assert_eq!(NoiseShare::none().mechanism(), Mechanism::None);
    }

    /// Failure: shares whose sum is far from a discrete Gaussian are accepted, or one that no table holds, or levels of a law that does
    /// not divide.
    #[test]
    fn discrete_gaussian_shares_are_neither_too_narrow_nor_too_wide() {
        let share = NoiseShare::discrete_gaussian;
        let (least, most) = (NoiseShare::MIN_GAUSSIAN_Q16, NoiseSampler::MAX_GAUSSIAN_Q16);
        assert_eq!(share(0), Err(NoiseError::Zero));
        assert_eq!(share(least - 1), Err(NoiseError::GaussianTooNarrow(least - 1)));
        assert_eq!(share(most + 1), Err(NoiseError::GaussianTooWide(most + 1)));
        assert_eq!(share(least).unwrap().variance_q16(), least);
        assert_eq!(share(most).unwrap().mechanism(), Mechanism::DiscreteGaussian);
        let sum = |sigma_squared_q16: u64| crate::account::renyi::DiscreteGaussianSum {
            sigma: (sigma_squared_q16 as f64 / 65_536.0).sqrt().next_down(),
            shares: crate::Plan::MAX_CLIENTS,
        };
        assert_eq!(sum(least).check(Encoding::MAX_DIMENSION), Ok(()));
        assert!(sum(4 << 16).check(Encoding::MAX_DIMENSION).is_err());
        assert_eq!(
            NoiseShare::of_law(Mechanism::None, 1),
            Err(NoiseError::NoMechanism(1))
        );
        let levels = NoiseLevels::derive((10, 7, 1), most, &[1, 2, 3]).unwrap();
        assert_eq!(
            share(most).unwrap().with_levels(levels),
            Err(LevelsError::Undivided)
        );
    }
}
