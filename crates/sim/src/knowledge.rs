//! What a server with all its colluders could unmask, from nothing but what honest clients sent and colluders hold.
//!
//! An upload is y = x + self mask + pair masks. The server can subtract a self mask if it has t shares of the self-mask
//! secret, a pair mask if it has t shares of either end's mask secret or if one end colludes. Pair masks that stay
//! unknown tie uploads together: only a sum over a whole connected component of such pairs can lose them, and only if
//! every pair is masked from both ends and every self mask in it is known. Those components are what is exposed; G1 says
//! that there is at most one, that it is the honest part of the agreed U2, and that it has at least m - c members.

use std::collections::{BTreeMap, BTreeSet};

use tacita_ledger::tree::verify_inclusion;
use tacita_protocol::messages::{ClientMessage, Reveal, RosterMessage, ShareRoot, SharersMessage, Shares};
use tacita_protocol::{Hash, SecretKind};

use crate::cast::Cast;
use crate::forge;

/// A dealing as the network saw it, and what became known of it.
#[derive(Debug, Clone)]
struct Dealing {
    index: u16,
    share_root: ShareRoot,
    /// Roster indices of the holders, rising, the dealer included on the complete graph.
    holders: Vec<u16>,
}

/// What a member knew and did in the round.
#[derive(Debug, Clone, Default)]
struct Track {
    roster_root: Hash,
    /// Members of the cast by roster index.
    members: Vec<Option<usize>>,
    dealing: Option<Dealing>,
    /// Whom it masked with; `None` before any of its upload left it.
    masked_with: Option<BTreeSet<usize>>,
    /// Members that revealed a share of this one's self-mask secret or its mask secret.
    self_shares: BTreeSet<usize>,
    mask_shares: BTreeSet<usize>,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Knowledge {
    manifest: Hash,
    threshold: usize,
    complete: bool,
    cohort: u16,
    colluders: BTreeSet<usize>,
    tracks: Vec<Track>,
    unclassified: usize,
}

impl Knowledge {
    /// Nothing is known yet of a round among `members` members of the cast.
    pub fn new(
        manifest: Hash,
        threshold: u16,
        complete: bool,
        cohort: u16,
        members: usize,
        colluders: &[usize],
    ) -> Self {
        Self {
            manifest,
            threshold: usize::from(threshold),
            complete,
            cohort,
            colluders: colluders.iter().copied().collect(),
            tracks: vec![Track::default(); members],
            unclassified: 0,
        }
    }

    /// A client accepted a roster and dealt.
    pub fn dealt(&mut self, cast: &Cast, member: usize, roster: &RosterMessage, shares: &Shares) {
        let identities = forge::listed(roster, self.cohort);
        let members: Vec<Option<usize>> = identities
            .iter()
            .map(|identity| cast.number_of(identity))
            .collect();
        let own = members
            .iter()
            .position(|m| *m == Some(member))
            .and_then(|i| u16::try_from(i).ok());
        let complete = self.complete;
        let Some((track, index)) = self.tracks.get_mut(member).zip(own) else {
            return;
        };
        let mut holders: Vec<u16> = shares.boxes.as_slice().iter().map(|b| b.peer).collect();
        if complete {
            holders.push(index);
            holders.sort_unstable();
        }
        track.roster_root = forge::roster_root(&identities, &roster.merkle_root);
        track.members = members;
        track.dealing = Some(Dealing {
            index,
            share_root: shares.share_root.clone(),
            holders,
        });
    }

    /// A client accepted a sharers list and began to upload: one coordinate in the clear is one too many, and what leaves a
    /// member in order hides no set from its first chunk that a later one shows.
    pub fn masked(&mut self, member: usize, sharers: &SharersMessage) {
        let Some(track) = self.tracks.get_mut(member) else {
            return;
        };
        let with = sharers
            .entries
            .as_slice()
            .iter()
            .filter_map(|e| *track.members.get(usize::from(e.index))?);
        track.masked_with = Some(with.filter(|other| *other != member).collect());
    }

    /// A client revealed.
    pub fn revealed(&mut self, holder: usize, reveal: &Reveal) {
        let Some(track) = self.tracks.get(holder).cloned() else {
            return;
        };
        let holder_index = track.members.iter().position(|m| *m == Some(holder));
        for share in reveal.shares.as_slice() {
            let dealer = track.members.get(usize::from(share.dealer)).copied().flatten();
            // A colluder's secrets are the server's anyway, and it deals what it likes.
            if dealer.is_some_and(|dealer| self.colluders.contains(&dealer)) {
                continue;
            }
            let kind = dealer.zip(holder_index).and_then(|(dealer, holder)| {
                let holder = u16::try_from(holder).ok()?;
                let dealing = self.tracks.get(dealer)?.dealing.as_ref()?;
                self.classify(
                    &track.roster_root,
                    dealing,
                    holder,
                    &share.value,
                    share.path.as_slice(),
                )
            });
            match (dealer.and_then(|d| self.tracks.get_mut(d)), kind) {
                (Some(dealer), Some(SecretKind::SelfMask)) => drop(dealer.self_shares.insert(holder)),
                (Some(dealer), Some(SecretKind::Mask)) => drop(dealer.mask_shares.insert(holder)),
                _ => self.unclassified = self.unclassified.saturating_add(1),
            }
        }
    }

    /// Everything at once, for a message that a client sent in answer to a roster or sharers list.
    pub(crate) fn learn(
        &mut self,
        cast: &Cast,
        member: usize,
        roster: Option<&RosterMessage>,
        sharers: Option<&SharersMessage>,
        message: &ClientMessage,
    ) {
        match (message, roster, sharers) {
            (ClientMessage::Shares(shares), Some(roster), _) => self.dealt(cast, member, roster, shares),
            (ClientMessage::Chunk(_) | ClientMessage::UploadEnd(_), _, Some(sharers)) => {
                self.masked(member, sharers);
            }
            (ClientMessage::Reveal(reveal), _, _) => self.revealed(member, reveal),
            _ => {}
        }
    }

    /// Which of the dealer's secrets a share belongs to, by its leaf alone.
    fn classify(
        &self,
        roster: &Hash,
        dealing: &Dealing,
        holder: u16,
        value: &[u8; 32],
        path: &[Hash],
    ) -> Option<SecretKind> {
        let position = dealing.holders.binary_search(&holder).ok()? as u64;
        let size = 4 * dealing.holders.len() as u64;
        [
            (SecretKind::SelfMask, 4 * position),
            (SecretKind::Mask, 4 * position + 1),
        ]
        .into_iter()
        .find_map(|(kind, index)| {
            let leaf = forge::share_leaf(&self.manifest, roster, dealing.index, holder, kind, value);
            verify_inclusion(&leaf, index, size, path, &dealing.share_root.root)
                .ok()
                .map(|()| kind)
        })
    }

    /// Pairs (dealer, holder) of which an honest holder revealed shares of both secrets. Must be empty.
    pub fn double_reveals(&self) -> Vec<(usize, usize)> {
        let both = |(dealer, track): (usize, &Track)| {
            let holders: Vec<usize> = track
                .self_shares
                .intersection(&track.mask_shares)
                .copied()
                .collect();
            holders
                .into_iter()
                .map(move |holder| (dealer, holder))
                .collect::<Vec<_>>()
        };
        self.tracks.iter().enumerate().flat_map(both).collect()
    }

    /// Shares revealed that belong to no dealing. Must be zero unless a client is dishonest.
    pub fn unclassified(&self) -> usize {
        self.unclassified
    }

    /// Members of which the server has t shares of the self-mask secret, t of the mask secret.
    pub fn secrets_known(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let known = |kind: fn(&Track) -> &BTreeSet<usize>| {
            let enough = |(member, track): &(usize, &Track)| {
                self.colluders.contains(member) || self.holders_of(track, kind(track)) >= self.threshold
            };
            self.tracks
                .iter()
                .enumerate()
                .filter(enough)
                .map(|(member, _)| member)
                .collect()
        };
        (known(|t| &t.self_shares), known(|t| &t.mask_shares))
    }

    /// Distinct holders whose share is known: those that revealed it, and every colluding holder.
    fn holders_of(&self, track: &Track, revealed: &BTreeSet<usize>) -> usize {
        let Some(dealing) = &track.dealing else { return 0 };
        let holder = |index: &u16| track.members.get(usize::from(*index)).copied().flatten();
        let colluding = dealing
            .holders
            .iter()
            .filter_map(holder)
            .filter(|h| self.colluders.contains(h));
        revealed
            .iter()
            .copied()
            .chain(colluding)
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// The sets of honest members whose sum the server could compute; smaller sets are not exposed.
    pub fn exposed(&self) -> Vec<BTreeSet<usize>> {
        let (self_known, mask_known) = self.secrets_known();
        let honest: BTreeMap<usize, (&Track, &BTreeSet<usize>)> = self
            .tracks
            .iter()
            .enumerate()
            .filter(|(member, _)| !self.colluders.contains(member))
            .filter_map(|(member, track)| Some((member, (track, track.masked_with.as_ref()?))))
            .collect();
        let unknown = |a: usize, b: usize| {
            !mask_known.contains(&a) && !mask_known.contains(&b) && !self.colluders.contains(&b)
        };
        let two_sided = |a: &Track, member: usize, b: usize| {
            honest
                .get(&b)
                .is_some_and(|(other, with)| with.contains(&member) && other.roster_root == a.roster_root)
        };
        let mut seen = BTreeSet::new();
        let mut exposed = Vec::new();
        for start in honest.keys() {
            if seen.contains(start) {
                continue;
            }
            let (mut component, mut open, mut frontier) = (BTreeSet::new(), true, vec![*start]);
            while let Some(member) = frontier.pop() {
                if !component.insert(member) {
                    continue;
                }
                seen.insert(member);
                open &= self_known.contains(&member);
                let Some((track, with)) = honest.get(&member) else {
                    continue;
                };
                for other in with.iter().copied().filter(|other| unknown(member, *other)) {
                    if two_sided(track, member, other) {
                        frontier.push(other);
                    } else {
                        // A mask on one side only never cancels.
                        open = false;
                    }
                }
            }
            if open {
                exposed.push(component);
            }
        }
        exposed
    }
}
