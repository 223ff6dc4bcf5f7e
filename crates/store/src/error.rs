//! Why a store refuses or fails, one variant per cause.

use std::path::PathBuf;

use thiserror::Error;

/// Why a store did not do what it was asked. Cloneable, because one failed flush answers many callers.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// A one-time key was used before; nothing of the batch took effect.
    #[error("key {key} in space {space} was used before; a one-time value is never written twice")]
    Exists {
        /// The space.
        space: String,
        /// First 32 bytes of the key, hexadecimal.
        key: String,
    },

    /// Another process holds the store.
    #[error("{} is in use by another process; stop that process, or choose another state directory", path.display())]
    Locked {
        /// The state file.
        path: PathBuf,
    },

    /// The store was opened to look at it.
    #[error("{} was opened read-only", path.display())]
    ReadOnly {
        /// The state file.
        path: PathBuf,
    },

    /// Another process opened this store after us and now owns it (two machines on one shared disk).
    #[error("{} was taken over by a later process (generation {found}, ours is {ours}); this process writes no more", path.display())]
    Superseded {
        /// The state file.
        path: PathBuf,
        /// Generation of this process.
        ours: u64,
        /// Generation found in the file.
        found: u64,
    },

    /// The file is no Tacita store, or only part of one.
    #[error("{} is not a Tacita state file and was left untouched; choose another path", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },

    /// The file was written by a later version of Tacita.
    #[error("{} has format {found}, this version knows up to {known}; it was left untouched: use a newer Tacita", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Format of the file.
        found: u32,
        /// Newest format this version knows.
        known: u32,
    },

    /// The path names a link, a directory or a device.
    #[error("{} is not a plain file; state is never followed through a link", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },

    /// Others can read the file.
    #[error("{} can be opened by other users (mode {mode:o}); run chmod 600 on it", path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// The disk is full. Nothing of the batch took effect; commits work again when there is space.
    #[error("the disk that holds {} is full; free some space", path.display())]
    DiskFull {
        /// The state file.
        path: PathBuf,
    },

    /// A write or a flush failed. It is not tried again: after a failed flush the system may have dropped the data.
    #[error("{} could not be written ({reason}); nothing more is written: check the disk, then restart", path.display())]
    WriteFailed {
        /// The state file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },

    /// An earlier write or flush failed, so this store takes no more batches.
    #[error("{} takes no more writes since an earlier failure ({reason}); check the disk, then restart", path.display())]
    Stopped {
        /// The state file.
        path: PathBuf,
        /// The earlier failure.
        reason: String,
    },

    /// Content that does not match its checksum or the database's own structure.
    #[error("{} is damaged ({detail}); restore it from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where.
        detail: String,
    },

    /// Other processes held the file longer than the busy timeout.
    #[error("{} was busy for too long; try again", path.display())]
    Busy {
        /// The state file.
        path: PathBuf,
    },

    /// More batches are waiting than the store keeps.
    #[error("too many changes are waiting for the disk that holds {}; try again later", path.display())]
    Overloaded {
        /// The state file.
        path: PathBuf,
    },

    /// The operating system refused something other than a write of the database.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },

    /// A space name outside `[a-z0-9-_./]{1,64}`.
    #[error("\"{space}\" cannot name a space")]
    SpaceName {
        /// The name, escaped and cut.
        space: String,
    },

    /// A key above [`crate::MAX_KEY_BYTES`].
    #[error("a key of {bytes} bytes is too long")]
    KeyTooLong {
        /// Its length.
        bytes: usize,
    },

    /// A value above [`crate::MAX_VALUE_BYTES`].
    #[error("a value of {bytes} bytes is too long")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },

    /// A batch above [`crate::MAX_BATCH_BYTES`].
    #[error("a batch of {bytes} bytes is too large")]
    BatchTooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl StoreError {
    /// A one-time key that was there, shown short and in hexadecimal: keys come from peers.
    #[must_use]
    pub fn exists(space: &str, key: &[u8]) -> Self {
        Self::Exists {
            space: space.to_owned(),
            key: short_hex(key),
        }
    }
}

/// The first 32 bytes in hexadecimal, safe to print.
pub(crate) fn short_hex(bytes: &[u8]) -> String {
    bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect()
}
