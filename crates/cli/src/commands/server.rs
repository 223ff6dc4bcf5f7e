//! `tacita server`: the aggregation service.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;
use tacita_client::{Machine, Standing, enrolment};
use tacita_identity::{PrivateKey, Role};
use tacita_ledger::note::{KeyType, VerifierKey};
use tacita_server::config::{ConfigError, ServerConfig};
use tacita_server::{Observer, Server, ServerError, ServerEvent, ServerSetup, TaskEnd};
use tokio::sync::watch;

use crate::args::Unit;
use crate::enrolling;
use crate::output::{Exit, Output, refused, usage};
use crate::signals;

const EXAMPLES: &str = "\
Examples:
  tacita server init --config server.toml        write a configuration to edit, make both keys
  tacita server enrol --config server.toml < invitation.txt
  tacita server check --config server.toml       say what would run, and what is wrong with it
  tacita server run --config server.toml
  tacita server rotate-ledger-key --config server.toml      while the server is stopped";

/// Arguments of `tacita server`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    action: ServerAction,
}

#[derive(Debug, Subcommand)]
enum ServerAction {
    /// Write a configuration with comments (an existing file is kept), make the server's and the ledger's keys
    Init(InitArgs),
    /// Exchange the invitation on standard input for a certificate; the key stays here
    Enrol(ConfigArgs),
    /// Check the configuration, certificate, ledger and budget without serving
    Check(ConfigArgs),
    /// Serve rounds until the task is completed or stopped
    Run(ConfigArgs),
    /// Hand the ledger to a new key, which the old one names in it; the old one is gone afterwards
    RotateLedgerKey(ConfigArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    #[command(flatten)]
    file: ConfigArgs,
    /// Whose data epsilon shall be about; for another starting point
    #[arg(long, value_enum, default_value_t = Unit::Client)]
    unit: Unit,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The server's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ServerArgs {
    /// Whether the action runs until it is stopped.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self.action, ServerAction::Run(_))
    }
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &ServerArgs, output: &Output) -> anyhow::Result<Exit> {
    match &args.action {
        ServerAction::Init(config) => init(config, output),
        ServerAction::Enrol(config) => enrol(&config.config, output),
        ServerAction::Check(config) => check(&config.config, output),
        ServerAction::Run(config) => serve(&config.config, output),
        ServerAction::RotateLedgerKey(config) => rotate(&config.config, output),
    }
}

/// Reads the configuration; what is wrong with it is a usage error.
pub(crate) fn read(path: &Path) -> anyhow::Result<ServerConfig> {
    ServerConfig::read(path).map_err(|error: ConfigError| usage(one_line(&error)))
}

fn one_line(error: &dyn std::error::Error) -> String {
    error.to_string()
}

/// The ledger's own key: never the certificate's, so that it outlives renewals.
pub(crate) fn ledger_key(config: &ServerConfig) -> anyhow::Result<(PrivateKey, VerifierKey)> {
    let key = Machine::new(&config.server.state.join("ledger-key")).key(&mut rand::rng())?;
    let verifier = VerifierKey::new(&config.server.origin, KeyType::Ed25519, key.verifying_key())
        .map_err(|e| usage(format!("server.origin: {e}")))?;
    Ok((key, verifier))
}

/// Where the ledger's public key lies: beside the configuration.
fn ledger_key_file(config: &Path) -> PathBuf {
    config.with_file_name("ledger.vkey")
}

fn rotate(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    let config = read(path)?;
    if !config.server.ledger.exists() {
        return Err(usage(format!(
            "{}: no ledger yet",
            config.server.ledger.display()
        )));
    }
    let (key, old) = ledger_key(&config)?;
    let machine = Machine::new(&config.server.state.join("ledger-key"));
    // Durable before the ledger names it: an interrupted rotation goes on with the same key.
    let next = machine.next_key(&mut rand::rng())?;
    let verifier = VerifierKey::new(&config.server.origin, KeyType::Ed25519, next.verifying_key())?;
    tacita_server::rotate_ledger_key(&config, key.signing_key().clone(), next.signing_key().clone())?;
    machine.promote()?;
    let vkey = ledger_key_file(path);
    enrolling::write_public(&vkey, &format!("{verifier}\n"))?;
    output.result(
        &format!(
            "the ledger is signed by {verifier}\n{}: give it to those who pin it from now on, and to \
             `tacita authority pin-ledger`; whoever pinned {old} follows with `tacita ledger key`",
            vkey.display()
        ),
        &json!({ "ledger_key": verifier.to_string(), "before": old.to_string(), "ledger_key_file": vkey }),
    )?;
    Ok(Exit::Done)
}

fn init(args: &InitArgs, output: &Output) -> anyhow::Result<Exit> {
    let path = args.file.config.as_path();
    let template = match args.unit {
        Unit::Client => ServerConfig::template(),
        Unit::Record => ServerConfig::record_template(),
    };
    enrolling::write_template(path, template)?;
    let config = read(path)?;
    Machine::new(&config.server.state).key(&mut rand::rng())?;
    let (_, verifier) = ledger_key(&config)?;
    let vkey = ledger_key_file(path);
    enrolling::write_public(&vkey, &format!("{verifier}\n"))?;
    output.result(
        &format!(
            "{}: edit it, then enrol\n{}: the ledger's public key; give it to auditors and participants",
            path.display(),
            vkey.display()
        ),
        &json!({ "config": path, "ledger_key_file": vkey, "ledger_key": verifier.to_string() }),
    )?;
    Ok(Exit::Done)
}

fn enrol(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    let config = read(path)?;
    let invitation = enrolling::invitation(&config.server.name, Role::Server)?;
    let machine = Machine::new(&config.server.state);
    let enrolled = crate::runtime()?.block_on(async {
        let endpoint = enrolment::endpoint()?;
        enrolment::enrol(&endpoint, &machine, &invitation).await
    })?;
    let until = enrolled.verified.not_after;
    output.result(
        &format!(
            "enrolled '{}' as a server; the certificate is valid for {} h",
            config.server.name,
            hours(until)
        ),
        &json!({ "name": config.server.name, "role": "server", "not_after": until }),
    )?;
    Ok(Exit::Done)
}

/// Hours from now to `time`.
pub(crate) fn hours(time: u64) -> u64 {
    time.saturating_sub(enrolling::now()) / 3600
}

fn check(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    let config = read(path)?;
    let checked = config.check(path).map_err(|e| usage(one_line(&e)))?;
    let me = Machine::new(&config.server.state).load(Role::Server, enrolling::now())?;
    let (_, verifier) = ledger_key(&config)?;
    let directory = tacita_server::Directory::new(&config.server.ledger);
    let entries = if config.server.ledger.exists() {
        tacita_ledger::verify(&directory, Some(&verifier))
            .context("the ledger does not verify")?
            .entries
            .len()
    } else {
        0
    };
    let (parameters, plan) = (&checked.parameters, &checked.plan);
    let epsilon = plan.epsilon_planned().map(|e| e.to_string());
    let document = json!({
        "name": config.server.name,
        "task": config.task.name,
        "rounds": config.task.rounds,
        "cohort": config.cohort.clients,
        "colluders": config.cohort.colluders,
        "minimum_survivors": config.cohort.minimum_survivors,
        "neighbours": parameters.neighbours,
        "threshold": parameters.threshold,
        "quorum": parameters.quorum,
        "bits": plan.bits().get(),
        "padded": plan.encoding().padded(),
        "epsilon_planned": epsilon,
        "noise_multiplier": plan.noise_multiplier(),
        "ledger_entries": entries,
        "certificate_hours_left": hours(me.standing.certificate.not_after),
    });
    let privacy = match &epsilon {
        Some(epsilon) => format!(
            "epsilon {epsilon} of one {} over {} rounds, noise {:.3} x clip in the sum",
            plan.contribution().unit(),
            config.task.rounds,
            plan.noise_multiplier()
        ),
        None => "no noise: no privacy promise beyond the sum".to_owned(),
    };
    let text = format!(
        "task '{}': {} rounds, model {}\ncohort: n = {}, m = {}, c = {}; {} neighbours, threshold {}, quorum {}\n\
         ring: {} bits, {} coordinates\nprivacy: {privacy}\nledger: {entries} entries, verified\n\
         certificate: valid for {} h\nready",
        config.task.name,
        config.task.rounds,
        checked.instructions.model,
        config.cohort.clients,
        config.cohort.minimum_survivors,
        config.cohort.colluders,
        parameters.neighbours,
        parameters.threshold,
        parameters.quorum,
        plan.bits().get(),
        plan.encoding().padded(),
        hours(me.standing.certificate.not_after),
    );
    output.result(&text, &document)?;
    Ok(Exit::Done)
}

/// What a server needs beside its configuration.
pub(crate) fn setup(
    config: &ServerConfig,
    standing: watch::Receiver<Standing>,
    observer: Option<Observer>,
) -> anyhow::Result<ServerSetup> {
    let (ledger, _) = ledger_key(config)?;
    Ok(ServerSetup {
        standing,
        ledger_key: ledger.signing_key().clone(),
        observer,
    })
}

fn serve(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    let config = read(path)?;
    let machine = Machine::new(&config.server.state);
    let quiet = output.is_quiet();
    let observer: Observer = Arc::new(move |event| {
        if !quiet {
            tell(&event);
        }
    });
    crate::runtime()?.block_on(async {
        let period = Duration::from_secs(config.server.authority_seconds.get().into());
        let (_, standing) = enrolment::in_standing(&machine, Role::Server, period).await?;
        let setup = setup(&config, standing, Some(observer))?;
        let mut server = Server::open(config, path, setup, signals::stop()).map_err(ended)?;
        let end = server.run().await.map_err(ended)?;
        let word = if end == TaskEnd::Completed {
            "completed"
        } else {
            "stopped"
        };
        output.result(&format!("task {word}"), &json!({ "end": word }))?;
        Ok(Exit::Done)
    })
}

/// A refusal by the budget has an exit code of its own.
pub(crate) fn ended(error: ServerError) -> anyhow::Error {
    match error {
        ServerError::Budget(_) => refused(error),
        ServerError::Config(_) | ServerError::Listen(_) => usage(error),
        other => other.into(),
    }
}

fn tell(event: &ServerEvent<'_>) {
    match event {
        ServerEvent::Listening(address) => tracing::info!(%address, "listening"),
        ServerEvent::RoundStarted { round, cohort } => tracing::info!(round, cohort, "round started"),
        ServerEvent::RoundDone { report, .. } => {
            let epsilon = report.epsilon_server.map(|e| e.to_string());
            tracing::info!(
                round = report.round,
                survivors = report.survivors,
                accuracy = report.accuracy,
                epsilon_server = epsilon,
                "round done in {:.2} s",
                report.seconds
            );
        }
        ServerEvent::AttemptFailed { round, reason } => tracing::warn!(round, reason, "attempt failed"),
    }
}
