//! `tacita privacy`: from noise to epsilon, and from a target to noise.

mod calibrate;
mod cohort;
mod curve;
mod epsilon;
mod law;
mod plan;
mod round;

use clap::{Args, Subcommand};
use serde_json::{Number, Value};
use tacita_privacy::Decimal;

use crate::commands::audit::{self, AuditArgs};
use crate::output::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  tacita privacy epsilon --mechanism gaussian --noise-multiplier 1 --rounds 10000 --sampling poisson:0.01 --delta 1e-6 \\
      --accountant pld --adjacency add-remove
  tacita privacy calibrate --mechanism skellam --epsilon 4 --delta 1e-5 --rounds 50 --sensitivity 4096 --dimension 8192
  tacita privacy curve --mechanism gaussian --noise-multiplier 20 --rounds 100 --accountant pld
  tacita privacy plan --clients 100 --drop-outs 20 --colluders 5 --rounds 50 --epsilon 4 --dimension 7850

Whether a task may go on is decided by a budget filter over Renyi curves (rdp), which holds for parameters chosen after seeing
results. A privacy loss distribution (pld) is tighter, and holds for a schedule fixed beforehand.";

const EPSILON_EXAMPLES: &str = "\
Examples:
  tacita privacy epsilon --mechanism gaussian --noise-multiplier 1 --rounds 10000 --sampling poisson:0.01 --delta 1e-6 \\
      --accountant pld --adjacency add-remove
  tacita privacy epsilon --mechanism gaussian --noise-multiplier 4 --rounds 100 --sampling fixed:50/1000 --delta 1e-6 \\
      --adjacency replace-one
  tacita privacy epsilon --mechanism discrete-gaussian --noise-multiplier 2 --sensitivity 100 --dimension 4096 --shares 50 \\
      --rounds 10 --delta 1e-6
  tacita privacy epsilon --mechanism skellam --noise-multiplier 3 --rounds 20 --delta 1e-6 --accountant pld --json

Rounds of a deployment, in the integers of a manifest (variances in units of 2^-16 squared grid steps):
  tacita privacy epsilon --grid 1024 --dimension 7850 --share-variance-q16 60000000000 --survivors 80 \\
      --colluders 5 --rounds 50 --delta 1e-5
  tacita privacy epsilon --noise-multiplier 8 --grid 1024 --dimension 7850 --survivors 80 --rounds 50 \\
      --delta 1e-5 --json

What has no proof is refused, never approximated: fixed-size cohorts but for replace-one, Poisson samples for replace-one, narrow
shares of discrete Gaussians, loss distributions of integer vectors of which only norms are known.";

const CALIBRATE_EXAMPLES: &str = "\
Examples:
  tacita privacy calibrate --mechanism gaussian --epsilon 2 --delta 1e-6 --rounds 1000 --sampling poisson:0.02
  tacita privacy calibrate --mechanism skellam --epsilon 4 --delta 1e-5 --rounds 50 --sensitivity 4096 --dimension 8192

Rounds of a deployment:
  tacita privacy calibrate --clients 100 --minimum-survivors 80 --colluders 5 --rounds 50 --dimension 7850 \\
      --epsilon 4 --delta 1e-5

For a deployment the `epsilon` command that recomputes the result is printed.";

const CURVE_EXAMPLES: &str = "\
Examples:
  tacita privacy curve --mechanism gaussian --noise-multiplier 20 --rounds 100 --accountant pld
  tacita privacy curve --mechanism skellam --noise-multiplier 5 --rounds 10 --delta 1e-4,1e-6,1e-8 --json";

const PLAN_EXAMPLES: &str = "\
Examples:
  tacita privacy plan --clients 100 --drop-outs 20 --colluders 5 --rounds 50 --epsilon 4 --dimension 7850
  tacita privacy plan --clients 20 --drop-outs 3 --rounds 10 --epsilon 2 --delta 1e-6 --dimension 1000 --json";

/// Arguments of `tacita privacy`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PrivacyArgs {
    #[command(subcommand)]
    action: PrivacyAction,
}

#[derive(Debug, Subcommand)]
enum PrivacyAction {
    /// What a mechanism, or rounds of a deployment, cost
    #[command(after_help = EPSILON_EXAMPLES)]
    Epsilon(Box<epsilon::EpsilonArgs>),
    /// The least noise that meets a target
    #[command(after_help = CALIBRATE_EXAMPLES)]
    Calibrate(Box<calibrate::CalibrateArgs>),
    /// Epsilon over deltas
    #[command(after_help = CURVE_EXAMPLES)]
    Curve(Box<curve::CurveArgs>),
    /// What a deployment needs: noise, ring, upload, neighbours and thresholds
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(plan::PlanArgs),
    /// Attack a whole federation with canaries, and compare with what is proved
    Audit(AuditArgs),
}

/// Runs the command.
///
/// # Errors
/// For parameters out of range or outside a proof, and for targets that no noise meets.
pub(crate) fn run(args: &PrivacyArgs, output: &Output) -> anyhow::Result<Exit> {
    match &args.action {
        PrivacyAction::Epsilon(args) => epsilon::run(args, output),
        PrivacyAction::Calibrate(args) => calibrate::run(args, output),
        PrivacyAction::Curve(args) => curve::run(args, output),
        PrivacyAction::Plan(args) => plan::run(args, output),
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
