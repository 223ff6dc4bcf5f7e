//! A process killed with SIGKILL while it commits: everything it was told is durable is there afterwards.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tacita_store::{Batch, Sharing, SqliteStore, Store};

const STATE: &str = "TACITA_STORE_TEST_STATE";

/// Not a test of its own: the process that gets killed. Without the variable it does nothing.
#[test]
fn victim() {
    let Ok(path) = std::env::var(STATE) else { return };
    let store = SqliteStore::open(path, Sharing::Exclusive).unwrap();
    let known = store.scan("count", b"").unwrap().len() as u64;
    for i in known.. {
        let mut batch = Batch::new();
        batch
            .insert_new("count", i.to_be_bytes(), vec![i as u8; 500])
            .put("last", "", i.to_be_bytes());
        store.commit(batch).unwrap();
        println!("\ncommitted {i}");
    }
}

#[test]
fn acknowledged_batches_survive_sigkill() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("state");
    let mut promised = 0;
    for kill_after in [1, 7, 40, 3, 90, 20] {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture"])
            .env(STATE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(victim.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let mut seen = 0;
        for line in lines {
            let Some(number) = line.strip_prefix("committed ") else {
                continue;
            };
            promised = number.parse::<u64>().unwrap();
            seen += 1;
            if seen == kill_after {
                // What was printed before the kill arrives is read as well.
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();

        let store = SqliteStore::open(&path, Sharing::Exclusive).unwrap();
        let found = store.scan("count", b"").unwrap();
        assert!(
            found.len() as u64 > promised,
            "promised {promised}, found {}",
            found.len()
        );
        assert!(
            found.len() as u64 <= promised + 2,
            "one batch at most was on its way"
        );
        // Both halves of each batch: the last number belongs to the last key.
        let last = store.get("last", b"").unwrap().unwrap();
        assert_eq!(last, found.last().unwrap().0);
        store.verify().unwrap();
    }
}
