//! A crash at every step of a calm round, and a failure of every write, on all cores.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;
use tacita_sim::faults::{Mishap, Mishaps, Party};

use super::{Command, seeds};

/// Steps of a new process at which it dies a second time.
const TWICE: u64 = 12;
/// Interleavings in which all mishaps are tried.
const SEEDS: [u64; 3] = [1, 2, 3];

/// Tries every mishap; whether all passed.
pub(super) fn all(command: &Command, out: &mut impl Write) -> io::Result<bool> {
    let cast = seeds::cast()?;
    let started = Instant::now();
    let (mut runs, mut sums, mut aborts, mut wrong) = ([0usize; 3], 0, 0, Vec::new());
    for seed in SEEDS {
        let all = Mishaps::count(&cast, seed, TWICE)
            .map_err(|calm| io::Error::other(format!("without a mishap: {:?}", calm.violations)))?;
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..command.threads() {
                scope.spawn(|| {
                    while let Some(mishap) = all.all.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let verdict = all.run(&cast, *mishap, false);
                        done.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((*mishap, verdict));
                    }
                });
            }
        });
        for (mishap, verdict) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let kind = match mishap {
                Mishap::Death(Party::Hub, ..) => 0,
                Mishap::Death(Party::Member(_), ..) => 1,
                Mishap::FailedWrite(..) => 2,
            };
            if let Some(count) = runs.get_mut(kind) {
                *count += 1;
            }
            sums += verdict.sums;
            aborts += verdict.aborts.values().sum::<u64>();
            for violation in verdict.violations {
                wrong.push(format!("seed {seed}, {mishap:?}: {violation}"));
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let [hub, members, writes] = runs;
    if command.json() {
        let report = json!({
            "server_crashes": hub, "member_crashes": members, "failed_writes": writes, "sums": sums, "aborts": aborts, "wrong": wrong,
            "seconds": seconds,
        });
        writeln!(out, "{report}")?;
        return Ok(wrong.is_empty());
    }
    for text in wrong.iter().take(20) {
        writeln!(out, "{text}")?;
    }
    writeln!(
        out,
        "{hub} crashes of the server, {members} of a member, {writes} failed writes, in {seconds:.1} s"
    )?;
    writeln!(out, "{sums} exact sums, {aborts} aborts")?;
    writeln!(
        out,
        "{} passed, {} failed",
        (hub + members + writes).saturating_sub(wrong.len()),
        wrong.len()
    )?;
    Ok(wrong.is_empty())
}
