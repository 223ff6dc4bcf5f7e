//! The participant's own budgets: one filter for each task, one for each task and day, one for everything together. All are
//! made from the rounds that were spent, so that a cap changed in the configuration holds from the next start on, for what
//! was charged before too.

use std::collections::BTreeMap;
use std::fmt;

use tacita_privacy::{Budget, BudgetFilter, BudgetTicket, Release};

use crate::config::Caps;

/// Seconds in a day, for daily caps.
pub(crate) const DAY: u64 = 86_400;

/// What a charge counts against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    /// All tasks over their whole lives.
    Total,
    /// One task over its whole life.
    Task(String),
    /// One task on one day (UTC), counted from 1970.
    Day(String, u64),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.write_str("cap on all tasks together"),
            Self::Task(_) => f.write_str("cap on the task"),
            Self::Day(..) => f.write_str("daily cap"),
        }
    }
}

/// All charges, and the reservations of the round in progress.
#[derive(Debug)]
pub(crate) struct Charges {
    caps: Option<Caps>,
    filters: BTreeMap<Scope, BudgetFilter>,
    /// Tickets beside the task's, which noises.
    open: Vec<(Scope, BudgetTicket)>,
}

impl Charges {
    /// Nothing charged yet.
    pub(crate) fn new(caps: Option<Caps>) -> Self {
        Self {
            caps,
            filters: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    /// The caps that a round of this task meets now; the task's own comes last.
    fn scopes(&self, task: &str, now: u64) -> Vec<(Scope, Budget)> {
        let Some(caps) = &self.caps else {
            return Vec::new();
        };
        let total = caps.total.map(|budget| (Scope::Total, budget));
        let day = caps
            .day
            .map(|budget| (Scope::Day(task.to_owned(), now / DAY), budget));
        let own = (Scope::Task(task.to_owned()), caps.task);
        total.into_iter().chain(day).chain([own]).collect()
    }

    fn filter(&mut self, scope: &Scope, budget: Budget) -> Result<&mut BudgetFilter, String> {
        let made = match self.filters.remove(scope) {
            Some(filter) => filter,
            None => BudgetFilter::new(budget).map_err(|refusal| format!("{scope}: {refusal}"))?,
        };
        Ok(self.filters.entry(scope.clone()).or_insert(made))
    }

    /// Counts a round found in the durable record, whatever the caps say.
    ///
    /// # Errors
    /// A cap outside its range, in words.
    pub(crate) fn replay(&mut self, task: &str, release: Release, time: u64) -> Result<(), String> {
        for (scope, budget) in self.scopes(task, time) {
            self.filter(&scope, budget)?.charge_regardless(release);
        }
        Ok(())
    }

    /// Sets one round aside in every filter, or in none.
    ///
    /// # Errors
    /// The cap that does not cover it, in words.
    pub(crate) fn reserve(&mut self, task: &str, release: Release, now: u64) -> Result<BudgetTicket, String> {
        // One round at a time: what an earlier one left open can no longer be spent.
        self.release_open();
        let mut last = None;
        for (scope, budget) in self.scopes(task, now) {
            let reserved = self.filter(&scope, budget).and_then(|filter| {
                filter
                    .reserve(release)
                    .map_err(|refusal| format!("{scope}: {refusal}"))
            });
            match reserved {
                Ok(ticket) => self.open.extend(last.replace((scope, ticket))),
                Err(refusal) => {
                    self.open.extend(last);
                    self.release_open();
                    return Err(refusal);
                }
            }
        }
        let (_, ticket) = last.ok_or("no [budget] is configured here")?;
        Ok(ticket)
    }

    /// Charges a round that was reserved, and leaves at `now`. Final, also for a ticket that is not known here any more.
    pub(crate) fn commit(&mut self, task: &str, release: Release, ticket: BudgetTicket, now: u64) {
        let own = (Scope::Task(task.to_owned()), ticket);
        let mut counted = Vec::new();
        for (scope, ticket) in self.open.drain(..).chain([own]) {
            if let Some(filter) = self.filters.get_mut(&scope)
                && filter.commit(ticket).is_err()
            {
                filter.charge_regardless(release);
            }
            counted.push(scope);
        }
        // Reserved before midnight and leaving after it: the day in its row counts it too, now as after a restart.
        for (scope, budget) in self.scopes(task, now) {
            if !counted.contains(&scope)
                && let Ok(filter) = self.filter(&scope, budget)
            {
                filter.charge_regardless(release);
            }
        }
    }

    /// Gives back a round that ended before anything masked left.
    pub(crate) fn give_back(&mut self, task: &str, ticket: BudgetTicket) {
        if ticket.reservation().is_some() {
            self.open.push((Scope::Task(task.to_owned()), ticket));
        }
        self.release_open();
    }

    fn release_open(&mut self) {
        for (scope, ticket) in self.open.drain(..) {
            if let Some(filter) = self.filters.get_mut(&scope) {
                let _ = filter.release(ticket);
            }
        }
    }

    /// How many more rounds like this one the caps on task and total admit; `None` without caps.
    pub(crate) fn rounds_left(&self, task: &str, release: &Release) -> Option<u64> {
        let caps = self.caps.as_ref()?;
        let own = Scope::Task(task.to_owned());
        [(Scope::Total, caps.total), (own, Some(caps.task))]
            .into_iter()
            .filter_map(|(scope, budget)| {
                let unspent = || {
                    BudgetFilter::new(budget?)
                        .ok()
                        .map(|new| new.rounds_left(release))
                };
                let known = self.filters.get(&scope);
                budget.and(known.map(|filter| filter.rounds_left(release)).or_else(unspent))
            })
            .min()
    }
}
