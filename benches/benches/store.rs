//! Durable commits a second, alone and grouped.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::time::{Duration, Instant};

use criterion::Criterion;
use tacita_benches::Effort;
use tacita_store::{Batch, Sharing, SqliteStore, Stats, Store as _};

/// Callers at a time.
const CALLERS: [usize; 3] = [1, 16, 64];

/// What a client commits before its upload, without the masked bytes.
fn batch(key: String) -> Batch {
    let mut batch = Batch::new();
    batch
        .insert_new("spent", key.clone(), "")
        .put("charge", key, vec![7; 300]);
    batch
}

/// What the store did in `time` for that many callers.
fn committed(callers: usize, time: Duration) -> (Stats, f64) {
    let place = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(place.path().join("commits"), Sharing::Exclusive).unwrap();
    let before = store.stats();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for caller in 0..callers {
            let store = &store;
            scope.spawn(move || {
                for i in 0_u32.. {
                    if start.elapsed() > time {
                        break;
                    }
                    store.commit(batch(format!("{caller}/{i}"))).unwrap();
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    let mut stats = store.stats();
    stats.batches -= before.batches;
    stats.transactions -= before.transactions;
    (stats, seconds)
}

/// The floor: as many bytes appended to a file and synchronised, a second.
fn bare(time: Duration) -> f64 {
    use std::io::Write as _;
    let mut file = tempfile::tempfile().unwrap();
    let (start, mut times) = (Instant::now(), 0u32);
    while start.elapsed() < time {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        times += 1;
    }
    f64::from(times) / start.elapsed().as_secs_f64()
}

fn report(effort: Effort) {
    let (laps, time) = match effort {
        Effort::Full => (5, Duration::from_millis(1200)),
        _ => (2, Duration::from_millis(500)),
    };
    println!("\ndurable batches a second, {laps} laps of {time:?} each");
    println!(
        "    {:<28} {:>9} {:>9} {:>9} {:>24}",
        "", "best", "median", "worst", "transactions at the best"
    );
    let sorted = |mut rates: Vec<(f64, f64)>| {
        rates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        rates
    };
    let line = |name: String, rates: Vec<(f64, f64)>| {
        let rates = sorted(rates);
        let at = |i: usize| rates.get(i).copied().unwrap_or((f64::NAN, f64::NAN));
        let ((best, transactions), (median, _), (worst, _)) =
            (at(0), at(rates.len() / 2), at(rates.len() - 1));
        println!("    {name:<28} {best:>9.0} {median:>9.0} {worst:>9.0} {transactions:>24.0}");
    };
    let bare: Vec<(f64, f64)> = (0..laps)
        .map(|_| bare(time / 2))
        .map(|rate| (rate, rate))
        .collect();
    line("bare: 4 KiB and fdatasync".to_owned(), bare);
    for callers in CALLERS {
        let rates = (0..laps)
            .map(|_| {
                let (stats, seconds) = committed(callers, time);
                (
                    stats.batches as f64 / seconds,
                    stats.transactions as f64 / seconds,
                )
            })
            .collect();
        line(format!("{callers} callers"), rates);
    }
}

fn groups(criterion: &mut Criterion) {
    let place = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(place.path().join("commits"), Sharing::Exclusive).unwrap();
    let mut number = 0u64;
    criterion.bench_function("one durable commit, one caller", |b| {
        b.iter(|| {
            number += 1;
            store.commit(batch(number.to_string())).unwrap();
        });
    });
}

fn main() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        report(effort);
    }
}
