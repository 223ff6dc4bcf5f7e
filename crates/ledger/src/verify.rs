//! The auditor: recomputes a ledger directory from its bytes.
//!
//! A ledger passes only if the directory holds exactly the files of its size and every byte of them is what the
//! entries and the pinned keys demand. What that is worth depends on the keys:
//!
//! * **With the log's key**, every changed, missing, added or reordered byte of entries, tiles and head is an
//!   error: entries and tiles must hash to the root, and the root is signed. The operator, who has the key,
//!   can still sign another history; consistency proofs between heads and witness cosignatures reveal that.
//! * **Without a key** the check is of *integrity only, origin not checked*: the files agree with each other.
//!   Anybody can make such files. In the head, the 68 bytes (key id and signature) behind the origin in the log's
//!   signature line are then unchecked, and a change there passes; every other changed bit is still an error.
//! * **Cosignatures** are checked when the caller lists the witness's key. A line of an unlisted key is an error
//!   unless [`VerifyOptions::allow_unlisted`] is set; then it is reported as unverified, and a change in its name,
//!   id, time or signature passes.

mod head;

use std::collections::BTreeSet;

pub use head::HeadError;
pub(crate) use head::contains_head;

use crate::checkpoint::{Checkpoint, CheckpointError, Cosignature, SignedCheckpoint};
use crate::entry::{Entry, EntryError};
use crate::files::{Files, FilesError};
use crate::layout::{self, BundleError, CHECKPOINT_PATH, MAX_BUNDLE, MAX_TILE, Tile};
use crate::note::{MAX_NOTE, VerifierKey};
use crate::rules::{Rules, RulesError};
use crate::tree::{Tree, leaf_hash};

/// Why a ledger does not pass: always with the file, and with the entry's index where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The directory cannot be listed.
    #[error("the directory cannot be listed: {0}")]
    List(#[source] FilesError),
    /// A file cannot be read, or is too long for what it should hold.
    #[error("{file}: {source}")]
    Read {
        /// Its path.
        file: String,
        /// Why.
        source: FilesError,
    },
    /// A file that a ledger of this size consists of is missing.
    #[error("{file}: missing")]
    Missing {
        /// Its path.
        file: String,
    },
    /// A tile or bundle that does not belong to a ledger of this size.
    #[error("{file}: surplus; a ledger of {size} entries has no such file")]
    Surplus {
        /// Its path.
        file: String,
        /// The size that the checkpoint states.
        size: u64,
    },
    /// A file that no ledger has.
    #[error("{file}: not a file of a ledger")]
    Unknown {
        /// Its path.
        file: String,
    },
    /// The head is malformed, of another log, or badly signed.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The head has no signature line under the origin's name.
    #[error("checkpoint: no signature line in the name of the origin")]
    NoLogSignature,
    /// A key (name and id) signed twice.
    #[error("checkpoint: two signature lines of {name}")]
    RepeatedSignature {
        /// Its name.
        name: String,
    },
    /// A signature line of a key that the caller did not list.
    #[error("checkpoint: signature line of {name}+{key_id}, a key that was not listed")]
    UnlistedSignature {
        /// Its name.
        name: String,
        /// Its key id in hex.
        key_id: String,
    },
    /// A bundle is cut short or has bytes left over.
    #[error("{file}: {source}")]
    Bundle {
        /// Its path.
        file: String,
        /// Why.
        source: BundleError,
    },
    /// An entry that is not canonical or not valid by itself.
    #[error("{file}: entry {index}: {source}")]
    Entry {
        /// The bundle's path.
        file: String,
        /// Index in the ledger.
        index: u64,
        /// Why.
        source: EntryError,
    },
    /// An entry that contradicts an earlier one.
    #[error("{file}: entry {index}: {source}")]
    Rule {
        /// The bundle's path.
        file: String,
        /// Index in the ledger.
        index: u64,
        /// Why.
        source: RulesError,
    },
    /// A tile that is not 32 bytes per hash.
    #[error("{file}: {found} bytes instead of {expected}")]
    TileLength {
        /// Its path.
        file: String,
        /// Bytes it must have.
        expected: usize,
        /// Bytes it has.
        found: usize,
    },
    /// An entry that does not have the hash its level-0 tile gives it: one of the two files was changed.
    #[error("{file}: entry {index} does not have the hash that {tile} gives it")]
    Leaf {
        /// The bundle's path.
        file: String,
        /// The tile's path.
        tile: String,
        /// Index in the ledger.
        index: u64,
    },
    /// A tile of a higher level that differs from what the entries hash to.
    #[error("{file}: hash {item} is not that of the entries from {entry}")]
    Tile {
        /// Its path.
        file: String,
        /// First wrong hash within the tile.
        item: u64,
        /// First entry below that hash.
        entry: u64,
    },
    /// The signed root is not that of the entries.
    #[error("checkpoint: the root is not that of the {size} entries")]
    Root {
        /// Number of entries.
        size: u64,
    },
}

/// What the caller knows and accepts.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The log's pinned key. Without it, the origin is not checked.
    pub log_key: Option<VerifierKey>,
    /// Keys (type 0x04) of the witnesses whose cosignatures are to be verified.
    pub witnesses: Vec<VerifierKey>,
    /// Accept cosignature lines of other keys, unverified.
    pub allow_unlisted: bool,
}

/// A cosignature line on the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Key name.
    pub name: String,
    /// Key id in hex.
    pub key_id: String,
    /// The time it states, if the line has the form of a cosignature.
    pub time: Option<u64>,
    /// Whether it was verified under a listed key.
    pub verified: bool,
}

/// A ledger that passed.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Its entries, in order.
    pub entries: Vec<Entry>,
    /// Its head, with the signature lines.
    pub signed: SignedCheckpoint,
    /// Whether the head's signature was verified under a pinned key; if not: integrity only.
    pub origin_checked: bool,
    /// The cosignature lines, in order.
    pub witnesses: Vec<Witness>,
    /// The tree over the entries: roots and proofs of every past size.
    pub tree: Tree,
}

impl Verified {
    /// The head.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }

    /// Number of cosignatures that were verified.
    pub fn verified_witnesses(&self) -> usize {
        self.witnesses.iter().filter(|witness| witness.verified).count()
    }

    /// Whether an earlier head of the same log (one that a client kept, or that witnesses cosigned) is a prefix
    /// of this ledger; if not, the log was rewritten or forked.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn contains_head(&self, earlier: &Checkpoint) -> Result<(), HeadError> {
        contains_head(&self.tree, &self.checkpoint().origin, earlier)
    }
}

/// Verifies a ledger under the log's key, or for integrity only. Cosignature lines of any witness are an error:
/// see [`verify_with`] to list or allow them.
///
/// # Errors
/// [`VerifyError`]: the first thing found wrong.
pub fn verify(files: &dyn Files, key: Option<&VerifierKey>) -> Result<Verified, VerifyError> {
    verify_with(
        files,
        &VerifyOptions {
            log_key: key.cloned(),
            ..VerifyOptions::default()
        },
    )
}

/// Verifies a ledger.
///
/// # Errors
/// [`VerifyError`]: the first thing found wrong.
pub fn verify_with(files: &dyn Files, options: &VerifyOptions) -> Result<Verified, VerifyError> {
    let (signed, witnesses) = read_head(files, options)?;
    let mut entries = Vec::new();
    let loaded = load(files, &signed, |_, _, entry| entries.push(entry))?;
    if let Some(file) = loaded.surplus.into_iter().next() {
        return Err(VerifyError::Surplus {
            file,
            size: signed.checkpoint().size,
        });
    }
    let origin_checked = options.log_key.is_some();
    Ok(Verified {
        entries,
        signed,
        origin_checked,
        witnesses,
        tree: loaded.tree,
    })
}

/// What recomputing a directory gives.
pub(crate) struct Loaded {
    /// The tree over the entries; its root is the head's.
    pub(crate) tree: Tree,
    /// The rules after the last entry.
    pub(crate) rules: Rules,
    /// Tile files that a ledger of this size does not have, in order.
    pub(crate) surplus: Vec<String>,
}

/// Reads the head and checks its signature lines.
pub(crate) fn read_head(
    files: &dyn Files,
    options: &VerifyOptions,
) -> Result<(SignedCheckpoint, Vec<Witness>), VerifyError> {
    let signed = SignedCheckpoint::parse_unverified(&read(files, CHECKPOINT_PATH, MAX_NOTE)?)?;
    if let Some(key) = &options.log_key {
        signed.check(key)?;
    }
    let origin = &signed.checkpoint().origin;
    let mut seen = BTreeSet::new();
    let mut log_lines = 0usize;
    let mut witnesses = Vec::new();
    for line in signed.note().signatures() {
        if !seen.insert((&line.name, line.key_id)) {
            return Err(VerifyError::RepeatedSignature {
                name: line.name.clone(),
            });
        }
        let by_log = match &options.log_key {
            Some(key) => key.matches(line),
            // All that is known without a key: whose name the line carries and how long its signature is.
            None => log_lines == 0 && line.name == *origin && line.signature.len() == 64,
        };
        if by_log {
            log_lines = log_lines.saturating_add(1);
            continue;
        }
        let key_id = hex::encode(line.key_id);
        let listed = options.witnesses.iter().find(|key| key.matches(line));
        let (time, verified) = match listed {
            Some(key) => {
                let cosignature = Cosignature::from_line(line)?;
                cosignature.verify(signed.checkpoint(), key)?;
                (Some(cosignature.time), true)
            }
            None if options.allow_unlisted => {
                (Cosignature::from_line(line).ok().map(|line| line.time), false)
            }
            None => {
                return Err(VerifyError::UnlistedSignature {
                    name: line.name.clone(),
                    key_id,
                });
            }
        };
        witnesses.push(Witness {
            name: line.name.clone(),
            key_id,
            time,
            verified,
        });
    }
    if log_lines == 0 {
        return Err(VerifyError::NoLogSignature);
    }
    Ok((signed, witnesses))
}

/// Recomputes everything below the head from the entries' bytes, giving each entry to `keep` with its index and
/// bytes.
pub(crate) fn load(
    files: &dyn Files,
    signed: &SignedCheckpoint,
    mut keep: impl FnMut(u64, &[u8], Entry),
) -> Result<Loaded, VerifyError> {
    let Checkpoint { size, root, .. } = signed.checkpoint();
    let surplus = check_names(files, *size)?;
    let mut tree = Tree::new();
    let mut rules = Rules::new();
    for tile in layout::tiles(*size) {
        match tile.level {
            None => {
                let file = tile.path();
                let bytes = read(files, &file, MAX_BUNDLE)?;
                // Hashes first: nothing is parsed before it is what the tile says.
                let items = check_bundle(files, &file, tile, &bytes, &mut tree)?;
                for (index, bytes) in (tile.first()..).zip(items) {
                    let entry = Entry::decode(bytes).map_err(|source| VerifyError::Entry {
                        file: file.clone(),
                        index,
                        source,
                    })?;
                    rules.admit(&entry).map_err(|source| VerifyError::Rule {
                        file: file.clone(),
                        index,
                        source,
                    })?;
                    keep(index, bytes, entry);
                }
            }
            Some(0) => {}
            Some(level) => check_tile(files, tile, level, &tree)?,
        }
    }
    if tree.size() != *size || tree.root() != *root {
        return Err(VerifyError::Root { size: tree.size() });
    }
    Ok(Loaded { tree, rules, surplus })
}

/// Checks that every expected file is there and returns the surplus tiles; any other file is an error.
fn check_names(files: &dyn Files, size: u64) -> Result<Vec<String>, VerifyError> {
    let mut present: BTreeSet<String> = files.list().map_err(VerifyError::List)?.into_iter().collect();
    present.remove(CHECKPOINT_PATH);
    // Stops at the first missing file, so a claimed size costs no more than the files that exist.
    for tile in layout::tiles(size) {
        let file = tile.path();
        if !present.remove(&file) {
            return Err(VerifyError::Missing { file });
        }
    }
    match present.iter().find(|file| !layout::is_tile_path(file)) {
        Some(file) => Err(VerifyError::Unknown { file: file.clone() }),
        None => Ok(present.into_iter().collect()),
    }
}

/// Splits a bundle, appends its leaves to the tree and compares them with the level-0 tile beside it.
fn check_bundle<'a>(
    files: &dyn Files,
    file: &str,
    bundle: Tile,
    bytes: &'a [u8],
    tree: &mut Tree,
) -> Result<Vec<&'a [u8]>, VerifyError> {
    let items = layout::read_bundle(bytes, bundle.width).map_err(|source| VerifyError::Bundle {
        file: file.to_owned(),
        source,
    })?;
    let tile = Tile {
        level: Some(0),
        ..bundle
    };
    let hashes = read_tile(files, tile)?;
    for (item, hash) in items.iter().zip(hashes.chunks(32)) {
        let index = tree.size();
        let leaf = leaf_hash(item);
        if leaf != hash {
            return Err(VerifyError::Leaf {
                file: file.to_owned(),
                tile: tile.path(),
                index,
            });
        }
        tree.append(leaf);
    }
    Ok(items)
}

/// Compares a tile of level 1 or above with the tree.
fn check_tile(files: &dyn Files, tile: Tile, level: u32, tree: &Tree) -> Result<(), VerifyError> {
    let found = read_tile(files, tile)?;
    let expected = tile.hashes(tree).unwrap_or_default();
    if found == expected {
        return Ok(());
    }
    let same = found
        .chunks(32)
        .zip(expected.chunks(32))
        .take_while(|(a, b)| a == b)
        .count();
    let item = same as u64;
    let entry = tile
        .first()
        .saturating_add(item)
        .checked_shl(level.saturating_mul(8))
        .unwrap_or(u64::MAX);
    Err(VerifyError::Tile {
        file: tile.path(),
        item,
        entry,
    })
}

/// The bytes of a hash tile, of exactly the length of its width.
fn read_tile(files: &dyn Files, tile: Tile) -> Result<Vec<u8>, VerifyError> {
    let file = tile.path();
    let bytes = read(files, &file, MAX_TILE)?;
    let expected = usize::try_from(tile.width).unwrap_or(0).saturating_mul(32);
    if bytes.len() != expected {
        return Err(VerifyError::TileLength {
            file,
            expected,
            found: bytes.len(),
        });
    }
    Ok(bytes)
}

fn read(files: &dyn Files, file: &str, limit: usize) -> Result<Vec<u8>, VerifyError> {
    match files.read(file, limit) {
        Ok(bytes) => Ok(bytes),
        Err(FilesError::NotFound) => Err(VerifyError::Missing {
            file: file.to_owned(),
        }),
        Err(source) => Err(VerifyError::Read {
            file: file.to_owned(),
            source,
        }),
    }
}
