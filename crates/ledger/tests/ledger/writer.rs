//! Appending, publishing, reopening, and every crash in between.

use tacita_ledger::files::FileChange;
use tacita_ledger::log::LogError;
use tacita_ledger::tree::{self, verify_consistency, verify_inclusion};
use tacita_ledger::verify::HeadError;
use tacita_ledger::{Entry, Log, MemoryFiles, RulesError, VerifyError, verify};

use crate::world::{ORIGIN, charge, charge_of, entries, ledger, log_key, manifest, vkey};

/// Publishing after every single entry, past a full tile: the directory always holds exactly what the auditor
/// expects, and the proofs lead from every head to the next.
#[test]
fn every_head_up_to_520_verifies_and_extends_the_last() {
    let mut log = Log::create(ORIGIN).unwrap();
    let mut files = MemoryFiles::new();
    files.apply_all(&log.publish(&log_key()).unwrap());
    let mut last = verify(&files, Some(&vkey())).unwrap().checkpoint().clone();
    for (index, entry) in entries(520).iter().enumerate() {
        log.append(entry).unwrap();
        files.apply_all(&log.publish(&log_key()).unwrap());
        let head = log.published().unwrap().checkpoint().clone();
        let proof = log.consistency_proof(last.size).unwrap();
        verify_consistency(last.size, &last.root, head.size, &head.root, &proof).unwrap();
        let leaf = tree::leaf_hash(&entry.encode().unwrap());
        let proof = log.inclusion_proof(index as u64).unwrap();
        verify_inclusion(&leaf, index as u64, head.size, &proof, &head.root).unwrap();
        last = head;
        if index % 16 == 15 || index > 510 {
            let verified = verify(&files, Some(&vkey())).unwrap();
            assert_eq!(verified.entries, entries(index + 1));
            assert_eq!(verified.checkpoint(), &last);
            assert!(verified.origin_checked);
        }
    }
    let names: Vec<&str> = files.contents().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "checkpoint",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/8",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/8",
        ]
    );
}

/// However the entries are grouped into publications, the same files result.
#[test]
fn the_directory_depends_on_the_entries_alone() {
    let (_, whole) = ledger(600, &[]);
    for heads in [&[1, 2, 3, 255, 256, 257, 511, 512][..], &[256], &[300], &[0, 599]] {
        assert_eq!(ledger(600, heads).1, whole, "{heads:?}");
    }
}

#[test]
fn reopening_continues_where_the_head_is() {
    for size in [0, 1, 70, 255, 256, 257, 512] {
        let (_, mut files) = ledger(size, &[]);
        let (mut log, changes) = Log::open(&files, &vkey(), None).unwrap();
        assert!(changes.is_empty());
        assert_eq!(log.size(), size as u64);
        assert_eq!(log.publish(&log_key()).unwrap(), [], "nothing new to sign");
        for entry in &entries(size + 300)[size..] {
            log.append(entry).unwrap();
        }
        files.apply_all(&log.publish(&log_key()).unwrap());
        assert_eq!(files, ledger(size + 300, &[]).1, "reopened at {size}");
    }
}

/// A crash after any prefix of the changes leaves the old head or the new one, and a directory that opens.
#[test]
fn every_crash_point_of_a_publication() {
    for (from, to) in [
        (0, 1),
        (3, 5),
        (70, 71),
        (250, 260),
        (255, 256),
        (256, 257),
        (200, 700),
    ] {
        let (log, before) = ledger(from, &[]);
        let mut after = log.clone();
        for entry in &entries(to)[from..] {
            after.append(entry).unwrap();
        }
        let changes = after.publish(&log_key()).unwrap();
        let head = changes
            .iter()
            .position(|change| change.path() == "checkpoint")
            .unwrap();
        for cut in 0..=changes.len() {
            let mut files = before.clone();
            files.apply_all(&changes[..cut]);
            let (mut log, removals) = Log::open(&files, &vkey(), None).unwrap();
            let expected = if cut > head { to } else { from };
            assert_eq!(log.size(), expected as u64, "{from} to {to}, cut at {cut}");
            files.apply_all(&removals);
            assert_eq!(verify(&files, Some(&vkey())).unwrap().entries.len(), expected);
            // Other entries than those that were lost may follow: nothing of them was ever signed.
            for entry in &entries(to)[expected..] {
                log.append(entry).unwrap();
            }
            files.apply_all(&log.publish(&log_key()).unwrap());
            assert_eq!(files, ledger(to, &[]).1);
        }
    }
}

/// The very first publication: whatever prefix is on disk, it is either nothing or a ledger.
#[test]
fn the_first_publication_starts_with_an_empty_head() {
    let mut log = Log::create(ORIGIN).unwrap();
    for entry in entries(300) {
        log.append(&entry).unwrap();
    }
    let changes = log.publish(&log_key()).unwrap();
    for cut in 1..=changes.len() {
        let mut files = MemoryFiles::new();
        files.apply_all(&changes[..cut]);
        let (_, removals) = Log::open(&files, &vkey(), None).unwrap();
        files.apply_all(&removals);
        verify(&files, Some(&vkey())).unwrap();
    }
    let missing = VerifyError::Missing {
        file: "checkpoint".to_owned(),
    };
    assert_eq!(
        Log::open(&MemoryFiles::new(), &vkey(), None).unwrap_err(),
        LogError::Verify(missing)
    );
}

/// Tiles are written before the head that needs them, and removed only after it.
#[test]
fn changes_come_in_crash_safe_order() {
    let (mut log, _) = ledger(250, &[]);
    for entry in &entries(260)[250..] {
        log.append(entry).unwrap();
    }
    let changes = log.publish(&log_key()).unwrap();
    let order: Vec<String> = changes
        .iter()
        .map(|change| match change {
            FileChange::Write { path, .. } => format!("+{path}"),
            FileChange::Remove { path } => format!("-{path}"),
        })
        .collect();
    assert_eq!(
        order,
        [
            "+tile/entries/000",
            "+tile/entries/001.p/4",
            "+tile/0/000",
            "+tile/0/001.p/4",
            "+tile/1/000.p/1",
            "+checkpoint",
            "-tile/entries/000.p/250",
            "-tile/0/000.p/250",
        ]
    );
}

#[test]
fn a_damaged_directory_is_never_signed_again() {
    let (_, files) = ledger(70, &[]);
    for path in files.contents().keys() {
        let mut damaged = files.clone();
        let bytes = damaged.contents_mut().get_mut(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        let error = Log::open(&damaged, &vkey(), None).unwrap_err();
        assert!(matches!(error, LogError::Verify(_)), "{path}: {error}");
        let mut missing = files.clone();
        missing.contents_mut().remove(path);
        assert_eq!(
            Log::open(&missing, &vkey(), None).unwrap_err(),
            LogError::Verify(VerifyError::Missing { file: path.clone() })
        );
    }
    let mut foreign = files.clone();
    foreign
        .contents_mut()
        .insert("tile/0/readme".to_owned(), Vec::new());
    assert_eq!(
        Log::open(&foreign, &vkey(), None).unwrap_err(),
        LogError::Verify(VerifyError::Unknown {
            file: "tile/0/readme".to_owned()
        })
    );
}

/// A restored backup, or another history, is noticed when the last signed head is known.
#[test]
fn a_directory_behind_the_last_known_head_is_refused() {
    let (log, _) = ledger(70, &[]);
    let last = log.published().unwrap().checkpoint().clone();
    let (_, old) = ledger(69, &[]);
    assert_eq!(
        Log::open(&old, &vkey(), Some(&last)).unwrap_err(),
        LogError::Head(HeadError::RolledBack {
            earlier: 70,
            size: 69
        })
    );
    let mut other = Log::create(ORIGIN).unwrap();
    for entry in entries(71).iter().skip(3) {
        other.append(entry).unwrap();
    }
    for entry in [manifest(90), manifest(91), manifest(92)] {
        other.append(&Entry::Manifest(entry)).unwrap();
    }
    let mut files = MemoryFiles::new();
    files.apply_all(&other.publish(&log_key()).unwrap());
    assert_eq!(
        Log::open(&files, &vkey(), Some(&last)).unwrap_err(),
        LogError::Head(HeadError::Forked { size: 70 })
    );
    let (_, same) = ledger(71, &[]);
    Log::open(&same, &vkey(), Some(&last)).unwrap();
}

#[test]
fn another_key_does_not_sign_on_top() {
    let (mut log, _) = ledger(3, &[]);
    log.append(&entries(4)[3]).unwrap();
    let other = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let error = log.publish(&other).unwrap_err();
    assert!(matches!(error, LogError::OtherKey { .. }), "{error}");
    let id = hex::encode(vkey().key_id());
    assert!(error.to_string().contains(&format!("{ORIGIN}+{id}")), "{error}");
    log.publish(&log_key()).unwrap();
}

/// The writer applies the auditor's rules, so it cannot produce a ledger that fails.
#[test]
fn a_refused_entry_leaves_the_log_as_it_was() {
    let (mut log, files) = ledger(2, &[]);
    let second = Entry::Charge(charge_of(0, [0xff, 0x01]));
    let fork = LogError::Rule {
        index: 2,
        source: RulesError::Fork { earlier: 1 },
    };
    assert_eq!(log.append(&second).unwrap_err(), fork);
    let mut broken = charge(0);
    broken.survivor_count = 10;
    assert!(matches!(
        log.append(&Entry::Charge(broken)).unwrap_err(),
        LogError::Entry { index: 2, .. }
    ));
    assert_eq!(log.publish(&log_key()).unwrap(), []);
    assert_eq!(verify(&files, Some(&vkey())).unwrap().entries.len(), 2);
}

#[test]
fn proofs_are_of_the_published_head_only() {
    let mut fresh = Log::create(ORIGIN).unwrap();
    fresh.append(&entries(1)[0]).unwrap();
    assert!(matches!(fresh.inclusion_proof(0), Err(LogError::NotPublished(_))));
    assert!(matches!(
        fresh.consistency_proof(0),
        Err(LogError::NotPublished(_))
    ));
    let (mut log, _) = ledger(5, &[]);
    log.append(&entries(6)[5]).unwrap();
    assert!(log.inclusion_proof(4).is_ok());
    assert!(matches!(log.inclusion_proof(5), Err(LogError::NotPublished(_))));
    assert!(matches!(log.consistency_proof(6), Err(LogError::NotPublished(_))));
}
