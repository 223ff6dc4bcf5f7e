//! The contract: what every store promises, whatever database stands behind it.

use std::pin::Pin;

use crate::{Batch, StoreError};

/// The future that [`Store::commit_async`] returns; it needs no particular runtime.
pub type CommitFuture = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'static>>;

/// Key and value pairs, as [`Store::scan`] returns them.
pub type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// Durable state: bytes under a key in a named space.
///
/// Promises, which [`crate::conformance`] checks:
/// - *atomic*: all operations of a batch take effect, in their order, or none does;
/// - *durable*: when a commit returns `Ok`, the batch outlives the process and the power;
/// - *read your writes*: a read that starts after a commit returned sees it;
/// - *in order*: batches handed in one after the other by one caller take effect in that order;
/// - *isolated failure*: a batch refused by [`Batch::insert_new`] changes nothing and fails nobody else.
///
/// After an error other than [`StoreError::Exists`] or a refusal of the batch's own size, the caller must
/// assume that the batch may or may not be found after a restart.
pub trait Store: Send + Sync {
    /// The value under `key`, or `None`.
    ///
    /// # Errors
    /// A bad space or key, or a file that cannot be read or fails its checksum.
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// All pairs of `space` whose key starts with `prefix`, keys ascending as bytes; the empty prefix is all.
    ///
    /// # Errors
    /// A bad space or prefix, or a file that cannot be read or fails its checksum.
    fn scan(&self, space: &str, prefix: &[u8]) -> Result<Entries, StoreError>;

    /// Makes `batch` durable and returns, blocking the calling thread for about one disk flush.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when an [`Batch::insert_new`] met its key; otherwise the store's own failure.
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// As [`Store::commit`], for callers on an async runtime. The batch is queued by the call itself: dropping
    /// the future gives up the answer, not the batch.
    fn commit_async(&self, batch: Batch) -> CommitFuture;

    /// What this store has done since it was opened.
    fn stats(&self) -> Stats;
}

/// Counters since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Durable transactions, each one flush of the disk.
    pub transactions: u64,
    /// Batches made durable; over `transactions` when callers were grouped.
    pub batches: u64,
    /// Batches refused because a one-time key was there already.
    pub refused: u64,
}
