//! The default store: one SQLite file.
//!
//! Write-ahead log and `synchronous=FULL`, so that a transaction is one flush and is on disk when it returns.
//! One thread writes ([`writer`]), a few read-only connections answer reads beside it, and a lock file says
//! which processes may open the store at all ([`file`]).

mod fault;
mod file;
mod reader;
mod rows;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::store::Entries;
use crate::{Batch, CommitFuture, Stats, Store, StoreError};
use reader::Readers;
use writer::Writer;

pub use reader::SqliteReader;
pub use writer::{MAX_GROUP_BATCHES, MAX_GROUP_BYTES, MAX_QUEUED_BATCHES, MAX_QUEUED_BYTES};

/// Format of the state file that this version writes (SQLite's `user_version`).
pub const FORMAT_VERSION: u32 = 1;
/// How long one process waits for another that holds the file.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Who else may have the store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody: a second opener, exclusive or shared, gets [`StoreError::Locked`].
    Exclusive,
    /// Other processes that also open it shared, such as commands beside a running service.
    Shared,
}

/// Durable state in one SQLite file; see [`Store`] for what it promises.
pub struct SqliteStore {
    // Fields drop in this order: the writer closes the database last, and only then is the lock given up.
    readers: Readers,
    writer: Writer,
    generation: u64,
    _lock: file::Lock,
}

impl SqliteStore {
    /// Opens the store at `path`, creating the file (mode 0600) when there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process excludes us; [`StoreError::Foreign`], [`StoreError::Newer`],
    /// [`StoreError::NotAFile`] and [`StoreError::Permissions`] for a file that must not be used, which is left
    /// untouched; otherwise what the disk said.
    pub fn open(path: impl AsRef<Path>, sharing: Sharing) -> Result<Self, StoreError> {
        let path = path.as_ref().to_path_buf();
        let (lock, mut connection) = file::open(&path, sharing)?;
        let generation = match sharing {
            Sharing::Exclusive => {
                Some(rows::next_generation(&mut connection).map_err(|e| fault::writing(&path, &e))?)
            }
            Sharing::Shared => None,
        };
        let writer = Writer::start(path.clone(), connection, generation)?;
        let generation = generation.unwrap_or_default();
        Ok(Self {
            readers: Readers::of(path),
            writer,
            generation,
            _lock: lock,
        })
    }

    /// The state file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.readers.path()
    }

    /// How often the store was opened exclusively, this time included; 0 when this opening is shared.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Reads the whole file: the database's own structure, then the checksum of every entry. Takes about a
    /// second a gigabyte. Returns the number of entries.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with the first damage found.
    pub fn verify(&self) -> Result<u64, StoreError> {
        self.readers.read(rows::verify)
    }
}

impl Store for SqliteStore {
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.readers.get(space, key)
    }

    fn scan(&self, space: &str, prefix: &[u8]) -> Result<Entries, StoreError> {
        self.readers.scan(space, prefix)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.writer.commit(batch)
    }

    fn commit_async(&self, batch: Batch) -> CommitFuture {
        self.writer.commit_async(batch)
    }

    fn stats(&self) -> Stats {
        self.writer.stats()
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}
