//! Sharing: the roster is fixed; boxes come in.

use std::sync::Arc;

use super::Collecting;
use crate::limits::MAX_BOX;
use crate::manifest::CheckedManifest;
use crate::messages::{RosterMessage, SealedBox, Shares};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::sharing::{Dealt, Place, verify_share_root};

/// Shortest box: two shares and the tag.
const MIN_BOX: usize = 64 + 16;

/// Step 4 at the server.
pub struct Sharing {
    manifest: Arc<CheckedManifest>,
    roster: Arc<Roster>,
    shares: Vec<Option<(Shares, Dealt)>>,
}

impl Sharing {
    pub(super) fn new(manifest: Arc<CheckedManifest>, roster: Arc<Roster>) -> Self {
        let shares = (0..roster.size()).map(|_| None).collect();
        Self {
            manifest,
            roster,
            shares,
        }
    }

    /// The roster.
    #[must_use]
    pub fn roster(&self) -> &Arc<Roster> {
        &self.roster
    }

    /// Step 3 for one member.
    ///
    /// # Errors
    /// [`Misuse`] for an index outside the roster.
    pub fn roster_message(&self, index: u16) -> Result<RosterMessage, Misuse> {
        self.roster.message(index)
    }

    /// Takes one member's boxes.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Shares`], [`Refusal::SharerEntry`] or
    /// [`Refusal::Ciphertexts`].
    pub fn handle_shares(&mut self, index: u16, message: Shares) -> Result<(), Refusal> {
        let slot = self
            .shares
            .get_mut(usize::from(index))
            .ok_or(Refusal::NotAMember)?;
        if let Some((first, _)) = slot {
            return if *first == message {
                Ok(())
            } else {
                Err(Refusal::Changed)
            };
        }
        let member = self.roster.member(index).ok_or(Refusal::NotAMember)?;
        let neighbours = self.roster.neighbours(index);
        let boxes = message.boxes.as_slice();
        if boxes.iter().map(|b| b.peer).ne(neighbours.iter().copied()) {
            return Err(Refusal::Shares("not one box per neighbour"));
        }
        if boxes
            .iter()
            .any(|b| !(MIN_BOX..=MAX_BOX).contains(&b.ciphertext.as_slice().len()))
        {
            return Err(Refusal::Shares("a box of impossible size"));
        }
        let own = &member.certificate.fingerprint;
        let agreement = self.manifest.key_agreement();
        for made in boxes {
            let holder = self.roster.member(made.peer).ok_or(Refusal::NotAMember)?;
            let mask = agreement.mask_ciphertext_length(own, &holder.certificate.fingerprint);
            if made.mask_ciphertext.as_slice().len() != mask
                || made.share_ciphertext.as_slice().len() != agreement.ciphertext_length()
            {
                return Err(Refusal::Ciphertexts);
            }
        }
        let key = &member.certificate.key;
        if !verify_share_root(
            self.manifest.digest(),
            self.roster.root(),
            index,
            &message.share_root,
            key,
        ) {
            return Err(Refusal::SharerEntry(index));
        }
        let place = Place {
            manifest: self.manifest.digest(),
            roster: self.roster.root(),
            dealer: index,
            holder: index,
        };
        let dealt = Dealt::of(&place, self.roster.holders(index), &message)?;
        *slot = Some((message, dealt));
        Ok(())
    }

    /// How many shared.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shares.iter().flatten().count()
    }

    /// Step 5: fixes U1.
    ///
    /// # Errors
    /// [`Abort::TooFewSharers`] below m.
    pub fn close(self) -> Result<Collecting, RoundError> {
        let have = u16::try_from(self.count()).unwrap_or(u16::MAX);
        let need = self.manifest.fields().minimum_survivors;
        if have < need {
            return Err(Abort::TooFewSharers(have, need).into());
        }
        let mut inbox: Vec<Vec<SealedBox>> = (0..self.roster.size()).map(|_| Vec::new()).collect();
        let mut all = Vec::with_capacity(self.shares.len());
        for (shares, dealer) in self.shares.into_iter().zip(0u16..) {
            let Some((shares, dealt)) = shares else {
                all.push(None);
                continue;
            };
            all.push(Some(dealt));
            for sealed in Vec::from(shares.boxes) {
                if let Some(boxes) = inbox.get_mut(usize::from(sealed.peer)) {
                    boxes.push(SealedBox {
                        peer: dealer,
                        share_ciphertext: sealed.share_ciphertext,
                        ciphertext: sealed.ciphertext,
                    });
                }
            }
        }
        let sharers = SharersList::build(all)?;
        Ok(Collecting::new(self.manifest, self.roster, sharers, inbox))
    }
}
