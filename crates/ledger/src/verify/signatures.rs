//! Who signed a head: the log, by the key in force at its size, and witnesses.

use std::collections::BTreeSet;

use crate::checkpoint::{Cosignature, SignedCheckpoint};
use crate::note::VerifierKey;
use crate::rotation::{KeyChain, named};

use super::VerifyError;

/// A cosignature line on a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Key name.
    pub name: String,
    /// Key id in hex.
    pub key_id: String,
    /// The time it states, if the line has the form of a cosignature.
    pub time: Option<u64>,
    /// Whether it was verified under a listed key.
    pub verified: bool,
}

/// Different names among the verified lines: a witness that renewed its key is still one.
pub fn distinct_witnesses(lines: &[Witness]) -> usize {
    let verified = lines.iter().filter(|line| line.verified);
    verified.map(|line| &line.name).collect::<BTreeSet<_>>().len()
}

/// The chain from the pinned key on; without rotations it is that key alone.
pub(crate) fn anchor(chain: &mut KeyChain, pinned: Option<&VerifierKey>) -> Result<(), VerifyError> {
    let Some(pinned) = pinned else {
        return Ok(());
    };
    chain.begin(pinned);
    if chain.contains(pinned) {
        return Ok(());
    }
    let found: Vec<String> = chain.keys().iter().map(|known| named(&known.key)).collect();
    Err(VerifyError::ForeignKey {
        pinned: named(pinned),
        found: found.join(", "),
    })
}

/// Checks every signature line of a head: exactly one of the log, under `key` if it is known, and cosignatures.
pub(crate) fn check(
    signed: &SignedCheckpoint,
    key: Option<&VerifierKey>,
    witnesses: &[VerifierKey],
    allow_unlisted: bool,
) -> Result<Vec<Witness>, VerifyError> {
    if let Some(key) = key {
        check_log(signed, key)?;
    }
    let origin = &signed.checkpoint().origin;
    let mut seen = BTreeSet::new();
    let mut log_lines = 0usize;
    let mut found = Vec::new();
    for line in signed.note().signatures() {
        if !seen.insert((&line.name, line.key_id)) {
            return Err(VerifyError::RepeatedSignature {
                name: line.name.clone(),
            });
        }
        let by_log = match key {
            Some(key) => key.matches(line),
            // All that is known without a key: whose name the line carries and how long its signature is.
            None => log_lines == 0 && line.name == *origin && line.signature.len() == 64,
        };
        if by_log {
            log_lines = log_lines.saturating_add(1);
            continue;
        }
        let key_id = hex::encode(line.key_id);
        let listed = witnesses.iter().find(|key| key.matches(line));
        let (time, verified) = match listed {
            Some(key) => {
                let cosignature = Cosignature::from_line(line)?;
                cosignature.verify(signed.checkpoint(), key)?;
                (Some(cosignature.time), true)
            }
            None if allow_unlisted => (Cosignature::from_line(line).ok().map(|line| line.time), false),
            None => {
                return Err(VerifyError::UnlistedSignature {
                    name: line.name.clone(),
                    key_id,
                });
            }
        };
        found.push(Witness {
            name: line.name.clone(),
            key_id,
            time,
            verified,
        });
    }
    if log_lines == 0 {
        return Err(VerifyError::NoLogSignature);
    }
    Ok(found)
}

/// The log's own line; if another key signed in the log's name, the error names that key.
fn check_log(signed: &SignedCheckpoint, key: &VerifierKey) -> Result<(), VerifyError> {
    let lines = signed.note().signatures();
    let others: Vec<String> = lines
        .iter()
        .filter(|line| line.name == key.name() && !key.matches(line))
        .map(|line| format!("{}+{}", line.name, hex::encode(line.key_id)))
        .collect();
    if !others.is_empty() && !lines.iter().any(|line| key.matches(line)) {
        return Err(VerifyError::ForeignKey {
            pinned: named(key),
            found: others.join(", "),
        });
    }
    Ok(signed.check(key)?)
}
