//! Step 9: from shares to the sum. [`UnmaskedSum`] has one constructor, at the end of this file's walk.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use tacita_algebra::shamir::Interpolator;
use tacita_algebra::{RingVector, SecretScalar};
use tacita_ledger::checkpoint::Cosignature;

use super::Revealing;
use crate::Hash;
use crate::bitmap::Bitmap;
use crate::keys::{Binding, End, MaskSecret, PairSecret, SelfSecret};
use crate::mask::{self, Mask, Sign};
use crate::refusal::{Abort, Misuse, Refusal, RoundError};
use crate::sharing::abscissa;

/// The sum of the survivors' masked vectors: uniform to everyone without the masks.
pub(super) struct MaskedSum {
    pub(super) sum: RingVector,
}

/// The exact ring sum over U2.
pub struct UnmaskedSum {
    vector: RingVector,
    survivors: Bitmap,
    answered: Bitmap,
    cosignatures: Vec<Cosignature>,
    blamed: Vec<Refusal>,
}

impl UnmaskedSum {
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
            return Err(Abort::TooFewShares {
                dealer,
                name: name_of(round, dealer),
                have: u16::try_from(held.len()).unwrap_or(u16::MAX),
                need: round.manifest.threshold(),
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
        let dealt = round
            .sharers
            .dealt(dealer)
            .ok_or(Misuse::Argument("sharer without a dealing"))?;
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
            let made = dealt.mask_ciphertext(neighbour);
            let (ciphertext, kem) = if made.is_empty() {
                let theirs = round
                    .sharers
                    .dealt(neighbour)
                    .map_or(&[][..], |d| d.mask_ciphertext(dealer));
                let opened = kem_key.decapsulate(theirs);
                (
                    theirs.to_vec(),
                    opened.ok_or(Misuse::Argument("mask ciphertext"))?,
                )
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
    Ok(UnmaskedSum {
        vector,
        survivors: round.survivors,
        answered: round.answered,
        cosignatures: round.cosignatures,
        blamed: round.blamed,
    })
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
