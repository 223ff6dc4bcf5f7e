//! Rules, reasons and limits of the pages that the compiler cannot tie to tests: each rule of 02 section 7 is checked by code
//! and asserted by a test, every reason to refuse is produced by one, every pitfall of 01 section 5 is attacked, and the
//! limits of the shells in 08 section 3 are those of the code.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed assumption is a failed test.

mod shells;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const THREATS: &str = include_str!("../../../../protocol-spec/01-threat-model.md");
const ROUND: &str = include_str!("../../../../protocol-spec/02-round.md");
const REASONS: &str = include_str!("../../src/refusal.rs");

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
        let asserts = path != "crates/protocol/tests/coverage/main.rs";
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
