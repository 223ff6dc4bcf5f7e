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

/// Failure: one of a few thousand mutations is a finding, or takes more than a second.
#[test]
fn a_few_mutations_of_each() {
    for target in TARGETS {
        let inputs: Vec<Vec<u8>> = folder(target.name).into_iter().map(|(_, bytes)| bytes).collect();
        let mut mutator = Mutator::new(1);
        let started = Instant::now();
        for number in 0..3000 {
            let input = mutator.next(&inputs);
            let since = Instant::now();
            (target.run)(&input);
            let took = since.elapsed();
            assert!(
                took < Duration::from_secs(1),
                "{}: mutation {number} took {took:?}",
                target.name
            );
            // A round takes longer than a decoder.
            if started.elapsed() > Duration::from_millis(800) {
                assert!(
                    number > 20,
                    "{}: {number} in {:?}",
                    target.name,
                    started.elapsed()
                );
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
