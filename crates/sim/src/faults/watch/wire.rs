//! Checkers of what leaves a machine: one-time values, what must be durable before it, secrets in the clear.

use sha2::{Digest as _, Sha256};
use tacita_algebra::RingVector;
use tacita_ledger::SignedCheckpoint;
use tacita_protocol::Hash;
use tacita_protocol::messages::{Advertise, ClientMessage, ServerMessage, UploadChunk};

use super::Watch;
use crate::faults::desk;
use crate::faults::disk::Disk;
use crate::faults::record;

impl Watch {
    /// A member hands a frame to the network, in the attempt of `manifest`. What its disk holds durably at this moment is
    /// what a crash would leave of it.
    pub fn member_sends(
        &mut self,
        member: usize,
        manifest: &Hash,
        message: &ClientMessage,
        frame: &[u8],
        disk: &Disk,
    ) {
        if let Some(seen) = self.rounds.get_mut(manifest) {
            seen.layers.hear(member, message);
        }
        if !self.is_honest(member) {
            return;
        }
        if let Some(what) = self.canaries.in_bytes(frame) {
            self.violation(
                "canary",
                format!("{what} shows in a {} of member {member}", message.name()),
            );
        }
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        let (roster, sharers) = (seen.rosters.get(&member), seen.sharers.get(&member));
        seen.knowledge.learn(&self.cast, member, roster, sharers, message);
        let round_id = seen.manifest.fields().round_id;
        let context = digest(&[&manifest[..], &(member as u64).to_be_bytes()]);
        match message {
            ClientMessage::Advertise(advertise) => self.advertised(&context, advertise),
            ClientMessage::Shares(shares) => {
                self.once("a share root", shares.share_root.root, context);
                self.once("a self commitment", shares.share_root.self_commitment, context);
            }
            ClientMessage::Chunk(chunk) => {
                self.says(member, "chunk", round_id, chunk.index, frame);
                let place = digest(&[&context, &chunk.index.to_be_bytes()]);
                self.chunk_leaves(member, manifest, chunk, place);
                if disk.durable(record::SPENT, &round_id).is_none() {
                    self.violation("durable", format!("member {member} sends masked bytes uncharged"));
                }
            }
            ClientMessage::UploadEnd(end) => {
                self.says(member, "upload end", round_id, 0, frame);
                if let Ok(anchor) = end.noise_anchor.as_slice().try_into() {
                    self.once("a chain of noise seeds", anchor, context);
                }
            }
            ClientMessage::Agreement(_) => {
                self.head_grows(member, disk);
                self.says(member, "agreement", round_id, 0, frame);
                if disk.durable(record::SIGNED, &round_id).is_none() {
                    self.violation(
                        "durable",
                        format!("member {member} sends a signature that it may forget"),
                    );
                }
            }
            ClientMessage::Draws(_) => {
                self.head_grows(member, disk);
                self.says(member, "draws", round_id, 0, frame);
                if disk.durable(record::SIGNERS, &round_id).is_none() {
                    self.violation(
                        "durable",
                        format!("member {member} draws from a list that it may forget"),
                    );
                }
            }
            ClientMessage::Reveal(reveal) => {
                self.head_grows(member, disk);
                self.says(member, "reveal", round_id, 0, frame);
                self.seed_leaves(member, manifest, reveal.noise_seed.as_slice());
                for share in reveal.shares.as_slice() {
                    self.says(member, "share", *manifest, u32::from(share.dealer), &share.value);
                }
                let shown = self.rounds.get(manifest).and_then(|seen| seen.shown.get(&member));
                let kept = disk
                    .durable(record::HEAD, b"")
                    .and_then(|bytes| record::decode_head(&bytes));
                let shown = shown.copied().unwrap_or(0);
                if kept.is_none_or(|head| head.size < shown) {
                    self.violation(
                        "durable",
                        format!("member {member} cosigns a head that it may forget"),
                    );
                }
            }
            _ => {}
        }
    }

    fn advertised(&mut self, context: &Hash, advertise: &Advertise) {
        // A new process may advertise again in an attempt that it has not masked for, with new values.
        let context = digest(&[context, &advertise.signature]);
        self.once("a nonce", advertise.nonce, context);
        self.once("a mask key", advertise.mask_key, context);
        self.once("a share key", advertise.share_key, context);
    }

    /// A chunk is out: its mask, which is what it differs by from the integers in it, was never used before.
    fn chunk_leaves(&mut self, member: usize, manifest: &Hash, chunk: &UploadChunk, context: Hash) {
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        seen.uploaded.insert(member);
        let (bits, size) = (seen.manifest.bits(), seen.manifest.fields().chunk as usize);
        let start = size.saturating_mul(chunk.index as usize);
        let encoded = seen.encoded.get(&member).and_then(|values| values.get(start..));
        let Some(encoded) = encoded.filter(|values| !values.is_empty()) else {
            let text = format!("member {member} sends chunk {} of nothing", chunk.index);
            return self.violation("chunk", text);
        };
        let integers = RingVector::from_signed(bits, encoded.get(..size).unwrap_or(encoded));
        let length = integers.len();
        let mut mask = RingVector::zeros(bits, length);
        if mask.unpack_into(0, length, chunk.packed.as_slice()).is_err()
            || mask.sub_assign(&integers).is_err()
        {
            let text = format!("member {member} sends a chunk of the wrong size");
            return self.violation("chunk", text);
        }
        self.once("a mask", digest(&[&mask.pack(0..length)]), context);
    }

    /// Whatever the server shows, the head that a member keeps never goes back, and never becomes another of its size (G4).
    fn head_grows(&mut self, member: usize, disk: &Disk) {
        let kept = disk.durable(record::HEAD, b"");
        let Some(head) = kept.and_then(|bytes| record::decode_head(&bytes)) else {
            return;
        };
        let (size, root) = (head.size, head.root);
        let before = self.heads.insert(member, (size, root));
        if let Some((old, was)) = before
            && (size < old || (size == old && root != was))
        {
            self.violation(
                "head",
                format!("member {member} kept a head of {old} entries, now one of {size}"),
            );
        }
    }

    /// A value that may be used in one place only.
    fn once(&mut self, what: &'static str, value: Hash, context: Hash) {
        let first = *self.once.entry((what, value)).or_insert(context);
        if first != context {
            self.violation("once", format!("{what} was used a second time"));
        }
    }

    /// A slot that has one content, however often it is said.
    pub(super) fn says(&mut self, member: usize, what: &'static str, scope: Hash, slot: u32, content: &[u8]) {
        let content = digest(&[content]);
        let first = *self.said.entry((member, what, scope, slot)).or_insert(content);
        if first != content {
            self.violation(
                "once",
                format!("member {member} gave a second {what} in one attempt"),
            );
        }
    }

    /// The server hands a frame to the network; what its disk holds at this moment is what a crash would leave of it.
    pub fn hub_sends(&mut self, message: &ServerMessage, frame: &[u8], disk: &Disk) {
        if let Some(what) = self.canaries.in_bytes(frame) {
            self.violation("canary", format!("{what} shows in a {}", message.name()));
        }
        if !self.server_is_honest() {
            return;
        }
        let needs = match message {
            // The reserve stands behind the head that the manifest names.
            ServerMessage::Invitation(invitation) => {
                let context = digest(&[&invitation.signature]);
                self.once("a round id", invitation.manifest.round_id, context);
                invitation.manifest.ledger_size + 1
            }
            ServerMessage::Reveal(request) => size_of(request.checkpoint.as_slice()),
            ServerMessage::Sampled(sampled) => size_of(sampled.request.checkpoint.as_slice()),
            ServerMessage::Outcome(outcome) => {
                self.outcome_stands(outcome.outcome.bytes.as_slice(), disk);
                size_of(outcome.checkpoint.as_slice())
            }
            ServerMessage::Abort(abort) => {
                self.output(&abort.text());
                return;
            }
            _ => return,
        };
        let ledger = disk.file(&format!("{}/checkpoint", desk::LEDGER));
        let database = disk.durable(desk::HEAD, b"");
        for (place, head) in [("ledger", ledger), ("database", database)] {
            let has = head.map_or(0, |bytes| size_of(&bytes));
            if has < needs {
                self.violation(
                    "durable",
                    format!(
                        "a {} needs {needs} entries, the {place} holds {has}",
                        message.name()
                    ),
                );
            }
        }
    }

    /// The model that an outcome names is durable before anybody hears of it.
    fn outcome_stands(&mut self, bytes: &[u8], disk: &Disk) {
        let Ok(tacita_ledger::Entry::Outcome(outcome)) = tacita_ledger::Entry::decode(bytes) else {
            return;
        };
        self.outcome_keeps(&outcome);
        let model = format!("{}/{}", desk::MODELS, outcome.model_digest);
        if disk.file(&model).is_none() {
            self.violation("durable", "an outcome names a model that is not on disk");
        }
    }
}

fn size_of(note: &[u8]) -> u64 {
    SignedCheckpoint::parse_unverified(note).map_or(0, |signed| signed.checkpoint().size)
}

fn digest(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
