//! One-time values: what may be seen in one place only, and what has one content however often it is said (G5).

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use tacita_algebra::RingVector;
use tacita_protocol::Hash;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, UploadChunk};

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Once {
    /// Values, and where each was first seen.
    first: HashMap<(&'static str, Hash), Hash>,
    /// What a member said in a slot that has one content.
    said: HashMap<(usize, &'static str, Hash, u32), Hash>,
    /// The share key that a member last advertised in an attempt.
    keys: HashMap<(usize, Hash), Hash>,
    /// What must not be.
    wrong: Vec<String>,
    /// Whether boxes are passed over, of which there are k n.
    no_boxes: bool,
}

impl Once {
    /// One for cohorts so large that what was in every box does not fit in memory.
    pub fn without_boxes() -> Self {
        Self {
            no_boxes: true,
            ..Self::default()
        }
    }

    /// A member hands a frame to the network, in the attempt of a manifest.
    pub fn leaves(
        &mut self,
        member: usize,
        manifest: &CheckedManifest,
        message: &ClientMessage,
        frame: &[u8],
    ) {
        let (attempt, round_id) = (*manifest.digest(), manifest.fields().round_id);
        let context = digest(&[&attempt, &(member as u64).to_be_bytes()]);
        match message {
            ClientMessage::Advertise(advertise) => {
                // A new process may advertise again in an attempt that it has not masked for, with new values.
                let at = |slot: u8| digest(&[&context, &advertise.signature, &[slot]]);
                self.value("a nonce", advertise.nonce, at(0));
                // One name, so that neither key serves as the other.
                self.value("a key", advertise.mask_key, at(1));
                self.value("a key", advertise.share_key, at(2));
                self.bytes("a KEM key", advertise.mask_kem_key.as_slice(), at(1));
                self.bytes("a KEM key", advertise.share_kem_key.as_slice(), at(2));
                self.keys.insert((member, attempt), advertise.share_key);
            }
            ClientMessage::Shares(shares) => {
                let key = self.keys.get(&(member, attempt)).copied().unwrap_or_default();
                let context = digest(&[&context, &key]);
                self.value("a share root", shares.share_root.root, context);
                self.value("a self commitment", shares.share_root.self_commitment, context);
                // The keys of boxes follow from the share keys, and their nonce is fixed: each seals one plaintext if no
                // share key deals twice.
                if key != Hash::default() {
                    self.says(member, "dealing", key, 0, frame);
                }
                let boxes = if self.no_boxes {
                    &[]
                } else {
                    shares.boxes.as_slice()
                };
                for sealed in boxes {
                    let at = |slot: u8| digest(&[&context, &sealed.peer.to_be_bytes(), &[slot]]);
                    self.bytes("a KEM ciphertext", sealed.mask_ciphertext.as_slice(), at(0));
                    self.bytes("a KEM ciphertext", sealed.share_ciphertext.as_slice(), at(1));
                    self.bytes("a box", sealed.ciphertext.as_slice(), at(2));
                }
            }
            ClientMessage::Chunk(chunk) => self.says(member, "chunk", round_id, chunk.index, frame),
            ClientMessage::UploadEnd(end) => {
                self.says(member, "upload end", round_id, 0, frame);
                self.bytes("a chain of noise seeds", end.noise_anchor.as_slice(), context);
            }
            ClientMessage::Agreement(_) => self.says(member, "agreement", round_id, 0, frame),
            ClientMessage::Draws(_) => self.says(member, "draws", round_id, 0, frame),
            ClientMessage::Reveal(reveal) => {
                self.says(member, "reveal", round_id, 0, frame);
                self.bytes("a noise seed", reveal.noise_seed.as_slice(), context);
                for share in reveal.shares.as_slice() {
                    self.says(member, "share", attempt, u32::from(share.dealer), &share.value);
                }
            }
            _ => {}
        }
    }

    /// A chunk leaves a member that masked these integers: its mask is what it differs by from them.
    pub fn masks(&mut self, member: usize, manifest: &CheckedManifest, chunk: &UploadChunk, encoded: &[i64]) {
        match mask_of(manifest, chunk, encoded) {
            Some(mask) => {
                let (member, index) = ((member as u64).to_be_bytes(), chunk.index.to_be_bytes());
                self.value("a mask", mask, digest(&[manifest.digest(), &member, &index]));
            }
            None => self
                .wrong
                .push(format!("member {member} sends a chunk of the wrong size")),
        }
    }

    /// A value that may be used in one place only.
    pub fn value(&mut self, what: &'static str, value: Hash, context: Hash) {
        let first = *self.first.entry((what, value)).or_insert(context);
        if first != context {
            self.wrong.push(format!("{what} was used a second time"));
        }
    }

    /// The same of bytes of any length; none are none.
    fn bytes(&mut self, what: &'static str, bytes: &[u8], context: Hash) {
        if !bytes.is_empty() {
            self.value(what, digest(&[bytes]), context);
        }
    }

    /// A slot that has one content, however often it is said.
    fn says(&mut self, member: usize, what: &'static str, scope: Hash, slot: u32, content: &[u8]) {
        let content = digest(&[content]);
        let first = *self.said.entry((member, what, scope, slot)).or_insert(content);
        if first != content {
            self.wrong
                .push(format!("member {member} gave a second {what} in one attempt"));
        }
    }

    /// What was wrong since the last call.
    pub fn wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }
}

fn mask_of(manifest: &CheckedManifest, chunk: &UploadChunk, encoded: &[i64]) -> Option<Hash> {
    let size = manifest.fields().chunk as usize;
    let start = size.checked_mul(chunk.index as usize)?;
    let rest = encoded.get(start..).filter(|rest| !rest.is_empty())?;
    let integers = RingVector::from_signed(manifest.bits(), rest.get(..size).unwrap_or(rest));
    let length = integers.len();
    let mut mask = RingVector::zeros(manifest.bits(), length);
    mask.unpack_into(0, length, chunk.packed.as_slice()).ok()?;
    mask.sub_assign(&integers).ok()?;
    Some(digest(&[&mask.pack(0..length)]))
}

/// SHA-256 of the parts, one after the other.
pub(crate) fn digest(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
