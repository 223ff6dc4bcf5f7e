//! The ledger: an append-only, signed transparency log in the public C2SP formats, as static files.
//!
//! Comes in: entries ([`entry`]) from the server's shell, which says when an attempt at a round is reserved,
//! charged, finished or released. Goes out: [`files::FileChange`]s that the shell applies in order to a
//! directory that holds nothing else ([`log`]), proofs for clients ([`tree`]), and signed heads
//! ([`checkpoint`], [`note`]). An auditor gives the same directory to [`fn@verify`], which recomputes everything.
//!
//! Pure: no clock, no disk, no randomness. Reading goes through [`files::Files`], which the shells implement.
//!
//! | module | one idea |
//! |---|---|
//! | [`tree`] | RFC 6962 hashes, inclusion and consistency proofs; also used for other Merkle roots |
//! | [`note`] | C2SP signed notes and verifier keys |
//! | [`checkpoint`] | the signed head, and witness cosignatures |
//! | [`entry`] | the five kinds of entry and their one canonical text |
//! | [`rules`] | what entries must say about each other |
//! | [`rotation`] | who signs: keys that hand the log on |
//! | [`layout`] | which file holds what (C2SP tlog-tiles) |
//! | [`files`] | files as values: reading, changes, and the in-memory directory |
//! | [`log`] | the writer |
//! | [`mod@verify`] | the auditor |

pub mod checkpoint;
pub mod entry;
pub mod files;
mod hexes;
pub mod layout;
pub mod log;
pub mod note;
pub mod rotation;
pub mod rules;
pub mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, Cosignature, SignedCheckpoint};
pub use entry::{Charge, Entry, EntryError, Manifest, Outcome, Release, Rotation, statement_digest};
pub use files::{FileChange, Files, FilesError, MemoryFiles};
pub use log::{Log, LogError};
pub use note::{KeyType, NoteError, SignerKey, VerifierKey};
pub use rotation::{KeyChain, KeyInForce, RotationError};
pub use rules::{Rules, RulesError};
pub use tree::{Hash, Tree, TreeError};
pub use verify::{CosignedHead, Verified, VerifyError, VerifyOptions, verify, verify_with};
