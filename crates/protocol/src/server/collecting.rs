//! Collecting: masked uploads come in chunk by chunk. A whole, signed upload is added to the one running sum and
//! forgotten; the server never keeps a single vector, and a partial one is never added.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tacita_algebra::RingVector;

use super::Agreeing;
use crate::bitmap::Bitmap;
use crate::manifest::CheckedManifest;
use crate::messages::{SealedBox, SharersMessage, UploadChunk, UploadEnd};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::{labels, signature, upload};

/// An upload in flight.
struct InFlight {
    next: u32,
    vector: RingVector,
    hasher: Sha256,
}

/// Step 6 at the server.
pub struct Collecting {
    manifest: Arc<CheckedManifest>,
    roster: Arc<Roster>,
    sharers: SharersList,
    inbox: Vec<Vec<SealedBox>>,
    in_flight: Vec<Option<InFlight>>,
    uploaded: Bitmap,
    sum: RingVector,
    suspects: Vec<(u16, u16)>,
}

impl Collecting {
    pub(super) fn new(
        manifest: Arc<CheckedManifest>,
        roster: Arc<Roster>,
        sharers: SharersList,
        inbox: Vec<Vec<SealedBox>>,
    ) -> Self {
        let size = roster.size();
        let sum = RingVector::zeros(manifest.bits(), manifest.padded());
        Self {
            manifest,
            roster,
            sharers,
            inbox,
            in_flight: (0..size).map(|_| None).collect(),
            uploaded: Bitmap::empty(size),
            sum,
            suspects: Vec::new(),
        }
    }

    /// The members of U1.
    pub fn sharers(&self) -> &Bitmap {
        self.sharers.sharers()
    }

    /// Step 5 for one member of U1, with its boxes. A resent message has the same bytes.
    ///
    /// # Errors
    /// [`Misuse`] for an index outside the roster.
    pub fn sharers_message(&self, index: u16) -> Result<SharersMessage, Misuse> {
        let boxes = self.inbox.get(usize::from(index)).cloned().unwrap_or_default();
        self.sharers.message(index, &self.roster.neighbours(index), boxes)
    }

    /// Coordinates in chunk `index`, or `None` beyond the end.
    fn chunk_range(&self, index: u32) -> Option<(usize, usize)> {
        let chunk = self.manifest.fields().chunk as usize;
        let start = (index as usize).checked_mul(chunk)?;
        let count = self.manifest.padded().checked_sub(start)?.min(chunk);
        (count > 0).then_some((start, count))
    }

    /// Takes one chunk (TAC-040): in order, of exactly the declared size.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`] or [`Refusal::Chunk`].
    pub fn handle_chunk(&mut self, index: u16, message: &UploadChunk) -> Result<(), Refusal> {
        if !self.sharers().contains(index) {
            return Err(Refusal::NotAMember);
        }
        if self.uploaded.contains(index) {
            return Err(Refusal::Changed);
        }
        let refuse = Refusal::Chunk(message.index);
        let (start, count) = self.chunk_range(message.index).ok_or(refuse.clone())?;
        let packed = message.packed.as_slice();
        if packed.len() != self.manifest.bits().packed_len(count) {
            return Err(refuse);
        }
        let (bits, padded) = (self.manifest.bits(), self.manifest.padded());
        let slot = self
            .in_flight
            .get_mut(usize::from(index))
            .ok_or(Refusal::NotAMember)?;
        let flight = slot.get_or_insert_with(|| InFlight {
            next: 0,
            vector: RingVector::zeros(bits, padded),
            hasher: Sha256::new(),
        });
        if flight.next != message.index {
            return Err(refuse);
        }
        flight
            .vector
            .unpack_into(start, count, packed)
            .map_err(|_| refuse)?;
        flight.hasher.update(packed);
        flight.next = flight.next.saturating_add(1);
        Ok(())
    }

    /// Closes one upload (TAC-041) and adds it to the sum.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Chunk`], [`Refusal::UploadSignature`]; [`Misuse`] never for a valid peer.
    pub fn handle_end(&mut self, index: u16, message: &UploadEnd) -> Result<(), RoundError> {
        if !self.sharers().contains(index) {
            return Err(Refusal::NotAMember.into());
        }
        if self.uploaded.contains(index) {
            return Err(Refusal::Changed.into());
        }
        let flight = self
            .in_flight
            .get_mut(usize::from(index))
            .and_then(Option::take)
            .ok_or(Refusal::Chunk(0))?;
        if self.chunk_range(flight.next).is_some() {
            return Err(Refusal::Chunk(flight.next).into());
        }
        let suspects = message.suspects.as_slice();
        let neighbours = self.roster.neighbours(index);
        let rising = suspects.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if !rising || suspects.iter().any(|s| neighbours.binary_search(s).is_err()) {
            return Err(Refusal::UploadSignature.into());
        }
        let member = self.roster.member(index).ok_or(Refusal::NotAMember)?;
        let digest = upload::finish(
            self.manifest.digest(),
            self.roster.root(),
            index,
            suspects,
            flight.hasher,
        );
        if !signature::verify(
            &member.certificate.key,
            labels::UPLOAD,
            &digest,
            &message.signature,
        ) {
            return Err(Refusal::UploadSignature.into());
        }
        self.sum
            .add_assign(&flight.vector)
            .map_err(|e| Misuse::Algebra(e.to_string()))?;
        self.uploaded.insert(index);
        self.suspects
            .extend(suspects.iter().map(|dealer| (*dealer, index)));
        Ok(())
    }

    /// Whether a member's whole upload was added.
    #[must_use]
    pub fn has_uploaded(&self, index: u16) -> bool {
        self.uploaded.contains(index)
    }

    /// How many uploaded.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.uploaded.count())
    }

    /// Step 7: fixes U2. Uploads in flight are forgotten.
    ///
    /// # Errors
    /// [`Abort::TooFewSurvivors`] below m.
    pub fn close(self) -> Result<Agreeing, RoundError> {
        let (have, need) = (self.uploaded.count(), self.manifest.fields().minimum_survivors);
        if have < need {
            return Err(Abort::TooFewSurvivors(have, need).into());
        }
        let masked = super::unmask::MaskedSum { sum: self.sum };
        Ok(Agreeing::new(
            self.manifest,
            self.roster,
            self.sharers,
            self.uploaded,
            masked,
            self.suspects,
        ))
    }
}
