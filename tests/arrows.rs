//! Which crate may use which: the table of ARCHITECTURE.md, as it is checked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PURE: [&str; 5] = ["algebra", "ledger", "identity", "privacy", "protocol"];

/// Crate, and the crates it may use. Lowest first; what is not in a row is not allowed.
const TABLE: [(&str, &[&str]); 13] = [
    ("algebra", &[]),
    ("ledger", &[]),
    ("identity", &[]),
    ("store", &[]),
    ("privacy", &["algebra"]),
    ("protocol", &["algebra", "privacy", "identity", "ledger"]),
    ("learn", &["privacy"]),
    ("transport", &["protocol", "identity"]),
    ("authority", &["identity", "transport", "store", "ledger"]),
    (
        "client",
        &[
            "algebra",
            "ledger",
            "identity",
            "store",
            "privacy",
            "protocol",
            "learn",
            "transport",
        ],
    ),
    (
        "server",
        &[
            "algebra",
            "ledger",
            "identity",
            "store",
            "privacy",
            "protocol",
            "learn",
            "transport",
        ],
    ),
    (
        "cli",
        &[
            "client",
            "server",
            "authority",
            "ledger",
            "identity",
            "privacy",
            "learn",
        ],
    ),
    (
        "sim",
        &["algebra", "ledger", "identity", "privacy", "protocol", "store"],
    ),
];

/// What no pure crate may reach: run times, sockets, databases, training. `rand` and `getrandom` would be randomness
/// of the operating system.
const FORBIDDEN: [&str; 8] = [
    "tokio",
    "quinn",
    "quinn-proto",
    "rusqlite",
    "burn",
    "mio",
    "socket2",
    "async-std",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Normal dependencies of each crate of the workspace, by package name.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"].as_array().expect("dependencies");
            let normal = uses
                .iter()
                // `kind` is null for a normal dependency; build dependencies run on our machines too.
                .filter(|one| one["kind"] != "dev")
                .map(|one| one["name"].as_str().expect("name").to_owned())
                .collect();
            (package["name"].as_str().expect("name").to_owned(), normal)
        })
        .collect()
}

fn short(package: &str) -> Option<&str> {
    package.strip_prefix("tacita-")
}

#[test]
fn crates_use_only_what_their_row_names() {
    let mut wrong = Vec::new();
    let dependencies = dependencies();
    for (package, uses) in &dependencies {
        let name = short(package).unwrap_or(package);
        if name == "benches" {
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(row, _)| *row == name) else {
            wrong.push(format!("{name} has no row in the table"));
            continue;
        };
        for used in uses.iter().filter_map(|used| short(used)) {
            if !allowed.contains(&used) {
                wrong.push(format!("{name} -> {used}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that the table does not have: {wrong:#?}"
    );
    for (row, _) in TABLE {
        assert!(
            dependencies.contains_key(&format!("tacita-{row}")),
            "the table has a row for {row}, which is gone"
        );
    }
}

/// Nothing below is used by anything above it, so the table itself has no cycle.
#[test]
fn the_table_goes_one_way() {
    for (row, (name, uses)) in TABLE.iter().enumerate() {
        for used in *uses {
            let at = TABLE.iter().position(|(other, _)| other == used);
            assert!(at.is_some_and(|at| at < row), "{name} -> {used}");
        }
    }
}

/// Dependencies of every package that is locked, by name; versions of one name are taken together.
fn locked() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock");
    let lock: toml::Table = text.parse().expect("TOML");
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in lock["package"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name").to_owned();
        let uses = package.get("dependencies").and_then(|list| list.as_array());
        let uses = uses
            .into_iter()
            .flatten()
            .filter_map(|one| one.as_str()?.split(' ').next());
        packages.entry(name).or_default().extend(uses.map(str::to_owned));
    }
    packages
}

#[test]
fn pure_crates_reach_no_run_time_socket_database_or_training() {
    let (workspace, locked) = (dependencies(), locked());
    for name in PURE {
        let package = format!("tacita-{name}");
        // How each package was reached, for the message.
        let mut from: BTreeMap<String, String> = BTreeMap::new();
        let mut open = vec![package.clone()];
        while let Some(next) = open.pop() {
            // The lock file mixes in dev-dependencies of our own crates; cargo's metadata tells them apart.
            let uses = workspace.get(&next).or_else(|| locked.get(&next));
            for used in uses.into_iter().flatten() {
                if used != &package && !from.contains_key(used) {
                    from.insert(used.clone(), next.clone());
                    open.push(used.clone());
                }
            }
        }
        assert!(!from.is_empty(), "{name} uses nothing: the walk is broken");
        for forbidden in FORBIDDEN {
            if let Some(last) = from.get(forbidden) {
                panic!("{name} reaches {forbidden} through {last}");
            }
        }
    }
}
