//! Evidence that two lists of survivors were signed for one round: this client's own, and one that the ledger charges.
//!
//! An honest server never shows a client another list than the one it asked it to sign. A reveal request whose charge, under
//! a head signed by the log, names another list for the same manifest is therefore proof of a server that lies, to anybody
//! who trusts that this client did not make up its own side.

use tacita_ledger::checkpoint::SignedCheckpoint;
use tacita_ledger::entry::{Charge, Entry};

use super::{Agreed, SignedStatement, StatementSignature};
use crate::bitmap::Bitmap;
use crate::head::{self, LedgerHead};
use crate::ledger_entries::hex_digest;
use crate::limits::MAX_CHECKPOINT;
use crate::messages::{ProvenEntry, RevealRequest};
use crate::signature::{self, Claim};
use crate::{Hash, labels};

/// Two statements for one round, each signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoStatements {
    /// The attempt.
    pub round_id: [u8; 32],
    /// What this client signed.
    pub ours: SignedStatement,
    /// What the ledger charges.
    pub shown: SignedStatement,
    /// The charge, with its place under the head.
    pub charge: ProvenEntry,
    /// The note of the head, signed by the log.
    pub checkpoint: Vec<u8>,
}

impl Agreed {
    /// Whether a reveal request proves that another list than this client's was charged for this round. Looks at nothing but
    /// the charge where it is of the same statement, as it is from an honest server.
    pub(super) fn two_statements(&self, message: &RevealRequest, now: u64) -> Option<Box<TwoStatements>> {
        let context = &self.joined.context;
        let Ok(Entry::Charge(charge)) = Entry::decode(message.charge.bytes.as_slice()) else {
            return None;
        };
        let fields = context.manifest.fields();
        let of_this_round = charge.round_id == hex_digest(&fields.round_id)
            && charge.manifest_digest == hex_digest(context.manifest.digest());
        if !of_this_round || charge.statement == hex_digest(&self.statement) {
            return None;
        }
        let note = message.checkpoint.as_slice();
        if note.len() > MAX_CHECKPOINT {
            return None;
        }
        let signed = SignedCheckpoint::verify(note, &context.participant.log_key).ok()?;
        let head = LedgerHead {
            size: signed.checkpoint().size,
            root: signed.checkpoint().root,
            note: note.to_vec(),
        };
        head::included(&message.charge, &head).ok()?;
        let mut shown = of_charge(&charge)?;
        shown.signatures = self.signers_of(&shown.statement, message, now);
        Some(Box::new(TwoStatements {
            round_id: fields.round_id,
            ours: SignedStatement::own(
                &self.joined,
                &self.sharers,
                &self.survivors,
                self.statement,
                self.own_signature,
            ),
            shown,
            charge: message.charge.clone(),
            checkpoint: head.note,
        }))
    }

    /// The signatures in a request that hold for this statement, of members whose certificates this client knows. Signatures
    /// that do not are left out: the log's own is what the evidence rests on.
    fn signers_of(&self, statement: &Hash, message: &RevealRequest, now: u64) -> Vec<StatementSignature> {
        let roster = &self.joined.roster;
        let Some(signers) = Bitmap::decode(roster.size(), message.signers.as_slice()) else {
            return Vec::new();
        };
        let certificates = self.joined.context.participant.certificates(now);
        let verified = |(index, signed): (u16, &[u8; 64])| {
            let certificate = match roster.neighbour(index) {
                Some(neighbour) => neighbour.certificate.clone(),
                None => {
                    let identity = roster.identity(index)?;
                    certificates.signer(index, identity).ok()?
                }
            };
            let claim = Claim {
                key: &certificate.key,
                digest: *statement,
                signature: signed,
            };
            signature::verify_all(labels::STATEMENT_SIGNATURE, &[claim]).ok()?;
            Some(StatementSignature {
                name: certificate.name.to_string(),
                key: certificate.key.to_bytes(),
                signature: *signed,
            })
        };
        signers
            .indices()
            .zip(message.signatures.as_slice())
            .filter_map(verified)
            .collect()
    }
}

/// The statement of a charge, whose digest the decoded entry has been found to be.
fn of_charge(charge: &Charge) -> Option<SignedStatement> {
    Some(SignedStatement {
        statement: digest(&charge.statement)?,
        manifest_digest: digest(&charge.manifest_digest)?,
        roster_root: digest(&charge.roster_root)?,
        sharers_digest: digest(&charge.sharers_digest)?,
        roster_size: charge.roster_size,
        survivors: bytes(&charge.survivors)?,
        signatures: Vec::new(),
    })
}

fn digest(text: &str) -> Option<Hash> {
    bytes(text)?.try_into().ok()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
