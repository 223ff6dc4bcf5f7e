//! `tacita ledger`: check a ledger, and recompute what its rounds cost.

mod checked;
mod report;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;
use tacita_ledger::{VerifyOptions, verify_with};

use checked::{Checked, LedgerFiles};
use report::ReportArgs;

use crate::output::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  tacita ledger verify ledger --key ledger.vkey
  tacita ledger verify ledger                    integrity only, origin not checked
  tacita ledger verify ledger --key ledger.vkey --witness participants.vkeys --quorum 4
  tacita ledger report ledger --key ledger.vkey --witness participants.vkeys --html report.html
  tacita ledger report ledger --json | jq '.tasks[0].epsilon_server'
  tacita ledger key ledger --key pinned.vkey --out ledger.vkey      follow rotations of the ledger's key

A ledger is a directory of static files; any copy of it can be checked. Exit code 1 says that it does not verify, or
that an outcome claims less than its charges amount to.";

/// Arguments of `tacita ledger`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LedgerArgs {
    #[command(subcommand)]
    action: LedgerAction,
}

#[derive(Debug, Subcommand)]
enum LedgerAction {
    /// Check every byte: entries, hashes, rules and signatures
    #[command(after_help = EXAMPLES)]
    Verify(LedgerFiles),
    /// Verify, then recompute epsilon from the entries alone and compare it with what outcomes claim
    #[command(after_help = EXAMPLES)]
    Report(ReportArgs),
    /// Verify from a pinned key on, and print the key that signs now
    #[command(after_help = EXAMPLES)]
    Key(KeyArgs),
}

#[derive(Debug, Args)]
struct KeyArgs {
    /// The ledger's directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// File with the pinned key
    #[arg(long, value_name = "VKEY-FILE")]
    key: PathBuf,
    /// Write the key that signs now to this file
    #[arg(long, value_name = "VKEY-FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If the ledger does not verify, or there is no report.
pub(crate) fn run(args: &LedgerArgs, output: &Output) -> anyhow::Result<Exit> {
    match &args.action {
        LedgerAction::Verify(files) => {
            let ledger = Checked::new(files)?;
            let text = format!("{}Verified: {}.", ledger.text(), ledger.origin());
            output.result(&text, &json!({ "verified": true, "ledger": ledger.json() }))?;
            Ok(Exit::Done)
        }
        LedgerAction::Report(args) => report::run(args, output),
        LedgerAction::Key(args) => key(args, output),
    }
}

fn key(args: &KeyArgs, output: &Output) -> anyhow::Result<Exit> {
    let pinned = checked::read_key(&args.key)?;
    let options = VerifyOptions {
        log_key: Some(pinned.clone()),
        allow_unlisted: true,
        ..VerifyOptions::default()
    };
    let verified = verify_with(&tacita_server::Directory::new(&args.directory), &options)
        .with_context(|| format!("the ledger in {} does not verify", args.directory.display()))?;
    // Never empty: the pinned key is in it.
    let current = verified.keys.current().unwrap_or(&pinned);
    if let Some(path) = &args.out {
        crate::enrolling::write_public(path, &format!("{current}\n"))?;
    }
    let rotations = verified.keys.keys().len().saturating_sub(1);
    output.result(
        &current.to_string(),
        &json!({ "key": current.to_string(), "pinned": pinned.to_string(), "rotations": rotations }),
    )?;
    Ok(Exit::Done)
}
