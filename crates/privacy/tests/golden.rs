//! The golden accounting values, all of them, by the code of the example `golden`.
#![allow(clippy::unwrap_used)] // A failed assumption is a failed test.

#[path = "../examples/golden/cases.rs"]
mod cases;
#[path = "../examples/golden/distributed.rs"]
mod distributed;
#[path = "../examples/golden/file.rs"]
mod file;
#[path = "../examples/golden/gaussian.rs"]
mod gaussian;
#[path = "../examples/golden/laws.rs"]
mod laws;

const GOLDEN: &str = include_str!("golden/accounting.json");

/// Failure: a bound is below the truth (a privacy bug) or needlessly loose, or an exact value is off.
#[test]
fn every_expectation_is_within_its_window() {
    let tally = file::evaluate(GOLDEN).unwrap();
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n"));
    assert_eq!(tally.passed, 313);
}

/// Failure: the reader passes what it does not know, or cannot fail.
#[test]
fn what_is_unknown_or_outside_fails() {
    let mut document: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = document["cases"].as_array_mut().unwrap();
    cases.truncate(4);
    cases[0]["name"] = "gaussian_composed_otherwise".into();
    cases[1]["expect"][0]["metric"] = "epsilons".into();
    cases[2]["expect"][0]["accept_min"] = 9.0.into();
    cases[3]["expect"][2]["lower_rigorous"] = 99.0.into();
    cases[3]["adjacency"] = "swap_two".into();
    let first = cases[0]["expect"].as_array().unwrap().len();
    let last = cases[3]["expect"].as_array().unwrap().len();
    document["case_count"] = 5.into();
    let tally = file::evaluate(&document.to_string()).unwrap();
    assert_eq!(
        tally.failures.len(),
        1 + first + 1 + 1 + last,
        "{:?}",
        tally.failures
    );
    document["schema"] = "another".into();
    assert!(file::evaluate(&document.to_string()).is_err());
}
