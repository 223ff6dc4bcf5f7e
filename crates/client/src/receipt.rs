//! What a client keeps of TAC-062: proof that a round's charge counts its upload, in the words of the ledger.

use serde::{Deserialize, Serialize};
use tacita_protocol::UploadReceipt;

/// Proof that the charge of a round counts this client's upload. With the upload digest beside it and the client's
/// certificate anyone can check it against the ledger (spec 02 section 3.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// Position of the charge in the ledger.
    pub charge_entry: u64,
    /// The charge's `uploads_root`.
    pub uploads_root: String,
    /// Own roster index.
    pub roster_index: u16,
    /// Position of the own leaf.
    pub position: u16,
    /// Leaves in all.
    pub survivors: u16,
    /// The signature over the upload digest, hex.
    pub signature: String,
    /// Inclusion proof, deepest hash first, hex.
    pub proof: Vec<String>,
}

impl From<&UploadReceipt> for Inclusion {
    fn from(receipt: &UploadReceipt) -> Self {
        Self {
            charge_entry: receipt.charge,
            uploads_root: hex::encode(receipt.uploads_root),
            roster_index: receipt.index,
            position: receipt.position,
            survivors: receipt.survivors,
            signature: hex::encode(receipt.upload.signature),
            proof: receipt.proof.iter().map(hex::encode).collect(),
        }
    }
}
