//! The clip norm of the next round, from the ledger alone: what a start replays, and what every entry since moved.

use tacita_ledger::entry::Entry;
use tacita_privacy::{ClipRule, Decimal};
use tacita_protocol::messages::ProvenEntry;
use tacita_protocol::{ClipSequence, OffSequence};

use crate::ledger_desk::{DeskError, LedgerDesk};

/// Why a task does not go on with a clip rule.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// The ledger left the sequence.
    #[error(transparent)]
    Off(#[from] OffSequence),
    /// The configuration is not that of the task's first round.
    #[error(
        "the task has {stated} in the ledger, and [privacy] gives it {configured}: a task keeps its clip rule; give the new one \
         another [task] name"
    )]
    Rule {
        /// In the ledger.
        stated: String,
        /// In the configuration.
        configured: String,
    },
}

/// The clip norms of one task.
pub(crate) struct Clips {
    task: String,
    rule: Option<ClipRule>,
    sequence: ClipSequence,
    /// Manifest and outcome of the last round with an outcome, with their indices.
    last: Option<[(u64, Entry); 2]>,
    /// The last manifest.
    manifest: Option<(u64, Entry)>,
}

impl Clips {
    /// From the entries of a verified ledger.
    pub(crate) fn replay(task: &str, rule: Option<ClipRule>, entries: &[Entry]) -> Result<Self, ClipError> {
        let sequence = ClipSequence::of(entries)?;
        let words =
            |rule: Option<&str>| rule.map_or("no clip rule".to_owned(), |rule| format!("clip rule {rule}"));
        let configured = rule.map(|rule| rule.to_string());
        if let Some(stated) = sequence.rule(task)
            && stated != configured.as_deref()
        {
            return Err(ClipError::Rule {
                stated: words(stated),
                configured: words(configured.as_deref()),
            });
        }
        let entry = |index: u64| {
            let at = usize::try_from(index).ok()?;
            Some((index, entries.get(at)?.clone()))
        };
        let last = sequence
            .last(task)
            .and_then(|(manifest, outcome)| Some([entry(manifest)?, entry(outcome)?]));
        Ok(Self {
            task: task.to_owned(),
            rule,
            sequence,
            last,
            manifest: None,
        })
    }

    /// Takes an entry that was appended.
    pub(crate) fn appended(&mut self, index: u64, entry: &Entry) -> Result<(), ClipError> {
        self.sequence.admit(index, entry)?;
        match entry {
            Entry::Manifest(_) => self.manifest = Some((index, entry.clone())),
            Entry::Outcome(_) => {
                if let Some(manifest) = self.manifest.take() {
                    self.last = Some([manifest, (index, entry.clone())]);
                }
            }
            Entry::Charge(_) | Entry::Release(_) | Entry::Rotation(_) => {}
        }
        Ok(())
    }

    /// The clip norm of updates in the next round; `fixed` without a rule.
    pub(crate) fn next(&self, fixed: Decimal) -> Decimal {
        self.rule
            .map_or(fixed, |rule| self.sequence.next(&self.task, &rule))
    }

    /// What a member is shown to compute it from.
    pub(crate) fn proven(&self, desk: &LedgerDesk) -> Result<Vec<ProvenEntry>, DeskError> {
        match (&self.rule, &self.last) {
            (Some(_), Some(last)) => last
                .iter()
                .map(|(index, entry)| desk.proven(*index, entry))
                .collect(),
            _ => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restart::tests::{manifest, outcome};

    const RULE: &str = "0.5,0.2,1,0.1,10";

    fn announced(id: u8, round: u64, clip: &str) -> Entry {
        match manifest("a", id, round) {
            Entry::Manifest(mut manifest) => {
                manifest.update_clip = Some(clip.to_owned());
                manifest.clip_rule = Some(RULE.to_owned());
                manifest.count_scale = Some("0.1".to_owned());
                Entry::Manifest(manifest)
            }
            other => other,
        }
    }

    fn published(id: u8, round: u64, within: &str) -> Entry {
        match outcome(id, round) {
            Entry::Outcome(mut outcome) => {
                outcome.within_clip = Some(within.to_owned());
                Entry::Outcome(outcome)
            }
            other => other,
        }
    }

    /// Failure: a server that was restarted goes on with another clip norm, or shows members another round, than one that was not; or goes on under
    /// another rule.
    #[test]
    fn a_restart_changes_nothing() {
        let entries = [
            announced(1, 1, "1"),
            announced(2, 1, "1"),
            published(2, 1, "0"),
            announced(3, 2, "1.105170918"),
        ];
        let rule = ClipRule::parse(RULE).unwrap();
        let mut running = Clips::replay("a", Some(rule), &[]).unwrap();
        let fixed = Decimal::ZERO;
        assert_eq!(
            (running.next(fixed), running.last.is_none()),
            (Decimal::ONE, true)
        );
        for (index, entry) in (0..).zip(&entries) {
            running.appended(index, entry).unwrap();
        }
        let restarted = Clips::replay("a", Some(rule), &entries).unwrap();
        assert_eq!(restarted.last, running.last);
        let [(manifest, _), (outcome, _)] = restarted.last.as_ref().unwrap();
        assert_eq!((*manifest, *outcome), (1, 2));
        assert_eq!(restarted.next(fixed).to_string(), "1.105170918");
        assert_eq!(running.next(fixed), restarted.next(fixed));
        // Its own manifest off the sequence would be noticed too.
        assert!(running.appended(4, &announced(4, 2, "1.2")).is_err());
        for other in [None, Some(ClipRule::parse("0.5,0.3,1,0.1,10").unwrap())] {
            assert!(matches!(
                Clips::replay("a", other, &entries),
                Err(ClipError::Rule { .. })
            ));
        }
        assert!(matches!(
            Clips::replay("a", Some(rule), &entries[3..]),
            Err(ClipError::Off(_))
        ));
    }
}
