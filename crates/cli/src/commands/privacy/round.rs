//! `tacita privacy epsilon` of rounds of a deployment.

use clap::Args;
use serde_json::json;
use tacita_privacy::account::renyi::DiscreteGaussianSum;
use tacita_privacy::{
    AccountError, Adversary, Decimal, Encoding, EncodingError, IntegerSensitivity, NoiseShare, PrivacyUnit,
    RecordTerms, Release,
};

use super::epsilon::EpsilonArgs;
use super::law::Mechanism;
use super::{number, written};
use crate::args::decimal;
use crate::output::{Exit, Output, usage};
use crate::report::method::Kinds;
use crate::report::{text, unit};

/// A round of a deployment, in the integers of its manifest.
#[derive(Debug, Args)]
#[command(next_help_heading = "A round of a deployment")]
pub(super) struct RoundArgs {
    /// S, grid steps per clip norm
    #[arg(long, value_name = "S", requires_all = ["dimension", "survivors"], value_parser = clap::value_parser!(u32).range(1..=i64::from(Encoding::MAX_GRID)))]
    grid: Option<u32>,
    /// Values that are rotated together, a power of two; the vector is padded to a multiple [default: as `plan` chooses]
    #[arg(long, value_name = "B", requires = "grid")]
    block: Option<u32>,
    /// Instead of the multiplier: variance of one client's share (of a discrete Gaussian sigma^2), in units of 2^-16 squared grid steps
    #[arg(long, value_name = "V", requires = "grid")]
    share_variance_q16: Option<u64>,
    /// |U2|, clients in the sum; for a plan its minimum m
    #[arg(long, value_name = "M", requires = "grid", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    survivors: Option<u32>,
    /// c, clients that collude with the server [default: 0]
    #[arg(long, value_name = "C", requires = "grid")]
    colluders: Option<u32>,
    /// The unit is one record, which its client samples with this probability by coins that it shows to nobody [default: the unit is a client]
    #[arg(long, value_name = "Q", requires = "grid", value_parser = decimal)]
    record_sampling: Option<Decimal>,
}

impl RoundArgs {
    /// Whether a round is asked about, not a mechanism.
    pub(super) fn is_described(&self) -> bool {
        self.grid.is_some()
    }
}

pub(super) fn run(args: &EpsilonArgs, output: &Output) -> anyhow::Result<Exit> {
    let round = &args.round;
    let (Some(grid), Some(dimension), Some(survivors)) = (round.grid, args.dimension, round.survivors) else {
        return Err(usage("a round has a grid, a dimension and survivors"));
    };
    let colluders = round.colluders.unwrap_or(0);
    let rounds = args.law.rounds.unwrap_or(1);
    let delta = decimal(&args.delta.text).map_err(|error| usage(format!("--delta: {error}")))?;
    let server = Adversary::Server { colluders };
    let Some(honest_shares) = server.honest_shares(survivors) else {
        return Err(usage(format!(
            "{colluders} colluders among {survivors} survivors leave no noise that the server does not know",
        )));
    };
    let share = share(args, grid, honest_shares)?;
    let block = round.block.unwrap_or_else(|| Encoding::usual_block(dimension));
    if !block.is_power_of_two() || block > dimension.next_power_of_two() {
        return Err(usage(EncodingError::Block(block).to_string()));
    }
    let padded = dimension.next_multiple_of(block);
    let sampling = round.record_sampling;
    if let Some(q) = sampling {
        RecordTerms::new(q, 1, 1).map_err(|error| usage(format!("--record-sampling: {error}")))?;
    }
    let release = |honest_shares: u32| {
        let all = Release::of_integers((grid, padded), &share, honest_shares, survivors);
        all.map(|release| release.of_records(sampling))
    };
    let method = Kinds::of(&release(honest_shares)).renyi();
    let (unit, adjacency) = match sampling {
        None => (text::UNIT, text::ADJACENCY),
        Some(_) => (unit::RECORD, unit::ADD_REMOVE),
    };
    let privacy_unit = sampling.map_or(PrivacyUnit::Client, |_| PrivacyUnit::Record);
    let spent = |adversary: Adversary| -> anyhow::Result<Option<Decimal>> {
        let Some(honest_shares) = adversary.honest_shares(survivors) else {
            return Ok(None);
        };
        narrow(&share, honest_shares, padded)?;
        let Some(release) = release(honest_shares) else {
            return Ok(None);
        };
        let rounds = u64::from(rounds);
        let draws = release.draws().saturating_mul(u128::from(rounds));
        Ok(Some(
            release
                .curve()
                .times(rounds)
                .epsilon_with_sampler(delta, draws)
                .map_err(explain)?,
        ))
    };
    let epsilon_server = spent(server)?;
    let epsilon_public = spent(Adversary::Public)?;
    let sensitivity = IntegerSensitivity::after_rounding(grid, padded);
    let (l2, l1) = (sensitivity.squared_l2, sensitivity.l1);
    let variance = u128::from(share.variance_q16()).saturating_mul(u128::from(honest_shares));
    let document = json!({
        "epsilon": number(epsilon_server),
        "epsilon_public": number(epsilon_public),
        "delta": number(Some(delta)),
        "method": method,
        "direction": text::DIRECTION,
        "inputs": {
            "mechanism": mechanism(args).name(),
            "unit": privacy_unit.to_string(),
            "adjacency": privacy_unit.adjacency().to_string(),
            "record_sampling": number(sampling),
            "grid": grid,
            "dimension": dimension,
            "block": block,
            "padded": padded,
            "squared_l2_sensitivity": l2.to_string(),
            "l1_sensitivity": l1.to_string(),
            "share_variance_q16": share.variance_q16().to_string(),
            "survivors": survivors,
            "colluders": colluders,
            "honest_shares": honest_shares,
            "honest_variance_q16": variance.to_string(),
            "rounds": rounds,
        },
    });
    let text = format!(
        "{} for the server with {colluders} colluders, at delta {delta} over {rounds} rounds\n\
         {} for everyone else, who may be one participant\n\n\
         Method     {method}, {}\n\
         Unit       {}\n\
         Adjacency  {}\n\
         Integers   sensitivities Delta2^2 = {l2} and Delta1 = {l1} on a grid of {grid} steps and {padded} coordinates\n\
        \x20          {honest_shares} shares of variance {} x 2^-16 that the server does not know\n",
        written(epsilon_server),
        written(epsilon_public),
        text::DIRECTION,
        unit,
        adjacency,
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

/// The law of a round's noise; Skellam unless another is named.
fn mechanism(args: &EpsilonArgs) -> Mechanism {
    args.law.mechanism.unwrap_or(Mechanism::Skellam)
}

/// The share as given, or the largest one whose sum over the honest is not above the given multiplier.
fn share(args: &EpsilonArgs, grid: u32, honest_shares: u32) -> anyhow::Result<NoiseShare> {
    let variance = match (args.round.share_variance_q16, &args.noise_multiplier) {
        (Some(variance), _) => variance,
        (None, Some(multiplier)) => {
            let steps = multiplier.value * f64::from(grid);
            let variance = (steps * steps * 65_536.0 / f64::from(honest_shares)).floor();
            // A cast saturates, and the largest u64 is far above what is sampled.
            variance as u64
        }
        (None, None) => 0,
    };
    match mechanism(args) {
        Mechanism::Gaussian => Err(usage(
            "--mechanism: rounds of a deployment have integer noise, skellam or discrete-gaussian",
        )),
        Mechanism::Skellam => NoiseShare::skellam(variance).map_err(usage),
        Mechanism::DiscreteGaussian => NoiseShare::discrete_gaussian(variance).map_err(usage),
    }
}

/// Refuses shares of discrete Gaussians whose sum is not proved to be near one.
fn narrow(share: &NoiseShare, honest_shares: u32, padded: u32) -> anyhow::Result<()> {
    if share.mechanism() != tacita_privacy::Mechanism::DiscreteGaussian {
        return Ok(());
    }
    let sum = DiscreteGaussianSum {
        sigma: (share.variance_q16() as f64 / 65_536.0).sqrt(),
        shares: honest_shares,
    };
    sum.check(padded).map_err(usage)
}
