//! The server's privacy account: the filter that decides before each round, and what the releases so far cost each
//! adversary. Both are rebuilt from the ledger at every start, so a crash can only over-count.

use tacita_ledger::entry::{self, Entry};
use tacita_privacy::{
    Adversary, Budget, BudgetFilter, BudgetRefusal, BudgetTicket, Decimal, NoiseShare, RdpCurve, Release,
    SkellamRelease,
};
use tacita_protocol::ledger_entries::noise_of;
use tacita_protocol::manifest::CheckedManifest;

/// What the releases so far cost one adversary.
#[derive(Debug, Clone)]
struct Spent {
    curve: RdpCurve,
    draws: u128,
}

impl Spent {
    fn nothing() -> Self {
        Self {
            curve: RdpCurve::zero(),
            draws: 0,
        }
    }

    fn add(&mut self, release: &Release) {
        self.curve = self.curve.plus(&release.curve());
        self.draws = self.draws.saturating_add(release.draws());
    }

    fn epsilon(&self, delta: Decimal) -> Option<Decimal> {
        self.curve.epsilon_with_sampler(delta, self.draws).ok()
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
    pub fn replay(&mut self, task: &str, entries: &[Entry]) {
        let mut manifests: Vec<&entry::Manifest> = Vec::new();
        for entry in entries {
            match entry {
                Entry::Manifest(manifest) if manifest.task == task => manifests.push(manifest),
                Entry::Charge(charge) => {
                    let reserved = manifests.iter().find(|m| m.round_id == charge.round_id);
                    if let Some(terms) = reserved.and_then(|m| Terms::of_entry(m)) {
                        if let (Some(filter), Some(release)) = (
                            &mut self.filter,
                            terms.release(terms.worst_server(), terms.minimum_survivors),
                        ) {
                            filter.charge_regardless(release);
                        }
                        self.count(&terms, u32::try_from(charge.survivor_count).unwrap_or(0));
                    }
                }
                _ => {}
            }
        }
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
        if let (Some(filter), Some(ticket)) = (&mut self.filter, ticket) {
            let _ = filter.commit(ticket);
        }
        if let Some(terms) = Terms::of_manifest(manifest) {
            self.count(&terms, survivors);
        }
    }

    fn count(&mut self, terms: &Terms, survivors: u32) {
        let server = Adversary::Server {
            colluders: terms.colluders,
        };
        for (spent, adversary) in [(&mut self.server, server), (&mut self.public, Adversary::Public)] {
            if let Some(release) = adversary
                .honest_shares(survivors)
                .and_then(|honest| terms.release(honest, survivors))
            {
                spent.add(&release);
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

/// The integers of a round that decide what it costs.
struct Terms {
    grid: u32,
    padded: u32,
    noise: NoiseShare,
    /// With which probability a record is sampled; `None` in the client unit.
    sampling: Option<Decimal>,
    clients: u32,
    colluders: u32,
    minimum_survivors: u32,
}

impl Terms {
    fn of_entry(manifest: &entry::Manifest) -> Option<Self> {
        if manifest.mechanism == entry::Mechanism::None {
            return None;
        }
        Some(Self {
            grid: u32::try_from(manifest.grid).ok()?,
            padded: u32::try_from(manifest.padded).ok()?,
            noise: noise_of(manifest)?,
            sampling: match &manifest.sampling {
                None => None,
                Some(sampling) => Some(sampling.parse().ok()?),
            },
            clients: u32::try_from(manifest.cohort).ok()?,
            colluders: u32::try_from(manifest.colluders).ok()?,
            minimum_survivors: u32::try_from(manifest.minimum_survivors).ok()?,
        })
    }

    fn of_manifest(manifest: &CheckedManifest) -> Option<Self> {
        manifest.release()?;
        let f = manifest.fields();
        Some(Self {
            grid: f.grid,
            padded: f.padded,
            noise: manifest.noise(),
            sampling: manifest.contribution().sampling(),
            clients: u32::from(f.cohort),
            colluders: u32::from(f.colluders),
            minimum_survivors: u32::from(f.minimum_survivors),
        })
    }

    fn worst_server(&self) -> u32 {
        self.minimum_survivors.saturating_sub(self.colluders)
    }

    /// With noise levels each survivor counts for what it keeps, as if all had revealed their surplus.
    fn release(&self, honest_shares: u32, survivors: u32) -> Option<Release> {
        let all = Release::Skellam(SkellamRelease {
            grid: self.grid,
            padded: self.padded,
            share_variance_q16: self.noise.kept_variance_q16(survivors),
            honest_shares,
            shares: self.clients.saturating_mul(self.noise.layers()),
        });
        (honest_shares > 0).then_some(all.of_records(self.sampling))
    }
}
