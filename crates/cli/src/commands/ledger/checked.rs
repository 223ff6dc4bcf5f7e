//! A ledger that verified, with what the check was anchored in: the pinned key, and heads that witnesses cosigned.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use serde_json::{Value, json};
use tacita_ledger::verify::{Witness, distinct_witnesses};
use tacita_ledger::{CosignedHead, Entry, Verified, VerifierKey, VerifyOptions, verify_with};
use tacita_server::{Directory, cosigned_path};

use crate::output::usage;

/// Largest file of verifier keys: a thousand witnesses.
const MAX_KEY_FILE: u64 = 512 * 1024;
/// Largest note with cosignatures.
const MAX_NOTE_FILE: u64 = tacita_ledger::note::MAX_NOTE as u64;

/// Cosignatures that are listed by name for people.
const MAX_LINES: usize = 5;

/// What a check without a key is worth, in the words of the specification.
const INTEGRITY_ONLY: &str = "integrity only, origin not checked";

/// Which ledger, and what the reader knows about it.
#[derive(Debug, Args)]
pub(super) struct LedgerFiles {
    /// The ledger's directory
    #[arg(value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// File with the ledger's verifier key (NAME+HASH+KEY), the present one or one that it was rotated from; without it
    /// the origin is not checked
    #[arg(long, value_name = "VKEY-FILE")]
    pub(super) key: Option<PathBuf>,
    /// File with verifier keys of witnesses, one a line; may be repeated
    #[arg(long, value_name = "VKEY-FILE")]
    witness: Vec<PathBuf>,
    /// An earlier head with the cosignatures of witnesses, which the ledger must continue; may be repeated. With
    /// --witness and without this, DIR.cosigned is read if it is there
    #[arg(long, value_name = "NOTE-FILE")]
    cosigned: Vec<PathBuf>,
    /// Fail unless so many of the listed witnesses cosigned a head that holds every charge
    #[arg(long, value_name = "N", requires = "witness")]
    quorum: Option<usize>,
}

/// A ledger that passed.
pub(super) struct Checked {
    pub(super) verified: Verified,
    /// Earlier heads, with the file of each.
    cosigned: Vec<(PathBuf, CosignedHead)>,
}

/// A head that witnesses vouch for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vouched {
    /// Its size.
    pub(super) size: u64,
    /// Different witnesses whose cosignature verified.
    pub(super) witnesses: usize,
}

impl Checked {
    pub(super) fn new(files: &LedgerFiles) -> anyhow::Result<Self> {
        let log_key = files.key.as_deref().map(read_key).transpose()?;
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
        let verified = verify_with(&Directory::new(&files.directory), &options)
            .with_context(|| format!("the ledger in {} does not verify", files.directory.display()))?;
        let beside = cosigned_path(&files.directory);
        let mut notes = files.cosigned.clone();
        if notes.is_empty() && !options.witnesses.is_empty() && beside.exists() {
            notes.push(beside);
        }
        let mut cosigned = Vec::new();
        for path in notes {
            let note = read(&path, MAX_NOTE_FILE)?;
            let head = verified
                .cosigned_head(&note, &options.witnesses)
                .with_context(|| format!("{} does not belong to the ledger", path.display()))?;
            cosigned.push((path, head));
        }
        let checked = Self { verified, cosigned };
        if let Some(quorum) = files.quorum {
            let found = checked.vouched().map_or(0, |head| head.witnesses);
            if found < quorum {
                return Err(anyhow!(
                    "no quorum of witnesses: {found} of the {quorum} that are asked for cosigned a head that holds every \
                     charge"
                ));
            }
        }
        Ok(checked)
    }

    /// The head that most witnesses vouch for, among those that hold every charge.
    pub(super) fn vouched(&self) -> Option<Vouched> {
        let mut charges = self.verified.entries.iter();
        let last = charges.rposition(|entry| matches!(entry, Entry::Charge(_)));
        let needed = last.map_or(0, |index| index as u64 + 1);
        let own = (
            self.verified.checkpoint().size,
            self.verified.witnesses.as_slice(),
        );
        let earlier = self.cosigned.iter();
        earlier
            .map(|(_, head)| (head.checkpoint.size, head.witnesses.as_slice()))
            .chain([own])
            .filter(|(size, _)| *size >= needed)
            .map(|(size, lines)| Vouched {
                size,
                witnesses: distinct_witnesses(lines),
            })
            .max_by_key(|head| (head.witnesses, head.size))
    }

    /// Cosignature lines of all heads, without those whose key was listed.
    pub(super) fn unchecked_lines(&self) -> usize {
        let earlier = self.cosigned.iter().flat_map(|(_, head)| &head.witnesses);
        let lines = self.verified.witnesses.iter().chain(earlier);
        lines.filter(|line| !line.verified).count()
    }

    pub(super) fn origin(&self) -> &'static str {
        if self.verified.origin_checked {
            "origin checked"
        } else {
            INTEGRITY_ONLY
        }
    }

    pub(super) fn count(&self, kind: &str) -> usize {
        let entries = self.verified.entries.iter();
        entries.filter(|entry| entry.kind() == kind).count()
    }

    pub(super) fn text(&self) -> String {
        let head = self.verified.checkpoint();
        let mut text = format!(
            "Ledger {}\n  {} entries: {} manifests, {} charges, {} outcomes, {} releases, {} rotations\n  root {}\n",
            head.origin,
            head.size,
            self.count("manifest"),
            self.count("charge"),
            self.count("outcome"),
            self.count("release"),
            self.count("rotation"),
            hex::encode(head.root),
        );
        let keys = self.verified.keys.keys();
        if keys.len() > 1 {
            for known in keys {
                text.push_str(&format!(
                    "  signed from {} entries on by {}\n",
                    known.from, known.key
                ));
            }
        }
        text.push_str(&lines(&self.verified.witnesses));
        for (path, head) in &self.cosigned {
            text.push_str(&format!(
                "  head of {} entries, in {}\n{}",
                head.checkpoint.size,
                path.display(),
                lines(&head.witnesses)
            ));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let head = self.verified.checkpoint();
        let keys = self.verified.keys.keys().iter();
        let cosigned = self.cosigned.iter().map(|(path, head)| {
            json!({
                "file": path,
                "size": head.checkpoint.size,
                "cosignatures": cosignatures(&head.witnesses),
            })
        });
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
            "rotations": self.count("rotation"),
            "keys": keys
                .map(|known| json!({ "from": known.from, "key": known.key.to_string() }))
                .collect::<Vec<_>>(),
            "cosignatures": cosignatures(&self.verified.witnesses),
            "earlier_heads": cosigned.collect::<Vec<_>>(),
        })
    }
}

/// One line each; of many only the first, and how many more.
fn lines(witnesses: &[Witness]) -> String {
    let line = |witness: &Witness| {
        let checked = if witness.verified {
            "verified"
        } else {
            "not checked: no key given for it"
        };
        format!("  cosigned by {}+{} ({checked})\n", witness.name, witness.key_id)
    };
    let shown: String = witnesses.iter().take(MAX_LINES).map(line).collect();
    match witnesses.len().saturating_sub(MAX_LINES) {
        0 => shown,
        more => {
            let rest = witnesses.iter().skip(MAX_LINES);
            let verified = rest.filter(|witness| witness.verified).count();
            format!("{shown}  and {more} more, {verified} of them verified\n")
        }
    }
}

fn cosignatures(witnesses: &[Witness]) -> Vec<Value> {
    let value = |witness: &Witness| {
        json!({
            "name": witness.name,
            "key_id": witness.key_id,
            "time": witness.time,
            "verified": witness.verified,
        })
    };
    witnesses.iter().map(value).collect()
}

/// A file with exactly one verifier key.
pub(super) fn read_key(path: &Path) -> anyhow::Result<VerifierKey> {
    match <[VerifierKey; 1]>::try_from(read_keys(path)?) {
        Ok([key]) => Ok(key),
        Err(keys) => Err(usage(format!(
            "{}: {} keys instead of one",
            path.display(),
            keys.len()
        ))),
    }
}

/// The verifier keys in a file, one a line; empty lines and those that start with `#` are skipped.
fn read_keys(path: &Path) -> anyhow::Result<Vec<VerifierKey>> {
    let bad = |error: &dyn Display| usage(format!("{}: {error}", path.display()));
    let text = String::from_utf8(read(path, MAX_KEY_FILE)?).map_err(|error| bad(&error))?;
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

/// A file that whoever runs the command named: it may be a link or a pipe.
pub(super) fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let bad = |error: &dyn Display| usage(format!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| bad(&error))?;
    let length = file
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| bad(&error))?;
    if length as u64 > limit {
        return Err(bad(&format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}
