//! The planner: the graph rule, noise and size of a deployment.

use serde_json::Value;

use super::{running::tacita, split};

/// Failure: neighbours and thresholds are not those of the round's rule, which every client recomputes.
#[test]
fn neighbours_and_thresholds_are_those_of_the_round() {
    for (counts, neighbours, threshold, quorum) in [
        ("--clients 4 --colluders 1 --drop-outs 1", 3, 3, 3),
        ("--clients 20 --colluders 1 --drop-outs 1", 19, 11, 11),
        ("--clients 500 --colluders 25 --drop-outs 25", 54, 40, 263),
        ("--clients 500 --colluders 25 --drop-outs 125", 160, 93, 263),
        ("--clients 1000 --colluders 50 --drop-outs 50", 102, 77, 526),
        ("--clients 10000 --colluders 500 --drop-outs 500", 92, 70, 5_251),
    ] {
        let line = format!("privacy plan {counts} --rounds 20 --epsilon 4 --dimension 1000 --json");
        let plan = tacita(split(&line)).json();
        assert_eq!(
            (&plan["neighbours"], &plan["threshold"], &plan["quorum"]),
            (&neighbours.into(), &threshold.into(), &quorum.into()),
            "{counts}"
        );
    }
}

/// Failure: a planned figure is not the one that follows from the plan's integers.
#[test]
fn figures_follow_from_the_integers() {
    let line = "privacy plan --clients 100 --drop-outs 20 --colluders 5 --rounds 50 --epsilon 4 --delta 1e-6 --dimension 7850 --clip 2 --json";
    let plan = tacita(split(line)).json();
    let number = |key: &str| plan[key].as_f64().unwrap();
    assert!(number("epsilon") <= 4.0 && number("epsilon") > 3.9);
    assert_eq!((number("minimum_survivors"), number("padded")), (80.0, 8192.0));
    assert_eq!(number("upload_bytes"), number("bits") * 8192.0 / 8.0);
    let variance: f64 = plan["share_variance_q16"].as_str().unwrap().parse().unwrap();
    let per_weight =
        |survivors: f64| (survivors * variance / 65_536.0).sqrt() * 2.0 / number("grid") / survivors;
    for (key, survivors) in [("fewest_survivors", 80.0), ("all_survive", 100.0)] {
        let found = plan["noise_per_weight"][key].as_f64().unwrap();
        assert!(
            (found / per_weight(survivors) - 1.0).abs() < 1e-9,
            "{key} {found}"
        );
    }
    let command = plan["recompute"].as_str().unwrap();
    let back = tacita(split(command).into_iter().skip(1).chain(["--json"])).json();
    assert_eq!(
        (&back["epsilon"], &back["epsilon_public"]),
        (&plan["epsilon"], &plan["epsilon_public"])
    );
}

/// Failure: counts that make no round get a plan.
#[test]
fn impossible_rounds_are_refused() {
    for (counts, reason) in [
        ("--clients 2", "smaller than 3"),
        ("--clients 10 --drop-outs 9", "below the quorum of 6"),
        ("--clients 10 --drop-outs 10", "leave nobody"),
        ("--clients 10 --drop-outs 11", "leave nobody"),
        ("--clients 10 --colluders 10", "colluders"),
        ("--clients 10001", "serves at most 10000"),
        // Clients refuse these manifests, though there is a graph.
        (
            "--clients 2000 --drop-outs 481",
            "at least 76 % of clients and colluders, 1520",
        ),
        (
            "--clients 1000 --colluders 200 --drop-outs 350",
            "neighbours, at most 500",
        ),
    ] {
        let line = format!("privacy plan {counts} --rounds 5 --epsilon 4 --dimension 100");
        let ran = tacita(split(&line));
        assert!(ran.code == 2 && ran.error().contains(reason), "{counts}: {ran:?}");
    }
}

/// Failure: a plan for discrete Gaussian noise is one for Skellam noise, has shares that the account of their sum does not cover, or its
/// command recomputes another epsilon.
#[test]
fn discrete_gaussian_noise_is_planned_as_such() {
    let line = "--clients 100 --colluders 5 --rounds 50 --epsilon 4 --delta 1e-6 --dimension 7850 --mechanism discrete-gaussian --json";
    for command in ["plan --drop-outs 20", "calibrate --minimum-survivors 80"] {
        let ran = tacita(split(&format!("privacy {command} {line}")));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let plan = ran.json();
        assert_eq!(plan["mechanism"], "discrete-gaussian");
        assert!(
            plan["method"]
                .as_str()
                .unwrap()
                .contains("sums of discrete Gaussians, tau included")
        );
        let share: f64 = plan["share_variance_q16"].as_str().unwrap().parse().unwrap();
        assert!(share >= 4.5 * 65_536.0, "{share}");
        let recompute = plan["recompute"].as_str().unwrap();
        let back = tacita(split(recompute).into_iter().skip(1).chain(["--json"])).json();
        assert_eq!(
            (&back["epsilon"], &back["epsilon_public"], &back["method"]),
            (&plan["epsilon"], &plan["epsilon_public"], &plan["method"])
        );
        assert!(plan["epsilon"].as_f64().unwrap() > 3.9);
    }
    let gaussian = tacita(split(
        &format!("privacy calibrate --minimum-survivors 80 {line}").replace("discrete-gaussian", "gaussian"),
    ));
    assert_eq!(gaussian.code, 2);
    assert!(gaussian.stderr.contains("whole numbers"), "{}", gaussian.stderr);
}

/// Failure: a plan for records is one for clients, or its command recomputes another epsilon.
#[test]
fn records_need_less_noise_and_more_room() {
    let line = "privacy plan --clients 4 --drop-outs 1 --colluders 1 --rounds 30 --epsilon 2 --delta 1e-4 --dimension 28 --json";
    let plan = |more: &str| {
        let ran = tacita(split(&format!("{line} {more}")));
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let whole = plan("");
    let records = plan("--record-sampling 0.2 --largest-records 96 --expected-records 119");
    let noise = |plan: &Value| plan["noise_multiplier"].as_f64().unwrap();
    assert!(noise(&records) < 0.7 * noise(&whole));
    assert!(
        records["method"]
            .as_str()
            .unwrap()
            .contains("Poisson-sampled records")
    );
    let command = records["recompute"].as_str().unwrap();
    let ran = tacita(split(&format!(
        "{} --json",
        command.strip_prefix("tacita ").unwrap()
    )));
    let again = ran.json();
    // The sampler's part counts the survivors of a round here, all clients there.
    let epsilon = |value: &Value| value["epsilon"].as_f64().unwrap();
    assert!(
        (epsilon(&again) - epsilon(&records)).abs() <= 1e-6,
        "{again} {records}"
    );
    assert_eq!(
        (&again["inputs"]["unit"], &again["inputs"]["adjacency"]),
        (&"record".into(), &"add-remove".into())
    );
    // Divided by records, not by clients.
    let weight = |plan: &Value| plan["noise_per_weight"]["all_survive"].as_f64().unwrap();
    let ratio = weight(&records) / weight(&whole) * noise(&whole) / noise(&records);
    assert!((ratio - 4.0 / 119.0).abs() < 1e-3, "{ratio}");
    let refused = tacita(split(&format!(
        "{line} --record-sampling 1.5 --largest-records 9 --expected-records 9"
    )));
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("a sampling probability of 1.5"),
        "{}",
        refused.stderr
    );
    let partly = tacita(split(&format!("{line} --record-sampling 0.5")));
    assert_eq!(partly.code, 2);
}
