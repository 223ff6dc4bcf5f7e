//! F01: the server sends different survivor lists to different clients. Two lists cannot both have a quorum: nobody reveals.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use tacita_identity::{Role, TrustAnchor};
use tacita_ledger::tree::{leaf_hash, verify_inclusion};
use tacita_ledger::{SignedCheckpoint, VerifierKey, statement_digest};
use tacita_protocol::labels::{MANIFEST_SIGNATURE, STATEMENT_SIGNATURE};
use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, at_once, client_at, compare, four, index_of};
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
    let (server, code, mut clients) = scene.play();
    assert_ne!(code, 0);
    assert_eq!(
        scene.sent_by_all(Kind::Agreement),
        4,
        "each signed what it was shown"
    );
    assert!(server.stderr().contains("TAC-054"), "{}", server.stderr());
    scene.ended_without_a_sum("0 signed the statement, 3 are needed");

    // Each has what it signed: together they show two lists. After a crash and an honest attempt they still do.
    let mut before = BTreeMap::new();
    for attempts in 1..=2 {
        if attempts == 2 {
            scene.goes_on_honestly(std::mem::take(&mut clients));
            assert_eq!(scene.outcomes()[0].0, 4);
        }
        let told = scene.compared(0, 2);
        assert_eq!(told.code, 1, "{told:?}");
        let found = told.json();
        let of = found["attempts"].as_array().unwrap();
        assert_eq!(of.len(), attempts);
        let lied = format!(
            "the server showed two lists of survivors in attempt {}",
            of[0]["attempt"].as_str().unwrap()
        );
        assert_eq!(told.error(), lied);
        assert_eq!(of[0]["shown"], "two-lists-of-survivors");
        assert_eq!(
            (&of[0]["only_first"], &of[0]["only_second"]),
            (&json!([0]), &json!([3]))
        );
        assert_eq!(of[0]["server"], json!(["aggregator", "aggregator"]));
        let alike = scene.compared(0, 1);
        assert_eq!((alike.code, alike.stderr.as_str()), (0, ""));
        assert_eq!(alike.json()["attempts"][0]["shown"], "same-lists");
        for index in 0..4 {
            let document = signed_lists(&scene, index);
            assert_eq!(document["attempts"].as_array().unwrap().len(), attempts);
            let first = document["attempts"][0].clone();
            let list = checked_by_hand(&document, &first);
            assert_eq!(list, if index < 2 { "07" } else { "0e" });
            assert_eq!(before.entry(index).or_insert_with(|| first.clone()), &first);
            let status = scene.federation.status(client_at(index));
            assert_eq!(status["attempts_with_signed_lists"], attempts);
        }
        if attempts == 2 {
            assert_eq!(of[1]["shown"], "same-lists");
        }
    }
    nothing_is_taken_on_trust(&scene);
}

fn signed_lists(scene: &Scene, index: u16) -> Value {
    serde_json::from_slice(&fs::read(scene.signed_lists(client_at(index))).unwrap()).unwrap()
}

/// What a third party does with one attempt of a document, by the page (spec 01 section 4): the list that this member signed.
fn checked_by_hand(document: &Value, kept: &Value) -> String {
    let (upload, statement) = (&kept["upload"], &kept["statement"]);
    let hex_of = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let anchor = TrustAnchor::from_der(&hex_of(&document["authority"])).unwrap();
    let time = upload["time"].as_u64().unwrap();
    let member = anchor
        .verify(&hex_of(&upload["certificate"]), Role::Client, time)
        .unwrap();
    assert_eq!(document["name"], member.name.as_str());
    let server = anchor
        .verify(&hex_of(&upload["server_certificate"]), Role::Server, time)
        .unwrap();
    let signed = |key: &VerifyingKey, label: &str, digest: &[u8; 32], signature: &Value| {
        let message = [label.as_bytes(), &[0], digest].concat();
        key.verify_strict(&message, &Signature::from_bytes(&bytes(signature)))
            .unwrap();
    };
    let manifest = bytes(&statement["manifest_digest"]);
    signed(
        &server.key,
        MANIFEST_SIGNATURE,
        &manifest,
        &upload["manifest_signature"],
    );
    let digest = statement_digest(
        &manifest,
        &bytes(&statement["roster_root"]),
        &bytes(&statement["sharers_digest"]),
        statement["roster_size"].as_u64().unwrap(),
        &hex_of(&statement["survivors"]),
    );
    assert_eq!(digest, bytes(&statement["statement"]));
    signed(&member.key, STATEMENT_SIGNATURE, &digest, &statement["signature"]);
    statement["survivors"].as_str().unwrap().to_owned()
}

/// Failure: evidence against a server can be made up, or changed, by one who has not the keys.
fn nothing_is_taken_on_trust(scene: &Scene) {
    let (first, second) = (signed_lists(scene, 0), signed_lists(scene, 2));
    let path = |name: &str| scene.federation.path().join(name);
    let write = |path: &Path, document: &Value| fs::write(path, document.to_string()).unwrap();
    let (a, b) = (path("a.json"), path("b.json"));
    write(&a, &first);
    let flip = |value: &mut Value| {
        let text = value.as_str().unwrap();
        let digit = if text.starts_with('0') { "1" } else { "0" };
        *value = format!("{digit}{}", &text[1..]).into();
    };
    type Edit<'a> = &'a dyn Fn(&mut Value);
    let at = |pointer: &'static str| move |document: &mut Value| flip(document.pointer_mut(pointer).unwrap());
    let edits: [(Edit<'_>, &str); 12] = [
        (
            &|d| d["attempts"][0]["statement"]["survivors"] = "0f".into(),
            "signature of the statement",
        ),
        (
            &at("/attempts/0/statement/signature"),
            "signature of the statement",
        ),
        (
            &|d| d["attempts"][0]["statement"]["survivors"] = "0e00".into(),
            "signature of the statement",
        ),
        (
            &|d| d["attempts"][0]["statement"] = d["attempts"][1]["statement"].clone(),
            "different rounds",
        ),
        (
            &|d| d["attempts"][0]["upload"]["sharers"] = "07".into(),
            "signature of the upload",
        ),
        (&at("/attempts/0/upload/signature"), "signature of the upload"),
        (
            &at("/attempts/0/upload/manifest_signature"),
            "server did not sign",
        ),
        (
            &|d| {
                d["attempts"][0]["upload"]["certificate"] =
                    first["attempts"][0]["upload"]["certificate"].clone()
            },
            "another member's",
        ),
        (
            &|d| d["attempts"][0]["upload"]["time"] = 0.into(),
            "its certificate: the certificate starts",
        ),
        (
            &|d| {
                let upload = &mut d["attempts"][0]["upload"];
                upload["server_certificate"] = upload["certificate"].clone();
            },
            "server's certificate",
        ),
        (&|d| d["name"] = first["name"].clone(), "both are of"),
        (&at("/authority"), "different authorities"),
    ];
    for (edit, words) in edits {
        let mut changed = second.clone();
        edit(&mut changed);
        write(&b, &changed);
        let ran = compare(text(&a), text(&b));
        assert_eq!(ran.code, 1, "{words}: {ran:?}");
        assert!(ran.json()["attempts"].is_null(), "{words}: {ran:?}");
        assert!(ran.error().contains(words), "{words}: {ran:?}");
    }
    for nonsense in ["", "{}", "[1]"] {
        fs::write(&b, nonsense).unwrap();
        assert_eq!(compare(text(&a), text(&b)).code, 2, "{nonsense}");
    }
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
