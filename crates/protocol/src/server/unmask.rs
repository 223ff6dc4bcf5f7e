//! Step 9: from shares to the sum. [`UnmaskedSum`] has one constructor, at the end of this file's walk.

use std::collections::HashMap;

use rayon::prelude::*;
use sha2::{Digest as _, Sha256};
use tacita_algebra::shamir::Interpolator;
use tacita_algebra::{RingVector, SecretScalar, WordsMut};
use tacita_ledger::checkpoint::Cosignature;
use tacita_privacy::SurplusSeed;

use super::Revealing;
use crate::Hash;
use crate::bitmap::Bitmap;
use crate::keys::{Binding, End, MaskSecret, PairSecret, SelfSecret};
use crate::manifest::CheckedManifest;
use crate::mask::{self, Mask, Sign};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::sharing::abscissa;

/// The sum of the survivors' masked vectors: uniform to everyone without the masks.
pub(super) struct MaskedSum {
    pub(super) sum: RingVector,
    /// By roster index: the end of the chain of seeds by which a survivor's surplus noise can be drawn again.
    pub(super) anchors: Vec<Option<Hash>>,
}

/// The exact ring sum over U2.
pub struct UnmaskedSum {
    vector: RingVector,
    survivors: Bitmap,
    answered: Bitmap,
    cosignatures: Vec<Cosignature>,
    blamed: Vec<Refusal>,
    noise_variance_q16: u128,
    surplus_removed: usize,
}

impl UnmaskedSum {
    /// Survivors whose surplus noise was taken off: without any the vector is the sum of what they masked.
    #[must_use]
    pub fn surplus_removed(&self) -> usize {
        self.surplus_removed
    }

    /// Variance of the noise left in each coordinate by members who follow the protocol, in units of 2^-16: what U2 added,
    /// less the surplus that was taken off. At least as much as planned, whoever answered.
    #[must_use]
    pub fn noise_variance_q16(&self) -> u128 {
        self.noise_variance_q16
    }

    /// The sum.
    #[must_use]
    pub fn vector(&self) -> &RingVector {
        &self.vector
    }

    /// SHA-256 of the packed sum, made without packing it whole.
    #[must_use]
    pub fn digest(&self) -> Hash {
        // A multiple of eight coordinates fills whole bytes, of whatever width they are.
        const PIECE: usize = 1 << 16;
        let mut hasher = Sha256::new();
        for start in (0..self.vector.len()).step_by(PIECE) {
            hasher.update(self.vector.pack(start..start.saturating_add(PIECE)));
        }
        hasher.finalize().into()
    }

    /// U2.
    #[must_use]
    pub fn survivors(&self) -> &Bitmap {
        &self.survivors
    }

    /// Members that revealed.
    #[must_use]
    pub fn responders(&self) -> u16 {
        self.answered.count()
    }

    /// Which members those are.
    #[must_use]
    pub fn answered(&self) -> &Bitmap {
        &self.answered
    }

    /// Cosignatures of the checkpoint that holds the charge.
    #[must_use]
    pub fn cosignatures(&self) -> &[Cosignature] {
        &self.cosignatures
    }

    /// Members that revealed a share other than the committed one.
    #[must_use]
    pub fn blamed(&self) -> &[Refusal] {
        &self.blamed
    }
}

/// Interpolators by holder set: on the complete graph all dealers share one.
struct Interpolators {
    threshold: usize,
    known: HashMap<Vec<u16>, Interpolator>,
}

impl Interpolators {
    fn rebuild(&mut self, round: &Revealing, dealer: u16) -> Result<SecretScalar, RoundError> {
        let held = round
            .shares
            .get(usize::from(dealer))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let Some(enough) = held.get(..self.threshold) else {
            let suspect = round.suspects.iter().filter(|(d, _)| *d == dealer).count();
            let of_dealer =
                |b: &&Refusal| matches!(b, Refusal::ShareCommitment { dealer: d, .. } if *d == dealer);
            let wrong = round.blamed.iter().filter(of_dealer).count();
            return Err(Abort::TooFewShares {
                dealer,
                name: name_of(round, dealer),
                have: u16::try_from(held.len()).unwrap_or(u16::MAX),
                need: round.manifest.threshold(),
                wrong: u16::try_from(wrong).unwrap_or(u16::MAX),
                suspect: u16::try_from(suspect).unwrap_or(u16::MAX),
            }
            .into());
        };
        let holders: Vec<u16> = enough.iter().map(|(holder, _)| abscissa(*holder)).collect();
        let algebra = |e: tacita_algebra::AlgebraError| Misuse::Algebra(e.to_string());
        if !self.known.contains_key(&holders) {
            self.known
                .insert(holders.clone(), Interpolator::new(&holders).map_err(algebra)?);
        }
        let values: Vec<&SecretScalar> = enough.iter().map(|(_, value)| value).collect();
        let interpolator = self.known.get(&holders).ok_or(Misuse::Argument("interpolator"))?;
        Ok(interpolator.reconstruct(&values).map_err(algebra)?)
    }
}

fn name_of(round: &Revealing, index: u16) -> String {
    round
        .roster
        .member(index)
        .map(|m| m.certificate.name.to_string())
        .unwrap_or_default()
}

pub(super) fn unmask(mut round: Revealing) -> Result<UnmaskedSum, RoundError> {
    // The order in which answers came in decides nothing: shares by rising holder.
    round
        .shares
        .iter_mut()
        .for_each(|held| held.sort_by_key(|(holder, _)| *holder));
    let manifest = round.manifest.clone();
    let digest = manifest.digest();
    let root = *round.roster.root();
    let mut interpolators = Interpolators {
        threshold: usize::from(manifest.threshold()),
        known: HashMap::new(),
    };
    let mut masks: Vec<Mask> = Vec::new();
    let dishonest = |round: &Revealing, dealer: u16| Abort::DishonestDealer {
        dealer,
        name: name_of(round, dealer),
    };

    for dealer in round.sharers.sharers().indices() {
        let published = round
            .sharers
            .root(dealer)
            .ok_or(Misuse::Argument("sharer without a root"))?;
        let advertise = round
            .roster
            .advertise(dealer)
            .ok_or(Misuse::Argument("sharer without keys"))?;
        let secret = interpolators.rebuild(&round, dealer)?;
        if round.survivors.contains(dealer) {
            let secret = SelfSecret(secret);
            if secret.commitment(digest, &root, dealer) != published.self_commitment {
                return Err(dishonest(&round, dealer).into());
            }
            masks.push(Mask::new(&secret.stream_key(digest, &root), Sign::Minus));
            continue;
        }
        // A drop-out: every survivor next to it carries one of its pair masks.
        let secret = MaskSecret(secret);
        let key = secret.key(digest)?;
        let kem_key = secret.kem_key(digest, manifest.key_agreement());
        if *key.public() != advertise.mask_key || kem_key.public() != advertise.mask_kem_key.as_slice() {
            return Err(dishonest(&round, dealer).into());
        }
        let own = end(&round, dealer)?;
        let binding = Binding {
            manifest: digest,
            model: &manifest.fields().model_digest,
            roster: &root,
        };
        for neighbour in round.roster.neighbours(dealer) {
            if !round.survivors.contains(neighbour) {
                continue;
            }
            let theirs = end(&round, neighbour)?;
            let shared = key.agree(theirs.mask_key).ok_or(Refusal::WeakKey(neighbour))?;
            // Whoever has the smaller fingerprint made the pair's ciphertext. The drop-out's own is made again, and must be
            // the one that it dealt; the survivor's is opened.
            let made = round.sharers.mask_ciphertext(dealer, neighbour)?;
            let (ciphertext, kem) = if made.is_empty() {
                let theirs = round.sharers.mask_ciphertext(neighbour, dealer)?;
                let opened = kem_key.decapsulate(&theirs);
                (theirs, opened.ok_or(Misuse::Argument("mask ciphertext"))?)
            } else {
                let again = secret.encapsulate(digest, &root, theirs.fingerprint, theirs.mask_kem_key)?;
                if again.0 != made {
                    return Err(dishonest(&round, dealer).into());
                }
                again
            };
            let secret = PairSecret {
                shared: &shared,
                kem: &kem,
                ciphertext: &ciphertext,
            };
            let pair = binding.pair_key(&secret, own, theirs);
            masks.push(Mask::new(&pair, Sign::of_pair(neighbour, dealer).opposite()));
        }
    }
    let mut vector = round.masked.sum;
    mask::apply(&mut vector, 0, &masks)?;
    let noise_variance_q16 = remaining_variance(&manifest, &round.survivors, round.surplus.len());
    remove_surplus(&mut vector, &round.surplus)?;
    Ok(UnmaskedSum {
        vector,
        survivors: round.survivors,
        answered: round.answered,
        cosignatures: round.cosignatures,
        blamed: round.blamed,
        noise_variance_q16,
        surplus_removed: round.surplus.len(),
    })
}

/// K_l of each survivor whose surplus is taken off, the whole share of each other.
fn remaining_variance(manifest: &CheckedManifest, survivors: &Bitmap, revealed: usize) -> u128 {
    let noise = manifest.noise();
    let survivors = u32::from(survivors.count());
    let whole = u128::from(survivors).saturating_sub(revealed as u128);
    let kept = u128::from(noise.kept_variance_q16(survivors));
    u128::from(noise.variance_q16())
        .saturating_mul(whole)
        .saturating_add(kept.saturating_mul(revealed as u128))
}

/// Takes surplus noise off again, a piece of the sum at a time on all cores: a piece stays in the cache for all survivors.
fn remove_surplus(vector: &mut RingVector, seeds: &[SurplusSeed]) -> Result<(), Misuse> {
    const PIECE: usize = 4 * SurplusSeed::ALIGNMENT;
    if seeds.is_empty() {
        return Ok(());
    }
    let wrong = |_| Misuse::Argument("surplus noise");
    match vector.words_mut() {
        WordsMut::Narrow(words) => words
            .par_chunks_mut(PIECE)
            .enumerate()
            .try_for_each(|(i, words)| {
                let mut each = seeds.iter();
                each.try_for_each(|seed| seed.remove_at(i * PIECE, WordsMut::Narrow(words)).map_err(wrong))
            })?,
        WordsMut::Wide(words) => words
            .par_chunks_mut(PIECE)
            .enumerate()
            .try_for_each(|(i, words)| {
                let mut each = seeds.iter();
                each.try_for_each(|seed| seed.remove_at(i * PIECE, WordsMut::Wide(words)).map_err(wrong))
            })?,
    }
    vector.reduce();
    Ok(())
}

fn end(round: &Revealing, index: u16) -> Result<End<'_>, Misuse> {
    let missing = Misuse::Argument("index outside the roster");
    let member = round.roster.member(index).ok_or(missing.clone())?;
    let advertise = round.roster.advertise(index).ok_or(missing)?;
    Ok(End {
        index,
        mask_key: &advertise.mask_key,
        mask_kem_key: advertise.mask_kem_key.as_slice(),
        fingerprint: &member.certificate.fingerprint,
    })
}
