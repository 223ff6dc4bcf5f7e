//! What a client checks of the ledger at every step: the head is signed by the pinned key and extends the one it
//! remembers; entries are under it (TAC-010, TAC-011, TAC-061).

use tacita_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use tacita_ledger::note::VerifierKey;
use tacita_ledger::tree;

use crate::Hash;
use crate::limits::{MAX_CHECKPOINT, MAX_LEDGER_PROOF};
use crate::messages::{Proof, ProvenEntry};
use crate::refusal::Refusal;

/// A ledger head that a client verified and remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerHead {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root.
    pub root: Hash,
    /// The signed note, kept as evidence.
    pub note: Vec<u8>,
}

/// Two heads of one log that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkEvidence {
    /// The head remembered.
    pub ours: LedgerHead,
    /// The head shown.
    pub shown: LedgerHead,
}

/// A head that does not extend ours, or a plain refusal.
#[derive(Debug)]
pub(crate) enum HeadError {
    Fork(Box<ForkEvidence>),
    Refusal(Refusal),
}

impl From<Refusal> for HeadError {
    fn from(value: Refusal) -> Self {
        Self::Refusal(value)
    }
}

/// Reads `note`, checks its signature and that it extends `ours`.
pub(crate) fn extend(
    ours: Option<&LedgerHead>,
    note: &[u8],
    consistency: &Proof,
    key: &VerifierKey,
) -> Result<(LedgerHead, Checkpoint), HeadError> {
    if note.len() > MAX_CHECKPOINT || consistency.as_slice().len() > MAX_LEDGER_PROOF {
        return Err(Refusal::CheckpointSignature.into());
    }
    let signed = SignedCheckpoint::verify(note, key).map_err(|_| Refusal::CheckpointSignature)?;
    let checkpoint = signed.checkpoint().clone();
    let shown = LedgerHead {
        size: checkpoint.size,
        root: checkpoint.root,
        note: note.to_vec(),
    };
    if let Some(ours) = ours {
        let proof = consistency.as_slice();
        let extends = shown.size >= ours.size
            && tree::verify_consistency(ours.size, &ours.root, shown.size, &shown.root, proof).is_ok();
        if !extends {
            return Err(HeadError::Fork(Box::new(ForkEvidence {
                ours: ours.clone(),
                shown,
            })));
        }
    }
    Ok((shown, checkpoint))
}

/// Whether an entry is under a head.
pub(crate) fn included(entry: &ProvenEntry, head: &LedgerHead) -> Result<(), Refusal> {
    let proof = entry.proof.as_slice();
    let leaf = tree::leaf_hash(entry.bytes.as_slice());
    if proof.len() > MAX_LEDGER_PROOF
        || tree::verify_inclusion(&leaf, entry.index, head.size, proof, &head.root).is_err()
    {
        return Err(Refusal::LedgerInclusion);
    }
    Ok(())
}
