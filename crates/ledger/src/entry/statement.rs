//! S, the statement that the survivors of a round sign and that its charge repeats.

use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// Label of the statement digest.
pub const STATEMENT_LABEL: &str = "tacita/1 statement";

/// S = SHA-256 over the label and the fields manifest digest, roster root, U1 digest, n' and U2, each preceded by
/// its length as 8 big-endian bytes; the integer n' is a field of 8 big-endian bytes. This is the encoding of every
/// other digest of the round (`protocol-spec/02-round.md` section 1).
///
/// `survivors` is U2: [`bitmap_len`]`(roster_size)` bytes, index i at bit `i % 8` (least significant first) of
/// byte `i / 8`, spare bits zero (neither is checked here).
pub fn statement_digest(
    manifest_digest: &Hash,
    roster_root: &Hash,
    sharers_digest: &Hash,
    roster_size: u64,
    survivors: &[u8],
) -> Hash {
    let size = roster_size.to_be_bytes();
    let fields: [&[u8]; 6] = [
        STATEMENT_LABEL.as_bytes(),
        manifest_digest,
        roster_root,
        sharers_digest,
        &size,
        survivors,
    ];
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

/// Bytes of a bitmap over `roster_size` indices.
pub fn bitmap_len(roster_size: u64) -> usize {
    usize::try_from(roster_size.div_ceil(8)).unwrap_or(usize::MAX)
}

/// Ones in a bitmap.
pub fn count_bits(bitmap: &[u8]) -> u64 {
    bitmap
        .iter()
        .fold(0u64, |sum, byte| sum.saturating_add(u64::from(byte.count_ones())))
}
