//! `tacita authority`: who may take part. Its root key lives on a machine of its own, never on the aggregator.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tacita_authority::{AuthorityDir, AuthorityError, AuthorityServer, MemberState, Overview, Settings};
use tacita_identity::{DEFAULT_LIFE_SECONDS, DenyList, INVITATION_LIFE_SECONDS, Name, Role};

use crate::output::{Exit, Output, refused, usage};

const EXAMPLES: &str = "\
Examples:
  tacita authority init --dir authority --address enrol.example.org:7442
  tacita authority serve --dir authority
  tacita authority invite hospital-a --role client --dir authority --out hospital-a.invitation
  tacita authority invite aggregator --role server --dir authority | ssh aggregator tacita server enrol ...
  tacita authority list --dir authority
  tacita authority revoke hospital-a --dir authority

Every command works while `serve` runs. An invitation is a secret: whoever redeems it first has the name.";

/// Arguments of `tacita authority`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AuthorityArgs {
    #[command(subcommand)]
    action: AuthorityAction,
}

#[derive(Debug, Subcommand)]
enum AuthorityAction {
    /// Make a root key and everything around it; an existing authority is kept
    Init(InitArgs),
    /// Hand out certificates until stopped
    Serve(ServeArgs),
    /// Make a one-time invitation, valid for ten minutes
    Invite(InviteArgs),
    /// Who is enrolled, invited and revoked
    List(Directory),
    /// Bar a name: its certificates, invitations and renewals
    Revoke(RevokeArgs),
    /// Let a revoked name be used again; its earlier certificates stay void
    Reinstate(ReinstateArgs),
    /// Name the ledger key that everyone who enrols from now on is given
    PinLedger(PinArgs),
    /// Write the verifier keys with which clients cosign ledger heads, for auditors (`tacita ledger report --witness`)
    Witnesses(WitnessesArgs),
    /// Write an X.509 revocation list (DER) for those outside the service
    Crl(CrlArgs),
}

#[derive(Debug, Args)]
struct Directory {
    /// The authority's directory
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct InitArgs {
    #[command(flatten)]
    directory: Directory,
    /// The authority's own name
    #[arg(long, value_name = "NAME", value_parser = Name::new, default_value = "authority")]
    name: Name,
    /// The address that invitations name, as participants reach it; without it, the one that `serve` listens on
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    address: Option<String>,
    /// Life of certificates in seconds; members renew at half of it
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_LIFE_SECONDS)]
    certificate_life: u64,
}

#[derive(Debug, Args)]
struct ServeArgs {
    #[command(flatten)]
    directory: Directory,
    /// Address to listen on (UDP)
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7442")]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
struct InviteArgs {
    /// Who is invited: a-z, 0-9 and '-'
    #[arg(value_name = "NAME", value_parser = Name::new)]
    name: Name,
    /// What the certificate will be for
    #[arg(long, value_enum)]
    role: RoleName,
    #[command(flatten)]
    directory: Directory,
    /// Write the invitation to a new file that only its owner can read, not to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// Who is barred
    #[arg(value_name = "NAME", value_parser = Name::new)]
    name: Name,
    /// In one role only
    #[arg(long, value_enum)]
    role: Option<RoleName>,
    #[command(flatten)]
    directory: Directory,
}

#[derive(Debug, Args)]
struct ReinstateArgs {
    /// Who may come back
    #[arg(value_name = "NAME", value_parser = Name::new)]
    name: Name,
    /// In which role
    #[arg(long, value_enum)]
    role: RoleName,
    #[command(flatten)]
    directory: Directory,
}

#[derive(Debug, Args)]
struct PinArgs {
    /// File with the ledger's verifier key, as `tacita server init` writes it
    #[arg(value_name = "VKEY-FILE")]
    file: PathBuf,
    #[command(flatten)]
    directory: Directory,
}

#[derive(Debug, Args)]
struct WitnessesArgs {
    #[command(flatten)]
    directory: Directory,
    /// The file, with one key a line
    #[arg(long, value_name = "VKEY-FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct CrlArgs {
    #[command(flatten)]
    directory: Directory,
    /// File to write; an existing one is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    /// A participant
    Client,
    /// The aggregation server
    Server,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Client => Self::Client,
            RoleName::Server => Self::Server,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// In words.
pub(crate) fn run(args: &AuthorityArgs, output: &Output) -> anyhow::Result<Exit> {
    match &args.action {
        AuthorityAction::Init(args) => init(args, output),
        AuthorityAction::Serve(args) => serve(args, output),
        AuthorityAction::Invite(args) => invite(args, output),
        AuthorityAction::List(directory) => {
            let overview = open(directory)?.list().map_err(explain)?;
            output.result(&overview_text(&overview), &overview_json(&overview))?;
            Ok(Exit::Done)
        }
        AuthorityAction::Revoke(args) => {
            let list = open(&args.directory)?
                .revoke(&args.name, args.role.map(Role::from))
                .map_err(explain)?;
            denied(&format!("{} is revoked", args.name), &list, output)
        }
        AuthorityAction::Reinstate(args) => {
            let list = open(&args.directory)?
                .reinstate(&args.name, args.role.into())
                .map_err(explain)?;
            denied(&format!("{} may be invited again", args.name), &list, output)
        }
        AuthorityAction::PinLedger(args) => {
            let text = fs::read_to_string(&args.file)
                .map_err(|error| usage(format!("{}: {error}", args.file.display())))?;
            open(&args.directory)?.pin_ledger(&text).map_err(explain)?;
            let key = text.trim();
            output.result(
                &format!("Handed to everyone who enrols from now on: {key}"),
                &json!({ "ledger_key": key }),
            )?;
            Ok(Exit::Done)
        }
        AuthorityAction::Witnesses(args) => {
            let keys = open(&args.directory)?.witnesses().map_err(explain)?;
            let lines: String = keys.iter().map(|key| format!("{key}\n")).collect();
            crate::enrolling::write_public(&args.out, &lines)?;
            let file = args.out.display().to_string();
            output.result(
                &format!("{file}: {} keys", keys.len()),
                &json!({ "file": file, "keys": keys.len() }),
            )?;
            Ok(Exit::Done)
        }
        AuthorityAction::Crl(args) => {
            let list = open(&args.directory)?.revocation_list().map_err(explain)?;
            fs::write(&args.out, &list).with_context(|| format!("cannot write {}", args.out.display()))?;
            let file = args.out.display().to_string();
            output.result(
                &format!("Wrote {file}"),
                &json!({ "file": file, "bytes": list.len() }),
            )?;
            Ok(Exit::Done)
        }
    }
}

fn open(directory: &Directory) -> anyhow::Result<AuthorityDir> {
    AuthorityDir::open(&directory.dir).map_err(explain)
}

fn init(args: &InitArgs, output: &Output) -> anyhow::Result<Exit> {
    let settings = Settings {
        address: args.address.clone(),
        certificate_life_seconds: args.certificate_life,
    };
    let made = AuthorityDir::init(&args.directory.dir, &args.name, settings).map_err(explain)?;
    let (dir, root) = (made.path().display().to_string(), hex::encode(made.fingerprint()));
    let text = format!(
        "Authority {} in {dir}\n  root {root}\n\n\
         Participants see this fingerprint when they enrol. Keep {dir}/root.key on this machine and back it up \
         offline.\nNext: tacita authority serve --dir {dir}\n",
        args.name,
    );
    output.result(
        &text,
        &json!({ "directory": dir, "name": args.name.as_str(), "root": root }),
    )?;
    Ok(Exit::Done)
}

fn serve(args: &ServeArgs, output: &Output) -> anyhow::Result<Exit> {
    let dir = open(&args.directory)?;
    crate::runtime()?.block_on(async {
        // Before the first word: whoever reads it may send a signal at once.
        let stop = stop_signal()?;
        let server = AuthorityServer::start(dir, args.listen, Default::default()).map_err(explain)?;
        let address = server.local_addr().map_err(explain)?.to_string();
        let root = hex::encode(server.dir().fingerprint());
        let text = format!("Listening on {address}, root {root}");
        output.result(&text, &json!({ "address": address, "root": root }))?;
        server.run(stop).await.map_err(explain)?;
        tracing::info!("stopped");
        Ok(Exit::Done)
    })
}

/// Done when the process is asked to stop: interrupt, or termination where there is such a thing.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    #[cfg(unix)]
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

fn invite(args: &InviteArgs, output: &Output) -> anyhow::Result<Exit> {
    let dir = open(&args.directory)?;
    let role = Role::from(args.role);
    // Made first: an invitation that cannot be kept anywhere must not be open.
    let file = match &args.out {
        Some(path) => Some((create_private(path)?, path)),
        None => None,
    };
    let invitation = dir.invite(&args.name, role).map_err(explain);
    let Some((mut file, path)) = file else {
        let invitation = invitation?;
        let document = json!({
            "invitation": &*invitation,
            "name": args.name.as_str(),
            "role": role.as_str(),
            "expires_in_seconds": INVITATION_LIFE_SECONDS,
        });
        output.result(&invitation, &document)?;
        return Ok(Exit::Done);
    };
    let written = invitation.and_then(|line| {
        file.write_all(format!("{}\n", &*line).as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write {}", path.display()))
    });
    if let Err(error) = written {
        let _ = fs::remove_file(path);
        return Err(error);
    }
    let file = path.display().to_string();
    let text = format!(
        "Wrote {file}: {} may enrol as {role} once, within {} minutes",
        args.name,
        INVITATION_LIFE_SECONDS / 60,
    );
    let document = json!({
        "file": file,
        "name": args.name.as_str(),
        "role": role.as_str(),
        "expires_in_seconds": INVITATION_LIFE_SECONDS,
    });
    output.result(&text, &document)?;
    Ok(Exit::Done)
}

fn create_private(path: &Path) -> anyhow::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => refused(format!("{} exists already", path.display())),
        _ => anyhow::Error::new(error).context(format!("cannot create {}", path.display())),
    })
}

fn denied(what: &str, list: &DenyList, output: &Output) -> anyhow::Result<Exit> {
    let number = list.content().number;
    output.result(
        &format!("{what} (deny list {number})"),
        &json!({ "deny_list": number, "result": what }),
    )?;
    Ok(Exit::Done)
}

fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Valid => "valid",
        MemberState::Expired => "expired",
        MemberState::Revoked => "revoked",
    }
}

fn overview_text(overview: &Overview) -> String {
    let mut out = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        out.push_str(&format!("{title}: {}\n", lines.len()));
        for line in lines {
            out.push_str(&format!("  {line}\n"));
        }
    };
    let in_seconds = |time: u64| time.saturating_sub(overview.now);
    let members = overview.members.iter().map(|member| {
        let until = match member.state {
            MemberState::Valid => format!(", {} s left", in_seconds(member.not_after)),
            _ => String::new(),
        };
        let fingerprint = hex::encode(member.fingerprint);
        format!(
            "{:<6} {}  {}{until}  {fingerprint}",
            member.role,
            member.name,
            state(member.state)
        )
    });
    section("Members", members.collect());
    let invitations = overview.invitations.iter().map(|open| {
        format!(
            "{:<6} {}  {} s left",
            open.role,
            open.name,
            in_seconds(open.expires_at)
        )
    });
    section("Open invitations", invitations.collect());
    section(
        "Revoked names",
        overview
            .denied
            .names
            .iter()
            .map(|(role, name)| format!("{role:<6} {name}"))
            .collect(),
    );
    section(
        "Revoked certificates",
        overview.denied.certificates.iter().map(hex::encode).collect(),
    );
    out
}

fn overview_json(overview: &Overview) -> Value {
    let members = overview.members.iter().map(|member| {
        json!({
            "role": member.role.as_str(),
            "name": member.name.as_str(),
            "state": state(member.state),
            "fingerprint": hex::encode(member.fingerprint),
            "issued_at": member.issued_at,
            "not_after": member.not_after,
            "certificates": member.certificates,
        })
    });
    let invitations = overview.invitations.iter().map(|open| {
        json!({ "role": open.role.as_str(), "name": open.name.as_str(), "expires_at": open.expires_at })
    });
    let denied = &overview.denied;
    let names = denied
        .names
        .iter()
        .map(|(role, name)| json!({ "role": role.as_str(), "name": name.as_str() }));
    json!({
        "members": members.collect::<Vec<_>>(),
        "invitations": invitations.collect::<Vec<_>>(),
        "deny_list": {
            "number": denied.number,
            "names": names.collect::<Vec<_>>(),
            "certificates": denied.certificates.iter().map(hex::encode).collect::<Vec<_>>(),
        },
        "now": overview.now,
    })
}

/// Gives errors of the authority their exit code.
fn explain(error: AuthorityError) -> anyhow::Error {
    match error {
        AuthorityError::Exists { .. }
        | AuthorityError::Revoked { .. }
        | AuthorityError::KeyExposed { .. } => refused(error),
        AuthorityError::Settings { .. } | AuthorityError::LedgerKey { .. } | AuthorityError::Life(_) => {
            usage(error)
        }
        other => other.into(),
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let fits =
        |(host, port): (&str, &str)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0);
    if text.rsplit_once(':').is_some_and(fits) {
        Ok(text.to_owned())
    } else {
        Err("not HOST:PORT".to_owned())
    }
}
