//! `tacita privacy`: calibration and its way back, and exit codes that mean something.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

#[path = "privacy_cli/calculator.rs"]
mod calculator;
#[path = "privacy_cli/planner.rs"]
mod planner;
mod running;

use running::tacita;
use serde_json::Value;

fn split(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

const TARGET: &str = "privacy calibrate --clients 100 --minimum-survivors 80 --colluders 5 --rounds 50 --dimension 7850 \
                      --epsilon 4 --delta 1e-5 --json";

#[test]
fn calibration_meets_the_target_and_the_printed_command_recomputes_it() {
    let plan = tacita(split(TARGET));
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let plan = plan.json();
    let planned = plan["epsilon"].as_f64().unwrap();
    assert!(planned <= 4.0 && planned > 3.9, "{planned}");
    assert_eq!(
        (&plan["padded"], &plan["mechanism"]),
        (&8192.into(), &"skellam".into())
    );
    assert!(plan["bits"].as_u64().unwrap() <= 32);

    let command = plan["recompute"].as_str().unwrap();
    let back = tacita(split(command).into_iter().skip(1).chain(["--json"])).json();
    assert_eq!(back["epsilon"], plan["epsilon"]);
    assert_eq!(back["epsilon_public"], plan["epsilon_public"]);
    assert_eq!(back["delta"], 0.00001);
    let inputs = &back["inputs"];
    assert_eq!(inputs["honest_shares"], 75);
    assert_eq!(inputs["share_variance_q16"], plan["share_variance_q16"]);
    assert_eq!(inputs["squared_l2_sensitivity"], plan["squared_l2_sensitivity"]);

    // One unit of variance less would miss the target: calibration is tight.
    let variance: u64 = plan["share_variance_q16"].as_str().unwrap().parse().unwrap();
    let less = command.replace(&variance.to_string(), &(variance - variance / 1000).to_string());
    let less = tacita(split(&less).into_iter().skip(1).chain(["--json"])).json();
    assert!(less["epsilon"].as_f64() > plan["epsilon"].as_f64());
}

#[test]
fn epsilon_grows_with_rounds_and_colluders_and_falls_with_survivors() {
    let epsilon = |rest: &str| -> f64 {
        let line = format!(
            "privacy epsilon --mechanism skellam --grid 1024 --dimension 1000 --share-variance-q16 20000000000 \
             --delta 1e-6 --json {rest}"
        );
        let json = tacita(split(&line)).json();
        for key in ["epsilon", "delta", "method", "direction", "inputs"] {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert!(json["direction"].as_str().unwrap().contains("upper bound"));
        json["epsilon"].as_f64().unwrap()
    };
    let base = epsilon("--survivors 20 --colluders 2 --rounds 10");
    assert!(epsilon("--survivors 20 --colluders 2 --rounds 11") > base);
    assert!(epsilon("--survivors 20 --colluders 3 --rounds 10") > base);
    assert!(epsilon("--survivors 21 --colluders 2 --rounds 10") < base);
    // Only honest shares count.
    assert_eq!(epsilon("--survivors 21 --colluders 3 --rounds 10"), base);
}

#[test]
fn a_noise_multiplier_stands_for_the_same_noise() {
    let line = "privacy epsilon --grid 1024 --dimension 1000 --noise-multiplier 2 --survivors 10 --delta 1e-6 --json";
    let json = tacita(split(line)).json();
    // floor((2 x 1024)^2 x 2^16 / 10): rounded down, so epsilon is rounded up.
    assert_eq!(json["inputs"]["share_variance_q16"], "27487790694");
    let single = tacita(split(line).into_iter().chain(["--colluders", "9"])).json();
    assert_eq!(single["inputs"]["share_variance_q16"], "274877906944");
    assert!((single["epsilon"].as_f64().unwrap() - json["epsilon"].as_f64().unwrap()).abs() < 1e-4);
}

#[test]
fn without_a_target_there_is_no_promise() {
    let line = TARGET.replace("--epsilon 4", "--epsilon none");
    let plan = tacita(split(&line)).json();
    assert_eq!(
        (&plan["epsilon"], &plan["mechanism"]),
        (&Value::Null, &"none".into())
    );
    assert_eq!(plan["share_variance_q16"], "0");
}

#[test]
fn exit_codes_tell_a_wrong_command_line_from_a_refused_target() {
    let replaced = |from: &str, to: &str| {
        assert!(TARGET.contains(from));
        tacita(split(&TARGET.replace(from, to)))
    };
    for (from, to) in [
        ("--minimum-survivors 80", "--minimum-survivors 101"),
        ("--colluders 5", "--colluders 80"),
        ("--rounds 50", "--rounds 0"),
        ("--dimension 7850", "--dimension 0"),
        ("--delta 1e-5", "--delta x"),
        ("--epsilon 4", "--epsilon -1"),
        ("--epsilon 4", "--noise 4"),
        ("--epsilon 4", ""),
    ] {
        assert_eq!(replaced(from, to).code, 2, "{to}");
    }
    for (from, to) in [
        ("--epsilon 4", "--epsilon 0"),
        ("--epsilon 4", "--epsilon 0.00001"),
        ("--delta 1e-5", "--delta 0"),
    ] {
        let ran = replaced(from, to);
        assert_eq!(ran.code, 3, "{to}: {ran:?}");
        assert_eq!(ran.json()["exit_code"], 3);
    }
    let epsilon = "privacy epsilon --grid 1024 --dimension 1000 --share-variance-q16 20000000000 --survivors 5 --delta 1e-6";
    assert_eq!(tacita(split(epsilon)).code, 0);
    for wrong in [
        "--colluders 5",
        "--mechanism laplace",
        "--noise-multiplier 1",
        "--survivors 0",
    ] {
        assert_eq!(tacita(split(&format!("{epsilon} {wrong}"))).code, 2, "{wrong}");
    }
    assert_eq!(tacita(split(&epsilon.replace("20000000000", "0"))).code, 2);
    let ran = tacita(split(&epsilon.replace("1e-6", "1")));
    assert_eq!(ran.code, 2, "{ran:?}");
    // Far too little noise: no finite bound is worth printing, or a huge one is; never a small one.
    let none = tacita(split(
        "privacy epsilon --grid 16777216 --dimension 1000 --share-variance-q16 1 --survivors 5 --delta 1e-6 --json",
    ));
    assert!(
        none.code == 1 || none.json()["epsilon"].as_f64().unwrap() > 1e6,
        "{none:?}"
    );
}

/// Failure: the help shows a command line that does not work, or a command without an example.
#[test]
fn the_examples_in_the_help_run() {
    for (command, count) in [
        (&[][..], 4),
        (&["epsilon"], 6),
        (&["calibrate"], 3),
        (&["curve"], 2),
        (&["plan"], 2),
    ] {
        let line = ["privacy"].iter().chain(command).chain(&["--help"]);
        let help = tacita(line).stdout.replace("\\\n", " ");
        let examples: Vec<&str> = help
            .lines()
            .filter_map(|line| line.strip_prefix("  tacita "))
            .collect();
        assert_eq!(examples.len(), count, "{help}");
        for example in examples {
            assert_eq!(tacita(split(example)).code, 0, "{example}");
        }
    }
}

#[test]
fn help_documents_the_exit_codes() {
    let help = tacita(["--help"]);
    assert_eq!(help.code, 0);
    for line in ["Exit codes:", "  0  ", "  1  ", "  2  ", "  3  ", "Examples:"] {
        assert!(help.stdout.contains(line), "{line}");
    }
    for command in ["ledger", "privacy", "authority", "demo", "server", "client"] {
        let help = tacita([command, "--help"]);
        assert!(help.code == 0 && help.stdout.contains("Examples:"), "{command}");
    }
}
