//! The coins that choose records, and the sum of what was chosen.
//!
//! ```compile_fail,E0599
//! # use tacita_privacy::*;
//! fn which(sample: &RecordSample) -> Vec<u32> {
//!     sample.clone().rows().to_vec()
//! }
//! ```
//! ```compile_fail,E0308
//! # use tacita_privacy::*;
//! fn records_as_one_client(update: ClippedUpdate, headroom: &RecordHeadroom, rng: &mut impl rand_core::CryptoRng) {
//!     let _ = update.encode(headroom, rng);
//! }
//! ```
//! ```compile_fail,E0382
//! # use tacita_privacy::*;
//! fn same_coins_twice(sample: RecordSample, headroom: &RecordHeadroom, rng: &mut impl rand_core::CryptoRng) {
//!     let _ = sample.encode(headroom, rng, |_| Ok::<_, UpdateError>(Vec::new()));
//!     let _ = sample.encode(headroom, rng, |_| Ok::<_, UpdateError>(Vec::new()));
//! }
//! ```

use core::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::decimal::Decimal;
use crate::keystream::KeyStream;
use crate::record::{RecordHeadroom, RecordTerms};
use crate::update::{EncodeError, EncodedUpdate, LocalUpdate, UpdateError};

/// Why a sample of records becomes no update.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError<E> {
    /// The gradients could not be computed.
    #[error(transparent)]
    Gradient(E),
    /// The sample was drawn under other terms.
    #[error("the records were sampled under other terms")]
    Terms,
    /// Another number of vectors than records asked for.
    #[error("the records asked for have {expected} vectors, {got} were given")]
    Vectors {
        /// Records asked for.
        expected: usize,
        /// Vectors given.
        got: usize,
    },
    /// A record's vector does not fit.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// A record's vector is not encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Which records of this client take part in one round: as secret as the records. It cannot be read, copied, printed or sent, and is
/// wiped when dropped.
pub struct RecordSample {
    rows: Zeroizing<Vec<u32>>,
    records: u32,
    terms: RecordTerms,
}

impl RecordSample {
    /// Tosses one coin for each of `records` records: heads with probability floor(q 2^64) / 2^64, at most the q that is accounted for. The coins
    /// come from a key that `rng` gives for this call alone and that is wiped with it.
    pub fn draw(records: u32, terms: &RecordTerms, rng: &mut impl CryptoRng) -> Self {
        let threshold = heads_below(terms.sampling());
        let mut stream = KeyStream::from_rng(rng);
        // Of the size of all records, so that its growth tells nothing and leaves nothing behind.
        let mut rows = Zeroizing::new(Vec::with_capacity(records as usize));
        let mut coin = Zeroizing::new([0u8; 16]);
        for row in 0..records {
            stream.fill(coin.as_mut_slice());
            let (low, _) = coin.split_first_chunk().unwrap_or((&[0xff; 8], &[]));
            if u128::from(u64::from_le_bytes(*low)) < threshold {
                rows.push(row);
            }
        }
        Self {
            rows,
            records,
            terms: *terms,
        }
    }

    /// One vector for each sampled record, each clipped, rotated and rounded alone, added up as integers and clamped to
    /// [`RecordHeadroom::clamp`].
    ///
    /// `vectors` is asked for R rows at a time (R is [`RecordTerms::largest`]) and gives one vector a row, in order. The last request
    /// is filled up with other rows, whose vectors are computed and left out: up to R sampled records the work is the same,
    /// whatever the coins say and however many records there are.
    ///
    /// # Errors
    /// [`RecordError`], one variant per cause.
    pub fn encode<E>(
        self,
        headroom: &RecordHeadroom,
        rng: &mut impl CryptoRng,
        mut vectors: impl FnMut(&[u32]) -> Result<Vec<LocalUpdate>, E>,
    ) -> Result<EncodedUpdate, RecordError<E>> {
        if self.terms != *headroom.terms() {
            return Err(RecordError::Terms);
        }
        let encoding = headroom.encoding();
        // 2^32 records of magnitude 2^27 or less fit.
        let mut sum = Zeroizing::new(vec![0i64; encoding.padded() as usize]);
        let batch = self.terms.largest() as usize;
        let requests = self.rows.len().div_ceil(batch).max(1);
        let mut rows = Zeroizing::new(Vec::with_capacity(batch));
        for request in 0..requests {
            let sampled = self.rows.iter().skip(request * batch).take(batch);
            rows.clear();
            rows.extend(sampled);
            let real = rows.len();
            rows.extend((0..self.records).cycle().take(batch - real));
            let given = vectors(&rows).map_err(RecordError::Gradient)?;
            if given.len() != rows.len() {
                return Err(RecordError::Vectors {
                    expected: rows.len(),
                    got: given.len(),
                });
            }
            for (index, vector) in given.into_iter().enumerate() {
                let rounded = vector.clip(encoding)?.round(encoding, rng)?;
                let counts = i64::from(index < real);
                for (total, value) in sum.iter_mut().zip(rounded.iter()) {
                    *total += counts * i64::from(*value);
                }
            }
        }
        let clamp = i64::from(headroom.clamp());
        let clamped = sum.iter().map(|&total| total.clamp(-clamp, clamp));
        // Within 32 bits: the clamp is.
        let mut values = Zeroizing::new(Vec::with_capacity(sum.len()));
        values.extend(clamped.map(|total| total as i32));
        Ok(EncodedUpdate::of_records(values, headroom))
    }
}

/// floor(q 2^64) for q in (0, 1].
fn heads_below(q: Decimal) -> u128 {
    // digits < 10^18 < 2^60.
    let (digits, places) = q.parts();
    (u128::from(digits) << 64) / 10u128.pow(u32::from(places))
}

impl fmt::Debug for RecordSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordSample(..)")
    }
}
