//! Ledger entries: five kinds, one canonical JSON text each.
//!
//! An entry is one flat JSON object with its keys in ascending order, no white space, and values that are
//! integers in 0..2^53, strings without any character that JSON escapes, or null. There is thus exactly one
//! text per entry: [`Entry::decode`] accepts what [`Entry::encode`] writes and nothing else.

mod canonical;
mod check;
mod statement;

use serde::{Deserialize, Serialize};

pub use check::{MAX_COHORT, MAX_DECIMAL, MAX_REASON, MAX_TASK, printable_reason};
pub use statement::{STATEMENT_LABEL, bitmap_len, count_bits, statement_digest};

/// Largest entry in bytes: it must fit the 16-bit length of an entry bundle, so an entry stays below 64 KiB.
pub const MAX_ENTRY: usize = 65_535;
/// Most noise levels.
pub const MAX_NOISE_LEVELS: usize = 8;
/// The version that every entry states.
pub const VERSION: u64 = 1;
/// Largest integer in an entry: 2^53 - 1, which every JSON implementation keeps exactly (RFC 7493).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than [`MAX_ENTRY`] bytes.
    #[error("the entry is longer than {MAX_ENTRY} bytes")]
    TooLong,
    /// Not the JSON object of a known kind: syntax, kind, or an unknown, missing or repeated field.
    #[error("not an entry: {0}")]
    Json(String),
    /// Another version than [`VERSION`].
    #[error("entry version {0} is not supported")]
    Version(u64),
    /// The same values have another, canonical text.
    #[error("the text is not canonical (first difference at byte {at})")]
    NotCanonical {
        /// Offset of the first byte that differs from the canonical text.
        at: usize,
    },
    /// A field holds a value outside its range or form.
    #[error("field {field}: {wrong}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// What it must be.
        wrong: &'static str,
    },
}

/// How noise is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// No noise: no privacy claim beyond the sum.
    None,
    /// Every client adds a Skellam share.
    Skellam,
    /// Every client adds a discrete Gaussian share.
    DiscreteGaussian,
}

/// Whose contribution one unit of privacy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Everything one client sends in a round.
    Client,
    /// One record of one client.
    Record,
}

/// What neighbouring inputs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adjacency {
    /// One client's vector replaced by zero.
    ZeroOut,
    /// One record there or not; the relation of the record unit.
    AddRemove,
}

/// *Reserve*: an attempt at a round is announced. Digests are 64 lower-case hex digits; times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Task name, 1 to [`MAX_TASK`] characters.
    pub task: String,
    /// Round number within the task.
    pub round: u64,
    /// The attempt: 32 fresh random bytes in hex; no two manifests share one.
    pub round_id: String,
    /// Digest of the exact bytes of the signed manifest.
    pub manifest_digest: String,
    /// When the entry was made.
    pub time: u64,
    /// n: size of the cohort, 1 to [`MAX_COHORT`].
    pub cohort: u64,
    /// c: identities that may collude with the server, below m.
    pub colluders: u64,
    /// m: fewest survivors, at most n and at least the quorum and the threshold.
    pub minimum_survivors: u64,
    /// k: neighbours of each client, below n.
    pub neighbours: u64,
    /// t: shares that reconstruct a secret, at most k + 1.
    pub threshold: u64,
    /// Q: signatures on one statement without which nobody reveals.
    pub quorum: u64,
    /// b: ring width in bits, 8 to 62.
    pub bits: u64,
    /// Coordinates of the vector before padding.
    pub dimension: u64,
    /// Coordinates after padding, at least `dimension`.
    pub padded: u64,
    /// Clip norm, a positive decimal.
    pub clip: String,
    /// Steps of the integer grid per clip norm (`s * clip`, with s the scale), at least 1.
    pub grid: u64,
    /// Noise mechanism.
    pub mechanism: Mechanism,
    /// Variance of one client's noise share in grid steps squared, times 2^16: a plain integer as text, at
    /// most 39 digits. `"0"` exactly when `mechanism` is none.
    pub share_variance_q16: String,
    /// Numbers of drop-outs at which noise is taken off the sum again: 1 to [`MAX_NOISE_LEVELS`] rising integers joined by
    /// commas, the last n - m; or null.
    pub noise_levels: Option<String>,
    /// Norm to which updates alone are clipped, a positive decimal, or null where the vector is nothing but the update.
    pub update_clip: Option<String>,
    /// Federated metrics: their norm as a multiple of `update_clip` and the largest loss that counts, two positive decimals joined by a
    /// comma; or null.
    pub metrics: Option<String>,
    /// How `update_clip` follows from one round to the next: quantile, rate, initial, least and largest clip norm, five decimals
    /// joined by commas; or null for a clip norm that the operator sets.
    pub clip_rule: Option<String>,
    /// Size of the coordinate that counts updates within the clip norm, as a multiple of `update_clip`: a positive decimal, null exactly
    /// when `clip_rule` is.
    pub count_scale: Option<String>,
    /// Privacy unit.
    pub unit: Unit,
    /// Adjacency: the one that goes with the unit.
    pub adjacency: Adjacency,
    /// Probability with which clients sample their records, above 0 and at most 1; absent from the text in the client unit, where no
    /// sampling can be claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
    /// Records of one client that the ring has room for, at least 1; absent in the client unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_records: Option<u64>,
    /// Epsilon that the task may spend in all, a decimal, or null for no budget.
    pub budget_epsilon: Option<String>,
    /// Delta that goes with it, a decimal; null exactly when `budget_epsilon` is.
    pub budget_delta: Option<String>,
    /// Rounds that the task plans in all, at least 1.
    pub planned_rounds: u64,
    /// Digest of the global model the round starts from.
    pub model_digest: String,
}

/// *Commit*: the survivors of a round are agreed; their budget is spent. Final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// Task name, as in the manifest.
    pub task: String,
    /// Round number, as in the manifest.
    pub round: u64,
    /// The attempt, as in the manifest.
    pub round_id: String,
    /// When the entry was made.
    pub time: u64,
    /// Digest of the signed manifest, as in the manifest entry.
    pub manifest_digest: String,
    /// Merkle root of the roster.
    pub roster_root: String,
    /// U1 digest: who shared, and their share roots.
    pub sharers_digest: String,
    /// n': entries in the roster, at most n.
    pub roster_size: u64,
    /// U2: bitmap over roster indices in hex, `ceil(n' / 8)` bytes; index i is bit `i % 8` (least significant
    /// first) of byte `i / 8`; spare bits are zero.
    pub survivors: String,
    /// S = [`statement_digest`] of the four fields above, in hex.
    pub statement: String,
    /// Number of ones in `survivors`, at least m.
    pub survivor_count: u64,
    /// Merkle root over the survivors' signed upload digests, by which each of them finds its own among those summed.
    pub uploads_root: String,
}

/// What came out of a charged round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The attempt, as in its charge.
    pub round_id: String,
    /// Round number, as in its charge.
    pub round: u64,
    /// When the entry was made.
    pub time: u64,
    /// Number of survivors, as in its charge.
    pub survivor_count: u64,
    /// Survivors that answered the reveal request.
    pub responders: u64,
    /// Variance of the noise left in each coordinate of the sum, in the unit of `share_variance_q16`, surplus taken off: a
    /// plain integer as text, at most 39 digits.
    pub noise_variance_q16: String,
    /// Digest of the unmasked sum.
    pub sum_digest: String,
    /// Digest of the new global model.
    pub model_digest: String,
    /// Accuracy of the new model as the server measured it, a decimal, or null.
    pub accuracy: Option<String>,
    /// Its loss, a decimal, or null.
    pub loss: Option<String>,
    /// Accuracy of the model that the round started from on the survivors' own data: a noisy mean, which may lie outside [0, 1]; a
    /// decimal, null exactly when the manifest has no `metrics`.
    pub federated_accuracy: Option<String>,
    /// Its loss there, each survivor's at most the cap of `metrics`; noisy too. Null exactly when `federated_accuracy` is.
    pub federated_loss: Option<String>,
    /// Standard error of `federated_accuracy` from noise and rounding; that of `federated_loss` is the cap times this. Null exactly when
    /// `federated_accuracy` is.
    pub federated_error: Option<String>,
    /// Noisy share of the survivors whose update was within `update_clip`, moved into [0, 1]: a decimal of at most six places, null exactly
    /// when the manifest has no `clip_rule`.
    pub within_clip: Option<String>,
    /// Epsilon spent so far against the server, as the server claims it (a report recomputes), or null.
    pub epsilon_server: Option<String>,
    /// Epsilon spent so far against everyone else, as the server claims it, or null.
    pub epsilon_public: Option<String>,
}

/// A reserve is given up: the attempt ended before its charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The attempt, as in its manifest.
    pub round_id: String,
    /// Round number, as in its manifest.
    pub round: u64,
    /// When the entry was made.
    pub time: u64,
    /// Why, for people: 1 to [`MAX_REASON`] characters; see [`printable_reason`].
    pub reason: String,
}

/// The log's key changes: the key in force hands the log to the next one. [`crate::rotation`] says what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// When the entry was made.
    pub time: u64,
    /// vkey of the key in force so far, whose name is the origin.
    pub key: String,
    /// vkey of the key that signs the head over this entry and every later one; of the same name.
    pub next_key: String,
    /// Signature of `key`: 128 lower-case hex digits.
    pub signature: String,
}

/// One entry of the ledger. `kind` and `version` belong to the text only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Entry {
    /// Reserve.
    Manifest(Manifest),
    /// Commit.
    Charge(Charge),
    /// Result of a charged round.
    Outcome(Outcome),
    /// End of an attempt that was never charged.
    Release(Release),
    /// The log's key changes.
    Rotation(Rotation),
}

impl Entry {
    /// The canonical text.
    ///
    /// # Errors
    /// [`EntryError::Field`] for a value outside its range or form, [`EntryError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        check::check(self)?;
        let text = canonical::write(self)?;
        if text.len() > MAX_ENTRY {
            return Err(EntryError::TooLong);
        }
        Ok(text)
    }

    /// Reads a canonical text; `encode` of the result gives back the same bytes.
    ///
    /// # Errors
    /// [`EntryError`] by cause.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLong);
        }
        let entry = canonical::read(bytes)?;
        check::check(&entry)?;
        let text = canonical::write(&entry)?;
        if text != bytes {
            let same = text.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            return Err(EntryError::NotCanonical { at: same });
        }
        Ok(entry)
    }

    /// `manifest`, `charge`, `outcome`, `release` or `rotation`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Manifest(_) => "manifest",
            Self::Charge(_) => "charge",
            Self::Outcome(_) => "outcome",
            Self::Release(_) => "release",
            Self::Rotation(_) => "rotation",
        }
    }

    /// The attempt that the entry is about, in hex; a rotation is about none.
    pub fn round_id(&self) -> Option<&str> {
        match self {
            Self::Manifest(entry) => Some(&entry.round_id),
            Self::Charge(entry) => Some(&entry.round_id),
            Self::Outcome(entry) => Some(&entry.round_id),
            Self::Release(entry) => Some(&entry.round_id),
            Self::Rotation(_) => None,
        }
    }

    /// When the entry was made, unix seconds.
    pub fn time(&self) -> u64 {
        match self {
            Self::Manifest(entry) => entry.time,
            Self::Charge(entry) => entry.time,
            Self::Outcome(entry) => entry.time,
            Self::Release(entry) => entry.time,
            Self::Rotation(entry) => entry.time,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
