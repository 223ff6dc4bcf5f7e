//! Durable commits a second, alone and grouped: `cargo run --release -p tacita-store --example commits [directory]`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tacita_store::{Batch, Sharing, SqliteStore, Store};

fn main() {
    let directory = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let path = directory.join(format!("tacita-commits-{}", std::process::id()));
    for threads in [1, 4, 16, 64, 256] {
        let store = SqliteStore::open(&path, Sharing::Exclusive).unwrap();
        let began = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let store = &store;
                scope.spawn(move || {
                    for i in 0_u32.. {
                        if began.elapsed() > Duration::from_secs(2) {
                            break;
                        }
                        let mut batch = Batch::new();
                        let key = format!("{threads}/{thread}/{i}");
                        batch
                            .insert_new("spent", key.clone(), "")
                            .put("charge", key, vec![7; 300]);
                        store.commit(batch).unwrap();
                    }
                });
            }
        });
        let (seconds, stats) = (began.elapsed().as_secs_f64(), store.stats());
        println!(
            "{threads:4} callers: {:7.0} commits a second in {:5.0} transactions a second",
            stats.batches as f64 / seconds,
            stats.transactions as f64 / seconds
        );
    }
    for suffix in ["", ".lock"] {
        let _ = std::fs::remove_file(directory.join(format!("{}{suffix}", path.display())));
    }
}
