//! F39: a ledger fork or rollback is shown to some. The consistency check or the quorum of witnesses fails, clients stop, and
//! the evidence is saved. Rollbacks of a server's files: F10.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tacita_ledger::{Entry, SignedCheckpoint, VerifierKey};
use tacita_server::{Directory, LedgerDesk};
use tacita_transport::Machine;

use crate::federation::process::until;
use crate::federation::{Federation, Plan, edit, succeeded, text};
use crate::running::tacita;

/// Copies a folder and all below it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The keys that clients cosign with, as the authority lists them.
pub(crate) fn witnesses(federation: &Federation) -> std::path::PathBuf {
    let list = federation.path().join("witnesses.vkeys");
    succeeded(&tacita([
        "authority",
        "witnesses",
        "--dir",
        text(&federation.path().join("authority")),
        "--out",
        text(&list),
    ]));
    list
}

/// Failure: a server whose ledger forked from what its clients saw goes on with them, or they keep no proof of it.
#[test]
fn clients_that_saw_the_other_side_stop_with_both_heads() {
    let federation = Federation::new(Plan {
        rounds: 1,
        wait: 5,
        ..Plan::new(3, 3, 0)
    });
    federation.run_to_the_end();
    let server = federation.path().join("server");
    let fork = federation.path().join("fork");
    copy(&server, &fork);
    edit(&federation.server_config(), "rounds = 1", "rounds = 2");
    federation.run_to_the_end();
    let listed = witnesses(&federation);
    let (pinned, honest) = (server.join("ledger.vkey"), federation.path().join("honest"));
    let verify = |ledger: &Path, rest: &[&str]| {
        let mut args = vec!["ledger", "verify", text(ledger), "--key", text(&pinned)];
        args.extend(rest);
        tacita(args)
    };
    let quorum = ["--witness", text(&listed), "--quorum", "2"];
    succeeded(&verify(&federation.ledger(), &quorum));

    // The operator goes back to the copy and writes another history, longer than the one that its clients saw.
    fs::rename(&server, &honest).unwrap();
    fs::rename(&fork, &server).unwrap();
    let key = Machine::new(&federation.server_state().join("ledger-key"))
        .key(&mut rand::rng())
        .unwrap();
    let mut desk = LedgerDesk::open(
        &federation.ledger(),
        "tacita.test/ledger",
        key.signing_key().clone(),
        None,
    )
    .unwrap();
    let vkey = fs::read_to_string(&pinned).unwrap();
    let vkey = VerifierKey::parse(vkey.trim()).unwrap();
    let entries = tacita_ledger::verify(&Directory::new(&federation.ledger()), Some(&vkey))
        .unwrap()
        .entries;
    let Some(Entry::Manifest(first)) = entries.into_iter().next() else {
        panic!("a ledger starts with a manifest")
    };
    for attempt in 0..10u8 {
        let mut other = first.clone();
        other.round_id = hex::encode([attempt; 32]);
        other.time = desk.log().rules().last_time();
        desk.append(&Entry::Manifest(other)).unwrap();
    }
    drop(desk);
    // With its key alone nothing is wrong with it; with witnesses, or a head that anybody kept, there is.
    succeeded(&verify(&federation.ledger(), &[]));
    let ran = verify(&federation.ledger(), &quorum);
    assert_eq!(
        ran.code, 0,
        "the first round's charge was cosigned: {}",
        ran.stderr
    );
    let seen = honest.join("ledger.cosigned");
    let ran = verify(&federation.ledger(), &["--cosigned", text(&seen)]);
    assert!(ran.code == 1 && ran.error().contains("fork"), "{}", ran.stderr);

    edit(&federation.server_config(), "rounds = 1", "rounds = 3");
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("somebody refuses", || clients.iter_mut().any(|c| !c.is_running()));
    assert_ne!(server.wait(), 0, "no cohort is left");
    assert_eq!(federation.entries_of("outcome").len(), 1, "nobody went on");
    let mut stopped = 0;
    for (index, client) in (0..).zip(&mut clients) {
        if client.is_running() {
            continue;
        }
        stopped += 1;
        assert_eq!(client.wait(), 1);
        let status = tacita([
            "client",
            "status",
            "--json",
            "--config",
            text(&federation.client_config(index)),
        ]);
        assert_eq!(status.code, 1);
        let file = status.json()["evidence"][0]["file"].as_str().unwrap().to_owned();
        assert!(client.stderr().contains(&file), "{}", client.stderr());
        both_heads_are_signed(&file, &vkey);
        // An auditor does not take its word for it: the head that it kept is one that the honest ledger has and this one has not.
        let evidence: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let ours = federation.path().join("ours.note");
        fs::write(&ours, evidence["ours"]["note"].as_str().unwrap()).unwrap();
        let with = ["--cosigned", text(&ours)];
        succeeded(&verify(&honest.join("ledger"), &with));
        assert!(verify(&federation.ledger(), &with).error().contains("fork"));
    }
    assert!(stopped > 0);
}

fn both_heads_are_signed(file: &str, key: &VerifierKey) {
    let evidence: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let heads: Vec<_> = ["ours", "shown"]
        .iter()
        .map(|side| {
            let note = evidence[side]["note"].as_str().unwrap();
            SignedCheckpoint::verify(note.as_bytes(), key)
                .unwrap()
                .checkpoint()
                .clone()
        })
        .collect();
    assert!(heads[1].size >= heads[0].size, "longer, so no rollback");
    assert_ne!(heads[0].root, heads[1].root);
}
