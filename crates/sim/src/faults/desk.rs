//! The server's durable side: the ledger's one writer over a folder that fails, the last head in the database, and what a
//! start makes of both. The order of writes is that of the server shell's own desk, state and restart.

use ed25519_dalek::SigningKey;
use tacita_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use tacita_ledger::entry::{self, Entry, Release};
use tacita_ledger::files::FileChange;
use tacita_ledger::log::Log;
use tacita_ledger::note::VerifierKey;
use tacita_privacy::{Budget, BudgetFilter, BudgetTicket};
use tacita_protocol::messages::{Proof, ProvenEntry};
use tacita_store::{Batch, Store as _, StoreError};

use super::disk::{Disk, DiskError, FaultyStore};

/// The ledger's folder.
pub const LEDGER: &str = "ledger";
/// The models' folder.
pub const MODELS: &str = "models";
/// Where the task stands.
pub const TASK: &str = "server/task";
/// The last head signed.
pub const HEAD: &str = "server/head";

/// Why the server cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The process is dead.
    #[error("the process died")]
    Dead,
    /// A write failed.
    #[error("the disk failed")]
    Failed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is on disk is not what this code wrote, or the log refuses: never, with an honest disk.
    #[error("{0}")]
    Broken(String),
}

impl From<DiskError> for DeskError {
    fn from(value: DiskError) -> Self {
        match value {
            DiskError::Dead => Self::Dead,
            DiskError::Failed => Self::Failed,
        }
    }
}

fn broken(error: impl std::fmt::Display) -> DeskError {
    DeskError::Broken(error.to_string())
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Rounds completed.
    pub completed: u32,
    /// Digest of the model, hexadecimal.
    pub model: String,
}

/// The one writer of the ledger, the database beside it, and the account.
pub struct Desk {
    log: Log,
    /// Entries by index, for proofs.
    entries: Vec<Vec<u8>>,
    disk: Option<Disk>,
    store: Option<FaultyStore>,
    key: SigningKey,
    verifier: VerifierKey,
    broken: bool,
    /// The server's own budget filter, if the task has noise.
    pub account: Option<BudgetFilter>,
}

/// What a start found.
pub struct Started {
    /// The desk.
    pub desk: Desk,
    /// Where the task stands, if it was begun.
    pub task: Option<TaskState>,
}

impl Desk {
    /// Opens database and ledger, checks one against the other, counts what was charged, releases what was not.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn open(
        disk: &Disk,
        key: SigningKey,
        verifier: VerifierKey,
        budget: Option<Budget>,
    ) -> Result<Started, DeskError> {
        let store = disk.open();
        let last = match store.get(HEAD, b"")? {
            None => None,
            Some(bytes) => Some(
                SignedCheckpoint::parse_unverified(&bytes)
                    .map_err(broken)?
                    .checkpoint()
                    .clone(),
            ),
        };
        let log = Self::open_log(disk, &key, &verifier, last.as_ref())?;
        let verified = tacita_ledger::verify(&disk.folder(LEDGER), Some(&verifier)).map_err(broken)?;
        let account = budget.map(BudgetFilter::new).transpose().map_err(broken)?;
        let mut desk = Self {
            log,
            entries: Vec::new(),
            disk: Some(disk.clone()),
            store: Some(store),
            key,
            verifier,
            broken: false,
            account,
        };
        for entry in &verified.entries {
            desk.entries.push(entry.encode().map_err(broken)?);
        }
        if let Some(filter) = &mut desk.account {
            for release in charges(&verified.entries) {
                filter.charge_regardless(release);
            }
        }
        desk.release_orphans(&verified.entries)?;
        let task = progress(desk.stored_task()?, &verified.entries);
        desk.remember(task.as_ref())?;
        Ok(Started { desk, task })
    }

    fn open_log(
        disk: &Disk,
        key: &SigningKey,
        verifier: &VerifierKey,
        last: Option<&Checkpoint>,
    ) -> Result<Log, DeskError> {
        let files = disk.folder(LEDGER);
        if files.contents().is_empty() && last.is_none() {
            let mut log = Log::create(verifier.name()).map_err(broken)?;
            let changes = log.publish(key).map_err(broken)?;
            disk.write_files(LEDGER, &changes)?;
            return Ok(log);
        }
        let (log, removals) = Log::open(&files, verifier, last).map_err(broken)?;
        disk.write_files(LEDGER, &removals)?;
        Ok(log)
    }

    /// Reserves that a crash left open are released: nothing was charged for them.
    fn release_orphans(&mut self, entries: &[Entry]) -> Result<(), DeskError> {
        let open: Vec<u64> = self.log.rules().reserved().map(|(_, index)| index).collect();
        for index in open {
            let manifest = usize::try_from(index).ok().and_then(|at| entries.get(at));
            let Some(Entry::Manifest(manifest)) = manifest else {
                continue;
            };
            let release = Entry::Release(Release {
                round_id: manifest.round_id.clone(),
                round: manifest.round,
                time: self.log.rules().last_time(),
                reason: "the server restarted before the charge".to_owned(),
            });
            self.append(&release)?;
        }
        Ok(())
    }

    /// A copy in memory, whose writes nobody else sees: what a server that forks its log writes on.
    pub fn fork(&self) -> Self {
        Self {
            log: self.log.clone(),
            entries: self.entries.clone(),
            disk: None,
            store: None,
            key: self.key.clone(),
            verifier: self.verifier.clone(),
            broken: false,
            account: None,
        }
    }

    fn stored_task(&self) -> Result<Option<TaskState>, DeskError> {
        let Some(store) = &self.store else { return Ok(None) };
        let Some(bytes) = store.get(TASK, b"")? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes).map_err(broken)?;
        let (completed, model) = text.split_once(' ').ok_or_else(|| broken("task state"))?;
        Ok(Some(TaskState {
            completed: completed.parse().map_err(broken)?,
            model: model.to_owned(),
        }))
    }

    /// The head as published.
    ///
    /// # Errors
    /// [`DeskError::Broken`] if there is none.
    pub fn head(&self) -> Result<&SignedCheckpoint, DeskError> {
        self.log
            .published()
            .ok_or_else(|| broken("the ledger has no head"))
    }

    /// The size and root of the head.
    ///
    /// # Errors
    /// As [`Desk::head`].
    pub fn size_and_root(&self) -> Result<(u64, [u8; 32]), DeskError> {
        let head = self.head()?.checkpoint();
        Ok((head.size, head.root))
    }

    /// A time for the next entry: never before the last one's.
    pub fn time(&self, now: u64) -> u64 {
        now.max(self.log.rules().last_time())
    }

    /// Appends one entry and publishes a head over it; durable when this returns.
    ///
    /// # Errors
    /// [`DeskError`]; after one nothing more is signed.
    pub fn publish(&mut self, entry: &Entry) -> Result<u64, DeskError> {
        let (index, changes) = self.sign(entry)?;
        self.write(&changes)?;
        Ok(index)
    }

    /// Signs a head over one more entry without writing it: half of [`Desk::publish`].
    ///
    /// # Errors
    /// [`DeskError::Broken`].
    pub fn sign(&mut self, entry: &Entry) -> Result<(u64, Vec<FileChange>), DeskError> {
        if self.broken {
            return Err(broken("an earlier write of the ledger failed"));
        }
        let index = self.log.append(entry).map_err(broken)?;
        self.entries.push(entry.encode().map_err(broken)?);
        Ok((index, self.log.publish(&self.key).map_err(broken)?))
    }

    /// Writes what [`Desk::sign`] signed: the other half.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn write(&mut self, changes: &[FileChange]) -> Result<(), DeskError> {
        if let Some(disk) = &self.disk
            && let Err(error) = disk.write_files(LEDGER, changes)
        {
            self.broken = true;
            return Err(error.into());
        }
        Ok(())
    }

    /// Appends to the ledger, then remembers the head in the database.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn append(&mut self, entry: &Entry) -> Result<u64, DeskError> {
        let index = self.publish(entry)?;
        self.remember(None)?;
        Ok(index)
    }

    /// Remembers the head, and with it where the task stands.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn remember(&self, task: Option<&TaskState>) -> Result<(), DeskError> {
        let mut batch = Batch::new();
        batch.put(HEAD, Vec::new(), self.head()?.to_bytes());
        if let Some(task) = task {
            batch.put(TASK, Vec::new(), format!("{} {}", task.completed, task.model));
        }
        if let Some(store) = &self.store {
            store.commit(batch)?;
        }
        Ok(())
    }

    /// Writes a model under its digest.
    ///
    /// # Errors
    /// [`DeskError`].
    pub fn save_model(&self, digest: &str, bytes: &[u8]) -> Result<(), DeskError> {
        let change = FileChange::Write {
            path: digest.to_owned(),
            bytes: bytes.to_vec(),
        };
        match &self.disk {
            Some(disk) => Ok(disk.write_files(MODELS, &[change])?),
            None => Ok(()),
        }
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`DeskError::Broken`] if it is not there.
    pub fn load_model(&self, digest: &str) -> Result<Vec<u8>, DeskError> {
        let path = format!("{MODELS}/{digest}");
        let file = self.disk.as_ref().and_then(|disk| disk.file(&path));
        file.ok_or_else(|| broken("a model is missing"))
    }

    /// An entry with its proof under the head.
    ///
    /// # Errors
    /// [`DeskError::Broken`] beyond the end.
    pub fn proven(&self, index: u64) -> Result<ProvenEntry, DeskError> {
        let at = usize::try_from(index).map_err(broken)?;
        let bytes = self
            .entries
            .get(at)
            .cloned()
            .ok_or_else(|| broken("no such entry"))?;
        Ok(ProvenEntry {
            index,
            bytes: bytes.into(),
            proof: self.log.inclusion_proof(index).map_err(broken)?.into(),
        })
    }

    /// Consistency from an earlier size; empty from 0 or from a size beyond the head, which a client has to refuse.
    ///
    /// # Errors
    /// [`DeskError::Broken`] never for a published log.
    pub fn consistency(&self, from: u64) -> Result<Proof, DeskError> {
        if from == 0 || from > self.head()?.checkpoint().size {
            return Ok(Vec::new().into());
        }
        Ok(self.log.consistency_proof(from).map_err(broken)?.into())
    }

    /// Sets the charge of a round aside.
    ///
    /// # Errors
    /// Why the budget refuses.
    pub fn reserve(
        &mut self,
        release: Option<tacita_privacy::Release>,
    ) -> Result<Option<BudgetTicket>, String> {
        match (&mut self.account, release) {
            (Some(filter), Some(release)) => match filter.reserve(release) {
                Ok(ticket) => Ok(Some(ticket)),
                Err(refusal) => Err(refusal.to_string()),
            },
            _ => Ok(None),
        }
    }

    /// Charges a reservation, or gives it back.
    pub fn settle(&mut self, ticket: Option<BudgetTicket>, charged: bool) {
        if let (Some(filter), Some(ticket)) = (&mut self.account, ticket) {
            let _ = if charged {
                filter.commit(ticket)
            } else {
                filter.release(ticket)
            };
        }
    }
}

/// What the ledger says was charged, at the worst case of each manifest.
pub fn charges(entries: &[Entry]) -> Vec<tacita_privacy::Release> {
    let manifest_of = |charge: &entry::Charge| {
        entries.iter().find_map(|entry| match entry {
            Entry::Manifest(manifest) if manifest.round_id == charge.round_id => Some(manifest),
            _ => None,
        })
    };
    let charged = entries.iter().filter_map(|entry| match entry {
        Entry::Charge(charge) => manifest_of(charge),
        _ => None,
    });
    charged
        .filter_map(|manifest| release_of(manifest, manifest.minimum_survivors))
        .collect()
}

/// What a round of this manifest releases with `survivors` in its sum; `None` without noise.
pub fn release_of(manifest: &entry::Manifest, survivors: u64) -> Option<tacita_privacy::Release> {
    let narrow = |value: u64| u32::try_from(value).ok();
    let (survivors, noise) = (
        narrow(survivors)?,
        tacita_protocol::ledger_entries::noise_of(manifest)?,
    );
    let honest = survivors.saturating_sub(narrow(manifest.colluders)?);
    let whole = tacita_protocol::ledger_entries::release_of(manifest, honest)?;
    Some(whole.of_survivors(&noise, honest, survivors))
}

/// Where the task stands: as the database says, unless the ledger already holds the outcome of a later round.
fn progress(stored: Option<TaskState>, entries: &[Entry]) -> Option<TaskState> {
    let completed = stored.as_ref().map_or(0, |task| task.completed);
    let last = entries.iter().rev().find_map(|entry| match entry {
        Entry::Outcome(outcome) => Some(outcome),
        _ => None,
    });
    match last.and_then(|outcome| Some((u32::try_from(outcome.round).ok()?, outcome))) {
        Some((round, outcome)) if round > completed => Some(TaskState {
            completed: round,
            model: outcome.model_digest.clone(),
        }),
        _ => stored,
    }
}
