//! `tacita ledger`: check a ledger, and recompute what its rounds cost.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tacita_ledger::verify::Witness;
use tacita_ledger::{Verified, VerifierKey, VerifyOptions, verify_with};

use crate::output::{Exit, Output, usage};
use crate::report::{self, Report, text};

/// Largest file of verifier keys: a thousand witnesses.
const MAX_KEY_FILE: u64 = 512 * 1024;

/// What a check without a key is worth, in the words of the specification.
const INTEGRITY_ONLY: &str = "integrity only, origin not checked";

const EXAMPLES: &str = "\
Examples:
  tacita ledger verify ledger --key ledger.vkey
  tacita ledger verify ledger                    integrity only, origin not checked
  tacita ledger report ledger --key ledger.vkey --witness participants.vkeys
  tacita ledger report ledger --json | jq '.tasks[0].epsilon_server'

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
    Report(LedgerFiles),
}

#[derive(Debug, Args)]
struct LedgerFiles {
    /// The ledger's directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// File with the ledger's verifier key (NAME+HASH+KEY); without it the origin is not checked
    #[arg(long, value_name = "VKEY-FILE")]
    key: Option<PathBuf>,
    /// File with verifier keys of witnesses, one a line; may be repeated
    #[arg(long, value_name = "VKEY-FILE")]
    witness: Vec<PathBuf>,
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
        LedgerAction::Report(files) => {
            let ledger = Checked::new(files)?;
            let report = report::recompute(&ledger.verified.entries)?;
            output.result(&report_text(&ledger, &report), &report_json(&ledger, &report))?;
            let mut exit = Exit::Done;
            for finding in &report.findings {
                exit = output.complaint(&finding.to_string(), Exit::Failed);
            }
            Ok(exit)
        }
    }
}

/// A ledger that verified, with what the check was anchored in.
struct Checked {
    verified: Verified,
}

impl Checked {
    fn new(files: &LedgerFiles) -> anyhow::Result<Self> {
        let log_key = match &files.key {
            Some(path) => match <[VerifierKey; 1]>::try_from(read_keys(path)?) {
                Ok([key]) => Some(key),
                Err(keys) => {
                    return Err(usage(format!(
                        "{}: {} keys instead of one",
                        path.display(),
                        keys.len()
                    )));
                }
            },
            None => None,
        };
        let mut witnesses = Vec::new();
        for path in &files.witness {
            witnesses.append(&mut read_keys(path)?);
        }
        // Lines of witnesses that nobody asked about are no fault of the ledger; they are shown as not checked.
        let options = VerifyOptions {
            log_key,
            witnesses,
            allow_unlisted: true,
        };
        let verified = verify_with(&tacita_server::Directory::new(&files.directory), &options)
            .with_context(|| format!("the ledger in {} does not verify", files.directory.display()))?;
        Ok(Self { verified })
    }

    fn origin(&self) -> &'static str {
        if self.verified.origin_checked {
            "origin checked"
        } else {
            INTEGRITY_ONLY
        }
    }

    fn count(&self, kind: &str) -> usize {
        self.verified
            .entries
            .iter()
            .filter(|entry| entry.kind() == kind)
            .count()
    }

    fn text(&self) -> String {
        let head = self.verified.checkpoint();
        let mut text = format!(
            "Ledger {}\n  {} entries: {} manifests, {} charges, {} outcomes, {} releases\n  root {}\n",
            head.origin,
            head.size,
            self.count("manifest"),
            self.count("charge"),
            self.count("outcome"),
            self.count("release"),
            hex::encode(head.root),
        );
        for witness in &self.verified.witnesses {
            let checked = if witness.verified {
                "verified"
            } else {
                "not checked: no key given for it"
            };
            text.push_str(&format!(
                "  cosigned by {}+{} ({checked})\n",
                witness.name, witness.key_id
            ));
        }
        text
    }

    fn json(&self) -> Value {
        let head = self.verified.checkpoint();
        let witness = |witness: &Witness| {
            json!({
                "name": witness.name,
                "key_id": witness.key_id,
                "time": witness.time,
                "verified": witness.verified,
            })
        };
        json!({
            "origin": head.origin,
            "size": head.size,
            "root": hex::encode(head.root),
            "origin_checked": self.verified.origin_checked,
            "check": self.origin(),
            "manifests": self.count("manifest"),
            "charges": self.count("charge"),
            "outcomes": self.count("outcome"),
            "releases": self.count("release"),
            "cosignatures": self.verified.witnesses.iter().map(witness).collect::<Vec<_>>(),
        })
    }

    /// Whether Q of the listed witnesses cosigned a head that holds the last charge, in words.
    fn witnessed(&self, report: &Report) -> (bool, String) {
        let verified = self.verified.verified_witnesses();
        let unchecked = self.verified.witnesses.len().saturating_sub(verified);
        let unchecked = match unchecked {
            0 => String::new(),
            lines => format!("; {lines} cosignatures without a key given here were not checked"),
        };
        match report.last_charge() {
            None => (
                false,
                format!("not witnessed: there is no charge to witness{unchecked}"),
            ),
            Some(round) if u64::try_from(verified).unwrap_or(u64::MAX) < round.quorum => {
                let quorum = round.quorum;
                let text = format!(
                    "not witnessed: {verified} verified cosignatures of this head, the last charged round asks for \
                     {quorum}{unchecked}"
                );
                (false, text)
            }
            Some(round) => {
                let quorum = round.quorum;
                let text = format!(
                    "witnessed: {verified} verified cosignatures of this head, the last charged round asks for \
                     {quorum}; that they are of its members is what the given keys say{unchecked}"
                );
                (true, text)
            }
        }
    }
}

fn report_text(ledger: &Checked, report: &Report) -> String {
    let mut out = ledger.text();
    out.push_str(&format!(
        "  {}\n  {}\n\n",
        ledger.origin(),
        ledger.witnessed(report).1
    ));
    out.push_str(&format!(
        "Unit       {}\nAdjacency  {}\n",
        text::UNIT,
        text::ADJACENCY
    ));
    out.push_str(&format!(
        "Method     {}\n           {}\n\n",
        text::METHOD,
        text::DIRECTION
    ));
    out.push_str(&text::render(report));
    for (title, lines) in [
        ("Covered", &text::COVERED[..]),
        ("Not covered", &text::NOT_COVERED),
        ("Assumed", &text::ASSUMED),
    ] {
        out.push_str(&format!("{title}\n"));
        for line in lines {
            out.push_str(&format!("  - {line}\n"));
        }
    }
    match report.findings.len() {
        0 => out.push_str("\nNo outcome claims less than the charges amount to.\n"),
        _ => {
            out.push_str("\nCONTRADICTED\n");
            for finding in &report.findings {
                out.push_str(&format!("  - {finding}\n"));
            }
        }
    }
    out
}

fn report_json(ledger: &Checked, report: &Report) -> Value {
    let (witnessed, witness) = ledger.witnessed(report);
    json!({
        "report": "tacita privacy report",
        "software": concat!("tacita ", env!("CARGO_PKG_VERSION")),
        "ledger": ledger.json(),
        "witnessed": witnessed,
        "witness": witness,
        "unit": text::UNIT,
        "adjacency": text::ADJACENCY,
        "method": text::METHOD,
        "direction": text::DIRECTION,
        "tasks": report.tasks,
        "all_tasks": report.all_tasks,
        "claims_hold": report.findings.is_empty(),
        "findings": report.findings,
        "covered": text::COVERED,
        "not_covered": text::NOT_COVERED,
        "assumed": text::ASSUMED,
    })
}

/// The verifier keys in a file, one a line; empty lines and those that start with `#` are skipped.
fn read_keys(path: &Path) -> anyhow::Result<Vec<VerifierKey>> {
    let bad = |error: &dyn Display| usage(format!("{}: {error}", path.display()));
    let mut text = String::new();
    // Whoever runs the command chose this file: it may be a link or a pipe.
    let file = File::open(path).map_err(|error| bad(&error))?;
    let length = file
        .take(MAX_KEY_FILE)
        .read_to_string(&mut text)
        .map_err(|error| bad(&error))?;
    if u64::try_from(length).is_ok_and(|length| length == MAX_KEY_FILE) {
        return Err(bad(&"too long for a list of keys"));
    }
    let keys: Vec<VerifierKey> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| VerifierKey::parse(line).map_err(|error| bad(&error)))
        .collect::<anyhow::Result<_>>()?;
    if keys.is_empty() {
        return Err(bad(&"no verifier key in it"));
    }
    Ok(keys)
}
