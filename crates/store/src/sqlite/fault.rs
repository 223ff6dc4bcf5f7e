//! SQLite's error codes as named causes.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::StoreError;

/// The cause of a failure while writing. Only a full disk and a busy file leave the store usable: everything
/// else may have lost data that the system said it had (PostgreSQL's 2018 lesson about `fsync`).
pub(super) fn writing(path: &Path, error: &Error) -> StoreError {
    named(path, error).unwrap_or_else(|| StoreError::WriteFailed {
        path: path.to_path_buf(),
        reason: error.to_string(),
    })
}

/// The cause of a failure while reading.
pub(super) fn reading(path: &Path, error: &Error) -> StoreError {
    named(path, error).unwrap_or_else(|| StoreError::Io {
        action: "read",
        path: path.to_path_buf(),
        reason: error.to_string(),
    })
}

/// Whether the writer may go on after this failure.
pub(super) fn is_passing(error: &StoreError) -> bool {
    matches!(error, StoreError::DiskFull { .. } | StoreError::Busy { .. })
}

fn named(path: &Path, error: &Error) -> Option<StoreError> {
    let path = path.to_path_buf();
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(StoreError::DiskFull { path }),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(StoreError::Busy { path }),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(StoreError::Corrupt {
            path,
            detail: error.to_string(),
        }),
        _ => None,
    }
}
