//! The command line as a whole: the flags that every command takes, and the list of commands.

use clap::{Args, Parser, Subcommand};

use crate::commands::{client, demo, server};

/// What `tacita --help` says below the commands.
const AFTER_HELP: &str = "\
Exit codes:
  0  done, and every check passed
  1  a check failed (a ledger that does not verify, a claim that is too low), or the work did
  2  the command line or a configuration file is wrong
  3  refused: by the budget, the consent policy, or because nothing may be overwritten

Results go to standard output, logs and errors to standard error.

Examples:
  tacita demo --clients 5 --rounds 10
  tacita privacy calibrate --clients 100 --minimum 80 --rounds 50 --dimension 7850 --epsilon 4 --delta 1e-5
  tacita authority init --dir authority
  tacita ledger verify ledger --key ledger.vkey";

/// Federated learning with secure aggregation, differential privacy and a ledger that anyone can check.
#[derive(Debug, Parser)]
#[command(name = "tacita", version, after_help = AFTER_HELP, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Print errors and results only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole federation on this machine, over real data and real sockets
    Demo(demo::DemoArgs),
    /// Run the server that coordinates rounds and sees masked sums only
    Server(server::ServerArgs),
    /// Take part in a federation with data that stays here
    Client(client::ClientArgs),
}
