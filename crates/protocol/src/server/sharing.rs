//! Sharing: the roster is fixed; boxes come in.

use std::sync::Arc;

use super::Collecting;
use crate::dealt::Dealt;
use crate::limits::{MAX_BOX, MIN_BOX};
use crate::manifest::CheckedManifest;
use crate::messages::{RosterMessage, Shares};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::sharing::{Place, verify_share_root};
use crate::spool::Stash;

/// Step 4 at the server.
pub struct Sharing {
    manifest: Arc<CheckedManifest>,
    roster: Arc<Roster>,
    dealt: Vec<Option<Dealt>>,
    stash: Box<dyn Stash>,
}

impl Sharing {
    pub(super) fn new(manifest: Arc<CheckedManifest>, roster: Arc<Roster>, stash: Box<dyn Stash>) -> Self {
        let dealt = (0..roster.size()).map(|_| None).collect();
        Self {
            manifest,
            roster,
            dealt,
            stash,
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
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Shares`], [`Refusal::SharerEntry`],
    /// [`Refusal::Ciphertexts`], or [`Refusal::NoRoom`] if they cannot be kept.
    pub fn handle_shares(&mut self, index: u16, message: &Shares) -> Result<(), Refusal> {
        let slot = self
            .dealt
            .get_mut(usize::from(index))
            .ok_or(Refusal::NotAMember)?;
        if let Some(first) = slot {
            return if first.is_of(message) {
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
        *slot = Some(Dealt::of(
            &place,
            self.roster.holders(index),
            message,
            self.stash.as_mut(),
        )?);
        Ok(())
    }

    /// How many shared.
    #[must_use]
    pub fn count(&self) -> usize {
        self.dealt.iter().flatten().count()
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
        let sharers = SharersList::build(self.dealt, self.stash)?;
        Ok(Collecting::new(self.manifest, self.roster, sharers))
    }
}
