//! aws-lc's keystream, four masks in one pass over the vector's words.

use aws_lc_rs::cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::{Zeroize, Zeroizing};

use super::{CIPHER_BLOCK, Mask, Sign, Word};
use crate::refusal::Misuse;

/// Bytes of keystream made at a time from one mask: all lanes and the vector's words stay in the first-level cache.
const BLOCK: usize = 4 * 1024;
/// Keystreams added in one pass.
const LANES: usize = 4;
/// Keystreams open at a time, so that memory does not grow with the number of masks.
const OPEN: usize = 64;

/// A lane: a block of keystream, and the room that the cipher asks for behind it.
#[derive(Zeroize)]
#[repr(align(64))] // Widest stores of the cipher do not straddle lines of the cache.
struct Lane([u8; BLOCK + CIPHER_BLOCK]);

impl Lane {
    const fn empty() -> Self {
        Self([0; BLOCK + CIPHER_BLOCK])
    }
}

/// An open keystream; the library wipes its state on drop.
struct Stream(StreamingEncryptingKey);

impl Stream {
    /// The keystream of `mask` from byte `position` on.
    fn open(mask: &Mask, position: u64) -> Result<Self, Misuse> {
        let counter = u128::from(position / CIPHER_BLOCK as u64).to_be_bytes();
        let key = UnboundCipherKey::new(&AES_256, mask.key.as_ref()).map_err(|_| Misuse::Key)?;
        let context = EncryptionContext::Iv128(FixedLength::from(counter));
        let cipher = StreamingEncryptingKey::less_safe_ctr(key, context).map_err(|_| Misuse::Key)?;
        let mut stream = Self(cipher);
        stream.fill(&mut Lane::empty(), (position % CIPHER_BLOCK as u64) as usize)?;
        Ok(stream)
    }

    /// The next `bytes` bytes, at most [`BLOCK`].
    fn fill(&mut self, lane: &mut Lane, bytes: usize) -> Result<(), Misuse> {
        const ZEROS: &[u8; BLOCK] = &[0; BLOCK];
        let zeros = ZEROS.get(..bytes).ok_or(Misuse::Argument("more than a block"))?;
        self.0.update(zeros, &mut lane.0).map_err(|_| Misuse::Key)?;
        Ok(())
    }
}

/// Applies all `masks` to `words`, of which the first lies at byte `position` of the keystream.
pub(super) fn add<const W: usize, T: Word<W>>(
    words: &mut [T],
    position: u64,
    masks: &[Mask],
) -> Result<(), Misuse> {
    let mut lanes = Zeroizing::new([const { Lane::empty() }; LANES]);
    for some in masks.chunks(OPEN) {
        let open = |sign| {
            let of_sign = some.iter().filter(move |mask| mask.sign == sign);
            of_sign
                .map(|mask| Stream::open(mask, position))
                .collect::<Result<Vec<_>, _>>()
        };
        let (mut plus, mut minus) = (open(Sign::Plus)?, open(Sign::Minus)?);
        for block in words.chunks_mut(BLOCK / W) {
            for streams in plus.chunks_mut(LANES) {
                pass(block, streams, &mut lanes, T::plus)?;
            }
            for streams in minus.chunks_mut(LANES) {
                pass(block, streams, &mut lanes, T::minus)?;
            }
        }
    }
    Ok(())
}

/// The next block of up to [`LANES`] streams into `words`: one pass for all of them where there are as many as lanes.
fn pass<const W: usize, T: Word<W>>(
    words: &mut [T],
    streams: &mut [Stream],
    lanes: &mut [Lane; LANES],
    combine: impl Fn(T, T) -> T,
) -> Result<(), Misuse> {
    for (stream, lane) in streams.iter_mut().zip(lanes.iter_mut()) {
        stream.fill(lane, words.len() * W)?;
    }
    let full = streams.len() == LANES;
    let [a, b, c, d] = lanes.each_ref().map(|lane| lane.0.as_chunks::<W>().0);
    if full {
        for ((((word, a), b), c), d) in words.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let sum = T::word(*a).plus(T::word(*b)).plus(T::word(*c)).plus(T::word(*d));
            *word = combine(*word, sum);
        }
    } else {
        for lane in [a, b, c, d].into_iter().take(streams.len()) {
            for (word, bytes) in words.iter_mut().zip(lane) {
                *word = combine(*word, T::word(*bytes));
            }
        }
    }
    Ok(())
}
