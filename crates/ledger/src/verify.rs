//! The auditor: recomputes a ledger directory from its bytes.
//!
//! A ledger passes only if the directory holds exactly the files of its size and every byte of them is what the
//! entries and the pinned keys demand. What that is worth depends on the keys:
//!
//! * **With the log's key**, every changed, missing, added or reordered byte of entries, tiles and head is an
//!   error: entries and tiles must hash to the root, and the root is signed. The operator, who has the key,
//!   can still sign another history; consistency proofs between heads and witness cosignatures reveal that.
//!   The key may be any that the log was ever signed with: from there on, rotations are followed to the head.
//! * **Without a key** the check is of *integrity only, origin not checked*: the files agree with each other.
//!   Anybody can make such files. In the head, the 68 bytes (key id and signature) behind the origin in the log's
//!   signature line are then unchecked, and a change there passes; every other changed bit is still an error.
//! * **Cosignatures** are checked when the caller lists the witness's key. A line of an unlisted key is an error
//!   unless [`VerifyOptions::allow_unlisted`] is set; then it is reported as unverified, and a change in its name,
//!   id, time or signature passes.

mod error;
mod head;
pub(crate) mod signatures;

use std::collections::BTreeSet;

pub use error::VerifyError;
pub use head::HeadError;
pub(crate) use head::contains_head;
pub use signatures::{Witness, distinct_witnesses};

use crate::checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
use crate::entry::Entry;
use crate::files::{Files, FilesError};
use crate::layout::{self, BundleError, CHECKPOINT_PATH, MAX_BUNDLE, MAX_TILE, Tile};
use crate::note::{MAX_NOTE, VerifierKey};
use crate::rotation::KeyChain;
use crate::rules::Rules;
use crate::tree::{Tree, leaf_hash};

/// What the caller knows and accepts.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// The log's pinned key, or one that came before it was rotated. Without it, the origin is not checked.
    pub log_key: Option<VerifierKey>,
    /// Keys (type 0x04) of the witnesses whose cosignatures are to be verified.
    pub witnesses: Vec<VerifierKey>,
    /// Accept cosignature lines of other keys, unverified.
    pub allow_unlisted: bool,
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
    /// The log's keys, oldest first; empty if none is pinned and none changed.
    pub keys: KeyChain,
}

/// An earlier head, with its cosignatures, that the ledger continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CosignedHead {
    /// The head.
    pub checkpoint: Checkpoint,
    /// Its cosignature lines, in order.
    pub witnesses: Vec<Witness>,
}

/// Why an earlier head does not support a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignedHeadError {
    /// It is no head, or badly signed.
    #[error(transparent)]
    Note(#[from] VerifyError),
    /// The ledger does not continue it.
    #[error(transparent)]
    Head(#[from] HeadError),
}

impl Verified {
    /// The head.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.signed.checkpoint()
    }

    /// Number of witnesses whose cosignature of the head was verified.
    pub fn verified_witnesses(&self) -> usize {
        distinct_witnesses(&self.witnesses)
    }

    /// Whether an earlier head of the same log (one that a client kept, or that witnesses cosigned) is a prefix
    /// of this ledger; if not, the log was rewritten or forked.
    ///
    /// # Errors
    /// [`HeadError`].
    pub fn contains_head(&self, earlier: &Checkpoint) -> Result<(), HeadError> {
        contains_head(&self.tree, &self.checkpoint().origin, earlier)
    }

    /// An earlier head as a note with cosignatures: signed by the key that was in force at its size, cosigned, and a
    /// prefix of this ledger. Lines of keys that are not listed are reported as unverified.
    ///
    /// # Errors
    /// [`CosignedHeadError`].
    pub fn cosigned_head(
        &self,
        note: &[u8],
        witnesses: &[VerifierKey],
    ) -> Result<CosignedHead, CosignedHeadError> {
        let signed = SignedCheckpoint::parse_unverified(note).map_err(VerifyError::from)?;
        let checkpoint = signed.checkpoint().clone();
        self.contains_head(&checkpoint)?;
        let key = self.keys.in_force(checkpoint.size);
        let witnesses = signatures::check(&signed, key, witnesses, true)?;
        Ok(CosignedHead {
            checkpoint,
            witnesses,
        })
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
    let signed = read_head(files, options.log_key.as_ref())?;
    let mut entries = Vec::new();
    let mut loaded = load(files, &signed, |_, _, entry| entries.push(entry))?;
    signatures::anchor(&mut loaded.keys, options.log_key.as_ref())?;
    let key = loaded.keys.current();
    let witnesses = signatures::check(&signed, key, &options.witnesses, options.allow_unlisted)?;
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
        keys: loaded.keys,
    })
}

/// What recomputing a directory gives.
pub(crate) struct Loaded {
    /// The tree over the entries; its root is the head's.
    pub(crate) tree: Tree,
    /// The rules after the last entry.
    pub(crate) rules: Rules,
    /// The keys that entries name.
    pub(crate) keys: KeyChain,
    /// Tile files that a ledger of this size does not have, in order.
    pub(crate) surplus: Vec<String>,
}

/// Reads the head; who signed it is known when the entries, which may change the key, were read.
pub(crate) fn read_head(
    files: &dyn Files,
    key: Option<&VerifierKey>,
) -> Result<SignedCheckpoint, VerifyError> {
    let signed = SignedCheckpoint::parse_unverified(&read(files, CHECKPOINT_PATH, MAX_NOTE)?)?;
    match key {
        Some(key) if key.name() != signed.checkpoint().origin => Err(CheckpointError::OtherOrigin {
            expected: key.name().to_owned(),
            found: signed.checkpoint().origin.clone(),
        }
        .into()),
        _ => Ok(signed),
    }
}

/// Recomputes everything below the head from the entries' bytes, giving each entry to `keep` with its index and
/// bytes.
pub(crate) fn load(
    files: &dyn Files,
    signed: &SignedCheckpoint,
    mut keep: impl FnMut(u64, &[u8], Entry),
) -> Result<Loaded, VerifyError> {
    let Checkpoint { origin, size, root } = signed.checkpoint();
    let surplus = check_names(files, *size)?;
    let mut tree = Tree::new();
    let mut rules = Rules::new();
    let mut keys = KeyChain::new();
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
                    if let Entry::Rotation(rotation) = &entry {
                        // The bundle's leaves are in the tree already.
                        let before = tree.root_at(index).unwrap_or_default();
                        keys.admit(origin, index, &before, rotation).map_err(|source| {
                            VerifyError::Rotation {
                                file: file.clone(),
                                index,
                                source,
                            }
                        })?;
                    }
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
    Ok(Loaded {
        tree,
        rules,
        keys,
        surplus,
    })
}

/// Checks that every expected file is there and returns the surplus tiles; any other file is an error.
fn check_names(files: &dyn Files, size: u64) -> Result<Vec<String>, VerifyError> {
    let mut present: BTreeSet<String> = files.list().map_err(VerifyError::List)?.into_iter().collect();
    present.remove(CHECKPOINT_PATH);
    // Stops at the first missing file, so a claimed size costs no more than the files that exist.
    for tile in layout::tiles(size) {
        let file = tile.path();
        if !present.remove(&file) {
            return Err(missing(file, size, &present));
        }
    }
    match present.iter().find(|file| !layout::is_tile_path(file)) {
        Some(file) => Err(VerifyError::Unknown { file: file.clone() }),
        None => Ok(present.into_iter().collect()),
    }
}

/// A file that should be there; unless there are bundles beyond the head, which is then what does not belong here.
fn missing(file: String, size: u64, others: &BTreeSet<String>) -> VerifyError {
    let end = |path: &String| layout::bundle_end(path).map(|end| (end, path.clone()));
    match others.iter().filter_map(end).max() {
        Some((found, file)) if found > size => VerifyError::RolledBack { size, file, found },
        _ => VerifyError::Missing { file },
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
    let items = layout::read_bundle(bytes, bundle.width).map_err(|source| {
        let item = match source {
            BundleError::Short { item } => item,
            BundleError::Trailing { .. } => bundle.width,
        };
        VerifyError::Bundle {
            file: file.to_owned(),
            index: bundle.first().saturating_add(item),
            source,
        }
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
