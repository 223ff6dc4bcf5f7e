use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::{Barrier, Mutex};

use rusqlite::{Connection, ffi};
use tempfile::TempDir;

use super::*;
use crate::conformance;

/// Faults to raise in place of the next COMMIT, by state file.
static FAULTS: Mutex<Option<HashMap<PathBuf, i32>>> = Mutex::new(None);

pub(super) fn injected_fault(path: &Path) -> Option<rusqlite::Error> {
    let code = FAULTS.lock().unwrap().as_mut()?.remove(path)?;
    Some(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
}

fn inject(path: &Path, code: i32) {
    FAULTS
        .lock()
        .unwrap()
        .get_or_insert_default()
        .insert(path.to_path_buf(), code);
}

fn exclusive(dir: &TempDir) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(dir.path().join("state"), Sharing::Exclusive)
}

fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put("test", key, value);
    batch
}

#[test]
fn conforms() {
    let dir = TempDir::new().unwrap();
    conformance::check(&exclusive(&dir).unwrap()).unwrap();
    let shared = SqliteStore::open(dir.path().join("shared"), Sharing::Shared).unwrap();
    conformance::check(&shared).unwrap();
    assert!(shared.verify().unwrap() > 200);
    conformance::check_reopened(&mut || Ok(Box::new(exclusive(&dir)?))).unwrap();
}

#[test]
fn many_callers_share_transactions() {
    let dir = TempDir::new().unwrap();
    let store = exclusive(&dir).unwrap();
    let start = Barrier::new(16);
    std::thread::scope(|scope| {
        for thread in 0..16_u32 {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                // Some callers wait for each batch, some keep several on their way.
                let mut waiting = Vec::new();
                for i in 0..63_u32 {
                    let key = [thread.to_be_bytes(), i.to_be_bytes()].concat();
                    waiting.push(store.commit_async(put(key.clone(), key)));
                    if thread % 2 == 0 || waiting.len() == 16 {
                        for future in waiting.drain(..) {
                            wait(future).unwrap();
                        }
                    }
                }
                waiting.into_iter().for_each(|future| wait(future).unwrap());
            });
        }
    });
    let stats = store.stats();
    assert_eq!(stats.batches, 16 * 63);
    assert!(stats.transactions * 4 < stats.batches, "{stats:?}");
    assert_eq!(store.scan("test", b"").unwrap().len(), 16 * 63);
}

fn wait(future: CommitFuture) -> Result<(), StoreError> {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    let first = exclusive(&dir).unwrap();
    for sharing in [Sharing::Exclusive, Sharing::Shared] {
        assert_eq!(
            SqliteStore::open(&path, sharing).unwrap_err(),
            StoreError::Locked { path: path.clone() }
        );
    }
    assert!(
        exclusive(&dir)
            .unwrap_err()
            .to_string()
            .contains(path.to_str().unwrap())
    );
    drop(first);
    let (one, two) = (
        SqliteStore::open(&path, Sharing::Shared).unwrap(),
        SqliteStore::open(&path, Sharing::Shared).unwrap(),
    );
    assert_eq!(exclusive(&dir).unwrap_err(), StoreError::Locked { path });
    one.commit(put("k", "from one")).unwrap();
    assert_eq!(two.get("test", b"k").unwrap().as_deref(), Some(&b"from one"[..]));
    two.commit(put("k", "from two")).unwrap();
    assert_eq!(one.get("test", b"k").unwrap().as_deref(), Some(&b"from two"[..]));
}

#[test]
fn shared_writers_keep_one_time_keys_apart() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    // All of them open at once, so that the creation of the file is raced too.
    let won: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4_u8)
            .map(|writer| {
                let path = &path;
                scope.spawn(move || {
                    let store = SqliteStore::open(path, Sharing::Shared).unwrap();
                    (0..50_u8)
                        .filter(|&i| {
                            let mut batch = Batch::new();
                            batch.insert_new("test", [i], [writer]);
                            match store.commit(batch) {
                                Ok(()) => true,
                                Err(StoreError::Exists { .. }) => false,
                                Err(other) => panic!("{other}"),
                            }
                        })
                        .count()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(won, 50);
}

#[test]
fn files_are_private_and_settings_hold() {
    let dir = TempDir::new().unwrap();
    let store = exclusive(&dir).unwrap();
    store.commit(put("k", "v")).unwrap();
    for name in ["state", "state-wal", "state-shm", "state.lock"] {
        assert_eq!(
            std::fs::metadata(dir.path().join(name)).unwrap().mode() & 0o777,
            0o600,
            "{name}"
        );
    }
    drop(store);
    let path = dir.path().join("state");
    let (_lock, connection) = file::open(&path, Sharing::Exclusive).unwrap();
    let setting = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .unwrap()
    };
    assert_eq!(setting("synchronous"), 2);
    assert_eq!(setting("wal_autocheckpoint"), 0);
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn foreign_newer_and_misplaced_files_are_refused_untouched() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    let private = |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(at("text"), "a shopping list").unwrap();
    Connection::open(at("other-database"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    drop(SqliteStore::open(at("newer"), Sharing::Exclusive).unwrap());
    Connection::open(at("newer"))
        .unwrap()
        .pragma_update(None, "user_version", FORMAT_VERSION + 1)
        .unwrap();
    drop(SqliteStore::open(at("cut"), Sharing::Exclusive).unwrap());
    std::fs::OpenOptions::new()
        .write(true)
        .open(at("cut"))
        .unwrap()
        .set_len(60)
        .unwrap();
    for name in ["text", "other-database", "newer", "cut"] {
        private(&at(name));
        let before = std::fs::read(at(name)).unwrap();
        let path = at(name);
        let expected = if name == "newer" {
            StoreError::Newer {
                path,
                found: FORMAT_VERSION + 1,
                known: FORMAT_VERSION,
            }
        } else {
            StoreError::Foreign { path }
        };
        assert_eq!(
            SqliteStore::open(at(name), Sharing::Exclusive).unwrap_err(),
            expected
        );
        assert_eq!(std::fs::read(at(name)).unwrap(), before, "{name} was touched");
        assert!(!at(&format!("{name}-wal")).exists());
    }

    drop(SqliteStore::open(at("good"), Sharing::Exclusive).unwrap());
    std::os::unix::fs::symlink(at("good"), at("link")).unwrap();
    let refused = |name: &str| SqliteStore::open(at(name), Sharing::Exclusive).unwrap_err();
    assert_eq!(refused("link"), StoreError::NotAFile { path: at("link") });
    assert_eq!(refused(""), StoreError::NotAFile { path: at("") });
    std::fs::set_permissions(at("good"), PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(
        refused("good"),
        StoreError::Permissions {
            path: at("good"),
            mode: 0o640
        }
    );
    assert!(matches!(refused("missing/dir"), StoreError::Io { .. }));
}

#[test]
fn a_newer_version_that_lies_only_in_the_log_is_seen() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    drop(exclusive(&dir).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    assert_eq!(
        before[60..64],
        FORMAT_VERSION.to_be_bytes(),
        "the log alone has the new version"
    );
    let log = std::fs::read(dir.path().join("state-wal")).unwrap();
    assert!(!log.is_empty());
    assert!(matches!(exclusive(&dir), Err(StoreError::Newer { found: 7, .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read(dir.path().join("state-wal")).unwrap(), log);
}

#[test]
fn a_failed_flush_stops_the_store_for_good() {
    let dir = TempDir::new().unwrap();
    let store = exclusive(&dir).unwrap();
    store.commit(put("before", "kept")).unwrap();
    inject(store.path(), ffi::SQLITE_IOERR_FSYNC);
    let error = store.commit(put("lost", "")).unwrap_err();
    assert!(
        matches!(&error, StoreError::WriteFailed { path, .. } if path == store.path()),
        "{error}"
    );
    // Nothing is injected any more: the refusal comes from the store.
    let error = store.commit(put("later", "")).unwrap_err();
    assert!(
        matches!(&error, StoreError::Stopped { path, .. } if path == store.path()),
        "{error}"
    );
    assert!(matches!(
        wait(store.commit_async(put("later", ""))),
        Err(StoreError::Stopped { .. })
    ));
    assert!(store.get("test", b"before").unwrap().is_some());
    assert_eq!(store.stats().batches, 1);
    drop(store);
    let store = exclusive(&dir).unwrap();
    assert!(store.get("test", b"lost").unwrap().is_none());
    store.commit(put("later", "")).unwrap();
}

#[test]
fn every_other_write_error_stops_the_store_too() {
    for code in [
        ffi::SQLITE_IOERR,
        ffi::SQLITE_IOERR_WRITE,
        ffi::SQLITE_CORRUPT,
        ffi::SQLITE_READONLY,
    ] {
        let dir = TempDir::new().unwrap();
        let store = exclusive(&dir).unwrap();
        inject(store.path(), code);
        assert!(store.commit(put("a", "")).is_err());
        assert!(
            matches!(store.commit(put("b", "")), Err(StoreError::Stopped { .. })),
            "{code}"
        );
    }
}

#[test]
fn a_full_disk_is_named_and_passes() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    let (lock, connection) = file::open(&path, Sharing::Exclusive).unwrap();
    // SQLite's own page limit answers exactly as a full disk does.
    connection
        .pragma_update_and_check(None, "max_page_count", 20, |_| Ok(()))
        .unwrap();
    let writer = Writer::start(path.clone(), connection, None).unwrap();
    writer.commit(put("small", "x")).unwrap();
    assert_eq!(
        writer.commit(put("large", vec![0; 1 << 20])).unwrap_err(),
        StoreError::DiskFull { path: path.clone() }
    );
    writer.commit(put("small again", "x")).unwrap();
    drop(writer);
    drop(lock);
    let store = exclusive(&dir).unwrap();
    assert!(store.get("test", b"large").unwrap().is_none());
    assert!(store.get("test", b"small again").unwrap().is_some());
}

#[test]
fn a_flipped_bit_in_a_value_is_found_and_named() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    exclusive(&dir)
        .unwrap()
        .commit(put("id", "a value that is easy to find"))
        .unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes
        .windows(12)
        .position(|window| window == b"easy to find")
        .unwrap();
    bytes[at] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    let store = exclusive(&dir).unwrap();
    let error = store.get("test", b"id").unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path: named, .. } if *named == path));
    assert!(error.to_string().contains("6964"), "{error}");
    assert_eq!(store.scan("test", b"").unwrap_err(), error);
    assert_eq!(store.verify().unwrap_err(), error);
}

#[test]
fn the_stale_owner_of_two_writes_no_more() {
    let dir = TempDir::new().unwrap();
    let stale = exclusive(&dir).unwrap();
    stale.commit(put("a", "")).unwrap();
    // As on a shared disk whose locks do not reach the other machine.
    std::fs::remove_file(dir.path().join("state.lock")).unwrap();
    let current = exclusive(&dir).unwrap();
    assert_eq!((stale.generation(), current.generation()), (1, 2));
    assert_eq!(
        stale.commit(put("b", "")).unwrap_err(),
        StoreError::Superseded {
            path: stale.path().to_path_buf(),
            ours: 1,
            found: 2
        }
    );
    assert!(matches!(
        stale.commit(put("b", "")),
        Err(StoreError::Stopped { .. })
    ));
    current.commit(put("c", "")).unwrap();
    assert!(current.get("test", b"b").unwrap().is_none());
}

#[test]
fn the_queue_is_bounded() {
    let dir = TempDir::new().unwrap();
    let store = exclusive(&dir).unwrap();
    // Hold the database from outside, so that the writer waits while batches pile up.
    let holder = Connection::open(store.path()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..20_u8)
        .map(|i| store.commit_async(put([i], vec![i; 30 << 20])))
        .collect();
    holder.execute_batch("ROLLBACK").unwrap();
    let outcomes: Vec<_> = waiting.into_iter().map(wait).collect();
    let refused = outcomes
        .iter()
        .filter(|o| matches!(o, Err(StoreError::Overloaded { .. })))
        .count();
    let done = outcomes.iter().filter(|o| o.is_ok()).count();
    assert!(
        refused >= 20 - 8 - 3 && done >= 8 && refused + done == 20,
        "{refused} refused, {done} done"
    );
    // What was refused has left the queue's count again.
    (0..10_u8).for_each(|i| store.commit(put([i], vec![i; 30 << 20])).unwrap());
}

#[test]
fn the_log_does_not_grow_without_end() {
    let dir = TempDir::new().unwrap();
    let store = exclusive(&dir).unwrap();
    for i in 0..200_u8 {
        store.commit(put([i], vec![i; 256 << 10])).unwrap();
    }
    let log = std::fs::metadata(dir.path().join("state-wal")).unwrap().len();
    assert!(log < 16 << 20, "{log} bytes of log after 50 MiB of writes");
}

/// Failure: a look at the store needs the service stopped, misses what was committed, changes something, or makes a file.
#[test]
fn a_reader_looks_beside_the_owner_and_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    assert!(SqliteReader::open(&path).unwrap().is_none());
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "looking makes no file"
    );

    let store = exclusive(&dir).unwrap();
    store.commit(put("a", "1")).unwrap();
    let reader = SqliteReader::open(&path).unwrap().unwrap();
    assert_eq!(reader.get("test", b"a").unwrap(), Some(b"1".to_vec()));
    store.commit(put("b", "2")).unwrap();
    assert_eq!(
        reader.scan("test", b"").unwrap().len(),
        2,
        "what was committed since"
    );
    let refused = StoreError::ReadOnly { path: path.clone() };
    assert_eq!(reader.commit(put("c", "3")), Err(refused.clone()));
    assert_eq!(wait(reader.commit_async(put("c", "3"))), Err(refused));
    assert_eq!(store.get("test", b"c").unwrap(), None);
    assert!(
        matches!(exclusive(&dir), Err(StoreError::Locked { .. })),
        "the owner's lock holds"
    );
    // It holds no lock of its own, and counts as no opening.
    let generation = store.generation();
    drop(store);
    assert_eq!(exclusive(&dir).unwrap().generation(), generation + 1);

    let before = std::fs::read(&path).unwrap();
    let reader = SqliteReader::open(&path).unwrap().unwrap();
    assert_eq!(reader.scan("test", b"").unwrap().len(), 2, "after the owner left");
    drop(reader);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Failure: a look at a file that is not ours, or that others can open, gives an answer.
#[test]
fn a_reader_refuses_what_an_owner_refuses() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("state");
    std::fs::write(&path, [7; 4096]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(
        SqliteReader::open(&path),
        Err(StoreError::Foreign { .. })
    ));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(
        SqliteReader::open(&path),
        Err(StoreError::Permissions { .. })
    ));
    assert!(matches!(
        SqliteReader::open(dir.path()),
        Err(StoreError::NotAFile { .. })
    ));
}
