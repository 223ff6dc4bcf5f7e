//! Step 1: the manifest, what the server signs before anybody trains (spec 02, TAC-001 to TAC-014).

use ed25519_dalek::{SigningKey, VerifyingKey};
use tacita_algebra::{RingBits, TaggedHash};
use tacita_privacy::{Contribution, Decimal, Encoding, Mechanism, NoiseError, NoiseLevels, NoiseShare};
use tls_codec::{
    Serialize as _, TlsByteVecU8, TlsByteVecU16, TlsDeserialize, TlsSerialize, TlsSize, TlsVecU8,
};

use crate::graph::RoundParameters;
use crate::kem::KeyAgreement;
use crate::limits;
use crate::refusal::{Misuse, Refusal};
use crate::{Hash, labels, signature};

mod beside;
mod checked;
mod unit;

pub use beside::{ManifestClip, ManifestMetrics};
pub use checked::CheckedManifest;

/// Time that each phase may take, in milliseconds from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Deadlines {
    /// Advertise.
    pub advertise_ms: u32,
    /// Share.
    pub share_ms: u32,
    /// Upload, which includes what is left of local training.
    pub upload_ms: u32,
    /// Agree.
    pub agree_ms: u32,
    /// Reveal.
    pub reveal_ms: u32,
}

/// A level of drop-outs as the manifest states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct ManifestLevel {
    /// Drop-outs up to which this layer of noise is enough.
    pub dropouts: u16,
    /// Variance of the layer, in units of 2^-16 grid steps squared.
    pub variance_q16: u64,
}

/// The manifest as it travels and is signed: integers and decimal strings only.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Manifest {
    /// Protocol version.
    pub version: u16,
    /// Task name, `[a-z0-9-]`, 1 to 64 bytes.
    pub task: TlsByteVecU8,
    /// Round number, from 1.
    pub round: u32,
    /// Id of this attempt, fresh and random; every retry has a new one.
    pub round_id: [u8; 32],
    /// Cohort n.
    pub cohort: u16,
    /// Colluders c.
    pub colluders: u16,
    /// Minimum survivors m.
    pub minimum_survivors: u16,
    /// Neighbours k (n - 1 on the complete graph).
    pub neighbours: u16,
    /// Threshold t.
    pub threshold: u16,
    /// Quorum Q.
    pub quorum: u16,
    /// How pairs agree on secrets: 0 X25519, 1 X25519 and ML-KEM-768.
    pub key_agreement: u8,
    /// Ring width b.
    pub bits: u8,
    /// Values in the encoded vector before padding, extra coordinates included.
    pub dimension: u32,
    /// Values after padding.
    pub padded: u32,
    /// Values that are rotated together, a power of two; `padded` is a multiple of it.
    pub block: u32,
    /// Coordinates per upload chunk.
    pub chunk: u32,
    /// Joint clip norm, decimal.
    pub clip: TlsByteVecU8,
    /// Grid steps per clip norm.
    pub grid: u32,
    /// 0 none, 1 Skellam, 2 discrete Gaussian.
    pub mechanism: u8,
    /// Variance guaranteed in the sum by m - c honest survivors, in units of 2^-16 grid steps squared.
    pub total_variance_q16: u64,
    /// Variance of one share, of a discrete Gaussian sigma^2: the total divided by m - c.
    pub share_variance_q16: u64,
    /// Levels of drop-outs up to which the noise is kept, rising to n - m; empty when the noise has no layers.
    pub noise_levels: TlsVecU8<ManifestLevel>,
    /// Planned rounds of the task.
    pub rounds: u32,
    /// Planned epsilon, decimal; empty when no privacy is promised.
    pub epsilon: TlsByteVecU8,
    /// Planned delta, decimal; empty when no privacy is promised.
    pub delta: TlsByteVecU8,
    /// Unit of privacy: 0 client (zero-out), 1 record (add-remove).
    pub unit: u8,
    /// Probability with which a client samples each of its records, decimal; empty in the client unit.
    pub sampling: TlsByteVecU8,
    /// Records of one client that headroom counts, 0 in the client unit.
    pub largest_records: u32,
    /// What the sum of the whole cohort is divided by, 0 in the client unit.
    pub expected_records: u32,
    /// 0 uniform, 1 example-weighted (a masked coordinate carries the weight).
    pub weighting: u8,
    /// Cap W on examples that count, 0 when uniform.
    pub weight_cap: u32,
    /// Scale a of the weight coordinate, decimal; empty when uniform.
    pub weight_scale: TlsByteVecU8,
    /// Norm to which the update alone is clipped, decimal; empty when nothing travels beside it.
    pub update_clip: TlsByteVecU8,
    /// Federated metrics: at most one element.
    pub metrics: TlsVecU8<ManifestMetrics>,
    /// Adaptive clipping: at most one element.
    pub adaptive_clip: TlsVecU8<ManifestClip>,
    /// SHA-256 of the global model's bytes.
    pub model_digest: Hash,
    /// How to train: canonical JSON that the learning room reads.
    pub training: TlsByteVecU16,
    /// Phase deadlines.
    pub deadlines: Deadlines,
    /// Ledger size before this manifest's own entry.
    pub ledger_size: u64,
    /// Ledger root at that size.
    pub ledger_root: Hash,
    /// Unix seconds when signed.
    pub issued_at: u64,
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn decimal(bytes: &[u8], field: &'static str) -> Result<Decimal, Refusal> {
    if bytes.len() > limits::MAX_DECIMAL {
        return Err(Refusal::ManifestField(field));
    }
    // One spelling for one number: the ledger repeats these texts.
    text(bytes)
        .and_then(|t| Decimal::from_canonical(t).ok())
        .ok_or(Refusal::ManifestField(field))
}

/// The number of a law in a manifest.
#[must_use]
pub fn mechanism_field(mechanism: Mechanism) -> u8 {
    match mechanism {
        Mechanism::None => 0,
        Mechanism::Skellam => 1,
        Mechanism::DiscreteGaussian => 2,
    }
}

impl ManifestLevel {
    /// The levels of a share; none if it is drawn in one piece.
    #[must_use]
    pub fn of(share: &NoiseShare) -> TlsVecU8<Self> {
        let levels = share.levels().map(NoiseLevels::levels).unwrap_or_default();
        let stated = levels.iter().map(|level| Self {
            dropouts: u16::try_from(level.dropouts).unwrap_or(u16::MAX),
            variance_q16: level.variance_q16,
        });
        stated.collect::<Vec<_>>().into()
    }
}

/// Whether this is a server's signature over the manifest of this digest.
#[must_use]
pub fn is_signed_by(digest: &Hash, key: &VerifyingKey, signed: &[u8; 64]) -> bool {
    signature::verify(key, labels::MANIFEST_SIGNATURE, digest, signed)
}

impl Manifest {
    /// H(label, TLS bytes).
    ///
    /// # Errors
    /// [`Misuse::Encoding`] if a field is too long for its prefix.
    pub fn digest(&self) -> Result<Hash, Misuse> {
        let bytes = self.tls_serialize_detached().map_err(|_| Misuse::Encoding)?;
        Ok(TaggedHash::new(labels::MANIFEST).bytes(&bytes).finish())
    }

    /// Server side: signature over the digest.
    ///
    /// # Errors
    /// As [`Manifest::digest`].
    pub fn sign(&self, key: &SigningKey) -> Result<[u8; 64], Misuse> {
        Ok(signature::sign(key, labels::MANIFEST_SIGNATURE, &self.digest()?))
    }

    /// TAC-002.
    pub(crate) fn verify(&self, key: &VerifyingKey, signed: &[u8; 64]) -> Result<(), Refusal> {
        let digest = self.digest().map_err(|_| Refusal::ManifestField("length"))?;
        if is_signed_by(&digest, key, signed) {
            Ok(())
        } else {
            Err(Refusal::ManifestSignature)
        }
    }

    /// Ranges, derived parameters, noise share and headroom (TAC-001, TAC-003 to TAC-006).
    ///
    /// # Errors
    /// The [`Refusal`] of the first rule broken.
    pub fn check(self) -> Result<CheckedManifest, Refusal> {
        let field = Refusal::ManifestField;
        if self.version != limits::VERSION {
            return Err(Refusal::Version(self.version));
        }
        let task = text(self.task.as_slice())
            .filter(|t| !t.is_empty() && t.len() <= limits::MAX_TASK)
            .filter(|t| {
                t.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            })
            .ok_or(field("task"))?
            .to_owned();
        if self.round == 0 {
            return Err(field("round"));
        }
        if !(limits::MIN_COHORT..=limits::MAX_COHORT).contains(&self.cohort) {
            return Err(field("cohort"));
        }
        // TAC-004: the client recomputes k, t and Q from n, c and m and refuses other values.
        let parameters = RoundParameters::derive(
            u32::from(self.cohort),
            u32::from(self.colluders),
            u32::from(self.minimum_survivors),
        )
        .map_err(|_| Refusal::DerivedParameters)?;
        if (
            u32::from(self.neighbours),
            u32::from(self.threshold),
            u32::from(self.quorum),
        ) != (parameters.neighbours, parameters.threshold, parameters.quorum)
        {
            return Err(Refusal::DerivedParameters);
        }
        // A sample of the signers is proof enough only if a false list is short of that many.
        let (voices, survivors) = (
            u32::from(self.cohort) + u32::from(self.colluders),
            u32::from(self.minimum_survivors),
        );
        if is_sampled(self.cohort) && 100 * survivors < limits::SAMPLED_PERCENT * voices {
            return Err(Refusal::DerivedParameters);
        }
        if self.neighbours > limits::MAX_NEIGHBOURS {
            return Err(field("neighbours"));
        }
        let agreement = KeyAgreement::from_field(self.key_agreement).ok_or(field("key agreement"))?;
        if self.dimension == 0 || self.dimension > limits::MAX_DIMENSION {
            return Err(field("dimension"));
        }
        let bits = RingBits::new(self.bits).map_err(|_| field("bits"))?;
        if self.chunk == 0
            || !self.chunk.is_multiple_of(limits::CHUNK_ALIGNMENT)
            || self.chunk > limits::MAX_CHUNK
            || bits.packed_len(self.chunk as usize) > limits::MAX_CHUNK_BYTES
        {
            return Err(field("chunk"));
        }
        let clip = decimal(self.clip.as_slice(), "clip")?;
        let digest = self.digest().map_err(|_| field("length"))?;
        let rotation_seed = TaggedHash::new(labels::ROTATION).bytes(&digest).finish();
        let encoding = Encoding::new(self.dimension, clip, self.grid, bits, rotation_seed)
            .map_err(|_| field("encoding"))?
            .with_block(self.block)
            .map_err(|_| field("block"))?;
        if encoding.padded() != self.padded {
            return Err(field("padded"));
        }
        // TAC-005: V / (m - c), exactly.
        let honest = u64::from(self.minimum_survivors.saturating_sub(self.colluders));
        if honest == 0 || self.share_variance_q16.checked_mul(honest) != Some(self.total_variance_q16) {
            return Err(Refusal::NoiseShare);
        }
        let noise = match self.mechanism {
            0 if self.share_variance_q16 == 0 => NoiseShare::none(),
            1 => NoiseShare::skellam(self.share_variance_q16).map_err(|_| Refusal::NoiseShare)?,
            2 => NoiseShare::discrete_gaussian(self.share_variance_q16).map_err(|error| match error {
                NoiseError::GaussianTooNarrow(narrow) => Refusal::NarrowShare(narrow),
                _ => Refusal::NoiseShare,
            })?,
            _ => return Err(field("mechanism")),
        };
        let noise = self.check_levels(noise)?;
        let records = self.check_unit()?;
        // TAC-006.
        let contribution = Contribution::prove(encoding, noise, u32::from(self.cohort), records)
            .map_err(|_| Refusal::Headroom)?;
        if self.rounds == 0 {
            return Err(field("rounds"));
        }
        for (bytes, name) in [(&self.epsilon, "epsilon"), (&self.delta, "delta")] {
            match (noise.mechanism(), bytes.as_slice().is_empty()) {
                (Mechanism::None, true) => {}
                (Mechanism::None, false) | (_, true) => return Err(field(name)),
                (_, false) => drop(decimal(bytes.as_slice(), name)?),
            }
        }
        let beside = self.check_beside(clip)?;
        if self.training.as_slice().len() > limits::MAX_TRAINING || text(self.training.as_slice()).is_none() {
            return Err(field("training"));
        }
        let d = &self.deadlines;
        if [d.advertise_ms, d.share_ms, d.upload_ms, d.agree_ms, d.reveal_ms]
            .iter()
            .any(|ms| *ms == 0 || *ms > limits::MAX_DEADLINE_MS)
        {
            return Err(field("deadlines"));
        }
        Ok(CheckedManifest {
            manifest: self,
            digest,
            parameters,
            agreement,
            contribution,
            terms: beside.terms,
            clip_rule: beside.rule,
            task,
        })
    }

    /// TAC-063: the levels are those of such a round, and every layer has the variance that follows from them.
    fn check_levels(&self, noise: NoiseShare) -> Result<NoiseShare, Refusal> {
        let stated = self.noise_levels.as_slice();
        if stated.is_empty() {
            return Ok(noise);
        }
        if stated.len() > NoiseLevels::MAX {
            return Err(Refusal::NoiseLevels);
        }
        let dropouts: Vec<u32> = stated.iter().map(|level| u32::from(level.dropouts)).collect();
        let counts = (
            u32::from(self.cohort),
            u32::from(self.minimum_survivors),
            u32::from(self.colluders),
        );
        let levels = NoiseLevels::derive(counts, self.share_variance_q16, &dropouts)
            .map_err(|_| Refusal::NoiseLevels)?;
        let stated = stated.iter().map(|level| level.variance_q16);
        if !levels.levels().iter().map(|level| level.variance_q16).eq(stated) {
            return Err(Refusal::NoiseLevels);
        }
        noise.with_levels(levels).map_err(|_| Refusal::NoiseLevels)
    }
}

/// Whether the signers of a cohort of this size are sampled.
pub(crate) fn is_sampled(cohort: u16) -> bool {
    cohort > limits::UNSAMPLED_COHORT
}
