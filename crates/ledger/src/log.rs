//! The writer: appends entries, signs heads, and says which files change.
//!
//! A [`Log`] starts from nothing ([`Log::create`]) or from its directory ([`Log::open`]), whose every byte it
//! recomputes before it will sign again. It holds the Merkle tree, the rules' state and the entries of the last,
//! partial bundle; nothing else of the past stays in memory.

use ed25519_dalek::SigningKey;

use crate::checkpoint::{Checkpoint, CheckpointError, Cosignature, SignedCheckpoint, check_origin};
use crate::entry::{Entry, EntryError};
use crate::files::{FileChange, Files};
use crate::layout::{self, CHECKPOINT_PATH, TILE_WIDTH, Tile};
use crate::note::{KeyType, VerifierKey};
use crate::rotation::{self, KeyChain, RotationError};
use crate::rules::{Rules, RulesError};
use crate::tree::{Hash, Tree, TreeError, empty_root, leaf_hash, verify_consistency};
use crate::verify::{self, HeadError, VerifyError, signatures};

/// Why the log refuses to append, sign or open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The entry is not valid by itself.
    #[error("entry {index} refused: {source}")]
    Entry {
        /// The index it would have had.
        index: u64,
        /// Why.
        source: EntryError,
    },
    /// The entry contradicts an earlier one.
    #[error("entry {index} refused: {source}")]
    Rule {
        /// The index it would have had.
        index: u64,
        /// Why.
        source: RulesError,
    },
    /// The directory does not pass the check; nothing will be signed on top of it.
    #[error("the directory does not verify: {0}")]
    Verify(#[from] VerifyError),
    /// The directory is older than a head that was signed, or differs from it.
    #[error("the directory does not continue the last known head: {0}")]
    Head(#[from] HeadError),
    /// A head or cosignature is unusable.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The signing key is not the one in force.
    #[error("the signing key is {given}, the log's key in force is {in_force}")]
    OtherKey {
        /// Name and id of the key in force.
        in_force: String,
        /// Name and id of the other one.
        given: String,
    },
    /// The log cannot be handed over like that.
    #[error("rotation refused: {0}")]
    Rotation(#[from] RotationError),
    /// The leaf in memory is not that of the entry's bytes: memory is damaged, nothing is signed.
    #[error("entry {index} no longer hashes to its leaf")]
    DamagedLeaf {
        /// The entry.
        index: u64,
    },
    /// The new head is not consistent with the last signed one; nothing is signed.
    #[error("the new head is not consistent with the last signed one: {0}")]
    Inconsistent(TreeError),
    /// Nothing was published yet, or the index or size is beyond what was.
    #[error("beyond the published size: {0}")]
    NotPublished(TreeError),
}

/// The writer's state.
#[derive(Debug, Clone)]
pub struct Log {
    origin: String,
    tree: Tree,
    rules: Rules,
    keys: KeyChain,
    /// Bytes of the entries from the last bundle boundary at or before the published size.
    tail: Vec<Vec<u8>>,
    published: Option<SignedCheckpoint>,
}

impl Log {
    /// A new, empty log under a name. Nothing exists on disk before the first [`Log::publish`].
    ///
    /// # Errors
    /// [`LogError::Checkpoint`] for an origin that cannot be a key name.
    pub fn create(origin: &str) -> Result<Self, LogError> {
        check_origin(origin)?;
        Ok(Self {
            origin: origin.to_owned(),
            tree: Tree::new(),
            rules: Rules::new(),
            keys: KeyChain::new(),
            tail: Vec::new(),
            published: None,
        })
    }

    /// Opens the log that `key` signs from its directory, recomputing every leaf, tile and rule and the signed root.
    ///
    /// `last` is the largest head that this operator knows to have been signed (kept elsewhere): a directory
    /// that is older, such as a restored copy, or that differs is refused, because signing on top of it would
    /// fork the log. The returned changes remove what a publication that was cut short left behind; apply them
    /// before anything else. Cosignature lines are kept as they are, unverified.
    ///
    /// # Errors
    /// [`LogError::Verify`], [`LogError::Head`], [`LogError::OtherKey`] for a key that was in force before.
    pub fn open(
        files: &dyn Files,
        key: &VerifierKey,
        last: Option<&Checkpoint>,
    ) -> Result<(Self, Vec<FileChange>), LogError> {
        let signed = verify::read_head(files, Some(key))?;
        let checkpoint = signed.checkpoint().clone();
        let tail_start = checkpoint.size - checkpoint.size % TILE_WIDTH;
        let mut tail = Vec::new();
        let mut loaded = verify::load(files, &signed, |index, bytes, _| {
            if index >= tail_start {
                tail.push(bytes.to_vec());
            }
        })?;
        signatures::anchor(&mut loaded.keys, Some(key))?;
        in_force(&loaded.keys, key)?;
        signatures::check(&signed, Some(key), &[], true)?;
        if let Some(last) = last {
            verify::contains_head(&loaded.tree, &checkpoint.origin, last)?;
        }
        let removals = loaded
            .surplus
            .into_iter()
            .map(|path| FileChange::Remove { path })
            .collect();
        let log = Self {
            origin: checkpoint.origin,
            tree: loaded.tree,
            rules: loaded.rules,
            keys: loaded.keys,
            tail,
            published: Some(signed),
        };
        Ok((log, removals))
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries, unpublished ones included.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The last signed head.
    pub fn published(&self) -> Option<&SignedCheckpoint> {
        self.published.as_ref()
    }

    /// What the entries so far allow: open reserves, charges without outcome, the earliest time an entry may
    /// have.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Appends an entry and returns its index. It exists for others only after the next [`Log::publish`].
    ///
    /// # Errors
    /// [`LogError::Entry`], [`LogError::Rule`]; the log is unchanged then.
    pub fn append(&mut self, entry: &Entry) -> Result<u64, LogError> {
        let index = self.tree.size();
        let bytes = entry
            .encode()
            .map_err(|source| LogError::Entry { index, source })?;
        let mut keys = self.keys.clone();
        if let Entry::Rotation(rotation) = entry {
            keys.admit(&self.origin, index, &self.tree.root(), rotation)?;
        }
        self.rules
            .admit(entry)
            .map_err(|source| LogError::Rule { index, source })?;
        self.tree.append(leaf_hash(&bytes));
        self.tail.push(bytes);
        self.keys = keys;
        Ok(index)
    }

    /// Hands the log over: appends the rotation by which `key`, which is in force, names `next`. The next
    /// [`Log::publish`], and every later one, takes the private key of `next`.
    ///
    /// # Errors
    /// [`LogError::OtherKey`], [`LogError::Rotation`], and as [`Log::append`].
    pub fn rotate(&mut self, key: &SigningKey, next: &VerifierKey, time: u64) -> Result<u64, LogError> {
        let root = self.tree.root();
        let rotation = rotation::sign(&self.origin, self.tree.size(), &root, time, key, next)
            .map_err(CheckpointError::from)?;
        self.append(&Entry::Rotation(rotation))
    }

    /// The log's keys, oldest first; empty before the first publication.
    pub fn keys(&self) -> &KeyChain {
        &self.keys
    }

    /// Signs the head over every entry and returns the changes that bring the directory there, to be applied in
    /// order: bundles and tiles first, then the checkpoint, then the removal of partial tiles that wider ones
    /// replace. A crash between any two leaves a directory that [`Log::open`] accepts. The first publication
    /// starts with the head of the empty log for that reason.
    ///
    /// If applying fails, drop this `Log` and open it again from the directory: it believes what it returned.
    /// Without new entries since the last head there is nothing to do, and cosignatures stay.
    ///
    /// # Errors
    /// [`LogError::OtherKey`], [`LogError::DamagedLeaf`], [`LogError::Inconsistent`],
    /// [`LogError::Checkpoint`]; nothing is signed then.
    pub fn publish(&mut self, key: &SigningKey) -> Result<Vec<FileChange>, LogError> {
        let verifier = VerifierKey::new(&self.origin, KeyType::Ed25519, key.verifying_key())
            .map_err(CheckpointError::from)?;
        self.keys.begin(&verifier);
        in_force(&self.keys, &verifier)?;
        let mut changes = Vec::new();
        let old = match &self.published {
            Some(signed) => signed.checkpoint().clone(),
            None => {
                let empty = Checkpoint {
                    origin: self.origin.clone(),
                    size: 0,
                    root: empty_root(),
                };
                let signed = empty.sign(key)?;
                changes.push(write_head(&signed));
                self.published = Some(signed);
                empty
            }
        };
        let size = self.tree.size();
        if size == old.size {
            return Ok(changes);
        }
        self.check_tail(old.size)?;
        let new = Checkpoint {
            origin: self.origin.clone(),
            size,
            root: self.tree.root(),
        };
        let proof = self
            .tree
            .consistency_proof(old.size, size)
            .map_err(LogError::Inconsistent)?;
        verify_consistency(old.size, &old.root, size, &new.root, &proof).map_err(LogError::Inconsistent)?;
        let signed = new.sign(key)?;
        signed.check(&verifier)?;

        let mut removals = Vec::new();
        for level in layout::levels() {
            let (from, to) = (layout::level_len(old.size, level), layout::level_len(size, level));
            for tile in layout::tiles_between(level, from, to) {
                changes.push(FileChange::Write {
                    path: tile.path(),
                    bytes: self.content(tile, old.size)?,
                });
            }
            if from < to
                && let Some(partial) = layout::right_edge(level, from)
            {
                removals.push(FileChange::Remove { path: partial.path() });
            }
        }
        changes.push(write_head(&signed));
        changes.append(&mut removals);

        self.published = Some(signed);
        let full = bundle_start(size).saturating_sub(bundle_start(old.size));
        self.tail
            .drain(..usize::try_from(full).unwrap_or(usize::MAX).min(self.tail.len()));
        Ok(changes)
    }

    /// Puts cosignatures of the published head on its note, each verified under the key beside it, and returns
    /// the one change. A second cosignature of a key replaces its first. They go when the next head is
    /// published: a cosignature covers one head.
    ///
    /// # Errors
    /// [`LogError::NotPublished`], [`LogError::Checkpoint`] (a bad cosignature, or too many); nothing changes
    /// then.
    pub fn cosign(&mut self, cosignatures: &[(Cosignature, &VerifierKey)]) -> Result<FileChange, LogError> {
        let published = self.head()?;
        for (cosignature, key) in cosignatures {
            cosignature.verify(published.checkpoint(), key)?;
        }
        let list: Vec<Cosignature> = cosignatures
            .iter()
            .map(|(cosignature, _)| cosignature.clone())
            .collect();
        let signed = published.with_cosignatures(&list)?;
        let change = write_head(&signed);
        self.published = Some(signed);
        Ok(change)
    }

    /// The proof that entry `index` is in the published head.
    ///
    /// # Errors
    /// [`LogError::NotPublished`].
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Hash>, LogError> {
        let size = self.head()?.checkpoint().size;
        self.tree
            .inclusion_proof_at(index, size)
            .map_err(LogError::NotPublished)
    }

    /// The proof that the head of `old_size` entries is a prefix of the published one.
    ///
    /// # Errors
    /// [`LogError::NotPublished`].
    pub fn consistency_proof(&self, old_size: u64) -> Result<Vec<Hash>, LogError> {
        let size = self.head()?.checkpoint().size;
        self.tree
            .consistency_proof(old_size, size)
            .map_err(LogError::NotPublished)
    }

    fn head(&self) -> Result<&SignedCheckpoint, LogError> {
        let nothing = LogError::NotPublished(TreeError::SizeOutOfRange {
            old: self.size(),
            new: 0,
        });
        self.published.as_ref().ok_or(nothing)
    }

    /// Every leaf of the entries about to be published, again from the bytes that will be written: one flipped
    /// bit in memory must not end up signed.
    fn check_tail(&self, old: u64) -> Result<(), LogError> {
        let start = bundle_start(old);
        for (index, bytes) in (start..).zip(&self.tail) {
            if self.tree.leaf(index) != Some(leaf_hash(bytes)) {
                return Err(LogError::DamagedLeaf { index });
            }
        }
        match start.saturating_add(self.tail.len() as u64) {
            end if end == self.tree.size() => Ok(()),
            end => Err(LogError::DamagedLeaf { index: end }),
        }
    }

    /// The bytes of a tile or bundle that is about to be written; `old` is the published size.
    fn content(&self, tile: Tile, old: u64) -> Result<Vec<u8>, LogError> {
        let damaged = LogError::DamagedLeaf { index: tile.first() };
        if tile.level.is_some() {
            return tile.hashes(&self.tree).ok_or(damaged);
        }
        let skip = usize::try_from(tile.first().saturating_sub(bundle_start(old))).unwrap_or(usize::MAX);
        let width = usize::try_from(tile.width).unwrap_or(0);
        layout::write_bundle(self.tail.iter().skip(skip).take(width).map(Vec::as_slice)).ok_or(damaged)
    }
}

fn in_force(keys: &KeyChain, key: &VerifierKey) -> Result<(), LogError> {
    match keys.current() {
        Some(current) if current != key => Err(LogError::OtherKey {
            in_force: rotation::named(current),
            given: rotation::named(key),
        }),
        _ => Ok(()),
    }
}

/// The first entry of the bundle that entry `size` belongs to.
fn bundle_start(size: u64) -> u64 {
    size - size % TILE_WIDTH
}

fn write_head(signed: &SignedCheckpoint) -> FileChange {
    FileChange::Write {
        path: CHECKPOINT_PATH.to_owned(),
        bytes: signed.to_bytes(),
    }
}
