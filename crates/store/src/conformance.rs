//! The contract of [`Store`] as checks that any implementation can run.
//!
//! [`check`] takes an empty store; [`check_reopened`] takes a way to open the same state again. Both write into
//! spaces named `conformance/...` and return the first promise found broken.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use thiserror::Error;

use crate::{Batch, MAX_KEY_BYTES, Store, StoreError};

/// A promise that the store did not keep.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Violation {
    /// An observation contradicts the contract.
    #[error("broken promise: {promise}")]
    Broken {
        /// The promise, in words.
        promise: &'static str,
    },
    /// The store failed where it had to succeed.
    #[error("the store failed: {0}")]
    Failed(#[from] StoreError),
}

/// Checks everything that one opened store can show. The store has to be empty.
///
/// # Errors
/// The first [`Violation`].
pub fn check(store: &dyn Store) -> Result<(), Violation> {
    reads_and_writes(store)?;
    scans(store)?;
    atomic_refusal(store)?;
    order_inside_a_batch(store)?;
    limits(store)?;
    from_async(store)?;
    one_winner(store)?;
    nobody_else_fails(store)
}

/// Checks that what was committed is still there when the state is opened again, and that what was refused is
/// not.
///
/// # Errors
/// The first [`Violation`].
pub fn check_reopened(open: &mut dyn FnMut() -> Result<Box<dyn Store>, StoreError>) -> Result<(), Violation> {
    const SPACE: &str = "conformance/reopened";
    for pass in 0..3_u8 {
        let store = open()?;
        promise(
            store.scan(SPACE, b"")?.len() == usize::from(pass),
            "commits outlive the store",
        )?;
        let mut batch = Batch::new();
        batch.insert_new(SPACE, [pass], vec![pass; 100]);
        store.commit(batch)?;
        let mut again = Batch::new();
        again.put(SPACE, "no trace", "").insert_new(SPACE, [0], "");
        promise(
            is_exists(store.commit(again)),
            "a one-time key stays used after reopening",
        )?;
    }
    Ok(())
}

fn promise(kept: bool, promise: &'static str) -> Result<(), Violation> {
    if kept {
        Ok(())
    } else {
        Err(Violation::Broken { promise })
    }
}

fn is_exists(outcome: Result<(), StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Exists { .. }))
}

fn reads_and_writes(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/basic";
    promise(
        store.get(SPACE, b"k")?.is_none(),
        "an absent key reads as nothing",
    )?;
    let mut batch = Batch::new();
    batch
        .put(SPACE, "k", "one")
        .put(SPACE, "", "empty key")
        .put("conformance/other", "k", "")
        .delete(SPACE, "x");
    store.commit(batch)?;
    promise(
        store.get(SPACE, b"k")?.as_deref() == Some(b"one"),
        "a read after a commit sees it",
    )?;
    promise(
        store.get(SPACE, b"")?.as_deref() == Some(b"empty key"),
        "the empty key is a key",
    )?;
    promise(
        store.get("conformance/other", b"k")?.as_deref() == Some(b""),
        "spaces are apart; empty values stay",
    )?;
    let mut batch = Batch::new();
    batch.put(SPACE, "k", "two").delete(SPACE, "");
    store.commit(batch)?;
    promise(store.get(SPACE, b"k")?.as_deref() == Some(b"two"), "put replaces")?;
    promise(store.get(SPACE, b"")?.is_none(), "delete removes")?;
    promise(
        store.get("conformance/other", b"k")?.is_some(),
        "delete keeps to its space",
    )?;
    store.commit(Batch::new())?;
    Ok(())
}

fn scans(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/scan";
    let keys: [&[u8]; 7] = [&[255, 255], &[1], &[1, 255], &[1, 255, 0], &[2], &[255], &[1, 0]];
    let mut batch = Batch::new();
    for key in keys {
        batch.put(SPACE, key, key);
    }
    batch.put("conformance/scan2", [1], [9]);
    store.commit(batch)?;
    let found = |prefix: &[u8]| -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(store
            .scan(SPACE, prefix)?
            .into_iter()
            .filter(|(key, value)| key == value)
            .map(|(key, _)| key)
            .collect())
    };
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    promise(found(b"")? == sorted, "a scan is complete and ascending")?;
    promise(found(&[1])? == sorted[..4], "a prefix selects its keys")?;
    promise(
        found(&[1, 255])? == sorted[2..4],
        "a prefix that ends in 255 selects its keys",
    )?;
    promise(
        found(&[255])? == sorted[5..],
        "a prefix of 255 alone selects its keys",
    )?;
    promise(found(&[3])?.is_empty(), "a prefix without keys selects none")
}

fn atomic_refusal(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/refusal";
    let mut batch = Batch::new();
    batch.insert_new(SPACE, "once", "first").put(SPACE, "kept", "old");
    store.commit(batch)?;
    let mut batch = Batch::new();
    batch
        .put(SPACE, "before", "")
        .put(SPACE, "kept", "new")
        .insert_new(SPACE, "once", "second")
        .put(SPACE, "after", "");
    let refused = store.stats().refused;
    promise(
        is_exists(store.commit(batch)),
        "insert_new refuses a key that is there",
    )?;
    promise(
        store.stats().refused == refused.wrapping_add(1),
        "refusals are counted",
    )?;
    promise(
        store.get(SPACE, b"once")?.as_deref() == Some(b"first"),
        "a one-time value is never replaced",
    )?;
    promise(
        store.get(SPACE, b"kept")?.as_deref() == Some(b"old"),
        "a refused batch changes nothing",
    )?;
    promise(
        store.get(SPACE, b"before")?.is_none(),
        "a refused batch leaves nothing before its refusal",
    )?;
    promise(
        store.get(SPACE, b"after")?.is_none(),
        "a refused batch leaves nothing after its refusal",
    )
}

fn order_inside_a_batch(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/order";
    let mut batch = Batch::new();
    batch
        .put(SPACE, "a", "1")
        .delete(SPACE, "a")
        .insert_new(SPACE, "a", "2")
        .put(SPACE, "a", "3");
    store.commit(batch)?;
    promise(
        store.get(SPACE, b"a")?.as_deref() == Some(b"3"),
        "operations take effect in their order",
    )?;
    let mut batch = Batch::new();
    batch
        .insert_new(SPACE, "twice", "")
        .insert_new(SPACE, "twice", "");
    promise(
        is_exists(store.commit(batch)),
        "insert_new sees the batch it is in",
    )?;
    promise(
        store.get(SPACE, b"twice")?.is_none(),
        "a batch that refuses itself changes nothing",
    )
}

fn limits(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/limits";
    let mut batch = Batch::new();
    batch
        .put(SPACE, "fits", "")
        .put(SPACE, vec![0; MAX_KEY_BYTES + 1], "");
    promise(
        matches!(store.commit(batch), Err(StoreError::KeyTooLong { .. })),
        "long keys are refused",
    )?;
    promise(
        store.get(SPACE, b"fits")?.is_none(),
        "a batch over a limit changes nothing",
    )?;
    promise(
        matches!(store.get("No", b""), Err(StoreError::SpaceName { .. })),
        "bad space names are refused",
    )?;
    let mut batch = Batch::new();
    batch.put(SPACE, vec![0; MAX_KEY_BYTES], vec![7; 5 << 20]);
    store.commit(batch)?;
    let value = store.get(SPACE, &[0; MAX_KEY_BYTES])?;
    promise(
        value.is_some_and(|v| v == vec![7; 5 << 20]),
        "a value of some megabytes comes back",
    )
}

fn from_async(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/async";
    let queued: Vec<_> = (0..100_u8)
        .map(|i| {
            let mut batch = Batch::new();
            batch.insert_new(SPACE, [i], [i]).put(SPACE, "last", [i]);
            store.commit_async(batch)
        })
        .collect();
    for future in queued {
        block_on(future)?;
    }
    promise(
        store.scan(SPACE, b"")?.len() == 101,
        "every awaited commit is there",
    )?;
    promise(
        store.get(SPACE, b"last")?.as_deref() == Some(&[99]),
        "one caller's batches take effect in order",
    )?;
    let mut batch = Batch::new();
    batch.insert_new(SPACE, [5], [0]);
    promise(
        is_exists(block_on(store.commit_async(batch))),
        "an awaited commit can be refused",
    )?;
    let mut batch = Batch::new();
    batch.put(SPACE, "abandoned", "");
    drop(store.commit_async(batch));
    store.commit(Batch::new())?;
    let mut batch = Batch::new();
    batch.delete(SPACE, "unrelated");
    store.commit(batch)?;
    promise(
        store.get(SPACE, b"abandoned")?.is_some(),
        "dropping the future does not drop the batch",
    )
}

fn one_winner(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/race";
    for round in 0..8_u8 {
        let outcomes: Vec<Result<(), StoreError>> = thread::scope(|scope| {
            let racers: Vec<_> = (0..8_u8)
                .map(|racer| {
                    scope.spawn(move || {
                        let mut batch = Batch::new();
                        batch
                            .insert_new(SPACE, [round], [racer])
                            .put(SPACE, [round, racer], "");
                        store.commit(batch)
                    })
                })
                .collect();
            racers.into_iter().filter_map(|racer| racer.join().ok()).collect()
        });
        let won: Vec<usize> = (0..outcomes.len()).filter(|&i| outcomes[i].is_ok()).collect();
        let lost = outcomes
            .into_iter()
            .filter(|outcome| is_exists(outcome.clone()))
            .count();
        promise(
            won.len() == 1 && lost == 7,
            "of those who race for a key exactly one wins",
        )?;
        let traces = store.scan(SPACE, &[round])?;
        promise(
            traces.len() == 2 && traces[0].1.len() == 1 && traces[1].0 == [round, traces[0].1[0]],
            "only the winner leaves a trace",
        )?;
    }
    Ok(())
}

fn nobody_else_fails(store: &dyn Store) -> Result<(), Violation> {
    const SPACE: &str = "conformance/neighbours";
    let mut batch = Batch::new();
    batch.insert_new(SPACE, "taken", "");
    store.commit(batch)?;
    // Queued back to back, so that refused and good batches share transactions.
    let queued: Vec<_> = (0..200_u8)
        .map(|i| {
            let mut batch = Batch::new();
            batch.put(SPACE, [1, i], [i]);
            if i % 3 == 0 {
                batch.insert_new(SPACE, "taken", "");
            }
            (i, store.commit_async(batch))
        })
        .collect();
    for (i, future) in queued {
        let outcome = block_on(future);
        if i % 3 == 0 {
            promise(is_exists(outcome), "each refused batch learns it")?;
        } else {
            outcome?;
        }
        promise(
            store.get(SPACE, &[1, i])?.is_some() == (i % 3 != 0),
            "a refused batch fails nobody else",
        )?;
    }
    Ok(())
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread, so that the checks need no runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
