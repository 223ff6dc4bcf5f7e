//! Every domain-separation label of the protocol, in one list (spec 02, section "Labels").
//!
//! A label names one use of a hash, a key derivation or a signature. Two uses never share one, so bytes made for
//! one purpose cannot be replayed for another.

/// Digest of a manifest's bytes.
pub const MANIFEST: &str = "tacita/1 manifest";
/// Server signature over a manifest digest.
pub const MANIFEST_SIGNATURE: &str = "tacita/1 manifest signature";
/// Public rotation seed of a round (what the privacy room makes of the seed has a label of its own).
pub const ROTATION: &str = "tacita/1 rotation seed";
/// Derivation of the X25519 mask key from its uniform scalar.
pub const MASK_KEY: &str = "tacita/1 mask key";
/// Derivation of the ML-KEM mask key from the same scalar.
pub const MASK_KEM_KEY: &str = "tacita/1 mask kem key";
/// Derivation of the randomness of a mask encapsulation from the same scalar.
pub const MASK_ENCAPSULATION: &str = "tacita/1 mask encapsulation";
/// Derivation of the self-mask stream key from its uniform scalar.
pub const SELF_MASK: &str = "tacita/1 self mask";
/// Commitment to the self-mask scalar.
pub const SELF_COMMITMENT: &str = "tacita/1 self commitment";
/// Derivation of a pairwise mask stream key.
pub const PAIR_MASK: &str = "tacita/1 pair mask";
/// Derivation of a box key, one per direction.
pub const BOX_KEY: &str = "tacita/1 box key";
/// Digest and signature of an advertisement.
pub const ADVERTISEMENT: &str = "tacita/1 advertisement";
/// Digest of the full identity list of a roster.
pub const IDENTITY_LIST: &str = "tacita/1 identity list";
/// Root of a roster.
pub const ROSTER: &str = "tacita/1 roster";
/// Leaf of a dealer's share tree.
pub const SHARE_LEAF: &str = "tacita/1 share leaf";
/// Leaf of a ciphertext in a dealer's share tree.
pub const CIPHERTEXT_LEAF: &str = "tacita/1 ciphertext leaf";
/// Digest and signature of a dealer's share root.
pub const SHARE_ROOT: &str = "tacita/1 share root";
/// Digest of the sharers list U1.
pub const SHARERS: &str = "tacita/1 sharers";
/// Digest and signature of a masked upload.
pub const UPLOAD: &str = "tacita/1 upload";
/// Signature over the statement S (whose digest carries the ledger's label).
pub const STATEMENT_SIGNATURE: &str = "tacita/1 statement signature";
/// Digest of a list of signers that a client fixed.
pub const SIGNERS: &str = "tacita/1 signers";

/// All labels; a test checks that they differ.
pub const ALL: &[&str] = &[
    MANIFEST,
    MANIFEST_SIGNATURE,
    ROTATION,
    MASK_KEY,
    MASK_KEM_KEY,
    MASK_ENCAPSULATION,
    SELF_MASK,
    SELF_COMMITMENT,
    PAIR_MASK,
    BOX_KEY,
    ADVERTISEMENT,
    IDENTITY_LIST,
    ROSTER,
    SHARE_LEAF,
    CIPHERTEXT_LEAF,
    SHARE_ROOT,
    SHARERS,
    UPLOAD,
    STATEMENT_SIGNATURE,
    SIGNERS,
    crate::graph::PERMUTATION_LABEL,
    tacita_ledger::entry::STATEMENT_LABEL,
];

#[cfg(test)]
mod tests {
    #[test]
    fn no_label_is_used_twice_or_is_a_prefix_of_a_signature_label() {
        for (i, a) in super::ALL.iter().enumerate() {
            assert!(a.starts_with("tacita/1 "));
            for b in &super::ALL[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }
}
