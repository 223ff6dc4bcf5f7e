//! What a start learns from the ledger about the process before it, which may have ended at any moment.

use tacita_ledger::entry::{Entry, Release};

use crate::ledger_desk::LedgerDesk;
use crate::server::ServerError;
use crate::state::TaskState;

/// Reserves that a crash left open are released: nothing was charged for them.
pub(crate) fn release_orphans(desk: &mut LedgerDesk, entries: &[Entry]) -> Result<(), ServerError> {
    let open: Vec<u64> = desk.log().rules().reserved().map(|(_, index)| index).collect();
    for index in open {
        let manifest = usize::try_from(index).ok().and_then(|i| entries.get(i));
        let Some(Entry::Manifest(manifest)) = manifest else {
            continue;
        };
        let time = crate::now().max(desk.log().rules().last_time());
        let entry = Entry::Release(Release {
            round_id: manifest.round_id.clone(),
            round: manifest.round,
            time,
            reason: "the server restarted before the charge".to_owned(),
        });
        desk.append(&entry)?;
    }
    Ok(())
}

/// Where the task stands: as the database says, unless the ledger already holds the outcome of a later round. Its model was
/// durable before the outcome was, and a round with an outcome is not played again.
pub(crate) fn progress(task: &str, stored: Option<TaskState>, entries: &[Entry]) -> Option<TaskState> {
    let ours = |round_id: &str| {
        entries.iter().any(|entry| {
            matches!(entry, Entry::Manifest(manifest) if manifest.round_id == round_id && manifest.task == task)
        })
    };
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::Outcome(outcome) if ours(&outcome.round_id) => Some(outcome),
        _ => None,
    });
    let completed = stored.as_ref().map_or(0, |task| task.completed);
    match last.and_then(|outcome| Some((u32::try_from(outcome.round).ok()?, outcome))) {
        Some((round, outcome)) if round > completed => Some(TaskState {
            completed: round,
            model: outcome.model_digest.clone(),
        }),
        _ => stored,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tacita_ledger::entry::{Adjacency, Manifest, Mechanism, Outcome, Unit};

    use super::*;

    pub(crate) fn manifest(task: &str, id: u8, round: u64) -> Entry {
        Entry::Manifest(Manifest {
            task: task.to_owned(),
            round,
            round_id: hex::encode([id; 32]),
            manifest_digest: hex::encode([id; 32]),
            time: 1,
            cohort: 3,
            colluders: 0,
            minimum_survivors: 3,
            neighbours: 2,
            threshold: 2,
            quorum: 2,
            bits: 13,
            dimension: 6,
            padded: 8,
            clip: "1".to_owned(),
            grid: 256,
            mechanism: Mechanism::None,
            share_variance_q16: "0".to_owned(),
            noise_levels: None,
            update_clip: None,
            metrics: None,
            clip_rule: None,
            count_scale: None,
            planned_rounds: 9,
            budget_epsilon: None,
            budget_delta: None,
            unit: Unit::Client,
            adjacency: Adjacency::ZeroOut,
            sampling: None,
            largest_records: None,
            model_digest: hex::encode([0; 32]),
        })
    }

    pub(crate) fn outcome(id: u8, round: u64) -> Entry {
        Entry::Outcome(Outcome {
            round_id: hex::encode([id; 32]),
            round,
            time: 1,
            survivor_count: 3,
            responders: 3,
            noise_variance_q16: "0".to_owned(),
            sum_digest: hex::encode([0; 32]),
            model_digest: hex::encode([id; 32]),
            accuracy: None,
            loss: None,
            federated_accuracy: None,
            federated_loss: None,
            federated_error: None,
            within_clip: None,
            epsilon_server: None,
            epsilon_public: None,
        })
    }

    #[test]
    fn an_outcome_that_the_database_missed_counts() {
        let entries = [
            manifest("a", 1, 1),
            outcome(1, 1),
            manifest("a", 2, 2),
            outcome(2, 2),
            manifest("b", 3, 7),
            outcome(3, 7),
        ];
        let state = |completed, id: u8| TaskState {
            completed,
            model: hex::encode([id; 32]),
        };
        assert_eq!(progress("a", None, &entries), Some(state(2, 2)));
        assert_eq!(progress("a", Some(state(1, 1)), &entries), Some(state(2, 2)));
        // The database is never behind by less than nothing.
        assert_eq!(progress("a", Some(state(2, 2)), &entries), Some(state(2, 2)));
        assert_eq!(progress("a", Some(state(2, 2)), &[]), Some(state(2, 2)));
        // Other tasks do not count.
        assert_eq!(progress("b", None, &entries), Some(state(7, 3)));
        assert_eq!(progress("c", None, &entries), None);
    }
}
