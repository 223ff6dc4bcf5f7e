//! `tacita client`: a participant next to its data.

mod lists;
mod status;

use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use serde_json::json;
use tacita_client::config::ClientConfig;
use tacita_client::{
    CertificateCache, Client, ClientEndpoint, ClientError, ClientSetup, Hooks, JoinEnd, Machine,
    MachineIdentity, Refusal, Sharing, SqliteStore, Standing, Stopper, Store, enrolment, first_contact,
    load_parts,
};
use tacita_identity::{Name, Role};
use tacita_ledger::note::VerifierKey;
use tokio::sync::watch;

use crate::args::Unit;
use crate::commands::server::hours;
use crate::enrolling;
use crate::output::{Exit, Output, refused, usage};
use crate::signals;

/// How long a server may stay silent when a participant starts.
const FIRST_CONTACT: Duration = Duration::from_secs(10);

const EXAMPLES: &str = "\
Examples:
  tacita client init --config client.toml        write a configuration to edit, make a key
  tacita client enrol --config client.toml < invitation.txt
  tacita client join --config client.toml        take part in rounds until the task is finished
  tacita client status --config client.toml      what was spent, and what left this machine
  tacita client evidence --config client.toml    what was signed of the lists that servers showed";

/// Arguments of `tacita client`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClientArgs {
    #[command(subcommand)]
    action: ClientAction,
}

#[derive(Debug, Subcommand)]
enum ClientAction {
    /// Write a configuration with comments (an existing file is kept), make a key
    Init(InitArgs),
    /// Exchange the invitation on standard input for a certificate; the key stays here
    Enrol(ConfigArgs),
    /// Take part in rounds, within the consent policy and the budget, until stopped
    Join(ConfigArgs),
    /// Say what this client's data has spent, in which tasks, what is left, and what left the machine
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusArgs),
    /// Print what this client signed of the lists that servers showed it, to compare with another client's
    #[command(after_help = lists::EVIDENCE)]
    Evidence(lists::EvidenceArgs),
    /// Say whether the server showed two participants the same lists
    #[command(after_help = lists::COMPARE)]
    Compare(lists::CompareArgs),
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
    /// The client's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ClientArgs {
    /// Whether the action runs until it is stopped.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self.action, ClientAction::Join(_))
    }
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &ClientArgs, output: &Output) -> anyhow::Result<Exit> {
    match &args.action {
        ClientAction::Init(config) => init(config, output),
        ClientAction::Enrol(config) => enrol(&config.config, output),
        ClientAction::Join(config) => join(&config.config, output),
        ClientAction::Status(args) => status::run(args, output),
        ClientAction::Evidence(args) => lists::evidence(args, output),
        ClientAction::Compare(args) => lists::run_compare(args, output),
    }
}

/// Reads the configuration; what is wrong with it is a usage error.
pub(crate) fn read(path: &Path) -> anyhow::Result<ClientConfig> {
    ClientConfig::read(path).map_err(usage)
}

fn init(args: &InitArgs, output: &Output) -> anyhow::Result<Exit> {
    let path = args.file.config.as_path();
    let template = match args.unit {
        Unit::Client => ClientConfig::template(),
        Unit::Record => ClientConfig::record_template(),
    };
    enrolling::write_template(path, template)?;
    let config = read(path)?;
    Machine::new(&config.client.state).key(&mut rand::rng())?;
    output.result(
        &format!("{}: edit it, then enrol", path.display()),
        &json!({ "config": path }),
    )?;
    Ok(Exit::Done)
}

fn enrol(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    let config = read(path)?;
    let invitation = enrolling::invitation(&config.client.name, Role::Client)?;
    let machine = Machine::new(&config.client.state);
    let enrolled = crate::runtime()?.block_on(async {
        let endpoint = enrolment::endpoint()?;
        enrolment::enrol(&endpoint, &machine, &invitation).await
    })?;
    let until = enrolled.verified.not_after;
    output.result(
        &format!(
            "enrolled '{}' as a client; the certificate is valid for {} h",
            config.client.name,
            hours(until)
        ),
        &json!({ "name": config.client.name, "role": "client", "not_after": until }),
    )?;
    Ok(Exit::Done)
}

/// The ledger key that this client pins: its own file, else what enrolment gave.
pub(crate) fn log_key(config: &ClientConfig, me: &MachineIdentity) -> anyhow::Result<VerifierKey> {
    let text = match (&config.client.ledger_key, &me.ledger_key) {
        (Some(path), _) => {
            std::fs::read_to_string(path).with_context(|| format!("client.ledger_key: {}", path.display()))?
        }
        (None, Some(text)) => text.clone(),
        (None, None) => {
            return Err(usage(
                "no ledger key is pinned: set client.ledger_key to the operator's ledger.vkey file",
            ));
        }
    };
    VerifierKey::parse(text.trim()).map_err(|e| usage(format!("ledger key: {e}")))
}

/// Everything that a client needs, from its files.
pub(crate) fn setup(
    config: &ClientConfig,
    me: MachineIdentity,
    standing: watch::Receiver<Standing>,
    store: Arc<dyn Store>,
    endpoint: ClientEndpoint,
    cache: Arc<CertificateCache>,
    hooks: Hooks,
) -> anyhow::Result<ClientSetup> {
    let server = config
        .client
        .server
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or_else(|| {
            usage(format!(
                "client.server: '{}' is no host:port",
                config.client.server
            ))
        })?;
    let server_name =
        Name::new(&config.client.server_name).map_err(|e| usage(format!("client.server_name: {e}")))?;
    let (data, held_out) = load_parts(&config.data)?;
    Ok(ClientSetup {
        log_key: log_key(config, &me)?,
        standing,
        anchor: Arc::new(me.anchor),
        server,
        server_name,
        policy: config.consent.policy(),
        caps: config.budget.clone(),
        evidence: evidence_dir(config),
        store,
        data,
        held_out,
        endpoint,
        cache,
        hooks,
    })
}

/// Where evidence against a server lies.
fn evidence_dir(config: &ClientConfig) -> PathBuf {
    config.client.state.join("evidence")
}

/// The store of one client.
pub(crate) fn store(config: &ClientConfig) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(SqliteStore::open(
        config.store_path(),
        Sharing::Exclusive,
    )?))
}

/// What was spent is kept under the certificate's name, and looked for under the file's: two names would be two accounts.
fn is_the_one_enrolled(path: &Path, config: &ClientConfig, enrolled: &str) -> anyhow::Result<()> {
    let named = &config.client.name;
    if named == enrolled {
        return Ok(());
    }
    Err(usage(format!(
        "{}: client.name is '{named}', but this machine is enrolled as '{enrolled}', and its budget is spent under that name; write that, or \
         enrol '{named}' with a state folder of its own",
        path.display()
    )))
}

fn join(path: &Path, output: &Output) -> anyhow::Result<Exit> {
    let end = crate::runtime()?.block_on(join_with(path, Hooks::default()))?;
    let word = match end {
        JoinEnd::Finished => "finished",
        JoinEnd::Stopped => "stopped",
    };
    output.result(&format!("task {word}"), &json!({ "end": word }))?;
    Ok(Exit::Done)
}

/// Takes part until the task is finished or a signal stops it.
pub(crate) async fn join_with(path: &Path, hooks: Hooks) -> anyhow::Result<JoinEnd> {
    let config = read(path)?;
    let machine = Machine::new(&config.client.state);
    let period = Duration::from_secs(config.client.authority_seconds.get().into());
    let (me, standing) = enrolment::in_standing(&machine, Role::Client, period).await?;
    is_the_one_enrolled(path, &config, standing.borrow().certificate.name.as_str())?;
    let setup = setup(
        &config,
        me,
        standing,
        store(&config)?,
        enrolment::endpoint()?,
        Arc::default(),
        hooks,
    )?;
    first_contact(&setup, FIRST_CONTACT).await?;
    let mut client = Client::open(setup)?;
    client.join(Stopper::new(signals::stop())).await.map_err(ended)
}

/// Refusals of the participant's own policy and budget have an exit code of their own.
pub(crate) fn ended(error: ClientError) -> anyhow::Error {
    match &error {
        ClientError::Refused(Refusal::Consent(_) | Refusal::Budget(_)) => refused(error),
        _ => anyhow!(error),
    }
}
