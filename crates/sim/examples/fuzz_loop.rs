//! Throws mutations of the corpora at every target, where there is no libFuzzer:
//! `cargo run --release -p tacita-sim --example fuzz_loop -- SECONDS [SEED]`. Seconds are those of all targets together. A
//! finding ends it with the target's name and the input, which is written to `fuzz-finding` in the temporary folder.
#![allow(clippy::print_stdout)] // It says how far it came.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use tacita_sim::fuzzing::{Mutator, TARGETS};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().unwrap_or_else(|| "60".to_owned()).parse()?;
    let seed: u64 = arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?;
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
    let each = Duration::from_secs_f64(seconds / TARGETS.len() as f64);
    for target in TARGETS {
        let mut files: Vec<_> = fs::read_dir(corpora.join(target.name))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_, std::io::Error>>()?;
        // The order of a folder is not the same everywhere; a seed should be.
        files.sort();
        let corpus = files.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?;
        let mut mutator = Mutator::new(seed);
        let (started, mut runs, mut accepted, mut slowest) = (Instant::now(), 0u64, 0u64, Duration::ZERO);
        while started.elapsed() < each {
            let input = mutator.next(&corpus);
            let since = Instant::now();
            match catch_unwind(AssertUnwindSafe(|| (target.run)(&input))) {
                Ok(taken) => accepted += u64::from(taken),
                Err(_) => {
                    let path = std::env::temp_dir().join("fuzz-finding");
                    fs::write(&path, &input)?;
                    return Err(
                        format!("{}: {} bytes in {}", target.name, input.len(), path.display()).into(),
                    );
                }
            }
            slowest = slowest.max(since.elapsed());
            runs += 1;
        }
        let rate = runs as f64 / started.elapsed().as_secs_f64();
        println!(
            "{:<15} {runs:>9} runs, {rate:>8.0} /s, {accepted:>8} accepted, slowest {slowest:?}",
            target.name
        );
    }
    Ok(())
}
