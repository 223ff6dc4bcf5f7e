//! Shared: boxes are out; U1 and the noised update are awaited.

use tacita_privacy::{NoisedUpdate, Release};

use super::{Effect, Joined, Masked, RecordChange, Step};
use crate::keys::{Binding, End, Key, SelfSecret};
use crate::mask::{MaskedUpdate, RoundMasks, Sign};
use crate::messages::{ClientMessage, ShareRoot, SharersMessage, UploadEnd};
use crate::refusal::Refusal;
use crate::sharers::VerifiedSharers;
use crate::sharing::{self, BoxKeys, Place, SharePair};
use crate::transcript::SignedUpload;
use crate::upload::upload_digest;
use crate::{Hash, labels, signature};

/// Keys shared with one neighbour.
pub(super) struct PairKeys {
    pub(super) index: u16,
    pub(super) boxes: BoxKeys,
    /// DH of the mask keys.
    pub(super) mask: Key,
}

/// The client dealt its shares.
pub struct Shared {
    pub(super) joined: Joined,
    pub(super) release: Option<Release>,
    pub(super) own_mask_key: [u8; 32],
    pub(super) own_root: ShareRoot,
    pub(super) own_pair: Option<SharePair>,
    pub(super) self_secret: SelfSecret,
    pub(super) pairs: Vec<PairKeys>,
}

impl Shared {
    /// Steps 5 and 6: checks U1 (TAC-030 to TAC-033), opens boxes, masks with every neighbour in U1, box opened or
    /// not, and charges the participant's own record before the first masked byte leaves. `model_digest` is the
    /// digest of the model bytes that the update was trained from.
    ///
    /// # Errors
    /// [`super::Refused`] with the first rule broken.
    pub fn handle_sharers(
        self,
        message: &SharersMessage,
        update: NoisedUpdate,
        model_digest: &Hash,
    ) -> Step<Masked> {
        let Joined { context, roster } = self.joined;
        let manifest = context.manifest.clone();
        // TAC-012: trained from the model that the manifest names, or not at all (pitfall P17).
        if *model_digest != manifest.fields().model_digest {
            return Err(Refusal::ModelDigest.into());
        }
        let sharers = VerifiedSharers::verify(message, &manifest, &roster, &self.own_root)?;

        let binding = Binding {
            manifest: manifest.digest(),
            model: model_digest,
            roster: &roster.root,
        };
        let own_end = End {
            index: roster.own,
            mask_key: &self.own_mask_key,
            fingerprint: &context.participant.certificate.fingerprint,
        };
        let mut masks = Vec::with_capacity(sharers.neighbours.len());
        let mut held = Vec::with_capacity(sharers.neighbours.len() + 1);
        let mut suspects = Vec::new();
        let boxes = message.boxes.as_slice();
        for (index, root) in &sharers.neighbours {
            let (Some(neighbour), Ok(at)) = (
                roster.neighbour(*index),
                self.pairs.binary_search_by_key(index, |p| p.index),
            ) else {
                return Err(Refusal::Neighbourhood.into());
            };
            let Some(pair) = self.pairs.get(at) else {
                return Err(Refusal::Neighbourhood.into());
            };
            let end = End {
                index: *index,
                mask_key: &neighbour.mask_key,
                fingerprint: &neighbour.certificate.fingerprint,
            };
            masks.push((
                binding.pair_key(&pair.mask, own_end, end),
                Sign::of_pair(roster.own, *index),
            ));
            let place = Place {
                manifest: manifest.digest(),
                roster: &roster.root,
                dealer: *index,
                holder: roster.own,
            };
            let opened = boxes.iter().find(|b| b.peer == *index).and_then(|sealed| {
                let holders = roster.holders(*index);
                sharing::open_box(
                    &pair.boxes.open,
                    &place,
                    &holders,
                    &root.root,
                    sealed.ciphertext.as_slice(),
                )
            });
            match opened {
                Some(pair) => held.push((*index, pair)),
                None => suspects.push(*index),
            }
        }
        if let Some(own) = self.own_pair {
            held.push((roster.own, own));
        }
        held.sort_by_key(|(index, _)| *index);
        let self_key = self.self_secret.stream_key(manifest.digest(), &roster.root);
        let masked = MaskedUpdate::mask(update, &manifest, RoundMasks::new(&self_key, &masks))?;

        let digest = upload_digest(
            manifest.digest(),
            &roster.root,
            roster.own,
            &suspects,
            (0..masked.chunks()).map(|i| masked.packed(i)),
        );
        let signature = signature::sign(&context.participant.key, labels::UPLOAD, &digest);
        let end = ClientMessage::UploadEnd(UploadEnd {
            suspects: suspects.into(),
            signature,
        });
        let effects = vec![
            Effect::Persist(RecordChange::Spent {
                round_id: manifest.fields().round_id,
                round: manifest.fields().round,
                task: manifest.task().to_owned(),
                release: self.release,
                upload_digest: digest,
            }),
            Effect::Upload { update: masked, end },
        ];
        Ok((
            Masked {
                joined: Joined { context, roster },
                sharers,
                held,
                upload: SignedUpload { digest, signature },
            },
            effects,
        ))
    }
}
