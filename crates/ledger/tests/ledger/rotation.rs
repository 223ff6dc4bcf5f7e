//! Keys that hand the log on: followed from any pinned key, refused from strangers, and worth nothing against another fork.

use ed25519_dalek::SigningKey;
use tacita_ledger::verify::{CosignedHeadError, HeadError, VerifyError, VerifyOptions, verify_with};
use tacita_ledger::{
    Entry, KeyType, Log, LogError, MemoryFiles, Rotation, RotationError, VerifierKey, rotation, verify,
};

use crate::world::{ORIGIN, entries, ledger, log_key, vkey};

fn key(seed: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let verifier = VerifierKey::new(ORIGIN, KeyType::Ed25519, key.verifying_key()).unwrap();
    (key, verifier)
}

/// Twelve entries of rounds; after 5 and 9 entries the key changes, to those of 50s and 51s.
fn rotated() -> (Log, MemoryFiles) {
    let (mut log, mut files) = ledger(0, &[]);
    let mut signer = log_key();
    for (index, entry) in entries(12).iter().enumerate() {
        if let Some(seed) = [(5, 50), (9, 51)].iter().find(|(at, _)| *at == index) {
            let (next, verifier) = key(seed.1);
            log.rotate(&signer, &verifier, entry.time()).unwrap();
            signer = next;
            files.apply_all(&log.publish(&signer).unwrap());
        }
        log.append(entry).unwrap();
        files.apply_all(&log.publish(&signer).unwrap());
    }
    (log, files)
}

/// Failure: whoever pinned an older key, or the newest, cannot check the log any more.
#[test]
fn every_key_of_the_chain_vouches_for_the_whole_log() {
    let (_, files) = rotated();
    for pinned in [vkey(), key(50).1, key(51).1] {
        let verified = verify(&files, Some(&pinned)).unwrap();
        assert!(verified.origin_checked);
        assert_eq!(verified.entries.len(), 14);
        let sizes: Vec<u64> = verified.keys.keys().iter().map(|known| known.from).collect();
        assert_eq!(sizes, [0, 6, 11]);
        assert_eq!(verified.keys.current(), Some(&key(51).1));
        assert_eq!(verified.keys.in_force(5), Some(&vkey()));
        assert_eq!(verified.keys.in_force(6), Some(&key(50).1));
    }
    // Without a key the entries still say who must have signed the head.
    let bare = verify(&files, None).unwrap();
    assert!(!bare.origin_checked);
    assert_eq!(bare.keys.current(), Some(&key(51).1));
}

/// Failure: a stranger's log passes for the pinned one, or is refused without saying whose it is.
#[test]
fn a_foreign_key_is_named() {
    let (_, files) = rotated();
    let stranger = key(99).1;
    let error = verify(&files, Some(&stranger)).unwrap_err();
    let VerifyError::ForeignKey { pinned, found } = &error else {
        panic!("{error}")
    };
    let id = |key: &VerifierKey| format!("{ORIGIN}+{}", hex::encode(key.key_id()));
    assert_eq!(*pinned, id(&stranger));
    for known in [vkey(), key(50).1, key(51).1] {
        assert!(found.contains(&id(&known)), "{found}");
    }
}

/// A head over the rotated entries that a retired key signed.
fn head_by(seed: Option<u8>) -> MemoryFiles {
    let (log, mut files) = rotated();
    let signer = seed.map_or_else(log_key, |seed| key(seed).0);
    let head = log.published().unwrap().checkpoint().sign(&signer).unwrap();
    files
        .contents_mut()
        .insert("checkpoint".to_owned(), head.to_bytes());
    files
}

/// Failure: a key that was handed on can still sign heads.
#[test]
fn a_retired_key_signs_nothing_more() {
    for seed in [None, Some(50), Some(99)] {
        for pinned in [None, Some(vkey()), Some(key(51).1)] {
            let error = verify(&head_by(seed), pinned.as_ref()).unwrap_err();
            assert!(matches!(error, VerifyError::ForeignKey { .. }), "{error}");
        }
    }
    assert!(verify(&head_by(Some(51)), Some(&vkey())).is_ok());
}

/// Failure: the log can be taken over by an entry that its key did not sign for this very place.
#[test]
fn only_the_key_in_force_hands_over_and_only_here() {
    let (log, _) = ledger(5, &[]);
    let root = verify(&ledger(5, &[]).1, None).unwrap().tree.root();
    let next = key(50).1;
    let sign = |origin: &str, index, root: &[u8; 32], by: &SigningKey, to: &VerifierKey| {
        rotation::sign(origin, index, root, 10_000, by, to).unwrap()
    };
    let honest = sign(ORIGIN, 5, &root, &log_key(), &next);
    let refused = |rotation: Rotation| {
        let mut log = log.clone();
        let error = log.append(&Entry::Rotation(rotation)).unwrap_err();
        assert_eq!(log.keys(), ledger(5, &[]).0.keys(), "the chain is as it was");
        match error {
            LogError::Rotation(source) => source,
            other => panic!("{other}"),
        }
    };
    let another = |seed: u8| {
        let key = SigningKey::from_bytes(&[seed; 32]).verifying_key();
        VerifierKey::new("elsewhere", KeyType::Ed25519, key).unwrap()
    };
    assert!(matches!(
        refused(sign(ORIGIN, 5, &root, &key(99).0, &next)),
        RotationError::ForeignKey { .. }
    ));
    assert!(matches!(
        refused(sign("elsewhere", 5, &root, &log_key(), &another(50))),
        RotationError::OtherOrigin { .. }
    ));
    for wrong in [
        sign(ORIGIN, 4, &root, &log_key(), &next),
        sign(ORIGIN, 5, &[0; 32], &log_key(), &next),
        Rotation {
            next_key: key(51).1.to_string(),
            ..honest.clone()
        },
        Rotation {
            signature: "00".repeat(64),
            ..honest.clone()
        },
    ] {
        assert!(matches!(refused(wrong), RotationError::BadSignature { .. }));
    }
    // A retired key never comes back.
    let mut log = log.clone();
    log.append(&Entry::Rotation(honest)).unwrap();
    let back = log.rotate(&key(50).0, &vkey(), 10_000).unwrap_err();
    assert!(
        matches!(back, LogError::Rotation(RotationError::Repeated { .. })),
        "{back}"
    );
    assert!(matches!(log.publish(&log_key()), Err(LogError::OtherKey { .. })));
    log.publish(&key(50).0).unwrap();
}

/// Failure: the auditor takes what the writer would refuse.
#[test]
fn the_auditor_locates_a_forged_rotation() {
    let (_, files) = rotated();
    let path = "tile/entries/000.p/14";
    let text = String::from_utf8_lossy(&files.contents()[path]).into_owned();
    let at = text.find("\"signature\":\"").unwrap() + "\"signature\":\"".len();
    let mut bytes: Vec<Vec<u8>> = tacita_ledger::layout::read_bundle(&files.contents()[path], 14)
        .unwrap()
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect();
    let entry = String::from_utf8(bytes[5].clone()).unwrap();
    assert!(entry.contains(&text[at..at + 20]));
    let old = if entry.contains("\"signature\":\"0") {
        '0'
    } else {
        ' '
    };
    let digit = entry.find("\"signature\":\"").unwrap() + "\"signature\":\"".len();
    let new = if old == '0' { '1' } else { '0' };
    let mut forged = entry;
    forged.replace_range(digit..=digit, &new.to_string());
    bytes[5] = forged.into_bytes();
    // Tiles and head are made to fit: the operator of the last key can do that.
    let leaves = bytes
        .iter()
        .map(|entry| tacita_ledger::tree::leaf_hash(entry))
        .collect();
    let tree = tacita_ledger::Tree::from_leaves(leaves);
    let head = tacita_ledger::Checkpoint {
        origin: ORIGIN.to_owned(),
        size: 14,
        root: tree.root(),
    };
    let mut changed = files.clone();
    let all = changed.contents_mut();
    all.insert(
        path.to_owned(),
        tacita_ledger::layout::write_bundle(bytes.iter().map(Vec::as_slice)).unwrap(),
    );
    for tile in tacita_ledger::layout::tiles(14).filter(|tile| tile.level.is_some()) {
        all.insert(tile.path(), tile.hashes(&tree).unwrap());
    }
    all.insert("checkpoint".to_owned(), head.sign(&key(51).0).unwrap().to_bytes());
    let error = verify(&changed, Some(&vkey())).unwrap_err();
    assert!(
        matches!(&error, VerifyError::Rotation { file, index: 5, .. } if file == path),
        "{error}"
    );
}

/// Failure: after a rotation the server cannot start, or starts with a key that it handed on.
#[test]
fn the_writer_opens_with_the_key_in_force_alone() {
    let (_, files) = rotated();
    let (mut log, _) = Log::open(&files, &key(51).1, None).unwrap();
    log.append(&entries(13)[12]).unwrap();
    log.publish(&key(51).0).unwrap();
    for old in [vkey(), key(50).1] {
        assert!(matches!(
            Log::open(&files, &old, None),
            Err(LogError::OtherKey { .. })
        ));
    }
}

/// A crash between the rotation's files and its head leaves the log with its old key, to be rotated again.
#[test]
fn every_crash_point_of_a_rotation() {
    let (mut log, before) = ledger(5, &[]);
    log.rotate(&log_key(), &key(50).1, 10_000).unwrap();
    let changes = log.publish(&key(50).0).unwrap();
    for done in 0..=changes.len() {
        let mut files = before.clone();
        files.apply_all(&changes[..done]);
        let opened: Vec<_> = [vkey(), key(50).1]
            .iter()
            .filter_map(|key| Log::open(&files, key, None).ok())
            .collect();
        assert_eq!(opened.len(), 1, "after {done} changes");
    }
}

/// Failure: a head that witnesses cosigned before a rotation counts for nothing after it, or one of a fork counts.
#[test]
fn a_cosigned_head_from_before_still_counts() {
    let (log, files) = ledger(4, &[]);
    let witness = SigningKey::from_bytes(&[77; 32]);
    let listed = VerifierKey::new("witness", KeyType::CosignatureV1, witness.verifying_key()).unwrap();
    let head = log.published().unwrap();
    let cosign = |head: &tacita_ledger::SignedCheckpoint| {
        let line = head.checkpoint().cosign("witness", 5, &witness).unwrap();
        head.with_cosignatures(&[line]).unwrap().to_bytes()
    };
    let note = cosign(head);
    let (_, files) = (drop(files), rotated().1);
    let verified = verify(&files, Some(&vkey())).unwrap();
    let found = verified
        .cosigned_head(&note, std::slice::from_ref(&listed))
        .unwrap();
    assert_eq!((found.checkpoint.size, found.witnesses[0].verified), (4, true));
    let unlisted = verified.cosigned_head(&note, &[]).unwrap();
    assert!(!unlisted.witnesses[0].verified);

    // Signed by a key that was not in force yet, or of another history.
    let early = head.checkpoint().sign(&key(50).0).unwrap();
    assert!(matches!(
        verified.cosigned_head(&cosign(&early), std::slice::from_ref(&listed)),
        Err(CosignedHeadError::Note(VerifyError::ForeignKey { .. }))
    ));
    let (mut fork, _) = ledger(3, &[]);
    fork.append(&entries(4)[0]).unwrap_err();
    fork.append(&Entry::Manifest(crate::world::manifest(3))).unwrap();
    fork.publish(&log_key()).unwrap();
    assert!(matches!(
        verified.cosigned_head(&cosign(fork.published().unwrap()), &[]),
        Err(CosignedHeadError::Head(HeadError::Forked { size: 4 }))
    ));
}

/// Lines by other keys in the log's name stay what they were: an error unless unlisted lines are allowed.
#[test]
fn a_second_line_in_the_logs_name_is_not_the_logs() {
    let (log, mut files) = rotated();
    let head = log.published().unwrap();
    let by_old = head.checkpoint().sign(&log_key()).unwrap();
    let text = String::from_utf8(head.to_bytes()).unwrap();
    let line = String::from_utf8(by_old.to_bytes()).unwrap();
    let both = format!("{text}{}\n", line.lines().last().unwrap());
    files
        .contents_mut()
        .insert("checkpoint".to_owned(), both.into_bytes());
    assert!(matches!(
        verify(&files, Some(&vkey())),
        Err(VerifyError::UnlistedSignature { .. })
    ));
    let options = VerifyOptions {
        log_key: Some(vkey()),
        allow_unlisted: true,
        ..VerifyOptions::default()
    };
    assert!(verify_with(&files, &options).is_ok());
}
