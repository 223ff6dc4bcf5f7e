//! Collecting: masked uploads come in chunk by chunk and wait in a [`Spool`]. A whole, signed upload is added from there to
//! the one running sum, piece by piece on all cores, and forgotten; the server never holds a single vector in memory,
//! and a partial one is never added.

use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use tacita_algebra::{RingVector, WordsMut};

use super::Agreeing;
use crate::bitmap::Bitmap;
use crate::manifest::CheckedManifest;
use crate::messages::{SharersMessage, UploadChunk, UploadEnd};
use crate::refusal::{Abort, Refusal, RoundError};
use crate::roster::Roster;
use crate::sharers::SharersList;
use crate::spool::{Spool, SpoolError};
use crate::upload::{self, SignedUpload, Transcript};
use crate::{Hash, labels, signature};

/// Bytes of a whole upload that are read back at a time, or one chunk if that is more.
const BATCH: usize = 4 << 20;

/// An upload in flight: its bytes are in the spool.
struct InFlight {
    next: u32,
    hasher: Sha256,
}

/// Step 6 at the server.
pub struct Collecting {
    manifest: Arc<CheckedManifest>,
    roster: Arc<Roster>,
    sharers: SharersList,
    in_flight: Vec<Option<InFlight>>,
    uploaded: Bitmap,
    uploads: Vec<Option<SignedUpload>>,
    anchors: Vec<Option<Hash>>,
    sum: RingVector,
    /// Why the sum is worth nothing, if it is.
    spoiled: Option<Abort>,
    suspects: Vec<(u16, u16)>,
}

impl Collecting {
    pub(super) fn new(manifest: Arc<CheckedManifest>, roster: Arc<Roster>, sharers: SharersList) -> Self {
        let size = roster.size();
        let sum = RingVector::zeros(manifest.bits(), manifest.padded());
        Self {
            manifest,
            roster,
            sharers,
            in_flight: (0..size).map(|_| None).collect(),
            uploaded: Bitmap::empty(size),
            uploads: vec![None; usize::from(size)],
            anchors: vec![None; usize::from(size)],
            sum,
            spoiled: None,
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
    /// [`crate::Misuse`] for an index outside the roster; [`Abort::Spool`] if the boxes do not come back as they were dealt.
    pub fn sharers_message(&self, index: u16) -> Result<SharersMessage, RoundError> {
        self.sharers.message(index, &self.roster.neighbours(index))
    }

    /// Coordinates in chunk `index`, or `None` beyond the end.
    fn chunk_range(&self, index: u32) -> Option<(usize, usize)> {
        let chunk = self.manifest.fields().chunk as usize;
        let start = (index as usize).checked_mul(chunk)?;
        let count = self.manifest.padded().checked_sub(start)?.min(chunk);
        (count > 0).then_some((start, count))
    }

    /// Takes one chunk (TAC-040): in order, of exactly the declared size. A chunk that cannot be stored (TAC-043) ends its
    /// sender's upload.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Chunk`] or [`Refusal::NoRoom`].
    pub fn handle_chunk(
        &mut self,
        index: u16,
        message: &UploadChunk,
        spool: &mut impl Spool,
    ) -> Result<(), Refusal> {
        if !self.sharers().contains(index) {
            return Err(Refusal::NotAMember);
        }
        if self.uploaded.contains(index) {
            return Err(Refusal::Changed);
        }
        let refuse = Refusal::Chunk(message.index);
        let (_, count) = self.chunk_range(message.index).ok_or(refuse.clone())?;
        let packed = message.packed.as_slice();
        if message.index != self.next_chunk(index)
            || self.manifest.bits().check_packed(count, packed).is_err()
        {
            return Err(refuse);
        }
        if let Err(error) = spool.append(index, packed) {
            self.forget(index, spool);
            return Err(Refusal::NoRoom(error));
        }
        let slot = self
            .in_flight
            .get_mut(usize::from(index))
            .ok_or(Refusal::NotAMember)?;
        let flight = slot.get_or_insert_with(|| InFlight {
            next: 0,
            hasher: Sha256::new(),
        });
        flight.hasher.update(packed);
        flight.next = flight.next.saturating_add(1);
        Ok(())
    }

    /// The chunk that is to come next from a member: 0 before its first.
    #[must_use]
    pub fn next_chunk(&self, index: u16) -> u32 {
        let slot = self.in_flight.get(usize::from(index));
        slot.and_then(Option::as_ref).map_or(0, |flight| flight.next)
    }

    /// Forgets what is in flight of a member.
    pub fn forget(&mut self, index: u16, spool: &mut impl Spool) {
        if let Some(slot) = self.in_flight.get_mut(usize::from(index)) {
            *slot = None;
        }
        spool.discard(index);
    }

    /// Closes one upload (TAC-041) and adds it to the sum. Whatever this comes to, nothing of it is in flight after.
    ///
    /// # Errors
    /// [`Refusal::NotAMember`], [`Refusal::Changed`], [`Refusal::Chunk`], [`Refusal::UploadSignature`]; [`Abort::Spool`] if
    /// it does not come back from the spool as it went in.
    pub fn handle_end(
        &mut self,
        index: u16,
        message: &UploadEnd,
        spool: &mut impl Spool,
    ) -> Result<(), RoundError> {
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
        let taken = self.check_and_add(index, message, flight, spool);
        spool.discard(index);
        taken
    }

    fn check_and_add(
        &mut self,
        index: u16,
        message: &UploadEnd,
        flight: InFlight,
        spool: &mut impl Spool,
    ) -> Result<(), RoundError> {
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
        let levels = self.manifest.noise().levels().is_some();
        let noise_anchor = message.noise_anchor.as_slice();
        if noise_anchor.len() != if levels { 32 } else { 0 } {
            return Err(Refusal::NoiseAnchor.into());
        }
        let received: Hash = flight.hasher.finalize().into();
        let digest = upload::upload_digest(
            self.manifest.digest(),
            self.roster.root(),
            self.sharers.digest(),
            index,
            suspects,
            noise_anchor,
            &received,
        );
        if !signature::verify(
            &member.certificate.key,
            labels::UPLOAD,
            &digest,
            &message.signature,
        ) {
            return Err(Refusal::UploadSignature.into());
        }
        // A part may have been added: nobody can say which, so the sum goes with it (G2: exact or nothing).
        if let Err(error) = self.add(index, &received, spool) {
            let abort = Abort::Spool(index, error);
            self.spoiled = Some(abort.clone());
            return Err(abort.into());
        }
        self.uploaded.insert(index);
        if let Some(slot) = self.uploads.get_mut(usize::from(index)) {
            *slot = Some(SignedUpload {
                digest,
                signature: message.signature,
            });
        }
        if let Some(slot) = self.anchors.get_mut(usize::from(index)) {
            *slot = noise_anchor.try_into().ok();
        }
        self.suspects
            .extend(suspects.iter().map(|dealer| (*dealer, index)));
        Ok(())
    }

    /// Adds a member's upload to the sum, as it comes back from the spool. The disk is not trusted with the sum: what comes
    /// back must have the hash of what was received.
    fn add(&mut self, index: u16, received: &[u8], spool: &mut impl Spool) -> Result<(), SpoolError> {
        let (bits, padded) = (self.manifest.bits(), self.manifest.padded());
        let chunk = (self.manifest.fields().chunk as usize).max(1);
        // Chunks are whole bytes long, all but the last of them.
        let packed = bits.packed_len(chunk).max(1);
        let step = chunk.saturating_mul((BATCH / packed).max(1));
        let mut buffer = vec![0u8; bits.packed_len(step.min(padded))];
        let mut hasher = Sha256::new();
        let mut at = 0u64;
        for start in (0..padded).step_by(step) {
            let end = start.saturating_add(step).min(padded);
            let bytes = buffer
                .get_mut(..bits.packed_len(end - start))
                .ok_or_else(|| SpoolError("a batch of another size".to_owned()))?;
            spool.read(index, at, bytes)?;
            at = at.saturating_add(bytes.len() as u64);
            let bytes = &*bytes;
            let add = || match self.sum.words_mut() {
                WordsMut::Narrow(words) => words.get_mut(start..end).map(|words| {
                    let pairs = words.par_chunks_mut(chunk).zip(bytes.par_chunks(packed));
                    pairs.try_for_each(|(words, bytes)| WordsMut::Narrow(words).add_packed(bits, bytes))
                }),
                WordsMut::Wide(words) => words.get_mut(start..end).map(|words| {
                    let pairs = words.par_chunks_mut(chunk).zip(bytes.par_chunks(packed));
                    pairs.try_for_each(|(words, bytes)| WordsMut::Wide(words).add_packed(bits, bytes))
                }),
            };
            let (added, ()) = rayon::join(add, || hasher.update(bytes));
            match added {
                Some(Ok(())) => {}
                _ => return Err(SpoolError("the bytes changed while they were stored".to_owned())),
            }
        }
        self.sum.reduce();
        if hasher.finalize().as_slice() == received {
            Ok(())
        } else {
            Err(SpoolError("the bytes changed while they were stored".to_owned()))
        }
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
    /// [`Abort::TooFewSurvivors`] below m; [`Abort::Spool`] if the sum was spoiled.
    pub fn close(self) -> Result<Agreeing, RoundError> {
        if let Some(abort) = self.spoiled {
            return Err(abort.into());
        }
        let (have, need) = (self.uploaded.count(), self.manifest.fields().minimum_survivors);
        if have < need {
            return Err(Abort::TooFewSurvivors(have, need).into());
        }
        let masked = super::unmask::MaskedSum {
            sum: self.sum,
            anchors: self.anchors,
        };
        let transcript = Transcript::of(&self.uploaded, &self.uploads);
        Ok(Agreeing::new(
            self.manifest,
            self.roster,
            self.sharers,
            (self.uploaded, transcript),
            masked,
            self.suspects,
        ))
    }
}
