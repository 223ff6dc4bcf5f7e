//! `tacita privacy calibrate` of rounds of a deployment.

use clap::Args;
use serde_json::json;
use tacita_privacy::{Adversary, Decimal, IntegerSensitivity, Plan, PlanError, PlanRequest};

use super::calibrate::CalibrateArgs;
use super::law::Mechanism;
use super::{number, written};
use crate::args::{ShareLaw, decimal};
use crate::output::{Exit, Output, refused, usage};
use crate::report::method::Kinds;
use crate::report::text;

/// A deployment, as its operator describes it.
#[derive(Debug, Args)]
#[command(next_help_heading = "A deployment")]
pub(super) struct CohortArgs {
    /// n, the cohort
    #[arg(long, value_name = "N", requires_all = ["dimension", "rounds"])]
    clients: Option<u32>,
    /// m, fewest survivors a round is finished with; all clients if not given
    #[arg(long, value_name = "M", requires = "clients")]
    minimum_survivors: Option<u32>,
    /// c, clients that collude with the server [default: 0]
    #[arg(long, value_name = "C", requires = "clients")]
    colluders: Option<u32>,
    /// Values that are rotated together, a power of two [default: so that padding is small]
    #[arg(long, value_name = "B", requires = "clients")]
    block: Option<u32>,
    /// Joint clip norm, in model units [default: 1]
    #[arg(long, value_name = "NORM", value_parser = decimal, requires = "clients")]
    clip: Option<Decimal>,
}

impl CohortArgs {
    /// Whether a deployment is asked about, not a mechanism.
    pub(super) fn is_described(&self) -> bool {
        self.clients.is_some()
    }
}

pub(super) fn run(args: &CalibrateArgs, output: &Output) -> anyhow::Result<Exit> {
    args.law.of_a_round()?;
    let law = match args.law.mechanism {
        None | Some(Mechanism::Skellam) => ShareLaw::Skellam,
        Some(Mechanism::DiscreteGaussian) => ShareLaw::DiscreteGaussian,
        Some(Mechanism::Gaussian) => {
            let reason = "the shares of a deployment are whole numbers: skellam or discrete-gaussian";
            return Err(usage(format!("--mechanism: {reason}")));
        }
    };
    let cohort = &args.cohort;
    let (Some(clients), Some(dimension), Some(rounds)) = (cohort.clients, args.dimension, args.law.rounds)
    else {
        return Err(usage("a deployment has clients, a dimension and rounds"));
    };
    let delta = decimal(&args.delta.text).map_err(|error| usage(format!("--delta: {error}")))?;
    let plan = Plan::calibrate(PlanRequest {
        epsilon: args.epsilon.0,
        delta,
        rounds,
        clients,
        minimum_survivors: cohort.minimum_survivors.unwrap_or(clients),
        colluders: cohort.colluders.unwrap_or(0),
        dimension,
        block: cohort.block,
        clip: cohort
            .clip
            .map_or_else(|| Decimal::new(1, 0), Ok)
            .map_err(usage)?,
        noise_levels: Vec::new(),
        mechanism: law.mechanism(),
        records: None,
    })
    .map_err(explain)?;
    let epsilon_public = plan.epsilon_for(Adversary::Public)?;
    let (encoding, request, share) = (plan.encoding(), plan.request(), plan.noise_share());
    let sensitivity = IntegerSensitivity::after_rounding(encoding.grid(), encoding.padded());
    let honest = request.minimum_survivors.saturating_sub(request.colluders);
    let total = u128::from(share.variance_q16()).saturating_mul(u128::from(honest));
    let command = recompute(&plan);
    let with_noise = plan.epsilon_planned().is_some();
    let mechanism = if with_noise { law.name() } else { "none" };
    let document = json!({
        "epsilon": number(plan.epsilon_planned()),
        "epsilon_public": number(epsilon_public),
        "delta": number(Some(request.delta)),
        "method": Kinds::of(&plan.release()).renyi(),
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

/// The command that recomputes the epsilon of a plan from its integers.
pub(super) fn recompute(plan: &Plan) -> String {
    let (encoding, request) = (plan.encoding(), plan.request());
    let records = request.records.map_or_else(String::new, |records| {
        format!(" --record-sampling {}", records.sampling())
    });
    format!(
        "tacita privacy epsilon --mechanism {} --grid {} --dimension {} --block {} --share-variance-q16 {} --survivors {} \
         --colluders {} --rounds {} --delta {}{records}",
        match request.mechanism {
            tacita_privacy::Mechanism::DiscreteGaussian => ShareLaw::DiscreteGaussian.name(),
            _ => ShareLaw::Skellam.name(),
        },
        encoding.grid(),
        request.dimension,
        encoding.block(),
        plan.noise_share().variance_q16(),
        request.minimum_survivors,
        request.colluders,
        request.rounds,
        request.delta,
    )
}

/// Parameters out of range are a matter of the command line; a target that nothing meets is refused.
pub(super) fn explain(error: PlanError) -> anyhow::Error {
    match error {
        PlanError::Cohort { .. }
        | PlanError::Colluders { .. }
        | PlanError::Rounds(_)
        | PlanError::Encoding(_) => usage(error),
        _ => refused(error),
    }
}
