//! Three participants with CSV files learn together, with noise and without.

use std::fs;

use serde_json::Value;

use crate::federation::data::Task;
use crate::federation::{Federation, Plan, name, succeeded, text};
use crate::running::tacita;

fn decimal(value: &Value) -> f64 {
    value
        .as_str()
        .map_or_else(|| value.as_f64(), |text| text.parse().ok())
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// What outcomes claim, what the auditor recomputes and what each participant charged itself tell one story.
fn budgets_agree(federation: &Federation) {
    let report = federation.report();
    let task = &report["tasks"][0];
    let outcomes = federation.entries_of("outcome");
    assert_eq!(outcomes.len(), federation.plan.rounds as usize);
    let last = outcomes.last().unwrap();
    for adversary in ["epsilon_server", "epsilon_public"] {
        assert_eq!(
            decimal(&last[adversary]),
            decimal(&task[adversary]),
            "{adversary}: {task:#}"
        );
        let mut before = 0.0;
        for (outcome, round) in outcomes.iter().zip(task["rounds"].as_array().unwrap()) {
            assert_eq!(decimal(&outcome[adversary]), decimal(&round[adversary]));
            assert!(
                decimal(&outcome[adversary]) > before,
                "every round costs something"
            );
            before = decimal(&outcome[adversary]);
        }
    }
    let epsilon: f64 = federation.plan.epsilon.unwrap().parse().unwrap();
    assert!(decimal(&last["epsilon_server"]) <= epsilon);
    for index in 0..federation.plan.clients {
        let status = federation.status(index);
        let task = &status["tasks"][0];
        assert_eq!(status["name"], name(index).as_str());
        assert_eq!(status["uploads"], federation.plan.rounds);
        assert_eq!(status["rounds_without_noise"], 0);
        assert_eq!(task["rounds"], federation.plan.rounds);
        // m = n here: the worst case that a client charges is the case that there was.
        assert_eq!(
            decimal(&task["epsilon_spent"]),
            decimal(&last["epsilon_server"]),
            "{status:#}"
        );
    }
}

#[test]
fn three_participants_learn_a_classification_under_privacy() {
    let federation = Federation::new(Plan {
        rounds: 4,
        epsilon: Some("30"),
        ..Plan::new(3, 3, 0)
    });
    let checked = tacita([
        "server",
        "check",
        "--json",
        "--config",
        text(&federation.server_config()),
    ]);
    succeeded(&checked);
    let checked = checked.json();
    assert_eq!((&checked["cohort"], &checked["rounds"]), (&3.into(), &4.into()));
    assert_eq!(checked["ledger_entries"], 0);
    federation.run_to_the_end();
    budgets_agree(&federation);
    let planned = decimal(&checked["epsilon_planned"]);
    let spent = decimal(&federation.entries_of("outcome").last().unwrap()["epsilon_server"]);
    assert!((spent - planned).abs() < 1e-9, "{spent} of {planned}");
    let score = federation.plan.task.score(&federation.last_model());
    assert!(score > 0.9, "{score}");
    // What the server measured on its own held-out file says the same.
    let accuracy = decimal(&federation.entries_of("outcome").last().unwrap()["accuracy"]);
    assert!((accuracy - score).abs() < 0.1, "{accuracy} beside {score}");
}

#[test]
fn three_participants_learn_a_regression_without_noise() {
    let federation = Federation::new(Plan {
        rounds: 6,
        task: Task::Regression,
        ..Plan::new(3, 3, 0)
    });
    federation.run_to_the_end();
    let score = federation.plan.task.score(&federation.last_model());
    assert!(score > 0.9, "{score}");
    // No promise is made, by nobody.
    let report = federation.report();
    assert_eq!(report["tasks"][0]["epsilon_server"], Value::Null);
    for outcome in federation.entries_of("outcome") {
        assert_eq!(outcome["epsilon_server"], Value::Null, "{outcome}");
    }
    let status = federation.status(0);
    assert_eq!(
        (&status["uploads"], &status["rounds_without_noise"]),
        (&6.into(), &6.into())
    );
    // Starting the finished task again changes nothing.
    let before = federation.entries();
    federation.run_to_the_end();
    assert_eq!(federation.entries(), before);
}

/// Failure: a participant whose training diverges leaves the round, and so tells the server, free of charge, that its data made it diverge; or what
/// is no number reaches the sum; or the participant itself is not told.
#[test]
fn training_that_diverges_does_not_show() {
    let federation = Federation::new(Plan {
        rounds: 2,
        epsilon: Some("30"),
        ..Plan::new(3, 3, 0)
    });
    // As large as a feature can be: the first step's gradient is, too, and the second step has no numbers left.
    let data = federation.client_dir(1).join("data.csv");
    let rows: Vec<String> = fs::read_to_string(&data)
        .unwrap()
        .lines()
        .enumerate()
        .map(|(at, row)| match (at, row.split_once(',')) {
            (1.., Some((_, rest))) => format!("3e38,{rest}"),
            _ => row.to_owned(),
        })
        .collect();
    fs::write(&data, rows.join("\n")).unwrap();
    federation.run_to_the_end();
    let charges = federation.entries_of("charge");
    assert_eq!(charges.len(), 2, "no attempt failed");
    assert!(charges.iter().all(|charge| charge["survivor_count"] == 3));
    let said = |file: &str| fs::read_to_string(federation.path().join(file)).unwrap();
    assert!(said(&format!("{}.err", name(1))).contains("grew out of all bounds"));
    assert!(!said(&format!("{}.err", name(0))).contains("grew out of all bounds"));
    let server = said("server.err");
    assert!(
        !server.contains("left the round") && !server.contains("bounds"),
        "{server}"
    );
    // The other two teach the model all the same.
    let score = federation.plan.task.score(&federation.last_model());
    assert!(score > 0.7, "{score}");
}
