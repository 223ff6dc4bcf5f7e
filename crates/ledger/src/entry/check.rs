//! Ranges and forms of the fields of one entry, by itself. What entries say about each other is
//! [`crate::rules`]'s.

use super::{
    Adjacency, Charge, Entry, EntryError, MAX_INTEGER, MAX_NOISE_LEVELS, Manifest, Mechanism, Outcome,
    Release, Rotation, Unit, bitmap_len, count_bits, statement_digest,
};
use crate::hexes;
use crate::note::{KeyType, MAX_VKEY, VerifierKey};
use crate::tree::Hash;

/// Longest task name.
pub const MAX_TASK: usize = 64;
/// Longest reason of a release.
pub const MAX_REASON: usize = 200;
/// Longest decimal.
pub const MAX_DECIMAL: usize = 64;
/// Largest cohort; share abscissae are 16-bit.
pub const MAX_COHORT: u64 = 65_535;
/// Places of a published share.
const SHARE_PLACES: usize = 6;
/// Digits of 2^128 - 1.
const MAX_VARIANCE: usize = 39;

/// Turns any text into a permitted reason: every character that is not printable ASCII, and the two that JSON
/// escapes, become `?`; the rest beyond [`MAX_REASON`] is cut; an empty text becomes `?`.
pub fn printable_reason(text: &str) -> String {
    let reason: String = text
        .chars()
        .take(MAX_REASON)
        .map(|c| if is_plain(c) { c } else { '?' })
        .collect();
    if reason.is_empty() { "?".to_owned() } else { reason }
}

pub(super) fn check(entry: &Entry) -> Result<(), EntryError> {
    match entry {
        Entry::Manifest(entry) => manifest(entry),
        Entry::Charge(entry) => charge(entry),
        Entry::Outcome(entry) => outcome(entry),
        Entry::Release(entry) => release(entry),
        Entry::Rotation(entry) => rotation(entry),
    }
}

fn manifest(entry: &Manifest) -> Result<(), EntryError> {
    text("task", &entry.task, MAX_TASK)?;
    digest("round_id", &entry.round_id)?;
    digest("manifest_digest", &entry.manifest_digest)?;
    digest("model_digest", &entry.model_digest)?;
    integers(&[
        ("round", entry.round),
        ("time", entry.time),
        ("dimension", entry.dimension),
        ("padded", entry.padded),
        ("grid", entry.grid),
        ("planned_rounds", entry.planned_rounds),
    ])?;
    let require = |good: bool, field: &'static str, wrong: &'static str| {
        if good {
            Ok(())
        } else {
            Err(EntryError::Field { field, wrong })
        }
    };
    let (n, c, m) = (entry.cohort, entry.colluders, entry.minimum_survivors);
    require((1..=MAX_COHORT).contains(&n), "cohort", "must be 1 to 65535")?;
    require(
        (1..=n).contains(&m),
        "minimum_survivors",
        "must be 1 to the cohort",
    )?;
    require(c < m, "colluders", "must be below the minimum of survivors")?;
    require(entry.neighbours < n, "neighbours", "must be below the cohort")?;
    let holders = entry.neighbours.saturating_add(1);
    require(
        (1..=holders.min(m)).contains(&entry.threshold),
        "threshold",
        "must be 1 to min(k + 1, m)",
    )?;
    require(
        (1..=m).contains(&entry.quorum),
        "quorum",
        "must be 1 to the minimum of survivors",
    )?;
    require((8..=62).contains(&entry.bits), "bits", "must be 8 to 62")?;
    require(entry.dimension >= 1, "dimension", "must be at least 1")?;
    require(
        entry.padded >= entry.dimension,
        "padded",
        "must be at least the dimension",
    )?;
    require(entry.grid >= 1, "grid", "must be at least 1")?;
    require(entry.planned_rounds >= 1, "planned_rounds", "must be at least 1")?;
    decimal("clip", &entry.clip, Sign::Positive)?;
    let variance = &entry.share_variance_q16;
    let whole = is_integer(variance) && variance.len() <= MAX_VARIANCE;
    require(
        whole,
        "share_variance_q16",
        "must be a plain integer of at most 39 digits",
    )?;
    if let Some(levels) = &entry.noise_levels {
        let fit = dropouts(levels).is_some_and(|levels| levels.last() == Some(&n.saturating_sub(m)));
        require(
            fit && entry.mechanism == Mechanism::Skellam,
            "noise_levels",
            "must be at most 8 rising integers, the last n - m, and only with skellam noise",
        )?;
    }
    joint_terms(entry)?;
    let silent = entry.mechanism == Mechanism::None;
    require(
        silent == (variance == "0"),
        "share_variance_q16",
        "must be 0 exactly without a mechanism",
    )?;
    unit(entry)?;
    optional("budget_epsilon", entry.budget_epsilon.as_deref(), Sign::Positive)?;
    optional("budget_delta", entry.budget_delta.as_deref(), Sign::NotNegative)?;
    let together = entry.budget_epsilon.is_some() == entry.budget_delta.is_some();
    require(
        together,
        "budget_delta",
        "must be null exactly when budget_epsilon is",
    )
}

/// What the vector holds beside the update. Whether a clip rule is one, and is kept to, is `tacita-protocol`'s business.
fn joint_terms(entry: &Manifest) -> Result<(), EntryError> {
    optional("update_clip", entry.update_clip.as_deref(), Sign::Positive)?;
    decimals("metrics", entry.metrics.as_deref(), 2)?;
    decimals("clip_rule", entry.clip_rule.as_deref(), 5)?;
    optional("count_scale", entry.count_scale.as_deref(), Sign::Positive)?;
    let wrong = |field, wrong| Err(EntryError::Field { field, wrong });
    if entry.clip_rule.is_some() != entry.count_scale.is_some() {
        return wrong("count_scale", "must be null exactly when clip_rule is");
    }
    if entry.update_clip.is_none() && (entry.metrics.is_some() || entry.clip_rule.is_some()) {
        return wrong("update_clip", "must not be null with metrics or a clip_rule");
    }
    Ok(())
}

/// So many positive decimals, joined by commas.
fn decimals(field: &'static str, value: Option<&str>, count: usize) -> Result<(), EntryError> {
    let Some(value) = value else {
        return Ok(());
    };
    if value.split(',').count() != count {
        return Err(EntryError::Field {
            field,
            wrong: "has another number of decimals",
        });
    }
    value
        .split(',')
        .try_for_each(|part| decimal(field, part, Sign::Positive))
}

/// Unit, relation and sampling go together: only clients' records are sampled by coins that the server does not see.
fn unit(entry: &Manifest) -> Result<(), EntryError> {
    let wrong = |field, wrong| Err(EntryError::Field { field, wrong });
    match (entry.unit, entry.adjacency) {
        (Unit::Client, Adjacency::ZeroOut) => match (&entry.sampling, entry.largest_records) {
            (None, None) => Ok(()),
            (Some(_), _) => wrong(
                "sampling",
                "must be absent in the client unit: the server picks the cohort",
            ),
            (None, Some(_)) => wrong("largest_records", "must be absent in the client unit"),
        },
        (Unit::Record, Adjacency::AddRemove) => {
            let Some(sampling) = &entry.sampling else {
                return wrong("sampling", "must be stated in the record unit");
            };
            decimal("sampling", sampling, Sign::Positive)?;
            // Positive, so at most one is 1 or below it.
            let one = sampling.strip_prefix('1').is_some_and(|rest| {
                rest.strip_prefix('.')
                    .map_or(rest.is_empty(), |places| places.bytes().all(|byte| byte == b'0'))
            });
            if !one && !sampling.starts_with("0.") {
                return wrong("sampling", "must be at most 1");
            }
            match entry.largest_records {
                Some(1..=MAX_INTEGER) => Ok(()),
                _ => wrong("largest_records", "must be at least 1 in the record unit"),
            }
        }
        _ => wrong(
            "adjacency",
            "must be zero-out for clients and add-remove for records",
        ),
    }
}

/// The drop-outs of each level: rising integers from 1, few and short.
fn dropouts(text: &str) -> Option<Vec<u64>> {
    let levels: Vec<u64> = text
        .split(',')
        .take(MAX_NOISE_LEVELS.saturating_add(1))
        .map(|level| level.parse().ok().filter(|_| is_integer(level)))
        .collect::<Option<_>>()?;
    let rising = levels.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
    (rising && levels.len() <= MAX_NOISE_LEVELS && levels.first() != Some(&0)).then_some(levels)
}

fn charge(entry: &Charge) -> Result<(), EntryError> {
    text("task", &entry.task, MAX_TASK)?;
    digest("round_id", &entry.round_id)?;
    let manifest_digest = digest("manifest_digest", &entry.manifest_digest)?;
    let roster_root = digest("roster_root", &entry.roster_root)?;
    let sharers_digest = digest("sharers_digest", &entry.sharers_digest)?;
    let statement = digest("statement", &entry.statement)?;
    digest("uploads_root", &entry.uploads_root)?;
    integers(&[("round", entry.round), ("time", entry.time)])?;
    let wrong = |field, wrong| Err(EntryError::Field { field, wrong });
    if !(1..=MAX_COHORT).contains(&entry.roster_size) {
        return wrong("roster_size", "must be 1 to 65535");
    }
    let Some(survivors) = hexes::bytes(&entry.survivors) else {
        return wrong("survivors", "must be lower-case hex");
    };
    if survivors.len() != bitmap_len(entry.roster_size) {
        return wrong("survivors", "must have one bit per roster entry, in whole bytes");
    }
    let spare = survivors
        .len()
        .saturating_mul(8)
        .saturating_sub(entry.roster_size as usize);
    // At most 7 spare bits, at the top of the last byte.
    if survivors
        .last()
        .is_some_and(|&last| spare > 0 && last >> 8usize.saturating_sub(spare) != 0)
    {
        return wrong("survivors", "must have zero spare bits");
    }
    if count_bits(&survivors) != entry.survivor_count {
        return wrong("survivor_count", "must be the number of ones in survivors");
    }
    let expected = statement_digest(
        &manifest_digest,
        &roster_root,
        &sharers_digest,
        entry.roster_size,
        &survivors,
    );
    if statement != expected {
        return wrong("statement", "is not the digest of the fields that it covers");
    }
    Ok(())
}

fn outcome(entry: &Outcome) -> Result<(), EntryError> {
    digest("round_id", &entry.round_id)?;
    digest("sum_digest", &entry.sum_digest)?;
    digest("model_digest", &entry.model_digest)?;
    integers(&[
        ("round", entry.round),
        ("time", entry.time),
        ("survivor_count", entry.survivor_count),
        ("responders", entry.responders),
    ])?;
    if !is_integer(&entry.noise_variance_q16) || entry.noise_variance_q16.len() > MAX_VARIANCE {
        return Err(EntryError::Field {
            field: "noise_variance_q16",
            wrong: "must be a plain integer of at most 39 digits",
        });
    }
    if entry.responders > entry.survivor_count {
        return Err(EntryError::Field {
            field: "responders",
            wrong: "must be at most survivor_count",
        });
    }
    optional("accuracy", entry.accuracy.as_deref(), Sign::Any)?;
    optional("loss", entry.loss.as_deref(), Sign::Any)?;
    federated(entry)?;
    optional(
        "epsilon_server",
        entry.epsilon_server.as_deref(),
        Sign::NotNegative,
    )?;
    optional(
        "epsilon_public",
        entry.epsilon_public.as_deref(),
        Sign::NotNegative,
    )
}

/// What was read from noised coordinates.
fn federated(entry: &Outcome) -> Result<(), EntryError> {
    let figures = [
        ("federated_accuracy", &entry.federated_accuracy, Sign::Any),
        ("federated_loss", &entry.federated_loss, Sign::Any),
        ("federated_error", &entry.federated_error, Sign::NotNegative),
    ];
    for (field, value, sign) in figures {
        optional(field, value.as_deref(), sign)?;
        if value.is_some() != entry.federated_accuracy.is_some() {
            return Err(EntryError::Field {
                field,
                wrong: "must be null exactly when federated_accuracy is",
            });
        }
    }
    optional("within_clip", entry.within_clip.as_deref(), Sign::NotNegative)?;
    let share = entry.within_clip.as_deref().unwrap_or("0");
    let (whole, places) = share.split_once('.').unwrap_or((share, ""));
    let one = whole == "1" && places.bytes().all(|byte| byte == b'0');
    if places.len() > SHARE_PLACES || !(whole == "0" || one) {
        return Err(EntryError::Field {
            field: "within_clip",
            wrong: "must be 0 to 1 with at most six places",
        });
    }
    Ok(())
}

fn release(entry: &Release) -> Result<(), EntryError> {
    digest("round_id", &entry.round_id)?;
    integers(&[("round", entry.round), ("time", entry.time)])?;
    text("reason", &entry.reason, MAX_REASON)
}

/// That the signature holds depends on where in which log the entry stands: [`crate::rotation`].
fn rotation(entry: &Rotation) -> Result<(), EntryError> {
    integers(&[("time", entry.time)])?;
    let key = log_key("key", &entry.key)?;
    let next = log_key("next_key", &entry.next_key)?;
    let wrong = |field, wrong| Err(EntryError::Field { field, wrong });
    if key.name() != next.name() {
        return wrong("next_key", "must be of the same name as key");
    }
    if key.verifying_key() == next.verifying_key() {
        return wrong("next_key", "must differ from key");
    }
    if hexes::bytes(&entry.signature).is_none_or(|bytes| bytes.len() != 64) {
        return wrong("signature", "must be 128 lower-case hex digits");
    }
    Ok(())
}

/// A vkey of a log, in its one text.
fn log_key(field: &'static str, value: &str) -> Result<VerifierKey, EntryError> {
    text(field, value, MAX_VKEY)?;
    match VerifierKey::parse(value) {
        Ok(key) if key.kind() == KeyType::Ed25519 && key.to_string() == value => Ok(key),
        _ => Err(EntryError::Field {
            field,
            wrong: "must be the vkey of an Ed25519 key",
        }),
    }
}

fn integers(fields: &[(&'static str, u64)]) -> Result<(), EntryError> {
    match fields.iter().find(|(_, value)| *value > MAX_INTEGER) {
        Some(&(field, _)) => Err(EntryError::Field {
            field,
            wrong: "must be below 2^53",
        }),
        None => Ok(()),
    }
}

fn digest(field: &'static str, value: &str) -> Result<Hash, EntryError> {
    hexes::digest(value).ok_or(EntryError::Field {
        field,
        wrong: "must be 64 lower-case hex digits",
    })
}

fn text(field: &'static str, value: &str, limit: usize) -> Result<(), EntryError> {
    if value.is_empty() || value.len() > limit {
        return Err(EntryError::Field {
            field,
            wrong: "is empty or too long",
        });
    }
    if !value.chars().all(is_plain) {
        return Err(EntryError::Field {
            field,
            wrong: "must be printable ASCII without \" and \\",
        });
    }
    Ok(())
}

fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~') && c != '"' && c != '\\'
}

/// Which numbers a decimal field takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Any,
    NotNegative,
    Positive,
}

fn optional(field: &'static str, value: Option<&str>, sign: Sign) -> Result<(), EntryError> {
    value.map_or(Ok(()), |value| decimal(field, value, sign))
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, at most [`MAX_DECIMAL`] characters, no negative zero.
fn decimal(field: &'static str, value: &str, sign: Sign) -> Result<(), EntryError> {
    let wrong = |wrong| Err(EntryError::Field { field, wrong });
    if value.len() > MAX_DECIMAL {
        return wrong("has more than 64 characters");
    }
    let (negative, plain) = match value.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let (whole, fraction) = match plain.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (plain, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_integer(whole) || fraction.is_some_and(|fraction| !digits(fraction)) {
        return wrong("must be a plain decimal such as 0.25");
    }
    let zero = plain.bytes().all(|byte| byte == b'0' || byte == b'.');
    if negative && (zero || sign != Sign::Any) {
        return wrong("must not be negative, nor a negative zero");
    }
    if zero && sign == Sign::Positive {
        return wrong("must be positive");
    }
    Ok(())
}

/// Digits without a leading zero, or `0`.
fn is_integer(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}
