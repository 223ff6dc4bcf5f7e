//! Checkers of what leaves a machine: one-time values, what must be durable before it, secrets in the clear.

use tacita_ledger::SignedCheckpoint;
use tacita_protocol::Hash;
use tacita_protocol::messages::{ClientMessage, ServerMessage, UploadChunk};

use super::Watch;
use crate::faults::desk;
use crate::faults::disk::Disk;
use crate::faults::record;
use crate::once::digest;

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
        if let ClientMessage::Reveal(reveal) = message {
            for share in reveal.shares.as_slice() {
                self.canaries.forgive(&share.value);
            }
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
        self.once.leaves(member, &seen.manifest, message, frame);
        self.judge();
        match message {
            ClientMessage::Chunk(chunk) => {
                self.chunk_leaves(member, manifest, chunk);
                if disk.durable(record::SPENT, &round_id).is_none() {
                    self.violation("durable", format!("member {member} sends masked bytes uncharged"));
                }
            }
            ClientMessage::Agreement(_) => {
                self.head_grows(member, disk);
                if disk.durable(record::SIGNED, &round_id).is_none() {
                    self.violation(
                        "durable",
                        format!("member {member} sends a signature that it may forget"),
                    );
                }
            }
            ClientMessage::Draws(_) => {
                self.head_grows(member, disk);
                if disk.durable(record::SIGNERS, &round_id).is_none() {
                    self.violation(
                        "durable",
                        format!("member {member} draws from a list that it may forget"),
                    );
                }
            }
            ClientMessage::Reveal(reveal) => {
                self.head_grows(member, disk);
                self.seed_leaves(member, manifest, reveal.noise_seed.as_slice());
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

    /// A chunk is out, under a mask of its own.
    fn chunk_leaves(&mut self, member: usize, manifest: &Hash, chunk: &UploadChunk) {
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        seen.uploaded.insert(member);
        let encoded = seen.encoded.get(&member).map_or(&[][..], Vec::as_slice);
        self.once.masks(member, &seen.manifest, chunk, encoded);
        self.judge();
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
                self.once
                    .value("a round id", invitation.manifest.round_id, context);
                self.judge();
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
