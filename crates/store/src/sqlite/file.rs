//! The file itself: who may open it, and whether it is ours to touch.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, OpenFlags, TransactionBehavior};

use super::{BUSY_TIMEOUT, FORMAT_VERSION, Sharing, fault, rows};
use crate::StoreError;

/// SQLite's `application_id` of a Tacita store: "taci".
const APPLICATION_ID: i32 = 0x7461_6369;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long a shared opener waits for another one that is creating the file.
const CREATION_PATIENCE: Duration = Duration::from_secs(2);

/// Holds the lock file until dropped; the operating system gives the lock up when the process dies.
pub(super) struct Lock {
    _file: File,
}

/// Locks and opens the database for writing, creating it when there is none.
pub(super) fn open(path: &Path, sharing: Sharing) -> Result<(Lock, Connection), StoreError> {
    let started = Instant::now();
    loop {
        let is_new = inspect(path)?;
        let file = lock_file(path)?;
        // A new file is made under the exclusive lock, so that no other process meets half of it.
        let attempt = match sharing {
            Sharing::Shared if !is_new => file.try_lock_shared(),
            _ => file.try_lock(),
        };
        match attempt {
            Ok(()) => {
                let connection = connect(path, is_new)?;
                if is_new && sharing == Sharing::Shared {
                    file.lock_shared().map_err(|e| io("lock", path, &e))?;
                }
                return Ok((Lock { _file: file }, connection));
            }
            Err(TryLockError::WouldBlock) => {
                if sharing == Sharing::Exclusive || started.elapsed() > CREATION_PATIENCE {
                    return Err(StoreError::Locked {
                        path: path.to_path_buf(),
                    });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", path, &error)),
        }
    }
}

/// Looks at the file without touching it; true when there is none yet, or an empty one.
pub(super) fn inspect(path: &Path) -> Result<bool, StoreError> {
    let about = match std::fs::symlink_metadata(path) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(io("look at", path, &error)),
    };
    if !about.is_file() {
        return Err(StoreError::NotAFile {
            path: path.to_path_buf(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Permissions {
                path: path.to_path_buf(),
                mode,
            });
        }
    }
    if about.len() == 0 {
        return Ok(true);
    }
    // https://www.sqlite.org/fileformat.html: user_version at 60, application_id at 68, big-endian.
    let mut header = [0; 100];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut header))
        .or_else(|error| {
            if error.kind() == ErrorKind::UnexpectedEof {
                Ok(())
            } else {
                Err(error)
            }
        })
        .map_err(|e| io("read", path, &e))?;
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header[..16] != MAGIC[..] {
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
        });
    }
    check_format(path, number(68), number(60))?;
    Ok(false)
}

fn check_format(path: &Path, application: i32, version: i32) -> Result<(), StoreError> {
    let path = path.to_path_buf();
    match u32::try_from(version) {
        Ok(found) if application == APPLICATION_ID && found > FORMAT_VERSION => Err(StoreError::Newer {
            path,
            found,
            known: FORMAT_VERSION,
        }),
        Ok(found) if application == APPLICATION_ID && found > 0 => Ok(()),
        _ => Err(StoreError::Foreign { path }),
    }
}

/// Asked through SQLite: a newer version may have left its number in the write-ahead log.
pub(super) fn check_open(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let number = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|e| fault::reading(path, &e))
    };
    check_format(path, number("application_id")?, number("user_version")?)
}

fn lock_file(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    private()
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(|e| io("open", &name, &e))
}

/// Options for files that only their owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

fn connect(path: &Path, is_new: bool) -> Result<Connection, StoreError> {
    if is_new {
        // Made here rather than by SQLite, so that it never has another mode.
        private()
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|e| io("create", path, &e))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| fault::writing(path, &e))?;
    let failed = |e: Error| fault::writing(path, &e);
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    if is_new {
        create(&mut connection).map_err(failed)?;
    }
    let number = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(failed)
    };
    // Asked again through SQLite: a newer version may have left its number in the write-ahead log.
    if let Err(refused) = check_format(path, number("application_id")?, number("user_version")?) {
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(failed)?;
        return Err(refused);
    }
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        let reason = format!("no write-ahead log on this file system (journal mode {mode})");
        return Err(StoreError::Io {
            action: "use",
            path: path.to_path_buf(),
            reason,
        });
    }
    // Checkpoints are run by the writer, which sees their errors; SQLite's own would swallow a failed flush.
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF;",
        )
        .map_err(failed)?;
    connection
        .pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))
        .map_err(failed)?;
    if is_new {
        sync_directory(path)?;
    }
    Ok(connection)
}

fn create(connection: &mut Connection) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    // Another process may have been faster between the look and the lock.
    if tables == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT_VERSION)?;
        transaction.execute_batch(rows::SCHEMA)?;
    }
    transaction.commit()
}

/// A new name is durable only once its directory is.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|e| io("flush", directory, &e))
}

fn io(action: &'static str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Io {
        action,
        path: path.to_path_buf(),
        reason: error.to_string(),
    }
}
