//! The ledger on disk: one writer, changes applied in order and synced, the last signed head remembered in the
//! database so that a restored copy of the directory is refused (fault rows F33 to F36, F38).

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use tacita_ledger::checkpoint::{Checkpoint, SignedCheckpoint};
use tacita_ledger::entry::Entry;
use tacita_ledger::files::FileChange;
use tacita_ledger::log::{Log, LogError};
use tacita_ledger::note::{KeyType, VerifierKey};
use tacita_ledger::tree::TreeError;
use tacita_protocol::messages::{Proof, ProvenEntry};

use crate::ledger_files::Directory;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A proof cannot be made.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A file operation failed. The log is not used again: what is on disk is found out at the next start.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The origin is no C2SP key name.
    #[error("the ledger's origin '{0}' is not a valid key name")]
    Origin(String),
    /// An earlier write failed; nothing is signed until a restart.
    #[error("an earlier write of the ledger failed; restart the server after mending the disk")]
    Broken,
    /// Nothing is published yet.
    #[error("the ledger has no head yet")]
    NoHead,
}

impl Directory {
    /// Applies changes in order; each is durable and whole before the next starts. Temporary files live beside the
    /// directory, never in it.
    ///
    /// # Errors
    /// [`DeskError::Io`] naming the file.
    pub fn apply(&self, changes: &[FileChange]) -> Result<(), DeskError> {
        for change in changes {
            let path = self.path().join(change.path());
            let parent = path.parent().unwrap_or(self.path()).to_owned();
            let io = |source| DeskError::Io {
                path: path.clone(),
                source,
            };
            match change {
                FileChange::Write { bytes, .. } => {
                    fs::create_dir_all(&parent).map_err(io)?;
                    let staging = self.path().with_extension("staging");
                    let mut file = File::create(&staging).map_err(io)?;
                    file.write_all(bytes).map_err(io)?;
                    file.sync_all().map_err(io)?;
                    drop(file);
                    fs::rename(&staging, &path).map_err(io)?;
                    sync_dir(&parent).map_err(io)?;
                }
                FileChange::Remove { .. } => {
                    match fs::remove_file(&path) {
                        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
                        _ => {}
                    }
                    // Empty folders of superseded partial tiles go too; a folder in use stays.
                    let _ = fs::remove_dir(&parent);
                }
            }
        }
        Ok(())
    }
}

/// Where the last head that members cosigned lies: beside a ledger's directory, which holds nothing else.
#[must_use]
pub fn cosigned_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.file_name().unwrap_or_default().to_owned();
    name.push(".cosigned");
    ledger.with_file_name(name)
}

fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// The one writer of a ledger.
pub struct LedgerDesk {
    log: Log,
    directory: Directory,
    key: SigningKey,
    verifier: VerifierKey,
    broken: bool,
}

impl LedgerDesk {
    /// Opens or creates the ledger. `last` is the largest head known to have been signed.
    ///
    /// # Errors
    /// [`DeskError`]; a directory that is older than `last` or differs is refused.
    pub fn open(
        path: &Path,
        origin: &str,
        key: SigningKey,
        last: Option<&Checkpoint>,
    ) -> Result<Self, DeskError> {
        let verifier = VerifierKey::new(origin, KeyType::Ed25519, key.verifying_key())
            .map_err(|_| DeskError::Origin(origin.to_owned()))?;
        let directory = Directory::new(path);
        let io = |source| DeskError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(io)?;
        let empty = fs::read_dir(path).map_err(io)?.next().is_none();
        let log = if empty && last.is_none() {
            let mut log = Log::create(origin)?;
            let changes = log.publish(&key)?;
            directory.apply(&changes)?;
            log
        } else {
            let (log, removals) = Log::open(&directory, &verifier, last)?;
            directory.apply(&removals)?;
            log
        };
        Ok(Self {
            log,
            directory,
            key,
            verifier,
            broken: false,
        })
    }

    /// The key that auditors and clients pin.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The head as published.
    ///
    /// # Errors
    /// [`DeskError::NoHead`].
    pub fn head(&self) -> Result<&SignedCheckpoint, DeskError> {
        self.log.published().ok_or(DeskError::NoHead)
    }

    /// Appends one entry and publishes a head over it; durable when this returns.
    ///
    /// # Errors
    /// [`DeskError`]; after an I/O error nothing more is signed.
    pub fn append(&mut self, entry: &Entry) -> Result<u64, DeskError> {
        if self.broken {
            return Err(DeskError::Broken);
        }
        let index = self.log.append(entry)?;
        let changes = self.log.publish(&self.key)?;
        if let Err(error) = self.directory.apply(&changes) {
            self.broken = true;
            return Err(error);
        }
        Ok(index)
    }

    /// Hands the log over to `next`, which signs from now on; durable when this returns.
    ///
    /// # Errors
    /// As [`Self::append`]; the log refuses a key that was in force before.
    pub fn rotate(&mut self, next: SigningKey, time: u64) -> Result<u64, DeskError> {
        if self.broken {
            return Err(DeskError::Broken);
        }
        let origin = self.log.origin().to_owned();
        let verifier = VerifierKey::new(&origin, KeyType::Ed25519, next.verifying_key())
            .map_err(|_| DeskError::Origin(origin))?;
        let index = self.log.rotate(&self.key, &verifier, time)?;
        let changes = self.log.publish(&next)?;
        if let Err(error) = self.directory.apply(&changes) {
            self.broken = true;
            return Err(error);
        }
        (self.key, self.verifier) = (next, verifier);
        Ok(index)
    }

    /// Puts the members' cosignatures of a head beside the directory, where auditors find the last one: `ledger.cosigned`
    /// for a ledger in `ledger`.
    ///
    /// # Errors
    /// [`DeskError::Io`].
    pub fn publish_cosigned(&self, note: &[u8]) -> Result<(), DeskError> {
        let path = cosigned_path(self.directory.path());
        let io = |source| DeskError::Io {
            path: path.clone(),
            source,
        };
        let staging = path.with_extension("cosigned-staging");
        let parent = path.parent().unwrap_or(Path::new(".")).to_owned();
        let mut file = File::create(&staging).map_err(io)?;
        file.write_all(note).map_err(io)?;
        file.sync_all().map_err(io)?;
        drop(file);
        fs::rename(&staging, &path).map_err(io)?;
        sync_dir(&parent).map_err(io)
    }

    /// An entry with its inclusion proof under the published head.
    ///
    /// # Errors
    /// [`DeskError::Log`].
    pub fn proven(&self, index: u64, entry: &Entry) -> Result<ProvenEntry, DeskError> {
        let bytes = entry
            .encode()
            .map_err(|source| LogError::Entry { index, source })?;
        Ok(ProvenEntry {
            index,
            bytes: bytes.into(),
            proof: self.log.inclusion_proof(index)?.into(),
        })
    }

    /// Consistency from an earlier size to the published head; empty from 0 or from a size beyond it (a client that
    /// remembers more than we have must refuse us).
    ///
    /// # Errors
    /// [`DeskError::Log`].
    pub fn consistency(&self, from: u64) -> Result<Proof, DeskError> {
        let size = self.head()?.checkpoint().size;
        if from == 0 || from > size {
            return Ok(Vec::new().into());
        }
        Ok(self.log.consistency_proof(from)?.into())
    }

    /// The writer's rules: open reserves and so on.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}
