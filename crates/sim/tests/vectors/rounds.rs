//! `rounds.json`: every message of every party, byte for byte, and the sum.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tacita_ledger::Entry;
use tacita_protocol::manifest::Manifest;
use tacita_sim::{Cast, Client, MemoryRecord, NOW, Score, Stage, Tape, Walk};
use tls_codec::Deserialize as _;

use super::cast::cast;
use super::{bytes, cases, list, number, text};

/// Largest difference of a decoded coordinate, in clip norms.
const TOLERANCE: f64 = 1e-5;

pub(crate) fn stage(name: &str) -> Stage {
    match name {
        "invite" => Stage::Invite,
        "roster" => Stage::Roster,
        "sharers" => Stage::Sharers,
        "agree" => Stage::Agree,
        "reveal" => Stage::Reveal,
        "outcome" => Stage::Outcome,
        _ => panic!("{name}"),
    }
}

pub(crate) fn score(given: &Value) -> Score {
    let manifest = bytes(given, "manifest");
    let mut rest = manifest.as_slice();
    let manifest = Manifest::tls_deserialize(&mut rest).unwrap();
    assert!(rest.is_empty());
    let silent = given["silent"].as_object().unwrap();
    Score {
        manifest,
        model: bytes(given, "model"),
        silent: silent
            .iter()
            .map(|(member, step)| (member.parse().unwrap(), stage(step.as_str().unwrap())))
            .collect::<BTreeMap<_, _>>(),
        prior: list(given, "prior")
            .iter()
            .map(|entry| Entry::decode(&hex::decode(entry.as_str().unwrap()).unwrap()).unwrap())
            .collect(),
        remembered: list(given, "remembered")
            .iter()
            .map(|size| size.as_u64().unwrap())
            .collect(),
    }
}

/// A member with its tape and its unit vector.
pub(crate) fn client(cast: &Cast, given: &Value, score: &Score, member: usize, strict: bool) -> Client {
    let mut participant = cast.participant(member).unwrap();
    participant.cache = Arc::default();
    participant.policy.require_post_quantum = strict;
    let mut update = vec![0.0; score.manifest.dimension as usize];
    let hot = list(given, "hot")[member].as_u64().unwrap();
    update[usize::try_from(hot).unwrap()] = 1.0;
    let tape = Tape::new(list(given, "tapes")[member].as_str().unwrap());
    let rng = ChaCha20Rng::from_seed([0; 32]);
    Client::new(Arc::new(participant), MemoryRecord::default(), rng, update, NOW).with_tape(tape)
}

pub(crate) fn clients(cast: &Cast, given: &Value, score: &Score) -> Vec<Client> {
    (0..number(given, "members"))
        .map(|member| client(cast, given, score, member, false))
        .collect()
}

fn ints(of: &Value) -> Option<Vec<i64>> {
    of.as_array()?.iter().map(Value::as_i64).collect()
}

fn run(cast: &Cast, case: &Value) {
    let (name, given, out) = (text(case, "name"), &case["in"], &case["out"]);
    let score = score(given);
    let mut walk = Walk::open(cast, &score, clients(cast, given, &score)).unwrap();
    let sum = walk.run().unwrap_or_else(|error| panic!("{name}: {error}"));
    let expected = list(out, "messages");
    for (number, (said, expected)) in walk.said().iter().zip(expected).enumerate() {
        let direction = if said.to_member { "to" } else { "from" };
        let at = format!(
            "{name}, message {number}: {:?} {direction} {}",
            said.stage, said.member
        );
        assert_eq!(said.stage, stage(text(expected, "step")), "{at}");
        assert_eq!(Some(said.member as u64), expected[direction].as_u64(), "{at}");
        match expected.get("bytes") {
            Some(bytes) => assert_eq!(Some(hex::encode(&said.bytes).as_str()), bytes.as_str(), "{at}"),
            None => assert_eq!(
                hex::encode(Sha256::digest(&said.bytes)),
                text(expected, "sha256"),
                "{at}"
            ),
        }
    }
    assert_eq!(walk.said().len(), expected.len(), "{name}");
    for (member, client) in walk.clients().iter().enumerate() {
        if let Some(encoded) = client.encoded() {
            assert_eq!(
                Some(encoded),
                ints(&given["encoded"][member]).as_deref(),
                "{name}: member {member}"
            );
        }
    }
    assert_eq!(Some(sum.values), ints(&out["sum"]), "{name}");
    let survivors = list(out, "survivors")
        .iter()
        .map(|m| usize::try_from(m.as_u64().unwrap()).unwrap());
    assert_eq!(sum.survivors, survivors.collect::<Vec<_>>(), "{name}");
    let mean = sum.mean.unwrap();
    assert_eq!(mean.len(), list(out, "mean").len());
    for (ours, theirs) in mean.iter().zip(list(out, "mean")) {
        assert!(
            (f64::from(*ours) - theirs.as_f64().unwrap()).abs() <= TOLERANCE,
            "{name}: {ours} {theirs}"
        );
    }
}

#[test]
fn whole_rounds_byte_for_byte() {
    let cast = cast();
    let cases = cases("rounds");
    assert!(cases.len() >= 12);
    for case in &cases {
        run(&cast, case);
    }
}
