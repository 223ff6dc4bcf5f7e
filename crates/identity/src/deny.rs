//! The deny list: names and certificates that are no longer welcome, signed by the root key.
//!
//! A list replaces the one before it. Its number grows with every change of content, so that an old list cannot be
//! slipped under a reader that keeps the last one it saw; `issued_at` says how fresh an unchanged list is.

use std::collections::BTreeSet;

use ed25519_dalek::Signature;

use crate::anchor::TrustAnchor;
use crate::certificate::{CertificateError, VerifiedCertificate};
use crate::codec::{DecodeError, Reader, Writer};
use crate::name::{MAX_NAME_BYTES, Name};
use crate::role::Role;

/// Most names on one list.
pub const MAX_DENIED_NAMES: usize = 2_048;
/// Most certificate fingerprints on one list.
pub const MAX_DENIED_CERTIFICATES: usize = 2_048;

/// First bytes of what is signed. Certificates and requests start with a DER sequence (0x30), so neither can be taken
/// for a deny list.
const LABEL: &[u8] = b"tacita/1 deny list";
const FIXED_BYTES: usize = LABEL.len() + 32 + 8 + 8 + 2 + 2 + 64;
/// Largest encoded list; fits with a certificate chain into one frame of 256 KiB.
pub(crate) const MAX_DENY_LIST_BYTES: usize =
    FIXED_BYTES + MAX_DENIED_NAMES * (1 + 2 + MAX_NAME_BYTES) + MAX_DENIED_CERTIFICATES * 32;

/// What a deny list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DenyListContent {
    /// Grows with every change of names or certificates.
    pub number: u64,
    /// When this copy was signed, unix seconds.
    pub issued_at: u64,
    /// Members that may not take part under any certificate.
    pub names: BTreeSet<(Role, Name)>,
    /// SHA-256 fingerprints of single certificates that are void.
    pub certificates: BTreeSet<[u8; 32]>,
}

/// A deny list whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenyList {
    content: DenyListContent,
    bytes: Vec<u8>,
}

/// Why a deny list is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DenyError {
    /// Not the one encoding of a deny list.
    #[error("not a deny list: {0}")]
    Decode(#[from] DecodeError),
    /// Made for another authority.
    #[error("the deny list belongs to another authority")]
    ForeignAuthority,
    /// The signature is not the root key's.
    #[error("the deny list is not signed by the authority")]
    Signature,
    /// Older than a list already seen.
    #[error("the deny list {offered} is older than {known}, already seen")]
    Rollback {
        /// Number already seen.
        known: u64,
        /// Number of the list offered.
        offered: u64,
    },
    /// Same number as a list already seen, other content: the authority signed two histories.
    #[error("two different deny lists carry the number {number}")]
    Fork {
        /// The number both carry.
        number: u64,
    },
}

impl DenyList {
    pub(crate) fn sign(
        content: DenyListContent,
        root: &[u8; 32],
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Result<Self, DenyError> {
        if content.names.len() > MAX_DENIED_NAMES || content.certificates.len() > MAX_DENIED_CERTIFICATES {
            return Err(DecodeError::TooLong.into());
        }
        let mut out = Writer::with_capacity(MAX_DENY_LIST_BYTES);
        out.bytes(LABEL);
        out.bytes(root);
        out.u64(content.number);
        out.u64(content.issued_at);
        out.u16(count(content.names.len())?);
        for (role, name) in &content.names {
            out.u8(role.to_byte());
            out.opaque16(name.as_str().as_bytes(), MAX_NAME_BYTES)?;
        }
        out.u16(count(content.certificates.len())?);
        for fingerprint in &content.certificates {
            out.bytes(fingerprint);
        }
        let mut bytes = out.finish().to_vec();
        let signature = sign(&bytes);
        bytes.extend_from_slice(&signature.to_bytes());
        Ok(Self { content, bytes })
    }

    /// Reads a list and checks that this authority signed it.
    ///
    /// # Errors
    /// [`DenyError`] names what is wrong.
    pub fn verify(bytes: &[u8], anchor: &TrustAnchor) -> Result<Self, DenyError> {
        if bytes.len() > MAX_DENY_LIST_BYTES {
            return Err(DecodeError::TooLong.into());
        }
        let (signed, signature) = bytes.split_last_chunk::<64>().ok_or(DecodeError::Truncated)?;
        let mut reader = Reader::new(signed);
        if reader.take(LABEL.len())? != LABEL {
            return Err(DecodeError::Kind.into());
        }
        if reader.array::<32>()? != *anchor.fingerprint() {
            return Err(DenyError::ForeignAuthority);
        }
        // The signature comes before everything that grows with the input.
        anchor
            .key()
            .verify_strict(signed, &Signature::from_bytes(signature))
            .map_err(|_| DenyError::Signature)?;
        let content = read_content(reader)?;
        Ok(Self {
            content,
            bytes: bytes.to_vec(),
        })
    }

    /// Takes `newer` in place of `self`, unless it is older or contradicts it.
    ///
    /// # Errors
    /// [`DenyError::Rollback`] or [`DenyError::Fork`]; keep both lists as evidence of the latter.
    pub fn succeeded_by(&self, newer: Self) -> Result<Self, DenyError> {
        let (known, offered) = (&self.content, &newer.content);
        if offered.number < known.number {
            return Err(DenyError::Rollback {
                known: known.number,
                offered: offered.number,
            });
        }
        if offered.number == known.number
            && (&offered.names, &offered.certificates) != (&known.names, &known.certificates)
        {
            return Err(DenyError::Fork { number: known.number });
        }
        if offered.number == known.number && offered.issued_at < known.issued_at {
            // Another copy of what is known; the fresher one stays.
            return Ok(self.clone());
        }
        Ok(newer)
    }

    /// Whether the certificate, or its name in that role, is on the list.
    #[must_use]
    pub fn is_revoked(&self, certificate: &VerifiedCertificate) -> bool {
        self.content.certificates.contains(&certificate.fingerprint)
            || self
                .content
                .names
                .contains(&(certificate.role, certificate.name.clone()))
    }

    /// [`is_revoked`](Self::is_revoked) as a refusal.
    ///
    /// # Errors
    /// [`CertificateError::Revoked`].
    pub fn check(&self, certificate: &VerifiedCertificate) -> Result<(), CertificateError> {
        if self.is_revoked(certificate) {
            Err(CertificateError::Revoked)
        } else {
            Ok(())
        }
    }

    /// Seconds since this copy was signed; zero if that lies ahead of `now`.
    #[must_use]
    pub const fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.content.issued_at)
    }

    /// What the list says.
    #[must_use]
    pub const fn content(&self) -> &DenyListContent {
        &self.content
    }

    /// The signed encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn count(entries: usize) -> Result<u16, DecodeError> {
    u16::try_from(entries).map_err(|_| DecodeError::TooLong)
}

fn read_content(mut reader: Reader<'_>) -> Result<DenyListContent, DecodeError> {
    let number = reader.u64()?;
    let issued_at = reader.u64()?;
    let mut content = DenyListContent {
        number,
        issued_at,
        ..DenyListContent::default()
    };
    let names = usize::from(reader.u16()?);
    if names > MAX_DENIED_NAMES {
        return Err(DecodeError::TooLong);
    }
    for _ in 0..names {
        let role = Role::from_byte(reader.u8()?).ok_or(DecodeError::Kind)?;
        let entry = (
            role,
            Name::new(reader.text(MAX_NAME_BYTES)?).map_err(|_| DecodeError::Field)?,
        );
        append(&mut content.names, entry)?;
    }
    let certificates = usize::from(reader.u16()?);
    if certificates > MAX_DENIED_CERTIFICATES {
        return Err(DecodeError::TooLong);
    }
    for _ in 0..certificates {
        append(&mut content.certificates, reader.array()?)?;
    }
    reader.finish()?;
    Ok(content)
}

/// Entries strictly ascend, so that a content has one encoding.
fn append<T: Ord>(set: &mut BTreeSet<T>, entry: T) -> Result<(), DecodeError> {
    if set.last().is_some_and(|last| *last >= entry) {
        return Err(DecodeError::Field);
    }
    set.insert(entry);
    Ok(())
}

#[cfg(test)]
mod tests;
