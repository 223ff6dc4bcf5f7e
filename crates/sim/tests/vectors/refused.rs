//! `to-member.json` and `to-server.json`: messages in place of the honest ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tacita_protocol::client::{RecordChange, SignedSharers, SignedStatement};
use tacita_protocol::manifest::Manifest;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::{DecodeError, Refusal, RoundError};
use tacita_sim::{Cast, MemoryRecord, Score, Stage, Walk};
use tls_codec::Deserialize as _;

use super::cast::cast;
use super::rounds::{client, clients, score, stage};
use super::{bytes, cases, list, number, text};

/// The number that a refusal prints.
fn rule(error: impl std::fmt::Display) -> String {
    error.to_string().chars().take("TAC-000".len()).collect()
}

fn malformed(_: DecodeError) -> String {
    "malformed".to_owned()
}

/// The rounds by name.
fn bases() -> BTreeMap<String, Value> {
    cases("rounds")
        .into_iter()
        .map(|case| (text(&case, "name").to_owned(), case["in"].clone()))
        .collect()
}

/// Asks every case of a file; gives how many of them are bad.
fn check(file: &str, answer: impl Fn(&Value, &Value) -> Result<Value, String>) -> usize {
    let bases = bases();
    let mut bad = 0;
    for case in cases(file) {
        let name = text(&case, "name");
        let found = answer(&case["in"], &bases[text(&case["in"], "round")]);
        match (found, case.get("refusal").and_then(Value::as_str)) {
            (Ok(out), None) => assert_eq!(out, case["out"], "{file}: {name}"),
            (Err(found), Some(expected)) => {
                assert_eq!(found, expected, "{file}: {name}");
                bad += 1;
            }
            (Ok(_), Some(expected)) => panic!("{file}: {name} is taken, {expected} forbids it"),
            (Err(found), None) => panic!("{file}: {name} is refused: {found}"),
        }
    }
    bad
}

/// What the record says before the message comes.
fn recorded(given: &Value, score: &Score) -> Vec<RecordChange> {
    let mut changes = Vec::new();
    if given.get("spent").is_some() {
        changes.push(RecordChange::Spent {
            round_id: bytes(given, "spent").try_into().unwrap(),
            round: 1,
            task: "sim".to_owned(),
            release: None,
            upload_digest: [0; 32],
            signed: Box::new(SignedSharers {
                manifest_digest: [0; 32],
                roster_root: [0; 32],
                roster_size: 0,
                sharers: Vec::new(),
                share_roots: [0; 32],
                index: 0,
                suspects: Vec::new(),
                noise_anchor: Vec::new(),
                packed: [0; 32],
                signature: [0; 64],
            }),
        });
    }
    if given.get("signed").is_some() {
        changes.push(RecordChange::Signed {
            round_id: score.manifest.round_id,
            signed: Box::new(SignedStatement {
                statement: bytes(given, "signed").try_into().unwrap(),
                ..SignedStatement::default()
            }),
        });
    }
    changes
}

fn to_member(cast: &Cast, given: &Value, base: &Value) -> Result<Value, String> {
    let score = score(base);
    let (step, member) = (stage(text(given, "step")), number(given, "member"));
    let mut clients = clients(cast, base, &score);
    if given.get("require_post_quantum").is_some() {
        clients[member] = client(cast, base, &score, member, true);
    }
    let mut walk = Walk::open(cast, &score, clients).unwrap();
    walk.until(step).unwrap();
    let message = ServerMessage::decode(&bytes(given, "message")).map_err(malformed)?;
    let honest = walk.said_to(member, step).unwrap();
    let client = walk.client(member).unwrap();
    if given.get("no_budget").is_some() {
        *client.record_mut() = MemoryRecord::new(None);
    }
    if given.get("prepared_for").is_some() {
        let other = Manifest::tls_deserialize(&mut bytes(given, "prepared_for").as_slice()).unwrap();
        client.prepare_for(Arc::new(other.check().unwrap()));
    }
    for change in recorded(given, &score) {
        client.record_mut().apply(change);
    }
    if given.get("withheld").is_none() {
        for ahead in honest.iter().take_while(|ahead| ahead.name() != message.name()) {
            client.handle(ahead.clone());
        }
    }
    if given.get("answered").is_some() {
        let own = honest.iter().find(|own| own.name() == message.name()).unwrap();
        assert!(client.handle(own.clone()).is_empty() == (step == Stage::Outcome));
    }
    if given.get("model").is_some() {
        // One byte more than the model that the member has heard: another model.
        client.handle(ServerMessage::Model(bytes(given, "model").into()));
    }
    let answers = client.handle(message);
    match client.refusal() {
        Some(error) => Err(rule(error)),
        None => {
            let answers: Vec<_> = answers.iter().map(|a| hex::encode(a.encode().unwrap())).collect();
            Ok(json!({ "answers": answers }))
        }
    }
}

fn to_server(cast: &Cast, given: &Value, base: &Value) -> Result<Value, String> {
    let score = score(base);
    let step = stage(text(given, "step"));
    let mut walk = Walk::open(cast, &score, clients(cast, base, &score)).unwrap();
    walk.until(step).unwrap();
    for before in list(given, "before") {
        let message = ClientMessage::decode(&bytes(before, "bytes")).unwrap();
        walk.receive(number(before, "from"), message).unwrap();
    }
    let message = ClientMessage::decode(&bytes(given, "message")).map_err(malformed)?;
    let refused = |error: RoundError| rule(error);
    walk.receive(number(given, "member"), message).map_err(refused)?;
    let blamed: Vec<u16> = match step {
        Stage::Reveal => walk.view().blamed().iter().map(holder).collect(),
        _ => Vec::new(),
    };
    Ok(json!({ "blamed": blamed }))
}

fn holder(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::ShareCommitment { holder, .. } | Refusal::NoiseSeed(holder) => *holder,
        other => panic!("{other}"),
    }
}

#[test]
fn what_members_refuse() {
    let cast = cast();
    assert!(check("to-member", |given, base| to_member(&cast, given, base)) >= 60);
}

#[test]
fn what_the_server_refuses() {
    let cast = cast();
    assert!(check("to-server", |given, base| to_server(&cast, given, base)) >= 35);
}
