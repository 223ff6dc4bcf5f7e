//! Adaptive clipping from round to round: the update clip of a manifest follows from the noisy count of the last outcome of its task, and
//! whoever reads the ledger, or is shown those two entries, computes the same one (spec 04 section 13, TAC-013).

use std::collections::{BTreeMap, HashMap};

use tacita_ledger::entry::{self, Entry};
use tacita_privacy::{ClipRule, Decimal};

use crate::head::{self, LedgerHead};
use crate::manifest::CheckedManifest;
use crate::messages::ProvenEntry;
use crate::refusal::Refusal;

/// A manifest that leaves the sequence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {entry}: round {round} of task {task} is announced with {found}, but {expected}")]
pub struct OffSequence {
    /// Index of the manifest.
    pub entry: u64,
    /// Its task.
    pub task: String,
    /// Its round.
    pub round: u64,
    /// What it states.
    pub found: String,
    /// What the outcomes before it give.
    pub expected: String,
}

/// What is known of a task.
#[derive(Debug, Clone)]
struct Task {
    rule: Option<String>,
    /// Update clip of its next manifest, where there is a rule.
    next: Option<Decimal>,
    /// Indices of manifest and outcome of the last round with an outcome.
    last: Option<(u64, u64)>,
    /// Its round; 0 before.
    round: u64,
}

/// The sequences of all tasks after the entries so far, which must be those of a ledger in order.
#[derive(Debug, Clone, Default)]
pub struct ClipSequence {
    tasks: BTreeMap<String, Task>,
    /// By attempt: task, index of the manifest, and its update clip.
    attempts: HashMap<String, (String, u64, Option<String>)>,
}

impl ClipSequence {
    /// Before the first entry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the entries of a ledger.
    ///
    /// # Errors
    /// The first manifest that is [`OffSequence`].
    pub fn of(entries: &[Entry]) -> Result<Self, OffSequence> {
        let mut sequence = Self::new();
        for (index, entry) in (0..).zip(entries) {
            sequence.admit(index, entry)?;
        }
        Ok(sequence)
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// [`OffSequence`] for a manifest with another update clip than the rule gives for the last outcome of its task, or with another rule than
    /// the first one of its task.
    pub fn admit(&mut self, index: u64, entry: &Entry) -> Result<(), OffSequence> {
        match entry {
            Entry::Manifest(manifest) => self.manifest(index, manifest),
            Entry::Outcome(outcome) => self.outcome(index, outcome),
            Entry::Charge(_) | Entry::Release(_) | Entry::Rotation(_) => Ok(()),
        }
    }

    /// The update clip that the next manifest of a task with this rule must have.
    #[must_use]
    pub fn next(&self, task: &str, rule: &ClipRule) -> Decimal {
        let known = self.tasks.get(task).and_then(|task| task.next);
        known.unwrap_or_else(|| rule.initial())
    }

    /// The rule of a task as its first manifest states it; `None` if it has no manifest yet, `Some(None)` if it has no rule.
    #[must_use]
    pub fn rule(&self, task: &str) -> Option<Option<&str>> {
        self.tasks.get(task).map(|task| task.rule.as_deref())
    }

    /// Indices of manifest and outcome of the last round of a task that has an outcome.
    #[must_use]
    pub fn last(&self, task: &str) -> Option<(u64, u64)> {
        self.tasks.get(task)?.last
    }

    fn manifest(&mut self, index: u64, manifest: &entry::Manifest) -> Result<(), OffSequence> {
        let off = |found: String, expected: String| OffSequence {
            entry: index,
            task: manifest.task.clone(),
            round: manifest.round,
            found,
            expected,
        };
        let words =
            |rule: Option<&str>| rule.map_or("no clip rule".to_owned(), |rule| format!("clip rule {rule}"));
        let rule = match &manifest.clip_rule {
            None => None,
            Some(text) => Some(
                ClipRule::parse(text)
                    .map_err(|error| off(words(Some(text.as_str())), format!("that is none: {error}")))?,
            ),
        };
        let task = self.tasks.entry(manifest.task.clone()).or_insert_with(|| Task {
            rule: manifest.clip_rule.clone(),
            next: rule.map(|rule| rule.initial()),
            last: None,
            round: 0,
        });
        if task.rule != manifest.clip_rule {
            let expected = format!("the task has {}", words(task.rule.as_deref()));
            return Err(off(words(manifest.clip_rule.as_deref()), expected));
        }
        if let Some(next) = task.next {
            let stated = manifest.update_clip.as_deref();
            if stated != Some(next.to_string().as_str()) {
                let found = format!("update clip {}", stated.unwrap_or("null"));
                let from = task.last.map_or("its first round".to_owned(), |(_, outcome)| {
                    format!("the outcome in entry {outcome}")
                });
                return Err(off(found, format!("its clip rule gives {next} for {from}")));
            }
        }
        let attempt = (manifest.task.clone(), index, manifest.update_clip.clone());
        self.attempts.insert(manifest.round_id.clone(), attempt);
        Ok(())
    }

    fn outcome(&mut self, index: u64, outcome: &entry::Outcome) -> Result<(), OffSequence> {
        let Some((name, manifest, clip)) = self.attempts.remove(&outcome.round_id) else {
            return Ok(());
        };
        let Some(task) = self.tasks.get_mut(&name) else {
            return Ok(());
        };
        // An outcome that was held back would take the clip norm back to where it was when its round was announced.
        if task.rule.is_some() && outcome.round <= task.round {
            return Err(OffSequence {
                entry: index,
                task: name,
                round: outcome.round,
                found: "an outcome of this round".to_owned(),
                expected: format!("the task has one of round {} already", task.round),
            });
        }
        task.round = outcome.round;
        task.last = Some((manifest, index));
        if let Some(next) = next_of(task.rule.as_deref(), clip.as_deref(), outcome) {
            task.next = Some(next);
        }
        Ok(())
    }
}

/// What a rule gives after a round with that clip and outcome.
fn next_of(rule: Option<&str>, clip: Option<&str>, outcome: &entry::Outcome) -> Option<Decimal> {
    let rule = ClipRule::parse(rule?).ok()?;
    // The ledger keeps trailing zeros.
    let within: Decimal = outcome.within_clip.as_deref()?.parse().ok()?;
    rule.next(clip?.parse().ok()?, within).ok()
}

/// TAC-013 and TAC-061: the update clip of a manifest is the first one of its rule in round 1, and later what the rule gives for the manifest and
/// outcome of the round before, which are shown and under the head.
pub(crate) fn check(
    manifest: &CheckedManifest,
    previous: &[ProvenEntry],
    head: &LedgerHead,
) -> Result<(), Refusal> {
    let (Some(rule), Some(terms)) = (manifest.clip_rule(), manifest.terms()) else {
        return if previous.is_empty() {
            Ok(())
        } else {
            Err(Refusal::ClipSequence)
        };
    };
    let round = manifest.fields().round;
    let (before, outcome) = match previous {
        [] if round == 1 && terms.update_clip() == rule.initial() => return Ok(()),
        [before, outcome] if round > 1 => (before, outcome),
        _ => return Err(Refusal::ClipSequence),
    };
    head::included(before, head)?;
    head::included(outcome, head)?;
    let entries = (
        Entry::decode(before.bytes.as_slice()),
        Entry::decode(outcome.bytes.as_slice()),
    );
    let (Ok(Entry::Manifest(before)), Ok(Entry::Outcome(outcome))) = entries else {
        return Err(Refusal::ClipSequence);
    };
    let text = rule.to_string();
    let follows = before.task == manifest.task()
        && before.clip_rule.as_deref() == Some(text.as_str())
        && before.round_id == outcome.round_id
        && before.round.checked_add(1) == Some(u64::from(round));
    let next = next_of(Some(&text), before.update_clip.as_deref(), &outcome);
    if follows && next == Some(terms.update_clip()) {
        Ok(())
    } else {
        Err(Refusal::ClipSequence)
    }
}

#[cfg(test)]
mod tests;
