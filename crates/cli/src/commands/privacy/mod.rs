//! `tacita privacy`: from noise to epsilon, and from a target to noise.

mod calibrate;
mod epsilon;

use clap::{Args, Subcommand};
use serde_json::{Number, Value};
use tacita_privacy::Decimal;

use crate::commands::audit::{self, AuditArgs};
use crate::output::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  tacita privacy calibrate --clients 100 --minimum-survivors 80 --colluders 5 --rounds 50 --dimension 7850 \\
      --epsilon 4 --delta 1e-5
  tacita privacy epsilon --grid 1024 --dimension 7850 --share-variance-q16 60000000000 --survivors 80 \\
      --colluders 5 --rounds 50 --delta 1e-5
  tacita privacy epsilon --noise-multiplier 8 --grid 1024 --dimension 7850 --survivors 80 --rounds 50 \\
      --delta 1e-5 --json

`calibrate` prints the `epsilon` command that recomputes its result. Variances are in units of 2^-16 squared grid steps,
as in a round's manifest.";

/// Arguments of `tacita privacy`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PrivacyArgs {
    #[command(subcommand)]
    action: PrivacyAction,
}

#[derive(Debug, Subcommand)]
enum PrivacyAction {
    /// What rounds with given noise cost
    #[command(after_help = EXAMPLES)]
    Epsilon(epsilon::EpsilonArgs),
    /// The least noise, the grid and the ring that meet a target
    #[command(after_help = EXAMPLES)]
    Calibrate(calibrate::CalibrateArgs),
    /// Attack a whole federation with canaries, and compare with what is proved
    Audit(AuditArgs),
}

/// Runs the command.
///
/// # Errors
/// For parameters out of range, and for targets that no noise meets.
pub(crate) fn run(args: &PrivacyArgs, output: &Output) -> anyhow::Result<Exit> {
    match &args.action {
        PrivacyAction::Epsilon(args) => epsilon::run(args, output),
        PrivacyAction::Calibrate(args) => calibrate::run(args, output),
        PrivacyAction::Audit(args) => audit::run(args, output),
    }
}

/// As a JSON number with the same digits; null for no finite value.
fn number(value: Option<Decimal>) -> Value {
    value
        .and_then(|value| Number::from_f64(value.to_f64()))
        .map_or(Value::Null, Value::Number)
}

/// For people.
fn written(value: Option<Decimal>) -> String {
    value.map_or_else(
        || "no finite epsilon".to_owned(),
        |value| format!("epsilon {value}"),
    )
}
