//! F41: an accountant that overflows, composes wrongly, lacks a charge or gives one back. Numbers saturate upwards, a round is
//! refused where they are not certain, and the budget recomputed from the ledger equals the live value.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tacita_ledger::{Entry, Log, LogError, MemoryFiles, Release as GivenUp, VerifierKey};
use tacita_privacy::{Budget, BudgetFilter, RdpCurve, Release, SkellamRelease};
use tacita_server::Directory;
use tacita_transport::Machine;

use crate::federation::process::until;
use crate::federation::{Federation, Plan, edit, text};
use crate::running::tacita;

fn release(honest_shares: u32) -> SkellamRelease {
    SkellamRelease {
        grid: 256,
        padded: 1024,
        share_variance_q16: 497_754_702,
        honest_shares,
        shares: 50,
    }
}

/// Failure: a number that grew too large comes out small, or is taken for one that fits.
#[test]
fn numbers_saturate_upwards() {
    let curve = release(10).curve();
    let delta = "0.00001".parse().unwrap();
    let mut last = curve.epsilon(delta).unwrap();
    let mut count = 1u64;
    while let Some(more) = count.checked_mul(8) {
        count = more;
        match curve.times(count).epsilon(delta) {
            Ok(epsilon) => {
                assert!(epsilon > last, "{count} rounds");
                last = epsilon;
            }
            // Once it is too large it stays so.
            Err(_) => break,
        }
    }
    assert!(curve.times(u64::MAX).plus(&curve).epsilon(delta).is_err());
    // Without noise, and with the least noise and the most signal that fields can hold.
    assert!(
        RdpCurve::skellam(
            tacita_privacy::IntegerSensitivity::after_rounding(u32::MAX, u32::MAX),
            0
        )
        .epsilon(delta)
        .is_err()
    );
    // No count of charges makes room in a budget.
    let budget = Budget {
        epsilon: "10".parse().unwrap(),
        delta,
    };
    let mut filter = BudgetFilter::new(budget).unwrap();
    let one = Release::Skellam(release(10));
    let mut granted = 0u32;
    while let Ok(ticket) = filter.reserve(one) {
        filter.commit(ticket).unwrap();
        granted += 1;
    }
    assert!((1..1000).contains(&granted), "{granted}");
    for _ in 0..100 {
        filter.charge_regardless(one);
        assert!(filter.reserve(one).is_err());
    }
}

/// Failure: what the server believes it has spent differs from what anybody recomputes, at the end or after a restart.
#[test]
fn the_ledger_recomputes_the_live_value() {
    let federation = Federation::new(Plan {
        rounds: 3,
        epsilon: Some("10"),
        ..Plan::new(3, 3, 0)
    });
    // Two processes: the second knows of the first one's rounds from the ledger alone.
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("a round is done", || !federation.entries_of("outcome").is_empty());
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    let before = federation.entries_of("outcome").len();
    assert!(before < 3, "stopped too late to be a test");
    let mut server = federation.start_server();
    federation.finish(&mut server, &mut clients);
    let outcomes = federation.entries_of("outcome");
    let report = federation.report();
    let task = &report["tasks"][0];
    let number = |claim: &Value| claim.as_str().unwrap().parse::<f64>().unwrap();
    for (outcome, row) in outcomes.iter().zip(task["rounds"].as_array().unwrap()) {
        for view in ["epsilon_server", "epsilon_public"] {
            assert_eq!(Some(number(&outcome[view])), row[view].as_f64(), "{view}");
        }
    }
    assert_eq!((outcomes.len(), task["rounds"].as_array().unwrap().len()), (3, 3));
    let after = task["epsilon_server"].as_f64().unwrap();
    assert!(number(&outcomes[before - 1]["epsilon_server"]) < after && after <= 10.0);
    // Participants count the worst case, so no less than the ledger does.
    for client in 0..3 {
        let status = federation.status(client);
        let own: f64 = status["tasks"][0]["epsilon_spent"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(own >= after, "{own} {after}");
    }

    // A budget that the charges so far exceed: the next round is refused, whatever the configuration says.
    edit(&federation.server_config(), "rounds = 3", "rounds = 4");
    edit(&federation.server_config(), "epsilon = \"10\"", "epsilon = \"1\"");
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    assert_eq!(server.wait(), 3, "{}", server.stderr());
    assert!(server.stderr().contains("budget"), "{}", server.stderr());
    for client in &mut clients {
        client.kill();
    }
    assert_eq!(federation.entries_of("charge").len(), 3);
    tampered(&federation);
}

/// A dishonest operator, with the key, takes a charge out or gives it back.
fn tampered(federation: &Federation) {
    let key = Machine::new(&federation.server_state().join("ledger-key"))
        .key(&mut rand::rng())
        .unwrap()
        .signing_key()
        .clone();
    let pinned = federation.path().join("server/ledger.vkey");
    let vkey = VerifierKey::parse(fs::read_to_string(&pinned).unwrap().trim()).unwrap();
    let entries = tacita_ledger::verify(&Directory::new(&federation.ledger()), Some(&vkey))
        .unwrap()
        .entries;
    let at = entries
        .iter()
        .position(|e| matches!(e, Entry::Charge(_)))
        .unwrap();
    let Entry::Charge(charge) = entries[at].clone() else {
        panic!("a charge")
    };
    let given_back = Entry::Release(GivenUp {
        round_id: charge.round_id.clone(),
        round: charge.round,
        time: charge.time,
        reason: "a refund".to_owned(),
    });
    // The writer signs neither.
    let write = |entries: &[Entry]| -> Result<MemoryFiles, LogError> {
        let mut log = Log::create("tacita.test/ledger").unwrap();
        for entry in entries {
            log.append(entry)?;
        }
        let mut files = MemoryFiles::new();
        files.apply_all(&log.publish(&key)?);
        Ok(files)
    };
    assert!(write(&entries).is_ok());
    let mut missing = entries.clone();
    missing.remove(at);
    let mut refunded = entries.clone();
    refunded.insert(at + 1, given_back);
    for (changed, entry, words) in [
        (&missing, at, "no earlier charge"),
        (&refunded, at + 1, "committed charge is final"),
    ] {
        let error = write(changed).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        // Signed all the same, the auditor names the entry.
        let dir = federation.path().join("tampered");
        forge(changed, &key, &dir);
        let ran = tacita(["ledger", "report", text(&dir), "--key", text(&pinned)]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
        let said = ran.error();
        assert!(
            said.contains(&format!("entry {entry}")) && said.contains(words),
            "{said}"
        );
        fs::remove_dir_all(&dir).unwrap();
    }
}

fn forge(entries: &[Entry], key: &ed25519_dalek::SigningKey, dir: &Path) {
    use tacita_ledger::layout;
    let items: Vec<Vec<u8>> = entries.iter().map(|entry| entry.encode().unwrap()).collect();
    let leaves = items
        .iter()
        .map(|item| tacita_ledger::tree::leaf_hash(item))
        .collect();
    let tree = tacita_ledger::Tree::from_leaves(leaves);
    let head = tacita_ledger::Checkpoint {
        origin: "tacita.test/ledger".to_owned(),
        size: tree.size(),
        root: tree.root(),
    };
    let write = |path: String, bytes: Vec<u8>| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("checkpoint".to_owned(), head.sign(key).unwrap().to_bytes());
    for tile in layout::tiles(tree.size()) {
        let bundle = || layout::write_bundle(items.iter().map(Vec::as_slice));
        write(tile.path(), tile.hashes(&tree).or_else(bundle).unwrap());
    }
}
