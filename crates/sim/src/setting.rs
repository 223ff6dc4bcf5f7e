//! The public parameters of a world's rounds, and the manifest they give.

use sha2::{Digest as _, Sha256};
use tacita_privacy::{Encoding, Headroom, Mechanism, NoiseShare};
use tacita_protocol::graph::RoundParameters;
use tacita_protocol::kem::KeyAgreement;
use tacita_protocol::limits::VERSION;
use tacita_protocol::manifest::{Deadlines, Manifest, ManifestLevel, mechanism_field};

use crate::cast::TASK;
use crate::error::SimError;

/// How much noise each client adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// None: the sum is exact and can be compared with a plain addition.
    None,
    /// Skellam shares of this variance, in 2^-16 squared grid steps.
    Skellam(u64),
    /// Discrete Gaussian shares of this sigma^2, in 2^-16 squared grid steps.
    DiscreteGaussian(u64),
}

impl Noise {
    /// Its law, and the variance of a share in units of 2^-16.
    #[must_use]
    pub fn share(self) -> (Mechanism, u64) {
        match self {
            Self::None => (Mechanism::None, 0),
            Self::Skellam(variance) => (Mechanism::Skellam, variance),
            Self::DiscreteGaussian(variance) => (Mechanism::DiscreteGaussian, variance),
        }
    }
}

/// A task's public parameters.
#[derive(Debug, Clone)]
pub struct Setting {
    /// n.
    pub cohort: u16,
    /// c.
    pub colluders: u16,
    /// m.
    pub minimum_survivors: u16,
    /// Values in an update.
    pub dimension: u32,
    /// Values that are rotated together; `None`: as a plan chooses.
    pub block: Option<u32>,
    /// How pairs agree on secrets.
    pub agreement: KeyAgreement,
    /// Grid steps per clip norm; the clip norm is 1.
    pub grid: u32,
    /// Noise.
    pub noise: Noise,
    /// Levels of drop-outs at which noise is taken off again; none if empty.
    pub levels: Vec<u32>,
    /// Coordinates per upload chunk, a multiple of 64.
    pub chunk: u32,
    /// The global model's bytes.
    pub model: Vec<u8>,
}

impl Setting {
    /// A cohort of n with c colluders and at least m survivors; 16 values on a grid of 1024, no noise.
    pub fn new(cohort: u16, colluders: u16, minimum_survivors: u16) -> Self {
        Self {
            cohort,
            colluders,
            minimum_survivors,
            dimension: 16,
            block: None,
            agreement: KeyAgreement::Hybrid,
            grid: 1024,
            noise: Noise::None,
            levels: Vec::new(),
            chunk: 64,
            model: b"the global model".to_vec(),
        }
    }

    /// k, t and Q of n, c and m.
    ///
    /// # Errors
    /// [`SimError::Setting`] if no graph meets the bounds.
    pub fn parameters(&self) -> Result<RoundParameters, SimError> {
        RoundParameters::derive(
            u32::from(self.cohort),
            u32::from(self.colluders),
            u32::from(self.minimum_survivors),
        )
        .map_err(|e| SimError::Setting(e.to_string()))
    }

    /// The manifest of one attempt at round `round`, over the ledger head of `ledger` = (size, root), issued at `now`
    /// (unix seconds).
    ///
    /// # Errors
    /// [`SimError::Setting`] if the parameters do not fit together.
    pub fn manifest(
        &self,
        round: u32,
        round_id: [u8; 32],
        ledger: (u64, [u8; 32]),
        now: u64,
    ) -> Result<Manifest, SimError> {
        let wrong = |e: &dyn std::fmt::Display| SimError::Setting(e.to_string());
        let parameters = self.parameters()?;
        let (law, variance) = self.noise.share();
        let (n, m, c) = (self.cohort, self.minimum_survivors, self.colluders);
        let share = NoiseShare::of_round(law, variance, (n.into(), m.into(), c.into()), &self.levels)
            .map_err(|e| wrong(&e))?;
        let block = self
            .block
            .unwrap_or_else(|| Encoding::usual_block(self.dimension));
        let padded = self.dimension.next_multiple_of(block.max(1));
        let bits = Headroom::needed_bits(self.grid, padded, &share, u32::from(self.cohort))
            .map_err(|e| wrong(&e))?;
        let honest = u64::from(self.minimum_survivors.saturating_sub(self.colluders));
        let (epsilon, delta) = match law {
            Mechanism::None => (Vec::new(), Vec::new()),
            _ => (b"8".to_vec(), b"0.00001".to_vec()),
        };
        let narrow = |value: u32| u16::try_from(value).map_err(|e| wrong(&e));
        Ok(Manifest {
            version: VERSION,
            task: TASK.as_bytes().into(),
            round,
            round_id,
            cohort: self.cohort,
            colluders: self.colluders,
            minimum_survivors: self.minimum_survivors,
            neighbours: narrow(parameters.neighbours)?,
            threshold: narrow(parameters.threshold)?,
            quorum: narrow(parameters.quorum)?,
            key_agreement: self.agreement.field(),
            bits: bits.get(),
            dimension: self.dimension,
            padded,
            block,
            chunk: self.chunk,
            clip: b"1".as_slice().into(),
            grid: self.grid,
            mechanism: mechanism_field(law),
            total_variance_q16: share.variance_q16().saturating_mul(honest),
            share_variance_q16: share.variance_q16(),
            noise_levels: ManifestLevel::of(&share),
            rounds: 1000,
            epsilon: epsilon.into(),
            delta: delta.into(),
            unit: 0,
            sampling: Vec::new().into(),
            largest_records: 0,
            expected_records: 0,
            weighting: 0,
            weight_cap: 0,
            weight_scale: Vec::new().into(),
            update_clip: Vec::new().into(),
            metrics: Vec::new().into(),
            adaptive_clip: Vec::new().into(),
            model_digest: Sha256::digest(&self.model).into(),
            training: b"{}".as_slice().into(),
            deadlines: Deadlines {
                advertise_ms: 1000,
                share_ms: 1000,
                upload_ms: 1000,
                agree_ms: 1000,
                reveal_ms: 1000,
            },
            ledger_size: ledger.0,
            ledger_root: ledger.1,
            issued_at: now,
        })
    }

    /// The update of member `number`: a unit vector, of norm equal to the clip norm. With no more members than values,
    /// counting a member twice shows as a 2 in its coordinate; beyond that members share coordinates.
    pub fn unit_update(&self, number: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.dimension as usize];
        let at = number.checked_rem(values.len()).unwrap_or(0);
        if let Some(value) = values.get_mut(at) {
            *value = 1.0;
        }
        values
    }
}
