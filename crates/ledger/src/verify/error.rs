//! Why a ledger does not pass.

use crate::checkpoint::CheckpointError;
use crate::entry::EntryError;
use crate::files::FilesError;
use crate::layout::BundleError;
use crate::rotation::RotationError;
use crate::rules::RulesError;

/// Why a ledger does not pass: always with the file, and with the entry's index where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The directory cannot be listed.
    #[error("the directory cannot be listed: {0}")]
    List(#[source] FilesError),
    /// A file cannot be read, or is too long for what it should hold.
    #[error("{file}: {source}")]
    Read {
        /// Its path.
        file: String,
        /// Why.
        source: FilesError,
    },
    /// A file that a ledger of this size consists of is missing.
    #[error("{file}: missing")]
    Missing {
        /// Its path.
        file: String,
    },
    /// A tile or bundle that does not belong to a ledger of this size.
    #[error("{file}: surplus; a ledger of {size} entries has no such file")]
    Surplus {
        /// Its path.
        file: String,
        /// The size that the checkpoint states.
        size: u64,
    },
    /// A file that no ledger has.
    #[error("{file}: not a file of a ledger")]
    Unknown {
        /// Its path.
        file: String,
    },
    /// The head is older than the files: it was put back.
    #[error(
        "checkpoint: it is of {size} entries, and {file} belongs to a ledger of {found}: the checkpoint was rolled back"
    )]
    RolledBack {
        /// The size that the checkpoint states.
        size: u64,
        /// The bundle that goes further.
        file: String,
        /// Entries up to that bundle's end.
        found: u64,
    },
    /// The head is malformed, of another log, or badly signed.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The head, or the log as a whole, is signed by other keys than the pinned one and those it handed over to.
    #[error("checkpoint: the log is signed by {found}, not by the pinned key {pinned}")]
    ForeignKey {
        /// Name and id of the pinned key.
        pinned: String,
        /// Names and ids of the keys that signed.
        found: String,
    },
    /// A rotation that does not hand the log over.
    #[error("{file}: entry {index}: {source}")]
    Rotation {
        /// The bundle's path.
        file: String,
        /// Index in the ledger.
        index: u64,
        /// Why.
        source: RotationError,
    },
    /// The head has no signature line under the origin's name.
    #[error("checkpoint: no signature line in the name of the origin")]
    NoLogSignature,
    /// A key (name and id) signed twice.
    #[error("checkpoint: two signature lines of {name}")]
    RepeatedSignature {
        /// Its name.
        name: String,
    },
    /// A signature line of a key that the caller did not list.
    #[error("checkpoint: signature line of {name}+{key_id}, a key that was not listed")]
    UnlistedSignature {
        /// Its name.
        name: String,
        /// Its key id in hex.
        key_id: String,
    },
    /// A bundle is cut short or has bytes left over.
    #[error("{file}: entry {index}: {source}")]
    Bundle {
        /// Its path.
        file: String,
        /// First entry that is not whole, or the one after the last.
        index: u64,
        /// Why.
        source: BundleError,
    },
    /// An entry that is not canonical or not valid by itself.
    #[error("{file}: entry {index}: {source}")]
    Entry {
        /// The bundle's path.
        file: String,
        /// Index in the ledger.
        index: u64,
        /// Why.
        source: EntryError,
    },
    /// An entry that contradicts an earlier one.
    #[error("{file}: entry {index}: {source}")]
    Rule {
        /// The bundle's path.
        file: String,
        /// Index in the ledger.
        index: u64,
        /// Why.
        source: RulesError,
    },
    /// A tile that is not 32 bytes per hash.
    #[error("{file}: {found} bytes instead of {expected}")]
    TileLength {
        /// Its path.
        file: String,
        /// Bytes it must have.
        expected: usize,
        /// Bytes it has.
        found: usize,
    },
    /// An entry that does not have the hash its level-0 tile gives it: one of the two files was changed.
    #[error("{file}: entry {index} does not have the hash that {tile} gives it")]
    Leaf {
        /// The bundle's path.
        file: String,
        /// The tile's path.
        tile: String,
        /// Index in the ledger.
        index: u64,
    },
    /// A tile of a higher level that differs from what the entries hash to.
    #[error("{file}: hash {item} is not that of the entries from {entry}")]
    Tile {
        /// Its path.
        file: String,
        /// First wrong hash within the tile.
        item: u64,
        /// First entry below that hash.
        entry: u64,
    },
    /// The signed root is not that of the entries.
    #[error("checkpoint: the root is not that of the {size} entries")]
    Root {
        /// Number of entries.
        size: u64,
    },
}
