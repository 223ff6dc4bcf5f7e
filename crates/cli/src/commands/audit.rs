//! `tacita privacy audit`: an attack on a whole federation, to be set beside what is proved of it.
//!
//! The federation is that of `tacita demo`: real members with keys, certificates, sockets and records of their own. Some members are
//! canaries. Each has a random direction, and a fair coin that decides whether it sends that direction, as long as the clip norm
//! allows, in every round, or nothing but zeros: two adjacent inputs, as the promise means them. An auditor who does not look at the
//! coins, only at the directions and at the models that everybody sees, guesses them. How often the guesses are right gives a lower
//! bound on epsilon that holds with the stated confidence (Steinke, Nasr, Jagielski 2023); the cosines give an estimate without one
//! (Andrew et al. 2023). The lower bound may not be above what is proved.
//!
//! The promise holds whatever the other members send. What they learn is noise to the auditor, so unless asked otherwise nobody learns: all
//! members are canaries.

mod canary;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use tacita_learn::GlobalModel;
use tacita_ledger::entry::Entry;
use tacita_ledger::note::VerifierKey;
use tacita_privacy::Decimal;
use tacita_privacy::audit::{OneRun, one_shot_estimate};

use self::canary::{Canaries, Spread};
use super::demo::{self, Dataset, DemoArgs, KeyAgreement, Levels, Plan, Split, Town};
use crate::args::{EpsilonTarget, ShareLaw, decimal, epsilon_or_none};
use crate::output::{Exit, Output, usage};

const EXAMPLES: &str = "\
Examples:
  tacita privacy audit                                   sixty members, all of them canaries, epsilon 8
  tacita privacy audit --clients 200 --canaries 150 --rounds 5 --epsilon 4
  tacita privacy audit --epsilon none                    what the attack sees where there is no noise

Exits with 1 if the lower bound is above the proved epsilon: then the proof, or the code, is wrong.";

/// Arguments of `tacita privacy audit`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuditArgs {
    /// Members of the federation
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(3..=1000))]
    clients: u16,
    /// Canaries among them; the others learn to read digits, which hides the canaries a little [default: all members]
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u16).range(2..=1000))]
    canaries: Option<u16>,
    /// Guesses that the auditor makes, the surest ones, half of them "sent" and half "sent nothing" [default: half the canaries]
    #[arg(long, value_name = "R")]
    guesses: Option<u16>,
    /// Number of rounds
    #[arg(long, value_name = "R", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Budget of the whole run against the server with its colluders, or `none` for no noise
    #[arg(long, value_name = "E", default_value = "8", value_parser = epsilon_or_none)]
    epsilon: EpsilonTarget,
    /// The delta that both bounds hold at
    #[arg(long, value_name = "D", default_value = "1e-4", value_parser = decimal)]
    delta: Decimal,
    /// Probability that the lower bound is too high by chance
    #[arg(long, value_name = "P", default_value = "0.05", value_parser = decimal)]
    significance: Decimal,
    /// Directory for what the federation leaves; must not exist
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What the attack found, beside what is proved.
#[derive(Debug, Serialize)]
struct Finding {
    clients: u16,
    canaries: u16,
    /// Canaries whose coin said to send.
    sent: usize,
    rounds: usize,
    guesses: u16,
    correct: u16,
    delta: f64,
    significance: f64,
    /// With confidence 1 - significance, no smaller epsilon holds.
    epsilon_lower: f64,
    /// Without a confidence level; none where the two kinds cannot be told apart by any epsilon, or are too few.
    epsilon_estimate: Option<f64>,
    /// Proved, against everybody who sees the models.
    epsilon_public: Option<f64>,
    /// Proved, against the server with its colluders.
    epsilon_server: Option<f64>,
    cosines: Cosines,
    holds: bool,
    out: String,
}

#[derive(Debug, Serialize)]
struct Cosines {
    sent: Spread,
    silent: Spread,
    /// Of directions that nobody has.
    unused: Spread,
    /// What those of unused directions must deviate by: 1 / sqrt(d).
    expected_deviation: f64,
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &AuditArgs, output: &Output) -> anyhow::Result<Exit> {
    let count = args.canaries.unwrap_or(args.clients);
    let guesses = args.guesses.unwrap_or(count / 2) & !1;
    if count > args.clients {
        return Err(usage("--canaries: at most as many as there are members"));
    }
    if guesses < 2 || guesses > count {
        return Err(usage("--guesses: from 2 to the number of canaries"));
    }
    let significance = args.significance.to_f64();
    if !(significance > 0.0 && significance < 1.0) {
        return Err(usage("--significance: between 0 and 1"));
    }
    let plan = Plan::new(&demo_args(args))?;
    let (dimension, clip) = plan.vector()?;
    let canaries = Arc::new(Canaries::draw(count, dimension, clip, &mut rand::rng()));
    let sending = canaries.clone();
    let hook = Arc::new(move |name: &str, _round: u32| sending.vector_of(name));
    let town = demo::run_town(&plan, Some(hook), output)?;
    let finding = judge(args, guesses, &plan, &town, &canaries)?;
    output.result(&text(&finding), &finding)?;
    Ok(if finding.holds { Exit::Done } else { Exit::Failed })
}

/// The federation of a demonstration in which nobody vanishes.
fn demo_args(args: &AuditArgs) -> DemoArgs {
    DemoArgs {
        dataset: Dataset::Digits,
        unit: demo::Unit::Client,
        sampling: None,
        clients: Some(args.clients),
        rounds: Some(args.rounds),
        epsilon: args.epsilon,
        mechanism: ShareLaw::Skellam,
        delta: args.delta,
        split: Split::Iid,
        model: "softmax".into(),
        drop: Decimal::ZERO,
        colluders: None,
        minimum_survivors: None,
        key_agreement: KeyAgreement::Hybrid,
        noise_levels: Levels(None),
        clip: None,
        adaptive_clip: false,
        metrics: false,
        seed: 1,
        out: args.out.clone(),
        processes: false,
        server_process: false,
    }
}

/// How far the model has moved, from the models that the verified ledger names.
fn moved(plan: &Plan, town: &Town) -> anyhow::Result<Vec<f64>> {
    let text = std::fs::read_to_string(plan.out.join("ledger.vkey"))?;
    let directory = tacita_server::Directory::new(&plan.out.join("ledger"));
    let verified = tacita_ledger::verify(&directory, Some(&VerifierKey::parse(text.trim())?))?;
    let first = verified.entries.iter().find_map(|entry| match entry {
        Entry::Manifest(manifest) => Some(manifest.model_digest.clone()),
        _ => None,
    });
    let last = verified.entries.iter().rev().find_map(|entry| match entry {
        Entry::Outcome(outcome) => Some(outcome.model_digest.clone()),
        _ => None,
    });
    let models = town.server.server.state.join("models");
    let load = |digest: Option<String>| -> anyhow::Result<Vec<f32>> {
        let path = models.join(format!(
            "{}.safetensors",
            digest.context("no round was completed")?
        ));
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(GlobalModel::from_bytes(&bytes)?.values().to_vec())
    };
    let (first, last) = (load(first)?, load(last)?);
    Ok(last
        .iter()
        .zip(&first)
        .map(|(after, before)| f64::from(*after) - f64::from(*before))
        .collect())
}

fn judge(
    args: &AuditArgs,
    guesses: u16,
    plan: &Plan,
    town: &Town,
    canaries: &Canaries,
) -> anyhow::Result<Finding> {
    let last = &town.rounds.last().context("no round was completed")?.report;
    let moved = moved(plan, town)?;
    let cosines = canaries.cosines(&moved);
    // What each canary that sends moves the model by, in all rounds together, and the noise beside it: all public.
    let (step, noise) = plan.steps(town.rounds.len(), last.survivors)?;
    let scores = canaries.scores(&moved, step, noise);
    let correct = canaries.correct_guesses(&scores, guesses);
    let count = canaries.count();
    let (delta, significance) = (args.delta.to_f64(), args.significance.to_f64());
    let run = OneRun::new(count.into(), guesses.into(), correct.into(), delta)?;
    let epsilon_lower = run.lower_bound(significance)?;
    let sent = Spread::of(canaries.of_kind(&cosines, true));
    let expected_deviation = 1.0 / (moved.len() as f64).sqrt();
    let epsilon_estimate = (sent.count >= 2)
        .then(|| one_shot_estimate(sent.mean, sent.deviation, expected_deviation, delta).ok())
        .flatten();
    let proved = |epsilon: Option<Decimal>| epsilon.map(Decimal::to_f64);
    let epsilon_public = proved(last.epsilon_public);
    Ok(Finding {
        clients: args.clients,
        canaries: count,
        sent: sent.count,
        rounds: town.rounds.len(),
        guesses,
        correct,
        delta,
        significance,
        epsilon_lower,
        epsilon_estimate,
        epsilon_public,
        epsilon_server: proved(last.epsilon_server),
        holds: holds(epsilon_lower, epsilon_public),
        cosines: Cosines {
            sent,
            silent: Spread::of(canaries.of_kind(&cosines, false)),
            unused: canary::unused(&moved, &mut rand::rng()),
            expected_deviation,
        },
        out: plan.out.display().to_string(),
    })
}

/// Whether what is proved, if anything, survives the attack.
fn holds(lower: f64, proved: Option<f64>) -> bool {
    proved.is_none_or(|proved| lower <= proved)
}

fn text(finding: &Finding) -> String {
    let epsilon = |value: Option<f64>| value.map_or_else(|| "none".into(), |value| format!("{value:.3}"));
    let spread = |spread: &Spread| {
        format!(
            "{:+.4} +- {:.4}  ({})",
            spread.mean, spread.deviation, spread.count
        )
    };
    format!(
        "{} canaries among {} members, {} rounds: {} sent their direction, {} sent zeros\n\n\
         Lower bound      epsilon {:.3} at delta {}, confidence {} %: {} of {} guesses were right\n\
         Estimate         epsilon {}, from the cosines of {} canaries; it scatters, and is no bound\n\
         Proved           epsilon {} against everybody who sees the models\n\
        \x20                epsilon {} against the server with its colluders\n\
         Verdict          {}\n\n\
         Cosines with the model's way, mean +- deviation\n\
        \x20 sent           {}\n\
        \x20 silent         {}\n\
        \x20 unused         {}, expected +- {:.4}\n\n\
         An attack can refute a promise, not prove one. Ledger and models in {}\n",
        finding.canaries,
        finding.clients,
        finding.rounds,
        finding.sent,
        usize::from(finding.canaries).saturating_sub(finding.sent),
        finding.epsilon_lower,
        finding.delta,
        100.0 * (1.0 - finding.significance),
        finding.correct,
        finding.guesses,
        epsilon(finding.epsilon_estimate),
        finding.sent,
        epsilon(finding.epsilon_public),
        epsilon(finding.epsilon_server),
        match (finding.holds, finding.epsilon_public) {
            (true, Some(_)) => "the promise is not refuted",
            (true, None) => "nothing was promised",
            (false, _) => "REFUTED: the lower bound is above what is proved",
        },
        spread(&finding.cosines.sent),
        spread(&finding.cosines.silent),
        spread(&finding.cosines.unused),
        finding.cosines.expected_deviation,
        finding.out,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: a refuted promise passes, or an audit of a federation that promised nothing fails.
    #[test]
    fn a_lower_bound_above_the_proof_refutes_it() {
        assert!(holds(1.5, Some(1.5)) && !holds(1.51, Some(1.5)));
        assert!(holds(9.0, None));
    }
}
