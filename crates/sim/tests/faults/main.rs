//! The faulty world: seeds, crash points, drop-out histories, and proof that its checkers see what they are for.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cut_uploads;
mod disk;
mod histories;
mod large;
mod mishaps;
mod mutants;
mod seeds;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use tacita_sim::Cast;
use tacita_sim::faults::{LARGEST, Verdict};

static CAST: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(LARGEST, 1).unwrap()));

/// Plays `count` worlds on all cores, in any order.
fn on_all_cores(count: u64, play: impl Fn(u64) -> Verdict + Sync) -> Vec<Verdict> {
    let (next, verdicts) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let verdict = play(number);
                    verdicts.lock().unwrap().push(verdict);
                }
            });
        }
    });
    verdicts.into_inner().unwrap()
}

/// Nothing was violated.
fn passes(verdict: &Verdict) {
    assert!(
        verdict.violations.is_empty(),
        "seed {} failed; `cargo run --release -p tacita-sim -- --seed {} --trace` shows why: {:#?}",
        verdict.seed,
        verdict.seed,
        verdict.violations,
    );
}
