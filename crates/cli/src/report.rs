//! The privacy report: what the committed charges of a ledger cost, recomputed from its entries alone.
//!
//! Comes in: the entries of a ledger that was verified. Goes out: a [`Report`] with one row per charge and the epsilon
//! spent so far in the view of two adversaries, or a [`NoReport`] that names what is missing. What outcome entries
//! claim is never used, only compared: a claim below the recomputed value is a [`Finding`].
//!
//! The server with its c colluders does not know the noise of |U2| - c survivors; anyone else, who may be one
//! participant, not that of |U2| - 1. Every committed charge counts, with or without an outcome, and every repetition
//! of a round counts again.

mod account;
pub(crate) mod audit;
mod charge;
mod claims;
mod federated;
pub(crate) mod html;
pub(crate) mod method;
pub(crate) mod model;
pub(crate) mod plain;
pub(crate) mod text;
pub(crate) mod unit;
pub(crate) mod verification;

use std::collections::{BTreeMap, HashMap};

use tacita_ledger::entry::{Charge, Entry, Manifest, Outcome, Release as GivenUp};

use account::Accounts;
pub(crate) use model::{Finding, NoReport, Report, Round, Task};

/// Recomputes the report from the entries of a verified ledger, in order.
///
/// # Errors
/// [`NoReport`] if a charged round lacks a field that its cost depends on, or has one that cannot be accounted for.
pub(crate) fn recompute(entries: &[Entry]) -> Result<Report, NoReport> {
    let mut books = Books::default();
    books.findings.extend(federated::off_sequence(entries));
    for (index, entry) in (0u64..).zip(entries) {
        match entry {
            Entry::Manifest(manifest) => books.manifest(index, manifest),
            Entry::Charge(charge) => books.charge(index, charge)?,
            Entry::Outcome(outcome) => books.outcome(index, outcome)?,
            Entry::Release(release) => books.release(index, release),
            // Says who signs, spends nothing.
            Entry::Rotation(_) => {}
        }
    }
    Ok(books.close())
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

    fn release(&mut self, index: u64, release: &GivenUp) {
        if let Some(&(_, manifest)) = self.manifests.get(release.round_id.as_str()) {
            let task = &mut self.task(&manifest.task).1;
            task.released += 1;
            task.given_up.push(model::GivenUp {
                entry: index,
                round: release.round,
                time: release.time,
                reason: release.reason.clone(),
            });
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
        let noise = charge::account(manifest_entry, manifest, charge)?;
        self.all.charge(&noise);
        let (accounts, task) = self.task(&manifest.task);
        if task
            .rounds
            .first()
            .is_some_and(|round| round.unit != manifest.unit)
        {
            return Err(NoReport::Units {
                entry: manifest_entry,
                task: manifest.task.clone(),
                round: manifest.round,
            });
        }
        accounts.charge(&noise);
        let row = Round {
            repeated: !accounts.rounds.insert(charge.round),
            ..charge::row(index, manifest, charge, &noise, accounts.spent(noise.delta))
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
        let mut findings = claims::compare(name, index, outcome, &spent);
        findings.extend(claims::noise(name, index, outcome, row));
        findings.extend(federated::error(name, index, outcome, row));
        self.findings.extend(findings);
        Ok(())
    }

    fn close(self) -> Report {
        let mut units = self.tasks.values().filter_map(|(_, task)| task.rounds.first());
        let first = units.next().map(|round| round.unit);
        let several = self.tasks.len() > 1 && units.all(|round| Some(round.unit) == first);
        let tasks = self
            .tasks
            .into_values()
            .map(|(accounts, task)| {
                let spent = accounts.spent(accounts.delta);
                let guarantee = accounts.guarantee();
                let last = task.rounds.last();
                Task {
                    left_epsilon: charge::left(
                        last.and_then(|round| round.budget_epsilon.as_deref()),
                        spent.epsilon_server,
                    ),
                    spent,
                    methods: guarantee.methods,
                    equivalents: guarantee.equivalents,
                    curve: guarantee.curve,
                    renyi: guarantee.renyi,
                    accounts,
                    ..task
                }
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

#[cfg(test)]
mod tests;
