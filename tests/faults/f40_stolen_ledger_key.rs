//! F40: somebody has the ledger's key. What he signs passes under that key alone and fails where a quorum of witnesses is asked
//! for; the operator rotates the key; old heads stay valid, and the old key signs nothing more.

use std::fs;
use std::path::Path;

use ed25519_dalek::SigningKey;
use tacita_ledger::{Checkpoint, Entry, Log, MemoryFiles, Release, VerifierKey};
use tacita_server::Directory;
use tacita_transport::Machine;

use crate::f39_fork_shown_to_some::{copy, witnesses};
use crate::federation::process::until;
use crate::federation::{Federation, Plan, edit, succeeded, text};
use crate::running::{Ran, tacita};

struct Auditor<'a> {
    pinned: &'a Path,
    listed: &'a Path,
}

impl Auditor<'_> {
    fn verify(&self, ledger: &Path, rest: &[&str]) -> Ran {
        let mut args = vec!["ledger", "verify", text(ledger), "--key", text(self.pinned)];
        args.extend(rest);
        tacita(args)
    }

    fn with_quorum(&self, ledger: &Path, cosigned: &Path) -> Ran {
        let quorum = ["--witness", text(self.listed), "--quorum", "2"];
        self.verify(ledger, &[&quorum[..], &["--cosigned", text(cosigned)]].concat())
    }
}

fn write(files: &MemoryFiles, dir: &Path) {
    for (path, bytes) in files.contents() {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The thief's history: the charged round was never charged.
fn without_its_charge(entries: &[Entry], key: &SigningKey) -> MemoryFiles {
    let mut log = Log::create("tacita.test/ledger").unwrap();
    for entry in entries {
        match entry {
            Entry::Charge(charge) => {
                let release = Release {
                    round_id: charge.round_id.clone(),
                    round: charge.round,
                    time: charge.time,
                    reason: "nothing happened".to_owned(),
                };
                log.append(&Entry::Release(release)).unwrap();
            }
            Entry::Outcome(_) => {}
            other => drop(log.append(other).unwrap()),
        }
    }
    let mut files = MemoryFiles::new();
    files.apply_all(&log.publish(key).unwrap());
    files
}

/// Failure: a thief of the log's key is believed by somebody who asks for witnesses, or goes on after a rotation; or a rotation makes
/// what was signed before worthless, or stops the task.
#[test]
fn witnesses_see_the_thief_and_a_rotation_ends_him() {
    let federation = Federation::new(Plan {
        rounds: 1,
        attempts: 20,
        ..Plan::new(3, 3, 0)
    });
    federation.run_to_the_end();
    let server = federation.path().join("server");
    let pinned = federation.path().join("pinned.vkey");
    fs::copy(server.join("ledger.vkey"), &pinned).unwrap();
    let listed = witnesses(&federation);
    let auditor = Auditor {
        pinned: &pinned,
        listed: &listed,
    };
    let old_head = federation.path().join("old.cosigned");
    fs::copy(server.join("ledger.cosigned"), &old_head).unwrap();
    succeeded(&auditor.with_quorum(&federation.ledger(), &old_head));

    // The theft.
    let stolen = Machine::new(&federation.server_state().join("ledger-key"))
        .key(&mut rand::rng())
        .unwrap()
        .signing_key()
        .clone();
    let vkey = VerifierKey::parse(fs::read_to_string(&pinned).unwrap().trim()).unwrap();
    let verified = tacita_ledger::verify(&Directory::new(&federation.ledger()), Some(&vkey)).unwrap();
    let forged = federation.path().join("forged");
    write(&without_its_charge(&verified.entries, &stolen), &forged);
    succeeded(&auditor.verify(&forged, &[]));
    let ran = auditor.with_quorum(&forged, &old_head);
    assert!(ran.code == 1 && ran.error().contains("fork"), "{}", ran.stderr);
    let ran = auditor.verify(&forged, &["--witness", text(&listed), "--quorum", "2"]);
    assert!(
        ran.code == 1 && ran.error().contains("0 of the 2"),
        "{}",
        ran.stderr
    );

    // The rotation. It is interrupted once, after the ledger and before the key file, and then finished.
    let config = federation.server_config();
    let keys = federation.server_state().join("ledger-key");
    let backup = federation.path().join("keys-before");
    copy(&keys, &backup);
    let rotate = || tacita(["server", "rotate-ledger-key", "--json", "--config", text(&config)]);
    let ran = rotate();
    succeeded(&ran);
    let next = ran.json()["ledger_key"].as_str().unwrap().to_owned();
    assert_ne!(next, vkey.to_string());
    assert_eq!(federation.entries().last().unwrap()["kind"], "rotation");
    fs::rename(keys.join("key.pem"), keys.join("key-next.pem")).unwrap();
    fs::copy(backup.join("key.pem"), keys.join("key.pem")).unwrap();
    let size = federation.entries().len();
    let ran = rotate();
    succeeded(&ran);
    assert_eq!(ran.json()["ledger_key"], next.as_str(), "the same key as before");
    assert_eq!(federation.entries().len(), size, "handed over once");

    // The pinned key still vouches, old heads too; the stolen one signs nothing more.
    succeeded(&auditor.with_quorum(&federation.ledger(), &old_head));
    let followed = federation.path().join("followed.vkey");
    let ran = tacita([
        "ledger",
        "key",
        text(&federation.ledger()),
        "--key",
        text(&pinned),
        "--out",
        text(&followed),
    ]);
    succeeded(&ran);
    assert_eq!(fs::read_to_string(&followed).unwrap().trim(), next);
    let by_thief = federation.path().join("by-thief");
    copy(&federation.ledger(), &by_thief);
    let current = VerifierKey::parse(&next).unwrap();
    let rotated = tacita_ledger::verify(&Directory::new(&federation.ledger()), Some(&current)).unwrap();
    let head: &Checkpoint = rotated.checkpoint();
    let note = head.sign(&stolen).unwrap().to_bytes();
    fs::write(by_thief.join("checkpoint"), note).unwrap();
    let ran = auditor.verify(&by_thief, &[]);
    let id = |key: &VerifierKey| hex::encode(key.key_id());
    assert_eq!(ran.code, 1);
    assert!(
        ran.error().contains(&id(&vkey)) && ran.error().contains(&id(&current)),
        "both keys are named: {}",
        ran.stderr
    );
    let log = Log::open(&Directory::new(&federation.ledger()), &vkey, None);
    assert!(log.is_err(), "the old key opens the log");

    // The task goes on. A client that pins the old key takes no part until its participant has followed the rotation.
    edit(&config, "rounds = 1", "rounds = 2");
    edit(
        &federation.client_config(0),
        "../server/ledger.vkey",
        "../pinned.vkey",
    );
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("the client refuses", || clients[0].stderr().contains("TAC-011"));
    clients[0].kill();
    fs::copy(&followed, &pinned).unwrap();
    clients[0] = federation.start_client(0);
    federation.finish(&mut server, &mut clients);
    assert_eq!(federation.entries_of("outcome").len(), 2);
    federation.report();
}
