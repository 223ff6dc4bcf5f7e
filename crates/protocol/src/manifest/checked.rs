//! A manifest that was checked, and what follows from it.

use tacita_algebra::RingBits;
use tacita_privacy::{
    Adversary, ClipRule, Contribution, Decimal, Encoding, Headroom, JointTerms, NoiseShare, PrivacyUnit,
    Release,
};

use super::{Manifest, is_sampled, text};
use crate::Hash;
use crate::graph::{GraphKind, RoundParameters};
use crate::kem::KeyAgreement;

/// A manifest whose ranges and derived values were checked (TAC-003 to TAC-006): the only form that states hold.
#[derive(Debug, Clone)]
pub struct CheckedManifest {
    pub(super) manifest: Manifest,
    pub(super) digest: Hash,
    pub(super) parameters: RoundParameters,
    pub(super) agreement: KeyAgreement,
    pub(super) contribution: Contribution,
    pub(super) terms: Option<JointTerms>,
    pub(super) clip_rule: Option<ClipRule>,
    pub(super) task: String,
}

impl CheckedManifest {
    /// The signed fields.
    #[must_use]
    pub fn fields(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest digest.
    #[must_use]
    pub fn digest(&self) -> &Hash {
        &self.digest
    }

    /// k, t, Q and the graph.
    #[must_use]
    pub fn parameters(&self) -> &RoundParameters {
        &self.parameters
    }

    /// How pairs agree on secrets.
    #[must_use]
    pub fn key_agreement(&self) -> KeyAgreement {
        self.agreement
    }

    /// Whether clients check a sample of the signers instead of a whole quorum.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        is_sampled(self.manifest.cohort)
    }

    /// How many must have signed before anybody reveals: Q, or m where the signers are sampled.
    #[must_use]
    pub fn signers_needed(&self) -> u16 {
        if self.is_sampled() {
            self.manifest.minimum_survivors
        } else {
            self.manifest.quorum
        }
    }

    /// The public encoding of vectors.
    #[must_use]
    pub fn encoding(&self) -> &Encoding {
        self.contribution.encoding()
    }

    /// What a member puts into the sum, and the proof that the sum over the cohort cannot wrap.
    #[must_use]
    pub fn contribution(&self) -> &Contribution {
        &self.contribution
    }

    /// The proof for vectors of whole clients; `None` in the record unit.
    #[must_use]
    pub fn headroom(&self) -> Option<&Headroom> {
        self.contribution.client()
    }

    /// Whose data the round's epsilon is about.
    #[must_use]
    pub fn unit(&self) -> PrivacyUnit {
        self.contribution.unit()
    }

    /// What travels beside the update, if anything.
    #[must_use]
    pub fn terms(&self) -> Option<&JointTerms> {
        self.terms.as_ref()
    }

    /// Whether survivors report loss and accuracy.
    #[must_use]
    pub fn has_metrics(&self) -> bool {
        self.terms.is_some_and(|terms| terms.metrics().is_some())
    }

    /// How the update clip follows from round to round, if the task clips adaptively.
    #[must_use]
    pub fn clip_rule(&self) -> Option<&ClipRule> {
        self.clip_rule.as_ref()
    }

    /// The charge of this round at |U2| = m against the server with c colluders: m - c honest shares. `None` without
    /// noise.
    #[must_use]
    pub fn release(&self) -> Option<Release> {
        let colluders = u32::from(self.manifest.colluders);
        self.release_for(Adversary::Server { colluders })
    }

    /// The same in the view of any adversary; `None` without noise, or if it knows every share.
    #[must_use]
    pub fn release_for(&self, adversary: Adversary) -> Option<Release> {
        let f = &self.manifest;
        let honest = adversary.honest_shares(u32::from(f.minimum_survivors))?;
        Release::of_round(self.encoding(), &self.noise(), honest, u32::from(f.cohort))
            .map(|release| release.of_records(self.contribution.sampling()))
    }

    /// One client's noise share.
    #[must_use]
    pub fn noise(&self) -> NoiseShare {
        self.contribution.noise_share()
    }

    /// Task name.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Clip norm.
    #[must_use]
    pub fn clip(&self) -> Decimal {
        self.encoding().clip()
    }

    /// The training text.
    #[must_use]
    pub fn training(&self) -> &str {
        text(self.manifest.training.as_slice()).unwrap_or_default()
    }

    /// Ring width.
    #[must_use]
    pub fn bits(&self) -> RingBits {
        self.encoding().bits()
    }

    /// Coordinates in the ring vector.
    #[must_use]
    pub fn padded(&self) -> usize {
        self.manifest.padded as usize
    }

    /// Whether the complete graph is used.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self.parameters.graph, GraphKind::Complete)
    }

    /// Threshold t.
    #[must_use]
    pub fn threshold(&self) -> u16 {
        self.manifest.threshold
    }

    /// Smallest roster: max(m, k + 1 on the ring).
    #[must_use]
    pub fn smallest_roster(&self) -> u16 {
        if self.is_complete() {
            self.manifest.minimum_survivors
        } else {
            self.manifest
                .minimum_survivors
                .max(self.manifest.neighbours.saturating_add(1))
        }
    }
}
