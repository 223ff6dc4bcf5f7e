//! The register: what lies under which key of the store.
//!
//! | space | key | value |
//! |---|---|---|
//! | `invitation` | invitation id | invitation record (no secret) |
//! | `invitation.spent` | invitation id, inserted once | fingerprint of the certificate |
//! | `certificate` | fingerprint | [`Issued`], JSON |
//! | `certificate.der` | fingerprint | the certificate |
//! | `certificate.renewed` | fingerprint, inserted once | key and fingerprint of the successor |
//! | `deny-list` | number | the signed list, the current one only |
//! | `deny-list.next` | number, inserted once | number of the list that replaced it |
//! | `revoked-at` | fingerprint | when it was put on the list |
//! | `note` | `address`, `ledger-key` | text |

use serde::{Deserialize, Serialize};
use tacita_identity::{InvitationId, InvitationRecord, IssuedCertificate, Name, Role};
use tacita_store::{Batch, Entries, SqliteStore, Store, StoreError};

use crate::error::AuthorityError;

/// Certificates are forgotten this long after they expire, in seconds.
pub const KEEP_EXPIRED_SECONDS: u64 = 7 * 24 * 3_600;
/// Invitations are forgotten this long after they expire, in seconds.
const KEEP_INVITATION_SECONDS: u64 = 24 * 3_600;

const INVITATION: &str = "invitation";
const SPENT: &str = "invitation.spent";
const CERTIFICATE: &str = "certificate";
const DER: &str = "certificate.der";
const RENEWED: &str = "certificate.renewed";
pub(crate) const DENY_LIST: &str = "deny-list";
pub(crate) const DENY_LIST_NEXT: &str = "deny-list.next";
pub(crate) const REVOKED_AT: &str = "revoked-at";
const NOTE: &str = "note";

/// What is remembered of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Issued {
    pub(crate) role: Role,
    pub(crate) name: Name,
    pub(crate) serial: String,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    pub(crate) issued_at: u64,
    pub(crate) renewal: bool,
}

/// The successor of a renewed certificate.
pub(crate) struct Successor {
    pub(crate) key: [u8; 32],
    pub(crate) certificate: [u8; 32],
}

/// Typed reading and writing.
pub(crate) struct Register {
    store: SqliteStore,
}

impl Register {
    pub(crate) const fn new(store: SqliteStore) -> Self {
        Self { store }
    }

    /// Commits; `false` when something that may be inserted once was there, and nothing was changed.
    pub(crate) fn commit(&self, batch: Batch) -> Result<bool, AuthorityError> {
        match self.store.commit(batch) {
            Ok(()) => Ok(true),
            Err(StoreError::Exists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn scan(&self, space: &'static str) -> Result<Entries, AuthorityError> {
        Ok(self.store.scan(space, b"")?)
    }

    pub(crate) fn invitation(&self, id: InvitationId) -> Result<Option<InvitationRecord>, AuthorityError> {
        let Some(bytes) = self.store.get(INVITATION, &id.0)? else {
            return Ok(None);
        };
        InvitationRecord::from_bytes(&bytes)
            .map(Some)
            .map_err(|_| damaged(INVITATION, &id.0))
    }

    pub(crate) fn invitations(&self) -> Result<Vec<InvitationRecord>, AuthorityError> {
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            InvitationRecord::from_bytes(&value).map_err(|_| damaged(INVITATION, &key))
        };
        self.scan(INVITATION)?.into_iter().map(read).collect()
    }

    pub(crate) fn put_invitation(batch: &mut Batch, record: &InvitationRecord) -> Result<(), AuthorityError> {
        batch.put(INVITATION, record.id().0, record.to_bytes()?);
        Ok(())
    }

    pub(crate) fn drop_invitation(batch: &mut Batch, id: InvitationId) {
        batch.delete(INVITATION, id.0).delete(SPENT, id.0);
    }

    /// The one-time key that makes an invitation good for one certificate, whatever happens at the same time.
    pub(crate) fn spend_invitation(batch: &mut Batch, id: InvitationId, certificate: &[u8; 32]) {
        batch.insert_new(SPENT, id.0, certificate.to_vec());
    }

    pub(crate) fn put_certificate(
        batch: &mut Batch,
        certificate: &IssuedCertificate,
        about: &Issued,
    ) -> Result<(), AuthorityError> {
        let place = || damaged(CERTIFICATE, &certificate.fingerprint);
        let about = serde_json::to_vec(about).map_err(|_| place())?;
        batch.insert_new(CERTIFICATE, certificate.fingerprint, about);
        batch.put(DER, certificate.fingerprint, certificate.der.clone());
        Ok(())
    }

    pub(crate) fn certificate_der(&self, fingerprint: &[u8; 32]) -> Result<Option<Vec<u8>>, AuthorityError> {
        Ok(self.store.get(DER, fingerprint)?)
    }

    pub(crate) fn certificate(&self, fingerprint: &[u8; 32]) -> Result<Option<Issued>, AuthorityError> {
        let value = self.store.get(CERTIFICATE, fingerprint)?;
        value.map(|value| issued(fingerprint, &value)).transpose()
    }

    /// All certificates remembered, by fingerprint.
    pub(crate) fn certificates(&self) -> Result<Vec<([u8; 32], Issued)>, AuthorityError> {
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let fingerprint = key
                .as_slice()
                .try_into()
                .map_err(|_| damaged(CERTIFICATE, &key))?;
            Ok((fingerprint, issued(&key, &value)?))
        };
        self.scan(CERTIFICATE)?.into_iter().map(read).collect()
    }

    /// The one-time key that gives a certificate one successor.
    pub(crate) fn spend_certificate(batch: &mut Batch, old: &[u8; 32], successor: &Successor) {
        batch.insert_new(RENEWED, *old, [successor.key, successor.certificate].concat());
    }

    pub(crate) fn successor(&self, old: &[u8; 32]) -> Result<Option<Successor>, AuthorityError> {
        let Some(value) = self.store.get(RENEWED, old)? else {
            return Ok(None);
        };
        let (key, certificate) = value.split_first_chunk().ok_or_else(|| damaged(RENEWED, old))?;
        let certificate = certificate.try_into().map_err(|_| damaged(RENEWED, old))?;
        Ok(Some(Successor {
            key: *key,
            certificate,
        }))
    }

    pub(crate) fn revoked_at(&self, fingerprint: &[u8; 32]) -> Result<Option<u64>, AuthorityError> {
        let Some(value) = self.store.get(REVOKED_AT, fingerprint)? else {
            return Ok(None);
        };
        let bytes = value
            .as_slice()
            .try_into()
            .map_err(|_| damaged(REVOKED_AT, fingerprint))?;
        Ok(Some(u64::from_be_bytes(bytes)))
    }

    pub(crate) fn note(&self, what: &str) -> Result<Option<String>, AuthorityError> {
        let Some(value) = self.store.get(NOTE, what.as_bytes())? else {
            return Ok(None);
        };
        String::from_utf8(value)
            .map(Some)
            .map_err(|_| damaged(NOTE, what.as_bytes()))
    }

    pub(crate) fn set_note(&self, what: &str, text: &str) -> Result<(), AuthorityError> {
        let mut batch = Batch::new();
        batch.put(NOTE, what.as_bytes(), text.as_bytes());
        self.commit(batch).map(|_| ())
    }

    /// Forgets what has been over for long. An invitation is forgotten together with its mark of being spent, and
    /// only after it can no longer be redeemed; a renewed certificate, after it has expired.
    pub(crate) fn prune(&self, now: u64) -> Result<usize, AuthorityError> {
        let mut batch = Batch::new();
        for record in self.invitations()? {
            if now > record.expires_at().saturating_add(KEEP_INVITATION_SECONDS) {
                Self::drop_invitation(&mut batch, record.id());
            }
        }
        for (fingerprint, issued) in self.certificates()? {
            if now > issued.not_after.saturating_add(KEEP_EXPIRED_SECONDS) {
                batch.delete(CERTIFICATE, fingerprint).delete(DER, fingerprint);
                batch.delete(RENEWED, fingerprint).delete(REVOKED_AT, fingerprint);
            }
        }
        let changes = batch.len();
        self.commit(batch)?;
        Ok(changes)
    }
}

fn issued(key: &[u8], value: &[u8]) -> Result<Issued, AuthorityError> {
    serde_json::from_slice(value).map_err(|_| damaged(CERTIFICATE, key))
}

pub(crate) fn damaged(space: &str, key: &[u8]) -> AuthorityError {
    AuthorityError::Register {
        place: format!("{space}/{}", hex::encode(key)),
    }
}
