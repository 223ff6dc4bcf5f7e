//! What a client signed of the lists that a server showed it: two rows an attempt, one written with the charge and one with S. They are
//! evidence only beside another member's (spec 01 section 4), so they are kept for some attempts, whatever became of those.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tacita_protocol::client::{SignedSharers, SignedStatement, StatementSignature};

/// Attempts whose signed lists are kept, the latest that this client masked for. Of older ones S stays, which bars a second.
pub const KEPT_ATTEMPTS: usize = 256;

/// The certificates (DER) under which the two ends of a connection sign.
#[derive(Clone, Default)]
pub(crate) struct Certificates {
    /// This client's.
    pub(crate) own: Arc<[u8]>,
    /// The server's.
    pub(crate) server: Arc<[u8]>,
}

/// Who signs what in an attempt.
#[derive(Clone)]
pub struct Papers {
    pub(crate) certificates: Certificates,
    /// The server's signature over the manifest.
    pub(crate) manifest_signature: [u8; 64],
}

impl Papers {
    /// From the certificates (DER) of client and server, and the signature of an invitation.
    #[must_use]
    pub fn new(own: &[u8], server: &[u8], manifest_signature: [u8; 64]) -> Self {
        let (own, server) = (own.into(), server.into());
        Self {
            certificates: Certificates { own, server },
            manifest_signature,
        }
    }
}

/// The upload of one attempt, as it was signed: for this list of sharers. Bytes are hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptUpload {
    /// Task.
    pub task: String,
    /// Round number.
    pub round: u32,
    /// Unix seconds.
    pub time: u64,
    /// Place among all that this client masked for, from 1.
    pub number: u64,
    /// This client's certificate, DER.
    pub certificate: String,
    /// The server's certificate, DER.
    pub server_certificate: String,
    /// M.
    pub manifest_digest: String,
    /// The server's signature over M.
    pub manifest_signature: String,
    /// R.
    pub roster_root: String,
    /// n'.
    pub roster_size: u16,
    /// Bitmap of U1.
    pub sharers: String,
    /// Merkle root over the share roots of U1.
    pub share_roots: String,
    /// Roster index of this client.
    pub index: u16,
    /// Whose boxes did not open.
    pub suspects: Vec<u16>,
    /// Noise anchor, or nothing.
    pub noise_anchor: String,
    /// SHA-256 of the masked bytes.
    pub packed: String,
    /// Over the upload digest.
    pub signature: String,
}

impl KeptUpload {
    pub(super) fn of(
        signed: &SignedSharers,
        papers: &Papers,
        (task, round): (&str, u32),
        (time, number): (u64, u64),
    ) -> Self {
        Self {
            task: task.to_owned(),
            round,
            time,
            number,
            certificate: hex::encode(&papers.certificates.own),
            server_certificate: hex::encode(&papers.certificates.server),
            manifest_digest: hex::encode(signed.manifest_digest),
            manifest_signature: hex::encode(papers.manifest_signature),
            roster_root: hex::encode(signed.roster_root),
            roster_size: signed.roster_size,
            sharers: hex::encode(&signed.sharers),
            share_roots: hex::encode(signed.share_roots),
            index: signed.index,
            suspects: signed.suspects.clone(),
            noise_anchor: hex::encode(&signed.noise_anchor),
            packed: hex::encode(signed.packed),
            signature: hex::encode(signed.signature),
        }
    }

    /// As the protocol has it; `None` if a text is no such bytes.
    #[must_use]
    pub fn signed(&self) -> Option<SignedSharers> {
        Some(SignedSharers {
            manifest_digest: array(&self.manifest_digest)?,
            roster_root: array(&self.roster_root)?,
            roster_size: self.roster_size,
            sharers: hex::decode(&self.sharers).ok()?,
            share_roots: array(&self.share_roots)?,
            index: self.index,
            suspects: self.suspects.clone(),
            noise_anchor: hex::decode(&self.noise_anchor).ok()?,
            packed: array(&self.packed)?,
            signature: array(&self.signature)?,
        })
    }
}

/// The one statement signed in an attempt. Bytes are hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptStatement {
    /// S.
    pub statement: String,
    /// M.
    pub manifest_digest: String,
    /// R.
    pub roster_root: String,
    /// D.
    pub sharers_digest: String,
    /// n'.
    pub roster_size: u64,
    /// Bitmap of U2.
    pub survivors: String,
    /// This client's, over S.
    pub signature: String,
}

impl KeptStatement {
    /// Of this client's own; without a signature there is nothing to keep.
    pub(super) fn of(signed: &SignedStatement) -> Option<Self> {
        Some(Self {
            statement: hex::encode(signed.statement),
            manifest_digest: hex::encode(signed.manifest_digest),
            roster_root: hex::encode(signed.roster_root),
            sharers_digest: hex::encode(signed.sharers_digest),
            roster_size: signed.roster_size,
            survivors: hex::encode(&signed.survivors),
            signature: hex::encode(signed.signatures.first()?.signature),
        })
    }

    /// As the protocol has it, of the member with this name and key; `None` if a text is no such bytes.
    #[must_use]
    pub fn signed(&self, name: &str, key: [u8; 32]) -> Option<SignedStatement> {
        Some(SignedStatement {
            statement: array(&self.statement)?,
            manifest_digest: array(&self.manifest_digest)?,
            roster_root: array(&self.roster_root)?,
            sharers_digest: array(&self.sharers_digest)?,
            roster_size: self.roster_size,
            survivors: hex::decode(&self.survivors).ok()?,
            signatures: vec![StatementSignature {
                name: name.to_owned(),
                key,
                signature: array(&self.signature)?,
            }],
        })
    }
}

/// What was signed in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptLists {
    /// Id of the attempt, hex.
    pub round_id: String,
    /// For which list of sharers the upload was signed.
    pub upload: KeptUpload,
    /// The list of survivors that was signed, if it came to that.
    pub statement: Option<KeptStatement>,
}

/// What a row of the space of signed statements holds: S, and unless it is old all that S is computed from.
pub(super) fn stored_statement(value: &[u8]) -> Option<([u8; 32], Option<KeptStatement>)> {
    if let Ok(statement) = value.try_into() {
        return Some((statement, None));
    }
    let kept: KeptStatement = serde_json::from_slice(value).ok()?;
    Some((array(&kept.statement)?, Some(kept)))
}

/// Exactly so many bytes.
pub(crate) fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode(text).ok()?.try_into().ok()
}
