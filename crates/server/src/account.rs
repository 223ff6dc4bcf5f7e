//! The server's privacy account: the filter that decides before each round, and what the releases so far cost each
//! adversary. Both are rebuilt from the ledger at every start, so a crash can only over-count.

use std::collections::HashMap;

use tacita_ledger::entry::{self, Entry};
use tacita_privacy::{
    Adversary, Budget, BudgetFilter, BudgetRefusal, BudgetTicket, Concentrated, Decimal, Mechanism,
    NoiseShare, RdpCurve, Release,
};
use tacita_protocol::ledger_entries::{noise_of, release_of};
use tacita_protocol::manifest::CheckedManifest;

/// A charge in the ledger whose terms no account covers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger charges round {0}, and its manifest states no noise that can be accounted for")]
pub struct Unaccountable(
    /// Id of the attempt, hex.
    pub String,
);

/// What the releases so far cost one adversary.
#[derive(Debug, Clone)]
struct Spent {
    curve: RdpCurve,
    line: Concentrated,
    draws: u128,
    /// Something was released without noise, or with noise that the adversary knows.
    bare: bool,
}

impl Spent {
    fn nothing() -> Self {
        Self {
            curve: RdpCurve::zero(),
            line: Concentrated::NOTHING,
            draws: 0,
            bare: false,
        }
    }

    fn add(&mut self, release: &Release) {
        self.curve = self.curve.plus(&release.curve());
        self.line = self.line.plus(release.concentrated());
        self.draws = self.draws.saturating_add(release.draws());
    }

    fn epsilon(&self, delta: Decimal) -> Option<Decimal> {
        if self.bare {
            return None;
        }
        if self.draws == 0 {
            return Some(Decimal::ZERO);
        }
        // The least of the bounds that are proved for the noise, as an auditor reports it.
        let renyi = self.curve.epsilon_with_sampler(delta, self.draws);
        let concentrated = self.line.epsilon_with_sampler(delta, self.draws);
        [renyi, concentrated].into_iter().flatten().min()
    }
}

/// The account of one task.
pub struct Account {
    filter: Option<BudgetFilter>,
    delta: Decimal,
    server: Spent,
    public: Spent,
}

impl Account {
    /// For a task with a budget, or without any.
    ///
    /// # Errors
    /// [`BudgetRefusal`] for a budget out of range.
    pub fn new(budget: Option<Budget>) -> Result<Self, BudgetRefusal> {
        Ok(Self {
            delta: budget.map_or(Decimal::ZERO, |b| b.delta),
            filter: budget.map(BudgetFilter::new).transpose()?,
            server: Spent::nothing(),
            public: Spent::nothing(),
        })
    }

    /// Counts what the ledger says was charged, at the worst case and at the survivors that there were.
    ///
    /// # Errors
    /// [`Unaccountable`]: what it leaves out would be under-reported.
    pub fn replay(&mut self, task: &str, entries: &[Entry]) -> Result<(), Unaccountable> {
        let mut manifests: HashMap<&str, &entry::Manifest> = HashMap::new();
        for entry in entries {
            match entry {
                Entry::Manifest(manifest) if manifest.task == task => {
                    manifests.insert(&manifest.round_id, manifest);
                }
                Entry::Charge(charge) => {
                    let Some(manifest) = manifests.get(charge.round_id.as_str()) else {
                        continue;
                    };
                    let Some(terms) = Terms::of_entry(manifest)? else {
                        self.without_noise();
                        continue;
                    };
                    if let Some(filter) = &mut self.filter {
                        filter.charge_regardless(terms.worst);
                    }
                    self.count(&terms, u32::try_from(charge.survivor_count).unwrap_or(0));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Asks the filter for one round; `None`: the task has no budget and adds no noise.
    ///
    /// # Errors
    /// [`BudgetRefusal`]: the round must not start.
    pub fn reserve(&mut self, release: Option<Release>) -> Result<Option<BudgetTicket>, BudgetRefusal> {
        match (&mut self.filter, release) {
            (Some(filter), Some(release)) => Ok(Some(filter.reserve(release)?)),
            _ => Ok(None),
        }
    }

    /// A round that ended before its charge.
    pub fn release(&mut self, ticket: Option<BudgetTicket>) {
        if let (Some(filter), Some(ticket)) = (&mut self.filter, ticket) {
            let _ = filter.release(ticket);
        }
    }

    /// A committed charge, with the survivors that there were.
    pub fn commit(&mut self, ticket: Option<BudgetTicket>, manifest: &CheckedManifest, survivors: u32) {
        if let (Some(filter), Some(worst)) = (&mut self.filter, manifest.release()) {
            let reserved = ticket.is_some_and(|ticket| filter.commit(ticket).is_ok());
            if !reserved {
                filter.charge_regardless(worst);
            }
        }
        match Terms::of_manifest(manifest) {
            Some(terms) => self.count(&terms, survivors),
            None => self.without_noise(),
        }
    }

    fn without_noise(&mut self) {
        self.server.bare = true;
        self.public.bare = true;
    }

    fn count(&mut self, terms: &Terms, survivors: u32) {
        let server = Adversary::Server {
            colluders: terms.colluders,
        };
        for (spent, adversary) in [(&mut self.server, server), (&mut self.public, Adversary::Public)] {
            match adversary.honest_shares(survivors) {
                Some(honest) => spent.add(&terms.release(honest, survivors)),
                // It knows all of the noise.
                None => spent.bare = true,
            }
        }
    }

    /// Epsilon so far against the server with its colluders, rounded up; `None` without noise.
    #[must_use]
    pub fn epsilon_server(&self) -> Option<Decimal> {
        self.filter.as_ref().and_then(|_| self.server.epsilon(self.delta))
    }

    /// Epsilon so far against everybody else, rounded up; `None` without noise.
    #[must_use]
    pub fn epsilon_public(&self) -> Option<Decimal> {
        self.filter.as_ref().and_then(|_| self.public.epsilon(self.delta))
    }
}

/// What decides what a round costs.
struct Terms {
    /// At |U2| = m against the server.
    worst: Release,
    noise: NoiseShare,
    colluders: u32,
}

impl Terms {
    /// `Ok(None)` without noise.
    fn of_entry(manifest: &entry::Manifest) -> Result<Option<Self>, Unaccountable> {
        let terms = || {
            let narrow = |value: u64| u32::try_from(value).ok();
            let noise = noise_of(manifest)?;
            if noise.mechanism() == Mechanism::None {
                return Some(None);
            }
            let colluders = narrow(manifest.colluders)?;
            let honest = narrow(manifest.minimum_survivors)?.checked_sub(colluders)?;
            Some(Some(Self {
                worst: release_of(manifest, honest)?,
                noise,
                colluders,
            }))
        };
        terms().ok_or_else(|| Unaccountable(manifest.round_id.clone()))
    }

    fn of_manifest(manifest: &CheckedManifest) -> Option<Self> {
        Some(Self {
            worst: manifest.release()?,
            noise: manifest.noise(),
            colluders: u32::from(manifest.fields().colluders),
        })
    }

    /// With noise levels each survivor counts for what it keeps, as if all had revealed their surplus.
    fn release(&self, honest_shares: u32, survivors: u32) -> Release {
        self.worst.of_survivors(&self.noise, honest_shares, survivors)
    }
}

#[cfg(test)]
mod tests;
