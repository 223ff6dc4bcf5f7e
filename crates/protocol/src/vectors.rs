//! The vectors of `protocol-spec/vectors/`, which the Python reference wrote from the pages, against this code. Whole
//! rounds and messages out of place are in `crates/sim/tests/vectors.rs`.

mod keys;
mod primitives;
mod round;
mod signers;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Hash;

/// What an operation gives: its outputs, or the rule or word that refuses it.
type Answer = Result<Value, String>;

/// The inputs of one case.
struct Given<'a>(&'a Value);

impl Given<'_> {
    fn of(&self, name: &str) -> Given<'_> {
        Given(&self.0[name])
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    fn label(&self) -> &'static str {
        // Labels are constants of the code; a vector's lives as long as the test.
        Box::leak(self.text("label").to_owned().into_boxed_str())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap()
    }

    fn hash(&self, name: &str) -> Hash {
        self.bytes(name).try_into().unwrap()
    }

    fn int(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }

    fn short(&self, name: &str) -> u16 {
        self.int(name).try_into().unwrap()
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0[name].as_array().unwrap().iter()
    }

    fn ints(&self, name: &str) -> Vec<i64> {
        self.list(name).map(|v| v.as_i64().unwrap()).collect()
    }

    fn shorts(&self, name: &str) -> Vec<u16> {
        self.list(name)
            .map(|v| v.as_u64().unwrap().try_into().unwrap())
            .collect()
    }

    fn many_bytes(&self, name: &str) -> Vec<Vec<u8>> {
        self.list(name)
            .map(|v| hex::decode(v.as_str().unwrap()).unwrap())
            .collect()
    }

    fn hashes(&self, name: &str) -> Vec<Hash> {
        self.many_bytes(name)
            .into_iter()
            .map(|v| v.try_into().unwrap())
            .collect()
    }
}

fn word<E>(word: &str) -> impl FnOnce(E) -> String {
    move |_| word.to_owned()
}

/// The number that a refusal prints.
fn rule(refusal: impl std::fmt::Display) -> String {
    refusal.to_string().chars().take("TAC-000".len()).collect()
}

/// Runs every case of a file; gives how many there were, and how many of them bad.
fn run(file: &str, operation: impl Fn(&str, &Given<'_>) -> Answer) -> (usize, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../protocol-spec/vectors")
        .join(file)
        .with_extension("json");
    let text = fs::read_to_string(&path).unwrap();
    let whole: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(whole["version"], 1);
    let cases = whole["cases"].as_array().unwrap();
    let mut names = BTreeMap::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        assert!(names.insert(name, ()).is_none(), "{file}: {name} twice");
        let answer = operation(case["op"].as_str().unwrap(), &Given(&case["in"]));
        match (answer, case.get("refusal").and_then(Value::as_str)) {
            (Ok(out), None) => assert_eq!(out, case["out"], "{file}: {name}"),
            (Err(found), Some(expected)) => assert_eq!(found, expected, "{file}: {name}"),
            (Ok(_), Some(expected)) => panic!("{file}: {name} is taken, {expected} forbids it"),
            (Err(found), None) => panic!("{file}: {name} is refused: {found}"),
        }
    }
    let bad = cases.iter().filter(|case| case.get("refusal").is_some()).count();
    (cases.len(), bad)
}
