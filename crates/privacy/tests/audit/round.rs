//! One round through the public interface: every member clips, rotates, rounds, noises; the sum mod 2^b is all that is seen.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tacita_algebra::{RingBits, RingVector};
use tacita_privacy::*;

/// Implementations that are wrong in the ways that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// As it should be.
    None,
    /// Half the standard deviation.
    HalfDeviation,
    /// Half the variance.
    HalfVariance,
    /// One honest member adds no noise.
    MissingShare,
    /// Noise made for a sensitivity of S, as if rounding never made a vector longer.
    NoRoundingInflation,
    /// All members seed their noise alike.
    OneSeedForAll,
    /// Every member seeds its noise alike in each round.
    SeedsOfTheLastRound,
}

/// A cohort with `colluders` among it, whose shares the server knows: to it they are no noise, so here they add none.
pub(crate) struct Setting {
    pub(crate) clients: u32,
    pub(crate) colluders: u32,
    pub(crate) dimension: u32,
    pub(crate) grid: u32,
    pub share_variance_q16: u64,
}

pub(crate) struct Cohort {
    pub(crate) encoding: Encoding,
    setting: Setting,
    mutant: Mutant,
    /// The noise of honest members, as the mutant makes it.
    share: NoiseShare,
    rng: ChaCha20Rng,
}

/// Rounds and seeds are of one test run: alike in every run, so that no failure comes and goes.
const SEED: u64 = 21;

impl Cohort {
    pub(crate) fn new(setting: Setting, mutant: Mutant) -> Self {
        let bits = RingBits::new(32).unwrap();
        let clip = "1".parse().unwrap();
        let encoding = Encoding::new(setting.dimension, clip, setting.grid, bits, [4; 32]).unwrap();
        let whole = setting.share_variance_q16;
        let variance = match mutant {
            Mutant::HalfDeviation => whole / 4,
            Mutant::HalfVariance => whole / 2,
            Mutant::NoRoundingInflation => {
                let without = u128::from(setting.grid).pow(2);
                let squared = encoding.squared_l2_sensitivity();
                u64::try_from(u128::from(whole) * without / squared).unwrap()
            }
            _ => whole,
        };
        Self {
            encoding,
            share: NoiseShare::skellam(variance).unwrap(),
            rng: ChaCha20Rng::seed_from_u64(SEED),
            setting,
            mutant,
        }
    }

    /// What is promised, whatever the mutant does.
    pub(crate) fn promise(&self) -> SkellamRelease {
        SkellamRelease {
            grid: self.setting.grid,
            padded: self.encoding.padded(),
            share_variance_q16: self.setting.share_variance_q16,
            honest_shares: self.setting.clients - self.setting.colluders,
            shares: self.setting.clients,
        }
    }

    /// Variance that the promise rests on, in squared grid steps.
    pub(crate) fn promised_variance(&self) -> f64 {
        self.promise().honest_variance_q16() as f64 / 65536.0
    }

    /// The vector whose whole norm, once rotated, lies on one coordinate: the public rotation of the others undone.
    pub(crate) fn aimed_at(&self, coordinate: usize) -> Vec<f32> {
        let mut integers = vec![0i64; self.encoding.padded() as usize];
        integers[coordinate] = i64::from(self.setting.grid);
        let sum = RingVector::from_signed(self.encoding.bits(), &integers);
        let mean = DecodedMean::from_sum(&sum, &self.encoding, &NoiseShare::none(), 1, None).unwrap();
        mean.into_values()
    }

    /// The centred integer sum of a round to which member i brings `vectors[i]`, or zero where there is none. The last members
    /// collude.
    pub(crate) fn sum(&mut self, vectors: &[Vec<f32>]) -> Vec<i64> {
        let dimension = self.setting.dimension as usize;
        let honest = self.setting.clients - self.setting.colluders;
        let seed_of_round = self.rng.next_u64();
        let mut sum = RingVector::zeros(self.encoding.bits(), self.encoding.padded() as usize);
        for member in 0..self.setting.clients {
            let silent = member >= honest || (member == 0 && self.mutant == Mutant::MissingShare);
            let share = if silent { NoiseShare::none() } else { self.share };
            let headroom = Headroom::prove(self.encoding.clone(), share, self.setting.clients).unwrap();
            let mut noise_rng = ChaCha20Rng::seed_from_u64(match self.mutant {
                Mutant::OneSeedForAll => seed_of_round,
                Mutant::SeedsOfTheLastRound => u64::from(member),
                _ => self.rng.next_u64(),
            });
            let vector = vectors.get(member as usize);
            let local = LocalUpdate::new(vector.cloned().unwrap_or_else(|| vec![0.0; dimension])).unwrap();
            let noised = local
                .clip(&self.encoding)
                .unwrap()
                .encode(&headroom, &mut self.rng)
                .unwrap()
                .noise(&mut ticket(&self.encoding, &share, honest), &mut noise_rng)
                .unwrap();
            sum.add_assign(&noised.dangerous_into_ring()).unwrap();
        }
        sum.to_signed()
    }
}

/// A budget of its own for every vector: what rounds cost together is not the question here.
fn ticket(encoding: &Encoding, share: &NoiseShare, honest: u32) -> BudgetTicket {
    let Some(release) = Release::of_round(encoding, share, honest, honest) else {
        return BudgetTicket::without_any_privacy_promise();
    };
    let budget = Budget {
        epsilon: "40".parse().unwrap(),
        delta: "0.5".parse().unwrap(),
    };
    BudgetFilter::new(budget).unwrap().reserve(release).unwrap()
}
