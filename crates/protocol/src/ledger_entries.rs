//! The ledger entries of a round, computed from what was signed. Server and clients both build them here, so an entry
//! that says anything else than the signed manifest and statement is refused (TAC-060).

use tacita_ledger::entry::{self, Adjacency, Entry, Unit};
use tacita_privacy::{Decimal, Mechanism, NoiseShare, PrivacyUnit, Published, Release, parse_dropouts};

use crate::Hash;
use crate::bitmap::Bitmap;
use crate::manifest::CheckedManifest;

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

fn decimal_or_none(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
}

/// The reserve entry of a manifest.
#[must_use]
pub fn reserve(manifest: &CheckedManifest, time: u64) -> Entry {
    let f = manifest.fields();
    Entry::Manifest(entry::Manifest {
        task: manifest.task().to_owned(),
        round: u64::from(f.round),
        round_id: hex(&f.round_id),
        manifest_digest: hex(manifest.digest()),
        time,
        cohort: u64::from(f.cohort),
        colluders: u64::from(f.colluders),
        minimum_survivors: u64::from(f.minimum_survivors),
        neighbours: u64::from(f.neighbours),
        threshold: u64::from(f.threshold),
        quorum: u64::from(f.quorum),
        bits: u64::from(f.bits),
        dimension: u64::from(f.dimension),
        padded: u64::from(f.padded),
        clip: manifest.clip().to_string(),
        grid: u64::from(f.grid),
        mechanism: match manifest.noise().mechanism() {
            Mechanism::None => entry::Mechanism::None,
            Mechanism::Skellam => entry::Mechanism::Skellam,
            Mechanism::DiscreteGaussian => entry::Mechanism::DiscreteGaussian,
        },
        share_variance_q16: f.share_variance_q16.to_string(),
        noise_levels: manifest.noise().levels().map(ToString::to_string),
        update_clip: decimal_or_none(f.update_clip.as_slice()),
        metrics: manifest
            .terms()
            .and_then(|terms| terms.metrics())
            .map(|metrics| format!("{},{}", metrics.scale, metrics.loss_cap)),
        clip_rule: manifest.clip_rule().map(ToString::to_string),
        count_scale: manifest
            .terms()
            .and_then(|terms| terms.count_scale())
            .map(|scale| scale.to_string()),
        unit: match manifest.unit() {
            PrivacyUnit::Client => Unit::Client,
            PrivacyUnit::Record => Unit::Record,
        },
        adjacency: match manifest.unit() {
            PrivacyUnit::Client => Adjacency::ZeroOut,
            PrivacyUnit::Record => Adjacency::AddRemove,
        },
        sampling: decimal_or_none(f.sampling.as_slice()),
        largest_records: (f.largest_records > 0).then_some(u64::from(f.largest_records)),
        budget_epsilon: decimal_or_none(f.epsilon.as_slice()),
        budget_delta: decimal_or_none(f.delta.as_slice()),
        planned_rounds: u64::from(f.rounds),
        model_digest: hex(&f.model_digest),
    })
}

/// The commit entry of a statement.
#[must_use]
pub fn charge(
    manifest: &CheckedManifest,
    roster_root: &Hash,
    sharers_digest: &Hash,
    survivors: &Bitmap,
    statement: &Hash,
    uploads_root: &Hash,
    time: u64,
) -> Entry {
    let f = manifest.fields();
    Entry::Charge(entry::Charge {
        task: manifest.task().to_owned(),
        round: u64::from(f.round),
        round_id: hex(&f.round_id),
        time,
        manifest_digest: hex(manifest.digest()),
        roster_root: hex(roster_root),
        sharers_digest: hex(sharers_digest),
        roster_size: u64::from(survivors.size()),
        survivors: hex(survivors.bytes()),
        survivor_count: u64::from(survivors.count()),
        statement: hex(statement),
        uploads_root: hex(uploads_root),
    })
}

/// What an outcome entry says of the noisy figures of its round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoisyFigures {
    /// `federated_accuracy`
    pub accuracy: Option<String>,
    /// `federated_loss`
    pub loss: Option<String>,
    /// `federated_error`
    pub error: Option<String>,
    /// `within_clip`
    pub within_clip: Option<String>,
}

impl NoisyFigures {
    /// To six places; the error is rounded up.
    #[must_use]
    pub fn of(published: &Published) -> Self {
        let figure = |figure: Option<tacita_privacy::Figure>| {
            figure.map(|figure| signed((figure.value * 1e6).round()))
        };
        Self {
            accuracy: figure(published.score),
            loss: figure(published.loss),
            error: published.score.map(|figure| signed((figure.error * 1e6).ceil())),
            within_clip: published.share().map(|share| share.to_string()),
        }
    }
}

/// Millionths as a ledger decimal.
fn signed(micros: f64) -> String {
    // Saturates, and takes what is no number for zero.
    let micros = micros as i64;
    let size = micros.unsigned_abs();
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000)
}

/// Lower-case hex, the form of digests in the ledger.
#[must_use]
pub fn hex_digest(bytes: &[u8]) -> String {
    hex(bytes)
}

/// The uploads root that a charge names; `None` if it is no digest.
#[must_use]
pub fn uploads_root(charge: &entry::Charge) -> Option<Hash> {
    let mut root = [0; 32];
    let text = charge.uploads_root.as_bytes();
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in root.iter_mut().zip(text.chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    (hex(&root) == charge.uploads_root).then_some(root)
}

/// The law of a reserve entry's noise.
#[must_use]
pub fn law_of(mechanism: entry::Mechanism) -> Mechanism {
    match mechanism {
        entry::Mechanism::None => Mechanism::None,
        entry::Mechanism::Skellam => Mechanism::Skellam,
        entry::Mechanism::DiscreteGaussian => Mechanism::DiscreteGaussian,
    }
}

/// The noise of a reserve entry, also if that is none; `None` if it is no noise of such a round.
#[must_use]
pub fn noise_of(manifest: &entry::Manifest) -> Option<NoiseShare> {
    let narrow = |value: u64| u32::try_from(value).ok();
    let counts = (
        narrow(manifest.cohort)?,
        narrow(manifest.minimum_survivors)?,
        narrow(manifest.colluders)?,
    );
    let dropouts = match &manifest.noise_levels {
        None => Vec::new(),
        Some(levels) => parse_dropouts(levels)?,
    };
    let variance_q16 = manifest.share_variance_q16.parse().ok()?;
    NoiseShare::of_round(law_of(manifest.mechanism), variance_q16, counts, &dropouts).ok()
}

/// What a round of this reserve entry releases in its unit of privacy, if `honest_shares` are unknown to the adversary and none of
/// their noise is surplus; `None` without noise, or if it states nothing that can be accounted for.
#[must_use]
pub fn release_of(manifest: &entry::Manifest, honest_shares: u32) -> Option<Release> {
    let narrow = |value: u64| u32::try_from(value).ok();
    let sampling: Option<Decimal> = match (manifest.unit, &manifest.sampling) {
        (Unit::Client, None) => None,
        (Unit::Record, Some(sampling)) => Some(sampling.parse().ok()?),
        (Unit::Client, Some(_)) | (Unit::Record, None) => return None,
    };
    let vector = (narrow(manifest.grid)?, narrow(manifest.padded)?);
    let noise = noise_of(manifest)?;
    let release = Release::of_integers(vector, &noise, honest_shares, narrow(manifest.cohort)?)?;
    Some(release.of_records(sampling))
}
