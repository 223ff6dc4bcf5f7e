//! A dishonest server's hand on messages: what goes out in place of what its honest machine says. Moves are drawn, not
//! planned: over many seeds they try every message in every state.

use ed25519_dalek::SigningKey;
use tacita_protocol::messages::ServerMessage;

use crate::forge;

use super::chance::Chance;

/// Messages kept for replay.
const KEPT: usize = 200;

/// The hand.
#[derive(Debug, Clone)]
pub struct Meddler {
    /// How often it acts, per thousand messages.
    rate: u64,
    /// What was said before, to whom.
    archive: Vec<(usize, ServerMessage)>,
}

impl Meddler {
    /// Acts on `rate` of a thousand messages.
    pub fn new(rate: u64) -> Self {
        Self {
            rate,
            archive: Vec::new(),
        }
    }

    /// What goes out to `member` in place of `message`, in order.
    pub fn bend(
        &mut self,
        member: usize,
        message: ServerMessage,
        key: &SigningKey,
        chance: &mut Chance,
    ) -> Vec<ServerMessage> {
        if self.archive.len() >= KEPT {
            self.archive.swap_remove(chance.index(KEPT));
        }
        self.archive.push((member, message.clone()));
        if !chance.hits(self.rate) {
            return vec![message];
        }
        match chance.below(8) {
            // Says nothing.
            0 => Vec::new(),
            // Says it twice: asks twice.
            1 => vec![message.clone(), message],
            // Says another thing of the same kind first, or after: two survivor sets, two lists of sharers.
            2 => vec![lie(message.clone(), key, chance), message],
            3 => {
                let other = lie(message.clone(), key, chance);
                vec![message, other]
            }
            4 => vec![lie(message, key, chance)],
            // Replays what it said to this member before, in this round or in another.
            5 => {
                let old: Vec<&ServerMessage> = self
                    .archive
                    .iter()
                    .filter(|(to, _)| *to == member)
                    .map(|(_, message)| message)
                    .collect();
                match chance.pick(&old) {
                    Some(old) => vec![(*old).clone(), message],
                    None => vec![message],
                }
            }
            // Says what was meant for somebody else.
            6 => match chance.pick(&self.archive) {
                Some((_, other)) => vec![message, other.clone()],
                None => vec![message],
            },
            _ => match chance.pick(&self.archive) {
                Some((_, other)) => vec![other.clone()],
                None => vec![message],
            },
        }
    }
}

/// The same message with another content: members resurrected or left out, signers added, proofs and roots changed.
fn lie(message: ServerMessage, key: &SigningKey, chance: &mut Chance) -> ServerMessage {
    let flip = |bytes: &[u8], chance: &mut Chance| {
        let mut bytes = bytes.to_vec();
        for _ in 0..chance.between(1, 2) {
            let at = chance.index(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        bytes
    };
    match message {
        ServerMessage::Agree(mut request) => {
            request.survivors = flip(request.survivors.as_slice(), chance).into();
            ServerMessage::Agree(request)
        }
        ServerMessage::Sharers(mut list) => {
            match chance.below(3) {
                0 => list.sharers = flip(list.sharers.as_slice(), chance).into(),
                1 => list.merkle_root[0] ^= 1,
                // A box that does not open: costs one share, and must not change the masks.
                _ => {
                    let mut boxes = list.boxes.as_slice().to_vec();
                    let at = chance.index(boxes.len());
                    if let Some(sealed) = boxes.get_mut(at) {
                        sealed.ciphertext = flip(sealed.ciphertext.as_slice(), chance).into();
                    }
                    list.boxes = boxes.into();
                }
            }
            ServerMessage::Sharers(list)
        }
        ServerMessage::Reveal(mut request) => {
            match chance.below(3) {
                0 => request.signers = flip(request.signers.as_slice(), chance).into(),
                1 => request.charge.bytes = flip(request.charge.bytes.as_slice(), chance).into(),
                _ => {
                    let mut signatures = request.signatures.as_slice().to_vec();
                    signatures.pop();
                    request.signatures = signatures.into();
                }
            }
            ServerMessage::Reveal(request)
        }
        ServerMessage::Roster(mut roster) => {
            let mut identities = forge::identities(&roster);
            let at = chance.index(identities.len());
            match chance.below(3) {
                0 => drop(identities.pop()),
                1 => {
                    if let Some(identity) = identities.get_mut(at) {
                        identity[31] ^= 1;
                    }
                }
                _ => roster.merkle_root[0] ^= 1,
            }
            roster.identities = identities.concat().into();
            ServerMessage::Roster(roster)
        }
        ServerMessage::Model(bytes) => ServerMessage::Model(flip(bytes.as_slice(), chance).into()),
        ServerMessage::Invitation(mut invitation) => {
            match chance.below(4) {
                0 => invitation.manifest.minimum_survivors ^= 1,
                1 => invitation.manifest.threshold = invitation.manifest.threshold.saturating_sub(1),
                2 => invitation.manifest.model_digest[0] ^= 1,
                _ => invitation.checkpoint = flip(invitation.checkpoint.as_slice(), chance).into(),
            }
            // Signed, so that it is what this server says: another round under the same id.
            if let (true, Ok(signature)) = (chance.hits(800), invitation.manifest.sign(key)) {
                invitation.signature = signature;
            }
            ServerMessage::Invitation(invitation)
        }
        other => other,
    }
}
