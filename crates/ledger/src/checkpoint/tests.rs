//! A public log's checkpoint with a public witness's cosignature, and our own in every malformed shape.

use super::*;

/// Published by a Certificate Transparency staging log and cosigned by public witnesses.
const REAL: &str = "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n\
\u{2014} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n\
\u{2014} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\
\u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n";
const REAL_LOG: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const REAL_WITNESS: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn head() -> Checkpoint {
    Checkpoint {
        origin: "tacita.example/log".to_owned(),
        size: 17,
        root: [9; 32],
    }
}

fn log_key() -> VerifierKey {
    VerifierKey::new("tacita.example/log", KeyType::Ed25519, key(1).verifying_key()).unwrap()
}

fn witness_key() -> VerifierKey {
    VerifierKey::new("alice", KeyType::CosignatureV1, key(2).verifying_key()).unwrap()
}

#[test]
fn a_real_checkpoint_verifies() {
    let log = VerifierKey::parse(REAL_LOG).unwrap();
    let signed = SignedCheckpoint::verify(REAL.as_bytes(), &log).unwrap();
    assert_eq!(signed.checkpoint().size, 1_432_088_532);
    assert_eq!(signed.to_bytes(), REAL.as_bytes());
    let witness = VerifierKey::parse(REAL_WITNESS).unwrap();
    let cosignature = signed.cosignature_of(&witness).unwrap();
    assert_eq!(cosignature.time, 0x6a12_2120);
    let other =
        SignedCheckpoint::parse_unverified(REAL.replace("1432088532", "1432088533").as_bytes()).unwrap();
    assert!(other.check(&log).is_err());
    assert!(other.cosignature_of(&witness).is_err());
}

#[test]
fn sign_cosign_and_read_back() {
    let signed = head().sign(&key(1)).unwrap();
    let cosignature = head().cosign("alice", 1_700_000_000, &key(2)).unwrap();
    cosignature.verify(&head(), &witness_key()).unwrap();
    let both = signed
        .with_cosignatures(std::slice::from_ref(&cosignature))
        .unwrap();
    let read = SignedCheckpoint::verify(&both.to_bytes(), &log_key()).unwrap();
    assert_eq!(read, both);
    assert_eq!(read.cosignature_of(&witness_key()).unwrap(), cosignature);
    assert_eq!(
        signed.cosignature_of(&witness_key()),
        Err(NoteError::Missing { name: "alice".into() }.into())
    );
    // A later cosignature replaces the earlier one; the log's own line stays first.
    let later = head().cosign("alice", 1_700_000_001, &key(2)).unwrap();
    let replaced = both.with_cosignatures(&[later]).unwrap();
    assert_eq!(replaced.note().signatures().len(), 2);
    assert_eq!(
        replaced.cosignature_of(&witness_key()).unwrap().time,
        1_700_000_001
    );
    replaced.check(&log_key()).unwrap();
}

#[test]
fn a_cosignature_covers_its_time_and_its_head() {
    let cosignature = head().cosign("alice", 7, &key(2)).unwrap();
    for other in [
        Checkpoint { size: 18, ..head() },
        Checkpoint {
            root: [8; 32],
            ..head()
        },
        Checkpoint {
            origin: "tacita.example/lag".to_owned(),
            ..head()
        },
    ] {
        assert!(cosignature.verify(&other, &witness_key()).is_err());
    }
    let mut moved = cosignature.clone();
    moved.time = 8;
    assert!(moved.verify(&head(), &witness_key()).is_err());
    let mut renamed = cosignature.clone();
    renamed.name = "bob".to_owned();
    assert!(renamed.verify(&head(), &witness_key()).is_err());
    // The same key under type 0x01 is another key.
    let plain = VerifierKey::new("alice", KeyType::Ed25519, key(2).verifying_key()).unwrap();
    assert_eq!(
        cosignature.verify(&head(), &plain),
        Err(NoteError::WrongType { name: "alice".into() }.into())
    );
    // A log signature is no cosignature of the same key, and the other way round.
    let signed = head().sign(&key(2)).unwrap();
    assert!(Cosignature::from_line(&signed.note().signatures()[0]).is_err());
    assert!(head().cosign("alice", MAX_TIME + 1, &key(2)).is_err());
}

#[test]
fn the_origin_is_the_key_name() {
    let signed = head().sign(&key(1)).unwrap();
    let other = VerifierKey::new("other", KeyType::Ed25519, key(1).verifying_key()).unwrap();
    assert!(matches!(
        signed.check(&other),
        Err(CheckpointError::OtherOrigin { .. })
    ));
    let stolen = VerifierKey::new("tacita.example/log", KeyType::Ed25519, key(3).verifying_key()).unwrap();
    assert!(matches!(
        signed.check(&stolen),
        Err(CheckpointError::Note(NoteError::Missing { .. }))
    ));
    assert_eq!(
        Checkpoint {
            origin: "a b".into(),
            ..head()
        }
        .sign(&key(1)),
        Err(CheckpointError::Origin)
    );
}

#[test]
fn only_the_exact_body_parses() {
    let good = head().body();
    assert_eq!(Checkpoint::parse_body(&good).unwrap(), head());
    let root = STANDARD.encode([9u8; 32]);
    let parse = |text: String| Checkpoint::parse_body(&text).unwrap_err();
    assert_eq!(parse(good.trim_end().to_owned()), CheckpointError::Lines);
    assert_eq!(
        parse(format!("o\n17\n{root}\nextension\n")),
        CheckpointError::Lines
    );
    assert_eq!(parse(format!("o\n17\n{root}\n\n")), CheckpointError::Lines);
    assert_eq!(parse("o\n17\n".to_owned()), CheckpointError::Lines);
    assert_eq!(parse(format!("\n17\n{root}\n")), CheckpointError::Origin);
    for size in [
        "",
        "017",
        "00",
        "+17",
        "-1",
        "0x11",
        "17 ",
        "1_7",
        "9223372036854775808",
        "18446744073709551616",
    ] {
        assert_eq!(
            parse(format!("o\n{size}\n{root}\n")),
            CheckpointError::Size,
            "{size}"
        );
    }
    for root in [
        "",
        "AAAA",
        &root[..43],
        &format!("{root}="),
        &root.replace('=', "B"),
    ] {
        assert_eq!(parse(format!("o\n17\n{root}\n")), CheckpointError::Root, "{root}");
    }
    assert_eq!(parse(format!("o\n0\n{root}\n")), CheckpointError::Root);
    let empty = Checkpoint {
        origin: "o".into(),
        size: 0,
        root: empty_root(),
    };
    assert_eq!(Checkpoint::parse_body(&empty.body()).unwrap(), empty);
}

/// Failure: the cosignatures of the largest cohort do not fit a note, so that no round of it can ever be called witnessed.
#[test]
fn the_cosignatures_of_a_cohort_fit() {
    let signed = head().sign(&key(1)).unwrap();
    let cosignature = |index: usize| Cosignature {
        name: format!("tacita:client:member-{index:043}"),
        key_id: [0; 4],
        time: 1,
        signature: [1; 64],
    };
    let cohort: Vec<Cosignature> = (0..10_000).map(cosignature).collect();
    let note = signed.with_cosignatures(&cohort).unwrap();
    assert_eq!(cohort[0].name.len(), 64);
    assert_eq!(note.note.signatures().len(), 10_001);
    assert_eq!(
        SignedCheckpoint::parse_unverified(&note.to_bytes()).unwrap(),
        note
    );
    // A second time each takes its own place.
    assert_eq!(note.with_cosignatures(&cohort).unwrap(), note);
    // Longer in bytes, and in lines with the log's own.
    for count in [12_100, 16_384] {
        let many: Vec<Cosignature> = (0..count).map(cosignature).collect();
        assert!(signed.with_cosignatures(&many).is_err(), "{count}");
    }
}
