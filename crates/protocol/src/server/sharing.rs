//! Sharing: the roster is fixed; boxes come in.

use std::sync::Arc;

use super::Collecting;
use crate::limits::MAX_BOX;
use crate::manifest::CheckedManifest;
use crate::messages::{RosterMessage, SealedBox, Shares};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::sharing::verify_share_root;

/// Shortest box: two shares and the tag.
const MIN_BOX: usize = 64 + 16;

/// Step 4 at the server.
pub struct Sharing {
    manifest: Arc<CheckedManifest>,
    roster: Arc<Roster>,
    shares: Vec<Option<Shares>>,
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
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Shares`] or [`Refusal::SharerEntry`].
    pub fn handle_shares(&mut self, index: u16, message: Shares) -> Result<(), Refusal> {
        let slot = self
            .shares
            .get_mut(usize::from(index))
            .ok_or(Refusal::NotAMember)?;
        if let Some(first) = slot {
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
        *slot = Some(message);
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
        let mut roots = Vec::with_capacity(self.shares.len());
        for (shares, dealer) in self.shares.into_iter().zip(0u16..) {
            let Some(shares) = shares else {
                roots.push(None);
                continue;
            };
            roots.push(Some(shares.share_root));
            for sealed in Vec::from(shares.boxes) {
                if let Some(boxes) = inbox.get_mut(usize::from(sealed.peer)) {
                    boxes.push(SealedBox {
                        peer: dealer,
                        ciphertext: sealed.ciphertext,
                    });
                }
            }
        }
        let sharers = SharersList::build(roots)?;
        Ok(Collecting::new(self.manifest, self.roster, sharers, inbox))
    }
}
