//! `tacita privacy calibrate`: the least noise for a target, of a mechanism or of rounds of a deployment.

use clap::Args;
use serde_json::json;

use super::cohort::{self, CohortArgs};
use super::law::{LawArgs, Written, explain, up};
use crate::args::{EpsilonTarget, epsilon_or_none};
use crate::output::{Exit, Output, usage};

/// Arguments of `tacita privacy calibrate`.
#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    #[command(flatten)]
    pub(super) law: LawArgs,
    /// Epsilon over all rounds; of a deployment against the server with its colluders, or `none` for no noise
    #[arg(long, value_name = "E", value_parser = epsilon_or_none)]
    pub(super) epsilon: EpsilonTarget,
    /// Delta of that promise; of a deployment, the sampler's part included
    #[arg(long, value_name = "D")]
    pub(super) delta: Written,
    /// Values in a vector; of a deployment with extra coordinates
    #[arg(long, value_name = "D")]
    pub(super) dimension: Option<u32>,
    #[command(flatten)]
    pub(super) cohort: CohortArgs,
}

pub(super) fn run(args: &CalibrateArgs, output: &Output) -> anyhow::Result<Exit> {
    if args.cohort.is_described() {
        return cohort::run(args, output);
    }
    let question = args.law.question(args.dimension)?;
    let Some(target) = args.epsilon.0 else {
        return Err(usage("--epsilon none: without a target there is no least noise"));
    };
    let (accountant, delta) = (question.accountant, args.delta.value);
    let z = question
        .release
        .noise_multiplier(accountant, target.to_f64(), delta)
        .map_err(explain)?;
    let cost = question.release.costs(z, accountant, &[delta]).map_err(explain)?[0];
    let method = question.method(Some(&cost));
    let direction = "noise rounded up, to what was itself checked to meet the target; epsilon is an upper bound, rounded up";
    let mut inputs = question.inputs();
    inputs.insert("epsilon".into(), json!(target.to_f64()));
    inputs.insert("delta".into(), json!(delta));
    let document = json!({
        "noise_multiplier": z,
        "epsilon": cost.epsilon,
        "delta": delta,
        "method": method,
        "direction": direction,
        "inputs": inputs,
    });
    let text = format!(
        "noise multiplier {} for epsilon {target} at delta {}\n\n{}Direction  {direction}\n",
        up(z),
        args.delta.text,
        question.described(&method),
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}
