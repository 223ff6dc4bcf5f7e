//! The golden values of the neighbour graph, through the code of the `graph_golden` example.

// The wall lets tests unwrap, but does not see that this function is part of them.
#![allow(clippy::unwrap_used)]

// Only `main` of the example is unused here.
#[allow(dead_code)]
#[path = "../examples/graph_golden.rs"]
mod example;

use example::{Tally, check};

const PUBLISHED: &str = include_str!("golden/graph-parameters.json");
const ROUND: &str = include_str!("golden/graph-round.json");

fn run(text: &str) -> (Tally, String) {
    let mut out = Vec::new();
    let tally = check(text, &mut out).unwrap();
    (tally, String::from_utf8(out).unwrap())
}

#[test]
fn published_rule_reproduces_its_golden_values() {
    assert_eq!(
        run(PUBLISHED),
        (
            Tally {
                passed: 24,
                failed: 0
            },
            String::new()
        )
    );
}

#[test]
fn round_parameters_reproduce_their_golden_values() {
    assert_eq!(
        run(ROUND),
        (
            Tally {
                passed: 14,
                failed: 0
            },
            String::new()
        )
    );
}

#[test]
fn a_wrong_value_fails_its_case_alone() {
    let (tally, out) = run(&ROUND.replacen("\"threshold\": 77", "\"threshold\": 76", 1));
    assert_eq!(
        tally,
        Tally {
            passed: 13,
            failed: 1
        }
    );
    assert!(out.contains("threshold: 77") && out.lines().count() == 1, "{out}");
    let (tally, _) = run(&PUBLISHED.replacen("\"neighbours\": 12", "\"neighbours\": null", 1));
    assert_eq!(
        tally,
        Tally {
            passed: 23,
            failed: 1
        }
    );
}

#[test]
fn null_means_that_there_is_no_sparse_graph() {
    let case = |neighbours| {
        format!(
            r#"{{"schema": "tacita-graph-golden/1", "cases": [{{"clients": 100, "corrupt_fraction": "0.33",
            "dropout_fraction": "0.33", "security_bits": 40, "correctness_bits": 20, "server": "malicious",
            "neighbours": {neighbours}, "threshold": {neighbours}}}]}}"#
        )
    };
    assert_eq!(run(&case("null")).0, Tally { passed: 1, failed: 0 });
    assert_eq!(run(&case("98")).0, Tally { passed: 0, failed: 1 });
}

#[test]
fn unknown_schemas_and_fields_fail() {
    for (from, to) in [
        ("tacita-round-golden/1", "tacita-round-golden/2"),
        ("\"colluders\": 0", "\"colluders\": 0, \"extra\": 1"),
        ("\"security_bits\": 104", "\"security_bits\": 104, \"extra\": 1"),
        ("\"quorum\": 2\n", "\"quorums\": 2\n"),
        ("\"graph\": \"complete\"", "\"graph\": \"star\""),
    ] {
        let changed = ROUND.replacen(from, to, 1);
        assert_ne!(changed, ROUND, "{from} must occur");
        assert_eq!(run(&changed).0, Tally { passed: 0, failed: 1 }, "{to}");
    }
    assert_eq!(run("{}").0, Tally { passed: 0, failed: 1 });
}
