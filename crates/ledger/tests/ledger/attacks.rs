//! A dishonest operator, who holds the log's key and so can sign any tree over any bytes.

use tacita_ledger::layout::{self, write_bundle};
use tacita_ledger::tree::{Tree, leaf_hash};
use tacita_ledger::verify::{HeadError, VerifyError};
use tacita_ledger::{Checkpoint, Entry, EntryError, MemoryFiles, RulesError, verify};

use crate::world::{ORIGIN, charge, charge_of, entries, ledger, log_key, manifest, outcome, release, vkey};

/// A directory with a valid head over arbitrary bytes, fewer than 256 items.
fn signed(items: &[Vec<u8>]) -> MemoryFiles {
    let tree = Tree::from_leaves(items.iter().map(|bytes| leaf_hash(bytes)).collect());
    let head = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: tree.size(),
        root: tree.root(),
    };
    let mut files = MemoryFiles::new();
    let all = files.contents_mut();
    all.insert("checkpoint".to_owned(), head.sign(&log_key()).unwrap().to_bytes());
    for tile in layout::tiles(tree.size()) {
        let bytes = tile
            .hashes(&tree)
            .or_else(|| write_bundle(items.iter().map(Vec::as_slice)));
        all.insert(tile.path(), bytes.unwrap());
    }
    files
}

fn text(entry: &Entry) -> String {
    String::from_utf8(entry.encode().unwrap()).unwrap()
}

fn verdict(items: &[String]) -> VerifyError {
    let items: Vec<Vec<u8>> = items.iter().map(|item| item.clone().into_bytes()).collect();
    verify(&signed(&items), Some(&vkey())).unwrap_err()
}

fn file(count: usize) -> String {
    format!("tile/entries/000.p/{count}")
}

#[test]
fn the_forge_itself_makes_valid_ledgers() {
    let items: Vec<Vec<u8>> = entries(70).iter().map(|entry| entry.encode().unwrap()).collect();
    assert_eq!(signed(&items), ledger(70, &[]).1);
}

#[test]
fn a_wrong_statement_is_named_with_its_entry() {
    let honest = text(&Entry::Charge(charge(0)));
    let forged = honest.replacen("\"survivors\":\"df03\"", "\"survivors\":\"bf03\"", 1);
    assert_ne!(honest, forged);
    let error = verdict(&[text(&Entry::Manifest(manifest(0))), forged]);
    let source = EntryError::Field {
        field: "statement",
        wrong: "is not the digest of the fields that it covers",
    };
    assert_eq!(
        error,
        VerifyError::Entry {
            file: file(2),
            index: 1,
            source
        }
    );
    assert_eq!(
        error.to_string(),
        "tile/entries/000.p/2: entry 1: field statement: is not the digest of the fields that it covers"
    );
}

#[test]
fn entries_in_another_form_are_refused() {
    let honest = text(&Entry::Manifest(manifest(0)));
    for forged in [
        honest.replacen(",", ", ", 1),
        honest.replacen("{", "{\"z\":1,", 1),
        String::new(),
    ] {
        assert!(matches!(verdict(&[forged]), VerifyError::Entry { index: 0, .. }));
    }
}

#[test]
fn every_rule_is_applied() {
    let m = Entry::Manifest;
    let c = Entry::Charge;
    let late = Entry::Release(tacita_ledger::Release {
        time: 99,
        ..release(0)
    });
    let cases = [
        (vec![c(charge(0))], RulesError::NoManifest),
        (
            vec![m(manifest(0)), Entry::Outcome(outcome(0))],
            RulesError::NoCharge,
        ),
        (
            vec![m(manifest(0)), c(charge(0)), late],
            RulesError::ReleaseAfterCharge { earlier: 1 },
        ),
        (
            vec![m(manifest(0)), c(charge(0)), c(charge(0))],
            RulesError::RepeatedCharge { earlier: 1 },
        ),
        (
            vec![m(manifest(0)), c(charge(0)), c(charge_of(0, [0xff, 1]))],
            RulesError::Fork { earlier: 1 },
        ),
        (
            vec![m(manifest(1)), m(manifest(0))],
            RulesError::TimeGoesBack {
                time: 0,
                previous: 10,
            },
        ),
        (
            vec![m(manifest(0)), c(charge_of(0, [0x7f, 0]))],
            RulesError::TooFewSurvivors {
                survivors: 7,
                minimum: 8,
                earlier: 0,
            },
        ),
    ];
    for (list, source) in cases {
        let items: Vec<String> = list.iter().map(text).collect();
        let index = items.len() as u64 - 1;
        assert_eq!(
            verdict(&items),
            VerifyError::Rule {
                file: file(items.len()),
                index,
                source
            }
        );
    }
}

/// The operator drops an old charge and signs again: the ledger passes by itself, but no longer contains the
/// head that a client kept.
#[test]
fn a_rewritten_history_does_not_contain_an_earlier_head() {
    let (log, _) = ledger(9, &[]);
    let kept = log.published().unwrap().checkpoint().clone();
    let rewritten: Vec<Vec<u8>> = entries(15)
        .iter()
        .skip(3)
        .map(|entry| entry.encode().unwrap())
        .collect();
    let verified = verify(&signed(&rewritten), Some(&vkey())).unwrap();
    assert_eq!(verified.contains_head(&kept), Err(HeadError::Forked { size: 9 }));
    let honest = verify(&ledger(15, &[]).1, Some(&vkey())).unwrap();
    assert_eq!(honest.contains_head(&kept), Ok(()));
    let short = verify(&ledger(8, &[]).1, Some(&vkey())).unwrap();
    assert_eq!(
        short.contains_head(&kept),
        Err(HeadError::RolledBack { earlier: 9, size: 8 })
    );
    let foreign = Checkpoint {
        origin: "other".to_owned(),
        ..kept
    };
    assert!(matches!(
        honest.contains_head(&foreign),
        Err(HeadError::OtherOrigin { .. })
    ));
}

/// A head that claims 2^62 entries is refused from the names alone.
#[test]
fn a_huge_claimed_size_costs_nothing() {
    let (_, mut files) = ledger(70, &[]);
    let head = Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 1 << 62,
        root: [1; 32],
    };
    files
        .contents_mut()
        .insert("checkpoint".to_owned(), head.sign(&log_key()).unwrap().to_bytes());
    assert_eq!(
        verify(&files, Some(&vkey())).unwrap_err(),
        VerifyError::Missing {
            file: "tile/entries/000".to_owned()
        }
    );
}
