//! Step 6: the digest that a client signs over its whole upload, and the tree over the survivors' signed digests that the
//! charge names (step 8): by it each of them finds its own upload among those summed.

use sha2::{Digest, Sha256};
use tacita_algebra::TaggedHash;
use tacita_ledger::tree::{self, Tree};

use crate::bitmap::Bitmap;
use crate::limits::MAX_ROUND_PROOF;
use crate::messages::Proof;
use crate::{Hash, labels};

/// SHA-256 of all packed bytes in order.
pub(crate) fn packed_hash(chunks: impl Iterator<Item = impl AsRef<[u8]>>) -> Hash {
    let mut hasher = Sha256::new();
    for chunk in chunks {
        hasher.update(chunk.as_ref());
    }
    hasher.finalize().into()
}

/// H(label, manifest, roster, U1, index, suspects, noise anchor, SHA-256 of all packed bytes in order).
pub(crate) fn upload_digest(
    manifest: &Hash,
    roster: &Hash,
    sharers: &Hash,
    index: u16,
    suspects: &[u16],
    noise_anchor: &[u8],
    packed: &Hash,
) -> Hash {
    let list: Vec<u8> = suspects.iter().flat_map(|s| s.to_be_bytes()).collect();
    TaggedHash::new(labels::UPLOAD)
        .bytes(manifest)
        .bytes(roster)
        .bytes(sharers)
        .u64(u64::from(index))
        .bytes(&list)
        .bytes(noise_anchor)
        .bytes(packed)
        .finish()
}

/// An upload as its maker signed it.
#[derive(Clone, Copy)]
pub(crate) struct SignedUpload {
    pub(crate) digest: Hash,
    pub(crate) signature: [u8; 64],
}

impl SignedUpload {
    /// leaf(u16 index || upload digest || signature).
    fn leaf(&self, index: u16) -> Hash {
        tree::leaf_hash(&[&index.to_be_bytes()[..], &self.digest, &self.signature].concat())
    }

    /// Whether this upload of member `index` is among those of `survivors` under `root` (TAC-062).
    pub(crate) fn is_under(&self, index: u16, survivors: &Bitmap, proof: &Proof, root: &Hash) -> bool {
        let (rank, count) = (u64::from(survivors.rank(index)), u64::from(survivors.count()));
        let path = proof.as_slice();
        survivors.contains(index)
            && path.len() <= MAX_ROUND_PROOF
            && tree::verify_inclusion(&self.leaf(index), rank, count, path, root).is_ok()
    }
}

/// The survivors' uploads, as the server publishes them.
pub(crate) struct Transcript(Tree);

impl Transcript {
    /// Over the uploads of U2 by rising index; `uploads[i]` is member i's.
    pub(crate) fn of(survivors: &Bitmap, uploads: &[Option<SignedUpload>]) -> Self {
        let leaf = |index: u16| Some(uploads.get(usize::from(index))?.as_ref()?.leaf(index));
        Self(Tree::from_leaves(survivors.indices().filter_map(leaf).collect()))
    }

    pub(crate) fn root(&self) -> Hash {
        self.0.root()
    }

    /// Proof for member `index` of U2; empty for anybody else.
    pub(crate) fn proof(&self, index: u16, survivors: &Bitmap) -> Proof {
        let rank = u64::from(survivors.rank(index));
        let path = if survivors.contains(index) {
            self.0.inclusion_proof(rank).unwrap_or_default()
        } else {
            Vec::new()
        };
        path.into()
    }
}
