//! Members that count by their number of examples, from the operator's file to the published model.

use std::fmt::Write as _;
use std::fs;

use crate::federation::data::{Task, tensors};
use crate::federation::{Federation, Plan, edit};

/// Examples that count, at most.
const CAP: u32 = 100;
/// Examples of each participant, and the one number that all its examples have as target. The last has more than count.
const MEMBERS: [(u32, f64); 3] = [(10, -0.6), (40, 0.2), (250, 0.7)];

/// All features are 0 and all targets of a participant equal: training makes the bias that target, whatever it was before, and leaves the weights
/// alone. The bias that a round publishes is then a mean of three known numbers.
fn write_constant_data(federation: &Federation) {
    for (index, (rows, target)) in (0..).zip(MEMBERS) {
        let mut text = "x0,x1,label\n".to_owned();
        for _ in 0..rows {
            writeln!(text, "0,0,{target}").unwrap();
        }
        fs::write(federation.client_dir(index).join("data.csv"), text).unwrap();
    }
}

/// The bias of the model that a task ends with.
fn published_bias(federation: &Federation) -> f64 {
    let tensors = tensors(&federation.last_model());
    assert_eq!(tensors["output.bias"].len(), 1);
    tensors["output.bias"][0]
}

fn weighted_by(weight: impl Fn(u32) -> f64) -> f64 {
    let total: f64 = MEMBERS.iter().map(|(rows, _)| weight(*rows)).sum();
    let sum: f64 = MEMBERS.iter().map(|(rows, target)| weight(*rows) * target).sum();
    sum / total
}

/// Failure: weights are multiplied by one on the way, are not capped, or stand in the manifest only. The mean is computed here, from
/// nothing but the numbers of examples and the targets.
#[test]
fn the_published_mean_is_weighted_by_examples() {
    let federation = Federation::new(Plan {
        rounds: 2,
        task: Task::Regression,
        ..Plan::new(3, 3, 0)
    });
    write_constant_data(&federation);
    let server = federation.server_config();
    edit(
        &server,
        "clip = \"1\"",
        &format!("clip = \"1.5\"\nweighting = {{ cap = {CAP}, scale = \"0.5\" }}"),
    );
    // Twenty steps that each leave two fifths of the way: 10^-8 of it in the end.
    edit(&server, "epochs = 10", "epochs = 20");
    for index in 0..3 {
        // The norm of update and weight together.
        edit(
            &federation.client_config(index),
            "largest_clip = \"1\"",
            "largest_clip = \"1.6\"",
        );
    }
    federation.run_to_the_end();
    federation.report();

    let expected = weighted_by(|rows| f64::from(rows.min(CAP)) / f64::from(CAP));
    let (plain, uncapped) = (weighted_by(|_| 1.0), weighted_by(f64::from));
    assert!((expected - plain).abs() > 0.3 && (expected - uncapped).abs() > 0.07);
    let published = published_bias(&federation);
    assert!(
        (published - expected).abs() < 0.02,
        "{published}; weighted {expected}, plain {plain}, without a cap {uncapped}"
    );

    // Control: the same participants in a task without weights.
    let federation = Federation::new(Plan {
        rounds: 1,
        task: Task::Regression,
        ..Plan::new(3, 3, 0)
    });
    write_constant_data(&federation);
    let server = federation.server_config();
    edit(&server, "clip = \"1\"", "clip = \"1.5\"");
    edit(&server, "epochs = 10", "epochs = 20");
    for index in 0..3 {
        edit(
            &federation.client_config(index),
            "largest_clip = \"1\"",
            "largest_clip = \"1.6\"",
        );
    }
    federation.run_to_the_end();
    let published = published_bias(&federation);
    assert!((published - plain).abs() < 0.02, "{published}; plain {plain}");
}
