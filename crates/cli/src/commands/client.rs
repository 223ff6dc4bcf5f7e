//! `tacita client`: a participant next to its data.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::output::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  tacita client init --config client.toml        write a configuration to edit
  tacita client enrol --config client.toml < invitation.txt
  tacita client join --config client.toml        take part in rounds until stopped
  tacita client status --config client.toml      what was spent, and what is left";

/// Arguments of `tacita client`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClientArgs {
    #[command(subcommand)]
    action: ClientAction,
}

#[derive(Debug, Subcommand)]
enum ClientAction {
    /// Write a configuration with comments; an existing file is kept
    Init(ConfigArgs),
    /// Make a key here and exchange the invitation on standard input for a certificate
    Enrol(ConfigArgs),
    /// Take part in rounds, within the consent policy and the budget, until stopped
    Join(ConfigArgs),
    /// Say what this client has spent, signed and kept
    Status(ConfigArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The client's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &ClientArgs, _output: &Output) -> anyhow::Result<Exit> {
    let (ClientAction::Init(config)
    | ClientAction::Enrol(config)
    | ClientAction::Join(config)
    | ClientAction::Status(config)) = &args.action;
    anyhow::bail!(
        "{}: the client is not part of this build",
        config.config.display()
    )
}
