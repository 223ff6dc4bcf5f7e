//! Evidence that a server lied, for people: one JSON file each, with everything that a third party needs to check it.
//!
//! * `fork-<root>.json`: two heads of one ledger, `ours` and `shown`, that cannot both be true; each a note signed by the log.
//! * `statements-<round id>.json`: two lists of survivors for one round, `ours` signed by this client and `shown` charged in the
//!   ledger, each with the preimage of its statement S (spec 06 section 4) and the signatures on it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tacita_protocol::client::{SignedStatement, TwoStatements};
use tacita_protocol::{ForkEvidence, LedgerHead, labels};

const FORK: &str = "fork-";
const STATEMENTS: &str = "statements-";

/// Why a file of evidence could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct EvidenceError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// One piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    name: String,
    json: Vec<u8>,
}

impl Evidence {
    /// Two heads of one ledger.
    #[must_use]
    pub fn of_fork(fork: &ForkEvidence) -> Self {
        let document = json!({
            "what": "two heads of one ledger, each signed by its key, that cannot both be true",
            "ours": head(&fork.ours),
            "shown": head(&fork.shown),
        });
        Self::new(FORK, &fork.shown.root, &document)
    }

    /// Two lists of survivors for one round.
    #[must_use]
    pub fn of_statements(two: &TwoStatements) -> Self {
        let proof = two.charge.proof.as_slice();
        let document = json!({
            "what": "two lists of survivors for one round: the one that this client was asked to sign, and the one that was charged",
            "round_id": hex::encode(two.round_id),
            "signed_text": format!("{}, one zero byte, and the 32 bytes of the statement", labels::STATEMENT_SIGNATURE),
            "ours": statement(&two.ours),
            "shown": statement(&two.shown),
            "charge": {
                "index": two.charge.index,
                "entry": String::from_utf8_lossy(two.charge.bytes.as_slice()),
                "proof": proof.iter().map(hex::encode).collect::<Vec<_>>(),
                "checkpoint": String::from_utf8_lossy(&two.checkpoint),
            },
        });
        Self::new(STATEMENTS, &two.round_id, &document)
    }

    fn new(kind: &str, of: &[u8; 32], document: &Value) -> Self {
        Self {
            name: format!("{kind}{}", hex::encode(of)),
            // Cannot fail: the document holds strings, integers and lists of them.
            json: serde_json::to_vec_pretty(document).unwrap_or_default(),
        }
    }

    /// As the durable record holds it.
    pub(crate) fn stored(name: &[u8], json: Vec<u8>) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let known = name.starts_with(FORK) || name.starts_with(STATEMENTS);
        let name = known.then(|| name.to_owned())?;
        Some(Self { name, json })
    }

    /// Its name within a record.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The document.
    #[must_use]
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// What it shows, for people.
    #[must_use]
    pub fn what(&self) -> &'static str {
        if self.name.starts_with(FORK) {
            "the ledger was shown in two versions that cannot both be true"
        } else {
            "two lists of survivors were signed for one round"
        }
    }

    /// Writes it below `dir`, unless it is there; durable when this returns. The file.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn write(&self, dir: &Path) -> Result<PathBuf, EvidenceError> {
        let path = dir.join(format!("{}.json", self.name));
        let failed = |source| EvidenceError {
            path: path.clone(),
            source,
        };
        if path.exists() {
            return Ok(path);
        }
        fs::create_dir_all(dir).map_err(failed)?;
        let staging = path.with_extension("part");
        let mut file = File::create(&staging).map_err(failed)?;
        file.write_all(&self.json).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        drop(file);
        fs::rename(&staging, &path).map_err(failed)?;
        #[cfg(unix)]
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(path)
    }
}

fn head(head: &LedgerHead) -> Value {
    json!({
        "size": head.size,
        "root": hex::encode(head.root),
        "note": String::from_utf8_lossy(&head.note),
    })
}

fn statement(signed: &SignedStatement) -> Value {
    let signatures = signed.signatures.iter().map(|one| {
        json!({
            "name": one.name,
            "key": hex::encode(one.key),
            "signature": hex::encode(one.signature),
        })
    });
    json!({
        "statement": hex::encode(signed.statement),
        "manifest_digest": hex::encode(signed.manifest_digest),
        "roster_root": hex::encode(signed.roster_root),
        "sharers_digest": hex::encode(signed.sharers_digest),
        "roster_size": signed.roster_size,
        "survivors": hex::encode(&signed.survivors),
        "signatures": signatures.collect::<Vec<_>>(),
    })
}
