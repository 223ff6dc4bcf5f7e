//! `tacita demo`: small federations with drop-outs, checked from the outside: by the ledger that they leave, and by the report
//! that they print.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

mod federation;
mod running;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use federation::{entries, succeeded, text};
use running::{Ran, tacita};
use serde_json::Value;
use tempfile::TempDir;

/// A finished demonstration.
struct Demo {
    _root: TempDir,
    out: PathBuf,
    report: Value,
}

fn demo_into(out: &Path, words: &str) -> Ran {
    tacita(
        ["demo", "--json", "--out", text(out)]
            .into_iter()
            .chain(words.split_whitespace()),
    )
}

impl Demo {
    fn run(words: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("out");
        let ran = demo_into(&out, words);
        succeeded(&ran);
        let report = ran.json();
        let kept: Value = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
        assert_eq!(kept, report, "what is printed is what is kept");
        Self {
            _root: root,
            out,
            report,
        }
    }

    fn rounds(&self) -> &[Value] {
        self.report["rounds"].as_array().unwrap()
    }

    /// The auditor's view, through the command that an auditor runs.
    fn audit(&self) -> Value {
        let (ledger, key) = (self.out.join("ledger"), self.out.join("ledger.vkey"));
        let ran = tacita(["ledger", "report", text(&ledger), "--key", text(&key), "--json"]);
        succeeded(&ran);
        let report = ran.json();
        assert_eq!(report["claims_hold"], true);
        assert_eq!(report["ledger"]["origin_checked"], true);
        report
    }

    fn manifests(&self) -> Vec<Value> {
        let mut all = entries(&self.out.join("ledger"));
        all.retain(|entry| entry["kind"] == "manifest");
        all
    }

    /// What holds of every run.
    fn check(&self, clients: u64, rounds: u64) {
        let report = &self.report;
        assert_eq!(report["clients"], clients);
        assert_eq!(report["rounds_completed"], rounds, "{report:#}");
        let least = report["privacy"]["minimum_survivors"].as_u64().unwrap();
        let padded = report["vector"]["padded"].as_f64().unwrap();
        let bits = report["vector"]["bits"].as_f64().unwrap();
        for (round, number) in self.rounds().iter().zip(1u64..) {
            assert_eq!(round["round"], number);
            // Where noise was taken off, plain addition has nothing to say.
            let exact = if round["surplus_removed"] == 0 {
                Value::from(true)
            } else {
                Value::Null
            };
            assert_eq!(round["exact_sum"], exact, "{round:#}");
            let survivors = round["survivors"].as_u64().unwrap();
            assert!((least..=clients).contains(&survivors), "{round:#}");
            assert!(survivors <= round["cohort"].as_u64().unwrap());
            let accuracy = round["accuracy"].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&accuracy));
            let bytes = round["upload_bytes_per_client"].as_f64().unwrap();
            let limit = 1.05 * padded * bits / 8.0 + 65_536.0;
            assert!(
                bytes >= padded * bits / 8.0 && bytes <= limit,
                "{bytes} bytes of {limit}"
            );
            let phases = round["phase_seconds"].as_object().unwrap();
            let sum: f64 = phases.values().map(|s| s.as_f64().unwrap()).sum();
            let seconds = round["seconds"].as_f64().unwrap();
            assert!(sum > 0.0 && sum <= seconds + 0.05, "{sum} s of {seconds} s");
        }
        assert_eq!(
            report["final"]["accuracy"],
            self.rounds().last().unwrap()["accuracy"]
        );
        let audit = self.audit();
        assert_eq!(audit["ledger"]["outcomes"], rounds);
        assert_eq!(report["ledger"]["verified"], true);
        for adversary in ["epsilon_server", "epsilon_public"] {
            let live = &report["privacy"][adversary];
            assert_eq!(live, &self.rounds().last().unwrap()[adversary]);
            assert_eq!(live, &audit["tasks"][0][adversary], "{adversary}");
            assert_eq!(live, &report["ledger"][adversary]);
        }
        // The model that the report is about is the one in the directory.
        let model = fs::read(self.out.join("model.safetensors")).unwrap();
        let mut outcomes = entries(&self.out.join("ledger"));
        outcomes.retain(|entry| entry["kind"] == "outcome");
        let digest = outcomes.last().unwrap()["model_digest"]
            .as_str()
            .unwrap()
            .to_owned();
        let kept = self.out.join(format!("server/models/{digest}.safetensors"));
        assert_eq!(fs::read(kept).unwrap(), model);
    }
}

#[test]
fn drop_outs_in_every_round_leave_exact_sums_and_the_promised_budget() {
    let demo = Demo::run("--clients 10 --rounds 4 --drop 0.2 --epsilon 8 --seed 4");
    demo.check(10, 4);
    let privacy = &demo.report["privacy"];
    // c = 5 % but at least one; m = floor(0.75 n) = the quorum of floor((10 + 1) / 2) + 1 or more.
    assert_eq!(
        (&privacy["colluders"], &privacy["minimum_survivors"]),
        (&1.into(), &7.into())
    );
    assert_eq!(
        (&privacy["unit"], &privacy["adjacency"]),
        (&"client".into(), &"zero-out".into())
    );
    assert_eq!(privacy["mechanism"], "skellam");
    let spent = privacy["epsilon_server"].as_f64().unwrap();
    assert!(spent > 1.0 && spent <= 8.0, "{spent}");
    let increasing = demo.rounds().windows(2).all(|pair| {
        pair[0]["epsilon_server"].as_f64().unwrap() < pair[1]["epsilon_server"].as_f64().unwrap()
    });
    assert!(increasing);
    // Two vanish in every round, before or after their upload.
    assert!(
        demo.rounds()
            .iter()
            .any(|round| round["survivors"].as_u64().unwrap() < 10)
    );
    let wall = demo.report["wall_seconds"].as_f64().unwrap();
    assert!(wall < 15.0, "{wall} s: somebody waited for a deadline");
}

/// The sum keeps between V and a little more, whoever vanishes; the audit recomputes the epsilon of just that.
#[test]
fn noise_levels_take_off_what_is_not_needed() {
    let levels =
        "--clients 10 --minimum-survivors 7 --rounds 3 --drop 0.1 --epsilon 8 --noise-levels auto --seed 4";
    let demo = Demo::run(levels);
    demo.check(10, 3);
    let privacy = &demo.report["privacy"];
    assert_eq!(privacy["noise_levels"], serde_json::json!([1, 2, 3]));
    let share = u128::from(privacy["share_variance_q16"].as_u64().unwrap());
    let mut taken = 0;
    for round in demo.rounds() {
        let survivors = u128::from(round["survivors"].as_u64().unwrap());
        let removed = u128::from(round["surplus_removed"].as_u64().unwrap());
        let left: u128 = round["noise_variance_q16"].as_str().unwrap().parse().unwrap();
        // V = (m - c) shares; K_l = ceil(V / (n - c - r_l)), here with a level for every number of drop-outs.
        let kept = (6 * share).div_ceil(survivors - 1);
        assert_eq!(left, kept * removed + share * (survivors - removed), "{round:#}");
        assert!(kept * (survivors - 1) >= 6 * share);
        taken += removed;
    }
    assert!(taken > 0);
    assert!(privacy["epsilon_server"].as_f64().unwrap() <= 8.0);
    for manifest in demo.manifests() {
        assert_eq!(manifest["noise_levels"], "1,2,3");
    }
}

#[test]
fn every_party_a_process_of_its_own() {
    let demo = Demo::run("--clients 4 --rounds 6 --drop 0.2 --epsilon none --processes --seed 2");
    demo.check(4, 6);
    assert_eq!(demo.report["privacy"]["epsilon_server"], Value::Null);
    assert_eq!(demo.report["privacy"]["mechanism"], "none");
    assert!(demo.report["final"]["accuracy"].as_f64().unwrap() > 0.8);
    // Each has its own record, and every masked upload is in it, each under masks of its own.
    let mut digests = HashSet::new();
    let mut uploads = 0;
    for index in 0..4 {
        let config = demo.out.join(format!("clients/client-{index:04}.toml"));
        let ran = tacita(["client", "status", "--json", "--config", text(&config)]);
        succeeded(&ran);
        for round in ran.json()["rounds"].as_array().unwrap() {
            uploads += 1;
            digests.insert(round["upload_digest"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(digests.len(), uploads);
    let counted: u64 = demo
        .rounds()
        .iter()
        .map(|r| r["survivors"].as_u64().unwrap())
        .sum();
    assert!(uploads as u64 >= counted, "{uploads} uploads, {counted} counted");
}

#[test]
fn a_server_stays_within_its_bound_of_memory() {
    // A million parameters: what is proportional to them or to the members' uploads (75 MB together) shows beside the rest.
    let demo =
        Demo::run("--clients 24 --rounds 2 --epsilon none --model mlp-13333 --server-process --drop 0.1");
    let number = |of: &Value| of.as_u64().unwrap();
    let (clients, neighbours) = (
        number(&demo.report["clients"]),
        number(&demo.report["graph"]["neighbours"]),
    );
    let bound =
        (64 << 20) + 3 * 8 * number(&demo.report["parameters"]) + clients * ((160 << 10) + 200 * neighbours);
    let peak = number(&demo.report["server_peak_rss_bytes"]);
    assert!(peak <= bound, "{peak} bytes at most, {bound} promised");
    for round in demo.rounds() {
        assert_eq!(round["exact_sum"], true, "{round:#}");
    }
}

#[test]
fn a_seed_fixes_split_and_model_and_never_keys_or_masks() {
    let words = "--clients 4 --rounds 1 --model mlp --epsilon none --split shards";
    let [first, again, other] = [5, 5, 6].map(|seed| Demo::run(&format!("{words} --seed {seed}")));
    let start = |demo: &Demo| demo.manifests()[0]["model_digest"].clone();
    assert_eq!(start(&first), start(&again));
    assert_ne!(start(&first), start(&other));
    let data = |demo: &Demo, client: u16| {
        let path = demo.out.join(format!("clients/client-{client:04}.toml"));
        let config: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        config["data"].clone()
    };
    assert_eq!(data(&first, 3), data(&again, 3));
    assert_ne!(data(&first, 3), data(&other, 3));
    let roster = |demo: &Demo| {
        let charges = entries(&demo.out.join("ledger"));
        charges.iter().find(|entry| entry["kind"] == "charge").unwrap()["roster_root"].clone()
    };
    // The roster's root covers every mask key and nonce.
    assert_ne!(roster(&first), roster(&again));
    assert_ne!(first.manifests()[0]["round_id"], again.manifests()[0]["round_id"]);
    let key = |demo: &Demo| fs::read(demo.out.join("clients/client-0000/key.pem")).unwrap();
    assert_ne!(key(&first), key(&again));
}

#[test]
fn hospitals_beside_pooled_and_local_training() {
    let demo = Demo::run("--dataset heart --rounds 10 --epsilon none");
    demo.check(4, 10);
    let baselines = &demo.report["baselines"];
    let (pooled, local) = (
        baselines["pooled"].as_f64().unwrap(),
        baselines["local"].as_f64().unwrap(),
    );
    let federated = demo.report["final"]["accuracy"].as_f64().unwrap();
    for accuracy in [pooled, local, federated] {
        assert!((0.5..=1.0).contains(&accuracy), "{baselines:#}");
    }
}

#[test]
fn the_report_has_every_field() {
    let demo = Demo::run("--clients 3 --rounds 1 --epsilon 8");
    demo.check(3, 1);
    let report = &demo.report;
    let fields = [
        "/dataset",
        "/clients",
        "/rounds_completed",
        "/parameters",
        "/vector/dimension",
        "/vector/padded",
        "/vector/bits",
        "/graph/neighbours",
        "/graph/threshold",
        "/privacy/unit",
        "/privacy/adjacency",
        "/privacy/mechanism",
        "/privacy/delta",
        "/privacy/epsilon_public",
        "/privacy/epsilon_server",
        "/privacy/colluders",
        "/privacy/noise_multiplier",
        "/privacy/minimum_survivors",
        "/rounds/0/round",
        "/rounds/0/cohort",
        "/rounds/0/survivors",
        "/rounds/0/accuracy",
        "/rounds/0/loss",
        "/rounds/0/epsilon_public",
        "/rounds/0/epsilon_server",
        "/rounds/0/exact_sum",
        "/rounds/0/seconds",
        "/rounds/0/phase_seconds",
        "/rounds/0/upload_bytes_per_client",
        "/final/accuracy",
        "/final/loss",
        "/wall_seconds",
    ];
    for field in fields {
        let value = report.pointer(field);
        assert!(value.is_some_and(|value| !value.is_null()), "{field}: {value:?}");
    }
    #[cfg(target_os = "linux")]
    assert!(report["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    assert_eq!(report["parameters"], 650);
    assert_eq!(
        (&report["vector"]["dimension"], &report["vector"]["padded"]),
        (&650.into(), &1024.into())
    );
    // n = 3: no colluders, two neighbours, t = 2.
    assert_eq!(
        (&report["graph"]["neighbours"], &report["graph"]["threshold"]),
        (&2.into(), &2.into())
    );
    // The guaranteed noise in the sum over the clip norm, as the ledger's integers give it.
    let round = &demo.audit()["tasks"][0]["rounds"][0];
    let planned: f64 = round["planned_noise_multiplier"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let told = report["privacy"]["noise_multiplier"].as_f64().unwrap();
    assert!((told - planned).abs() < 1e-3, "{told} and {planned}");
}

#[test]
fn what_cannot_be_run_is_refused_before_anything_is_written() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    for (words, code, says) in [
        ("--clients 10 --drop 0.5", 3, "quorum"),
        ("--clients 4 --drop 0.5", 3, "tolerates only 1"),
        ("--clients 10 --drop 0.99", 2, "--drop"),
        ("--clients 10 --drop x", 2, "--drop"),
        ("--clients 2", 2, "--clients"),
        ("--clients 10 --colluders 10", 2, "--colluders"),
        ("--dataset heart --clients 5", 2, "four hospitals"),
        ("--model transformer", 2, "--model"),
        ("--epsilon 0 --clients 4", 2, "epsilon 0"),
        ("--epsilon=-1", 2, "--epsilon"),
        ("--delta 1 --clients 4", 2, "delta 1"),
    ] {
        let ran = demo_into(&out, words);
        assert_eq!(ran.code, code, "{words}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(says),
            "{words}: {}",
            ran.stderr
        );
        assert!(!out.exists(), "{words}");
    }
    fs::create_dir(&out).unwrap();
    fs::write(out.join("precious"), "x").unwrap();
    let ran = demo_into(&out, "--clients 3 --rounds 1");
    assert_eq!(ran.code, 3);
    assert!(ran.error().contains("exists"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1, "nothing was added");
}

/// Failure: the record unit does not go end to end (configuration, manifest, coins, sums, charge, ledger, report), costs what the client unit
/// costs, or says in the ledger or in the report that it is another.
#[test]
fn single_records_of_four_hospitals_are_protected() {
    let demo = Demo::run("--dataset heart --unit record --sampling 0.25 --rounds 6 --epsilon 4 --seed 2");
    demo.check(4, 6);
    let privacy = &demo.report["privacy"];
    assert_eq!(
        (&privacy["unit"], &privacy["adjacency"], &privacy["sampling"]),
        (&"record".into(), &"add-remove".into(), &0.25.into())
    );
    // 593 records of four hospitals to train on, a quarter of them in a round.
    assert_eq!(privacy["expected_records"], 148);
    let spent = privacy["epsilon_server"].as_f64().unwrap();
    // Planned for three survivors; with four there is more noise.
    assert!(spent > 2.0 && spent <= 4.0, "{spent}");
    for manifest in demo.manifests() {
        assert_eq!(
            (&manifest["unit"], &manifest["adjacency"], &manifest["sampling"]),
            (&"record".into(), &"add-remove".into(), &"0.25".into())
        );
        assert_eq!(manifest["largest_records"], privacy["largest_records"]);
    }
    let audit = demo.audit();
    for (field, words) in [
        ("unit", "record: one record of one client"),
        (
            "adjacency",
            "add-remove: one record is among a client's data or not",
        ),
        (
            "sampling",
            "q = 0.25 (task demo-heart): claimed by the manifests, carried out inside every client",
        ),
        ("method", "Mironov, Talwar and Zhang"),
        (
            "participation",
            "a record is taken to be among its client's data in every round",
        ),
    ] {
        let said = audit[field].as_str().unwrap();
        assert!(said.contains(words), "{field}: {said}");
    }
    let assumed = audit["assumed"].to_string();
    assert!(assumed.contains("tosses a coin of its own") && assumed.contains("no ledger can prove it"));
    // The same integers for clients would cost far more: less noise is enough for a record that is seldom there.
    let whole = Demo::run("--dataset heart --rounds 6 --epsilon 4 --seed 2");
    let noise = |demo: &Demo| demo.report["privacy"]["noise_multiplier"].as_f64().unwrap();
    assert!(
        noise(&demo) < 0.7 * noise(&whole),
        "{} {}",
        noise(&demo),
        noise(&whole)
    );
    assert_eq!(
        whole.audit()["unit"],
        "client: everything that one client sends in a round"
    );
}

/// Failure: training in the record unit learns nothing: gradients have the wrong sign, length or divisor.
#[test]
fn records_without_noise_teach_what_pooled_records_do() {
    let demo = Demo::run("--dataset heart --unit record --sampling 0.5 --rounds 20 --epsilon none");
    demo.check(4, 20);
    let pooled = demo.report["baselines"]["pooled"].as_f64().unwrap();
    let accuracy = demo.report["final"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > pooled - 0.06, "{accuracy} {pooled}");
}

/// Failure: a participant that did not agree to the record unit is counted in, or a sampling of clients is taken for one of records.
#[test]
fn a_sampling_that_nobody_carries_out_is_no_argument() {
    let root = tempfile::tempdir().unwrap();
    let ran = demo_into(
        &root.path().join("out"),
        "--dataset heart --sampling 0.25 --epsilon 4",
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("no sampling of clients can be credited"),
        "{}",
        ran.stderr
    );
}
