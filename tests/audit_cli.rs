//! `tacita privacy audit`: canaries in a whole federation, judged from the outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

mod running;

use running::{Ran, tacita};
use serde_json::Value;

fn audit(words: &str) -> (Ran, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out").display().to_string();
    let fixed = ["privacy", "audit", "--json", "--out", &out];
    let ran = tacita(fixed.into_iter().chain(words.split_whitespace()));
    (ran, root)
}

fn number(finding: &Value, name: &str) -> f64 {
    finding[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name}: {finding:#}"))
}

/// Failure: canaries do not reach the model, or the auditor cannot read them: then an audit of noise says nothing. False alarm: 10^-7, that
/// fewer than ten of sixty coins fall on one side.
#[test]
fn without_noise_the_attack_sees_every_coin() {
    let (ran, _root) = audit("--clients 60 --rounds 1 --guesses 20 --epsilon none");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let finding = ran.json();
    assert_eq!(
        (&finding["correct"], &finding["guesses"]),
        (&Value::from(20), &Value::from(20))
    );
    // q^20 = 0.05 with q = e^epsilon / (1 + e^epsilon), less a little for delta.
    let lower = number(&finding, "epsilon_lower");
    assert!(lower > 1.7 && lower < 1.83, "{lower}");
    assert_eq!(finding["epsilon_public"], Value::Null);
    assert!(number(&finding["cosines"]["sent"], "mean") > 0.1);
    assert!(number(&finding["cosines"]["silent"], "mean").abs() < 0.1);
}

/// Failure: the audit of an honest federation is not set beside its proof, or refutes it. The lower bound of ten guesses is at most 1.05.
#[test]
fn with_noise_the_promise_stands() {
    let (ran, root) = audit("--clients 20 --canaries 16 --rounds 2 --guesses 10 --epsilon 4");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let finding = ran.json();
    assert_eq!(finding["holds"], true);
    let (lower, public) = (
        number(&finding, "epsilon_lower"),
        number(&finding, "epsilon_public"),
    );
    assert!(lower <= 1.06 && public > 3.0 && public <= 4.0, "{finding:#}");
    assert!(number(&finding, "epsilon_server") <= 4.0);
    // Chance as it should be: the deviation of a thousand cosines is within 15 % (over six of its own deviations).
    let unused = &finding["cosines"]["unused"];
    let ratio = number(unused, "deviation") / number(&finding["cosines"], "expected_deviation");
    assert!((ratio - 1.0).abs() < 0.15, "{ratio}");
    assert!(root.path().join("out/ledger.vkey").exists());
}

/// Failure: numbers that no audit can have start a federation.
#[test]
fn impossible_audits_are_refused_before_anything_is_written() {
    for words in [
        "--clients 10 --canaries 11",
        "--clients 10 --guesses 1",
        "--clients 10 --canaries 6 --guesses 8",
        "--significance 1",
        "--significance 0",
    ] {
        let (ran, root) = audit(words);
        assert_eq!(ran.code, 2, "{words}: {}", ran.stderr);
        assert!(!root.path().join("out").exists(), "{words}");
    }
}
