//! Entries as rows of one table, each with a checksum over its place and content.

use std::path::Path;

use rusqlite::{Connection, Error, OptionalExtension, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::fault;
use crate::batch::Operation;
use crate::error::short_hex;
use crate::store::Entries;
use crate::{Batch, StoreError};

pub(super) const SCHEMA: &str = "CREATE TABLE entry (
    space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, checksum BLOB NOT NULL,
    PRIMARY KEY (space, key)) STRICT, WITHOUT ROWID";

/// The store's own space; no caller can name it.
const OWN_SPACE: &str = "~";
const GENERATION: &[u8] = b"generation";

/// The first half of SHA-256 over space, key and value, each with its length. SQLite does not protect the pages
/// of its file, so without this a flipped bit would be read as a value.
fn checksum(space: &str, key: &[u8], value: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for field in [space.as_bytes(), key] {
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field);
    }
    hash.update(value);
    let full: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}

fn checked(
    path: &Path,
    space: &str,
    key: &[u8],
    value: Vec<u8>,
    stored: &[u8],
) -> Result<Vec<u8>, StoreError> {
    if checksum(space, key, &value) == stored {
        return Ok(value);
    }
    let detail = format!("checksum of key {} in space {space}", short_hex(key));
    Err(StoreError::Corrupt {
        path: path.to_path_buf(),
        detail,
    })
}

pub(super) fn get(
    reader: &Connection,
    path: &Path,
    space: &str,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<(Vec<u8>, Vec<u8>)> = reader
        .prepare_cached("SELECT value, checksum FROM entry WHERE space = ?1 AND key = ?2")
        .and_then(|mut query| {
            query
                .query_row(params![space, key], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .map_err(|e| fault::reading(path, &e))?;
    row.map(|(value, stored)| checked(path, space, key, value, &stored))
        .transpose()
}

pub(super) fn scan(
    reader: &Connection,
    path: &Path,
    space: &str,
    prefix: &[u8],
) -> Result<Entries, StoreError> {
    let failed = |e: Error| fault::reading(path, &e);
    let end = end_of(prefix);
    let mut query = match &end {
        Some(_) => reader.prepare_cached(
            "SELECT key, value, checksum FROM entry WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
        ),
        None => reader.prepare_cached(
            "SELECT key, value, checksum FROM entry WHERE space = ?1 AND key >= ?2 ORDER BY key",
        ),
    }
    .map_err(failed)?;
    let mut rows = match &end {
        Some(end) => query.query(params![space, prefix, end]),
        None => query.query(params![space, prefix]),
    }
    .map_err(failed)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let key: Vec<u8> = row.get(0).map_err(failed)?;
        let value = row.get(1).map_err(failed)?;
        let stored: Vec<u8> = row.get(2).map_err(failed)?;
        let value = checked(path, space, &key, value, &stored)?;
        entries.push((key, value));
    }
    Ok(entries)
}

/// The least byte string above all that start with `prefix`; `None` when there is no such string.
fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    // Cannot overflow: `last` was chosen below 255.
    end[last] = end[last].wrapping_add(1);
    Some(end)
}

/// What became of one batch inside a transaction that goes on.
pub(super) enum Applied {
    Written,
    Refused(StoreError),
}

/// Applies one batch inside the open transaction. A refused batch leaves no trace in it.
pub(super) fn apply(connection: &Connection, batch: &Batch) -> Result<Applied, Error> {
    if !batch.may_be_refused() {
        for operation in batch.operations() {
            apply_one(connection, operation)?;
        }
        return Ok(Applied::Written);
    }
    connection.prepare_cached("SAVEPOINT batch")?.execute([])?;
    let mut applied = Applied::Written;
    for operation in batch.operations() {
        if let Some(refused) = apply_one(connection, operation)? {
            connection.prepare_cached("ROLLBACK TO batch")?.execute([])?;
            applied = Applied::Refused(refused);
            break;
        }
    }
    connection.prepare_cached("RELEASE batch")?.execute([])?;
    Ok(applied)
}

fn apply_one(connection: &Connection, operation: &Operation) -> Result<Option<StoreError>, Error> {
    match operation {
        Operation::Put { space, key, value } => {
            connection
                .prepare_cached(
                    "INSERT INTO entry (space, key, value, checksum) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (space, key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
                )?
                .execute(params![space, key, value, checksum(space, key, value)])?;
            Ok(None)
        }
        Operation::InsertNew { space, key, value } => {
            let written = connection
                .prepare_cached(
                    "INSERT INTO entry (space, key, value, checksum) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (space, key) DO NOTHING",
                )?
                .execute(params![space, key, value, checksum(space, key, value)])?;
            Ok((written == 0).then(|| StoreError::exists(space, key)))
        }
        Operation::Delete { space, key } => {
            connection
                .prepare_cached("DELETE FROM entry WHERE space = ?1 AND key = ?2")?
                .execute(params![space, key])?;
            Ok(None)
        }
    }
}

/// The generation in the file: how often it was opened exclusively.
pub(super) fn generation(connection: &Connection) -> Result<u64, Error> {
    let stored: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM entry WHERE space = ?1 AND key = ?2")?
        .query_row(params![OWN_SPACE, GENERATION], |row| row.get(0))
        .optional()?;
    Ok(stored
        .and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)))
        .unwrap_or(0))
}

/// Takes the next generation, durably.
pub(super) fn next_generation(connection: &mut Connection) -> Result<u64, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let next = generation(&transaction)?.saturating_add(1);
    let mut batch = Batch::new();
    batch.put(OWN_SPACE, GENERATION, next.to_le_bytes());
    apply(&transaction, &batch)?;
    transaction.commit()?;
    Ok(next)
}

/// Checks the database's structure and every checksum; returns the number of the callers' entries.
pub(super) fn verify(reader: &Connection, path: &Path) -> Result<u64, StoreError> {
    let failed = |e: Error| fault::reading(path, &e);
    let found: String = reader
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(failed)?;
    if found != "ok" {
        return Err(StoreError::Corrupt {
            path: path.to_path_buf(),
            detail: found,
        });
    }
    let mut query = reader
        .prepare("SELECT space, key, value, checksum FROM entry")
        .map_err(failed)?;
    let mut rows = query.query([]).map_err(failed)?;
    let mut entries: u64 = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        let space: String = row.get(0).map_err(failed)?;
        let key: Vec<u8> = row.get(1).map_err(failed)?;
        let value: Vec<u8> = row.get(2).map_err(failed)?;
        let stored: Vec<u8> = row.get(3).map_err(failed)?;
        checked(path, &space, &key, value, &stored)?;
        entries = entries.saturating_add(u64::from(space != OWN_SPACE));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_prefix_is_the_least_string_above() {
        assert_eq!(end_of(b""), None);
        assert_eq!(end_of(&[255, 255]), None);
        assert_eq!(end_of(&[7]), Some(vec![8]));
        assert_eq!(end_of(&[7, 255, 255]), Some(vec![8]));
        assert_eq!(end_of(&[7, 254]), Some(vec![7, 255]));
    }

    #[test]
    fn checksum_binds_space_key_and_value() {
        let all = [
            checksum("ab", b"c", b"v"),
            checksum("a", b"bc", b"v"),
            checksum("ab", b"cv", b""),
            checksum("ab", b"", b"cv"),
            checksum("ab", b"c", b"w"),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one), "{i}");
        }
    }
}
