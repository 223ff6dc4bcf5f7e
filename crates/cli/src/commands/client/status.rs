//! `tacita client status`: what this participant's data has spent, and what left the machine.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use tacita_client::config::ClientConfig;
use tacita_client::record::{PastRound, StoreRecord};
use tacita_client::status::{Spending, Status};
use tacita_client::{Machine, SqliteReader};
use tacita_identity::{Role, VerifiedCertificate};
use tacita_privacy::{Decimal, PrivacyUnit};

use super::{evidence_dir, is_the_one_enrolled, read};
use crate::enrolling::now;
use crate::output::{Exit, Output, usage};
use crate::report::verification::utc as date;

/// Uploads that the text lists unless told otherwise.
const LISTED: usize = 20;

pub(super) const EXAMPLES: &str = "\
Reads the durable record and changes nothing in it; the client may run meanwhile.
Epsilon is an upper bound, rounded up: each upload counts as if as many members as the round tolerates
had dropped out, and retried rounds count once an attempt.
Exits with 1 when this participant has stopped because a server lied; the evidence is named.

Examples:
  tacita client status --config client.toml
  tacita client status --config client.toml --last 100
  tacita client status --config client.toml --json";

/// Arguments of `tacita client status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The client's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Uploads to list, the latest; --json lists all
    #[arg(long, value_name = "COUNT", default_value_t = LISTED)]
    last: usize,
}

pub(super) fn run(args: &StatusArgs, output: &Output) -> anyhow::Result<Exit> {
    let config = read(&args.config)?;
    let certificate = certificate(&config);
    if let Ok(certificate) = &certificate {
        is_the_one_enrolled(&args.config, &config, certificate.name.as_str())?;
    }
    let (mut rounds, mut evidence, mut kept) = (Vec::new(), Vec::new(), 0);
    if let Some(store) = SqliteReader::open(config.store_path())? {
        let record = StoreRecord::read(Arc::new(store), &config.client.name, config.budget.clone())?;
        for one in record.evidence()? {
            evidence.push((one.write(&evidence_dir(&config))?, one.what()));
        }
        rounds = record.history()?;
        kept = record.kept_attempts();
    }
    let status = Status::of(rounds, config.budget.as_ref(), now()).map_err(usage)?;
    let certificate = certificate.map(|it| (hex::encode(it.fingerprint), it.not_after));
    output.result(
        &in_words(&config, &status, &certificate, (args.last, kept)),
        &as_json(&config, &status, &certificate, (&evidence, kept))?,
    )?;
    let mut exit = Exit::Done;
    for (file, what) in &evidence {
        let stopped = format!(
            "this participant has stopped: {what}; the evidence is in {}",
            file.display()
        );
        exit = output.complaint(&stopped, Exit::Failed);
    }
    Ok(exit)
}

/// Of the certificate in use: fingerprint and last second, or why there is none.
type Certificate = Result<(String, u64), String>;

fn certificate(config: &ClientConfig) -> Result<VerifiedCertificate, String> {
    let machine = Machine::new(&config.client.state);
    machine
        .certificate(Role::Client, now())
        .map_err(|error| error.to_string())
}

fn as_json(
    config: &ClientConfig,
    status: &Status,
    certificate: &Certificate,
    (evidence, kept): (&[(PathBuf, &str)], usize),
) -> anyhow::Result<Value> {
    let mut document = serde_json::to_value(status)?;
    let certificate = match certificate {
        Ok((fingerprint, not_after)) => json!({ "fingerprint": fingerprint, "not_after": not_after }),
        Err(why) => json!({ "none": why }),
    };
    let evidence = evidence
        .iter()
        .map(|(file, what)| json!({ "file": file, "what": what }));
    if let Some(map) = document.as_object_mut() {
        map.extend([
            ("name".to_owned(), json!(config.client.name)),
            ("certificate".to_owned(), certificate),
            ("uploads".to_owned(), json!(status.total.rounds)),
            ("upload_bytes".to_owned(), json!(status.total.upload_bytes)),
            (
                "rounds_without_noise".to_owned(),
                json!(status.total.rounds_without_noise),
            ),
            ("evidence".to_owned(), evidence.collect()),
            ("attempts_with_signed_lists".to_owned(), json!(kept)),
        ]);
    }
    Ok(document)
}

fn in_words(
    config: &ClientConfig,
    status: &Status,
    certificate: &Certificate,
    (last, kept): (usize, usize),
) -> String {
    let mut out = format!("client '{}'\n", config.client.name);
    let _ = match certificate {
        Ok((fingerprint, until)) => {
            let short = short(fingerprint);
            writeln!(out, "certificate {short}, valid until {}", date(*until))
        }
        Err(why) => writeln!(out, "no certificate in use: {why}"),
    };
    for task in &status.tasks {
        let _ = writeln!(out, "task '{}': {}", task.task, cost(&task.spent));
        if let Some(rounds) = task.rounds_left {
            let _ = writeln!(out, "  your caps admit {rounds} more rounds like the last");
        }
        if let Some(today) = &task.today {
            let _ = writeln!(out, "  today (UTC): {}", cost(today));
        }
    }
    if status.tasks.len() > 1 || status.total.epsilon_budget.is_some() {
        let _ = writeln!(out, "all tasks together: {}", cost(&status.total));
    }
    let total = &status.total;
    let _ = writeln!(
        out,
        "{} masked uploads left this machine, {} bytes; {} of them in rounds without noise",
        total.rounds, total.upload_bytes, total.rounds_without_noise
    );
    if kept > 0 {
        let _ = writeln!(
            out,
            "what was signed of the lists shown is kept for {kept} attempts: `tacita client evidence` prints it"
        );
    }
    let skipped = status.rounds.len().saturating_sub(last);
    if skipped > 0 && last > 0 {
        let _ = writeln!(out, "the last {last} of them (--json lists all):");
    }
    for round in status.rounds.iter().skip(skipped) {
        upload(&mut out, round);
    }
    if !status.tasks.is_empty() {
        let _ = writeln!(out, "epsilon: {}; {}", status.direction, status.method);
    }
    out
}

fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

fn cost(spent: &Spending) -> String {
    let epsilon = |value: Option<Decimal>| value.map_or_else(|| "unbounded".to_owned(), |v| v.to_string());
    let rounds = if spent.rounds == 1 { "round" } else { "rounds" };
    let mut words = format!("{} {rounds} charged, epsilon ", spent.rounds);
    words.push_str(&epsilon(spent.epsilon_server));
    if let Some(budget) = spent.epsilon_budget {
        let _ = write!(words, " of {budget}");
    }
    let _ = write!(
        words,
        " against the server with its colluders, {} against everyone else",
        epsilon(spent.epsilon_public)
    );
    if let Some(delta) = spent.delta {
        let _ = write!(words, ", at delta {delta}");
    }
    match spent.unit {
        Some(PrivacyUnit::Record) => words.push_str(", about each of your records by itself"),
        Some(PrivacyUnit::Client) => words.push_str(", about everything you send"),
        None if spent.rounds > spent.rounds_without_noise => {
            words.push_str("; they protect different units, which do not add up");
        }
        None => {}
    }
    if let Some(left) = spent.epsilon_left {
        let _ = write!(words, "; left {left}");
    }
    words
}

fn upload(out: &mut String, round: &PastRound) {
    let spent = &round.spent;
    let _ = write!(
        out,
        "  {}  task '{}' round {}: {} masked bytes",
        date(spent.time),
        spent.task,
        spent.round,
        spent.upload_bytes
    );
    if let Some(terms) = &spent.terms {
        let _ = write!(
            out,
            " to '{}' at {}, trained from model {}, under certificate {} valid until {}",
            terms.server,
            terms.server_address,
            short(&terms.model_digest),
            short(&terms.certificate),
            date(terms.certificate_expires)
        );
    }
    let _ = match &round.revealed {
        Some(told) => writeln!(
            out,
            "; revealed {} shares of self masks, {} of masks of drop-outs{}",
            told.self_mask_shares,
            told.mask_shares,
            if told.surplus_noise_seed {
                ", the seed of surplus noise"
            } else {
                ""
            }
        ),
        None => writeln!(out, "; revealed nothing"),
    };
}
