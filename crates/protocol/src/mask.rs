//! Step 6: masks. AES-256-CTR keystream read as little-endian words (u32 for b <= 32, u64 above), added to or taken
//! from a ring vector and reduced mod 2^b once at the end. Seekable by coordinate, so chunks can be expanded alone.
//!
//! This is the only place where a [`NoisedUpdate`] turns into bytes that may leave: [`MaskedUpdate`].

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use tacita_algebra::{RingVector, WordsMut};
use tacita_privacy::NoisedUpdate;
use zeroize::{Zeroize, Zeroizing};

use crate::keys::Key;
use crate::manifest::CheckedManifest;
use crate::refusal::{Misuse, Refusal};

/// Bytes of keystream made at a time: with the accumulator it stays in the first-level cache.
const BLOCK: usize = 8 * 1024;

/// Whether a mask is added or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Add.
    Plus,
    /// Subtract.
    Minus,
}

impl Sign {
    /// The sign with which `me` applies the mask it shares with `peer`: the lower index adds.
    #[must_use]
    pub fn of_pair(me: u16, peer: u16) -> Self {
        if me < peer { Self::Plus } else { Self::Minus }
    }

    /// The other sign.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Plus => Self::Minus,
            Self::Minus => Self::Plus,
        }
    }
}

/// One mask: a keystream and its sign.
pub struct Mask {
    stream: Ctr128BE<Aes256>,
    sign: Sign,
}

impl Mask {
    /// A mask from a 32-byte key. The counter starts at zero: each key is used for one vector only.
    #[must_use]
    pub fn new(key: &[u8; 32], sign: Sign) -> Self {
        Self {
            stream: Ctr128BE::<Aes256>::new(key.into(), &[0u8; 16].into()),
            sign,
        }
    }
}

/// Applies all `masks` to `vector`, whose first coordinate is coordinate `start` of the whole.
///
/// # Errors
/// [`Misuse::Argument`] if `start` is beyond the counter.
pub fn apply(vector: &mut RingVector, start: usize, masks: &mut [Mask]) -> Result<(), Misuse> {
    match vector.words_mut() {
        WordsMut::Narrow(words) => apply_words::<4, u32>(words, start, masks)?,
        WordsMut::Wide(words) => apply_words::<8, u64>(words, start, masks)?,
    }
    vector.reduce();
    Ok(())
}

trait Word<const W: usize>: Copy {
    fn plus(self, bytes: [u8; W]) -> Self;
    fn minus(self, bytes: [u8; W]) -> Self;
}

impl Word<4> for u32 {
    fn plus(self, bytes: [u8; 4]) -> Self {
        self.wrapping_add(Self::from_le_bytes(bytes))
    }
    fn minus(self, bytes: [u8; 4]) -> Self {
        self.wrapping_sub(Self::from_le_bytes(bytes))
    }
}

impl Word<8> for u64 {
    fn plus(self, bytes: [u8; 8]) -> Self {
        self.wrapping_add(Self::from_le_bytes(bytes))
    }
    fn minus(self, bytes: [u8; 8]) -> Self {
        self.wrapping_sub(Self::from_le_bytes(bytes))
    }
}

fn apply_words<const W: usize, T: Word<W>>(
    words: &mut [T],
    start: usize,
    masks: &mut [Mask],
) -> Result<(), Misuse> {
    let position = (start as u64)
        .checked_mul(W as u64)
        .ok_or(Misuse::Argument("start beyond the counter"))?;
    for mask in masks.iter_mut() {
        mask.stream
            .try_seek(position)
            .map_err(|_| Misuse::Argument("start beyond the counter"))?;
    }
    let mut buffer = Zeroizing::new([0u8; BLOCK]);
    for block in words.chunks_mut(BLOCK / W) {
        let bytes = block.len() * W;
        for mask in masks.iter_mut() {
            let Some(keystream) = buffer.get_mut(..bytes) else {
                continue;
            };
            // `write_keystream` overwrites: no need to clear the buffer and xor into it.
            mask.stream
                .try_write_keystream(keystream)
                .map_err(|_| Misuse::Argument("vector beyond the counter"))?;
            let (pieces, _) = keystream.as_chunks::<W>();
            match mask.sign {
                Sign::Plus => block.iter_mut().zip(pieces).for_each(|(w, k)| *w = w.plus(*k)),
                Sign::Minus => block.iter_mut().zip(pieces).for_each(|(w, k)| *w = w.minus(*k)),
            }
        }
    }
    Ok(())
}

/// The keys of one client's masks: its self mask and one pair mask per neighbour in U1. Made only by the client
/// state that verified the sharers list.
pub(crate) struct RoundMasks(Vec<Mask>);

impl RoundMasks {
    pub(crate) fn new(self_key: &Key, pairs: &[(Key, Sign)]) -> Self {
        let mut masks = Vec::with_capacity(pairs.len() + 1);
        masks.push(Mask::new(self_key, Sign::Plus));
        masks.extend(pairs.iter().map(|(key, sign)| Mask::new(key, *sign)));
        Self(masks)
    }
}

/// A masked vector: uniform to everyone who lacks the masks. The only update that can be encoded.
pub struct MaskedUpdate {
    vector: RingVector,
    chunk: usize,
}

impl MaskedUpdate {
    /// Masks a noised update (TAC-034: it must fit the manifest).
    pub(crate) fn mask(
        update: NoisedUpdate,
        manifest: &CheckedManifest,
        mut masks: RoundMasks,
    ) -> Result<Self, crate::RoundError> {
        if update.encoding() != manifest.encoding() || update.noise_share() != manifest.noise() {
            return Err(Refusal::Update("encoding or noise differ from the manifest's").into());
        }
        // The one exit of the privacy room: from here on the vector is masked before anything reads it.
        let mut vector = update.dangerous_into_ring();
        if vector.len() != manifest.padded() || vector.bits() != manifest.bits() {
            vector.zeroize();
            return Err(Refusal::Update("dimension or ring width").into());
        }
        apply(&mut vector, 0, &mut masks.0)?;
        Ok(Self {
            vector,
            chunk: manifest.fields().chunk as usize,
        })
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.vector.len().div_ceil(self.chunk)
    }

    /// The packed bytes of chunk `index`; empty beyond the end.
    #[must_use]
    pub fn packed(&self, index: usize) -> Vec<u8> {
        let start = index.saturating_mul(self.chunk).min(self.vector.len());
        let end = start.saturating_add(self.chunk).min(self.vector.len());
        self.vector.pack(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacita_algebra::RingBits;

    fn vector(bits: u8, len: usize) -> RingVector {
        let values: Vec<i64> = (0..len as i64).map(|i| i * 977 - 31_000).collect();
        RingVector::from_signed(RingBits::new(bits).unwrap(), &values)
    }

    #[test]
    fn masks_cancel_and_hide() {
        for bits in [16, 20, 32, 33, 61] {
            let plain = vector(bits, 5000);
            let mut masked = vector(bits, 5000);
            apply(
                &mut masked,
                0,
                &mut [Mask::new(&[1; 32], Sign::Plus), Mask::new(&[2; 32], Sign::Minus)],
            )
            .unwrap();
            let same = plain
                .to_signed()
                .iter()
                .zip(masked.to_signed())
                .filter(|(a, b)| **a == *b)
                .count();
            assert!(same < 10, "{same} coordinates unchanged at b = {bits}");
            apply(
                &mut masked,
                0,
                &mut [Mask::new(&[2; 32], Sign::Plus), Mask::new(&[1; 32], Sign::Minus)],
            )
            .unwrap();
            assert_eq!(plain.to_signed(), masked.to_signed());
        }
    }

    #[test]
    fn seeking_gives_the_same_coordinates() {
        for bits in [20, 40] {
            let zero = |n| RingVector::zeros(RingBits::new(bits).unwrap(), n);
            let mut whole = zero(9000);
            apply(&mut whole, 0, &mut [Mask::new(&[3; 32], Sign::Plus)]).unwrap();
            let mut part = zero(1000);
            apply(&mut part, 4096, &mut [Mask::new(&[3; 32], Sign::Plus)]).unwrap();
            assert_eq!(whole.to_signed()[4096..5096], part.to_signed()[..]);
        }
    }

    #[test]
    fn keystream_is_aes_256_ctr() {
        // First block of AES-256 under the all-zero key and counter: FIPS 197 arithmetic, checked with openssl:
        // dc95c078 a2408989 ad48a214 92842087.
        let mut v = RingVector::zeros(RingBits::new(32).unwrap(), 4);
        apply(&mut v, 0, &mut [Mask::new(&[0; 32], Sign::Plus)]).unwrap();
        assert_eq!(
            v.pack(0..4),
            [
                0xdc, 0x95, 0xc0, 0x78, 0xa2, 0x40, 0x89, 0x89, 0xad, 0x48, 0xa2, 0x14, 0x92, 0x84, 0x20,
                0x87
            ]
        );
    }
}
