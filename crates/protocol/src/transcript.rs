//! The transcript of uploads: what every survivor signed over its upload, under one root in the charge (spec 02 section
//! 3.8, TAC-062). A client sees there that the sum which the server charged for is said to hold its own upload, as it was
//! sent; that the sum was then computed from these uploads nobody can see.

use std::collections::BTreeMap;

use tacita_ledger::tree::{self, Tree};

use crate::Hash;
use crate::bitmap::Bitmap;
use crate::limits::MAX_ROUND_PROOF;
use crate::messages::Proof;
use crate::refusal::Refusal;

/// What a client signed when it closed its upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUpload {
    /// The upload digest.
    pub digest: Hash,
    /// The client's signature over it.
    pub signature: [u8; 64],
}

impl SignedUpload {
    /// leaf(u16 index || upload digest || signature).
    fn leaf(&self, index: u16) -> Hash {
        let fields: [&[u8]; 3] = [&index.to_be_bytes(), &self.digest, &self.signature];
        tree::leaf_hash(&fields.concat())
    }
}

/// Proof that a client's own upload is among those that a round was charged for, as its record keeps it. Whoever has the
/// certificate can check it against the charge entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadReceipt {
    /// Position of the charge in the ledger.
    pub charge: u64,
    /// The charge's uploads root.
    pub uploads_root: Hash,
    /// Own roster index.
    pub index: u16,
    /// Position of the leaf: survivors below the own index.
    pub position: u16,
    /// Leaves in all: |U2|.
    pub survivors: u16,
    /// The leaf's content.
    pub upload: SignedUpload,
    /// Inclusion proof of the leaf.
    pub proof: Vec<Hash>,
}

/// The server's side: the leaves of the uploads that were added so far.
#[derive(Default)]
pub(crate) struct Uploads(BTreeMap<u16, Hash>);

impl Uploads {
    pub(crate) fn insert(&mut self, index: u16, upload: &SignedUpload) {
        self.0.insert(index, upload.leaf(index));
    }

    /// The tree over the members that uploaded, by rising index.
    pub(crate) fn tree(&self) -> Tree {
        Tree::from_leaves(self.0.values().copied().collect())
    }
}

/// The client's side, TAC-062.
pub(crate) fn verify(
    index: u16,
    upload: SignedUpload,
    survivors: &Bitmap,
    (charge, uploads_root): (u64, Hash),
    proof: &Proof,
) -> Result<UploadReceipt, Refusal> {
    let position = survivors.rank(index);
    let size = u64::from(survivors.count());
    let leaf = upload.leaf(index);
    let proof = proof.as_slice();
    if proof.len() > MAX_ROUND_PROOF
        || tree::verify_inclusion(&leaf, u64::from(position), size, proof, &uploads_root).is_err()
    {
        return Err(Refusal::UploadProof);
    }
    Ok(UploadReceipt {
        charge,
        uploads_root,
        index,
        position,
        survivors: survivors.count(),
        upload,
        proof: proof.to_vec(),
    })
}
