//! Adaptive clipping, as an auditor reads it: the clip norm of every round follows from what was published before.

use tacita_ledger::{Entry, Manifest, Outcome};

use crate::ledgers::{World, charge, manifest, outcome};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A round with metrics and a clip rule, with that update clip; a joint clip norm of 1.
fn announced(id: u8, round: u64, update_clip: &str) -> Entry {
    let Entry::Manifest(plain) = manifest(id, round) else {
        panic!()
    };
    Entry::Manifest(Manifest {
        update_clip: some(update_clip),
        metrics: some("0.5,4"),
        clip_rule: some("0.5,0.2,0.8,0.1,10"),
        count_scale: some("0.1"),
        ..plain
    })
}

fn published(id: u8, round: u64, within: &str, error: &str) -> Entry {
    let Entry::Outcome(plain) = outcome(id, round, "8") else {
        panic!()
    };
    Entry::Outcome(Outcome {
        federated_accuracy: some("0.912345"),
        federated_loss: some("1.234567"),
        federated_error: some(error),
        within_clip: some(within),
        ..plain
    })
}

/// Two rounds, the second with that update clip. 0.8 x exp(0.1) = 0.884136734...
fn story(second: &str, error: &str) -> World {
    World::new(&[
        announced(1, 1, "0.8"),
        charge(1, 1),
        published(1, 1, "0", error),
        announced(2, 2, second),
        charge(2, 2),
        published(2, 2, "0.5", error),
    ])
}

/// Failure: an honest sequence is contradicted, or its figures and clip norms are nowhere in the report.
#[test]
fn figures_and_clip_norms_are_in_the_report() {
    let world = story("0.884136734", "100");
    let ran = world.with_key("verify", &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let ran = world.with_key("report", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for words in [
        "0.884136734",
        "0.912345",
        "1.234567",
        "400.000000",
        "Federated metrics",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    let json = world.with_key("report", &["--json"]).json();
    let round = &json["tasks"][0]["rounds"][1];
    assert_eq!(round["update_clip"], "0.884136734");
    assert_eq!(round["outcome"]["within_clip"], "0.5");
    let page = world.root.path().join("page.html");
    let ran = world.with_key("report", &["--html", page.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("Federated metrics and clip norms") && page.contains("0.884136734"));
}

/// Failure: a server moves the clip norm off the published sequence, and neither command names the round.
#[test]
fn a_clip_norm_off_the_sequence_is_named() {
    // The sixth digit, and the clip norm that stays where it was.
    for wrong in ["0.884137", "0.8"] {
        let world = story(wrong, "100");
        for action in ["verify", "report"] {
            let ran = world.with_key(action, &[]);
            assert_eq!(ran.code, 1, "{action}: {}", ran.stdout);
            let error = ran.error();
            assert!(error.contains("round 2") && error.contains("entry 3"), "{error}");
            assert!(error.contains(wrong) && error.contains("0.884136734"), "{error}");
        }
    }
}

/// Failure: a server states an error below what the noise amounts to, so that members' accuracy seems surer than it is.
#[test]
fn an_error_that_is_too_small_is_contradicted() {
    // sqrt(45e12 / 2^16 + 9 / 4) / (2 x 9 x 0.4 / sqrt 2 x 4096) = 1.2566; with the larger clip norm of round 2 it is 1.137.
    assert_eq!(story("0.884136734", "1.257").with_key("report", &[]).code, 0);
    let ran = story("0.884136734", "1.256").with_key("report", &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.error().contains("federated_error 1.256"), "{}", ran.stderr);
    assert!(ran.error().contains("round 1"), "{}", ran.stderr);
}

/// Failure: what the server says of the noise that is left, which nobody can check, switches the check of its error off.
#[test]
fn a_claim_about_the_noise_excuses_no_error() {
    let claimed = |variance: &str| {
        let Entry::Outcome(honest) = published(1, 1, "0", "1") else {
            panic!()
        };
        let lying = Outcome {
            noise_variance_q16: variance.to_owned(),
            ..honest
        };
        World::new(&[announced(1, 1, "0.8"), charge(1, 1), Entry::Outcome(lying)])
    };
    let ran = claimed(&"9".repeat(39)).with_key("report", &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.error().contains("federated_error 1"), "{}", ran.stderr);
}
