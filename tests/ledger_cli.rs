//! `tacita ledger`: an auditor with a directory of files, against an operator who may write anything into it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

#[path = "ledger_cli/clips.rs"]
mod clips;
#[path = "ledger_cli/damage.rs"]
mod damage;
#[path = "ledger_cli/keys.rs"]
mod keys;
mod ledgers;
#[path = "ledger_cli/report.rs"]
mod report;
mod running;

use std::fs;

use ed25519_dalek::SigningKey;
use ledgers::{ORIGIN, World, charge, key, manifest, outcome, story};
use running::tacita;
use tacita_ledger::{Entry, KeyType, Manifest, VerifierKey};

#[test]
fn an_honest_ledger_verifies_with_its_key_and_says_so_without() {
    let world = World::new(&story("8"));
    let anchored = world.with_key("verify", &[]);
    assert_eq!((anchored.code, anchored.stderr.as_str()), (0, ""));
    assert!(
        anchored.stdout.ends_with("Verified: origin checked.\n"),
        "{}",
        anchored.stdout
    );
    assert!(
        anchored
            .stdout
            .contains("10 entries: 4 manifests, 3 charges, 2 outcomes, 1 releases")
    );
    let bare = world.ledger("verify", &[]);
    assert_eq!(bare.code, 0);
    assert!(
        bare.stdout
            .ends_with("Verified: integrity only, origin not checked.\n"),
        "{}",
        bare.stdout
    );
    let json = world.ledger("verify", &["--json"]).json();
    assert_eq!(json["ledger"]["check"], "integrity only, origin not checked");
    assert_eq!(
        (&json["verified"], &json["ledger"]["size"]),
        (&true.into(), &10.into())
    );
}

#[test]
fn another_key_does_not_vouch() {
    let world = World::new(&story("8"));
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    let vkey = VerifierKey::new(ORIGIN, KeyType::Ed25519, other).unwrap();
    fs::write(world.key_file(), vkey.to_string()).unwrap();
    let ran = world.with_key("verify", &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("checkpoint"), "{}", ran.stderr);
    let renamed = VerifierKey::new("elsewhere/ledger", KeyType::Ed25519, key().verifying_key()).unwrap();
    fs::write(world.key_file(), renamed.to_string()).unwrap();
    let ran = world.with_key("verify", &["--json"]);
    assert!(ran.error().contains("elsewhere/ledger"), "{}", ran.stderr);
    assert_eq!(ran.json()["exit_code"], 1);
}

#[test]
fn a_flipped_bit_in_any_file_is_found_and_named() {
    let world = World::new(&story("8"));
    let files = world.files();
    assert!(files.len() >= 3, "{:?}", files.keys());
    for (name, bytes) in &files {
        let path = world.dir().join(name);
        // Spread over the file; every position with several bits is covered in the ledger crate's own tests.
        let step = (bytes.len() / 12).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            fs::write(&path, &changed).unwrap();
            let ran = world.with_key("verify", &[]);
            assert_eq!(ran.code, 1, "{name} at {at}");
            assert!(
                ran.error().contains(name.as_str()),
                "{name} at {at}: {}",
                ran.stderr
            );
        }
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(world.with_key("verify", &[]).code, 0);
}

#[test]
fn truncated_missing_and_unknown_files_are_found_and_named() {
    let world = World::new(&story("8"));
    for (name, bytes) in world.files() {
        let path = world.dir().join(&name);
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let ran = world.with_key("verify", &[]);
        assert!(
            ran.code == 1 && ran.error().contains(&name),
            "{name}: {}",
            ran.stderr
        );
        fs::remove_file(&path).unwrap();
        let ran = world.with_key("verify", &[]);
        assert!(
            ran.code == 1 && ran.error().contains(&name),
            "{name}: {}",
            ran.stderr
        );
        fs::write(&path, &bytes).unwrap();
    }
    for unknown in [
        "notes.txt",
        "tile/entries/001",
        "tile/7/000",
        ".hidden",
        "tile/entries/000.p/10.bak",
    ] {
        let path = world.dir().join(unknown);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"x").unwrap();
        let ran = world.with_key("verify", &[]);
        assert!(
            ran.code == 1 && ran.error().contains(unknown),
            "{unknown}: {}",
            ran.stderr
        );
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(world.with_key("verify", &[]).code, 0);
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_a_file_is_refused() {
    let world = World::new(&story("8"));
    let head = world.dir().join("checkpoint");
    let outside = world.root.path().join("elsewhere");
    fs::rename(&head, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &head).unwrap();
    let ran = world.with_key("verify", &[]);
    assert!(
        ran.code == 1 && ran.error().contains("checkpoint"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_report_recomputes_what_the_privacy_command_says() {
    let world = World::new(&story("8"));
    let report = world.with_key("report", &["--json"]);
    assert_eq!(report.code, 0, "{}", report.stderr);
    let report = report.json();
    let task = &report["tasks"][0];
    // Three charges: one without outcome and one repetition included, the released attempt not.
    let epsilon = |rounds: &str| {
        tacita([
            "privacy",
            "epsilon",
            "--grid",
            "4096",
            "--dimension",
            "650",
            "--share-variance-q16",
            "5000000000000",
            "--survivors",
            "9",
            "--colluders",
            "1",
            "--delta",
            "1e-5",
            "--json",
            "--rounds",
            rounds,
        ])
        .json()
    };
    for (row, rounds) in ["1", "2", "3"].into_iter().enumerate() {
        let expected = epsilon(rounds);
        assert_eq!(
            task["rounds"][row]["epsilon_server"], expected["epsilon"],
            "{rounds}"
        );
        assert_eq!(
            task["rounds"][row]["epsilon_public"], expected["epsilon_public"],
            "{rounds}"
        );
    }
    assert_eq!(task["epsilon_server"], task["rounds"][2]["epsilon_server"]);
    assert!(task["epsilon_server"].as_f64().unwrap() > task["rounds"][0]["epsilon_server"].as_f64().unwrap());
    assert_eq!(task["delta"], 0.00001);
    assert_eq!(task["rounds"][1]["outcome"], serde_json::Value::Null);
    assert_eq!(task["rounds"][2]["repeated"], true);
    assert_eq!(report["claims_hold"], true);
    assert_eq!(report["witnessed"], false);
    let text = world.ledger("report", &[]);
    assert_eq!(text.code, 0);
    for part in [
        "integrity only, origin not checked",
        "not witnessed",
        "Not covered",
        "zero-out",
        "upper bound",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
}

#[test]
fn an_outcome_that_claims_too_little_fails_the_report_but_not_the_check() {
    let world = World::new(&story("0.0001"));
    assert_eq!(world.with_key("verify", &[]).code, 0);
    let ran = world.with_key("report", &["--json"]);
    assert_eq!(ran.code, 1);
    for line in ran.stderr.lines() {
        assert!(
            line.starts_with("error: round 1 of task digits (entry 2): claims epsilon_"),
            "{line}"
        );
    }
    assert_eq!(ran.stderr.lines().count(), 2);
    let report = ran.json();
    assert_eq!(report["claims_hold"], false);
    assert_eq!(report["findings"][0]["round"], 1);
    // The report itself does not depend on what is claimed.
    let honest = World::new(&story("8")).with_key("report", &["--json"]).json();
    assert_eq!(
        report["tasks"][0]["epsilon_server"],
        honest["tasks"][0]["epsilon_server"]
    );
}

/// Failure: a ledger that is wrong in every round buries its reader in lines on standard error, or keeps some of them to itself.
#[test]
fn many_findings_are_counted() {
    let entries: Vec<Entry> = (1..=15)
        .flat_map(|id| {
            let round = u64::from(id);
            [
                manifest(id, round),
                charge(id, round),
                outcome(id, round, "0.0001"),
            ]
        })
        .collect();
    let ran = World::new(&entries).with_key("report", &[]);
    assert_eq!(ran.code, 1);
    // Two claims an outcome.
    assert_eq!(ran.stdout.matches("claims epsilon_").count(), 30);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(
        (lines.len(), lines[10]),
        (11, "error: 20 more findings; the report lists them all")
    );
}

#[test]
fn a_missing_field_means_no_report() {
    let Entry::Manifest(bare) = manifest(1, 1) else {
        panic!()
    };
    let bare = Manifest {
        budget_epsilon: None,
        budget_delta: None,
        ..bare
    };
    let world = World::new(&[Entry::Manifest(bare), charge(1, 1)]);
    let ran = world.with_key("report", &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.error().contains("no budget_delta"), "{}", ran.stderr);
}

#[test]
fn the_report_says_who_witnessed_it() {
    let mut world = World::new(&story("8"));
    let head = world.log.published().unwrap().checkpoint().clone();
    let keys: Vec<SigningKey> = (20..27).map(|seed| SigningKey::from_bytes(&[seed; 32])).collect();
    let named: Vec<VerifierKey> = keys
        .iter()
        .enumerate()
        .map(|(i, key)| {
            VerifierKey::new(&format!("client{i}"), KeyType::CosignatureV1, key.verifying_key()).unwrap()
        })
        .collect();
    let lines: Vec<_> = keys
        .iter()
        .zip(&named)
        .map(|(key, vkey)| (head.cosign(vkey.name(), 1_700_000_100, key).unwrap(), vkey))
        .collect();
    let change = world.log.cosign(&lines).unwrap();
    world.put(&change);
    // Lines of keys that nobody vouches for are no fault and no witnesses.
    let ran = world.with_key("report", &["--json"]);
    assert_eq!(
        (ran.code, ran.json()["witnessed"].as_bool()),
        (0, Some(false)),
        "{}",
        ran.stderr
    );
    let witnesses = world.root.path().join("witnesses");
    let listed = |count: usize| {
        let text: String = named.iter().take(count).map(|key| format!("{key}\n")).collect();
        fs::write(&witnesses, format!("# participants\n{text}")).unwrap();
        world
            .with_key("report", &["--json", "--witness", witnesses.to_str().unwrap()])
            .json()
    };
    // Q = 6.
    assert_eq!(listed(5)["witnessed"], false);
    assert_eq!(listed(6)["witnessed"], true);
    assert!(
        listed(6)["witness"]
            .as_str()
            .unwrap()
            .contains("1 cosignatures without a key")
    );
    // A forged line of a listed key is an error.
    let head = fs::read_to_string(world.dir().join("checkpoint")).unwrap();
    let mut parts: Vec<String> = head.lines().map(str::to_owned).collect();
    let from = parts.iter().position(|line| line.contains(" client1 ")).unwrap();
    let to = parts.iter().position(|line| line.contains(" client0 ")).unwrap();
    let (forged, original) = (
        parts[from].rsplit_once(' ').unwrap().1.to_owned(),
        parts[to].clone(),
    );
    let (name, own) = original.rsplit_once(' ').unwrap();
    // The key id of client0 with the signature of client1: the first 4 bytes are 5 characters and a bit.
    parts[to] = format!("{name} {}{}", &own[..8], &forged[8..]);
    fs::write(world.dir().join("checkpoint"), parts.join("\n") + "\n").unwrap();
    let ran = world.with_key("verify", &["--witness", witnesses.to_str().unwrap()]);
    assert!(ran.code == 1 && ran.error().contains("client0"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_exits_with_2_and_a_missing_ledger_with_1() {
    let world = World::new(&[]);
    assert_eq!(tacita(["ledger"]).code, 2);
    assert_eq!(tacita(["ledger", "verify"]).code, 2);
    assert_eq!(world.ledger("verify", &["--key", "no-such-file"]).code, 2);
    fs::write(world.key_file(), "not a key\n").unwrap();
    assert_eq!(world.with_key("verify", &[]).code, 2);
    fs::write(world.key_file(), "").unwrap();
    assert_eq!(world.with_key("verify", &[]).code, 2);
    let gone = world.root.path().join("gone");
    let ran = tacita(["ledger", "verify", gone.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("gone"), "{}", ran.stderr);
    // An empty ledger is a ledger.
    assert_eq!(world.ledger("verify", &[]).code, 0);
    assert!(world.ledger("report", &[]).stdout.contains("No rounds."));
}
