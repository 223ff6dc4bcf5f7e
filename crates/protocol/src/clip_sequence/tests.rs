//! The sequence as an auditor reads it, and what a member refuses.

use tacita_ledger::entry::{Adjacency, Manifest, Mechanism, Outcome, Unit};

use super::*;

const RULE: &str = "0.5,0.2,1,0.1,10";

fn manifest(task: &str, id: u8, round: u64, rule: Option<&str>, clip: Option<&str>) -> Entry {
    Entry::Manifest(Manifest {
        task: task.to_owned(),
        round,
        round_id: format!("{id:064x}"),
        manifest_digest: format!("{id:064x}"),
        time: 1,
        cohort: 4,
        colluders: 1,
        minimum_survivors: 3,
        neighbours: 3,
        threshold: 3,
        quorum: 3,
        bits: 20,
        dimension: 8,
        padded: 8,
        clip: "1".to_owned(),
        grid: 256,
        mechanism: Mechanism::None,
        share_variance_q16: "0".to_owned(),
        noise_levels: None,
        update_clip: clip.map(str::to_owned),
        metrics: None,
        clip_rule: rule.map(str::to_owned),
        count_scale: rule.map(|_| "0.1".to_owned()),
        unit: Unit::Client,
        adjacency: Adjacency::ZeroOut,
        sampling: None,
        largest_records: None,
        budget_epsilon: None,
        budget_delta: None,
        planned_rounds: 9,
        model_digest: "0".repeat(64),
    })
}

fn outcome(id: u8, round: u64, within: Option<&str>) -> Entry {
    Entry::Outcome(Outcome {
        round_id: format!("{id:064x}"),
        round,
        time: 1,
        survivor_count: 3,
        responders: 3,
        noise_variance_q16: "0".to_owned(),
        sum_digest: "0".repeat(64),
        model_digest: "0".repeat(64),
        accuracy: None,
        loss: None,
        federated_accuracy: None,
        federated_loss: None,
        federated_error: None,
        within_clip: within.map(str::to_owned),
        epsilon_server: None,
        epsilon_public: None,
    })
}

fn of_rule(id: u8, round: u64, clip: &str) -> Entry {
    manifest("a", id, round, Some(RULE), Some(clip))
}

/// Failure: an honest task, with an attempt that failed, another task beside it and an outcome with trailing zeros, is found off; or the next clip
/// norm is not that of the last outcome.
#[test]
fn an_honest_sequence_passes() {
    let entries = [
        of_rule(1, 1, "1"),
        of_rule(2, 1, "1"),
        manifest("b", 3, 1, None, None),
        outcome(2, 1, Some("0.000000")),
        outcome(3, 1, None),
        of_rule(4, 2, "1.105170918"),
        manifest("b", 5, 2, None, None),
        outcome(4, 2, Some("1")),
    ];
    let sequence = ClipSequence::of(&entries).unwrap();
    let rule = ClipRule::parse(RULE).unwrap();
    // 1.105170918 x exp(-0.1), rounded down.
    assert_eq!(sequence.next("a", &rule).to_string(), "0.999999999");
    assert_eq!(sequence.next("new", &rule).to_string(), "1");
    assert_eq!(sequence.last("a"), Some((5, 7)));
    assert_eq!(sequence.rule("a"), Some(Some(RULE)));
    assert_eq!((sequence.rule("b"), sequence.rule("new")), (Some(None), None));
}

/// Failure: a server moves the clip norm off what it published, starts elsewhere, or changes or drops the rule, and no auditor sees where.
#[test]
fn whoever_leaves_the_sequence_is_named() {
    let first = [of_rule(1, 1, "1"), outcome(1, 1, Some("0.25"))];
    let cases = [
        (of_rule(2, 2, "1"), 2),
        (of_rule(2, 2, "1.051271097"), 2),
        (of_rule(2, 1, "1"), 1),
        (
            manifest("a", 2, 2, Some("0.5,0.2,1,0.1,11"), Some("1.051271096")),
            2,
        ),
        (manifest("a", 2, 2, None, None), 2),
    ];
    for (entry, round) in cases {
        let entries: Vec<Entry> = first.iter().cloned().chain([entry]).collect();
        let off = ClipSequence::of(&entries).unwrap_err();
        assert_eq!(
            (off.entry, off.task.as_str(), off.round),
            (2, "a", round),
            "{off}"
        );
    }
    let good: Vec<Entry> = first
        .iter()
        .cloned()
        .chain([of_rule(2, 2, "1.051271096")])
        .collect();
    ClipSequence::of(&good).unwrap();
    // From the first manifest on.
    assert_eq!(ClipSequence::of(&[of_rule(1, 1, "0.9")]).unwrap_err().entry, 0);
    let late = [manifest("a", 1, 1, None, None), of_rule(2, 2, "1")];
    assert_eq!(ClipSequence::of(&late).unwrap_err().entry, 1);
    let none = [manifest("a", 1, 1, Some("1,1,1,1,1"), Some("1"))];
    assert!(ClipSequence::of(&none).unwrap_err().expected.contains("quantile"));
}

/// Failure: an outcome that was held back takes the clip norm back to where it was, and no auditor sees it.
#[test]
fn a_late_outcome_is_named() {
    let mut entries = vec![
        of_rule(1, 1, "1"),
        of_rule(2, 1, "1"),
        outcome(2, 1, Some("0")),
        of_rule(3, 2, "1.105170918"),
        outcome(3, 2, Some("0")),
    ];
    ClipSequence::of(&entries).unwrap();
    entries.push(outcome(1, 1, Some("1")));
    let off = ClipSequence::of(&entries).unwrap_err();
    assert_eq!((off.entry, off.round), (5, 1), "{off}");
    // Without a rule there is nothing to take back.
    let plain = [
        manifest("b", 1, 1, None, None),
        manifest("b", 2, 1, None, None),
        outcome(2, 1, None),
        outcome(1, 1, None),
    ];
    ClipSequence::of(&plain).unwrap();
}
