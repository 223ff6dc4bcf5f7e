//! Advertised: fresh keys are out, the roster is awaited.

use rand_core::CryptoRng;
use tacita_privacy::Release;

use super::shared::PairKeys;
use super::{Context, Effect, Joined, Shared, Step};
use crate::keys::{AgreementKey, MaskSecret, SelfSecret, box_key};
use crate::messages::{Advertise, ClientMessage, RosterMessage};
use crate::refusal::{Refusal, RoundError};
use crate::roster::VerifiedRoster;
use crate::sharing::{self, BoxKeys, Place};

/// The client advertised.
pub struct Advertised {
    pub(super) context: Context,
    pub(super) release: Option<Release>,
    pub(super) advertise: Advertise,
    pub(super) mask_secret: MaskSecret,
    pub(super) mask_key: AgreementKey,
    pub(super) share_key: AgreementKey,
}

impl Advertised {
    /// Steps 3 and 4: checks the roster (TAC-020 to TAC-026), deals the shares of both secrets.
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
        let mut pairs = Vec::with_capacity(roster.neighbours.len());
        for neighbour in &roster.neighbours {
            let theirs = &neighbour.certificate.fingerprint;
            let shared = self
                .share_key
                .agree(&neighbour.share_key)
                .ok_or(Refusal::WeakKey(neighbour.index))?;
            let mask = self
                .mask_key
                .agree(&neighbour.mask_key)
                .ok_or(Refusal::WeakKey(neighbour.index))?;
            let boxes = BoxKeys {
                seal: box_key(&shared, digest, &roster.root, own_fingerprint, theirs),
                open: box_key(&shared, digest, &roster.root, theirs, own_fingerprint),
            };
            pairs.push(PairKeys {
                index: neighbour.index,
                boxes,
                mask,
            });
        }
        let self_secret = SelfSecret::random(rng);
        let own_place = Place {
            manifest: digest,
            roster: &roster.root,
            dealer: roster.own,
            holder: roster.own,
        };
        let dealing = sharing::deal(
            &own_place,
            &roster.holders(roster.own),
            manifest.threshold(),
            (&self_secret, &self.mask_secret),
            &participant.key,
            |holder| {
                pairs
                    .binary_search_by_key(&holder, |p| p.index)
                    .ok()
                    .and_then(|i| pairs.get(i))
                    .map(|p| &p.boxes)
            },
            rng,
        )
        .map_err(RoundError::from)?;
        let own_root = dealing.message.share_root.clone();
        let effects = vec![Effect::Send(ClientMessage::Shares(dealing.message))];
        let next = Shared {
            joined: Joined {
                context: self.context,
                roster,
            },
            release: self.release,
            own_mask_key: *self.mask_key.public(),
            own_root,
            own_pair: dealing.own,
            self_secret,
            pairs,
        };
        Ok((next, effects))
        // The mask secret, the X25519 keys and all shares dealt are dropped (and wiped) here.
    }
}
