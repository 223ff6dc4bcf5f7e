//! `tacita server`: the aggregation service.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::output::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  tacita server init --config server.toml        write a configuration to edit
  tacita server enrol --config server.toml < invitation.txt
  tacita server check --config server.toml       say what would run, and what is wrong with it
  tacita server run --config server.toml";

/// Arguments of `tacita server`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    action: ServerAction,
}

#[derive(Debug, Subcommand)]
enum ServerAction {
    /// Write a configuration with comments; an existing file is kept
    Init(ConfigArgs),
    /// Make a key here and exchange the invitation on standard input for a certificate
    Enrol(ConfigArgs),
    /// Check the configuration, files and budget without serving
    Check(ConfigArgs),
    /// Serve rounds until stopped
    Run(ConfigArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The server's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &ServerArgs, _output: &Output) -> anyhow::Result<Exit> {
    let (ServerAction::Init(config)
    | ServerAction::Enrol(config)
    | ServerAction::Check(config)
    | ServerAction::Run(config)) = &args.action;
    anyhow::bail!(
        "{}: the server is not part of this build",
        config.config.display()
    )
}
