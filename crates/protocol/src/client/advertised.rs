//! Advertised: fresh keys are out, the roster is awaited.

use rand_core::CryptoRng;
use tacita_privacy::Release;
use zeroize::Zeroizing;

use super::shared::PairKeys;
use super::{Context, Effect, Joined, Shared, Step};
use crate::Hash;
use crate::kem::{self, KemPair, KemSecret, KeyAgreement};
use crate::keys::{AgreementKey, BoxEnd, Key, MaskSecret, PairSecret, SelfSecret, box_key};
use crate::messages::{Advertise, ClientMessage, RosterMessage};
use crate::refusal::{Misuse, Refusal, RoundError};
use crate::roster::{Neighbour, VerifiedRoster};
use crate::sharing::{BoxFor, Place, SplitSecrets};

/// The client advertised.
pub struct Advertised {
    pub(super) context: Context,
    pub(super) release: Option<Release>,
    pub(super) advertise: Advertise,
    pub(super) mask_secret: MaskSecret,
    pub(super) mask_key: AgreementKey,
    pub(super) share_key: AgreementKey,
    pub(super) mask_kem: KemPair,
    pub(super) share_kem: KemPair,
}

impl Advertised {
    /// Steps 3 and 4: checks the roster (TAC-020 to TAC-027), deals the shares of both secrets.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn handle_roster(self, message: RosterMessage, now: u64, rng: &mut impl CryptoRng) -> Step<Shared> {
        let participant = self.context.participant.clone();
        let manifest = self.context.manifest.clone();
        let roster = VerifiedRoster::verify(
            message,
            &manifest,
            &participant.certificate,
            &self.advertise,
            &participant.certificates(now),
        )?;
        let own_fingerprint = &participant.certificate.fingerprint;
        let digest = manifest.digest();
        let agreement = manifest.key_agreement();
        let self_secret = SelfSecret::random(rng);
        let own_place = Place {
            manifest: digest,
            roster: &roster.root,
            dealer: roster.own,
            holder: roster.own,
        };
        let holders = roster.holders(roster.own);
        let split = SplitSecrets::of(
            &own_place,
            &holders,
            manifest.threshold(),
            (&self_secret, &self.mask_secret),
            rng,
        )
        .map_err(RoundError::from)?;
        let mut pairs = Vec::with_capacity(roster.neighbours.len());
        let mut boxes = Vec::with_capacity(roster.neighbours.len());
        for neighbour in &roster.neighbours {
            let share = self
                .share_key
                .agree(&neighbour.keys.share_key)
                .ok_or(Refusal::WeakKey(neighbour.index))?;
            let mask = self
                .mask_key
                .agree(&neighbour.keys.mask_key)
                .ok_or(Refusal::WeakKey(neighbour.index))?;
            let own_end = BoxEnd {
                fingerprint: own_fingerprint,
                share_key: self.share_key.public(),
            };
            let (sealing, share_ciphertext) =
                sealing_key(&share, agreement, own_end, neighbour, (digest, &roster.root), rng)
                    .map_err(RoundError::from)?;
            let theirs = &neighbour.certificate.fingerprint;
            // The smaller fingerprint encapsulates; the other end learns the secret from the sharers message.
            let encapsulated = if agreement == KeyAgreement::Hybrid && own_fingerprint < theirs {
                let key = neighbour.keys.mask_kem_key.as_slice();
                Some(
                    self.mask_secret
                        .encapsulate(digest, &roster.root, theirs, key)
                        .map_err(RoundError::from)?,
                )
            } else {
                None
            };
            boxes.push(BoxFor {
                holder: neighbour.index,
                sealing,
                mask_ciphertext: encapsulated.as_ref().map(|(c, _)| c.clone()).unwrap_or_default(),
                share_ciphertext,
            });
            pairs.push(PairKeys {
                index: neighbour.index,
                share,
                mask,
                encapsulated,
            });
        }
        let dealing = split
            .deal(&own_place, &holders, &self_secret, &participant.key, boxes)
            .map_err(RoundError::from)?;
        let own_root = dealing.message.share_root.clone();
        let effects = vec![Effect::Send(ClientMessage::Shares(dealing.message))];
        let next = Shared {
            joined: Joined {
                context: self.context,
                roster,
            },
            release: self.release,
            own_keys: self.advertise,
            mask_kem: self.mask_kem,
            share_kem: self.share_kem,
            own_root,
            own_pair: dealing.own,
            self_secret,
            pairs,
        };
        Ok((next, effects))
        // The mask secret, the X25519 keys and all shares dealt are dropped (and wiped) here; the ML-KEM keys are kept until
        // the other ends' ciphertexts come with the sharers message.
    }
}

/// Key of the box for a neighbour, and the ciphertext that lets it compute the key too.
fn sealing_key(
    share: &Key,
    agreement: KeyAgreement,
    own: BoxEnd<'_>,
    neighbour: &Neighbour,
    (manifest, roster): (&Hash, &Hash),
    rng: &mut impl CryptoRng,
) -> Result<(Key, Vec<u8>), Misuse> {
    let key = neighbour.keys.share_kem_key.as_slice();
    let (ciphertext, secret) = match agreement {
        KeyAgreement::Classical => (Vec::new(), KemSecret::none()),
        KeyAgreement::Hybrid => {
            let mut randomness = Zeroizing::new([0u8; 32]);
            rng.fill_bytes(randomness.as_mut());
            kem::encapsulate(key, &randomness)?
        }
    };
    let secret = PairSecret {
        shared: share,
        kem: &secret,
        ciphertext: &ciphertext,
    };
    let sealing = box_key(&secret, manifest, roster, (own, neighbour.box_end()), key);
    Ok((sealing, ciphertext))
}
