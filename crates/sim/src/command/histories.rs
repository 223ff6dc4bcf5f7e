//! All histories of drop-outs, on all cores.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;
use tacita_sim::histories::{self, Bounds, Histories};
use tacita_sim::{Cast, Setting};

use super::Command;

/// Histories in one world: its ledger grows with each.
const BATCH: u64 = 125;

/// Plays all histories of `members`; whether each came to what it must.
pub(super) fn all(command: &Command, members: usize, out: &mut impl Write) -> io::Result<bool> {
    if !(4..=8).contains(&members) {
        writeln!(out, "histories are played for 4 to 8 members")?;
        return Ok(false);
    }
    let cast = Arc::new(Cast::new(members, 2).map_err(io::Error::other)?);
    // One colluder, and as many drop-outs as that leaves room for.
    let cohort = u16::try_from(members).map_err(io::Error::other)?;
    let setting = (1..=cohort)
        .map(|minimum| Setting::new(cohort, 1, minimum))
        .find(|setting| setting.parameters().is_ok())
        .ok_or_else(|| io::Error::other("no such round"))?;
    let bounds = Bounds::of(&setting).map_err(io::Error::other)?;
    let (total, next) = (histories::count(members), AtomicU64::new(0));
    let (ended, wrong) = (
        Mutex::new(BTreeMap::<&'static str, u64>::new()),
        Mutex::new(Vec::new()),
    );
    let started = Instant::now();
    let complain = |text: String| wrong.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    std::thread::scope(|scope| {
        for _ in 0..command.threads() {
            scope.spawn(|| {
                loop {
                    let first = next.fetch_add(BATCH, Ordering::Relaxed);
                    if first >= total {
                        return;
                    }
                    let mut world = match Histories::new(cast.clone(), setting.clone(), first) {
                        Ok(world) => world,
                        Err(error) => return complain(error.to_string()),
                    };
                    for number in first..(first + BATCH).min(total) {
                        match world.run(number) {
                            Ok(Ok(ending)) => {
                                let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
                                *ended.entry(ending.name()).or_insert(0) += 1;
                            }
                            Ok(Err(text)) => complain(text),
                            Err(error) => return complain(error.to_string()),
                        }
                    }
                    if let Err(text) = world.verify() {
                        complain(format!("the ledger of histories from {first} on: {text}"));
                    }
                }
            });
        }
    });
    let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut wrong = wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
    let expected = histories::expected(members, &bounds);
    if wrong.is_empty() && ended != expected {
        wrong.push(format!("expected {expected:?}"));
    }
    let (
        seconds,
        Bounds {
            minimum,
            threshold,
            quorum,
        },
    ) = (started.elapsed().as_secs_f64(), bounds);
    let passed = ended.values().sum::<u64>();
    let failed = total.saturating_sub(passed).max(wrong.len() as u64);
    if command.json() {
        let report = json!({
            "members": members, "m": minimum, "t": threshold, "q": quorum, "histories": total, "ended": ended,
            "wrong": wrong, "seconds": seconds,
        });
        writeln!(out, "{report}")?;
        return Ok(wrong.is_empty());
    }
    for text in wrong.iter().take(20) {
        writeln!(out, "{text}")?;
    }
    writeln!(
        out,
        "n = {members}, c = 1, m = {minimum}, t = {threshold}, Q = {quorum}: {total} histories in {seconds:.1} s"
    )?;
    for (ending, count) in &ended {
        let must = expected.get(ending).copied().unwrap_or(0);
        writeln!(out, "  {count:>6} ended as {ending}, {must} had to")?;
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(wrong.is_empty())
}
