//! How long the auditor takes: `cargo run --release -p tacita-ledger --example verify_speed [-- ENTRIES [FOLDER]]`.
//!
//! Rounds of three entries as the server writes them, in memory; reading files comes on top. With FOLDER they are written there, with
//! the key in `FOLDER.vkey`, for `tacita ledger verify` and `report`. Prints the best of five, for
//! 10,000 entries unless told otherwise. The promise is below two seconds on one shared core.
#![allow(clippy::print_stdout, reason = "this is its output")]

use std::error::Error;
use std::time::Instant;

use ed25519_dalek::SigningKey;
use tacita_ledger::entry::{Adjacency, Mechanism, Unit};
use tacita_ledger::{
    Charge, Entry, KeyType, Log, Manifest, MemoryFiles, Outcome, VerifierKey, statement_digest, verify,
};

fn digest(kind: u8, round: u64) -> [u8; 32] {
    let mut bytes = [kind; 32];
    for (byte, value) in bytes.iter_mut().zip(round.to_be_bytes()) {
        *byte = value;
    }
    bytes
}

/// A round of 500 clients, all of which survive.
fn round(round: u64) -> [Entry; 3] {
    let hexed = |kind| hex::encode(digest(kind, round));
    let survivors = vec![0xff; 62].into_iter().chain([0x0f]).collect::<Vec<u8>>();
    let (manifest, roster, sharers) = (digest(2, round), digest(4, round), digest(5, round));
    [
        Entry::Manifest(Manifest {
            task: "digits".to_owned(),
            round,
            round_id: hexed(1),
            manifest_digest: hexed(2),
            time: round,
            cohort: 500,
            colluders: 25,
            minimum_survivors: 475,
            neighbours: 54,
            threshold: 40,
            quorum: 263,
            bits: 19,
            dimension: 650,
            padded: 1024,
            clip: "1".to_owned(),
            grid: 256,
            mechanism: Mechanism::Skellam,
            // `tacita privacy calibrate --clients 500 --minimum-survivors 475 --colluders 25 --rounds 5000 --dimension 650 --epsilon 8 --delta 1e-5`.
            share_variance_q16: "19588017737".to_owned(),
            noise_levels: None,
            update_clip: None,
            metrics: None,
            clip_rule: None,
            count_scale: None,
            unit: Unit::Client,
            adjacency: Adjacency::ZeroOut,
            sampling: None,
            largest_records: None,
            budget_epsilon: Some("8".to_owned()),
            budget_delta: Some("0.00001".to_owned()),
            planned_rounds: 5_000,
            model_digest: hexed(3),
        }),
        Entry::Charge(Charge {
            task: "digits".to_owned(),
            round,
            round_id: hexed(1),
            time: round,
            manifest_digest: hexed(2),
            roster_root: hexed(4),
            sharers_digest: hexed(5),
            roster_size: 500,
            survivors: hex::encode(&survivors),
            statement: hex::encode(statement_digest(&manifest, &roster, &sharers, 500, &survivors)),
            survivor_count: 500,
            uploads_root: hexed(6),
        }),
        Entry::Outcome(Outcome {
            round_id: hexed(1),
            round,
            time: round,
            survivor_count: 500,
            responders: 500,
            noise_variance_q16: "9794008868500".to_owned(),
            sum_digest: hexed(7),
            model_digest: hexed(8),
            accuracy: Some("0.75".to_owned()),
            loss: Some("0.5".to_owned()),
            federated_accuracy: None,
            federated_loss: None,
            federated_error: None,
            within_clip: None,
            epsilon_server: None,
            epsilon_public: None,
        }),
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let size: usize = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse())?;
    let key = SigningKey::from_bytes(&[42; 32]);
    let vkey = VerifierKey::new("tacita.example/ledger", KeyType::Ed25519, key.verifying_key())?;
    let mut log = Log::create("tacita.example/ledger")?;
    for entry in (1..).flat_map(round).take(size) {
        log.append(&entry)?;
    }
    let mut files = MemoryFiles::new();
    files.apply_all(&log.publish(&key)?);
    let bytes: usize = files.contents().values().map(Vec::len).sum();
    if let Some(folder) = std::env::args().nth(2) {
        for (path, contents) in files.contents() {
            let path = std::path::Path::new(&folder).join(path);
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, contents)?;
        }
        std::fs::write(format!("{folder}.vkey"), format!("{vkey}\n"))?;
    }
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let verified = verify(&files, Some(&vkey))?;
        best = best.min(start.elapsed().as_secs_f64());
        if verified.entries.len() != size {
            return Err("entries are missing".into());
        }
    }
    println!(
        "{size} entries, {} files, {:.1} MB: verified in {best:.3} s (best of five)",
        files.contents().len(),
        bytes as f64 / 1e6
    );
    Ok(())
}
