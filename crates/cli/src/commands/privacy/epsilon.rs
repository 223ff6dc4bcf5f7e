//! `tacita privacy epsilon`: what a mechanism costs, or what rounds of a deployment cost.

use clap::Args;
use serde_json::json;
use tacita_privacy::Encoding;
use tacita_privacy::account::calibration::Accountant;

use super::law::{LawArgs, Written, down, explain, up};
use super::round::{self, RoundArgs};
use crate::output::{Exit, Output, usage};
use crate::report::text;

/// Arguments of `tacita privacy epsilon`.
#[derive(Debug, Args)]
pub(super) struct EpsilonArgs {
    #[command(flatten)]
    pub(super) law: LawArgs,
    /// Standard deviation of the noise over the L2 sensitivity; of a round over the clip norm, counting noise that the server does not know
    #[arg(
        long,
        value_name = "Z",
        required_unless_present = "share_variance_q16",
        conflicts_with = "share_variance_q16"
    )]
    pub(super) noise_multiplier: Option<Written>,
    /// Delta that epsilon holds at; of a round, the sampler's part included
    #[arg(long, value_name = "D")]
    pub(super) delta: Written,
    /// Values in a vector; of a round, before padding
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=i64::from(Encoding::MAX_DIMENSION)))]
    pub(super) dimension: Option<u32>,
    /// Use this Renyi order only, to recompute one by hand
    #[arg(long, value_name = "A")]
    order: Option<Written>,
    #[command(flatten)]
    pub(super) round: RoundArgs,
}

pub(super) fn run(args: &EpsilonArgs, output: &Output) -> anyhow::Result<Exit> {
    if args.round.is_described() {
        args.law.of_a_round()?;
        if args.order.is_some() {
            return Err(usage(
                "--order: rounds of a deployment are charged at the best order",
            ));
        }
        return round::run(args, output);
    }
    let question = args.law.question(args.dimension)?;
    let Some(z) = &args.noise_multiplier else {
        return Err(usage("--noise-multiplier is missing"));
    };
    let delta = args.delta.value;
    let cost = match &args.order {
        Some(order) if question.accountant == Accountant::Renyi => question
            .release
            .cost_at_order(z.value, order.value, delta)
            .map_err(explain)?,
        Some(_) => return Err(usage("--order: only Renyi curves (rdp) have orders")),
        None => {
            let costs = question.release.costs(z.value, question.accountant, &[delta]);
            costs.map_err(explain)?[0]
        }
    };
    if !cost.epsilon.is_finite() {
        anyhow::bail!("too little noise for a finite epsilon");
    }
    let method = question.method(Some(&cost));
    let mut inputs = question.inputs();
    inputs.insert("noise_multiplier".into(), json!(z.value));
    let mut document = json!({
        "epsilon": cost.epsilon,
        "delta": delta,
        "method": method,
        "direction": text::DIRECTION,
        "inputs": inputs,
    });
    let mut found = String::new();
    if let Some(lower) = cost.lower {
        document["epsilon_lower"] = json!(lower);
        found = format!("Lower      no analysis can show less than {}\n", down(lower));
    }
    if let Some(order) = cost.order {
        document["order"] = json!(order);
        found = format!("Order      {order}\n");
    }
    let text = format!(
        "epsilon {} at delta {}\n\n{}{found}Direction  {}\n",
        up(cost.epsilon),
        args.delta.text,
        question.described(&method),
        text::DIRECTION,
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}
