//! A privacy budget that refuses a round before it starts.
//!
//! A filter, not a meter: it holds for rounds whose parameters are chosen after seeing the results of earlier ones, because
//! the Renyi order it watches is fixed by the budget alone before the first round (Feldman, Zrnic, "Individual Privacy
//! Accounting via a Renyi Filter" 2021, fully adaptive composition at one order), or in the record unit by the budget and the first release. Taking the best of many orders at each step would not be covered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::sum::Sum;
use crate::account::{ORDERS, RdpCurve, Release, delta_for_rdp, log_terms, sampler_delta};
use crate::decimal::Decimal;
use crate::encoding::Encoding;
use crate::noise::{Mechanism, NoiseError, NoiseShare};
use crate::sensitivity::PrivacyUnit;

mod sum;

/// Why a round is refused, or a budget not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetRefusal {
    /// Charging the round would exceed the budget.
    #[error("the privacy budget of epsilon {epsilon} at delta {delta} does not cover another such round")]
    Exhausted {
        /// The budget's epsilon.
        epsilon: Decimal,
        /// The budget's delta.
        delta: Decimal,
    },
    /// The sampler's distance from the true law would exceed its part of delta (1/1024).
    #[error("the sampler's certified error would exceed its part of delta {delta}")]
    SamplerError {
        /// The budget's delta.
        delta: Decimal,
    },
    /// Epsilon must be positive and at most [`Budget::MAX_EPSILON`], delta positive and at most 1/2.
    #[error("a budget of epsilon {epsilon} at delta {delta} is outside the accepted range")]
    Range {
        /// The epsilon given.
        epsilon: Decimal,
        /// The delta given.
        delta: Decimal,
    },
    /// Epsilon is so small for this delta that no order admits any release.
    #[error("epsilon {epsilon} at delta {delta} admits no release at all")]
    TooSmall {
        /// The epsilon given.
        epsilon: Decimal,
        /// The delta given.
        delta: Decimal,
    },
    /// Rounds of one account protect the same unit; a bound for one says nothing about the other.
    #[error("the budget was spent on the privacy of single {spent}s, this round is about single {asked}s")]
    OtherUnit {
        /// What was charged or reserved.
        spent: PrivacyUnit,
        /// What the round would be charged as.
        asked: PrivacyUnit,
    },
    /// Too many reservations are open; commit or release some.
    #[error("more than {max} reservations are open", max = BudgetFilter::MAX_OPEN)]
    TooManyOpen,
}

/// A call on a filter that cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetMisuse {
    /// The ticket was not reserved here, or has been settled.
    #[error("the ticket does not belong to an open reservation of this budget")]
    UnknownTicket,
    /// The ticket promises no privacy, there is nothing to settle.
    #[error("the ticket stands for no charge")]
    NoCharge,
    /// A stored state that this code did not write.
    #[error("the stored budget state is inconsistent")]
    State,
}

/// An (epsilon, delta) never to be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Largest epsilon; positive.
    pub epsilon: Decimal,
    /// Delta it holds at, the sampler's part included; positive.
    pub delta: Decimal,
}

impl Budget {
    /// Largest epsilon accepted; far beyond any that promises something.
    pub const MAX_EPSILON: u32 = 100;

    /// The index in [`ORDERS`] of the order a filter watches, and the largest Renyi sum there.
    ///
    /// The order is the one that admits most releases of a curve linear in the order, as a Gaussian's is and a Skellam's
    /// nearly: the largest B(a)/a with B(a) = epsilon - ln(1 - 1/a) + (ln delta' + ln a)/(a - 1), delta' = delta (1 - 1/1024).
    pub(crate) fn watched(&self) -> Result<(usize, f64), BudgetRefusal> {
        let (epsilon, delta) = (self.epsilon, self.delta);
        let (e, d) = (epsilon.to_f64(), delta.to_f64());
        if !(e > 0.0 && e <= f64::from(Self::MAX_EPSILON) && d > 0.0 && d <= 0.5) {
            return Err(BudgetRefusal::Range { epsilon, delta });
        }
        let mut best: Option<(usize, f64, f64)> = None;
        for (index, order) in ORDERS.into_iter().enumerate() {
            let limit = self.limit_at(index);
            let slope = limit / f64::from(order);
            if limit > 0.0 && best.is_none_or(|(_, _, most)| slope > most) {
                best = Some((index, limit, slope));
            }
        }
        best.map(|(index, limit, _)| (index, limit))
            .ok_or(BudgetRefusal::TooSmall { epsilon, delta })
    }

    /// B(a), rounded down, at the order with this index in [`ORDERS`].
    fn limit_at(&self, index: usize) -> f64 {
        let epsilon = self.epsilon.to_f64();
        let (rdp_part, _) = delta_for_rdp(self.delta.to_f64());
        let (terms, magnitude) = log_terms(f64::from(ORDERS[index]), rdp_part);
        epsilon - terms - 1e-12 * (epsilon + magnitude)
    }
}

#[derive(Debug)]
enum Stake {
    NoPrivacy,
    Reserved { id: u64, release: Release },
}

/// The right to noise one vector, backed by a reservation. Dropping it keeps the reservation: it still counts.
#[derive(Debug)]
#[must_use = "a dropped ticket still counts against the budget; commit or release it"]
pub struct BudgetTicket {
    stake: Stake,
    used: bool,
}

impl BudgetTicket {
    /// A ticket for a round without noise, which no budget covers: secure aggregation hides single updates, the sum is
    /// released as it is.
    pub fn without_any_privacy_promise() -> Self {
        Self {
            stake: Stake::NoPrivacy,
            used: false,
        }
    }

    /// The reservation's number, if it stands for one.
    pub fn reservation(&self) -> Option<u64> {
        match self.stake {
            Stake::NoPrivacy => None,
            Stake::Reserved { id, .. } => Some(id),
        }
    }

    /// What was reserved.
    pub fn release(&self) -> Option<&Release> {
        match &self.stake {
            Stake::NoPrivacy => None,
            Stake::Reserved { release, .. } => Some(release),
        }
    }

    /// Marks the ticket as used for one vector with these parameters.
    pub(crate) fn spend_on(
        &mut self,
        encoding: &Encoding,
        share: &NoiseShare,
        sampling: Option<Decimal>,
    ) -> Result<(), NoiseError> {
        let fits = match &self.stake {
            Stake::NoPrivacy => share.mechanism() == Mechanism::None,
            Stake::Reserved { release, .. } => {
                release.matches(encoding, share) && release.sampling() == sampling
            }
        };
        if !fits {
            return Err(NoiseError::TicketMismatch);
        }
        if self.used {
            return Err(NoiseError::TicketUsed);
        }
        self.used = true;
        Ok(())
    }
}

/// A filter's durable state: integers and decimal strings, from which every number is recomputed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetState {
    /// The budget.
    pub budget: Budget,
    /// Distinct committed releases and how often each was charged, in order.
    pub committed: Vec<(Release, u64)>,
    /// Open reservations by number, in order.
    pub reserved: Vec<(u64, Release)>,
    /// The next reservation's number.
    pub next: u64,
    /// The order watched, where it was chosen for the first release: in the record unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
}

/// What has been charged and reserved against a [`Budget`]. Store [`BudgetFilter::state`] durably before acting on a change.
#[derive(Debug)]
pub struct BudgetFilter {
    budget: Budget,
    /// Index of the order watched, and the largest Renyi sum there.
    watched: (usize, f64),
    /// The same before any release.
    initial: (usize, f64),
    /// Whether the order was chosen for the first release.
    chosen: bool,
    committed: BTreeMap<Release, u64>,
    /// The same, added up.
    sum: Sum,
    reserved: BTreeMap<u64, Release>,
    /// Reservations whose ticket has been handed out since this filter was made.
    handed_out: BTreeSet<u64>,
    next: u64,
}

impl BudgetFilter {
    /// Most open reservations.
    pub const MAX_OPEN: usize = 1024;

    /// An unspent budget.
    ///
    /// # Errors
    /// [`BudgetRefusal::Range`], [`BudgetRefusal::TooSmall`].
    pub fn new(budget: Budget) -> Result<Self, BudgetRefusal> {
        let initial = budget.watched()?;
        Ok(Self {
            budget,
            watched: initial,
            initial,
            chosen: false,
            committed: BTreeMap::new(),
            sum: Sum::nothing(),
            reserved: BTreeMap::new(),
            handed_out: BTreeSet::new(),
            next: 0,
        })
    }

    /// Continues from a stored state, reservations included.
    ///
    /// # Errors
    /// [`BudgetMisuse::State`] unless the state is one that [`BudgetFilter::state`] can give.
    pub fn restore(state: BudgetState) -> Result<Self, BudgetMisuse> {
        let mut filter = Self::new(state.budget).map_err(|_| BudgetMisuse::State)?;
        let (committed, reserved) = (state.committed.len(), state.reserved.len());
        filter.committed = state
            .committed
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .collect();
        for (&release, &count) in &filter.committed {
            filter.sum.add(release, count);
        }
        filter.reserved = state
            .reserved
            .into_iter()
            .filter(|&(id, _)| id < state.next)
            .collect();
        filter.next = state.next;
        let of_records = |release: &Release| release.unit() == PrivacyUnit::Record;
        let chosen = filter
            .committed
            .keys()
            .chain(filter.reserved.values())
            .any(of_records);
        if let Some(order) = state.order {
            let index = ORDERS.iter().position(|&known| known == order);
            let index = index.ok_or(BudgetMisuse::State)?;
            filter.watched = (index, state.budget.limit_at(index));
            filter.chosen = true;
        } else if chosen {
            return Err(BudgetMisuse::State);
        }
        let whole = filter.committed.len() == committed && filter.reserved.len() == reserved;
        if whole && reserved <= Self::MAX_OPEN {
            Ok(filter)
        } else {
            Err(BudgetMisuse::State)
        }
    }

    /// The state to store.
    pub fn state(&self) -> BudgetState {
        BudgetState {
            budget: self.budget,
            committed: self
                .committed
                .iter()
                .map(|(&release, &count)| (release, count))
                .collect(),
            reserved: self
                .reserved
                .iter()
                .map(|(&id, &release)| (id, release))
                .collect(),
            next: self.next,
            order: self.chosen.then(|| ORDERS[self.watched.0]),
        }
    }

    /// The order to watch if this is the first release, and the largest Renyi sum there.
    ///
    /// A sampled release's curve is far from linear in the order, so in the record unit the order is the one that admits most releases like the
    /// first: the largest B(a) / r(a). Nothing was released when it is chosen, so it depends on no result.
    fn watched_for(&self, release: &Release) -> (usize, f64) {
        let untouched = self.committed.is_empty() && self.reserved.is_empty() && !self.chosen;
        if !untouched || release.unit() == PrivacyUnit::Client {
            return self.watched;
        }
        let curve = release.curve();
        let admitted = |index: usize| self.budget.limit_at(index) / curve.at_index(index);
        let mut best = self.watched;
        for index in 0..ORDERS.len() {
            // The curve of a release with noise is positive; a limit below 0 admits nothing.
            if admitted(index) > admitted(best.0) {
                best = (index, self.budget.limit_at(index));
            }
        }
        best
    }

    /// Fixes the order before anything is counted.
    fn fix_order(&mut self, release: &Release) {
        self.watched = self.watched_for(release);
        self.chosen |= release.unit() == PrivacyUnit::Record;
    }

    /// Sets the cost of one round aside, or refuses the round.
    ///
    /// # Errors
    /// [`BudgetRefusal::Exhausted`], [`BudgetRefusal::SamplerError`], [`BudgetRefusal::OtherUnit`], [`BudgetRefusal::TooManyOpen`]; nothing has changed then.
    pub fn reserve(&mut self, release: Release) -> Result<BudgetTicket, BudgetRefusal> {
        if self.reserved.len() >= Self::MAX_OPEN {
            return Err(BudgetRefusal::TooManyOpen);
        }
        self.admits(&release, 1)?;
        self.fix_order(&release);
        let id = self.next;
        self.next += 1;
        self.reserved.insert(id, release);
        self.handed_out.insert(id);
        Ok(BudgetTicket {
            stake: Stake::Reserved { id, release },
            used: false,
        })
    }

    /// Turns a reservation into a charge. Final: nothing takes a charge back.
    ///
    /// # Errors
    /// [`BudgetMisuse::UnknownTicket`], [`BudgetMisuse::NoCharge`]; what was reserved stays reserved then.
    pub fn commit(&mut self, ticket: BudgetTicket) -> Result<(), BudgetMisuse> {
        let release = self.settle(&ticket)?;
        self.charge_regardless(release);
        Ok(())
    }

    /// Gives a reservation back: the round ended before anything left. While nothing was charged, what was only reserved chooses no order: a
    /// record of charges alone gives the same one.
    ///
    /// # Errors
    /// As [`BudgetFilter::commit`].
    pub fn release(&mut self, ticket: BudgetTicket) -> Result<(), BudgetMisuse> {
        self.settle(&ticket)?;
        if self.committed.is_empty() && self.reserved.is_empty() {
            self.chosen = false;
            self.watched = self.initial;
        }
        Ok(())
    }

    /// Records a charge that has happened whether or not the budget allows it, such as a second statement for one round.
    /// Past the budget, every later reservation is refused.
    pub fn charge_regardless(&mut self, release: Release) {
        self.fix_order(&release);
        let count = self.committed.entry(release).or_insert(0);
        *count = count.saturating_add(1);
        self.sum.add(release, 1);
    }

    /// The ticket of a reservation found after a restart, for settling only: a vector noised before the restart may have
    /// left, so another one is refused. `None` if there is no such reservation or its ticket is still around.
    pub fn resume(&mut self, id: u64) -> Option<BudgetTicket> {
        let release = *self.reserved.get(&id)?;
        self.handed_out.insert(id).then_some(BudgetTicket {
            stake: Stake::Reserved { id, release },
            used: true,
        })
    }

    /// The budget.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The Renyi curve of all charges and reservations.
    pub fn spent(&self) -> RdpCurve {
        let open = self.reserved.values();
        open.fold(self.sum.total(), |sum, release| {
            sum.plus(&self.sum.curve_of(release))
        })
    }

    /// How many more rounds of this kind the budget admits, up to 2^32.
    pub fn rounds_left(&self, release: &Release) -> u64 {
        let (mut low, mut high) = (0u64, 1u64 << 32);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.admits(release, middle).is_ok() {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    /// Whether `count` more rounds of this kind could be reserved and charged.
    ///
    /// # Errors
    /// [`BudgetRefusal::Exhausted`], [`BudgetRefusal::SamplerError`], [`BudgetRefusal::OtherUnit`].
    pub fn admits(&self, release: &Release, count: u64) -> Result<(), BudgetRefusal> {
        let asked = release.unit();
        let mut known = self.committed.keys().chain(self.reserved.values());
        if let Some(other) = known.find(|known| known.unit() != asked) {
            let spent = other.unit();
            return Err(BudgetRefusal::OtherUnit { spent, asked });
        }
        let total = self.spent().plus(&self.sum.curve_of(release).times(count));
        let (order, limit) = self.watched_for(release);
        if total.at_index(order) > limit {
            return Err(BudgetRefusal::Exhausted {
                epsilon: self.budget.epsilon,
                delta: self.budget.delta,
            });
        }
        let asked = release.draws().saturating_mul(u128::from(count));
        let draws = self
            .reserved
            .values()
            .map(Release::draws)
            .fold(self.sum.draws().saturating_add(asked), u128::saturating_add);
        let (_, sampler_part) = delta_for_rdp(self.budget.delta.to_f64());
        if sampler_delta(self.budget.epsilon.to_f64(), draws) > sampler_part {
            return Err(BudgetRefusal::SamplerError {
                delta: self.budget.delta,
            });
        }
        Ok(())
    }

    fn settle(&mut self, ticket: &BudgetTicket) -> Result<Release, BudgetMisuse> {
        let Stake::Reserved { id, release } = ticket.stake else {
            return Err(BudgetMisuse::NoCharge);
        };
        // Another budget may have given the same number to another release.
        if self.reserved.get(&id) != Some(&release) || !self.handed_out.contains(&id) {
            return Err(BudgetMisuse::UnknownTicket);
        }
        self.reserved.remove(&id);
        self.handed_out.remove(&id);
        Ok(release)
    }
}

#[cfg(test)]
mod tests;
