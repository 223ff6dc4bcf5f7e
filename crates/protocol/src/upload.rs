//! Step 6: the digest that a client signs over its whole upload.

use sha2::{Digest, Sha256};
use tacita_algebra::TaggedHash;

use crate::{Hash, labels};

/// H(label, manifest, roster, U1, index, suspects, SHA-256 of all packed bytes in order).
pub(crate) fn upload_digest(
    manifest: &Hash,
    roster: &Hash,
    sharers: &Hash,
    index: u16,
    suspects: &[u16],
    chunks: impl Iterator<Item = impl AsRef<[u8]>>,
) -> Hash {
    let mut hasher = Sha256::new();
    for chunk in chunks {
        hasher.update(chunk.as_ref());
    }
    finish(manifest, roster, sharers, index, suspects, hasher)
}

/// As [`upload_digest`], from a running hash.
pub(crate) fn finish(
    manifest: &Hash,
    roster: &Hash,
    sharers: &Hash,
    index: u16,
    suspects: &[u16],
    hasher: Sha256,
) -> Hash {
    let list: Vec<u8> = suspects.iter().flat_map(|s| s.to_be_bytes()).collect();
    TaggedHash::new(labels::UPLOAD)
        .bytes(manifest)
        .bytes(roster)
        .bytes(sharers)
        .u64(u64::from(index))
        .bytes(&list)
        .bytes(&hasher.finalize())
        .finish()
}
