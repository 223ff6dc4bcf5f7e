//! Keys that were rotated, and witnesses that vouch for a head.

use std::fs;

use ed25519_dalek::SigningKey;
use tacita_ledger::{Entry, KeyType, MemoryFiles, VerifierKey};

use crate::ledgers::{ORIGIN, World, key, manifest, story};

fn named(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let vkey = VerifierKey::new(ORIGIN, KeyType::Ed25519, key.verifying_key()).unwrap();
    (key, vkey)
}

fn replace(world: &World, files: &MemoryFiles) {
    fs::remove_dir_all(world.dir()).unwrap();
    for (path, bytes) in files.contents() {
        let path = world.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The story, handed to the key of 31s at its end.
fn rotated() -> World {
    let mut world = World::new(&story("8"));
    let mut files = MemoryFiles::new();
    for (path, bytes) in world.files() {
        files.contents_mut().insert(path, bytes);
    }
    let (next, vkey) = named(31);
    world.log.rotate(&key(), &vkey, 1_800_000_000).unwrap();
    files.apply_all(&world.log.publish(&next).unwrap());
    replace(&world, &files);
    world
}

/// Failure: whoever pinned the first key has to be told the new one by somebody he must trust anew.
#[test]
fn a_rotation_is_followed_from_the_pinned_key() {
    let world = rotated();
    let (_, next) = named(31);
    let ran = world.with_key("verify", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains(&format!("signed from 11 entries on by {next}"))
    );
    let out = world.root.path().join("new.vkey");
    let ran = world.with_key("key", &["--out", out.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, next.to_string().as_str()));
    assert_eq!(fs::read_to_string(&out).unwrap().trim(), next.to_string());
    // From the new key on as well; a rotation costs nothing.
    let ran = world.ledger("report", &["--json", "--key", out.to_str().unwrap()]);
    let honest = World::new(&story("8")).with_key("report", &["--json"]).json();
    assert_eq!(ran.json()["tasks"], honest["tasks"]);
    assert_eq!(ran.json()["ledger"]["rotations"], 1);
    // A stranger's key is no key of this log, and the log's own are named.
    let stranger = named(99).1;
    fs::write(&out, stranger.to_string()).unwrap();
    let ran = world.ledger("key", &["--key", out.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    let id = |key: &VerifierKey| hex::encode(key.key_id());
    for named in [&stranger, &next] {
        assert!(ran.error().contains(&id(named)), "{}", ran.stderr);
    }
}

/// Failure: a head without the witnesses that were asked for passes.
#[test]
fn a_quorum_counts_witnesses_of_a_head_with_every_charge() {
    let mut world = World::new(&story("8"));
    let witness = |seed: u8, name: &str| {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let vkey = VerifierKey::new(name, KeyType::CosignatureV1, key.verifying_key()).unwrap();
        (key, vkey)
    };
    // Two members, one of which renewed its key.
    let all = [witness(60, "a"), witness(61, "b"), witness(62, "b")];
    let list = world.root.path().join("witnesses");
    let text: String = all.iter().map(|(_, vkey)| format!("{vkey}\n")).collect();
    fs::write(&list, text).unwrap();
    let cosigned = |head: &tacita_ledger::SignedCheckpoint| {
        let lines: Vec<_> = all
            .iter()
            .map(|(key, vkey)| head.checkpoint().cosign(vkey.name(), 5, key).unwrap())
            .collect();
        head.with_cosignatures(&lines).unwrap().to_bytes()
    };
    let kept = world.root.path().join("kept.note");
    let verify = |world: &World, quorum: &str| {
        world.with_key(
            "verify",
            &[
                "--witness",
                list.to_str().unwrap(),
                "--cosigned",
                kept.to_str().unwrap(),
                "--quorum",
                quorum,
            ],
        )
    };
    fs::write(&kept, cosigned(world.log.published().unwrap())).unwrap();
    assert_eq!(verify(&world, "2").code, 0);
    let ran = verify(&world, "3");
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("2 of the 3"), "{}", ran.stderr);
    // What came before the last charge does not vouch for it.
    let early = World::new(&story("8")[..8]);
    fs::write(&kept, cosigned(early.log.published().unwrap())).unwrap();
    let ran = verify(&world, "1");
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("0 of the 1"), "{}", ran.stderr);
    // An open reserve after it spends nothing.
    fs::write(&kept, cosigned(world.log.published().unwrap())).unwrap();
    let Entry::Manifest(mut later) = manifest(9, 9) else {
        panic!()
    };
    later.time = 1_800_000_000;
    world.log.append(&Entry::Manifest(later)).unwrap();
    let mut files = MemoryFiles::new();
    for (path, bytes) in world.files() {
        files.contents_mut().insert(path, bytes);
    }
    let changes = world.log.publish(&key()).unwrap();
    files.apply_all(&changes);
    replace(&world, &files);
    assert_eq!(verify(&world, "2").code, 0, "{}", verify(&world, "2").stderr);
    // The file beside the ledger is found by itself.
    fs::rename(&kept, world.root.path().join("ledger.cosigned")).unwrap();
    let report = world.with_key("report", &["--json", "--witness", list.to_str().unwrap()]);
    assert_eq!(report.code, 0, "{}", report.stderr);
    assert_eq!(report.json()["ledger"]["earlier_heads"][0]["size"], 10);
    assert_eq!(
        world.with_key("verify", &["--quorum", "1"]).code,
        2,
        "a quorum of nobody listed"
    );
}
