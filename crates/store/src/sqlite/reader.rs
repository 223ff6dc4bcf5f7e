//! Reading beside a writer of another process. In the writer's own, opening would end its lock on the file, as POSIX has it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::{BUSY_TIMEOUT, fault, file, rows};
use crate::batch::check_key;
use crate::store::Entries;
use crate::{Batch, CommitFuture, Stats, Store, StoreError};

/// Read-only connections kept open.
const MAX_READERS: usize = 4;

/// Read-only connections to one file.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    path: PathBuf,
}

impl Readers {
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            idle: Mutex::new(Vec::new()),
            path,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `query` on a read-only connection.
    pub(super) fn read<T>(
        &self,
        query: impl FnOnce(&Connection, &Path) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let reader = Connection::open_with_flags(&self.path, flags)
                    .map_err(|e| fault::reading(&self.path, &e))?;
                reader
                    .busy_timeout(BUSY_TIMEOUT)
                    .map_err(|e| fault::reading(&self.path, &e))?;
                reader
            }
        };
        let answer = query(&reader, &self.path)?;
        let mut readers = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < MAX_READERS {
            readers.push(reader);
        }
        Ok(answer)
    }

    pub(super) fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(space, key)?;
        self.read(|reader, path| rows::get(reader, path, space, key))
    }

    pub(super) fn scan(&self, space: &str, prefix: &[u8]) -> Result<Entries, StoreError> {
        check_key(space, prefix)?;
        self.read(|reader, path| rows::scan(reader, path, space, prefix))
    }
}

/// Looks at a store that another process may have open, whatever its [`super::Sharing`]: takes no lock, writes no entry, and
/// refuses every batch with [`StoreError::ReadOnly`]. Each read sees what was committed when it began.
pub struct SqliteReader {
    readers: Readers,
}

impl SqliteReader {
    /// The store at `path`; `None` if there is none yet.
    ///
    /// # Errors
    /// As [`super::SqliteStore::open`], but never [`StoreError::Locked`].
    pub fn open(path: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        let path = path.as_ref().to_path_buf();
        if file::inspect(&path)? {
            return Ok(None);
        }
        let readers = Readers::of(path);
        readers.read(file::check_open)?;
        Ok(Some(Self { readers }))
    }

    fn refusal(&self) -> StoreError {
        StoreError::ReadOnly {
            path: self.readers.path().to_path_buf(),
        }
    }
}

impl Store for SqliteReader {
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.readers.get(space, key)
    }

    fn scan(&self, space: &str, prefix: &[u8]) -> Result<Entries, StoreError> {
        self.readers.scan(space, prefix)
    }

    fn commit(&self, _: Batch) -> Result<(), StoreError> {
        Err(self.refusal())
    }

    fn commit_async(&self, _: Batch) -> CommitFuture {
        let refusal = self.refusal();
        Box::pin(async move { Err(refusal) })
    }

    fn stats(&self) -> Stats {
        Stats::default()
    }
}

impl fmt::Debug for SqliteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteReader")
            .field("path", &self.readers.path())
            .finish_non_exhaustive()
    }
}
