//! Cosignatures on the head: listed, unlisted, repeated, changed.

use ed25519_dalek::SigningKey;
use tacita_ledger::checkpoint::Cosignature;
use tacita_ledger::log::LogError;
use tacita_ledger::verify::{VerifyError, VerifyOptions, verify_with};
use tacita_ledger::{KeyType, Log, MemoryFiles, VerifierKey, verify};

use crate::world::{entries, ledger, log_key, vkey};

fn witness(number: u8) -> (SigningKey, VerifierKey) {
    let key = SigningKey::from_bytes(&[100 + number; 32]);
    let name = format!("witness-{number}");
    let verifier = VerifierKey::new(&name, KeyType::CosignatureV1, key.verifying_key()).unwrap();
    (key, verifier)
}

fn cosigned(log: &Log, number: u8) -> (Cosignature, VerifierKey) {
    let (key, verifier) = witness(number);
    let head = log.published().unwrap().checkpoint();
    (
        head.cosign(verifier.name(), 1_700_000_000 + u64::from(number), &key)
            .unwrap(),
        verifier,
    )
}

/// A ledger of 70 entries whose head three witnesses cosigned.
fn witnessed() -> (Log, MemoryFiles) {
    let (mut log, mut files) = ledger(70, &[]);
    let made: Vec<_> = (0..3).map(|number| cosigned(&log, number)).collect();
    let list: Vec<_> = made
        .iter()
        .map(|(cosignature, key)| (cosignature.clone(), key))
        .collect();
    files.apply(&log.cosign(&list).unwrap());
    (log, files)
}

fn options(listed: std::ops::Range<u8>, allow_unlisted: bool) -> VerifyOptions {
    let witnesses = listed.map(|number| witness(number).1).collect();
    VerifyOptions {
        log_key: Some(vkey()),
        witnesses,
        allow_unlisted,
    }
}

#[test]
fn listed_cosignatures_are_verified_and_counted() {
    let (_, files) = witnessed();
    let verified = verify_with(&files, &options(0..3, false)).unwrap();
    assert_eq!(verified.verified_witnesses(), 3);
    assert_eq!(verified.witnesses[2].name, "witness-2");
    assert_eq!(verified.witnesses[2].time, Some(1_700_000_002));
}

#[test]
fn unlisted_cosignatures_are_an_error_unless_allowed() {
    let (_, files) = witnessed();
    assert!(matches!(
        verify(&files, Some(&vkey())),
        Err(VerifyError::UnlistedSignature { .. })
    ));
    let error = verify_with(&files, &options(0..2, false)).unwrap_err();
    assert!(error.to_string().contains("witness-2+"), "{error}");
    let verified = verify_with(&files, &options(0..2, true)).unwrap();
    assert_eq!(verified.verified_witnesses(), 2);
    assert!(!verified.witnesses[2].verified);
    assert_eq!(verified.witnesses[2].time, Some(1_700_000_002));
}

/// With every key listed, every flipped bit of a cosigned head is an error.
#[test]
fn every_bit_of_a_cosigned_head() {
    let (_, files) = witnessed();
    let options = options(0..3, false);
    let mut changed = files.clone();
    for at in 0..files.contents()["checkpoint"].len() {
        for bit in 0..8 {
            changed.contents_mut().get_mut("checkpoint").unwrap()[at] ^= 1 << bit;
            assert!(verify_with(&changed, &options).is_err(), "byte {at}, bit {bit}");
            changed.contents_mut().get_mut("checkpoint").unwrap()[at] ^= 1 << bit;
        }
    }
}

/// A listed key whose line is bad is an error even when unlisted lines are allowed.
#[test]
fn a_bad_cosignature_of_a_listed_key_is_never_ignored() {
    let (log, mut files) = ledger(3, &[]);
    let (mut cosignature, key) = cosigned(&log, 0);
    cosignature.time += 1;
    let head = log.published().unwrap();
    let bad = head.with_cosignatures(&[cosignature]).unwrap();
    files
        .contents_mut()
        .insert("checkpoint".to_owned(), bad.to_bytes());
    assert!(matches!(
        verify_with(&files, &options(0..1, true)),
        Err(VerifyError::Checkpoint(_))
    ));
    assert_eq!(key.name(), "witness-0");
}

#[test]
fn a_repeated_line_is_an_error() {
    let (log, mut files) = ledger(3, &[]);
    let (cosignature, _) = cosigned(&log, 0);
    let one = log
        .published()
        .unwrap()
        .with_cosignatures(&[cosignature])
        .unwrap()
        .to_bytes();
    let text = String::from_utf8(one).unwrap();
    let last = text.lines().last().unwrap();
    files
        .contents_mut()
        .insert("checkpoint".to_owned(), format!("{text}{last}\n").into_bytes());
    assert!(matches!(
        verify_with(&files, &options(0..1, true)),
        Err(VerifyError::RepeatedSignature { name }) if name == "witness-0"
    ));
}

#[test]
fn the_log_takes_only_cosignatures_of_its_published_head() {
    let (mut log, _) = ledger(3, &[]);
    let (old, key) = cosigned(&log, 0);
    log.append(&entries(4)[3]).unwrap();
    log.cosign(&[(old.clone(), &key)]).unwrap();
    log.publish(&log_key()).unwrap();
    assert!(matches!(log.cosign(&[(old, &key)]), Err(LogError::Checkpoint(_))));
    assert_eq!(
        log.published().unwrap().note().signatures().len(),
        1,
        "a new head starts unwitnessed"
    );
    let mut fresh = Log::create("o").unwrap();
    assert!(matches!(fresh.cosign(&[]), Err(LogError::NotPublished(_))));
}

/// Cosignatures survive a restart, and a publication without new entries.
#[test]
fn cosignatures_survive_reopening() {
    let (_, files) = witnessed();
    let (mut log, removals) = Log::open(&files, &vkey(), None).unwrap();
    assert!(removals.is_empty());
    assert_eq!(log.publish(&log_key()).unwrap(), []);
    let (fourth, key) = cosigned(&log, 3);
    let mut files = files;
    files.apply(&log.cosign(&[(fourth, &key)]).unwrap());
    assert_eq!(
        verify_with(&files, &options(0..4, false))
            .unwrap()
            .verified_witnesses(),
        4
    );
}

/// Without the log's key, listed witnesses are still verified.
#[test]
fn witnesses_without_the_log_key() {
    let (_, files) = witnessed();
    let verified = verify_with(
        &files,
        &VerifyOptions {
            log_key: None,
            ..options(0..3, false)
        },
    )
    .unwrap();
    assert!(!verified.origin_checked);
    assert_eq!(verified.verified_witnesses(), 3);
}
