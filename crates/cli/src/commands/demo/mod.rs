//! `tacita demo`: a whole federation on one machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::output::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  tacita demo                                    ten clients learn to read digits
  tacita demo --dataset heart --clients 4 --epsilon 8
  tacita demo --epsilon none --drop 0.2          no noise, a fifth of the clients vanish in every round
  tacita demo --out run1 && tacita ledger report run1/ledger";

/// Arguments of `tacita demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Data to learn from; both sets are part of the program
    #[arg(long, value_enum, default_value_t = Dataset::Digits)]
    dataset: Dataset,
    /// Number of clients
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..=1000))]
    clients: u32,
    /// Number of rounds
    #[arg(long, value_name = "R", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Privacy budget of the whole run against everyone outside it, or `none` for no noise
    #[arg(long, value_name = "E", default_value = "8")]
    epsilon: String,
    /// The delta that epsilon holds at
    #[arg(long, value_name = "D", default_value = "0.00001")]
    delta: String,
    /// How records are spread over clients
    #[arg(long, value_enum, default_value_t = Split::Iid)]
    split: Split,
    /// Model to train
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Fraction of the clients that vanish in each round
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    drop: f64,
    /// Clients assumed to collude with the server
    #[arg(long, value_name = "C")]
    colluders: Option<u32>,
    /// Seed of everything that is not secret: data split, initial model, who vanishes
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Directory for the model, the ledger and the report
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run every party as a process of its own
    #[arg(long)]
    processes: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dataset {
    /// Handwritten digits, 8 x 8 pixels
    Digits,
    /// Heart disease, from four hospitals
    Heart,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Split {
    /// Every client sees the same mixture
    Iid,
    /// Every client sees few classes
    Shards,
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &DemoArgs, _output: &Output) -> anyhow::Result<Exit> {
    anyhow::bail!("the demonstration is not part of this build: {args:?}")
}
