//! Many seeds on all cores, or one with its history.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tacita_sim::Cast;
use tacita_sim::faults::{Chance, LARGEST, SeedPlan, Verdict, run_plan};

use super::Command;

/// Lines of history shown with a failure.
const TAIL: usize = 30;
/// Failures shown whole.
const SHOWN: usize = 10;

/// The cast that all worlds share: keys and certificates are not free.
pub(super) fn cast() -> io::Result<Arc<Cast>> {
    Cast::new(LARGEST, 1).map(Arc::new).map_err(io::Error::other)
}

fn plan(command: &Command, seed: u64) -> SeedPlan {
    SeedPlan::draw(seed, &mut Chance::new(seed).part("plan")).with_mutant(command.mutant())
}

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: Vec<Verdict>,
    sums: u64,
    aborts: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<String, u64>,
    simulated: u64,
    events: u64,
    recoveries: Vec<u64>,
}

impl Tally {
    fn add(&mut self, verdict: Verdict) {
        self.sums += verdict.sums;
        self.simulated += verdict.time;
        self.events += verdict.events;
        self.recoveries.extend(verdict.recovery);
        for (reason, count) in &verdict.aborts {
            *self.aborts.entry(reason).or_insert(0) += count;
        }
        for (rule, count) in &verdict.refusals {
            *self.refusals.entry(rule.clone()).or_insert(0) += count;
        }
        if verdict.violations.is_empty() {
            self.passed += 1;
        } else {
            self.failed.push(verdict);
        }
    }
}

/// Plays a range of seeds; whether all passed.
pub(super) fn many(command: &Command, range: Range<u64>, out: &mut impl Write) -> io::Result<bool> {
    let cast = cast()?;
    let started = Instant::now();
    let next = AtomicU64::new(range.start);
    let tally = Mutex::new(Tally::default());
    let bar = if io::stderr().is_terminal() {
        ProgressBar::new(range.end - range.start)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left {msg}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    std::thread::scope(|scope| {
        for _ in 0..command.threads() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= range.end {
                        return;
                    }
                    let verdict = run_plan(&cast, &plan(command, seed), false);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.add(verdict);
                    bar.inc(1);
                    if !tally.failed.is_empty() {
                        bar.set_message(format!("({} failed)", tally.failed.len()));
                    }
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.failed.sort_by_key(|verdict| verdict.seed);
    let seconds = started.elapsed().as_secs_f64();
    if command.json() {
        let failed: Vec<_> = tally
            .failed
            .iter()
            .map(|verdict| {
                let violations: Vec<String> = verdict.violations.iter().map(ToString::to_string).collect();
                json!({"seed": verdict.seed, "violations": violations})
            })
            .collect();
        let report = json!({
            "seeds": [range.start, range.end], "passed": tally.passed, "failed": failed, "seconds": seconds,
            "sums": tally.sums, "aborts": tally.aborts, "refusals": tally.refusals,
            "longest_recovery_ms": tally.recoveries.iter().max(), "simulated_ms": tally.simulated, "events": tally.events,
        });
        writeln!(out, "{report}")?;
        return Ok(tally.failed.is_empty());
    }
    for verdict in tally.failed.iter().take(SHOWN) {
        show(command, &cast, verdict, out)?;
    }
    let rest: Vec<u64> = tally
        .failed
        .iter()
        .skip(SHOWN)
        .map(|verdict| verdict.seed)
        .collect();
    if !rest.is_empty() {
        writeln!(out, "also failed: {rest:?}")?;
    }
    writeln!(out, "{} exact sums; aborts: {}", tally.sums, list(&tally.aborts))?;
    writeln!(out, "refusals: {}", list(&tally.refusals))?;
    tally.recoveries.sort_unstable();
    let at = |part: usize| tally.recoveries.get(tally.recoveries.len() * part / 100);
    if let (Some(half), Some(most), Some(last)) = (at(50), at(99), tally.recoveries.last()) {
        writeln!(
            out,
            "a round completed {half} ms after the last fault in half of the seeds, {most} in 99 %, {last} at most"
        )?;
    }
    let (seeds, minutes) = (range.end - range.start, tally.simulated / 60_000);
    writeln!(
        out,
        "{seeds} seeds in {seconds:.1} s ({:.1} a second), {minutes} simulated minutes, {} events",
        seeds as f64 / seconds,
        tally.events,
    )?;
    writeln!(out, "{} passed, {} failed", tally.passed, tally.failed.len())?;
    Ok(tally.failed.is_empty())
}

fn list<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    parts.join(", ")
}

/// A failure, and the end of its history, which is played again for that.
fn show(command: &Command, cast: &Arc<Cast>, verdict: &Verdict, out: &mut impl Write) -> io::Result<()> {
    let plan = plan(command, verdict.seed);
    writeln!(out, "seed {} FAILED", verdict.seed)?;
    writeln!(out, "  {}", describe(&plan))?;
    for violation in verdict.violations.iter().take(5) {
        writeln!(out, "  {violation}")?;
    }
    let again = run_plan(cast, &plan, true);
    let at = again.history.iter().position(|line| line.contains("!!"));
    let end = at.map_or(again.history.len(), |at| at + 1);
    for line in again.history.iter().take(end).skip(end.saturating_sub(TAIL)) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)
}

fn describe(plan: &SeedPlan) -> String {
    format!(
        "n {} c {} m {} of {} members; {:?}; disks {:?}; crash {}; server {:?}; villains {:?}",
        plan.setting.cohort,
        plan.setting.colluders,
        plan.setting.minimum_survivors,
        plan.members,
        plan.network,
        plan.disk,
        plan.crash,
        plan.server,
        plan.villains,
    )
}

/// Plays one seed; whether it passed.
pub(super) fn one(command: &Command, seed: u64, out: &mut impl Write) -> io::Result<bool> {
    let cast = cast()?;
    let plan = plan(command, seed);
    let verdict = run_plan(&cast, &plan, command.trace());
    writeln!(out, "{}", describe(&plan))?;
    for line in &verdict.history {
        writeln!(out, "{line}")?;
    }
    for violation in &verdict.violations {
        writeln!(out, "{violation}")?;
    }
    writeln!(
        out,
        "{} exact sums in {} ms; aborts: {}; refusals: {}",
        verdict.sums,
        verdict.time,
        list(&verdict.aborts),
        list(&verdict.refusals)
    )?;
    let passed = verdict.violations.is_empty();
    writeln!(out, "{} passed, {} failed", u8::from(passed), u8::from(!passed))?;
    Ok(passed)
}
