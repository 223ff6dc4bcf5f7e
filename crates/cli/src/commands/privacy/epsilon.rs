//! `tacita privacy epsilon`.

use clap::{Args, ValueEnum};
use serde_json::json;
use tacita_privacy::{
    AccountError, Adversary, Decimal, Encoding, EncodingError, IntegerSensitivity, NoiseShare, Release,
    SkellamRelease,
};

use super::{number, written};
use crate::args::decimal;
use crate::output::{Exit, Output, usage};
use crate::report::text;

/// Arguments of `tacita privacy epsilon`.
#[derive(Debug, Args)]
pub(super) struct EpsilonArgs {
    /// Law of the noise
    #[arg(long, value_enum, default_value_t = NoiseLaw::Skellam)]
    mechanism: NoiseLaw,
    /// S, grid steps per clip norm
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=i64::from(Encoding::MAX_GRID)))]
    grid: u32,
    /// Values in a vector, before padding
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u32).range(1..=i64::from(Encoding::MAX_DIMENSION)))]
    dimension: u32,
    /// Values that are rotated together, a power of two; the vector is padded to a multiple [default: as `calibrate` chooses]
    #[arg(long, value_name = "B")]
    block: Option<u32>,
    /// Variance of one client's share, in units of 2^-16 squared grid steps
    #[arg(long, value_name = "V", required_unless_present = "noise_multiplier")]
    share_variance_q16: Option<u64>,
    /// Instead of the share: standard deviation of the noise that the server does not know, over the clip norm
    #[arg(long, value_name = "Z", value_parser = decimal, conflicts_with = "share_variance_q16")]
    noise_multiplier: Option<Decimal>,
    /// |U2|, clients in the sum; for a plan its minimum m
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    survivors: u32,
    /// c, clients that collude with the server
    #[arg(long, value_name = "C", default_value_t = 0)]
    colluders: u32,
    /// Number of rounds
    #[arg(long, value_name = "T", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rounds: u32,
    /// Delta that epsilon holds at, the sampler's part included
    #[arg(long, value_name = "D", value_parser = decimal)]
    delta: Decimal,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NoiseLaw {
    /// The difference of two Poisson variables; sums of shares have the same law
    Skellam,
}

pub(super) fn run(args: &EpsilonArgs, output: &Output) -> anyhow::Result<Exit> {
    let NoiseLaw::Skellam = args.mechanism;
    let server = Adversary::Server {
        colluders: args.colluders,
    };
    let Some(honest_shares) = server.honest_shares(args.survivors) else {
        return Err(usage(format!(
            "{} colluders among {} survivors leave no noise that the server does not know",
            args.colluders, args.survivors
        )));
    };
    let share = share(args, honest_shares)?;
    let block = args
        .block
        .unwrap_or_else(|| Encoding::usual_block(args.dimension));
    if !block.is_power_of_two() || block > args.dimension.next_power_of_two() {
        return Err(usage(EncodingError::Block(block).to_string()));
    }
    let padded = args.dimension.next_multiple_of(block);
    let spent = |adversary: Adversary| -> anyhow::Result<Option<Decimal>> {
        let Some(honest_shares) = adversary.honest_shares(args.survivors) else {
            return Ok(None);
        };
        let release = Release::Skellam(SkellamRelease {
            grid: args.grid,
            padded,
            share_variance_q16: share.variance_q16(),
            honest_shares,
            shares: args.survivors,
        });
        let rounds = u64::from(args.rounds);
        let draws = release.draws().saturating_mul(u128::from(rounds));
        Ok(Some(
            release
                .curve()
                .times(rounds)
                .epsilon_with_sampler(args.delta, draws)
                .map_err(explain)?,
        ))
    };
    let epsilon_server = spent(server)?;
    let epsilon_public = spent(Adversary::Public)?;
    let sensitivity = IntegerSensitivity::after_rounding(args.grid, padded);
    let (l2, l1) = (sensitivity.squared_l2, sensitivity.l1);
    let variance = u128::from(share.variance_q16()).saturating_mul(u128::from(honest_shares));
    let document = json!({
        "epsilon": number(epsilon_server),
        "epsilon_public": number(epsilon_public),
        "delta": number(Some(args.delta)),
        "method": text::METHOD,
        "direction": text::DIRECTION,
        "inputs": {
            "mechanism": "skellam",
            "unit": "client",
            "adjacency": "zero-out",
            "grid": args.grid,
            "dimension": args.dimension,
            "block": block,
            "padded": padded,
            "squared_l2_sensitivity": l2.to_string(),
            "l1_sensitivity": l1.to_string(),
            "share_variance_q16": share.variance_q16().to_string(),
            "survivors": args.survivors,
            "colluders": args.colluders,
            "honest_shares": honest_shares,
            "honest_variance_q16": variance.to_string(),
            "rounds": args.rounds,
        },
    });
    let text = format!(
        "{} for the server with {} colluders, at delta {} over {} rounds\n\
         {} for everyone else, who may be one participant\n\n\
         Method     {}, {}\n\
         Unit       {}\n\
         Adjacency  {}\n\
         Integers   sensitivities Delta2^2 = {l2} and Delta1 = {l1} on a grid of {} steps and {padded} coordinates\n\
        \x20          {honest_shares} shares of variance {} x 2^-16 that the server does not know\n",
        written(epsilon_server),
        args.colluders,
        args.delta,
        args.rounds,
        written(epsilon_public),
        text::METHOD,
        text::DIRECTION,
        text::UNIT,
        text::ADJACENCY,
        args.grid,
        share.variance_q16(),
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}

/// A delta out of range is a matter of the command line; too little noise is a result.
fn explain(error: AccountError) -> anyhow::Error {
    match error {
        AccountError::Delta(_) => usage(error),
        _ => anyhow::Error::new(error).context("too little noise for a finite epsilon"),
    }
}

/// The share as given, or the largest one whose sum over the honest is not above the given multiplier.
fn share(args: &EpsilonArgs, honest_shares: u32) -> anyhow::Result<NoiseShare> {
    let variance = match (args.share_variance_q16, args.noise_multiplier) {
        (Some(variance), _) => variance,
        (None, Some(multiplier)) => {
            let steps = multiplier.to_f64() * f64::from(args.grid);
            let variance = (steps * steps * 65_536.0 / f64::from(honest_shares)).floor();
            // A cast saturates, and the largest u64 is far above what is sampled.
            variance as u64
        }
        (None, None) => 0,
    };
    NoiseShare::skellam(variance).map_err(usage)
}
