//! What a client signs in a round of the lists that it was shown, with all that its signatures are computed from.
//!
//! The server signs no list. A client that is shown another list than the others cannot prove that alone; two clients can, by
//! what each of them signed in one attempt, to whoever trusts that the two did not make it up together (spec 01 section 4).

use ed25519_dalek::VerifyingKey;
use tacita_ledger::entry::statement_digest;

use super::Joined;
use crate::bitmap::Bitmap;
use crate::sharers::VerifiedSharers;
use crate::{Hash, labels, sharers, signature, upload};

/// One signature on a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementSignature {
    /// The member's name.
    pub name: String,
    /// The key of its certificate.
    pub key: [u8; 32],
    /// Ed25519 over the label, one zero byte and S.
    pub signature: [u8; 64],
}

/// A statement with what it is computed from, and who signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedStatement {
    /// S.
    pub statement: Hash,
    /// Digest of the round's manifest.
    pub manifest_digest: Hash,
    /// Roster root.
    pub roster_root: Hash,
    /// U1 digest.
    pub sharers_digest: Hash,
    /// n'.
    pub roster_size: u64,
    /// U2, as in the statement.
    pub survivors: Vec<u8>,
    /// Those of its signatures that this client verified.
    pub signatures: Vec<StatementSignature>,
}

impl SignedStatement {
    /// This client's own.
    pub(super) fn own(
        joined: &Joined,
        sharers: &VerifiedSharers,
        survivors: &Bitmap,
        statement: Hash,
        signature: [u8; 64],
    ) -> Self {
        let context = &joined.context;
        let certificate = &context.participant.certificate;
        Self {
            statement,
            manifest_digest: *context.manifest.digest(),
            roster_root: joined.roster.root,
            sharers_digest: sharers.digest,
            roster_size: u64::from(survivors.size()),
            survivors: survivors.bytes().to_vec(),
            signatures: vec![StatementSignature {
                name: certificate.name.to_string(),
                key: certificate.key.to_bytes(),
                signature,
            }],
        }
    }

    /// U2 over n'; `None` if the bytes are no such bitmap.
    #[must_use]
    pub fn survivors(&self) -> Option<Bitmap> {
        Bitmap::decode(u16::try_from(self.roster_size).ok()?, &self.survivors)
    }

    /// Whether S is the digest of all the rest, and signed by this key.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let statement = statement_digest(
            &self.manifest_digest,
            &self.roster_root,
            &self.sharers_digest,
            self.roster_size,
            &self.survivors,
        );
        let of_key = |one: &StatementSignature| {
            one.key == key.to_bytes()
                && signature::verify(key, labels::STATEMENT_SIGNATURE, &statement, &one.signature)
        };
        self.survivors().is_some() && statement == self.statement && self.signatures.iter().any(of_key)
    }
}

/// A list of sharers that a client masked with, and the upload that it signed for it (spec 02 section 3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedSharers {
    /// Digest of the round's manifest.
    pub manifest_digest: Hash,
    /// Roster root.
    pub roster_root: Hash,
    /// n'.
    pub roster_size: u16,
    /// U1, as in its digest.
    pub sharers: Vec<u8>,
    /// Merkle root over the share roots of U1.
    pub share_roots: Hash,
    /// This client's roster index.
    pub index: u16,
    /// Whose boxes did not open.
    pub suspects: Vec<u16>,
    /// Empty in a round without noise levels.
    pub noise_anchor: Vec<u8>,
    /// SHA-256 of all masked bytes in order.
    pub packed: Hash,
    /// Ed25519 over the label, one zero byte and the upload digest.
    pub signature: [u8; 64],
}

impl SignedSharers {
    /// U1 over n'; `None` if the bytes are no such bitmap.
    #[must_use]
    pub fn sharers(&self) -> Option<Bitmap> {
        Bitmap::decode(self.roster_size, &self.sharers)
    }

    /// D; `None` as in [`SignedSharers::sharers`].
    #[must_use]
    pub fn sharers_digest(&self) -> Option<Hash> {
        Some(sharers::digest(&self.sharers()?, &self.share_roots))
    }

    /// The digest of the upload; `None` as in [`SignedSharers::sharers`].
    #[must_use]
    pub fn upload_digest(&self) -> Option<Hash> {
        Some(upload::upload_digest(
            &self.manifest_digest,
            &self.roster_root,
            &self.sharers_digest()?,
            self.index,
            &self.suspects,
            &self.noise_anchor,
            &self.packed,
        ))
    }

    /// Whether the upload digest of all the rest is signed by this key.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        self.upload_digest()
            .is_some_and(|digest| signature::verify(key, labels::UPLOAD, &digest, &self.signature))
    }
}
