//! The command line as a whole: the flags that every command takes, and the list of commands.

use clap::{Args, Parser, Subcommand, ValueEnum};

use tacita_privacy::{Decimal, DecimalError, Mechanism};

use crate::commands::{authority, client, demo, ledger, privacy, server};

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
  tacita privacy calibrate --clients 100 --rounds 50 --dimension 7850 --epsilon 4 --delta 1e-5
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
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,
    /// Say more on standard error; twice for everything
    #[arg(long, short, global = true, help_heading = "Everywhere", action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Print errors and results only
    #[arg(long, short, global = true, help_heading = "Everywhere")]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole federation on this machine, over real data and real sockets
    Demo(demo::DemoArgs),
    /// Decide who may take part: invitations, certificates, revocation
    Authority(authority::AuthorityArgs),
    /// One process of `demo --processes`
    #[command(hide = true)]
    DemoPart(demo::ChildArgs),
    /// Run the server that coordinates rounds and sees masked sums only
    Server(server::ServerArgs),
    /// Take part in a federation with data that stays here
    Client(client::ClientArgs),
    /// Check a ledger, and recompute what its rounds cost
    Ledger(ledger::LedgerArgs),
    /// From noise to epsilon, and from a target to noise
    Privacy(privacy::PrivacyArgs),
}

impl Command {
    /// Whether it runs until it is stopped.
    pub(crate) fn is_service(&self) -> bool {
        match self {
            Self::Server(args) => args.is_service(),
            Self::Client(args) => args.is_service(),
            _ => false,
        }
    }
}

/// An epsilon to stay below, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpsilonTarget(pub(crate) Option<Decimal>);

/// Reads an epsilon, or `none`.
///
/// # Errors
/// As [`decimal`].
pub(crate) fn epsilon_or_none(text: &str) -> Result<EpsilonTarget, String> {
    if text == "none" {
        Ok(EpsilonTarget(None))
    } else {
        decimal(text).map(|value| EpsilonTarget(Some(value)))
    }
}

/// Reads a decimal exactly, with or without an exponent: `0.00001`, `1e-5`.
///
/// # Errors
/// In words.
pub(crate) fn decimal(text: &str) -> Result<Decimal, String> {
    let parse = |text: &str| text.parse().map_err(|error: DecimalError| error.to_string());
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return parse(text);
    };
    let exponent: i8 = exponent
        .parse()
        .map_err(|_| "the exponent is not a small integer".to_owned())?;
    let mantissa: Decimal = parse(mantissa)?;
    parse(&shifted(&mantissa.to_string(), exponent))
}

/// Moves the point of a plain decimal to the right, or to the left if negative.
fn shifted(mantissa: &str, places: i8) -> String {
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let steps = usize::from(places.unsigned_abs());
    if places >= 0 {
        let missing = "0".repeat(steps.saturating_sub(fraction.len()));
        let (moved, rest) = fraction.split_at_checked(steps).unwrap_or((fraction, ""));
        let point = if rest.is_empty() { "" } else { "." };
        format!("{whole}{moved}{missing}{point}{rest}")
    } else {
        let padded = format!("{}{whole}", "0".repeat((steps + 1).saturating_sub(whole.len())));
        let (kept, moved) = padded
            .split_at_checked(padded.len().saturating_sub(steps))
            .unwrap_or(("", &padded));
        format!("{kept}.{moved}{fraction}")
    }
}

/// Noise that clients make in shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShareLaw {
    /// Sums of shares are exactly Skellam, whoever drops out
    Skellam,
    /// Sums are close to a discrete Gaussian, which the account covers
    DiscreteGaussian,
}

impl ShareLaw {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Skellam => "skellam",
            Self::DiscreteGaussian => "discrete-gaussian",
        }
    }

    pub(crate) fn mechanism(self) -> Mechanism {
        match self {
            Self::Skellam => Mechanism::Skellam,
            Self::DiscreteGaussian => Mechanism::DiscreteGaussian,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exponents_are_exact() {
        for (text, plain) in [
            ("1e-5", "0.00001"),
            ("2.5E-3", "0.0025"),
            ("12.5e-1", "1.25"),
            ("1e0", "1"),
            ("1.25e1", "12.5"),
            ("1.25e4", "12500"),
            ("0.1", "0.1"),
            ("100e-2", "1"),
        ] {
            assert_eq!(decimal(text), Ok(plain.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "e5",
            "1e",
            "1e-5.0",
            "-1",
            "1e-200",
            "1e+5000",
            ".5",
            "1e-30",
            "none",
            "\u{e9}1e-1",
        ] {
            assert!(decimal(text).is_err(), "{text}");
        }
        assert_eq!(epsilon_or_none("none"), Ok(EpsilonTarget(None)));
    }
}

/// A unit of privacy as an argument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unit {
    /// Everything that one client sends
    #[default]
    Client,
    /// One record of one client
    Record,
}
