//! The corpora of the fuzz targets, replayed, and a few thousand mutations of them: what a fuzzer found once is not found again.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tacita_sim::fuzzing::{Mutator, TARGETS, corpus, target};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz")
}

fn folder(of: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(root().join("corpus").join(of))
        .unwrap_or_else(|error| panic!("{of}: {error}"))
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// Failure: an input of the corpora ends in a panic or breaks what a target asserts; or none of a target's is accepted, so that
/// its mutations never come past the first check: then the messages changed, and the corpora must be made anew.
#[test]
fn every_input_of_the_corpora() {
    for target in TARGETS {
        let inputs = folder(target.name);
        let accepted = inputs.iter().filter(|(_, bytes)| (target.run)(bytes)).count();
        assert!(
            accepted > 0,
            "{}: nothing of {} inputs is accepted",
            target.name,
            inputs.len()
        );
        assert!(accepted < inputs.len(), "{}: nothing hostile", target.name);
        let longest = inputs.iter().map(|(_, bytes)| bytes.len()).max();
        assert!(longest < Some(64 << 10), "{}: {longest:?}", target.name);
    }
}

/// Failure: the honest inputs in the repository are not those of the code: `--example fuzz_corpus` was not run.
#[test]
fn the_corpora_are_those_that_the_code_makes() {
    for (name, inputs) in corpus::make().unwrap() {
        assert!(target(name).is_some(), "{name} is no target");
        let there = folder(name);
        for (file, bytes) in inputs {
            let known = there.iter().find(|(known, _)| *known == file);
            assert!(
                known.is_some_and(|(_, known)| *known == bytes),
                "{name}/{file} is another"
            );
        }
    }
}

/// Failure: one of up to three thousand mutations is a finding, or hangs. Slow targets get the mutations that fit a second,
/// and never fewer than twenty.
#[test]
fn a_few_mutations_of_each() {
    const HANGS: Duration = Duration::from_secs(20);
    for target in TARGETS {
        let inputs: Vec<Vec<u8>> = folder(target.name).into_iter().map(|(_, bytes)| bytes).collect();
        let mut mutator = Mutator::new(1);
        let started = Instant::now();
        for number in 0..3000 {
            let input = mutator.next(&inputs);
            let since = Instant::now();
            (target.run)(&input);
            let took = since.elapsed();
            assert!(took < HANGS, "{}: mutation {number} took {took:?}", target.name);
            if number >= 20 && started.elapsed() > Duration::from_secs(1) {
                break;
            }
        }
    }
}

/// Failure: a target has no libFuzzer binary, or a binary no target.
#[test]
fn every_target_has_its_binary() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let binaries: BTreeSet<String> = fs::read_dir(root().join("targets"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(names, binaries);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for name in &names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")),
            "{name}"
        );
        let text = fs::read_to_string(root().join(format!("targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
}

/// What takes bytes or text and can refuse, and is no decoder of what somebody else says: names that the caller chose, and the
/// own disk, for which the faults' tests stand.
const NO_DECODERS: [&str; 13] = [
    "identity/authority::open",
    "identity/invitation::create",
    // A secret that is compared, a seed that is hashed and compared, a hash that is the seed of a graph, a round id.
    "identity/invitation_record::redeem",
    "privacy/layers::check",
    "protocol/graph/neighbourhood::ring",
    "protocol/server/mod::resumes",
    "ledger/checkpoint::cosign",
    "ledger/log::create",
    "ledger/log::open",
    "ledger/note::new",
    "ledger/note::sign",
    "ledger/rotation::sign",
    // `verify_with` under another name.
    "ledger/verify::verify",
];

/// Function name, arguments and result of every `fn` that this line-wise reading finds in front of the tests of a file.
fn functions(text: &str) -> Vec<(String, String, String)> {
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("fn ") {
        let line = rest[..at].rsplit('\n').next().unwrap();
        // A trait's function has no `pub`; of those only the two that read text count.
        let public = line.trim_start().starts_with("pub ");
        rest = &rest[at + 3..];
        let end = [" {", ";\n"].iter().filter_map(|end| rest.find(end)).min();
        let head = &rest[..end.unwrap_or(rest.len())];
        let name: String = head
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if !public && !["from_str", "try_from"].contains(&name.as_str()) {
            continue;
        }
        if let Some((arguments, result)) = head.rsplit_once("->") {
            found.push((name, arguments.to_owned(), result.trim().to_owned()));
        }
    }
    found
}

/// Failure: a decoder of a pure room is reached by no target; or a target names one that is gone.
#[test]
fn every_decoder_has_a_target() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut decoders = BTreeSet::new();
    for room in ["algebra", "ledger", "identity", "privacy", "protocol"] {
        let source = crates.join(room).join("src");
        let mut open = vec![source.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let file = path.strip_prefix(&source).unwrap().with_extension("");
            let file = file.to_str().unwrap();
            if file.starts_with("vectors") || file.ends_with("tests") {
                continue;
            }
            for (name, arguments, result) in functions(&fs::read_to_string(&path).unwrap()) {
                let reads = [
                    "&[u8]",
                    "&str",
                    "Vec<u8>",
                    "String",
                    "&[u8; 32]",
                    "&dyn Files",
                    "&[Hash]",
                ];
                let refuses = ["Result<", "Option<"].iter().any(|kind| result.starts_with(kind));
                if refuses && reads.iter().any(|kind| arguments.contains(kind)) {
                    decoders.insert(format!("{room}/{file}::{name}"));
                }
            }
        }
    }
    assert!(decoders.len() > 20, "the search is broken: {decoders:?}");
    let listed = TARGETS.iter().flat_map(|target| target.reads).chain(&NO_DECODERS);
    let listed: BTreeSet<String> = listed.map(|name| (*name).to_owned()).collect();
    let missing: Vec<_> = decoders.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&decoders).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "without a target: {missing:#?}; gone: {gone:#?}"
    );
}
