//! Golden texts of each kind, exact round trips, and a refusal for every field.

mod joint;
mod records;
mod rotation;
mod statement;

use rotation::rotation;

use super::*;

/// The hex digest that repeats one byte.
pub(crate) fn digest(byte: u8) -> String {
    hex::encode([byte; 32])
}

/// A manifest for attempt `id` with n = 10, c = 1, m = 8.
pub(crate) fn manifest(id: u8) -> Manifest {
    Manifest {
        task: "digits".to_owned(),
        round: 1,
        round_id: digest(id),
        manifest_digest: digest(id ^ 0x80),
        time: 1_700_000_000,
        cohort: 10,
        colluders: 1,
        minimum_survivors: 8,
        neighbours: 9,
        threshold: 6,
        quorum: 6,
        bits: 32,
        dimension: 650,
        padded: 1024,
        clip: "1".to_owned(),
        grid: 4096,
        mechanism: Mechanism::Skellam,
        share_variance_q16: "153391689".to_owned(),
        noise_levels: None,
        update_clip: None,
        metrics: None,
        clip_rule: None,
        count_scale: None,
        unit: Unit::Client,
        adjacency: Adjacency::ZeroOut,
        sampling: None,
        largest_records: None,
        budget_epsilon: Some("8".to_owned()),
        budget_delta: Some("0.00001".to_owned()),
        planned_rounds: 20,
        model_digest: digest(0x11),
    }
}

/// The charge of attempt `id` with n' = 9 and all but roster index 2 surviving.
pub(crate) fn charge(id: u8) -> Charge {
    let survivors = [0xfb, 0x01];
    let statement = statement_digest(&[id ^ 0x80; 32], &[0x22; 32], &[0x33; 32], 9, &survivors);
    Charge {
        task: "digits".to_owned(),
        round: 1,
        round_id: digest(id),
        time: 1_700_000_060,
        manifest_digest: digest(id ^ 0x80),
        roster_root: digest(0x22),
        sharers_digest: digest(0x33),
        roster_size: 9,
        survivors: hex::encode(survivors),
        statement: hex::encode(statement),
        survivor_count: 8,
        uploads_root: digest(0x66),
    }
}

/// The outcome of attempt `id`.
pub(crate) fn outcome(id: u8) -> Outcome {
    Outcome {
        round_id: digest(id),
        round: 1,
        time: 1_700_000_090,
        survivor_count: 8,
        responders: 7,
        noise_variance_q16: "1227133512".to_owned(),
        sum_digest: digest(0x44),
        model_digest: digest(0x55),
        accuracy: Some("0.8125".to_owned()),
        loss: None,
        federated_accuracy: None,
        federated_loss: None,
        federated_error: None,
        within_clip: None,
        epsilon_server: Some("0.91".to_owned()),
        epsilon_public: Some("0.85".to_owned()),
    }
}

/// The release of attempt `id`.
pub(crate) fn release(id: u8) -> Release {
    Release {
        round_id: digest(id),
        round: 1,
        time: 1_700_000_030,
        reason: "too few clients joined: 6 of 8".to_owned(),
    }
}

fn all() -> [Entry; 5] {
    [
        Entry::Manifest(manifest(1)),
        Entry::Charge(charge(1)),
        Entry::Outcome(outcome(1)),
        Entry::Release(release(2)),
        Entry::Rotation(rotation()),
    ]
}

/// The five example entries of the specification, byte for byte.
#[test]
fn golden_texts() {
    let golden = include_str!("../../tests/golden/entries.txt");
    let lines: Vec<&str> = golden.lines().collect();
    assert_eq!(lines.len(), 5);
    for (entry, line) in all().iter().zip(lines) {
        assert_eq!(String::from_utf8(entry.encode().unwrap()).unwrap(), line);
        assert_eq!(&Entry::decode(line.as_bytes()).unwrap(), entry);
    }
}

#[test]
fn the_specification_prints_the_golden_texts() {
    let page = include_str!("../../../../protocol-spec/06-ledger.md");
    for line in include_str!("../../tests/golden/entries.txt").lines() {
        assert!(page.contains(line), "{line}");
    }
}

#[test]
fn every_changed_bit_and_cut_is_refused_or_another_entry() {
    for entry in all() {
        let bytes = entry.encode().unwrap();
        for at in 0..bytes.len() {
            assert!(Entry::decode(&bytes[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                if let Ok(other) = Entry::decode(&changed) {
                    assert_ne!(other, entry);
                    assert_eq!(other.encode().unwrap(), changed);
                }
            }
        }
    }
}

#[test]
fn other_texts_of_the_same_entry_are_refused() {
    let text = String::from_utf8(Entry::Release(release(2)).encode().unwrap()).unwrap();
    let variants = [
        format!(" {text}"),
        format!("{text}\n"),
        format!("\u{feff}{text}"),
        text.replacen(':', ": ", 1),
        text.replacen("\"round\":1", "\"round\":1.0", 1),
        text.replacen("\"round\":1", "\"round\":1e0", 1),
        text.replacen("\"round\":1", "\"round\":01", 1),
        text.replacen("\"round\":1", "\"round\":\"1\"", 1),
        text.replacen("\"round\":1", "\"round\":-0", 1),
        text.replacen("\"round\":1,", "\"round\":1,\"round\":1,", 1),
        text.replacen("\"round\":1,", "\"round\":2,\"round\":1,", 1),
        text.replacen("\"round\":1,", "", 1),
        text.replacen(
            "\"kind\":\"release\",",
            "\"kind\":\"release\",\"kind\":\"release\",",
            1,
        ),
        text.replacen("\"kind\":\"release\",", "", 1),
        text.replacen("release", "Release", 1),
        text.replacen("release", "outcome", 1),
        text.replacen("{", "{\"extra\":1,", 1),
        text.replacen("too", "\\u0074oo", 1),
        text.replacen("\"version\":1", "\"version\":1,\"version\":1", 1),
        text.replacen(",\"version\":1", "", 1),
        format!("[{text}]"),
        format!("{text}{text}"),
    ];
    for variant in variants {
        assert!(Entry::decode(variant.as_bytes()).is_err(), "{variant}");
    }
    let version = text.replacen("\"version\":1", "\"version\":2", 1);
    assert_eq!(Entry::decode(version.as_bytes()), Err(EntryError::Version(2)));
    let spaced = text.replacen(':', ": ", 1);
    assert_eq!(
        Entry::decode(spaced.as_bytes()),
        Err(EntryError::NotCanonical { at: 8 })
    );
    assert_eq!(Entry::decode(&vec![b' '; 65_536]), Err(EntryError::TooLong));
}

/// A null field left out is read as null by serde; the canonical text still demands it.
#[test]
fn a_missing_null_is_not_canonical() {
    let text = String::from_utf8(Entry::Outcome(outcome(1)).encode().unwrap()).unwrap();
    let without = text.replacen("\"loss\":null,", "", 1);
    assert_ne!(text, without);
    assert!(matches!(
        Entry::decode(without.as_bytes()),
        Err(EntryError::NotCanonical { .. })
    ));
}

fn refused(entry: Entry) -> &'static str {
    match entry.encode() {
        Err(EntryError::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn manifest_fields_out_of_range() {
    type Change = fn(&mut Manifest);
    let cases: [(&str, &[Change]); 21] = [
        (
            "task",
            &[
                |e| e.task.clear(),
                |e| e.task = "a".repeat(65),
                |e| e.task = "a\"b".into(),
                |e| e.task = "é".into(),
            ],
        ),
        (
            "round_id",
            &[
                |e| e.round_id = "ab".into(),
                |e| e.round_id = digest(0xab).to_uppercase(),
            ],
        ),
        (
            "manifest_digest",
            &[
                |e| e.manifest_digest.push('0'),
                |e| e.manifest_digest = "g".repeat(64),
            ],
        ),
        ("model_digest", &[|e| e.model_digest.clear()]),
        ("round", &[|e| e.round = MAX_INTEGER + 1]),
        ("time", &[|e| e.time = u64::MAX]),
        ("cohort", &[|e| e.cohort = 0, |e| e.cohort = MAX_COHORT + 1]),
        (
            "minimum_survivors",
            &[|e| e.minimum_survivors = 11, |e| e.minimum_survivors = 0],
        ),
        ("colluders", &[|e| e.colluders = 8, |e| e.colluders = u64::MAX]),
        ("neighbours", &[|e| e.neighbours = 10]),
        (
            "threshold",
            &[|e| e.threshold = 0, |e| e.threshold = 9, |e| e.threshold = 11],
        ),
        ("quorum", &[|e| e.quorum = 0, |e| e.quorum = 9]),
        ("bits", &[|e| e.bits = 7, |e| e.bits = 63]),
        ("dimension", &[|e| e.dimension = 0]),
        ("padded", &[|e| e.padded = 649]),
        ("grid", &[|e| e.grid = 0]),
        ("planned_rounds", &[|e| e.planned_rounds = 0]),
        (
            "clip",
            &[
                |e| e.clip = "0".into(),
                |e| e.clip = "-1".into(),
                |e| e.clip = "0.000".into(),
                |e| e.clip = "1e3".into(),
            ],
        ),
        (
            "share_variance_q16",
            &[
                |e| e.share_variance_q16 = "0".into(),
                |e| e.share_variance_q16 = "1.5".into(),
                |e| e.share_variance_q16 = "1".repeat(40),
                |e| e.mechanism = Mechanism::None,
            ],
        ),
        (
            "noise_levels",
            &[
                |e| e.noise_levels = Some(String::new()),
                |e| e.noise_levels = Some("1".into()),
                |e| e.noise_levels = Some("2,1,2".into()),
                |e| e.noise_levels = Some("0,2".into()),
                |e| e.noise_levels = Some("1, 2".into()),
                |e| e.noise_levels = Some("01,2".into()),
                |e| (e.cohort, e.noise_levels) = (17, Some("1,2,3,4,5,6,7,8,9".into())),
            ],
        ),
        (
            "budget_delta",
            &[
                |e| e.budget_delta = None,
                |e| e.budget_epsilon = None,
                |e| e.budget_delta = Some("-1".into()),
            ],
        ),
    ];
    for (field, changes) in cases {
        for (index, change) in changes.iter().enumerate() {
            let mut entry = manifest(1);
            change(&mut entry);
            assert_eq!(refused(Entry::Manifest(entry)), field, "change {index}");
        }
    }
}

#[test]
fn a_manifest_without_noise_or_budget() {
    let entry = Manifest {
        mechanism: Mechanism::None,
        share_variance_q16: "0".into(),
        budget_epsilon: None,
        budget_delta: None,
        ..manifest(1)
    };
    let bytes = Entry::Manifest(entry.clone()).encode().unwrap();
    assert_eq!(Entry::decode(&bytes).unwrap(), Entry::Manifest(entry));
}

#[test]
fn charge_fields_out_of_range() {
    type Change = fn(&mut Charge);
    let cases: [(&str, &[Change]); 9] = [
        ("task", &[|e| e.task.clear()]),
        ("round_id", &[|e| e.round_id.clear()]),
        ("uploads_root", &[|e| e.uploads_root.clear()]),
        ("roster_root", &[|e| e.roster_root.clear()]),
        ("sharers_digest", &[|e| e.sharers_digest.clear()]),
        (
            "roster_size",
            &[
                |e| e.roster_size = 0,
                |e| e.roster_size = MAX_COHORT + 1,
                |e| e.roster_size = u64::MAX,
            ],
        ),
        (
            "survivors",
            &[
                |e| e.survivors = "fb".into(),
                |e| e.survivors = "fb0100".into(),
                |e| e.survivors = "FB01".into(),
                |e| e.survivors = "fb03".into(),
                |e| e.survivors = "fb81".into(),
                |e| e.survivors = "fb0".into(),
            ],
        ),
        (
            "survivor_count",
            &[|e| e.survivor_count = 7, |e| e.survivor_count = 9],
        ),
        (
            "statement",
            &[
                |e| e.statement = digest(0),
                |e| e.statement.clear(),
                |e| e.roster_root = digest(0x23),
                |e| e.sharers_digest = digest(0x34),
                |e| e.manifest_digest = digest(0x35),
                |e| e.survivors = "f701".into(),
                |e| e.roster_size = 10,
            ],
        ),
    ];
    for (field, changes) in cases {
        for (index, change) in changes.iter().enumerate() {
            let mut entry = charge(1);
            change(&mut entry);
            assert_eq!(refused(Entry::Charge(entry)), field, "change {index}");
        }
    }
}

#[test]
fn the_largest_cohort_fits() {
    let survivors = vec![0xff; 8191];
    let mut survivors = survivors;
    survivors.push(0x7f);
    let statement = statement_digest(&[0x81; 32], &[0x22; 32], &[0x33; 32], MAX_COHORT, &survivors);
    let entry = Charge {
        roster_size: MAX_COHORT,
        survivor_count: MAX_COHORT,
        survivors: hex::encode(&survivors),
        statement: hex::encode(statement),
        ..charge(1)
    };
    let bytes = Entry::Charge(entry.clone()).encode().unwrap();
    assert!(bytes.len() < 20_000);
    assert_eq!(Entry::decode(&bytes).unwrap(), Entry::Charge(entry));
}

#[test]
fn outcome_and_release_fields_out_of_range() {
    type Change = fn(&mut Outcome);
    let cases: [(&str, &[Change]); 7] = [
        ("sum_digest", &[|e| e.sum_digest.clear()]),
        ("responders", &[|e| e.responders = 9]),
        (
            "noise_variance_q16",
            &[
                |e| e.noise_variance_q16 = "-1".into(),
                |e| e.noise_variance_q16 = "1".repeat(40),
            ],
        ),
        (
            "accuracy",
            &[
                |e| e.accuracy = Some(String::new()),
                |e| e.accuracy = Some("NaN".into()),
            ],
        ),
        (
            "loss",
            &[
                |e| e.loss = Some("-0".into()),
                |e| e.loss = Some("-0.0".into()),
                |e| e.loss = Some("1.".into()),
            ],
        ),
        (
            "epsilon_server",
            &[
                |e| e.epsilon_server = Some("-0.1".into()),
                |e| e.epsilon_server = Some("01".into()),
            ],
        ),
        (
            "epsilon_public",
            &[
                |e| e.epsilon_public = Some(".5".into()),
                |e| e.epsilon_public = Some("1".repeat(65)),
            ],
        ),
    ];
    for (field, changes) in cases {
        for change in changes {
            let mut entry = outcome(1);
            change(&mut entry);
            assert_eq!(refused(Entry::Outcome(entry)), field);
        }
    }
    assert!(
        Entry::Outcome(Outcome {
            loss: Some("-2.50".into()),
            ..outcome(1)
        })
        .encode()
        .is_ok()
    );
    for reason in [
        "",
        "a\nb",
        "say \"no\"",
        "back\\slash",
        "\u{1b}[31m",
        &"a".repeat(201),
    ] {
        assert_eq!(
            refused(Entry::Release(Release {
                reason: reason.into(),
                ..release(2)
            })),
            "reason"
        );
    }
}

#[test]
fn any_text_becomes_a_printable_reason() {
    for text in ["", "fine", "\u{1b}[2J\"\\é\u{202e}", &"x\n".repeat(500)] {
        let reason = printable_reason(text);
        assert!(
            Entry::Release(Release { reason, ..release(2) }).encode().is_ok(),
            "{text:?}"
        );
    }
    assert_eq!(printable_reason("quota: 3 \"left\""), "quota: 3 ?left?");
}
