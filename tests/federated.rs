//! `tacita demo --metrics --adaptive-clip`: what members report under noise, against what somebody who sees everything computes; and a clip norm
//! that nobody chose, which every reader of the ledger computes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

mod federation;
mod running;

use std::fs;
use std::path::Path;

use federation::{entries, succeeded, text};
use running::tacita;
use serde_json::Value;
use tacita_learn::{EmbeddedData, Federation, GlobalModel, Partition, evaluate};

fn demo(out: &Path, words: &str) -> Value {
    let ran = tacita(
        ["demo", "--json", "--out", text(out)]
            .into_iter()
            .chain(words.split_whitespace()),
    );
    succeeded(&ran);
    ran.json()
}

fn number(value: &Value) -> f64 {
    value.as_str().expect("a decimal").parse().unwrap()
}

fn of_kind(ledger: &Path, kind: &str) -> Vec<Value> {
    let mut all = entries(ledger);
    all.retain(|entry| entry["kind"] == kind);
    all
}

/// The mean over 20 clients of capped loss and accuracy of a model that a manifest names, on their own data.
fn truth(out: &Path, manifest: &Value) -> (f64, f64) {
    let digest = manifest["model_digest"].as_str().unwrap();
    let file = out.join(format!("server/models/{digest}.safetensors"));
    let model = GlobalModel::from_bytes(&fs::read(file).unwrap()).unwrap();
    let federation = Federation::embedded(EmbeddedData::Digits, 20, Partition::Iid, 1).unwrap();
    let figures = federation.members.iter().map(|member| {
        let found = evaluate(&model, &member.train).unwrap();
        (found.loss().min(4.0) / 20.0, found.score().unwrap() / 20.0)
    });
    figures.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// Failure: what is published is not the members' mean on the model that they received, or lies further from it than the error that is stated.
#[test]
fn members_accuracy_is_within_its_error() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let report = demo(
        &out,
        "--clients 20 --rounds 4 --epsilon 30 --delta 1e-2 --metrics --adaptive-clip --clip 0.5",
    );
    let (manifests, outcomes) = (
        of_kind(&out.join("ledger"), "manifest"),
        of_kind(&out.join("ledger"), "outcome"),
    );
    assert_eq!((manifests.len(), outcomes.len()), (4, 4));
    for (manifest, outcome) in manifests.iter().zip(&outcomes) {
        let (loss, accuracy) = truth(&out, manifest);
        let error = number(&outcome["federated_error"]);
        assert!(error > 0.0 && error < 0.5, "{error}");
        // Five deviations, twice a round: one honest run in 200,000 fails.
        let found = number(&outcome["federated_accuracy"]);
        assert!(
            (found - accuracy).abs() < 5.0 * error,
            "{found} +- {error}, in truth {accuracy}"
        );
        let found = number(&outcome["federated_loss"]);
        assert!(
            (found - loss).abs() < 20.0 * error,
            "{found} +- {}, in truth {loss}",
            4.0 * error
        );
    }
    // The clip norm of the first round is the one asked for; it is far too small, so it grows, and the report has every one.
    assert_eq!(manifests[0]["update_clip"], "0.5");
    let clips: Vec<f64> = manifests
        .iter()
        .map(|manifest| number(&manifest["update_clip"]))
        .collect();
    assert!(clips[3] > clips[0], "{clips:?}");
    let shown: Vec<f64> = report["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|round| round["clip"].as_f64().unwrap())
        .collect();
    assert_eq!(shown, clips);
    // Every round costs the same.
    for field in ["grid", "share_variance_q16", "bits", "padded"] {
        assert!(
            manifests
                .iter()
                .all(|manifest| manifest[field] == manifests[0][field]),
            "{field}"
        );
    }
    for action in ["verify", "report"] {
        let (ledger, key) = (out.join("ledger"), out.join("ledger.vkey"));
        succeeded(&tacita(["ledger", action, text(&ledger), "--key", text(&key)]));
    }
}

/// Failure: without noise the figures are not those of the members, to the rounding; or parties in processes of their own lose them.
#[test]
fn without_noise_the_figures_are_exact() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let report = demo(
        &out,
        "--clients 20 --rounds 2 --epsilon none --metrics --server-process",
    );
    let manifests = of_kind(&out.join("ledger"), "manifest");
    for (manifest, round) in manifests.iter().zip(report["rounds"].as_array().unwrap()) {
        let (loss, accuracy) = truth(&out, manifest);
        let error = round["federated_error"].as_f64().unwrap();
        assert!(error < 0.001, "{error}");
        assert!((round["federated_accuracy"].as_f64().unwrap() - accuracy).abs() < 5.0 * error);
        assert!((round["federated_loss"].as_f64().unwrap() - loss).abs() < 20.0 * error);
        assert_eq!(round["within_clip"], Value::Null);
    }
}

/// Failure: participants are led to another clip norm than they consent to, or a task changes its rule half way.
#[test]
fn a_rule_cannot_be_changed_and_consent_binds() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    demo(&out, "--clients 4 --rounds 1 --epsilon none --adaptive-clip");
    let config = out.join("server.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("quantile = \"0.5\""), "{text}");
    fs::write(&config, text.replace("quantile = \"0.5\"", "quantile = \"0.6\"")).unwrap();
    let ran = tacita(["server", "run", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("keeps its clip rule"), "{}", ran.stderr);
    // What a client of the demonstration consents to is the largest joint norm that the rule can lead to.
    let client = fs::read_to_string(out.join("clients/client-0000.toml")).unwrap();
    let largest = client
        .lines()
        .find_map(|line| line.strip_prefix("largest_clip = "))
        .unwrap();
    let largest: f64 = largest.trim_matches('"').parse().unwrap();
    assert!((100.0..101.0).contains(&largest), "{largest}");
}
