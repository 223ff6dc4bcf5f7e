//! Levels of drop-outs: how much of the noise stays in a sum from which fewer dropped out than the round allows.
//!
//! XNoise (Jiang, Wang, Chen, "Dordis: Efficient Federated Learning with Dropout-Resilient Differential Privacy", 2022,
//! section 4), with at most eight levels in place of one for every drop-out, and counted on honest shares only. With total
//! variance V, cohort n, least survivors m and c colluders, and public levels 0 = r_0 < r_1 < ... < r_L = n - m, a client's
//! noise is a base of variance K_0 and layers 1..L of variance K_l - K_{l-1}, K_l = ceil(V / (n - c - r_l)). Of |U2|
//! survivors each keeps K_l for the smallest r_l >= n - |U2|: the |U2| - c honest ones hold V or more between them, because
//! n - c - r_l <= |U2| - c. K_L is the share V / (m - c) of a round without levels.

use core::fmt;

use crate::noise::NoiseShare;

/// Why levels are not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// None, or more than [`NoiseLevels::MAX`].
    #[error("there must be 1 to {max} noise levels", max = NoiseLevels::MAX)]
    Count,
    /// Not strictly rising from 1.
    #[error("noise levels must rise from 1 drop-out or more")]
    NotRising,
    /// The last level is not the number of drop-outs that the round tolerates.
    #[error("the last noise level must be {0}, the drop-outs that the round tolerates")]
    Last(u32),
    /// m above n, or c not below m.
    #[error("noise levels need colluders below the minimum of survivors, and those within the cohort")]
    Cohort,
    /// A round without noise has none to take away.
    #[error("noise levels need noise")]
    NoNoise,
    /// Only Skellam noise is a sum of parts of the same law.
    #[error("noise levels need Skellam noise: a discrete Gaussian is not a sum of layers")]
    Undivided,
    /// So little noise that two levels keep the same.
    #[error("there is too little noise to be divided into these levels")]
    TooLittleNoise,
    /// The share is not the last level's.
    #[error("the noise levels are those of another share")]
    OtherShare,
}

/// One level, and the layer of noise that is kept from it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoiseLevel {
    /// r_l, drop-outs up to which this layer is enough.
    pub dropouts: u32,
    /// Variance of the layer, in units of 2^-16 squared grid steps: K_l - K_{l-1}.
    pub variance_q16: u64,
}

/// The levels of a round and the variances that follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoiseLevels {
    cohort: u32,
    base_q16: u64,
    levels: [NoiseLevel; Self::MAX],
    count: usize,
}

impl NoiseLevels {
    /// Most levels.
    pub const MAX: usize = 8;
    /// What is allowed to be too much when everybody reveals, in thousandths of V, of levels that are found and not given.
    pub const TARGET_PER_MILLE: u32 = 50;

    /// The levels at these numbers of drop-outs for a round of n = `cohort`, m and c with this share, V = share x (m - c).
    ///
    /// # Errors
    /// [`LevelsError`], one variant per cause.
    pub fn derive(
        (cohort, minimum_survivors, colluders): (u32, u32, u32),
        share_variance_q16: u64,
        dropouts: &[u32],
    ) -> Result<Self, LevelsError> {
        if minimum_survivors > cohort || colluders >= minimum_survivors {
            return Err(LevelsError::Cohort);
        }
        if dropouts.is_empty() || dropouts.len() > Self::MAX {
            return Err(LevelsError::Count);
        }
        let rising = dropouts.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if !rising || dropouts.first() == Some(&0) {
            return Err(LevelsError::NotRising);
        }
        let tolerated = cohort - minimum_survivors;
        if dropouts.last() != Some(&tolerated) {
            return Err(LevelsError::Last(tolerated));
        }
        if share_variance_q16 == 0 {
            return Err(LevelsError::NoNoise);
        }
        let total = u128::from(share_variance_q16) * u128::from(minimum_survivors - colluders);
        // Rounded up, so that what honest survivors keep never adds up to less than V. At most the share, a u64.
        let kept = |dropouts: u32| {
            let honest = u128::from(cohort - colluders - dropouts);
            u64::try_from(total.div_ceil(honest)).unwrap_or(u64::MAX)
        };
        let base_q16 = kept(0);
        let mut levels = [NoiseLevel::default(); Self::MAX];
        let mut below = base_q16;
        for (level, &dropouts) in levels.iter_mut().zip(dropouts) {
            let variance_q16 = kept(dropouts) - below;
            if variance_q16 == 0 {
                return Err(LevelsError::TooLittleNoise);
            }
            *level = NoiseLevel {
                dropouts,
                variance_q16,
            };
            below += variance_q16;
        }
        Ok(Self {
            cohort,
            base_q16,
            levels,
            count: dropouts.len(),
        })
    }

    /// The levels, by rising drop-outs.
    pub fn levels(&self) -> &[NoiseLevel] {
        &self.levels[..self.count]
    }

    /// K_0, variance of the base that is always kept, in units of 2^-16.
    pub fn base_variance_q16(&self) -> u64 {
        self.base_q16
    }

    /// K_L, variance of all of a client's noise.
    pub fn share_variance_q16(&self) -> u64 {
        self.base_q16 + self.levels().iter().map(|level| level.variance_q16).sum::<u64>()
    }

    /// Layers kept above the base when this many of the cohort survive: l for the smallest r_l >= n - |U2|, 0 without
    /// drop-outs, all of them below m.
    pub fn layers_kept(&self, survivors: u32) -> usize {
        let dropouts = self.cohort.saturating_sub(survivors);
        let short = self
            .levels()
            .iter()
            .filter(|level| level.dropouts < dropouts)
            .count();
        (short + usize::from(dropouts > 0)).min(self.count)
    }

    /// K_l: variance that one client keeps in the sum, in units of 2^-16.
    pub fn kept_variance_q16(&self, survivors: u32) -> u64 {
        let kept = &self.levels()[..self.layers_kept(survivors)];
        self.base_q16 + kept.iter().map(|level| level.variance_q16).sum::<u64>()
    }

    /// The first layer that is surplus among so many survivors, counted from 1; `None` if all are kept.
    pub fn first_surplus(&self, survivors: u32) -> Option<usize> {
        let kept = self.layers_kept(survivors);
        (kept < self.count).then_some(kept + 1)
    }
}

/// The numbers of drop-outs as the ledger writes them: `1,3,10`.
impl fmt::Display for NoiseLevels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, level) in self.levels().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", level.dropouts)?;
        }
        Ok(())
    }
}

/// Reads what [`NoiseLevels`] displays; `None` for another spelling.
pub fn parse_dropouts(text: &str) -> Option<Vec<u32>> {
    let numbers: Vec<u32> = text
        .split(',')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let plain: Vec<String> = numbers.iter().map(u32::to_string).collect();
    (plain.join(",") == text).then_some(numbers)
}

/// Levels found for a cohort, and what they reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLevels {
    /// Drop-outs of each level. Empty when none are tolerated.
    pub dropouts: Vec<u32>,
    /// No more than so many thousandths above V stay in the sum when everybody reveals.
    pub excess_per_mille: u32,
}

impl FoundLevels {
    /// The fewest levels that leave at most [`NoiseLevels::TARGET_PER_MILLE`] too much, spread evenly; if eight cannot, the
    /// eight that leave least. `None` if m and c are not those of a round.
    ///
    /// From honest survivors k at one level the next one below may have the most k' with (k' - 1) / k < 1 + e: one more
    /// survivor than the level is made for would still be served by this one. So the numbers of honest survivors grow
    /// geometrically from m - c to n - c.
    pub fn find(cohort: u32, minimum_survivors: u32, colluders: u32) -> Option<Self> {
        if minimum_survivors > cohort || colluders >= minimum_survivors || cohort > crate::Plan::MAX_CLIENTS {
            return None;
        }
        let (most, least) = (cohort - colluders, minimum_survivors - colluders);
        let at = |per_mille: u32| {
            let mut dropouts = Vec::new();
            let mut honest = u64::from(least);
            while honest < u64::from(most) {
                dropouts.push(most - u32::try_from(honest).unwrap_or(most));
                honest = (honest * u64::from(1000 + per_mille)).div_ceil(1000);
            }
            dropouts.reverse();
            dropouts
        };
        let count = at(NoiseLevels::TARGET_PER_MILLE).len().min(NoiseLevels::MAX);
        // One level suffices at an excess of (n - c) / (m - c), and fewer levels never do with less.
        let (mut low, mut high) = (0u32, 1000 * (most / least + 1));
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if at(middle).len() <= count {
                high = middle;
            } else {
                low = middle;
            }
        }
        let dropouts = at(high);
        let excess_per_mille = worst_excess(most, &dropouts);
        Some(Self {
            dropouts,
            excess_per_mille,
        })
    }

    /// Whether the excess is at most [`NoiseLevels::TARGET_PER_MILLE`].
    pub fn meets_target(&self) -> bool {
        self.excess_per_mille <= NoiseLevels::TARGET_PER_MILLE
    }

    /// What these levels reach, whoever chose them. `None` if they are not levels of this round.
    pub fn of(cohort: u32, minimum_survivors: u32, colluders: u32, dropouts: &[u32]) -> Option<Self> {
        let ids = (cohort, minimum_survivors, colluders);
        NoiseLevels::derive(ids, NoiseShare::MAX_VARIANCE_Q16, dropouts).ok()?;
        Some(Self {
            dropouts: dropouts.to_vec(),
            excess_per_mille: worst_excess(cohort - colluders, dropouts),
        })
    }
}

/// max (|U2| - c) / (n - c - r_l) - 1 over all survivors, in thousandths rounded up: just past a level the next one serves.
fn worst_excess(honest_cohort: u32, dropouts: &[u32]) -> u32 {
    let mut below = 0;
    let mut worst = 0;
    for &level in dropouts {
        let most = u64::from(honest_cohort.saturating_sub(below + 1));
        let least = u64::from(honest_cohort.saturating_sub(level)).max(1);
        worst = worst.max((most * 1000).div_ceil(least).saturating_sub(1000));
        below = level;
    }
    u32::try_from(worst).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
