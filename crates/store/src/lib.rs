//! The room where state becomes durable.
//!
//! Shells hand in [`Batch`]es of byte keys and values; a batch is on disk, whole, when `commit` returns, or it
//! is not there at all. One-time values (round ids, invitations, signatures already given) go in with
//! [`Batch::insert_new`], which fails the batch when the key was ever used. What the bytes mean is the
//! caller's business: nothing here decides anything about a round.
//!
//! - [`Store`] is the whole contract, narrow enough for another database to take the default's place;
//! - [`SqliteStore`] is the default: one file, one writer thread that commits the batches of many callers in
//!   one durable transaction, readers beside it; [`SqliteReader`] looks at it from another process;
//! - [`conformance`] holds the contract as executable checks, for this implementation and for any other.
//!
//! Data comes from the server, client and authority shells, and goes to one SQLite file with its write-ahead
//! log and a lock file beside it.

mod batch;
pub mod conformance;
mod error;
mod sqlite;
mod store;

pub use batch::{
    Batch, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_SPACE_BYTES, MAX_VALUE_BYTES, Operation, check_key,
};
pub use error::StoreError;
pub use sqlite::{
    BUSY_TIMEOUT, FORMAT_VERSION, MAX_GROUP_BATCHES, MAX_GROUP_BYTES, MAX_QUEUED_BATCHES, MAX_QUEUED_BYTES,
    Sharing, SqliteReader, SqliteStore,
};
pub use store::{CommitFuture, Entries, Stats, Store};
