//! What the entries of one ledger must say about each other.
//!
//! One attempt at a round walks `manifest -> release` or `manifest -> charge -> outcome`. A committed charge is
//! final: nothing releases it, and a second one for the same attempt is an error in any case, fork evidence
//! when it carries another statement. The writer and the auditor apply the same [`Rules`].

use std::collections::BTreeMap;

use crate::entry::{Charge, Entry, Manifest, Outcome, Release};
use crate::hexes;
use crate::tree::Hash;

/// Which rule an entry breaks. Indices are those of the earlier entry concerned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Earlier than the entry before it.
    #[error("its time {time} is before {previous}, the time of the entry before it")]
    TimeGoesBack {
        /// The entry's time.
        time: u64,
        /// The time before it.
        previous: u64,
    },
    /// A second manifest for one attempt.
    #[error("entry {earlier} is already a manifest with this round_id")]
    RepeatedManifest {
        /// The first manifest.
        earlier: u64,
    },
    /// A charge, outcome or release without a manifest before it.
    #[error("no earlier manifest has this round_id")]
    NoManifest,
    /// A field that repeats one of an earlier entry does not.
    #[error("field {field} differs from that of entry {earlier}")]
    Differs {
        /// The field.
        field: &'static str,
        /// The entry that it repeats.
        earlier: u64,
    },
    /// Two charges for one attempt with different statements: the server showed two survivor sets.
    #[error("fork evidence: entry {earlier} charges the same attempt with another statement")]
    Fork {
        /// The first charge.
        earlier: u64,
    },
    /// The same charge twice.
    #[error("entry {earlier} already charges this attempt")]
    RepeatedCharge {
        /// The first charge.
        earlier: u64,
    },
    /// A charge whose reserve was given up before.
    #[error("entry {earlier} released the reserve of this attempt")]
    ChargeAfterRelease {
        /// The release.
        earlier: u64,
    },
    /// More roster entries than the manifest's cohort.
    #[error("the roster is larger than the cohort of entry {earlier}")]
    RosterTooLarge {
        /// The manifest.
        earlier: u64,
    },
    /// Fewer survivors than the manifest demands.
    #[error("{survivors} survivors are fewer than the {minimum} that entry {earlier} demands")]
    TooFewSurvivors {
        /// Survivors in the charge.
        survivors: u64,
        /// m of the manifest.
        minimum: u64,
        /// The manifest.
        earlier: u64,
    },
    /// An outcome of an attempt that was never charged.
    #[error("no earlier charge has this round_id")]
    NoCharge,
    /// A second outcome.
    #[error("entry {earlier} is already an outcome of this attempt")]
    RepeatedOutcome {
        /// The first outcome.
        earlier: u64,
    },
    /// A release of a committed charge, which is final.
    #[error("entry {earlier} charged this attempt, and a committed charge is final")]
    ReleaseAfterCharge {
        /// The charge.
        earlier: u64,
    },
    /// A second release.
    #[error("entry {earlier} already released this attempt")]
    RepeatedRelease {
        /// The first release.
        earlier: u64,
    },
    /// The entry's own form (only for entries that were never encoded).
    #[error("its round_id or a digest is not 64 lower-case hex digits")]
    Form,
}

/// What the rules remember of an attempt.
#[derive(Debug, Clone)]
struct Attempt {
    manifest: u64,
    manifest_digest: Hash,
    task: String,
    round: u64,
    cohort: u64,
    minimum_survivors: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Reserved,
    Released {
        at: u64,
    },
    Charged {
        at: u64,
        statement: Hash,
        survivors: u64,
        outcome: Option<u64>,
    },
}

/// The state of every attempt after the entries seen so far.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    next: u64,
    last_time: u64,
    attempts: BTreeMap<Hash, Attempt>,
}

impl Rules {
    /// Before the first entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry, or says which rule it breaks and stays as it was.
    ///
    /// # Errors
    /// [`RulesError`].
    pub fn admit(&mut self, entry: &Entry) -> Result<(), RulesError> {
        let time = entry.time();
        if time < self.last_time {
            return Err(RulesError::TimeGoesBack {
                time,
                previous: self.last_time,
            });
        }
        match entry {
            Entry::Manifest(entry) => self.manifest(entry)?,
            Entry::Charge(entry) => self.charge(entry)?,
            Entry::Outcome(entry) => self.outcome(entry)?,
            Entry::Release(entry) => self.release(entry)?,
            // Who may hand the log over to whom is the business of [`crate::rotation::KeyChain`].
            Entry::Rotation(_) => {}
        }
        self.last_time = time;
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    /// Time of the last entry: an earlier one is refused.
    pub fn last_time(&self) -> u64 {
        self.last_time
    }

    /// Index of the charge of an attempt, if there is one.
    pub fn charge_of(&self, round_id: &Hash) -> Option<u64> {
        match self.attempts.get(round_id)?.stage {
            Stage::Charged { at, .. } => Some(at),
            Stage::Reserved | Stage::Released { .. } => None,
        }
    }

    /// Attempts that are reserved and neither charged nor released, with the index of their manifest: what a
    /// restarted server has to release or finish.
    pub fn reserved(&self) -> impl Iterator<Item = (Hash, u64)> + '_ {
        self.attempts
            .iter()
            .filter(|(_, attempt)| matches!(attempt.stage, Stage::Reserved))
            .map(|(id, attempt)| (*id, attempt.manifest))
    }

    /// Attempts that are charged and have no outcome, with the index of their charge.
    pub fn unfinished(&self) -> impl Iterator<Item = (Hash, u64)> + '_ {
        self.attempts
            .iter()
            .filter_map(|(id, attempt)| match attempt.stage {
                Stage::Charged {
                    at, outcome: None, ..
                } => Some((*id, at)),
                _ => None,
            })
    }

    fn manifest(&mut self, entry: &Manifest) -> Result<(), RulesError> {
        let id = digest(&entry.round_id)?;
        if let Some(attempt) = self.attempts.get(&id) {
            return Err(RulesError::RepeatedManifest {
                earlier: attempt.manifest,
            });
        }
        let attempt = Attempt {
            manifest: self.next,
            manifest_digest: digest(&entry.manifest_digest)?,
            task: entry.task.clone(),
            round: entry.round,
            cohort: entry.cohort,
            minimum_survivors: entry.minimum_survivors,
            stage: Stage::Reserved,
        };
        self.attempts.insert(id, attempt);
        Ok(())
    }

    fn charge(&mut self, entry: &Charge) -> Result<(), RulesError> {
        let at = self.next;
        let statement = digest(&entry.statement)?;
        let manifest_digest = digest(&entry.manifest_digest)?;
        let attempt = self.attempt(&entry.round_id)?;
        let earlier = attempt.manifest;
        match attempt.stage {
            Stage::Reserved => {}
            Stage::Released { at } => return Err(RulesError::ChargeAfterRelease { earlier: at }),
            Stage::Charged {
                at, statement: first, ..
            } if first != statement => {
                return Err(RulesError::Fork { earlier: at });
            }
            Stage::Charged { at, .. } => return Err(RulesError::RepeatedCharge { earlier: at }),
        }
        same(
            attempt.manifest_digest == manifest_digest,
            "manifest_digest",
            earlier,
        )?;
        same(attempt.task == entry.task, "task", earlier)?;
        same(attempt.round == entry.round, "round", earlier)?;
        if entry.roster_size > attempt.cohort {
            return Err(RulesError::RosterTooLarge { earlier });
        }
        let (survivors, minimum) = (entry.survivor_count, attempt.minimum_survivors);
        if survivors < minimum {
            return Err(RulesError::TooFewSurvivors {
                survivors,
                minimum,
                earlier,
            });
        }
        attempt.stage = Stage::Charged {
            at,
            statement,
            survivors,
            outcome: None,
        };
        Ok(())
    }

    fn outcome(&mut self, entry: &Outcome) -> Result<(), RulesError> {
        let index = self.next;
        let attempt = self.attempt(&entry.round_id)?;
        let round = attempt.round;
        let Stage::Charged {
            at,
            survivors,
            outcome,
            ..
        } = &mut attempt.stage
        else {
            return Err(RulesError::NoCharge);
        };
        if let Some(earlier) = *outcome {
            return Err(RulesError::RepeatedOutcome { earlier });
        }
        same(round == entry.round, "round", *at)?;
        same(*survivors == entry.survivor_count, "survivor_count", *at)?;
        *outcome = Some(index);
        Ok(())
    }

    fn release(&mut self, entry: &Release) -> Result<(), RulesError> {
        let at = self.next;
        let attempt = self.attempt(&entry.round_id)?;
        match attempt.stage {
            Stage::Reserved => {}
            Stage::Released { at } => return Err(RulesError::RepeatedRelease { earlier: at }),
            Stage::Charged { at, .. } => return Err(RulesError::ReleaseAfterCharge { earlier: at }),
        }
        same(attempt.round == entry.round, "round", attempt.manifest)?;
        attempt.stage = Stage::Released { at };
        Ok(())
    }

    fn attempt(&mut self, round_id: &str) -> Result<&mut Attempt, RulesError> {
        self.attempts
            .get_mut(&digest(round_id)?)
            .ok_or(RulesError::NoManifest)
    }
}

fn digest(text: &str) -> Result<Hash, RulesError> {
    hexes::digest(text).ok_or(RulesError::Form)
}

fn same(equal: bool, field: &'static str, earlier: u64) -> Result<(), RulesError> {
    if equal {
        Ok(())
    } else {
        Err(RulesError::Differs { field, earlier })
    }
}

#[cfg(test)]
mod tests;
