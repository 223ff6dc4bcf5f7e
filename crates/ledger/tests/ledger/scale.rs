//! Ten thousand entries.

use std::time::{Duration, Instant};

use tacita_ledger::{MemoryFiles, verify};

use crate::world::{ledger, vkey};

/// The promise is two seconds on a shared core.
#[test]
fn ten_thousand_entries_verify_within_two_seconds() {
    let (log, files) = ledger(10_000, &[5_000]);
    assert_eq!(log.size(), 10_000);
    // The best of three: the machine may be busy with other tests.
    let best = (0..3).map(|_| timed(&files)).min().unwrap();
    println!("10,000 entries verified in {best:?}");
    assert!(best < Duration::from_secs(2), "{best:?}");
}

fn timed(files: &MemoryFiles) -> Duration {
    let start = Instant::now();
    let verified = verify(files, Some(&vkey())).unwrap();
    let took = start.elapsed();
    assert_eq!(verified.entries.len(), 10_000);
    took
}
