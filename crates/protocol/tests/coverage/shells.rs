//! Section 3 of the limits, row by row, beside the constants that decide.

use std::collections::BTreeSet;
use std::fs;

use super::{root, sources};

const LIMITS: &str = include_str!("../../../../protocol-spec/08-limits.md");

/// What a row of 08 section 3 says, and the constant that decides it: its file, name and value.
const SHELLS: [(&str, &str, &str, &str, &str); 19] = [
    (
        "time for the first hello",
        "10 s",
        "server/src/lobby.rs",
        "HELLO",
        "std::time::Duration::from_secs(10)",
    ),
    (
        "malformed messages before a connection is closed",
        "16",
        "server/src/lobby.rs",
        "MAX_STRIKES",
        "16",
    ),
    (
        "frames queued for a slow reader before it is dropped",
        "4 MiB, parts of the model apart: those are shared",
        "server/src/lobby.rs",
        "MAX_QUEUED",
        "4 << 20",
    ),
    (
        "`roster`, `sharers` and `reveal request` messages made and not yet handed to QUIC",
        "32; each is made when its reader has taken all before it, and is read as fast as frames must come, or the reader is dropped",
        "server/src/gate.rs",
        "TURNS",
        "32",
    ),
    (
        "messages coming in, from their first byte until the round's driver is done with them",
        "16 MiB in all, 2,048 whole ones; a first part takes the room of its whole message",
        "server/src/server.rs",
        "EVENT_QUEUE",
        "2048",
    ),
    (
        "messages coming in, from their first byte until the round's driver is done with them",
        "16 MiB in all, 2,048 whole ones; a first part takes the room of its whole message",
        "server/src/gate.rs",
        "WAITING",
        "16 << 20",
    ),
    (
        "silence between two parts of a message",
        "30 s",
        "server/src/gate.rs",
        "UPLOAD_GRACE",
        "Duration::from_secs(30)",
    ),
    (
        "uploads in flight before others are held up",
        "32, as configured",
        "server/src/config.rs",
        "UPLOADS_IN_FLIGHT",
        "32",
    ),
    (
        "silence between two frames of an upload",
        "30 s; over the whole upload 30 s, and one more for each 16,384 bytes",
        "server/src/gate.rs",
        "UPLOAD_GRACE",
        "Duration::from_secs(30)",
    ),
    (
        "bytes of one model part",
        "131,072",
        "server/src/lobby.rs",
        "MODEL_PART",
        "128 * 1024",
    ),
    (
        "attempts at a round",
        "3, as configured",
        "server/src/config.rs",
        "ATTEMPTS",
        "3",
    ),
    (
        "suspect pairs of a round in the log",
        "64, then how many more",
        "server/src/suspects.rs",
        "MAX_LISTED",
        "64",
    ),
    (
        "longest model taken",
        "4 x `MAX_DIMENSION` + 65,536 bytes",
        "client/src/round.rs",
        "MAX_MODEL",
        "4 * tacita_protocol::limits::MAX_DIMENSION as u64 + (1 << 16)",
    ),
    (
        "patience beyond a phase's deadline",
        "30 s; before `roster`, parts of the model, `sharers`, `reveal request` and `signers` also the deadline of the phase that follows",
        "client/src/round.rs",
        "SLACK",
        "Duration::from_secs(30)",
    ),
    (
        "certificates kept",
        "16,384, then the shelf is emptied",
        "protocol/src/certificates.rs",
        "MAX_KEPT",
        "16_384",
    ),
    (
        "attempts whose signed lists are kept",
        "256, completed or not; each costs the client a charge, so that a server cannot push them out for nothing",
        "client/src/record/lists.rs",
        "KEPT_ATTEMPTS",
        "256",
    ),
    (
        "another participant's signed lists, to compare",
        "16 MiB; 256 attempts in cohorts of 10,000 take less",
        "cli/src/commands/client/lists.rs",
        "MAX_FILE",
        "16 << 20",
    ),
    (
        "reconnects, inside a round too",
        "after 50 ms, doubling to 5 s, with jitter",
        "client/src/link.rs",
        "FIRST_RECONNECT",
        "Duration::from_millis(50)",
    ),
    (
        "reconnects, inside a round too",
        "after 50 ms, doubling to 5 s, with jitter",
        "client/src/link.rs",
        "SLOWEST_RECONNECT",
        "Duration::from_secs(5)",
    ),
];

/// The value of a constant, as its one line in a file of `crates` says it; the same crate must use it besides.
fn constant(file: &str, name: &str) -> String {
    let text = fs::read_to_string(root().join("crates").join(file)).unwrap();
    let lines = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = ["pub(crate) ", "pub "]
            .iter()
            .find_map(|public| line.strip_prefix(public))
            .unwrap_or(line);
        let (_, value) = line.strip_prefix(&format!("const {name}: "))?.split_once(" = ")?;
        value.strip_suffix(';').map(str::to_owned)
    });
    let mut lines: Vec<String> = lines.collect();
    assert_eq!(lines.len(), 1, "{file}: {name}");
    let room = file.split_once("/src/").unwrap().0;
    let times: usize = sources(&format!("crates/{room}/src"))
        .iter()
        .flat_map(|(_, text)| text.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| *word == name)
        .count();
    assert!(times > 1, "{file}: nothing there uses {name}");
    lines.remove(0)
}

/// Rows that say no number of their own.
const OPERATORS: [&str; 1] = ["uploads of lost connections kept on disk"];

#[test]
fn limits_of_the_shells_are_those_of_the_page() {
    let table = LIMITS.split("\n## 3. ").nth(1).unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| server |") || line.starts_with("| client |"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    for (what, value, file, name, number) in SHELLS {
        let row = rows
            .iter()
            .find(|row| row[2] == what)
            .unwrap_or_else(|| panic!("no row '{what}'"));
        assert_eq!(row[3], value, "{what}");
        assert_eq!(constant(file, name), number, "{what}: {name} of {file}");
    }
    // The remaining rows follow from others.
    let covered: BTreeSet<&str> = SHELLS.iter().map(|(what, ..)| *what).collect();
    for row in rows.iter().filter(|row| !covered.contains(row[2])) {
        assert!(OPERATORS.contains(&row[2]), "nothing decides '{}'", row[2]);
    }
    assert_eq!(rows.len(), covered.len() + OPERATORS.len());
}
