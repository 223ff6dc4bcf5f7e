//! Revealed: shares are out; the outcome is awaited. Done: the outcome was verified.

use tacita_ledger::entry::{Entry, Outcome};

use super::{Context, Effect, RecordChange, Step};
use crate::head::{self, LedgerHead};
use crate::ledger_entries::hex_digest;
use crate::messages::OutcomeMessage;
use crate::refusal::Refusal;

/// The client revealed.
pub struct Revealed {
    pub(super) context: Context,
    pub(super) head: LedgerHead,
    /// |U2| of the statement signed.
    pub(super) survivors: u16,
}

/// The round is over and its outcome is in the ledger that this client follows.
pub struct Done {
    outcome: Outcome,
}

impl Revealed {
    /// Step 9: the outcome entry is under a head that extends the one of the reveal, and is of this round, of the
    /// survivors agreed upon, and has the noisy figures that the manifest announces.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn handle_outcome(self, message: &OutcomeMessage) -> Step<Done> {
        let (head, _) = head::extend(
            Some(&self.head),
            message.checkpoint.as_slice(),
            &message.consistency,
            &self.context.participant.log_key,
        )?;
        head::included(&message.outcome, &head)?;
        let fields = self.context.manifest.fields();
        match Entry::decode(message.outcome.bytes.as_slice()) {
            Ok(Entry::Outcome(outcome))
                if outcome.round_id == hex_digest(&fields.round_id)
                    && outcome.round == u64::from(fields.round)
                    && outcome.survivor_count == u64::from(self.survivors)
                    && outcome.within_clip.is_some() == self.context.manifest.clip_rule().is_some()
                    && outcome.federated_accuracy.is_some() == self.context.manifest.has_metrics() =>
            {
                Ok((Done { outcome }, vec![Effect::Persist(RecordChange::Head(head))]))
            }
            _ => Err(Refusal::LedgerInclusion.into()),
        }
    }
}

impl Done {
    /// The outcome as recorded.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}
