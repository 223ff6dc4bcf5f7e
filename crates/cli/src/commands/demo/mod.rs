//! `tacita demo`: a whole federation on one machine, with nothing pretended: an authority, a server and N clients, each
//! with its own key, certificate, durable record and QUIC connection on loopback.
//!
//! `plan.rs` turns arguments into configurations, `town.rs` enrols everybody and runs the task, `vanish.rs` decides who
//! drops out when, `probe.rs` compares the server's sum with plain addition, `account.rs` writes the report.

mod account;
mod child;
mod plan;
mod probe;
mod records;
mod town;
mod vanish;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::{EpsilonTarget, ShareLaw, decimal, epsilon_or_none};
use crate::output::{Exit, Output};
use tacita_client::Canary;
use tacita_privacy::Decimal;
use tacita_server::{NoiseLevelsSetting, parse_noise_levels};

pub(crate) use crate::args::Unit;
pub(crate) use child::{ChildArgs, run as run_child};
pub(crate) use plan::Plan;
pub(crate) use town::Town;

const EXAMPLES: &str = "\
Examples:
  tacita demo                                    fifty clients learn to read digits under privacy
  tacita demo --dataset heart --epsilon none     four hospitals, beside pooled and local training
  tacita demo --dataset heart --unit record --epsilon 2    the same under privacy of each patient
  tacita demo --epsilon none --drop 0.2          no noise, a fifth of the clients vanish in every round
  tacita demo --clients 500 --rounds 30 --epsilon 2 --delta 1e-4 --out run1
  tacita demo --clients 500 --metrics --adaptive-clip --clip 0.1    a clip norm that nobody chose well
  tacita ledger report run1/ledger --key run1/ledger.vkey";

/// Noise levels as an argument.
#[derive(Debug, Clone)]
pub(crate) struct Levels(pub(crate) Option<NoiseLevelsSetting>);

fn levels(text: &str) -> Result<Levels, String> {
    parse_noise_levels(text).map(Levels)
}

/// Arguments of `tacita demo`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Data to learn from; both sets are part of the program
    #[arg(long, value_enum, default_value_t = Dataset::Digits)]
    pub(crate) dataset: Dataset,
    /// Number of clients [default: 50 for digits, 4 for heart]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=10_000))]
    pub(crate) clients: Option<u16>,
    /// Number of rounds [default: 15 for digits, 30 for heart]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: Option<u32>,
    /// Budget of the whole run against the server with its colluders, or `none` for no noise
    #[arg(long, value_name = "E", default_value = "8", value_parser = epsilon_or_none)]
    pub(crate) epsilon: EpsilonTarget,
    /// The law of the noise that every client adds a share of
    #[arg(long, value_enum, default_value_t = ShareLaw::Skellam)]
    pub(crate) mechanism: ShareLaw,
    /// The delta that epsilon holds at
    #[arg(long, value_name = "D", default_value = "1e-4", value_parser = decimal)]
    pub(crate) delta: Decimal,
    /// Whose data epsilon is about: each client's as a whole, or each record by itself
    #[arg(long, value_enum, default_value_t = Unit::Client)]
    pub(crate) unit: Unit,
    /// With which probability a client samples each of its records in a round; with --unit record [default: 0.3]
    #[arg(long, value_name = "Q", value_parser = decimal)]
    pub(crate) sampling: Option<Decimal>,
    /// How digits are spread over clients (a hospital keeps its own records)
    #[arg(long, value_enum, default_value_t = Split::Iid)]
    pub(crate) split: Split,
    /// softmax, mlp (one hidden layer of 32), or mlp-H with one of H
    #[arg(long, value_name = "NAME", default_value = "softmax")]
    pub(crate) model: String,
    /// Fraction of the clients that vanish in each round, at random phases, and come back for the next
    #[arg(long, value_name = "FRACTION", default_value = "0", value_parser = decimal)]
    pub(crate) drop: Decimal,
    /// Clients assumed to collude with the server [default: 5 %, at least 1 from four clients on]
    #[arg(long, value_name = "C")]
    pub(crate) colluders: Option<u16>,
    /// Fewest survivors that a round is finished with [default: 95 % of the clients less those that vanish]
    #[arg(long, value_name = "M")]
    pub(crate) minimum_survivors: Option<u16>,
    /// How pairs of clients agree on masks: X25519 with ML-KEM-768, or, to see what that costs, X25519 alone
    #[arg(long, value_enum, default_value_t = KeyAgreement::Hybrid)]
    pub(crate) key_agreement: KeyAgreement,
    /// Numbers of drop-outs at which noise is taken off the sum again: off, auto, or R1,R2,... up to those tolerated
    #[arg(long, value_name = "LEVELS", default_value = "off", value_parser = levels)]
    pub(crate) noise_levels: Levels,
    /// Clip norm of updates, the first one with --adaptive-clip [default: one that suits the data]
    #[arg(long, value_name = "C", value_parser = decimal)]
    pub(crate) clip: Option<Decimal>,
    /// Let a noisy count of the updates within the clip norm move it from round to round
    #[arg(long)]
    pub(crate) adaptive_clip: bool,
    /// Let members report loss and accuracy of the model that they receive on their own data, under the same noise
    #[arg(long)]
    pub(crate) metrics: bool,
    /// Fixes data split, initial model and who vanishes; never keys, masks or noise
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Directory for the report, the ledger, the model and all configurations; must not exist
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Run every party as a process of its own
    #[arg(long)]
    pub(crate) processes: bool,
    /// Run the server as a process of its own, all clients in this one: its memory can then be told apart
    #[arg(long, conflicts_with = "processes")]
    pub(crate) server_process: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dataset {
    /// Handwritten digits, 8 x 8 pixels
    Digits,
    /// Heart disease, from four hospitals
    Heart,
}

impl Dataset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Heart => "heart",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyAgreement {
    /// Masks recorded today stay closed to quantum computers
    Hybrid,
    /// They do not
    X25519,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// Every client sees the same mixture
    Iid,
    /// Every client sees few classes
    Shards,
}

impl Split {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iid => "iid",
            Self::Shards => "shards",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &DemoArgs, output: &Output) -> anyhow::Result<Exit> {
    let started = std::time::Instant::now();
    let plan = Plan::new(args)?;
    let town = run_town(&plan, None, output)?;
    let report = account::write(&plan, &town, started)?;
    output.result(&account::text(&plan, &report), &report)?;
    Ok(if report.all_sums_exact() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// Runs the federation of a plan; an audit puts canaries into it.
///
/// # Errors
/// In words.
pub(crate) fn run_town(plan: &Plan, canary: Option<Canary>, output: &Output) -> anyhow::Result<Town> {
    crate::runtime()?.block_on(town::run(plan, canary, output))
}
