//! Rules, reasons and limits of the pages that the compiler cannot tie to tests: each rule of 02 section 7 is checked by code
//! and asserted by a test, every reason to refuse is produced by one, every pitfall of 01 section 5 is attacked, and the
//! limits of the shells in 08 section 3 are those of the code.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed assumption is a failed test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const THREATS: &str = include_str!("../../../protocol-spec/01-threat-model.md");
const ROUND: &str = include_str!("../../../protocol-spec/02-round.md");
const LIMITS: &str = include_str!("../../../protocol-spec/08-limits.md");
const REASONS: &str = include_str!("../src/refusal.rs");

/// Reasons that no test of a round can produce, and why.
const UNPRODUCED: [(&str, &str); 2] = [
    (
        "Abort::Implausible",
        "the text that the shell puts before privacy's DecodeError::Implausible, which crates/privacy/tests/pipeline.rs asserts",
    ),
    (
        "Abort::Stopped",
        "what a simulated machine says whose round never ended; a shell that stops says so itself",
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Path below the root and text of every Rust file in `folder`.
fn sources(folder: &str) -> Vec<(String, String)> {
    let (root, mut open, mut found) = (root(), vec![root().join(folder)], Vec::new());
    while let Some(path) = open.pop() {
        let name = path
            .strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if name.ends_with(".rs") {
            found.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

/// What no product runs and what asserts nothing: examples, and how vectors are driven through the code, which names
/// refusals of its own.
fn is_apart(path: &str) -> bool {
    path.contains("/examples/") || path.starts_with("crates/protocol/src/vectors")
}

/// One file without comments.
struct Source {
    path: String,
    /// What is product code.
    code: String,
    /// What is tests.
    tests: String,
}

fn every_source() -> Vec<Source> {
    let mut all = Vec::new();
    for (path, text) in sources("crates").into_iter().chain(sources("tests")) {
        if is_apart(&path) {
            continue;
        }
        let uncommented: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect();
        let is_test = path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("tests.rs");
        let (product, inside) = match uncommented.split_once("#[cfg(test)]\nmod tests {") {
            _ if is_test => ("", uncommented.as_str()),
            Some(parts) => parts,
            None => (uncommented.as_str(), ""),
        };
        // The simulator plays dishonest parts, and the list of reasons names them all.
        let is_product = !path.starts_with("crates/sim/") && path != "crates/protocol/src/refusal.rs";
        let asserts = path != "crates/protocol/tests/coverage.rs";
        all.push(Source {
            code: if is_product {
                product.to_owned()
            } else {
                String::new()
            },
            tests: if asserts { inside.to_owned() } else { String::new() },
            path,
        });
    }
    all
}

/// The product's code without comments and tests, and the tests without comments.
fn code_and_tests() -> (String, String) {
    let all = every_source();
    let of = |part: fn(&Source) -> &str| all.iter().map(part).collect::<String>();
    (of(|source| &source.code), of(|source| &source.tests))
}

/// Whether a text names this path, and not one that begins with it.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        let after = text[at + path.len()..].chars().next().unwrap_or(' ');
        !after.is_alphanumeric() && after != '_'
    })
}

/// Names of the variants of one enum of `refusal.rs`, with the text of each one's message.
fn variants(of: &str) -> Vec<(String, String)> {
    let body = REASONS.split(&format!("pub enum {of} {{\n")).nth(1).unwrap();
    let body = body.split("\n}\n").next().unwrap();
    let (mut message, mut found) = (String::new(), Vec::new());
    for line in body.lines() {
        let Some(line) = line.strip_prefix("    ") else {
            continue;
        };
        if line.starts_with(|c: char| c.is_ascii_uppercase()) {
            let name = line.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            found.push((name.to_owned(), std::mem::take(&mut message)));
        } else if !line.starts_with("//") {
            message.push_str(line);
        }
    }
    assert!(found.len() > 2, "{of}: {found:?}");
    found
}

/// Variants of `Refusal` by the number of their rule: some rules have two.
fn by_number() -> BTreeMap<String, Vec<String>> {
    let mut numbered: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, message) in variants("Refusal") {
        let number = message
            .split("TAC-")
            .nth(1)
            .unwrap_or_else(|| panic!("{name} has no number"));
        numbered.entry(number[..3].to_owned()).or_default().push(name);
    }
    numbered
}

#[test]
fn every_rule_is_checked_by_code_and_asserted_by_a_test() {
    let table = ROUND
        .split("\n## 7. Rules")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rules: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| TAC-")?.get(..3))
        .collect();
    assert!(rules.len() > 40, "{rules:?}");
    let (by_number, (code, tests)) = (by_number(), code_and_tests());
    let mut missing = Vec::new();
    for rule in rules {
        let variants = by_number
            .get(rule)
            .unwrap_or_else(|| panic!("TAC-{rule} is no refusal"));
        for variant in variants {
            let path = format!("Refusal::{variant}");
            if !names(&code, &path) {
                missing.push(format!("TAC-{rule}: no code says {path}"));
            }
            if !names(&tests, &path) {
                missing.push(format!("TAC-{rule}: no test asserts {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Code in these folders is one side's.
const SIDES: [(&str, [&str; 2]); 2] = [
    ("S", ["crates/protocol/src/server", "crates/server/src"]),
    ("C", ["crates/protocol/src/client", "crates/client/src"]),
];

/// The table's sides are those that raise a rule. What one side's code says is its rule; and a rule of the server's is named
/// there, by the code or, where the check lies in a room that both sides use, under the errors of the call that makes it.
#[test]
fn rules_are_of_the_sides_that_raise_them() {
    let table = ROUND.split("\n## 7. Rules").nth(1).unwrap();
    let by_number = by_number();
    let mut wrong = Vec::new();
    for (side, folders) in SIDES {
        let (mut code, mut all) = (String::new(), String::new());
        for (path, text) in folders.into_iter().flat_map(sources) {
            let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if !path.ends_with("tests.rs") {
                all.push_str(product);
                let code_lines = product
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                code.extend(code_lines.flat_map(|line| [line, "\n"]));
            }
        }
        for row in table.lines().filter_map(|line| line.strip_prefix("| TAC-")) {
            let sides = row.split('|').nth(1).unwrap();
            let said_in = |text: &str| {
                let variants = &by_number[&row[..3]];
                variants
                    .iter()
                    .any(|variant| names(text, &format!("Refusal::{variant}")))
            };
            match sides.contains(side) {
                false if said_in(&code) => wrong.push(format!("TAC-{}: {side} raises it too", &row[..3])),
                true if side == "S" && !said_in(&all) => {
                    wrong.push(format!("TAC-{}: {side} does not raise it", &row[..3]));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_reason_is_produced_by_a_test() {
    let (code, tests) = code_and_tests();
    let mut missing = Vec::new();
    for of in ["DecodeError", "Refusal", "ConsentRefusal", "Abort"] {
        for (name, _) in variants(of) {
            let path = format!("{of}::{name}");
            match UNPRODUCED.iter().find(|(known, _)| *known == path) {
                Some((_, why)) => assert!(!names(&tests, &path), "{path} is produced after all: {why}"),
                None if !names(&tests, &path) => missing.push(format!("no test asserts {path}")),
                None if !names(&code, &path) => missing.push(format!("no code says {path}")),
                None => {}
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Variants that say in a fixed text what exactly is wrong.
fn texted() -> Vec<String> {
    let lines = REASONS
        .lines()
        .filter_map(|line| line.trim().strip_suffix("(&'static str),"));
    // What a caller of ours may not do, peers cannot bring about.
    lines
        .filter(|name| *name != "Argument")
        .map(str::to_owned)
        .collect()
}

/// The text in quotes that `code` begins with, spaces aside.
fn quoted(code: &str) -> Option<&str> {
    code.trim_start().strip_prefix('"')?.split('"').next()
}

/// The fixed texts that a file of the protocol gives to these variants: as `Refusal::Roster("...")`, by a short name, as
/// after `let field = Refusal::ManifestField;`, or as the last argument of the helpers that read a manifest.
fn texts_of<'a>(source: &'a Source, variants: &[String]) -> Vec<(String, &'a str)> {
    let mut found = Vec::new();
    for variant in variants {
        let mut spellings = vec![format!("::{variant}(")];
        for line in source.code.lines() {
            if let Some((short, "Refusal")) = line
                .trim()
                .strip_prefix("let ")
                .and_then(|line| line.strip_suffix(&format!("::{variant};")))
                .and_then(|line| line.split_once(" = "))
            {
                spellings.push(format!("{short}("));
            }
        }
        for spelling in spellings {
            let after = source.code.match_indices(&spelling);
            let after = after.filter_map(|(at, _)| quoted(&source.code[at + spelling.len()..]));
            found.extend(after.map(|text| (variant.clone(), text)));
        }
    }
    if source.path.starts_with("crates/protocol/src/manifest") {
        let after = source.code.match_indices(", \"");
        let last = after.filter_map(|(at, _)| source.code[at + 3..].split_once("\")"));
        let last = last.map(|(text, _)| text).filter(|text| !text.contains('"'));
        found.extend(last.map(|text| ("ManifestField".to_owned(), text)));
    }
    found
}

#[test]
fn every_text_of_a_reason_is_named_by_a_test_of_that_reason() {
    let (all, variants) = (every_source(), texted());
    assert!(variants.len() >= 10, "{variants:?}");
    let mut texts = BTreeSet::new();
    for source in all
        .iter()
        .filter(|source| source.path.starts_with("crates/protocol/src/"))
    {
        texts.extend(texts_of(source, &variants));
    }
    let of = |variant: &str| texts.iter().filter(|(of, _)| of == variant).count();
    assert!(
        texts.len() >= 45 && of("ManifestField") >= 24 && of("Roster") >= 5,
        "{texts:?}"
    );
    let missing: Vec<String> = texts
        .iter()
        .filter(|(variant, text)| {
            let text = format!("\"{text}\"");
            !all.iter()
                .any(|source| source.tests.contains(&text) && names(&source.tests, variant))
        })
        .map(|(variant, text)| format!("no test names {variant}(\"{text}\")"))
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_pitfall_has_its_tests_and_every_test_its_pitfall() {
    let table = THREATS.split("\n## 5. ").nth(1).unwrap();
    let mut attacked: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources("crates/sim/tests/pitfalls") {
        for line in text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("fn pitfall_"))
        {
            attacked
                .entry(line[..2].parse().unwrap())
                .or_default()
                .insert(path.clone());
        }
    }
    assert_eq!(
        attacked.keys().copied().collect::<Vec<_>>(),
        (1..=22).collect::<Vec<_>>()
    );
    for (number, files) in attacked {
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| P{number} ")))
            .unwrap_or_else(|| panic!("P{number} has no row"));
        assert!(row.contains(&format!("::pitfall_{number:02}_")), "{row}");
        // The row names the one file that has all of them.
        assert_eq!(files.len(), 1, "P{number}: {files:?}");
        assert!(files.iter().all(|file| row.contains(file.as_str())), "{row}");
    }
}

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
