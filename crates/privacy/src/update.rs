//! The walk of one update through a client, one type a step. Every step consumes the one before.
//!
//! None of these types can be cloned, serialised or printed, and all are wiped when dropped. A skipped or repeated step does
//! not compile:
//!
//! ```compile_fail,E0599
//! # use tacita_privacy::*;
//! fn unclipped(update: LocalUpdate, headroom: &Headroom, rng: &mut impl rand_core::CryptoRng) {
//!     let _ = update.encode(headroom, rng);
//! }
//! ```
//! ```compile_fail,E0599
//! # use tacita_privacy::*;
//! fn without_noise(update: EncodedUpdate) {
//!     let _ = update.dangerous_into_ring();
//! }
//! ```
//! ```compile_fail,E0382
//! # use tacita_privacy::*;
//! fn noised_twice(update: EncodedUpdate, ticket: &mut BudgetTicket, rng: &mut impl rand_core::CryptoRng) {
//!     let _ = update.noise(ticket, rng);
//!     let _ = update.noise(ticket, rng);
//! }
//! ```
//! ```compile_fail,E0599
//! # use tacita_privacy::*;
//! fn charged_twice(ticket: BudgetTicket) -> (BudgetTicket, BudgetTicket) {
//!     (ticket.clone(), ticket)
//! }
//! ```

use core::fmt;

use rand_core::CryptoRng;
use tacita_algebra::{RingVector, WordsMut};
use zeroize::{Zeroize as _, Zeroizing};

use crate::budget::BudgetTicket;
use crate::decimal::Decimal;
use crate::encoding::Encoding;
use crate::headroom::Headroom;
use crate::joint::{Alongside, JointTerms};
use crate::layers::{BLOCK, LayerSeeds, ShareNoise};
use crate::noise::{NoiseError, NoiseShare};
use crate::record::RecordHeadroom;
use crate::rotation::Rotation;
use crate::rounding;

/// Why a vector is not accepted as an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// No values.
    #[error("the update is empty")]
    Empty,
    /// Not a number, or infinite: training has diverged. The place is not named, it depends on the data.
    #[error("the update holds a value that is not finite")]
    NotFinite,
    /// The encoding is for another number of values (extra coordinates included).
    #[error("the update has {got} values, the encoding is for {expected}")]
    Dimension {
        /// What the encoding holds.
        expected: u32,
        /// What the update has.
        got: usize,
    },
}

/// Why a clipped vector is not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The vector was clipped for another clip norm or dimension.
    #[error("the update was clipped for other parameters")]
    ClippedForOther,
    /// No rounding within the sensitivity was found, truncation included. A vector clipped by this crate always has one.
    #[error("no rounding of the update stays within the sensitivity")]
    NormExceeded,
}

/// What a training run produced, unclipped.
pub struct LocalUpdate {
    values: Zeroizing<Vec<f32>>,
    joint: Option<(JointTerms, Wiped)>,
}

/// An update whose whole vector has the clip norm at most (to within float rounding; the exact check comes with the
/// encoding).
pub struct ClippedUpdate {
    values: Zeroizing<Vec<f32>>,
    clip: Decimal,
}

/// An update on the integer grid, its sum of squares checked exactly; not yet noised.
pub struct EncodedUpdate {
    values: Zeroizing<Vec<i32>>,
    encoding: Encoding,
    share: NoiseShare,
    sampling: Option<Decimal>,
}

/// An update that carries this client's noise, as a vector mod 2^b: ready for masking.
pub struct NoisedUpdate {
    ring: RingVector,
    encoding: Encoding,
    share: NoiseShare,
    sampling: Option<Decimal>,
    seeds: Option<LayerSeeds>,
}

impl LocalUpdate {
    /// Takes a vector of model units as is (uniform weights).
    ///
    /// # Errors
    /// [`UpdateError::Empty`], [`UpdateError::NotFinite`].
    pub fn new(values: Vec<f32>) -> Result<Self, UpdateError> {
        // Wrapped first, so that a refused vector is wiped too.
        let values = Zeroizing::new(values);
        if values.is_empty() {
            return Err(UpdateError::Empty);
        }
        if !values.iter().all(|value| value.is_finite()) {
            return Err(UpdateError::NotFinite);
        }
        Ok(Self { values, joint: None })
    }

    /// Takes a vector that travels with extra coordinates; see [`JointTerms`]. What is put beside it is as secret as the
    /// vector.
    ///
    /// # Errors
    /// As [`LocalUpdate::new`].
    pub fn joint(values: Vec<f32>, terms: &JointTerms, beside: Alongside) -> Result<Self, UpdateError> {
        let mut update = Self::new(values)?;
        update.joint = Some((*terms, Wiped(beside)));
        Ok(update)
    }

    /// Scales the vector down to the encoding's clip norm where it is longer; direction kept. An update with
    /// extra coordinates is clipped alone first, then weighted, then clipped jointly with them.
    ///
    /// # Errors
    /// [`UpdateError::Dimension`].
    pub fn clip(mut self, encoding: &Encoding) -> Result<ClippedUpdate, UpdateError> {
        let extra = self.joint.as_ref().map_or(0, |(terms, _)| terms.extra() as usize);
        let got = self.values.len() + extra;
        let expected = encoding.dimension();
        if got != expected as usize {
            return Err(UpdateError::Dimension { expected, got });
        }
        if let Some((terms, Wiped(beside))) = &self.joint {
            let within = scale_to_norm(&mut self.values, terms.update_clip().to_f64());
            let weight = terms.weight(beside);
            // A new allocation of the right size: growing in place could leave an unwiped copy behind.
            let mut joint = Zeroizing::new(Vec::with_capacity(got));
            joint.extend(
                self.values
                    .iter()
                    .map(|&value| (f64::from(value) * weight) as f32),
            );
            joint.extend(
                terms
                    .coordinates(beside, within)
                    .iter()
                    .map(|&value| value as f32),
            );
            self.values = joint;
        }
        scale_to_norm(&mut self.values, encoding.clip().to_f64());
        Ok(ClippedUpdate {
            values: self.values,
            clip: encoding.clip(),
        })
    }
}

/// Scales `values` to norm `limit` if it is longer, and says whether it was not. Norms of finite `f32` vectors cannot overflow an
/// `f64`.
fn scale_to_norm(values: &mut [f32], limit: f64) -> bool {
    let norm = values
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum::<f64>()
        .sqrt();
    if norm <= limit {
        return true;
    }
    let factor = limit / norm;
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
    false
}

/// What travels beside an update, wiped with it.
struct Wiped(Alongside);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.examples.zeroize();
        self.0.figures.loss.zeroize();
        self.0.figures.score.zeroize();
    }
}

impl ClippedUpdate {
    /// Rotates, scales and rounds onto the integer grid of an encoding that is proven not to wrap.
    ///
    /// The result's exact integer sum of squares is at most [`Encoding::squared_l2_sensitivity`], whatever the floats did.
    ///
    /// # Errors
    /// [`EncodeError::ClippedForOther`] if the headroom's encoding has another clip norm or dimension,
    /// [`EncodeError::NormExceeded`] never for a vector clipped by this crate.
    pub fn encode(self, headroom: &Headroom, rng: &mut impl CryptoRng) -> Result<EncodedUpdate, EncodeError> {
        Ok(EncodedUpdate {
            values: self.round(headroom.encoding(), rng)?,
            encoding: headroom.encoding().clone(),
            share: headroom.noise_share(),
            sampling: None,
        })
    }

    /// The integers alone, of one client or of one record.
    pub(crate) fn round(
        self,
        encoding: &Encoding,
        rng: &mut impl CryptoRng,
    ) -> Result<Zeroizing<Vec<i32>>, EncodeError> {
        if self.clip != encoding.clip() || self.values.len() != encoding.dimension() as usize {
            return Err(EncodeError::ClippedForOther);
        }
        let steps = encoding.steps_per_unit();
        let rotation = Rotation::new(encoding.rotation_seed(), encoding.block());
        // Whole blocks at a time: the floats and the integers are held whole, nothing else.
        let scaled = |start: usize, piece: &mut [f64]| {
            let values = self.values.get(start..).unwrap_or_default();
            piece.fill(0.0);
            for (to, from) in piece.iter_mut().zip(values) {
                *to = f64::from(*from) * steps;
            }
            rotation.rotate(start, piece);
        };
        rounding::round_conditionally(
            encoding.padded() as usize,
            rotation.piece(),
            scaled,
            encoding.squared_l2_sensitivity(),
            rng,
        )
        .ok_or(EncodeError::NormExceeded)
    }
}

impl EncodedUpdate {
    /// A vector of integers from a generator instead of training, for harnesses with vectors too long to be made as floats
    /// first. `fill(start, values)` gives the coordinates from `start` on, in order. What privacy rests on holds as for any
    /// other: the sum of squares is checked exactly, and noise is added behind this.
    ///
    /// # Errors
    /// [`EncodeError::NormExceeded`].
    pub fn dangerous_from_integers(
        headroom: &Headroom,
        mut fill: impl FnMut(usize, &mut [i32]),
    ) -> Result<Self, EncodeError> {
        const PIECE: usize = 1 << 16;
        let encoding = headroom.encoding();
        let mut values = Zeroizing::new(vec![0i32; encoding.padded() as usize]);
        let mut total = 0u128;
        for (number, piece) in values.chunks_mut(PIECE).enumerate() {
            fill(number * PIECE, piece);
            let square = |value: &i32| u128::from(value.unsigned_abs()).pow(2);
            total += piece.iter().map(square).sum::<u128>();
        }
        if total > encoding.squared_l2_sensitivity() {
            return Err(EncodeError::NormExceeded);
        }
        Ok(Self {
            values,
            encoding: encoding.clone(),
            share: headroom.noise_share(),
            sampling: None,
        })
    }

    /// The clamped sum of one client's sampled records.
    pub(crate) fn of_records(values: Zeroizing<Vec<i32>>, headroom: &RecordHeadroom) -> Self {
        Self {
            values,
            encoding: headroom.encoding().clone(),
            share: headroom.noise_share(),
            sampling: Some(headroom.terms().sampling()),
        }
    }

    /// Adds this client's share of the noise to every coordinate (padding included) and reduces mod 2^b.
    ///
    /// The ticket must have been reserved for these parameters, and pays for one vector only.
    ///
    /// # Errors
    /// [`NoiseError::TicketMismatch`], [`NoiseError::TicketUsed`], [`NoiseError::TooLarge`].
    pub fn noise(
        mut self,
        ticket: &mut BudgetTicket,
        rng: &mut impl CryptoRng,
    ) -> Result<NoisedUpdate, NoiseError> {
        ticket.spend_on(&self.encoding, &self.share, self.sampling)?;
        let (mut noise, seeds) = ShareNoise::fresh(&self.share, rng)?;
        let mut block = Zeroizing::new(vec![0i64; BLOCK.min(self.values.len())]);
        // The integers' own memory: one vector and a block are all that a client needs from here on.
        let mut ring = RingVector::from_integers(self.encoding.bits(), core::mem::take(&mut *self.values));
        match ring.words_mut() {
            WordsMut::Narrow(words) => {
                for words in words.chunks_mut(BLOCK) {
                    let block = &mut block[..words.len()];
                    for (to, from) in block.iter_mut().zip(&*words) {
                        *to = i64::from(*from as i32);
                    }
                    noise.add_to(block);
                    for (to, from) in words.iter_mut().zip(&*block) {
                        *to = *from as u32;
                    }
                }
            }
            WordsMut::Wide(words) => {
                for words in words.chunks_mut(BLOCK) {
                    let block = &mut block[..words.len()];
                    for (to, from) in block.iter_mut().zip(&*words) {
                        *to = *from as i64;
                    }
                    noise.add_to(block);
                    for (to, from) in words.iter_mut().zip(&*block) {
                        *to = *from as u64;
                    }
                }
            }
        }
        ring.reduce();
        Ok(NoisedUpdate {
            ring,
            encoding: self.encoding,
            share: self.share,
            sampling: self.sampling,
            seeds,
        })
    }
}

impl NoisedUpdate {
    /// The parameters by which it was encoded, to compare with the manifest.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The noise in it, to compare with the manifest.
    pub fn noise_share(&self) -> NoiseShare {
        self.share
    }

    /// With which probability each record in it was sampled; `None` for the vector of a whole client.
    pub fn sampling(&self) -> Option<Decimal> {
        self.sampling
    }

    /// The seeds of its layers, once, if the noise has levels. They leave the client one at most, and only after agreement.
    pub fn take_layer_seeds(&mut self) -> Option<LayerSeeds> {
        self.seeds.take()
    }

    /// The bare vector, on its way into the mask. Unmasked it must not leave the client: alone it carries one share of the
    /// noise, far less than the promise.
    pub fn dangerous_into_ring(self) -> RingVector {
        self.ring
    }

    /// A look at the bare vector, for test harnesses that compare sums.
    pub fn dangerous_inspect(&self) -> &RingVector {
        &self.ring
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
opaque!(LocalUpdate, ClippedUpdate, EncodedUpdate, NoisedUpdate);
