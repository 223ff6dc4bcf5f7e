//! Revealing: signers answer with one share per neighbour.

use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_algebra::SecretScalar;
use tacita_ledger::checkpoint::{Checkpoint, Cosignature};
use tacita_ledger::note::{KeyType, VerifierKey};

use tacita_privacy::SurplusSeed;

use super::unmask::{self, MaskedSum, UnmaskedSum};
use super::{Agreeing, CommittedCharge};
use crate::bitmap::Bitmap;
use crate::manifest::CheckedManifest;
use crate::messages::{Draws, Proof, Reveal, RevealRequest, SampledRequest, ServerMessage};
use crate::refusal::{Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::sharing::{self, Place, SecretKind};
use crate::signers::{self, SignerTree};
use crate::upload::Transcript;

/// Step 8 at the server.
pub struct Revealing {
    pub(super) manifest: Arc<CheckedManifest>,
    pub(super) roster: Arc<Roster>,
    pub(super) sharers: SharersList,
    pub(super) survivors: Bitmap,
    transcript: Transcript,
    pub(super) masked: MaskedSum,
    pub(super) suspects: Vec<(u16, u16)>,
    signatures: BTreeMap<u16, [u8; 64]>,
    /// Above 1,000 members: the list that all are committed to, and what each drew.
    list: Option<SignerTree>,
    draws: BTreeMap<u16, Vec<u16>>,
    committed: CommittedCharge,
    checkpoint: Checkpoint,
    /// Shares by dealer: (holder, share).
    pub(super) shares: Vec<Vec<(u16, SecretScalar)>>,
    pub(super) answered: Bitmap,
    /// Of survivors that revealed the seed of their surplus noise.
    pub(super) surplus: Vec<SurplusSeed>,
    pub(super) blamed: Vec<Refusal>,
    pub(super) cosignatures: Vec<Cosignature>,
}

impl Revealing {
    pub(super) fn new(agreed: Agreeing, committed: CommittedCharge, checkpoint: Checkpoint) -> Self {
        let size = agreed.roster.size();
        let sampled = agreed.manifest.is_sampled();
        Self {
            list: sampled.then(|| SignerTree::of(size, agreed.signatures.iter())),
            draws: BTreeMap::new(),
            manifest: agreed.manifest,
            roster: agreed.roster,
            sharers: agreed.sharers,
            survivors: agreed.survivors,
            transcript: agreed.transcript,
            masked: agreed.masked,
            suspects: agreed.suspects,
            signatures: agreed.signatures,
            committed,
            checkpoint,
            shares: (0..size).map(|_| Vec::new()).collect(),
            answered: Bitmap::empty(size),
            surplus: Vec::new(),
            blamed: Vec::new(),
            cosignatures: Vec::new(),
        }
    }

    /// The roster.
    #[must_use]
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Whether a member signed, and is asked to reveal.
    #[must_use]
    pub fn has_signed(&self, index: u16) -> bool {
        self.signatures.contains_key(&index)
    }

    /// The members asked to reveal: those that signed.
    pub fn signers(&self) -> impl Iterator<Item = u16> + '_ {
        self.signatures.keys().copied()
    }

    /// The signers shown to one member: itself, t of its neighbours on the ring, then the lowest others, Q in all; where
    /// signers are sampled those that it drew and t neighbours, nobody before it did.
    fn signers_for(&self, index: u16) -> Bitmap {
        if let Some(list) = &self.list {
            let (neighbours, threshold) = (self.roster.neighbours(index), self.manifest.threshold());
            return self.draws.get(&index).map_or_else(
                || Bitmap::empty(self.roster.size()),
                |drawn| signers::shown(list.signers(), drawn, &neighbours, threshold),
            );
        }
        let mut shown = Bitmap::from_indices(self.roster.size(), [index]);
        let signed = |i: &u16| self.signatures.contains_key(i);
        if !self.manifest.is_complete() {
            let neighbours = self.roster.neighbours(index);
            let near = neighbours
                .into_iter()
                .filter(signed)
                .take(usize::from(self.manifest.threshold()));
            near.for_each(|i| shown.insert(i));
        }
        let mut count = shown.count();
        for other in self.signers() {
            if count >= self.manifest.fields().quorum {
                break;
            }
            if !shown.contains(other) {
                shown.insert(other);
                count += 1;
            }
        }
        shown
    }

    /// Certificates that a member needs to check the quorum shown to it.
    pub fn signers_shown_to(&self, index: u16) -> impl Iterator<Item = u16> {
        self.signers_for(index).indices().collect::<Vec<_>>().into_iter()
    }

    /// Above 1,000 members the list of signers, the same for everybody: what each is to hear first.
    #[must_use]
    pub fn list_message(&self) -> Option<ServerMessage> {
        let list = self.list.as_ref()?;
        Some(ServerMessage::Signers(list.message()))
    }

    /// What one member is to hear next: the reveal request, or where signers are sampled their list, and once the member
    /// drew from it the sampled request.
    #[must_use]
    pub fn message(&self, index: u16) -> ServerMessage {
        match &self.list {
            None => ServerMessage::Reveal(Box::new(self.request(index))),
            Some(list) if !self.draws.contains_key(&index) => ServerMessage::Signers(list.message()),
            Some(list) => {
                let request = self.request(index);
                let shown = self.signers_for(index);
                let proofs: Vec<Proof> = shown.indices().map(|i| list.proof(i)).collect();
                ServerMessage::Sampled(Box::new(SampledRequest {
                    request,
                    proofs: proofs.into(),
                }))
            }
        }
    }

    /// Takes one member's draws from the list of signers.
    ///
    /// # Errors
    /// [`Refusal::Unexpected`], [`Refusal::NotAMember`], [`Refusal::Changed`] or [`Refusal::Draws`].
    pub fn handle_draws(&mut self, index: u16, message: &Draws) -> Result<(), Refusal> {
        let list = self.list.as_ref().ok_or(Refusal::Unexpected("draws"))?;
        if !self.signatures.contains_key(&index) {
            return Err(Refusal::NotAMember);
        }
        if let Some(first) = self.draws.get(&index) {
            return if first.as_slice() == message.drawn.as_slice() {
                Ok(())
            } else {
                Err(Refusal::Changed)
            };
        }
        list.check(message)?;
        self.draws.insert(index, message.drawn.as_slice().to_vec());
        Ok(())
    }

    /// Step 8 for one member.
    #[must_use]
    fn request(&self, index: u16) -> RevealRequest {
        let signers = self.signers_for(index);
        let signatures: Vec<[u8; 64]> = signers
            .indices()
            .filter_map(|i| self.signatures.get(&i).copied())
            .collect();
        RevealRequest {
            signers: signers.bytes().to_vec().into(),
            signatures: signatures.into(),
            checkpoint: self.committed.checkpoint.clone().into(),
            consistency: self.committed.consistency.clone(),
            manifest: self.committed.manifest.clone(),
            charge: self.committed.charge.clone(),
            upload_proof: self.transcript.proof(index, &self.survivors),
        }
    }

    /// Takes one member's shares and the seed of its surplus noise. A share that misses its leaf blames the holder (TAC-073)
    /// and is left out; the others count.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Shares`] or [`Refusal::Cosignature`].
    pub fn handle_reveal(&mut self, index: u16, message: &Reveal) -> Result<(), Refusal> {
        if !self.signatures.contains_key(&index) {
            return Err(Refusal::NotAMember);
        }
        if self.answered.contains(index) {
            return Err(Refusal::Changed);
        }
        if self.list.is_some() && !self.draws.contains_key(&index) {
            return Err(Refusal::Unexpected("reveal"));
        }
        let shares = message.shares.as_slice();
        let rising = shares
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.dealer < b.dealer));
        if !rising || shares.len() > usize::from(self.roster.size()) {
            return Err(Refusal::Shares("dealers are not strictly rising"));
        }
        self.check_cosignature(index, message)?;
        self.answered.insert(index);
        self.take_seed(index, message.noise_seed.as_slice());
        for share in shares {
            let Some(root) = self.sharers.root(share.dealer) else {
                self.blamed.push(Refusal::ShareCommitment {
                    dealer: share.dealer,
                    holder: index,
                });
                continue;
            };
            let place = Place {
                manifest: self.manifest.digest(),
                roster: self.roster.root(),
                dealer: share.dealer,
                holder: index,
            };
            let holders = self.roster.holders(share.dealer);
            let kind = if self.survivors.contains(share.dealer) {
                SecretKind::SelfMask
            } else {
                SecretKind::Mask
            };
            match sharing::check_revealed(share, &place, kind, &holders, &root.root) {
                Ok(value) => {
                    if let Some(held) = self.shares.get_mut(usize::from(share.dealer)) {
                        held.push((index, value));
                    }
                }
                Err(blame) => self.blamed.push(blame),
            }
        }
        Ok(())
    }

    /// TAC-064: the seed of the first layer that is surplus, of the chain that this member's upload is signed with, and none
    /// where nothing is. Otherwise its surplus stays in the sum, and the member is named.
    fn take_seed(&mut self, index: u16, revealed: &[u8]) {
        let survivors = u32::from(self.survivors.count());
        let noise = self.manifest.noise();
        let levels = noise
            .levels()
            .filter(|levels| levels.first_surplus(survivors).is_some());
        let anchor = self.masked.anchors.get(usize::from(index)).copied().flatten();
        let seed = match (levels, anchor, <&[u8; 32]>::try_from(revealed)) {
            (None, _, _) if revealed.is_empty() => return,
            (Some(levels), Some(anchor), Ok(revealed)) => {
                SurplusSeed::check(revealed, survivors, levels, &anchor)
            }
            _ => None,
        };
        match seed {
            Some(seed) => self.surplus.push(seed),
            None => self.blamed.push(Refusal::NoiseSeed(index)),
        }
    }

    /// TAC-074.
    fn check_cosignature(&mut self, index: u16, message: &Reveal) -> Result<(), Refusal> {
        let member = self.roster.member(index).ok_or(Refusal::NotAMember)?;
        let name = member.certificate.name.to_string();
        let key = VerifierKey::new(&name, KeyType::CosignatureV1, member.certificate.key)
            .map_err(|_| Refusal::Cosignature)?;
        let cosignature = Cosignature {
            name,
            key_id: key.key_id(),
            time: message.cosigned_at,
            signature: message.cosignature,
        };
        cosignature
            .verify(&self.checkpoint, &key)
            .map_err(|_| Refusal::Cosignature)?;
        self.cosignatures.push(cosignature);
        Ok(())
    }

    /// How many answered.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.answered.count())
    }

    /// Members that revealed a share other than the committed one.
    #[must_use]
    pub fn blamed(&self) -> &[Refusal] {
        &self.blamed
    }

    /// Step 9: rebuilds, checks against the published commitments, unmasks.
    ///
    /// # Errors
    /// [`crate::refusal::Abort::TooFewShares`] or [`crate::refusal::Abort::DishonestDealer`].
    pub fn close(self) -> Result<UnmaskedSum, RoundError> {
        unmask::unmask(self)
    }
}
