//! F01: the server sends different survivor lists to different clients. Two lists cannot both have a quorum: nobody reveals.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::Value;
use tacita_ledger::tree::{leaf_hash, verify_inclusion};
use tacita_ledger::{SignedCheckpoint, VerifierKey, statement_digest};
use tacita_protocol::labels::STATEMENT_SIGNATURE;
use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, at_once, client_at, four, index_of};
use crate::federation::relay::Kind;
use crate::federation::{name, text};
use crate::running::tacita;

#[test]
fn two_lists_have_no_quorum() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let ServerMessage::Agree(request) = message {
            // Two are told that member 3 dropped out, two that member 0 did.
            let list = if index_of(to) < 2 { 0b0111 } else { 0b1110 };
            request.survivors = vec![list].into();
        }
    });
    let (server, code, _clients) = scene.play();
    assert_ne!(code, 0);
    assert_eq!(
        scene.sent_by_all(Kind::Agreement),
        4,
        "each signed what it was shown"
    );
    assert!(server.stderr().contains("TAC-054"), "{}", server.stderr());
    scene.ended_without_a_sum("0 signed the statement, 3 are needed");
}

#[test]
fn one_liar_of_a_list_is_outvoted() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Agree(request), 0) = (message, index_of(to)) {
            request.survivors = vec![0b0111].into();
        }
    });
    let (_, code, _clients) = scene.play();
    assert_eq!(code, 0);
    // Its signature is on another statement: it is not asked for shares, and the other three are enough.
    assert_eq!(scene.outcomes(), [(4, 3)]);
    assert_eq!(scene.sent_by_all(Kind::Reveal), 3);
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// One side of the evidence, checked from its own preimage: the statement, and who signed it.
fn signed_by(side: &Value) -> ([u8; 32], Vec<String>) {
    let survivors = hex::decode(side["survivors"].as_str().unwrap()).unwrap();
    let statement = statement_digest(
        &bytes(&side["manifest_digest"]),
        &bytes(&side["roster_root"]),
        &bytes(&side["sharers_digest"]),
        side["roster_size"].as_u64().unwrap(),
        &survivors,
    );
    assert_eq!(statement, bytes(&side["statement"]));
    let message = [STATEMENT_SIGNATURE.as_bytes(), &[0], &statement].concat();
    let check = |one: &Value| {
        let key = VerifyingKey::from_bytes(&bytes(&one["key"])).unwrap();
        key.verify_strict(&message, &Signature::from_bytes(&bytes(&one["signature"])))
            .unwrap();
        one["name"].as_str().unwrap().to_owned()
    };
    (
        statement,
        side["signatures"].as_array().unwrap().iter().map(check).collect(),
    )
}

/// Failure: a member that is shown proof of two lists keeps nothing, keeps one of them, or goes on as if nothing had been.
#[test]
fn both_signed_lists_are_kept_as_evidence() {
    let scene = Scene::new(four(1));
    let captured: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    scene.relay.rewrite_downwards(move |to, frame| {
        let message = ServerMessage::decode(&frame).expect("the server's own frame");
        let mut captured = captured.lock().unwrap();
        match (message, index_of(to)) {
            // Member 0 is told that member 3 dropped out. The others are told the truth, and have a quorum.
            (ServerMessage::Agree(mut request), 0) => {
                request.survivors = vec![0b0111].into();
                at_once([ServerMessage::Agree(request).encode().expect("a message")])
            }
            (ServerMessage::Reveal(_), 1) => {
                *captured = Some(frame.clone());
                at_once([frame])
            }
            // That its signature is of another statement is kept from it. What the others were shown is shown to it too,
            // instead of the end of the task.
            (ServerMessage::Abort(_), 0) => Vec::new(),
            (ServerMessage::Finished(_), 0) => at_once([captured.take().unwrap_or(frame)]),
            _ => at_once([frame]),
        }
    });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    assert_eq!(scene.outcomes(), [(4, 3)]);
    let lied_to = client_at(0);
    assert_eq!(scene.sent(lied_to, Kind::Reveal), 0, "it revealed");
    let client = &mut clients[usize::from(lied_to)];
    assert_eq!(client.wait(), 1);
    let config = scene.federation.client_config(lied_to);
    let status = tacita(["client", "status", "--json", "--config", text(&config)]);
    assert_eq!(status.code, 1);
    let file = PathBuf::from(status.json()["evidence"][0]["file"].as_str().unwrap());
    for said in [client.stderr(), status.stderr.clone()] {
        assert!(said.contains(text(&file)), "{said}");
    }

    // The file is enough for somebody else: both sides, each with its signatures, and the ledger's own word.
    let evidence: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let (ours, by_us) = signed_by(&evidence["ours"]);
    let (shown, mut by_them) = signed_by(&evidence["shown"]);
    assert_ne!(ours, shown);
    assert_eq!(by_us, [name(lied_to)]);
    by_them.sort();
    let mut others: Vec<String> = (1..4).map(|index| name(client_at(index))).collect();
    others.sort();
    assert_eq!(by_them, others);
    for field in ["manifest_digest", "roster_root", "sharers_digest", "roster_size"] {
        assert_eq!(evidence["ours"][field], evidence["shown"][field], "{field}");
    }
    assert_eq!(
        (&evidence["ours"]["survivors"], &evidence["shown"]["survivors"]),
        (&"07".into(), &"0f".into())
    );
    let vkey = fs::read_to_string(scene.federation.path().join("server/ledger.vkey")).unwrap();
    let charge = &evidence["charge"];
    let head = SignedCheckpoint::verify(
        charge["checkpoint"].as_str().unwrap().as_bytes(),
        &VerifierKey::parse(vkey.trim()).unwrap(),
    )
    .unwrap();
    let entry = charge["entry"].as_str().unwrap();
    let proof: Vec<[u8; 32]> = charge["proof"].as_array().unwrap().iter().map(bytes).collect();
    let (size, root) = (head.checkpoint().size, head.checkpoint().root);
    let index = charge["index"].as_u64().unwrap();
    verify_inclusion(&leaf_hash(entry.as_bytes()), index, size, &proof, &root).unwrap();
    let entry: Value = serde_json::from_str(entry).unwrap();
    assert_eq!(entry["statement"], evidence["shown"]["statement"]);
    assert_eq!(entry["round_id"], evidence["round_id"]);

    // It takes no part until a person has looked.
    let mut again = scene.federation.start_client(lied_to);
    assert_eq!(again.wait(), 1);
    assert!(
        again.stderr().contains("has stopped: two lists"),
        "{}",
        again.stderr()
    );
}
