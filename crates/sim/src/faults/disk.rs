//! A disk that fails: the simulator's own [`Store`], and folders of files beside it.
//!
//! The store is a journal of checksummed records. A commit writes its record, then syncs it, then is acknowledged; a crash
//! before the sync leaves a torn tail of any length, perhaps with a flipped bit, which the next opening cuts off unless a
//! whole record is in it. So a batch is found whole or not at all, an acknowledged one is always found, and one that was
//! not acknowledged may be found all the same: what the contract of [`Store`] allows, and no more. A disk that lies says
//! that it synced and did not: with it the contract is broken, which the checkers must see.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tacita_ledger::files::FileChange;
use tacita_ledger::{Files as _, MemoryFiles};
use tacita_store::{Batch, CommitFuture, Entries, Operation, Stats, Store, StoreError, check_key};

use super::chance::Chance;
use super::fuse::{Dead, Fuse};

type Rows = BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// Bytes before the payload of a record: its length, then the start of its digest.
const FRAME: usize = 4 + 8;

/// How often a disk fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskFaults {
    /// Writes that fail, per thousand.
    pub failed: u64,
    /// Whether it acknowledges what it has not synced.
    pub lies: bool,
    /// One more write that fails, by its number from 0.
    pub failed_at: Option<u64>,
}

/// What is on the disk, whoever runs.
struct Platter {
    journal: Vec<u8>,
    synced: usize,
    /// What the synced part of the journal comes to.
    durable: Rows,
    files: MemoryFiles,
    chance: Chance,
    faults: DiskFaults,
    fuse: Fuse,
    writes: u64,
}

/// A disk; its clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<Platter>>);

/// A file could not be written, or the process died over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskError {
    /// The process is dead.
    Dead,
    /// The write failed. It may be found after a restart.
    Failed,
}

impl From<Dead> for DiskError {
    fn from(Dead: Dead) -> Self {
        Self::Dead
    }
}

impl Disk {
    /// An empty disk of a process whose life hangs on `fuse`.
    pub fn new(chance: Chance, faults: DiskFaults, fuse: Fuse) -> Self {
        Self(Arc::new(Mutex::new(Platter {
            journal: Vec::new(),
            synced: 0,
            durable: Rows::new(),
            files: MemoryFiles::new(),
            chance,
            faults,
            fuse,
            writes: 0,
        })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It fails no more, but for a failure that was planned.
    pub fn heal(&self) {
        self.platter().faults.failed = 0;
    }

    /// Writes so far, failed ones included.
    pub fn writes(&self) -> u64 {
        self.platter().writes
    }

    /// Opens the store as the next process does: cuts the torn tail off, reads every whole record.
    pub fn open(&self) -> FaultyStore {
        let mut platter = self.platter();
        platter.tear();
        let (rows, whole) = replay(&platter.journal);
        platter.journal.truncate(whole);
        platter.synced = whole;
        platter.durable = rows.clone();
        drop(platter);
        FaultyStore {
            disk: self.clone(),
            process: Mutex::new(Process {
                rows,
                ..Process::default()
            }),
        }
    }

    /// A value that would survive the end of the process now.
    pub fn durable(&self, space: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.platter()
            .durable
            .get(&(space.to_owned(), key.to_vec()))
            .cloned()
    }

    /// Everything on it: the journal with what was replaced in it, and every file.
    pub fn contents(&self) -> Vec<Vec<u8>> {
        let platter = self.platter();
        let files = platter.files.contents().values().cloned();
        std::iter::once(platter.journal.clone()).chain(files).collect()
    }

    /// All values of a space that would survive the end of the process now.
    pub fn durable_space(&self, space: &str) -> Entries {
        let platter = self.platter();
        let of_space = platter.durable.iter().filter(|((name, _), _)| name == space);
        of_space
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Removes every value of a space: a person's doing, not a process's.
    pub fn clear_space(&self, space: &str) {
        let store = self.open();
        let mut batch = Batch::new();
        let mut process = store.process();
        for (name, key) in process.rows.keys().filter(|(name, _)| name == space) {
            batch.delete(name.clone(), key.clone());
        }
        let mut platter = self.platter();
        platter.append(&batch);
        platter.synced = platter.journal.len();
        apply(&mut platter.durable, &batch);
        apply(&mut process.rows, &batch);
    }

    /// Applies changes to files under `folder`, in order; each becomes visible whole before the next starts.
    ///
    /// # Errors
    /// [`DiskError`]; the changes before the one that failed are on disk, that one may be.
    pub fn write_files(&self, folder: &str, changes: &[FileChange]) -> Result<(), DiskError> {
        let mut platter = self.platter();
        for change in changes {
            let change = match change {
                FileChange::Write { path, bytes } => FileChange::Write {
                    path: format!("{folder}/{path}"),
                    bytes: bytes.clone(),
                },
                FileChange::Remove { path } => FileChange::Remove {
                    path: format!("{folder}/{path}"),
                },
            };
            platter.fuse.step()?;
            if platter.fails() {
                // The rename may have happened before the sync of the folder failed.
                if platter.chance.hits(500) {
                    platter.files.apply(&change);
                }
                return Err(DiskError::Failed);
            }
            platter.files.apply(&change);
        }
        Ok(platter.fuse.step()?)
    }

    /// The files under a folder, as a reader finds them.
    pub fn folder(&self, folder: &str) -> MemoryFiles {
        let mut found = MemoryFiles::new();
        let prefix = format!("{folder}/");
        for (path, bytes) in self.platter().files.contents() {
            if let Some(rest) = path.strip_prefix(&prefix) {
                found.apply(&FileChange::Write {
                    path: rest.to_owned(),
                    bytes: bytes.clone(),
                });
            }
        }
        found
    }

    /// One file.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        self.platter().files.read(path, usize::MAX).ok()
    }

    /// A copy of all that is on it now, as a backup or a snapshot of the machine has it.
    pub fn snapshot(&self) -> Snapshot {
        let platter = self.platter();
        let synced = platter.journal.get(..platter.synced).unwrap_or_default().to_vec();
        Snapshot(synced, platter.durable.clone(), platter.files.clone())
    }

    /// Puts a copy back.
    pub fn restore(&self, snapshot: &Snapshot) {
        let mut platter = self.platter();
        let Snapshot(journal, durable, files) = snapshot.clone();
        platter.synced = journal.len();
        (platter.journal, platter.durable, platter.files) = (journal, durable, files);
    }
}

/// A copy of a disk.
#[derive(Clone)]
pub struct Snapshot(Vec<u8>, Rows, MemoryFiles);

impl Platter {
    /// Whether the next write fails.
    fn fails(&mut self) -> bool {
        let number = self.writes;
        self.writes += 1;
        self.chance.hits(self.faults.failed) || self.faults.failed_at == Some(number)
    }

    fn append(&mut self, batch: &Batch) {
        let payload = encode(batch);
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.journal.extend_from_slice(&length.to_be_bytes());
        self.journal.extend_from_slice(&checksum(&payload));
        self.journal.extend_from_slice(&payload);
    }

    /// What a crash does to what was written and not synced: any part of it stays, perhaps with a flipped bit.
    fn tear(&mut self) {
        let loose = self.journal.len().saturating_sub(self.synced);
        if loose == 0 {
            return;
        }
        let stays = self.chance.index(loose + 1);
        self.journal.truncate(self.synced + stays);
        if stays > 0 && self.chance.hits(250) {
            let at = self.synced + self.chance.index(stays);
            if let Some(byte) = self.journal.get_mut(at) {
                *byte ^= 1 << self.chance.below(8);
            }
        }
    }
}

#[derive(Default)]
struct Process {
    /// What this process reads.
    rows: Rows,
    stopped: bool,
    stats: Stats,
}

/// The store as one process has it open.
pub struct FaultyStore {
    disk: Disk,
    process: Mutex<Process>,
}

impl FaultyStore {
    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path() -> PathBuf {
    PathBuf::from("simulated.store")
}

fn stopped() -> StoreError {
    StoreError::Stopped {
        path: path(),
        reason: "an earlier write failed, or the process died".to_owned(),
    }
}

fn failed(reason: &str) -> StoreError {
    StoreError::WriteFailed {
        path: path(),
        reason: reason.to_owned(),
    }
}

impl Store for FaultyStore {
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(space, key)?;
        let process = self.process();
        Ok(process.rows.get(&(space.to_owned(), key.to_vec())).cloned())
    }

    fn scan(&self, space: &str, prefix: &[u8]) -> Result<Entries, StoreError> {
        check_key(space, prefix)?;
        let process = self.process();
        let from = process.rows.range((space.to_owned(), prefix.to_vec())..);
        let wanted = from.take_while(|((name, key), _)| name == space && key.starts_with(prefix));
        Ok(wanted
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut process = self.process();
        if process.stopped {
            return Err(stopped());
        }
        if let Some((space, key)) = used_before(&process.rows, &batch) {
            process.stats.refused += 1;
            return Err(StoreError::exists(&space, &key));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let mut platter = self.disk.platter();
        if platter.fails() {
            if platter.chance.hits(300) {
                return Err(StoreError::DiskFull { path: path() });
            }
            // Written in part or in whole, and never synced by this process.
            platter.append(&batch);
            if platter.chance.hits(500) {
                let loose = platter.journal.len() - platter.synced;
                let keep = platter.synced + platter.chance.index(loose);
                platter.journal.truncate(keep);
            }
            process.stopped = true;
            return Err(failed("the flush failed"));
        }
        if platter.fuse.step().is_err() {
            if platter.chance.hits(500) {
                platter.append(&batch);
            }
            process.stopped = true;
            return Err(stopped());
        }
        platter.append(&batch);
        if !platter.faults.lies {
            platter.synced = platter.journal.len();
            apply(&mut platter.durable, &batch);
        }
        if platter.fuse.step().is_err() {
            process.stopped = true;
            return Err(stopped());
        }
        apply(&mut process.rows, &batch);
        process.stats.transactions += 1;
        process.stats.batches += 1;
        Ok(())
    }

    fn commit_async(&self, batch: Batch) -> CommitFuture {
        let done = self.commit(batch);
        Box::pin(async move { done })
    }

    fn stats(&self) -> Stats {
        self.process().stats
    }
}

/// The first one-time key of a batch that is there already, in the batch's own order of effect.
fn used_before(rows: &Rows, batch: &Batch) -> Option<(String, Vec<u8>)> {
    let mut changed: BTreeMap<(&str, &[u8]), bool> = BTreeMap::new();
    for operation in batch.operations() {
        match operation {
            Operation::Put { space, key, .. } => drop(changed.insert((space, key), true)),
            Operation::Delete { space, key } => drop(changed.insert((space, key), false)),
            Operation::InsertNew { space, key, .. } => {
                let known = || rows.contains_key(&(space.clone().into_owned(), key.clone()));
                let there = changed
                    .get(&(space.as_ref(), key.as_slice()))
                    .copied()
                    .unwrap_or_else(known);
                if there {
                    return Some((space.clone().into_owned(), key.clone()));
                }
                changed.insert((space, key), true);
            }
        }
    }
    None
}

fn apply(rows: &mut Rows, batch: &Batch) {
    for operation in batch.operations() {
        match operation {
            Operation::Put { space, key, value } | Operation::InsertNew { space, key, value } => {
                rows.insert((space.clone().into_owned(), key.clone()), value.clone());
            }
            Operation::Delete { space, key } => {
                rows.remove(&(space.clone().into_owned(), key.clone()));
            }
        }
    }
}

fn checksum(payload: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(payload);
    std::array::from_fn(|at| digest[at])
}

fn encode(batch: &Batch) -> Vec<u8> {
    let mut out = Vec::with_capacity(batch.bytes() + 64);
    for operation in batch.operations() {
        let (space, key, value) = match operation {
            Operation::Put { space, key, value } | Operation::InsertNew { space, key, value } => {
                (space, key, Some(value))
            }
            Operation::Delete { space, key } => (space, key, None),
        };
        out.push(u8::from(value.is_some()));
        for field in [
            space.as_bytes(),
            key,
            value.map(Vec::as_slice).unwrap_or_default(),
        ] {
            out.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(field);
        }
    }
    out
}

/// Reads whole records up to the first that is not; how many bytes those are.
fn replay(journal: &[u8]) -> (Rows, usize) {
    let (mut rows, mut at) = (Rows::new(), 0);
    while let Some(payload) = record_at(journal, at) {
        let mut rest = payload;
        while let Some((there, [space, key, value])) = take_operation(&mut rest) {
            let key = (String::from_utf8_lossy(space).into_owned(), key.to_vec());
            if there {
                rows.insert(key, value.to_vec());
            } else {
                rows.remove(&key);
            }
        }
        at += FRAME + payload.len();
    }
    (rows, at)
}

fn record_at(journal: &[u8], at: usize) -> Option<&[u8]> {
    let rest = journal.get(at..)?;
    let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?) as usize;
    let payload = rest.get(FRAME..FRAME.checked_add(length)?)?;
    (rest.get(4..FRAME)? == checksum(payload)).then_some(payload)
}

/// Whether something is there after an operation; its space, key and value.
fn take_operation<'a>(rest: &mut &'a [u8]) -> Option<(bool, [&'a [u8]; 3])> {
    let (there, tail) = rest.split_first()?;
    *rest = tail;
    let mut field = || -> Option<&'a [u8]> {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (field, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        *rest = tail;
        Some(field)
    };
    Some((*there == 1, [field()?, field()?, field()?]))
}
