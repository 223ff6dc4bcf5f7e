//! `tacita ledger report`: complete or not at all, the same for everyone, and inert.

use std::fs;

use serde_json::Value;
use tacita_ledger::{Entry, Manifest};

use crate::ledgers::{World, charge, manifest, outcome, release, story};

fn page(world: &World, rest: &[&str]) -> String {
    let path = world.root.path().join("report.html");
    let mut args = vec!["--html", path.to_str().unwrap()];
    args.extend(rest);
    let ran = world.with_key("report", &args);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    fs::read_to_string(path).unwrap()
}

/// Failure: a field can be left out of an entry, whatever kind it is of, and there is a report all the same; or the refusal does not
/// say which field.
#[test]
fn without_any_one_field_there_is_no_report() {
    let entries = [
        manifest(1, 1),
        charge(1, 1),
        outcome(1, 1, "8"),
        manifest(2, 2),
        release(2, 2),
    ];
    let good: Vec<Vec<u8>> = entries.iter().map(|entry| entry.encode().unwrap()).collect();
    assert_eq!(World::forged(&good).with_key("report", &[]).code, 0);
    let mut fields = 0;
    for at in [0, 1, 2, 4] {
        let Value::Object(members) = serde_json::from_slice(&good[at]).unwrap() else {
            panic!()
        };
        for name in members.keys() {
            let mut less = members.clone();
            less.remove(name);
            let mut items = good.clone();
            items[at] = serde_json::to_vec(&sorted(less)).unwrap();
            let world = World::forged(&items);
            let page = world.root.path().join("report.html");
            let ran = world.with_key("report", &["--html", page.to_str().unwrap()]);
            assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{at} without {name}");
            let said = ran.error();
            assert!(said.contains(&format!("entry {at}")), "{name}: {said}");
            // A null that is left out is a text that is not canonical; its place is named.
            let nullable = members[name].is_null() || NULLABLE.contains(&name.as_str());
            assert!(
                said.contains(name.as_str()) || (nullable && said.contains("not canonical")),
                "{name}: {said}"
            );
            assert!(!page.exists(), "{name}");
            fields += 1;
        }
    }
    assert_eq!(fields, 27 + 14 + 14 + 6, "every field of every kind");
}

/// Fields that may be null.
const NULLABLE: [&str; 7] = [
    "accuracy",
    "budget_delta",
    "budget_epsilon",
    "epsilon_public",
    "epsilon_server",
    "loss",
    "noise_levels",
];

fn sorted(members: serde_json::Map<String, Value>) -> std::collections::BTreeMap<String, Value> {
    members.into_iter().collect()
}

/// Failure: a charge whose cost depends on a field that is null gets a number all the same.
#[test]
fn a_null_that_the_cost_depends_on_is_named_and_nothing_is_written() {
    let Entry::Manifest(bare) = manifest(1, 1) else {
        panic!()
    };
    let bare = Manifest {
        budget_epsilon: None,
        budget_delta: None,
        ..bare
    };
    let world = World::new(&[Entry::Manifest(bare), charge(1, 1)]);
    let page = world.root.path().join("report.html");
    let ran = world.with_key("report", &["--html", page.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.error().contains("no budget_delta"), "{}", ran.stderr);
    assert!(!page.exists());
}

/// Failure: a task's name becomes a script in the reader's browser.
#[test]
fn a_hostile_task_name_comes_out_inert() {
    const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    let renamed: Vec<Entry> = story("8")
        .into_iter()
        .map(|entry| match entry {
            Entry::Manifest(entry) => Entry::Manifest(Manifest {
                task: HOSTILE.to_owned(),
                ..entry
            }),
            Entry::Charge(entry) => Entry::Charge(tacita_ledger::Charge {
                task: HOSTILE.to_owned(),
                ..entry
            }),
            other => other,
        })
        .collect();
    let world = World::new(&renamed);
    let page = page(&world, &["--date", "<b>today</b>"]);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for live in ["<script", "<img", "<b>"] {
        assert!(!page.contains(live), "{live}");
    }
    // In the JSON form it is the name as it is.
    let report = world.with_key("report", &["--json"]).json();
    assert_eq!(report["tasks"][0]["task"], HOSTILE);
}

/// Failure: two auditors of one ledger get different pages, or the page fetches something.
#[test]
fn the_page_is_one_file_and_the_same_for_everyone() {
    let world = World::new(&story("8"));
    let first = page(&world, &[]);
    assert_eq!(first, page(&world, &[]));
    assert_ne!(first, page(&world, &["--date", "2026-11-27"]));
    for from_elsewhere in [
        "http://", "https://", "src=", "href=", "url(", "@import", "<script",
    ] {
        assert!(!first.contains(from_elsewhere), "{from_elsewhere}");
    }
    assert!(first.starts_with("<!DOCTYPE html>"));
}

/// Failure: page, text and JSON of one ledger disagree.
#[test]
fn the_three_forms_say_the_same() {
    let world = World::new(&story("8"));
    let report = world.with_key("report", &["--json"]).json();
    let text = world.with_key("report", &[]).stdout;
    let page = page(&world, &[]);
    let task = &report["tasks"][0];
    let number = |value: &Value| value.to_string();
    for value in [number(&task["epsilon_server"]), number(&task["epsilon_public"])] {
        assert!(text.contains(&value) && page.contains(&value), "{value}");
    }
    let left = task["left_epsilon"].as_str().unwrap();
    assert!(text.contains(left) && page.contains(left));
    for sentence in report["plain_language"][0]["sentences"].as_array().unwrap() {
        assert!(page.contains(sentence.as_str().unwrap()), "{sentence}");
    }
    // What is left and what is spent are the budget, to the millionth.
    let spent = task["epsilon_server"].as_f64().unwrap();
    assert!((left.parse::<f64>().unwrap() + spent - 8.0).abs() < 1e-9);
    // The curve falls with delta, the public view is never the worse one, and the task's own delta is on it.
    let curve = task["curve"].as_array().unwrap();
    let server: Vec<f64> = curve
        .iter()
        .map(|point| point["epsilon_server"].as_f64().unwrap())
        .collect();
    assert!(server.windows(2).all(|pair| pair[0] < pair[1]), "{server:?}");
    for point in curve {
        assert!(point["epsilon_public"].as_f64() <= point["epsilon_server"].as_f64());
    }
    let own = curve
        .iter()
        .find(|point| point["delta"] == task["delta"])
        .unwrap();
    assert_eq!(own["epsilon_server"], task["epsilon_server"]);
    assert_eq!(task["renyi"].as_array().unwrap().len(), 128);
    assert_eq!(task["given_up"][0]["reason"], "too few clients joined");
    assert_eq!(task["rounds"][0]["noise_levels"], Value::Null);
}

/// Failure: an outcome may state less noise than its survivors kept, and nobody notices.
#[test]
fn less_noise_than_was_kept_is_a_contradiction() {
    let mut entries = story("8");
    if let Entry::Outcome(outcome) = &mut entries[2] {
        outcome.noise_variance_q16 = "44999999999999".to_owned();
    }
    let world = World::new(&entries);
    let ran = world.with_key("report", &["--json"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.error().contains("(entry 2)") && ran.error().contains("noise_variance_q16 44999999999999"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.json()["claims_hold"], false);
}

fn audit(lower: &str, confidence: &str) -> String {
    format!(
        r#"{{"audits":[{{"task":"digits","view":"server","method":"one run","epsilon_lower":"{lower}","delta":"0.00001","confidence":{confidence}}}]}}"#
    )
}

/// Failure: an attack that beats the proof is printed next to it without a word.
#[test]
fn audits_stand_beside_proofs_and_may_contradict_them() {
    let world = World::new(&story("8"));
    let file = world.root.path().join("audit.json");
    let run = |text: &str| {
        fs::write(&file, text).unwrap();
        world.with_key("report", &["--json", "--audit", file.to_str().unwrap()])
    };
    let ran = run(&audit("0.2", "\"0.95\""));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    let row = &report["tasks"][0]["audits"][0];
    assert_eq!(row["epsilon_lower"], 0.2);
    assert_eq!(row["epsilon_upper"], report["tasks"][0]["epsilon_server"]);
    assert_eq!(row["contradicts"], false);
    let ran = run(&audit("1000", "\"0.95\""));
    assert_eq!(ran.code, 1);
    assert!(
        ran.error().contains("an audit (one run) found epsilon"),
        "{}",
        ran.stderr
    );
    // An estimate contradicts nothing, but it is marked.
    let ran = run(&audit("1000", "null"));
    assert_eq!(
        (ran.code, &ran.json()["tasks"][0]["audits"][0]["contradicts"]),
        (0, &true.into())
    );
    for bad in [
        "{}".to_owned(),
        "[]".to_owned(),
        audit("0.2", "\"1\""),
        audit("-1", "null"),
        audit("0.2", "null").replace("digits", "other"),
        audit("0.2", "null").replace("one run", ""),
        audit("0.2", "null").replace("0.00001", "0"),
        audit("0.2", "null").replace("\"view\"", "\"views\""),
    ] {
        let ran = run(&bad);
        assert_eq!(ran.code, 2, "{bad}: {}", ran.stderr);
        assert!(ran.error().contains("audit.json"), "{}", ran.stderr);
    }
}

/// Failure: a page that cannot be written counts as written, or a wrong date as a date.
#[test]
fn what_cannot_be_written_or_printed_is_refused() {
    let world = World::new(&story("8"));
    let nowhere = world.root.path().join("no/such/folder.html");
    let ran = world.with_key("report", &["--html", nowhere.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.error().contains("folder.html"), "{}", ran.stderr);
    assert_eq!(world.with_key("report", &["--date", &"x".repeat(41)]).code, 2);
    assert_eq!(world.with_key("report", &["--date", "a\nb"]).code, 2);
}
