//! `tacita privacy calibrate`.

use clap::Args;
use serde_json::json;
use tacita_privacy::{Adversary, Decimal, IntegerSensitivity, Plan, PlanError, PlanRequest};

use super::{number, written};
use crate::args::{EpsilonTarget, decimal, epsilon_or_none};
use crate::output::{Exit, Output, refused, usage};
use crate::report::text;

/// Arguments of `tacita privacy calibrate`.
#[derive(Debug, Args)]
pub(super) struct CalibrateArgs {
    /// n, the cohort
    #[arg(long, value_name = "N")]
    clients: u32,
    /// m, fewest survivors a round is finished with; all clients if not given
    #[arg(long, value_name = "M")]
    minimum_survivors: Option<u32>,
    /// c, clients that collude with the server
    #[arg(long, value_name = "C", default_value_t = 0)]
    colluders: u32,
    /// Number of rounds
    #[arg(long, value_name = "T")]
    rounds: u32,
    /// Values in a vector, extra coordinates included
    #[arg(long, value_name = "D")]
    dimension: u32,
    /// Values that are rotated together, a power of two [default: so that padding is small]
    #[arg(long, value_name = "B")]
    block: Option<u32>,
    /// Joint clip norm, in model units
    #[arg(long, value_name = "NORM", value_parser = decimal, default_value = "1")]
    clip: Decimal,
    /// Epsilon over all rounds against the server with its colluders, or `none` for no noise
    #[arg(long, value_name = "E", value_parser = epsilon_or_none)]
    epsilon: EpsilonTarget,
    /// Delta of that promise, the sampler's part included
    #[arg(long, value_name = "D", value_parser = decimal)]
    delta: Decimal,
}

pub(super) fn run(args: &CalibrateArgs, output: &Output) -> anyhow::Result<Exit> {
    let plan = Plan::calibrate(PlanRequest {
        epsilon: args.epsilon.0,
        delta: args.delta,
        rounds: args.rounds,
        clients: args.clients,
        minimum_survivors: args.minimum_survivors.unwrap_or(args.clients),
        colluders: args.colluders,
        dimension: args.dimension,
        block: args.block,
        clip: args.clip,
    })
    .map_err(explain)?;
    let epsilon_public = plan.epsilon_for(Adversary::Public)?;
    let (encoding, request, share) = (plan.encoding(), plan.request(), plan.noise_share());
    let sensitivity = IntegerSensitivity::after_rounding(encoding.grid(), encoding.padded());
    let honest = request.minimum_survivors.saturating_sub(request.colluders);
    let total = u128::from(share.variance_q16()).saturating_mul(u128::from(honest));
    let command = format!(
        "tacita privacy epsilon --mechanism skellam --grid {} --dimension {} --block {} --share-variance-q16 {} --survivors {} \
         --colluders {} --rounds {} --delta {}",
        encoding.grid(),
        request.dimension,
        encoding.block(),
        share.variance_q16(),
        request.minimum_survivors,
        request.colluders,
        request.rounds,
        request.delta,
    );
    let with_noise = plan.epsilon_planned().is_some();
    let mechanism = if with_noise { "skellam" } else { "none" };
    let document = json!({
        "epsilon": number(plan.epsilon_planned()),
        "epsilon_public": number(epsilon_public),
        "delta": number(Some(request.delta)),
        "method": text::METHOD,
        "direction": text::DIRECTION,
        "mechanism": mechanism,
        "grid": encoding.grid(),
        "block": encoding.block(),
        "padded": encoding.padded(),
        "bits": plan.bits().get(),
        "share_variance_q16": share.variance_q16().to_string(),
        "planned_variance_q16": total.to_string(),
        "noise_multiplier": plan.noise_multiplier(),
        "squared_l2_sensitivity": sensitivity.squared_l2.to_string(),
        "l1_sensitivity": sensitivity.l1.to_string(),
        "bytes_per_update": plan.bits().packed_len(encoding.padded() as usize),
        "recompute": with_noise.then_some(&command),
        "inputs": {
            "clients": request.clients,
            "minimum_survivors": request.minimum_survivors,
            "colluders": request.colluders,
            "rounds": request.rounds,
            "dimension": request.dimension,
            "clip": request.clip.to_string(),
            "epsilon": number(request.epsilon),
            "delta": number(Some(request.delta)),
        },
    });
    let promise = if with_noise {
        format!(
            "{} for the server with {} colluders, at delta {} over {} rounds\n\
             {} for everyone else, who may be one participant\n\nRecompute with\n  {command}\n",
            written(plan.epsilon_planned()),
            request.colluders,
            request.delta,
            request.rounds,
            written(epsilon_public),
        )
    } else {
        "No noise: secure aggregation hides single updates, and nothing is promised about the sum.\n"
            .to_owned()
    };
    let text = format!(
        "mechanism           {mechanism}\n\
         grid                {} steps per clip norm {}\n\
         share variance      {} x 2^-16 squared grid steps, for each client\n\
         planned variance    {total} x 2^-16, from {honest} honest survivors\n\
         noise multiplier    {:.4} (standard deviation over clip norm, in the sum)\n\
         ring                {} bits, {} coordinates, {} bytes an update\n\
         integers            Delta2^2 = {}, Delta1 = {}\n\n{promise}",
        encoding.grid(),
        encoding.clip(),
        share.variance_q16(),
        plan.noise_multiplier(),
        plan.bits().get(),
        encoding.padded(),
        plan.bits().packed_len(encoding.padded() as usize),
        sensitivity.squared_l2,
        sensitivity.l1,
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}

/// Parameters out of range are a matter of the command line; a target that nothing meets is refused.
fn explain(error: PlanError) -> anyhow::Error {
    match error {
        PlanError::Cohort { .. }
        | PlanError::Colluders { .. }
        | PlanError::Rounds(_)
        | PlanError::Encoding(_) => usage(error),
        _ => refused(error),
    }
}
