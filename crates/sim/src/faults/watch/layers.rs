//! Checkers of noise with layers: a member reveals one seed a round, that of the first layer which is surplus for the S that
//! it signed, and what a sum keeps is never under V (G5, TAC-063, TAC-064).

use std::collections::{BTreeMap, BTreeSet};

use tacita_algebra::RingVector;
use tacita_ledger::entry::Outcome;
use tacita_privacy::SurplusSeed;
use tacita_protocol::Hash;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::ClientMessage;

use super::Watch;
use crate::faults::machines::hex;
use crate::secrets;

/// What was seen of the layers of one attempt, by member.
#[derive(Default)]
pub(super) struct Layers {
    /// The seeds of its layers, which the world knows because it can draw them again.
    chains: BTreeMap<usize, Vec<Hash>>,
    /// How many are in the S that it signed.
    signed: BTreeMap<usize, u32>,
    /// The end of its chain, as its upload states it.
    anchors: BTreeMap<usize, Hash>,
    /// The seed that it revealed.
    revealed: BTreeMap<usize, Hash>,
}

impl Layers {
    /// What any member says, honest or not: the sum rests on it.
    pub(super) fn hear(&mut self, member: usize, message: &ClientMessage) {
        let (known, bytes) = match message {
            ClientMessage::UploadEnd(end) => (&mut self.anchors, end.noise_anchor.as_slice()),
            ClientMessage::Reveal(reveal) => (&mut self.revealed, reveal.noise_seed.as_slice()),
            _ => return,
        };
        if let Ok(hash) = Hash::try_from(bytes) {
            known.insert(member, hash);
        }
    }
}

/// What an honest server came to.
pub struct Came<'a> {
    /// U2, as members of the cast.
    pub survivors: &'a [usize],
    /// Those that revealed.
    pub answered: &'a [usize],
    /// Those of them that are blamed for the seed of their surplus.
    pub seedless: &'a BTreeSet<usize>,
    /// The integers of the sum.
    pub values: &'a [i64],
    /// The variance that the server states, in units of 2^-16.
    pub noise_variance_q16: u128,
}

impl Watch {
    /// A member drew noise with layers: the seed of the first, from which those of the others follow. None may be seen until
    /// S is signed, and then that of the first surplus layer alone.
    pub fn drew_layers(&mut self, member: usize, manifest: &Hash, first: Hash) {
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        let chain = secrets::chain(&seen.manifest, first);
        for seed in &chain {
            self.canaries.add(secrets::LAYER, seed);
        }
        seen.layers.chains.insert(member, chain);
    }

    /// A member is about to sign an S of this size: from now on the seed of the first layer that is surplus for it may leave.
    pub(super) fn signs(&mut self, member: usize, manifest: &Hash, survivors: u32) {
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        seen.layers.signed.insert(member, survivors);
        let chain = seen.layers.chains.get(&member).map_or(&[][..], Vec::as_slice);
        if let Some(seed) = secrets::surplus(&seen.manifest, chain, survivors) {
            self.canaries.forgive(seed);
        }
    }

    /// A seed leaves an honest member.
    pub(super) fn seed_leaves(&mut self, member: usize, manifest: &Hash, revealed: &[u8]) {
        let Some(seen) = self.rounds.get(manifest) else {
            return;
        };
        let signed = seen.layers.signed.get(&member).copied();
        let fits = signed.is_some_and(|survivors| match surplus_of(&seen.manifest, survivors) {
            None => revealed.is_empty(),
            Some(_) => seen.seed_of(member, survivors).is_some(),
        });
        if !fits {
            let text = format!("member {member} reveals a seed for another S than it signed: {signed:?}");
            self.violation("seed", text);
        }
    }

    /// An honest server came to a sum: it is the plain one less the surplus of those that revealed it, and the noise in it is
    /// what the server states.
    pub fn sum(&mut self, manifest: &Hash, came: &Came<'_>) {
        self.sums += 1;
        let Some(seen) = self.rounds.get(manifest) else {
            return;
        };
        let mut plain = vec![0i64; came.values.len()];
        for member in came.survivors {
            let Some(encoded) = seen.encoded.get(member) else {
                self.violation("sum", format!("member {member} is in a sum and masked nothing"));
                return;
            };
            for (total, value) in plain.iter_mut().zip(encoded) {
                *total = total.wrapping_add(*value);
            }
        }
        let fields = seen.manifest.fields();
        let survivors = u32::try_from(came.survivors.len()).unwrap_or(u32::MAX);
        let share = u128::from(fields.share_variance_q16);
        let (mut kept, mut removed) = (share, 0u128);
        if let Some(keeps) = surplus_of(&seen.manifest, survivors) {
            let mut ring = RingVector::from_signed(seen.manifest.bits(), &plain);
            kept = u128::from(keeps);
            for member in came
                .answered
                .iter()
                .filter(|member| !came.seedless.contains(member))
            {
                let taken = seen
                    .seed_of(*member, survivors)
                    .is_some_and(|seed| seed.remove_at(0, ring.words_mut()).is_ok());
                if !taken {
                    let text = format!("member {member} revealed no seed, and is not named for it");
                    self.violation("seed", text);
                    return;
                }
                removed += 1;
            }
            ring.reduce();
            plain = ring.to_signed();
            self.surplus += u64::from(removed > 0);
        }
        let (all, honest) = (
            u128::from(survivors),
            u128::from(survivors.saturating_sub(fields.colluders.into())),
        );
        let planned = u128::from(fields.total_variance_q16);
        let stated = kept * removed + share * all.saturating_sub(removed);
        if plain != came.values {
            self.violation(
                "sum",
                format!("the sum of {:?} is not the plain one", came.survivors),
            );
        }
        if stated != came.noise_variance_q16 || kept * honest < planned {
            let text = format!(
                "of {all} survivors {removed} keep {kept}, the others {share}; stated is {}, planned {planned}",
                came.noise_variance_q16
            );
            self.violation("noise", text);
        }
    }

    /// What an honest server publishes: whatever c of the survivors did not add, V is left (G3).
    pub(super) fn outcome_keeps(&mut self, outcome: &Outcome) {
        let fields = self
            .rounds
            .values()
            .map(|seen| seen.manifest.fields())
            .find(|fields| hex(&fields.round_id) == outcome.round_id);
        let Some(fields) = fields else { return };
        let stated: u128 = outcome.noise_variance_q16.parse().unwrap_or(0);
        let survivors = u128::from(outcome.survivor_count);
        let honest = survivors.saturating_sub(fields.colluders.into());
        let planned = u128::from(fields.total_variance_q16);
        if stated.saturating_mul(honest) < planned.saturating_mul(survivors) {
            let text = format!("an outcome of {survivors} survivors states {stated}, planned is {planned}");
            self.violation("noise", text);
        }
    }
}

impl super::Seen {
    /// The seed that a member revealed, if it is that of the first surplus layer among so many survivors, of its own chain.
    fn seed_of(&self, member: usize, survivors: u32) -> Option<SurplusSeed> {
        let noise = self.manifest.noise();
        let (revealed, anchor) = (
            self.layers.revealed.get(&member)?,
            self.layers.anchors.get(&member)?,
        );
        SurplusSeed::check(revealed, survivors, noise.levels()?, anchor)
    }
}

/// What each keeps among so many survivors, if anything is surplus.
fn surplus_of(manifest: &CheckedManifest, survivors: u32) -> Option<u64> {
    let noise = manifest.noise();
    let levels = noise.levels()?;
    levels.first_surplus(survivors)?;
    Some(levels.kept_variance_q16(survivors))
}
