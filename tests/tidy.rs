//! Rules of the house that the compiler does not know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Longest file of code.
const MAX_LINES: usize = 500;
/// Names that say nothing about what is inside.
const VAGUE: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "stuff",
];
/// Who may call functions whose name starts with `dangerous_`: beginnings of paths.
const DANGEROUS: [&str; 6] = [
    "crates/privacy/",
    "crates/protocol/src/mask.rs",
    "crates/protocol/tests/",
    "crates/sim/",
    "crates/cli/src/commands/demo",
    // Masks cancel in the sum that it compares with a central one.
    "benches/examples/accuracy.rs",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Relative paths of the files that belong to the repository, or will; without git, of all but build output.
fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let mut files: Vec<String> = match listed {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
            text.split('\0')
                .filter(|path| !path.is_empty())
                .map(str::to_owned)
                .collect()
        }
        _ => walk(),
    };
    // Listed and deleted: not there to be read.
    files.retain(|path| root().join(path).is_file());
    assert!(
        files.iter().any(|path| path == "tests/tidy.rs"),
        "the list of files is broken"
    );
    files
}

fn walk() -> Vec<String> {
    let (root, mut found) = (root(), Vec::new());
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(&root)
                .expect("below the root")
                .to_str()
                .expect("UTF-8")
                .to_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                open.push(path);
            } else if path.is_file() {
                found.push(name);
            }
        }
    }
    found
}

/// Path and text of the tracked files with this ending.
fn texts(ending: &str) -> Vec<(String, String)> {
    let of = |path: String| {
        fs::read_to_string(root().join(&path))
            .ok()
            .map(|text| (path, text))
    };
    files()
        .into_iter()
        .filter(|path| path.ends_with(ending))
        .filter_map(of)
        .collect()
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for (path, text) in texts(".rs") {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            wrong.push(format!("{path}: {lines} lines, more than {MAX_LINES}"));
        }
    }
    none(&wrong);
}

#[test]
fn names_say_what_is_inside() {
    let mut wrong = Vec::new();
    for path in files() {
        let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        for part in parts.filter(|part| VAGUE.contains(part)) {
            wrong.push(format!("{path}: {part}"));
        }
    }
    for (path, text) in texts(".rs") {
        for (number, line) in (1..).zip(text.lines()) {
            let words = line
                .trim_start()
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub ");
            let Some(name) = words.strip_prefix("mod ").or_else(|| words.strip_prefix("fn ")) else {
                continue;
            };
            let name = name
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            if VAGUE.contains(&name) {
                wrong.push(format!("{path}:{number}: {name}"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn dangerous_functions_are_called_where_it_was_thought_about() {
    let mut wrong = Vec::new();
    for (path, text) in texts(".rs") {
        if path == "tests/tidy.rs" || DANGEROUS.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.trim_start();
            let mentioned = code.contains("dangerous_") && !code.starts_with("//");
            if mentioned && !code.starts_with("use ") {
                wrong.push(format!("{path}:{number}: {code}"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn no_paths_of_one_machine() {
    // Put together here, so that this file passes its own test.
    let places = ["root", "work", "home/ubuntu", "Users"].map(|place| format!("/{place}/"));
    let mut wrong = Vec::new();
    for (path, text) in texts("") {
        for (number, line) in (1..).zip(text.lines()) {
            // A path starts after something that cannot be part of one.
            for at in places
                .iter()
                .flat_map(|place| line.match_indices(place.as_str()))
                .map(|(at, _)| at)
            {
                let before = line.get(..at).and_then(|before| before.chars().next_back());
                if !before.is_some_and(|c| c.is_alphanumeric() || "._-}/".contains(c)) {
                    wrong.push(format!("{path}:{number}: {}", line.trim()));
                }
            }
        }
    }
    none(&wrong);
}
