//! `tacita privacy plan`: from what an operator knows to what a deployment costs and looks like.

use clap::Args;
use serde_json::json;
use tacita_privacy::{Adversary, Decimal, Plan, PlanRequest, RecordTerms};
use tacita_server::{GraphKind, served_cohort};

use super::cohort::{explain, recompute};
use super::{number, written};
use crate::args::{ShareLaw, decimal};
use crate::output::{Exit, Output, usage};
use crate::report::method::Kinds;
use crate::report::text;

/// Arguments of `tacita privacy plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// n, the cohort
    #[arg(long, value_name = "N")]
    clients: u32,
    /// Clients that may drop out of a round which is still finished
    #[arg(long, value_name = "R", default_value_t = 0)]
    drop_outs: u32,
    /// c, clients that collude with the server
    #[arg(long, value_name = "C", default_value_t = 0)]
    colluders: u32,
    /// Number of rounds
    #[arg(long, value_name = "T")]
    rounds: u32,
    /// Epsilon over all rounds against the server with its colluders
    #[arg(long, value_name = "E", value_parser = decimal)]
    epsilon: Decimal,
    /// Delta of that promise, the sampler's part included
    #[arg(long, value_name = "D", value_parser = decimal, default_value = "1e-5")]
    delta: Decimal,
    /// Law of the noise shares
    #[arg(long, value_enum, default_value_t = ShareLaw::Skellam)]
    mechanism: ShareLaw,
    /// Values in a vector, extra coordinates included
    #[arg(long, value_name = "D")]
    dimension: u32,
    /// Joint clip norm, in model units
    #[arg(long, value_name = "NORM", value_parser = decimal, default_value = "1")]
    clip: Decimal,
    /// The unit is one record, which its client samples with this probability by coins that it shows to nobody [default: the unit is a client]
    #[arg(long, value_name = "Q", value_parser = decimal, requires_all = ["largest_records", "expected_records"])]
    record_sampling: Option<Decimal>,
    /// Sampled records of one client that the ring has room for
    #[arg(long, value_name = "R", requires = "record_sampling")]
    largest_records: Option<u32>,
    /// What a whole cohort's sum is divided by, about Q times all records
    #[arg(long, value_name = "E", requires = "record_sampling")]
    expected_records: Option<u32>,
}

pub(super) fn run(args: &PlanArgs, output: &Output) -> anyhow::Result<Exit> {
    let Some(survivors) = args.clients.checked_sub(args.drop_outs).filter(|&m| m > 0) else {
        return Err(usage(format!(
            "--drop-outs: {} of {} clients leave nobody",
            args.drop_outs, args.clients
        )));
    };
    let graph = served_cohort(args.clients, args.colluders, survivors).map_err(usage)?;
    let records = match (args.record_sampling, args.largest_records, args.expected_records) {
        (Some(sampling), Some(largest), Some(expected)) => {
            Some(RecordTerms::new(sampling, largest, expected).map_err(usage)?)
        }
        _ => None,
    };
    let plan = Plan::calibrate(PlanRequest {
        epsilon: Some(args.epsilon),
        delta: args.delta,
        rounds: args.rounds,
        clients: args.clients,
        minimum_survivors: survivors,
        colluders: args.colluders,
        dimension: args.dimension,
        block: None,
        clip: args.clip,
        noise_levels: Vec::new(),
        mechanism: args.mechanism.mechanism(),
        records,
    })
    .map_err(explain)?;
    let epsilon_public = plan.epsilon_for(Adversary::Public)?;
    let (encoding, share, bits) = (plan.encoding(), plan.noise_share(), plan.bits());
    // Of the mean over so many survivors, in model units.
    let divisor =
        |count: u32| records.map_or(f64::from(count), |records| records.divisor(count, args.clients));
    let noise_of = |count: u32| share.standard_deviation(count, encoding) / divisor(count);
    let (fewest, all) = (noise_of(survivors), noise_of(args.clients));
    let typical = args.clip.to_f64() / f64::from(args.dimension).sqrt();
    let upload = bits.packed_len(encoding.padded() as usize);
    let shape = match graph.graph {
        GraphKind::Complete => "complete",
        GraphKind::Ring => "ring",
    };
    let command = recompute(&plan);
    let document = json!({
        "epsilon": number(plan.epsilon_planned()),
        "epsilon_public": number(epsilon_public),
        "delta": number(Some(args.delta)),
        "method": Kinds::of(&plan.release()).renyi(),
        "direction": text::DIRECTION,
        "mechanism": args.mechanism.name(),
        "noise_multiplier": plan.noise_multiplier(),
        "noise_per_weight": { "fewest_survivors": fewest, "all_survive": all, "clipped_update": typical },
        "share_variance_q16": share.variance_q16().to_string(),
        "grid": encoding.grid(),
        "block": encoding.block(),
        "padded": encoding.padded(),
        "bits": bits.get(),
        "upload_bytes": upload,
        "graph": shape,
        "neighbours": graph.neighbours,
        "threshold": graph.threshold,
        "quorum": graph.quorum,
        "minimum_survivors": survivors,
        "recompute": command,
        "inputs": {
            "clients": args.clients,
            "drop_outs": args.drop_outs,
            "colluders": args.colluders,
            "rounds": args.rounds,
            "epsilon": number(Some(args.epsilon)),
            "delta": number(Some(args.delta)),
            "dimension": args.dimension,
            "clip": args.clip.to_string(),
            "record_sampling": number(args.record_sampling),
            "largest_records": args.largest_records,
            "expected_records": args.expected_records,
        },
    });
    let text = format!(
        "{} of one {} for the server with {} colluders, at delta {} over {} rounds\n\
         {} for everyone else, who may be one participant\n\n\
         noise per weight    standard deviation {fewest:.3e} in each round's mean of {survivors} survivors, {all:.3e} of all {}\n\
        \x20                   (a clipped update has {typical:.3e} a weight, in the root mean square)\n\
         noise multiplier    {:.4} (standard deviation over clip norm, in the sum, of what the server does not know)\n\
         ring                {} bits, {} coordinates\n\
         upload              {upload} bytes of masked vector, for each client and round\n\
         graph               {shape}, k = {} neighbours\n\
         threshold           t = {} shares\n\
         survivors           m = {survivors} at least; Q = {} signatures\n\n\
         Recompute with\n  {command}\n",
        written(plan.epsilon_planned()),
        plan.contribution().unit(),
        args.colluders,
        args.delta,
        args.rounds,
        written(epsilon_public),
        args.clients,
        plan.noise_multiplier(),
        bits.get(),
        encoding.padded(),
        graph.neighbours,
        graph.threshold,
        graph.quorum,
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}
