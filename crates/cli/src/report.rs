//! The privacy report: what the committed charges of a ledger cost, recomputed from its entries alone.
//!
//! Comes in: the entries of a ledger that was verified. Goes out: a [`Report`] with one row per charge and the epsilon
//! spent so far in the view of two adversaries, or a [`NoReport`] that names what is missing. What outcome entries
//! claim is never used, only compared: a claim below the recomputed value is a [`Finding`].
//!
//! The server with its c colluders does not know the noise of |U2| - c survivors; anyone else, who may be one
//! participant, not that of |U2| - 1. Every committed charge counts, with or without an outcome, and every repetition
//! of a round counts again.

mod claims;
mod model;
pub(crate) mod text;

use std::collections::{BTreeMap, HashMap, HashSet};

use tacita_ledger::entry::{Adjacency, Charge, Entry, Manifest, Mechanism, Outcome, Unit};
use tacita_privacy::{
    Adversary, Decimal, Encoding, IntegerSensitivity, NoiseShare, RdpCurve, Release, SkellamRelease,
};

pub(crate) use model::{Finding, NoReport, Report, Round, Spent, Task};

/// Noise per coordinate is written in units of 2^-16 squared grid steps.
const Q16: u128 = 1 << 16;
/// Distinct releases that are summed anew for every row.
const MAX_DISTINCT: usize = 512;

/// Recomputes the report from the entries of a verified ledger, in order.
///
/// # Errors
/// [`NoReport`] if a charged round lacks a field that its cost depends on, or has one that cannot be accounted for.
pub(crate) fn recompute(entries: &[Entry]) -> Result<Report, NoReport> {
    let mut books = Books::default();
    for (index, entry) in (0u64..).zip(entries) {
        match entry {
            Entry::Manifest(manifest) => books.manifest(index, manifest),
            Entry::Charge(charge) => books.charge(index, charge)?,
            Entry::Outcome(outcome) => books.outcome(index, outcome)?,
            Entry::Release(release) => books.release(&release.round_id),
        }
    }
    Ok(books.close())
}

/// Releases in one adversary's view.
#[derive(Debug)]
struct Account {
    releases: BTreeMap<Release, u64>,
    /// The sum of their curves, one by one, and of their draws.
    curve: RdpCurve,
    draws: u128,
    /// Something was released whose noise this adversary knows, or that has none.
    bare: bool,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            releases: BTreeMap::new(),
            curve: RdpCurve::zero(),
            draws: 0,
            bare: false,
        }
    }
}

impl Account {
    fn charge(&mut self, release: Option<Release>) {
        let Some(release) = release else {
            self.bare = true;
            return;
        };
        let count = self.releases.entry(release).or_insert(0);
        *count = count.saturating_add(1);
        self.curve = self.curve.plus(&release.curve());
        self.draws = self.draws.saturating_add(release.draws());
    }

    /// Epsilon of everything so far, rounded up; `None` if no finite value can be certified.
    fn epsilon(&self, delta: Option<Decimal>) -> Option<Decimal> {
        if self.bare {
            return None;
        }
        if self.releases.is_empty() {
            return Some(Decimal::ZERO);
        }
        // Equal releases are multiplied, as a budget filter does: fewer roundings, so that an honest claim made that
        // way is met to the last digit. A ledger made to have no equal ones must not cost the reader hours.
        if self.releases.len() > MAX_DISTINCT {
            return self.curve.epsilon_with_sampler(delta?, self.draws).ok();
        }
        let sum =
            |curve: RdpCurve, (release, &count): (&Release, &u64)| curve.plus(&release.curve().times(count));
        let curve = self.releases.iter().fold(RdpCurve::zero(), sum);
        curve.epsilon_with_sampler(delta?, self.draws).ok()
    }
}

/// What both adversaries have seen of something.
#[derive(Debug, Default)]
struct Accounts {
    server: Account,
    public: Account,
    /// The smallest delta stated for any of it.
    delta: Option<Decimal>,
    /// Rounds that were charged.
    rounds: HashSet<u64>,
}

impl Accounts {
    fn charge(&mut self, noise: &Noise) {
        self.server.charge(noise.server);
        self.public.charge(noise.public);
        self.delta = match (self.delta, noise.delta) {
            (Some(old), Some(new)) => Some(old.min(new)),
            (old, new) => old.or(new),
        };
    }

    fn spent(&self, delta: Option<Decimal>) -> Spent {
        Spent {
            delta,
            epsilon_server: self.server.epsilon(delta),
            epsilon_public: self.public.epsilon(delta),
        }
    }
}

/// The noise of one charge as the accountant takes it.
#[derive(Debug)]
struct Noise {
    delta: Option<Decimal>,
    share_variance_q16: u64,
    server: Option<Release>,
    public: Option<Release>,
}

/// The state after the entries so far.
#[derive(Debug, Default)]
struct Books<'a> {
    /// By attempt: index and text of its manifest.
    manifests: HashMap<&'a str, (u64, &'a Manifest)>,
    /// By attempt: task and row of its charge.
    charged: HashMap<&'a str, (&'a str, usize)>,
    tasks: BTreeMap<&'a str, (Accounts, Task)>,
    all: Accounts,
    findings: Vec<Finding>,
}

impl<'a> Books<'a> {
    fn manifest(&mut self, index: u64, manifest: &'a Manifest) {
        self.manifests.insert(&manifest.round_id, (index, manifest));
        self.task(&manifest.task).1.attempts += 1;
    }

    fn release(&mut self, round_id: &str) {
        if let Some((_, manifest)) = self.manifests.get(round_id) {
            self.task(&manifest.task).1.released += 1;
        }
    }

    fn task(&mut self, name: &'a str) -> &mut (Accounts, Task) {
        self.tasks
            .entry(name)
            .or_insert_with(|| (Accounts::default(), Task::new(name)))
    }

    fn charge(&mut self, index: u64, charge: &'a Charge) -> Result<(), NoReport> {
        let &(manifest_entry, manifest) = self
            .manifests
            .get(charge.round_id.as_str())
            .ok_or(NoReport::NoManifest { entry: index })?;
        let noise = account(manifest_entry, manifest, charge)?;
        self.all.charge(&noise);
        let (accounts, task) = self.task(&manifest.task);
        accounts.charge(&noise);
        let row = Round {
            repeated: !accounts.rounds.insert(charge.round),
            ..row(index, manifest, charge, &noise, accounts.spent(noise.delta))
        };
        task.rounds.push(row);
        let at = task.rounds.len() - 1;
        let findings = claims::budget(manifest, task.rounds.last());
        self.charged.insert(&charge.round_id, (&manifest.task, at));
        self.findings.extend(findings);
        Ok(())
    }

    fn outcome(&mut self, index: u64, outcome: &Outcome) -> Result<(), NoReport> {
        let &(name, at) = self
            .charged
            .get(outcome.round_id.as_str())
            .ok_or(NoReport::NoCharge { entry: index })?;
        let (accounts, task) = self.task(name);
        let Some(row) = task.rounds.get_mut(at) else {
            return Err(NoReport::NoCharge { entry: index });
        };
        // Other charges may have come between: the claim is of what was spent when it was made.
        let spent = accounts.spent(row.spent.delta);
        row.outcome = Some(claims::row(index, outcome));
        let findings = claims::compare(name, index, outcome, &spent);
        self.findings.extend(findings);
        Ok(())
    }

    fn close(self) -> Report {
        let several = self.tasks.len() > 1;
        let tasks = self
            .tasks
            .into_values()
            .map(|(accounts, task)| Task {
                spent: accounts.spent(accounts.delta),
                ..task
            })
            .collect();
        let all_tasks = several.then(|| self.all.spent(self.all.delta));
        Report {
            tasks,
            all_tasks,
            findings: self.findings,
        }
    }
}

/// Turns a charge into what the accountant takes, or says which field is missing or out of its range.
fn account(entry: u64, manifest: &Manifest, charge: &Charge) -> Result<Noise, NoReport> {
    // The accountant covers exactly this; another unit or relation in an entry must not pass for it.
    let (Unit::Client, Adjacency::ZeroOut) = (manifest.unit, manifest.adjacency);
    let field = |field| NoReport::Field {
        entry,
        task: manifest.task.clone(),
        round: manifest.round,
        field,
    };
    if manifest.mechanism == Mechanism::None {
        return Ok(Noise {
            delta: None,
            share_variance_q16: 0,
            server: None,
            public: None,
        });
    }
    let delta = manifest.budget_delta.as_ref().ok_or(NoReport::Missing {
        entry,
        task: manifest.task.clone(),
        round: manifest.round,
        field: "budget_delta",
    })?;
    let delta: Decimal = delta.parse().map_err(|_| field("budget_delta"))?;
    if delta.is_zero() || delta.to_f64() >= 1.0 {
        return Err(field("budget_delta"));
    }
    let narrow = |value: u64, name| u32::try_from(value).map_err(|_| field(name));
    let grid = narrow(manifest.grid, "grid")?;
    let dimension = narrow(manifest.dimension, "dimension")?;
    let padded = narrow(manifest.padded, "padded")?;
    if grid > Encoding::MAX_GRID {
        return Err(field("grid"));
    }
    if dimension > Encoding::MAX_DIMENSION || !Encoding::can_pad(dimension, padded) {
        return Err(field("padded"));
    }
    let share_variance_q16: u64 = manifest
        .share_variance_q16
        .parse()
        .map_err(|_| field("share_variance_q16"))?;
    NoiseShare::skellam(share_variance_q16).map_err(|_| field("share_variance_q16"))?;
    let colluders = narrow(manifest.colluders, "colluders")?;
    let survivors = narrow(charge.survivor_count, "survivor_count")?;
    let shares = narrow(manifest.cohort, "cohort")?;
    let release = |adversary: Adversary| {
        adversary.honest_shares(survivors).map(|honest_shares| {
            Release::Skellam(SkellamRelease {
                grid,
                padded,
                share_variance_q16,
                honest_shares,
                shares,
            })
        })
    };
    Ok(Noise {
        delta: Some(delta),
        share_variance_q16,
        server: release(Adversary::Server { colluders }),
        public: release(Adversary::Public),
    })
}

fn row(entry: u64, manifest: &Manifest, charge: &Charge, noise: &Noise, spent: Spent) -> Round {
    let shares = |count: u64| u128::from(noise.share_variance_q16).saturating_mul(u128::from(count));
    let planned = shares(manifest.minimum_survivors.saturating_sub(manifest.colluders));
    let present = shares(charge.survivor_count.saturating_sub(manifest.colluders));
    // With noise, `account` has bounded both.
    let sensitivity = match (u32::try_from(manifest.grid), u32::try_from(manifest.padded)) {
        (Ok(grid), Ok(padded)) => Some(IntegerSensitivity::after_rounding(grid, padded)),
        _ => None,
    };
    Round {
        entry,
        task: manifest.task.clone(),
        round: charge.round,
        round_id: charge.round_id.clone(),
        time: charge.time,
        repeated: false,
        cohort: manifest.cohort,
        roster: charge.roster_size,
        survivors: charge.survivor_count,
        minimum_survivors: manifest.minimum_survivors,
        colluders: manifest.colluders,
        quorum: manifest.quorum,
        planned_rounds: manifest.planned_rounds,
        budget_epsilon: manifest.budget_epsilon.clone(),
        statement: charge.statement.clone(),
        mechanism: manifest.mechanism,
        dimension: manifest.dimension,
        padded: manifest.padded,
        bits: manifest.bits,
        clip: manifest.clip.clone(),
        grid: manifest.grid,
        squared_l2_sensitivity: sensitivity.map(|sensitivity| sensitivity.squared_l2.to_string()),
        l1_sensitivity: sensitivity.map(|sensitivity| sensitivity.l1.to_string()),
        share_variance_q16: manifest.share_variance_q16.clone(),
        planned_variance_q16: planned.to_string(),
        present_variance_q16: present.to_string(),
        present_variance_public_q16: shares(charge.survivor_count.saturating_sub(1)).to_string(),
        planned_noise_multiplier: noise_multiplier(planned, manifest.grid),
        present_noise_multiplier: noise_multiplier(present, manifest.grid),
        spent,
        outcome: None,
    }
}

/// Standard deviation over the clip norm, rounded down to four places: sqrt(V / 2^16) / S.
fn noise_multiplier(variance_q16: u128, grid: u64) -> String {
    let grid = u128::from(grid.max(1));
    let squared = variance_q16.saturating_mul(100_000_000) / Q16.saturating_mul(grid.saturating_mul(grid));
    let root = squared.isqrt();
    format!("{}.{:04}", root / 10_000, root % 10_000)
}

#[cfg(test)]
mod tests;
