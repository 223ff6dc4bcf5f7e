//! `tacita client evidence` and `tacita client compare`: what participants signed of the lists that a server showed them, and whether it showed
//! two of them the same.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use tacita_client::comparison::{Compared, SignedLists, compare};
use tacita_client::record::{KEPT_ATTEMPTS, KeptLists, StoreRecord};
use tacita_client::{Machine, SqliteReader};
use tacita_identity::TrustAnchor;

use super::read;
use crate::output::{Exit, Output, usage};
use crate::report::verification::utc as date;

/// Largest file that is compared: a participant of cohorts of 10,000 hands out less.
const MAX_FILE: u64 = 16 << 20;

pub(super) const EVIDENCE: &str = "\
A server signs no list. What a participant signed of the lists that it was shown is evidence beside what another one
signed in the same attempt: exchange these documents after a round that came to nothing, and compare them.
Holds digests, signatures, certificates and who was in which round; no data, no update, no secret.

Examples:
  tacita client evidence --config client.toml
  tacita client evidence --config client.toml --json > ours.json";

pub(super) const COMPARE: &str = "\
Checks every signature, digest and certificate of the attempts that both files have, then compares them. The authority's
fingerprint is printed: it must be the one that you know. Two lists in one attempt mean that the server showed two, for
whoever trusts that the two participants did not make it up together.
Exits with 1 if two lists were shown, or something does not hold.

Examples:
  tacita client compare ours.json theirs.json";

/// Arguments of `tacita client evidence`.
#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    /// The client's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Arguments of `tacita client compare`.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// What one participant's `evidence --json` printed
    first: PathBuf,
    /// The same of another
    second: PathBuf,
}

/// Prints what was signed.
pub(super) fn evidence(args: &EvidenceArgs, output: &Output) -> anyhow::Result<Exit> {
    let config = read(&args.config)?;
    let root = Machine::new(&config.client.state).root()?;
    let attempts = match SqliteReader::open(config.store_path())? {
        Some(store) => {
            StoreRecord::read(Arc::new(store), &config.client.name, config.budget.clone())?.lists()?
        }
        None => Vec::new(),
    };
    let mut text = format!(
        "client '{}': signed lists of {} attempts; the latest {KEPT_ATTEMPTS} are kept\n",
        config.client.name,
        attempts.len()
    );
    for kept in &attempts {
        line(&mut text, kept);
    }
    let document = SignedLists {
        name: config.client.name,
        authority: hex::encode(root.der()),
        attempts,
    };
    output.result(&text, &document)?;
    Ok(Exit::Done)
}

fn line(out: &mut String, kept: &KeptLists) {
    let upload = &kept.upload;
    let of = |bitmap: &str| {
        let bytes = hex::decode(bitmap).unwrap_or_default();
        bytes.iter().map(|byte| byte.count_ones()).sum::<u32>()
    };
    let _ = write!(
        out,
        "  {}  task '{}' round {} attempt {}: signed an upload for {} sharers of {}",
        date(upload.time),
        upload.task,
        upload.round,
        short(&kept.round_id),
        of(&upload.sharers),
        upload.roster_size
    );
    let _ = match &kept.statement {
        Some(statement) => writeln!(out, ", and that {} survive", of(&statement.survivors)),
        None => writeln!(out, ", and no list of survivors"),
    };
}

fn short(id: &str) -> &str {
    id.get(..16).unwrap_or(id)
}

fn load(path: &Path) -> anyhow::Result<SignedLists> {
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    let mut text = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut text)
        .with_context(|| path.display().to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err(usage(format!("{}: longer than {MAX_FILE} bytes", path.display())));
    }
    serde_json::from_slice(&text).map_err(|error| {
        usage(format!(
            "{}: not what `tacita client evidence --json` prints: {error}",
            path.display()
        ))
    })
}

/// Compares two participants' documents.
pub(super) fn run_compare(args: &CompareArgs, output: &Output) -> anyhow::Result<Exit> {
    let (first, second) = (load(&args.first)?, load(&args.second)?);
    let compared = compare(&first, &second)?;
    let root = TrustAnchor::from_der(&hex::decode(&first.authority)?)?;
    let authority = hex::encode(root.fingerprint());
    let names = [first.name.as_str(), second.name.as_str()];
    let mut text = format!(
        "'{}' and '{}', certified by the authority {authority}: {} attempts in common\n",
        names[0],
        names[1],
        compared.len()
    );
    for one in &compared {
        let _ = writeln!(text, "  attempt {}: {}", one.attempt, words(one, names));
    }
    output.result(
        &text,
        &json!({ "names": names, "authority": authority, "attempts": compared }),
    )?;
    let mut exit = Exit::Done;
    for one in compared.iter().filter(|one| !one.shown.is_same()) {
        let lied = format!(
            "the server showed {} in attempt {}",
            one.shown.words(),
            one.attempt
        );
        exit = output.complaint(&lied, Exit::Failed);
    }
    Ok(exit)
}

fn words(one: &Compared, names: [&str; 2]) -> String {
    let [to_first, to_second] = &one.server;
    let mut out = format!("task '{}' round {}: '{to_first}'", one.task, one.round);
    if to_first != to_second {
        let _ = write!(out, " and '{to_second}'");
    }
    let _ = write!(out, " showed {}", one.shown.words());
    for (name, only) in names.into_iter().zip([&one.only_first, &one.only_second]) {
        if !only.is_empty() {
            let _ = write!(out, "; {only:?} to '{name}' only");
        }
    }
    out
}
