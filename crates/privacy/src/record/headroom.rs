//! Proof, before a round starts, that its sum of records will not wrap around the ring.

use crate::encoding::Encoding;
use crate::headroom::{Headroom, HeadroomError};
use crate::noise::NoiseShare;
use crate::record::RecordTerms;

/// An encoding of single records, a noise share, and the proof that the sum over a cohort does not wrap.
///
/// |sum| <= n K + r < 2^(b-1) in every coordinate but with probability 2^-40 over the noise, with K = R floor(sqrt(B2)) and r as for
/// [`Headroom`]. K holds whatever a client samples: each coordinate of its sum of integers is clamped to [-K, K], which
/// at most R records reach only when all of them are as large as the norm check admits, in one direction and coordinate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeadroom {
    encoding: Encoding,
    share: NoiseShare,
    clients: u32,
    terms: RecordTerms,
}

impl RecordHeadroom {
    /// Proves that the sum of `clients` sums of records, with these noise shares, does not wrap.
    ///
    /// # Errors
    /// [`HeadroomError`], one variant per cause; [`HeadroomError::TooWide`] also if K is no 32-bit integer.
    pub fn prove(
        encoding: Encoding,
        share: NoiseShare,
        clients: u32,
        terms: RecordTerms,
    ) -> Result<Self, HeadroomError> {
        let needed = Headroom::needed_bits_of(
            encoding.grid(),
            encoding.padded(),
            &share,
            clients,
            terms.largest(),
        )?;
        if needed > encoding.bits() {
            return Err(HeadroomError::Wraps {
                needed: needed.get(),
                bits: encoding.bits().get(),
            });
        }
        if clamp(&encoding, &terms).is_none() {
            return Err(HeadroomError::TooWide);
        }
        Ok(Self {
            encoding,
            share,
            clients,
            terms,
        })
    }

    /// The encoding of one record.
    pub fn encoding(&self) -> &Encoding {
        &self.encoding
    }

    /// The noise of one client.
    pub fn noise_share(&self) -> NoiseShare {
        self.share
    }

    /// Largest cohort the proof covers.
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// Sampling, headroom and divisor.
    pub fn terms(&self) -> &RecordTerms {
        &self.terms
    }

    /// K: no coordinate of a client's sum is larger in magnitude.
    pub fn clamp(&self) -> i32 {
        // `prove` saw that it fits.
        clamp(&self.encoding, &self.terms).unwrap_or(i32::MAX)
    }

    /// The same proof under another rotation, on which it does not depend.
    pub fn with_rotation_seed(mut self, seed: [u8; 32]) -> Self {
        self.encoding = self.encoding.with_rotation_seed(seed);
        self
    }
}

/// R floor(sqrt(B2)).
fn clamp(encoding: &Encoding, terms: &RecordTerms) -> Option<i32> {
    let largest = encoding.sensitivity().largest_coordinate() * u128::from(terms.largest());
    i32::try_from(largest).ok()
}
