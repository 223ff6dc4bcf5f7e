//! Whole rounds of `protocol-spec/vectors/`, and messages that a member or the server must refuse, driven through the
//! real state machines (`protocol-spec/10-vectors.md` section 3). Single operations are in `tacita-protocol`.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cast;
mod refused;
mod rotation;
mod rounds;

use std::fs;
use std::path::Path;

use serde_json::Value;

/// A file of `protocol-spec/vectors/`.
fn read(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../protocol-spec/vectors")
        .join(file)
        .with_extension("json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The cases of a file.
fn cases(file: &str) -> Vec<Value> {
    let whole = read(file);
    assert_eq!(whole["version"], 1);
    whole["cases"].as_array().unwrap().clone()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("{name} is missing"))
}

fn bytes(of: &Value, name: &str) -> Vec<u8> {
    hex::decode(text(of, name)).unwrap()
}

fn number(of: &Value, name: &str) -> usize {
    usize::try_from(of[name].as_u64().unwrap()).unwrap()
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().unwrap()
}
