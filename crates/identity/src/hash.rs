//! The labelled hash of the specification, in the few lines this crate needs.

use sha2::{Digest, Sha256};

/// SHA-256 over the label and then each field, every one of them preceded by its length, so that no two different
/// inputs give the same bytes to the hash.
pub(crate) fn tagged(label: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in std::iter::once(label.as_bytes()).chain(fields.iter().copied()) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Plain SHA-256, the fingerprint of a DER document.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of a certificate's DER: the fingerprint by which rosters, deny lists and invitations name it.
#[must_use]
pub fn fingerprint(der: &[u8]) -> [u8; 32] {
    sha256(der)
}
