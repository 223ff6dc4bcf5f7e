//! The calculator: known values, bounds that err on the safe side, and refusals outside a proof.

use super::{running::tacita, split};
use serde_json::Value;

const GAUSSIAN: &str = "privacy epsilon --mechanism gaussian --noise-multiplier 1 --rounds 10 --delta 1e-6";
const SKELLAM: &str = "privacy epsilon --mechanism skellam --noise-multiplier 4 --rounds 10 --delta 1e-6";
const DISCRETE: &str =
    "privacy epsilon --mechanism discrete-gaussian --noise-multiplier 4 --rounds 10 --delta 1e-6";

fn answer(line: &str) -> Value {
    let ran = tacita(split(line).into_iter().chain(["--json"]));
    assert_eq!(ran.code, 0, "{line}: {ran:?}");
    let json = ran.json();
    for key in ["epsilon", "delta", "method", "direction", "inputs"] {
        assert!(json.get(key).is_some(), "{line}: no {key}");
    }
    assert!(json["direction"].as_str().unwrap().contains("upper bound"));
    json
}

fn epsilon(line: &str) -> f64 {
    answer(line)["epsilon"].as_f64().unwrap()
}

/// Failure: a figure that other libraries and long arithmetic agree on is missed: sampling, accountant, adjacency or the number of rounds does not
/// reach the account.
#[test]
fn known_values_are_met_from_above() {
    let sampled = "privacy epsilon --mechanism gaussian --noise-multiplier 1 --rounds 10000 --sampling poisson:0.01 --delta 1e-6";
    for (line, least, most) in [
        // The closed form, a lattice just above it, and what Renyi curves make of it.
        (
            GAUSSIAN.replace("--rounds 10 ", "--rounds 1 ") + " --accountant exact",
            4.886554,
            4.886555,
        ),
        (
            GAUSSIAN.replace("--rounds 10 ", "--rounds 1 ") + " --accountant pld",
            4.886554,
            4.8866,
        ),
        (GAUSSIAN.replace("--rounds 10 ", "--rounds 1 "), 5.2210, 5.2216),
        (sampled.into(), 7.4140, 7.4142),
        (
            format!("{sampled} --accountant pld --adjacency add-remove"),
            6.9073,
            6.9080,
        ),
    ] {
        let found = epsilon(&line);
        assert!(least <= found && found <= most, "{line}: {found}");
    }
    let pld = answer(&format!("{sampled} --accountant pld"));
    let lower = pld["epsilon_lower"].as_f64().unwrap();
    assert!(
        lower > 6.89 && lower <= pld["epsilon"].as_f64().unwrap(),
        "{lower}"
    );
    assert!(
        pld["method"]
            .as_str()
            .unwrap()
            .contains("privacy loss distribution")
    );
    assert_eq!(pld["inputs"]["sampling"], "poisson:0.01");
    assert_eq!(pld["inputs"]["adjacency"], "zero-out");
}

/// Failure: a bound is below a tighter one for the same thing, noise or sampling do not count, or a default is not the worst case it is said to be.
#[test]
fn bounds_are_in_order() {
    for line in [GAUSSIAN, SKELLAM, DISCRETE] {
        let [rdp, pld] = ["rdp", "pld"].map(|name| epsilon(&format!("{line} --accountant {name}")));
        assert!(pld <= rdp, "{line}: {pld} {rdp}");
        assert_eq!(epsilon(&format!("{line} --sampling poisson:1")), rdp);
        assert_eq!(epsilon(&format!("{line} --adjacency replace-one")), rdp);
        assert!(epsilon(&format!("{line} --sampling poisson:0.2")) < rdp);
        assert!(epsilon(&line.replace("--rounds 10", "--rounds 11")) > rdp);
        assert!(epsilon(&line.replace("--noise-multiplier ", "--noise-multiplier 1")) < rdp);
        assert!(epsilon(&line.replace("1e-6", "1e-5")) < rdp);
    }
    let fixed = |sizes: &str| {
        epsilon(&format!(
            "{GAUSSIAN} --adjacency replace-one --sampling fixed:{sizes}"
        ))
    };
    assert!(fixed("5/100") < fixed("10/100") && fixed("10/100") < epsilon(GAUSSIAN));
    assert_eq!(fixed("100/100"), epsilon(GAUSSIAN));
    let finer = epsilon(&format!("{SKELLAM} --sensitivity 1000 --dimension 64"));
    let gaussian = epsilon(&GAUSSIAN.replace("multiplier 1", "multiplier 4"));
    assert!(gaussian < finer && finer < epsilon(SKELLAM), "{gaussian} {finer}");
    // The sum of wide shares costs what one discrete Gaussian does.
    let sum = epsilon(&format!(
        "{DISCRETE} --sensitivity 100 --shares 50 --dimension 64"
    ));
    assert!((sum / epsilon(DISCRETE) - 1.0).abs() < 1e-6);
}

/// Failure: what no proof covers is answered, or refused without the reason.
#[test]
fn what_has_no_proof_is_refused_with_the_reason() {
    for (line, flags, reason) in [
        (GAUSSIAN, "--sampling fixed:5/100", "replace-one adjacency only"),
        (
            GAUSSIAN,
            "--sampling fixed:5/100 --adjacency add-remove",
            "replace-one adjacency only",
        ),
        (
            GAUSSIAN,
            "--sampling poisson:0.1 --adjacency replace-one",
            "zero-out and add-remove",
        ),
        (
            GAUSSIAN,
            "--sampling fixed:5/100 --adjacency replace-one --accountant pld",
            "no privacy loss distribution",
        ),
        (
            GAUSSIAN,
            "--sampling fixed:101/100 --adjacency replace-one",
            "cannot be drawn",
        ),
        (GAUSSIAN, "--sampling poisson:0", "probability of 0"),
        (GAUSSIAN, "--sampling poisson:1.01", "probability of 1.01"),
        (
            GAUSSIAN,
            "--sampling poisson:0.1 --accountant exact",
            "no closed form",
        ),
        (GAUSSIAN, "--order 2.55", "not among those"),
        (GAUSSIAN, "--order 2 --accountant pld", "only Renyi curves"),
        (GAUSSIAN, "--sensitivity 2", "says all about Gaussian noise"),
        (SKELLAM, "--accountant exact", "no closed form"),
        (SKELLAM, "--order 2.5", "integer orders from 2 on"),
        (SKELLAM, "--order 1", "integer orders from 2 on"),
        (SKELLAM, "--accountant pld --dimension 10", "10-dimensional"),
        (
            SKELLAM,
            "--sampling fixed:5/100 --adjacency replace-one",
            "Gaussian noise only",
        ),
        (SKELLAM, "--sensitivity 0", "sensitivity of 0"),
        (DISCRETE, "--shares 100", "too narrow"),
        // Wide enough for a few coordinates, not for so many.
        (
            DISCRETE,
            "--sensitivity 4 --shares 100 --dimension 1000000",
            "too narrow",
        ),
        (DISCRETE, "--accountant pld --dimension 3", "3-dimensional"),
        (
            DISCRETE,
            "--accountant pld --sensitivity 100 --shares 2",
            "sum of 2 discrete Gaussians",
        ),
        (DISCRETE, "--shares 0", "noise of 0"),
    ] {
        let ran = tacita(split(&format!("{line} {flags}")));
        assert!(ran.code == 2 && ran.error().contains(reason), "{flags}: {ran:?}");
    }
    for (from, to) in [
        ("--delta 1e-6", "--delta 0"),
        ("--delta 1e-6", "--delta 1"),
        ("--delta 1e-6", "--delta=-1e-6"),
        ("--delta 1e-6", "--delta nan"),
        ("--rounds 10", "--rounds 0"),
        ("--noise-multiplier 1", "--noise-multiplier 0"),
        ("--noise-multiplier 1", "--noise-multiplier=-1"),
        ("--noise-multiplier 1", "--noise-multiplier inf"),
        ("--noise-multiplier 1", ""),
        ("--mechanism gaussian", ""),
        ("--mechanism gaussian", "--mechanism laplace"),
        ("--rounds 10", "--sampling half"),
        ("--rounds 10", "--sampling fixed:3"),
        ("--rounds 10", "--sampling poisson:x"),
        ("--rounds 10", "--survivors 5"),
    ] {
        for accountant in ["rdp", "pld"] {
            let line = format!("{} --accountant {accountant}", GAUSSIAN.replace(from, to));
            let ran = tacita(split(&line));
            assert!(ran.code == 2 && !ran.stderr.is_empty(), "{line}: {ran:?}");
        }
    }
}

/// Failure: a round of a deployment is credited with what it does not do, or its discrete Gaussian shares may be narrow.
#[test]
fn rounds_of_a_deployment_take_no_credit() {
    let round = "privacy epsilon --grid 1024 --dimension 1000 --share-variance-q16 20000000000 --survivors 5 --delta 1e-6";
    for (flags, reason) in [
        ("--sampling poisson:0.1", "the server picks the cohort"),
        ("--accountant pld", "Renyi"),
        ("--adjacency add-remove", "zero-out"),
        ("--mechanism gaussian", "integer noise"),
        ("--sensitivity 5", "follow from"),
        ("--order 5", "best order"),
    ] {
        let ran = tacita(split(&format!("{round} {flags}")));
        assert!(ran.code == 2 && ran.error().contains(reason), "{flags}: {ran:?}");
    }
    let plain = epsilon(round);
    assert_eq!(
        epsilon(&format!(
            "{round} --sampling none --accountant rdp --adjacency zero-out"
        )),
        plain
    );
    let discrete = answer(&format!("{round} --mechanism discrete-gaussian"));
    assert_eq!(discrete["inputs"]["mechanism"], "discrete-gaussian");
    assert!(
        discrete["method"]
            .as_str()
            .unwrap()
            .contains("discrete Gaussians")
    );
    let found = discrete["epsilon"].as_f64().unwrap();
    assert!(found <= plain && found > 0.99 * plain, "{found} {plain}");
    // sigma = 1.75.
    let narrow = format!("{round} --mechanism discrete-gaussian").replace("20000000000", "200000");
    assert_eq!(tacita(split(&narrow)).code, 2);
}

/// Failure: calibrated noise misses its target, or is far more than it needs to be.
#[test]
fn calibrated_noise_meets_the_target_and_little_less_does_not() {
    for rest in [
        "--mechanism gaussian --rounds 100 --delta 1e-6 --sampling poisson:0.05",
        "--mechanism gaussian --rounds 100 --delta 1e-6 --sampling poisson:0.05 --accountant pld",
        "--mechanism gaussian --rounds 7 --delta 1e-6 --accountant exact",
        "--mechanism gaussian --rounds 30 --delta 1e-6 --sampling fixed:10/100 --adjacency replace-one",
        "--mechanism skellam --rounds 10 --delta 1e-5 --sensitivity 100 --dimension 30",
        "--mechanism skellam --rounds 10 --delta 1e-5 --accountant pld",
        "--mechanism discrete-gaussian --rounds 10 --delta 1e-5 --sensitivity 100 --dimension 30 --shares 40",
    ] {
        let found = answer(&format!("privacy calibrate --epsilon 2 {rest}"));
        let z = found["noise_multiplier"].as_f64().unwrap();
        assert!(found["epsilon"].as_f64().unwrap() <= 2.0, "{found}");
        let with = |z: f64| epsilon(&format!("privacy epsilon {rest} --noise-multiplier {z}"));
        // Reading a number from JSON may change its last digit.
        let again = with(z) / found["epsilon"].as_f64().unwrap();
        assert!((again - 1.0).abs() < 1e-12, "{rest}: {again}");
        assert!(with(z * 0.9999) > 2.0, "{rest}: {z}");
    }
    for (epsilon, code) in [("0", 2), ("none", 2), ("0.0000001", 3)] {
        let line = format!(
            "privacy calibrate --mechanism gaussian --rounds 10000000 --delta 1e-9 --epsilon {epsilon}"
        );
        assert_eq!(tacita(split(&line)).code, code, "{epsilon}");
    }
}

/// Failure: a point of the curve is not what `epsilon` says, or a point is missing.
#[test]
fn a_curve_is_made_of_epsilons() {
    for rest in [
        "--mechanism gaussian --noise-multiplier 2 --rounds 30",
        "--mechanism gaussian --noise-multiplier 2 --rounds 30 --sampling poisson:0.1",
        "--mechanism skellam --noise-multiplier 2 --rounds 30 --sensitivity 9 --dimension 100",
    ] {
        let curve = answer(&format!("privacy curve {rest} --delta 1e-3,1e-5,1e-9"));
        let values: Vec<f64> = curve["epsilon"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap())
            .collect();
        let expected: Vec<f64> = ["1e-3", "1e-5", "1e-9"]
            .iter()
            .map(|delta| epsilon(&format!("privacy epsilon {rest} --delta {delta}")))
            .collect();
        assert_eq!(values, expected, "{rest}");
        assert!(values.is_sorted_by(|a, b| a < b));
    }
    let text = tacita(split(
        "privacy curve --mechanism gaussian --noise-multiplier 20 --accountant pld",
    ))
    .stdout;
    let bars: Vec<usize> = text
        .lines()
        .map(|line| line.matches('#').count())
        .filter(|n| *n > 0)
        .collect();
    assert!(
        bars.len() >= 8 && bars.is_sorted() && bars.last() == Some(&50),
        "{text}"
    );
    let zero = "privacy curve --mechanism gaussian --noise-multiplier 20 --delta 1e-3,0";
    assert_eq!(tacita(split(zero)).code, 2);
}
