//! The participant's own floor: what it agrees to, whatever the server asks (TAC-007). Pitfall P5.

use tacita_privacy::{Decimal, Mechanism, PrivacyUnit};

use crate::kem::KeyAgreement;
use crate::manifest::CheckedManifest;
use crate::refusal::ConsentRefusal;

/// What a participant consents to.
#[derive(Debug, Clone)]
pub struct ConsentPolicy {
    /// Tasks this participant takes part in.
    pub tasks: Vec<String>,
    /// Units of privacy that this participant agrees to; a promise about single records says less than one about the whole client.
    pub units: Vec<PrivacyUnit>,
    /// Smallest minimum number of survivors m.
    pub smallest_cohort: u16,
    /// Smallest number of honest survivors m - c.
    pub smallest_honest: u16,
    /// Least number of colluders c that the round must withstand.
    pub least_colluders: u16,
    /// Least c as thousandths of n, rounded up.
    pub least_colluders_per_mille: u16,
    /// Least guaranteed noise in the sum, as a multiple of the clip norm.
    pub noise_floor: Option<Decimal>,
    /// Whether rounds without any noise are allowed.
    pub allow_unprotected: bool,
    /// Largest clip norm.
    pub largest_clip: Decimal,
    /// Whether masks must withstand whoever records them and later computes discrete logarithms.
    pub require_post_quantum: bool,
}

impl ConsentPolicy {
    /// Whether a checked manifest is within the policy.
    ///
    /// # Errors
    /// The first [`ConsentRefusal`].
    pub fn check(&self, manifest: &CheckedManifest) -> Result<(), ConsentRefusal> {
        let fields = manifest.fields();
        if !self.tasks.iter().any(|t| t == manifest.task()) {
            return Err(ConsentRefusal::Task(manifest.task().to_owned()));
        }
        if !self.units.contains(&manifest.unit()) {
            return Err(ConsentRefusal::Unit(manifest.unit()));
        }
        let m = fields.minimum_survivors;
        if m < self.smallest_cohort {
            return Err(ConsentRefusal::SmallestCohort(m, self.smallest_cohort));
        }
        let honest = m.saturating_sub(fields.colluders);
        if honest < self.smallest_honest {
            return Err(ConsentRefusal::HonestSurvivors(honest, self.smallest_honest));
        }
        let share = (u32::from(fields.cohort) * u32::from(self.least_colluders_per_mille)).div_ceil(1000);
        let least = self.least_colluders.max(u16::try_from(share).unwrap_or(u16::MAX));
        if fields.colluders < least {
            return Err(ConsentRefusal::Colluders(fields.colluders, least));
        }
        if self.require_post_quantum && manifest.key_agreement() != KeyAgreement::Hybrid {
            return Err(ConsentRefusal::Classical);
        }
        if manifest.clip() > self.largest_clip {
            return Err(ConsentRefusal::Clip(
                manifest.clip().to_string(),
                self.largest_clip.to_string(),
            ));
        }
        if manifest.noise().mechanism() == Mechanism::None {
            return if self.allow_unprotected {
                Ok(())
            } else {
                Err(ConsentRefusal::Unprotected)
            };
        }
        if let Some(floor) = &self.noise_floor {
            // sqrt(V) >= floor x grid; both sides rounded against the server.
            let std = (fields.total_variance_q16 as f64 / 65_536.0).sqrt() * (1.0 - 1e-12);
            if std < floor.to_f64() * f64::from(fields.grid) {
                return Err(ConsentRefusal::Noise(floor.to_string()));
            }
        }
        Ok(())
    }
}
