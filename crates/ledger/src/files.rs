//! Files as values: what the ledger reads, what it wants written, and a directory in memory.
//!
//! Paths are relative to the ledger's directory and use `/`. On disk a shell applies changes **in order**; each
//! `Write` must become visible whole (written beside the directory, synced, renamed into place, directory
//! synced) before the next change starts, and a failed change must end the use of that [`crate::Log`].

use std::collections::BTreeMap;

/// Why a file could not be listed or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// No such file.
    #[error("the file does not exist")]
    NotFound,
    /// The file is longer than the limit that came with the request.
    #[error("the file is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

/// A ledger directory, for reading.
pub trait Files {
    /// The relative path of every file below the directory, in any order. Anything that is not a plain file
    /// or directory (a link, a socket) must be an error.
    ///
    /// # Errors
    /// [`FilesError`].
    fn list(&self) -> Result<Vec<String>, FilesError>;

    /// The whole content of one file.
    ///
    /// # Errors
    /// [`FilesError::NotFound`]; [`FilesError::TooLong`] instead of more than `limit` bytes in memory.
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FilesError>;
}

/// One change to a ledger directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Create the file, or replace it whole.
    Write {
        /// Relative path.
        path: String,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// Remove the file; not an error if it is gone. Directories that become empty may go too.
    Remove {
        /// Relative path.
        path: String,
    },
}

impl FileChange {
    /// The path that changes.
    pub fn path(&self) -> &str {
        match self {
            Self::Write { path, .. } | Self::Remove { path } => path,
        }
    }
}

/// A directory in memory: for tests, simulation, and ledgers fetched over a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryFiles(BTreeMap<String, Vec<u8>>);

impl MemoryFiles {
    /// The empty directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one change.
    pub fn apply(&mut self, change: &FileChange) {
        match change {
            FileChange::Write { path, bytes } => {
                self.0.insert(path.clone(), bytes.clone());
            }
            FileChange::Remove { path } => {
                self.0.remove(path);
            }
        }
    }

    /// Applies changes in order.
    pub fn apply_all<'a>(&mut self, changes: impl IntoIterator<Item = &'a FileChange>) {
        for change in changes {
            self.apply(change);
        }
    }

    /// The files by path.
    pub fn contents(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.0
    }

    /// The files by path, to be changed at will (by tests that play the attacker, for one).
    pub fn contents_mut(&mut self) -> &mut BTreeMap<String, Vec<u8>> {
        &mut self.0
    }
}

impl Files for MemoryFiles {
    fn list(&self) -> Result<Vec<String>, FilesError> {
        Ok(self.0.keys().cloned().collect())
    }

    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, FilesError> {
        let bytes = self.0.get(path).ok_or(FilesError::NotFound)?;
        if bytes.len() > limit {
            return Err(FilesError::TooLong { limit });
        }
        Ok(bytes.clone())
    }
}
