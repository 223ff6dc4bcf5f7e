//! Dishonest members: what each kind does to the messages that its honest machine would send.

use tacita_protocol::Hash;
use tacita_protocol::messages::{ClientMessage, Reveal};

use super::chance::Chance;
use crate::cast::CastMember;
use crate::forge;

/// What a dishonest member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Villain {
    /// Follows the protocol, and tells the server all it knows.
    Informs,
    /// Seals boxes that do not open.
    SpoilsBoxes,
    /// Commits to another self-mask secret than it deals.
    DealsAnotherSecret,
    /// Commits to another share tree than that of its boxes.
    CommitsToAnotherTree,
    /// Reveals shares other than those committed to.
    RevealsWrongShares,
    /// Signs nonsense.
    SignsNonsense,
    /// Sends garbage among its messages.
    SendsGarbage,
}

impl Villain {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Informs,
        Self::SpoilsBoxes,
        Self::DealsAnotherSecret,
        Self::CommitsToAnotherTree,
        Self::RevealsWrongShares,
        Self::SignsNonsense,
        Self::SendsGarbage,
    ];
}

/// What a dishonest member needs to forge: who it is, and which round and roster it is in.
pub struct Standing<'a> {
    /// Its key and certificate.
    pub own: &'a CastMember,
    /// Manifest digest.
    pub manifest: Hash,
    /// Roster root and own index, once there is a roster.
    pub roster: Option<(Hash, u16)>,
}

/// The frames that leave in place of `message`.
pub fn bend(
    villain: Villain,
    standing: &Standing<'_>,
    message: &ClientMessage,
    chance: &mut Chance,
) -> Vec<Vec<u8>> {
    let mut bent = message.clone();
    match (villain, &mut bent) {
        (Villain::SpoilsBoxes, ClientMessage::Shares(shares)) => {
            let mut boxes = shares.boxes.as_slice().to_vec();
            // Mostly a few: so many that no sum can be had shows less.
            let spoilt = if chance.hits(700) {
                chance.between(1, 2)
            } else {
                chance.below(boxes.len() as u64 + 1)
            };
            let spoilt = usize::try_from(spoilt).unwrap_or(usize::MAX);
            for at in chance.sample(boxes.len(), spoilt) {
                if let Some(sealed) = boxes.get_mut(at) {
                    let mut ciphertext = sealed.ciphertext.as_slice().to_vec();
                    chance.corrupt(&mut ciphertext);
                    sealed.ciphertext = ciphertext.into();
                }
            }
            shares.boxes = boxes.into();
        }
        (Villain::DealsAnotherSecret | Villain::CommitsToAnotherTree, ClientMessage::Shares(shares)) => {
            if let Some((roster, index)) = &standing.roster {
                let (mut root, mut commitment) = (shares.share_root.root, shares.share_root.self_commitment);
                if villain == Villain::DealsAnotherSecret {
                    commitment[0] ^= 1;
                } else {
                    root[0] ^= 1;
                }
                let key = &standing.own.key;
                shares.share_root =
                    forge::share_root(key, &standing.manifest, roster, *index, root, commitment);
            }
        }
        (Villain::RevealsWrongShares, ClientMessage::Reveal(reveal)) => spoil_shares(reveal, chance),
        (Villain::SignsNonsense, ClientMessage::Agreement(agreement)) => agreement.signature[7] ^= 1,
        (Villain::SignsNonsense, ClientMessage::UploadEnd(end)) if chance.hits(300) => {
            end.signature[7] ^= 1;
        }
        (Villain::SendsGarbage, _) => {
            let mut frames = vec![message.encode().unwrap_or_default()];
            for _ in 0..chance.between(0, 2) {
                let mut frame = message.encode().unwrap_or_default();
                match chance.below(3) {
                    0 => chance.corrupt(&mut frame),
                    1 => frame.truncate(chance.index(frame.len() + 1)),
                    _ => {
                        frame = (0..chance.between(0, 200))
                            .map(|_| chance.below(256) as u8)
                            .collect()
                    }
                }
                let at = chance.index(frames.len() + 1);
                frames.insert(at, frame);
            }
            return frames;
        }
        _ => {}
    }
    // A message of its own always encodes.
    vec![bent.encode().unwrap_or_default()]
}

fn spoil_shares(reveal: &mut Reveal, chance: &mut Chance) {
    let mut shares = reveal.shares.as_slice().to_vec();
    for share in &mut shares {
        if chance.hits(700) {
            share.value[0] ^= 1;
        }
    }
    reveal.shares = shares.into();
}
