//! Shared: boxes are out; U1 and the noised update are awaited.

use tacita_privacy::{NoisedUpdate, Release};

use super::{Effect, Joined, Masked, RecordChange, SignedSharers, Step};
use crate::kem::{KemPair, KemSecret};
use crate::keys::{Binding, BoxEnd, End, Key, PairSecret, SelfSecret, box_key};
use crate::mask::{MaskedUpdate, RoundMasks, Sign};
use crate::messages::{Advertise, ClientMessage, ShareRoot, SharersMessage, UploadEnd};
use crate::refusal::Refusal;
use crate::sharers::VerifiedSharers;
use crate::sharing::{self, Place, SharePair};
use crate::upload::{SignedUpload, packed_hash, upload_digest};
use crate::{Hash, labels, signature};

/// Secrets shared with one neighbour.
pub(super) struct PairKeys {
    pub(super) index: u16,
    /// DH of the share keys.
    pub(super) share: Key,
    /// DH of the mask keys.
    pub(super) mask: Key,
    /// Ciphertext and secret of the pair mask, if this end has the smaller fingerprint.
    pub(super) encapsulated: Option<(Vec<u8>, KemSecret)>,
}

/// The client dealt its shares.
pub struct Shared {
    pub(super) joined: Joined,
    pub(super) release: Option<Release>,
    pub(super) own_keys: Advertise,
    pub(super) mask_kem: KemPair,
    pub(super) share_kem: KemPair,
    pub(super) own_root: ShareRoot,
    pub(super) own_pair: Option<SharePair>,
    pub(super) self_secret: SelfSecret,
    pub(super) pairs: Vec<PairKeys>,
}

impl Shared {
    /// Steps 5 and 6: checks U1 (TAC-030 to TAC-033, TAC-037), opens boxes, masks with every neighbour in U1, box opened or
    /// not, and charges the participant's own record before the first masked byte leaves. `model_digest` is the
    /// digest of the model bytes that the update was trained from.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn handle_sharers(
        self,
        message: &SharersMessage,
        mut update: NoisedUpdate,
        model_digest: &Hash,
    ) -> Step<Masked> {
        let Joined { context, roster } = self.joined;
        let manifest = context.manifest.clone();
        // TAC-012: trained from the model that the manifest names, or not at all (pitfall P17).
        if *model_digest != manifest.fields().model_digest {
            return Err(Refusal::ModelDigest.into());
        }
        let own_fingerprint = &context.participant.certificate.fingerprint;
        let sharers = VerifiedSharers::verify(message, &manifest, &roster, &self.own_root, own_fingerprint)?;

        let binding = Binding {
            manifest: manifest.digest(),
            model: model_digest,
            roster: &roster.root,
        };
        let own_end = End {
            index: roster.own,
            mask_key: &self.own_keys.mask_key,
            mask_kem_key: self.own_keys.mask_kem_key.as_slice(),
            fingerprint: own_fingerprint,
        };
        let own_box = BoxEnd {
            fingerprint: own_fingerprint,
            share_key: &self.own_keys.share_key,
        };
        let mut masks = Vec::with_capacity(sharers.neighbours.len());
        let mut held = Vec::with_capacity(sharers.neighbours.len() + 1);
        let mut suspects = Vec::new();
        let boxes = message.boxes.as_slice();
        for dealt in &sharers.neighbours {
            let index = dealt.index;
            let (Some(neighbour), Ok(at)) = (
                roster.neighbour(index),
                self.pairs.binary_search_by_key(&index, |p| p.index),
            ) else {
                return Err(Refusal::Neighbourhood.into());
            };
            let Some(pair) = self.pairs.get(at) else {
                return Err(Refusal::Neighbourhood.into());
            };
            let decapsulated;
            let (ciphertext, kem) = match &pair.encapsulated {
                Some((ciphertext, secret)) => (ciphertext.as_slice(), secret),
                None => {
                    let secret = self.mask_kem.decapsulate(&dealt.mask_ciphertext);
                    decapsulated = secret.ok_or(Refusal::MaskCiphertext(index))?;
                    (dealt.mask_ciphertext.as_slice(), &decapsulated)
                }
            };
            let secret = PairSecret {
                shared: &pair.mask,
                kem,
                ciphertext,
            };
            masks.push((
                binding.pair_key(&secret, own_end, neighbour.mask_end()),
                Sign::of_pair(roster.own, index),
            ));
            let place = Place {
                manifest: manifest.digest(),
                roster: &roster.root,
                dealer: index,
                holder: roster.own,
            };
            let sealed = boxes.iter().find(|b| b.peer == index);
            let opened = sealed.and_then(|sealed| {
                let ciphertext = sealed.share_ciphertext.as_slice();
                let kem = self.share_kem.decapsulate(ciphertext)?;
                let secret = PairSecret {
                    shared: &pair.share,
                    kem: &kem,
                    ciphertext,
                };
                let key = box_key(
                    &secret,
                    manifest.digest(),
                    &roster.root,
                    (neighbour.box_end(), own_box),
                    self.own_keys.share_kem_key.as_slice(),
                );
                let holders = roster.holders(index);
                sharing::open_box(
                    &key,
                    &place,
                    &holders,
                    &dealt.share_root.root,
                    sealed.ciphertext.as_slice(),
                )
            });
            match opened {
                Some(pair) => held.push((index, pair)),
                None => suspects.push(index),
            }
        }
        if let Some(own) = self.own_pair {
            held.push((roster.own, own));
        }
        held.sort_by_key(|(index, _)| *index);
        let self_key = self.self_secret.stream_key(manifest.digest(), &roster.root);
        let seeds = update.take_layer_seeds();
        if seeds.is_some() != manifest.noise().levels().is_some() {
            return Err(Refusal::Update("noise levels").into());
        }
        let masked = MaskedUpdate::mask(update, &manifest, RoundMasks::new(&self_key, &masks))?;

        let noise_anchor = seeds
            .as_ref()
            .map_or_else(Vec::new, |seeds| seeds.anchor().to_vec());
        let packed = packed_hash((0..masked.chunks()).map(|i| masked.packed(i)));
        let digest = upload_digest(
            manifest.digest(),
            &roster.root,
            &sharers.digest,
            roster.own,
            &suspects,
            &noise_anchor,
            &packed,
        );
        let own_upload = SignedUpload {
            digest,
            signature: signature::sign(&context.participant.key, labels::UPLOAD, &digest),
        };
        let signed = SignedSharers {
            manifest_digest: *manifest.digest(),
            roster_root: roster.root,
            roster_size: roster.size(),
            sharers: sharers.sharers.bytes().to_vec(),
            share_roots: message.merkle_root,
            index: roster.own,
            suspects: suspects.clone(),
            noise_anchor: noise_anchor.clone(),
            packed,
            signature: own_upload.signature,
        };
        let end = ClientMessage::UploadEnd(UploadEnd {
            suspects: suspects.into(),
            noise_anchor: noise_anchor.into(),
            signature: own_upload.signature,
        });
        let effects = vec![
            Effect::Persist(RecordChange::Spent {
                round_id: manifest.fields().round_id,
                round: manifest.fields().round,
                task: manifest.task().to_owned(),
                release: self.release,
                upload_digest: digest,
                signed: Box::new(signed),
            }),
            Effect::Upload { update: masked, end },
        ];
        Ok((
            Masked {
                joined: Joined { context, roster },
                sharers,
                held,
                own_upload,
                seeds,
            },
            effects,
        ))
    }
}
