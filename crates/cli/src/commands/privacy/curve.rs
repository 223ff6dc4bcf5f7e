//! `tacita privacy curve`: epsilon over deltas.

use clap::Args;
use serde_json::json;

use super::law::{LawArgs, Written, explain, up};
use crate::output::{Exit, Output};
use crate::report::text;

/// Arguments of `tacita privacy curve`.
#[derive(Debug, Args)]
pub(super) struct CurveArgs {
    #[command(flatten)]
    law: LawArgs,
    /// Standard deviation of the noise over the L2 sensitivity
    #[arg(long, value_name = "Z")]
    noise_multiplier: Written,
    /// Deltas that epsilon is wanted at, separated by commas
    #[arg(
        long,
        value_name = "D,...",
        value_delimiter = ',',
        default_value = "1e-2,1e-3,1e-4,1e-5,1e-6,1e-7,1e-8,1e-9,1e-10"
    )]
    delta: Vec<Written>,
    /// Integer noise: values in a vector [default: 1]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..))]
    dimension: Option<u32>,
}

/// Columns of the longest bar.
const WIDTH: f64 = 50.0;

pub(super) fn run(args: &CurveArgs, output: &Output) -> anyhow::Result<Exit> {
    let question = args.law.question(args.dimension)?;
    let z = args.noise_multiplier.value;
    let deltas: Vec<f64> = args.delta.iter().map(|delta| delta.value).collect();
    let costs = question
        .release
        .costs(z, question.accountant, &deltas)
        .map_err(explain)?;
    let epsilons: Vec<f64> = costs.iter().map(|cost| cost.epsilon).collect();
    if epsilons.iter().any(|epsilon| !epsilon.is_finite()) {
        anyhow::bail!("too little noise for a finite epsilon");
    }
    let method = question.method(costs.first());
    let mut inputs = question.inputs();
    inputs.insert("noise_multiplier".into(), json!(z));
    let mut document = json!({
        "epsilon": epsilons,
        "delta": deltas,
        "method": method,
        "direction": text::DIRECTION,
        "inputs": inputs,
    });
    let lower: Option<Vec<f64>> = costs.iter().map(|cost| cost.lower).collect();
    if let Some(lower) = lower {
        document["epsilon_lower"] = json!(lower);
    }
    let largest = epsilons.iter().copied().fold(0.0, f64::max);
    let mut rows = String::new();
    for (delta, epsilon) in args.delta.iter().zip(&epsilons) {
        let columns = if largest > 0.0 {
            (epsilon / largest * WIDTH).round() as usize
        } else {
            0
        };
        let row = format!(
            "{:>10}  {:>12}  {}",
            delta.text,
            up(*epsilon),
            "#".repeat(columns)
        );
        rows.push_str(row.trim_end());
        rows.push('\n');
    }
    let text = format!(
        "     delta       epsilon\n{rows}\n{}Direction  {}\n",
        question.described(&method),
        text::DIRECTION,
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}
