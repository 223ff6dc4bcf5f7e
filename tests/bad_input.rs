//! What people get wrong, and what the world does to them: each ends in one line on standard error that says what to do, an exit
//! code that is not 0, and state as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

mod federation;
mod running;

#[path = "bad_input/certificates.rs"]
mod certificates;
#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/data.rs"]
mod data;
#[path = "bad_input/invitations.rs"]
mod invitations;
#[path = "bad_input/network.rs"]
mod network;
#[path = "bad_input/policy.rs"]
mod policy;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use running::Ran;

/// The one line that says what is wrong: the last one, behind what was logged before.
fn complaint(code: i32, ran: &Ran) -> &str {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    let lines: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(lines.len(), 1, "one line: {}", ran.stderr);
    assert_eq!(
        ran.stderr.lines().last(),
        Some(lines[0]),
        "the last one: {}",
        ran.stderr
    );
    assert!(
        !lines[0].contains("panicked") && lines[0].len() < 600,
        "{}",
        lines[0]
    );
    lines[0]
}

/// The complaint, which names all of these.
fn says(code: i32, ran: &Ran, words: &[&str]) {
    let line = complaint(code, ran);
    for word in words {
        assert!(line.contains(word), "no {word:?} in: {line}");
    }
}

/// Bytes of all files below a directory, but for those that a database makes and removes as it is opened.
fn files_below(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap().to_owned();
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with("enrolment.json") {
                let mut bytes = fs::read(&path).unwrap();
                // A newer deny list may have come meanwhile, whatever else went wrong.
                if let Ok(serde_json::Value::Object(mut stored)) = serde_json::from_slice(&bytes) {
                    stored.remove("deny_list");
                    bytes = serde_json::to_vec(&stored).unwrap();
                }
                found.insert(name, bytes);
            } else if !name.contains("sqlite") && !name.contains("authority.db") {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}
