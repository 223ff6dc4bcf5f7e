//! Invited: the manifest is checked, nothing was sent yet.

use std::sync::Arc;

use rand_core::CryptoRng;
use tacita_privacy::{BudgetTicket, Release};

use super::{Advertised, ClientRecord, Context, Effect, Participant, RecordChange, Step};
use crate::clip_sequence;
use crate::head;
use crate::kem::{KemPair, KeyAgreement};
use crate::keys::{AgreementKey, MaskSecret};
use crate::manifest::CheckedManifest;
use crate::messages::{Advertise, ClientMessage, Invitation};
use crate::refusal::{Refusal, RoundError};
use crate::roster::PublicKeys;

/// The client consented to the manifest and reserved its charge.
pub struct Invited {
    context: Context,
    release: Option<Release>,
}

impl Invited {
    /// Step 1 (TAC-001 to TAC-013). Returns the ticket with which the privacy room adds noise.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn accept(
        invitation: Invitation,
        participant: Arc<Participant>,
        record: &mut impl ClientRecord,
        now: u64,
    ) -> Result<(Self, BudgetTicket, Vec<Effect>), super::Refused> {
        invitation
            .manifest
            .verify(&participant.server.key, &invitation.signature)?;
        let manifest = invitation.manifest.check()?;
        participant.policy.check(&manifest).map_err(Refusal::from)?;
        if record.is_spent(&manifest.fields().round_id) {
            return Err(Refusal::RoundReplayed.into());
        }
        let ours = record.head();
        let (head, _) = head::extend(
            ours.as_ref(),
            invitation.checkpoint.as_slice(),
            &invitation.consistency,
            &participant.log_key,
        )?;
        if (head.size, &head.root) != (manifest.fields().ledger_size, &manifest.fields().ledger_root) {
            return Err(Refusal::CheckpointSignature.into());
        }
        clip_sequence::check(&manifest, invitation.previous.as_slice(), &head)?;
        let release = manifest.release();
        let ticket = record
            .reserve(manifest.task(), release.as_ref(), now)
            .map_err(Refusal::Budget)?;
        let effects = vec![Effect::Persist(RecordChange::Head(head.clone()))];
        let context = Context {
            participant,
            manifest: Arc::new(manifest),
            head,
        };
        Ok((Self { context, release }, ticket, effects))
    }

    /// The manifest consented to.
    #[must_use]
    pub fn manifest(&self) -> &Arc<CheckedManifest> {
        &self.context.manifest
    }

    /// Step 2: fresh keys, signed.
    ///
    /// # Errors
    /// [`RoundError::Misuse`] if the cryptographic library fails.
    pub fn advertise(self, rng: &mut impl CryptoRng) -> Step<Advertised> {
        let digest = *self.context.manifest.digest();
        let mask_secret = MaskSecret::random(rng);
        let mask_key = mask_secret.key(&digest).map_err(RoundError::from)?;
        let share_key = AgreementKey::random(rng).map_err(RoundError::from)?;
        let agreement = self.context.manifest.key_agreement();
        let mask_kem = mask_secret.kem_key(&digest, agreement);
        let share_kem = match agreement {
            KeyAgreement::Classical => KemPair::none(),
            KeyAgreement::Hybrid => KemPair::random(rng),
        };
        let mut nonce = [0u8; 32];
        rng.fill_bytes(&mut nonce);
        let participant = &self.context.participant;
        let advertise = Advertise::sign(
            &participant.key,
            &digest,
            &participant.certificate.fingerprint,
            PublicKeys {
                mask: (mask_key.public(), mask_kem.public()),
                share: (share_key.public(), share_kem.public()),
            },
            nonce,
        );
        let effects = vec![Effect::Send(ClientMessage::Advertise(advertise.clone()))];
        let next = Advertised {
            context: self.context,
            release: self.release,
            advertise,
            mask_secret,
            mask_key,
            share_key,
            mask_kem,
            share_kem,
        };
        Ok((next, effects))
    }
}
