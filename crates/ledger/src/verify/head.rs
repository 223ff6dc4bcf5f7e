//! Whether a ledger continues a head that was seen before.

use crate::checkpoint::Checkpoint;
use crate::tree::Tree;

/// Why a head that was seen before does not lead to a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is of another log.
    #[error("the earlier head is of {found}, the ledger of {expected}")]
    OtherOrigin {
        /// The ledger's origin.
        expected: String,
        /// The head's origin.
        found: String,
    },
    /// It is larger than the ledger: the ledger was cut back, or restored from an old copy.
    #[error("an earlier head has {earlier} entries, the ledger only {size}")]
    RolledBack {
        /// Size of the earlier head.
        earlier: u64,
        /// Size of the ledger.
        size: u64,
    },
    /// It has another root at its size: two histories were signed.
    #[error("fork: an earlier head of {size} entries has another root")]
    Forked {
        /// Size of the earlier head.
        size: u64,
    },
}

/// Whether the head is a prefix of the tree of the log `origin`.
pub(crate) fn contains_head(tree: &Tree, origin: &str, earlier: &Checkpoint) -> Result<(), HeadError> {
    if earlier.origin != origin {
        return Err(HeadError::OtherOrigin {
            expected: origin.to_owned(),
            found: earlier.origin.clone(),
        });
    }
    match tree.root_at(earlier.size) {
        Ok(root) if root == earlier.root => Ok(()),
        Ok(_) => Err(HeadError::Forked { size: earlier.size }),
        Err(_) => Err(HeadError::RolledBack {
            earlier: earlier.size,
            size: tree.size(),
        }),
    }
}
