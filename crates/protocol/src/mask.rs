//! Step 6: masks. AES-256-CTR keystream read as little-endian words (u32 for b <= 32, u64 above), added to or taken
//! from a ring vector and reduced mod 2^b once at the end. Seekable by coordinate, so chunks can be expanded alone.
//!
//! This is the only place where a [`NoisedUpdate`] turns into bytes that may leave: [`MaskedUpdate`].
//!
//! Most of a large round is spent here: `keystream` has the faster of two implementations for the processor at hand, and
//! `benches/README.md` the figures.

mod keystream;

use rayon::prelude::*;
use tacita_algebra::{RingVector, WordsMut};
use tacita_privacy::NoisedUpdate;
use zeroize::{Zeroize as _, Zeroizing};

use self::keystream::{Engine, Word};
use crate::keys::Key;
use crate::manifest::CheckedManifest;
use crate::refusal::{Misuse, Refusal};

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

/// One mask: the key of its stream, and its sign.
pub struct Mask {
    key: Key,
    sign: Sign,
}

impl Mask {
    /// A mask from a 32-byte key. The counter starts at zero: each key is used for one vector only.
    #[must_use]
    pub fn new(key: &[u8; 32], sign: Sign) -> Self {
        Self {
            key: Zeroizing::new(*key),
            sign,
        }
    }
}

/// Coordinates that one core works on at a time, so that they stay in its second-level cache while all masks come by; a
/// vector no longer than this stays on the calling thread. Scheduling all keys anew for each piece costs less than a
/// hundredth.
const PIECE: usize = 1 << 16;

/// Applies all `masks` to `vector`, whose first coordinate is coordinate `start` of the whole, on all cores.
///
/// # Errors
/// [`Misuse::Argument`] if `start` is beyond the counter, [`Misuse::Key`] if the cryptographic library fails.
pub fn apply(vector: &mut RingVector, start: usize, masks: &[Mask]) -> Result<(), Misuse> {
    apply_with(Engine::of_this_processor(), vector, start, masks)
}

fn apply_with(engine: Engine, vector: &mut RingVector, start: usize, masks: &[Mask]) -> Result<(), Misuse> {
    match vector.words_mut() {
        WordsMut::Narrow(words) => apply_pieces::<4, u32>(engine, words, start, masks)?,
        WordsMut::Wide(words) => apply_pieces::<8, u64>(engine, words, start, masks)?,
    }
    vector.reduce();
    Ok(())
}

fn apply_pieces<const W: usize, T: Word<W>>(
    engine: Engine,
    words: &mut [T],
    start: usize,
    masks: &[Mask],
) -> Result<(), Misuse> {
    if words.len() <= PIECE {
        return engine.add(words, start, masks);
    }
    words
        .par_chunks_mut(PIECE)
        .enumerate()
        .try_for_each(|(piece, words)| {
            let beyond = Misuse::Argument("start beyond the counter");
            let start = start.checked_add(piece * PIECE).ok_or(beyond)?;
            engine.add(words, start, masks)
        })
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
        masks: RoundMasks,
    ) -> Result<Self, crate::RoundError> {
        if update.encoding() != manifest.encoding()
            || update.noise_share() != manifest.noise()
            || update.sampling() != manifest.contribution().sampling()
        {
            return Err(Refusal::Update("encoding, noise or sampling differ from the manifest's").into());
        }
        // The one exit of the privacy room: from here on the vector is masked before anything reads it.
        let mut vector = update.dangerous_into_ring();
        if vector.len() != manifest.padded() || vector.bits() != manifest.bits() {
            vector.zeroize();
            // No peer leads here: its encoding, the manifest's, says how long and how wide a vector is.
            return Err(Misuse::Argument("an update that is not of its own encoding's size").into());
        }
        apply(&mut vector, 0, &masks.0)?;
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

    /// Bytes of all chunks together.
    #[must_use]
    pub fn packed_len(&self) -> usize {
        self.vector.bits().packed_len(self.vector.len())
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
    use aes::Aes256;
    use ctr::Ctr128BE;
    use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
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
                &[Mask::new(&[1; 32], Sign::Plus), Mask::new(&[2; 32], Sign::Minus)],
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
                &[Mask::new(&[2; 32], Sign::Plus), Mask::new(&[1; 32], Sign::Minus)],
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
            apply(&mut whole, 0, &[Mask::new(&[3; 32], Sign::Plus)]).unwrap();
            let mut part = zero(1000);
            apply(&mut part, 4096, &[Mask::new(&[3; 32], Sign::Plus)]).unwrap();
            assert_eq!(whole.to_signed()[4096..5096], part.to_signed()[..]);
        }
    }

    /// The definition, with another implementation of the cipher: every word from its own bytes of the keystream.
    fn expand(bits: u8, start: usize, len: usize, masks: &[([u8; 32], Sign)]) -> Vec<u64> {
        let width = if bits <= 32 { 4 } else { 8 };
        let mut words = vec![0u64; len];
        for (key, sign) in masks {
            let mut stream = Ctr128BE::<Aes256>::new(key.into(), &[0; 16].into());
            let mut bytes = vec![0u8; (start + len) * width];
            stream.apply_keystream(&mut bytes);
            for (word, bytes) in words.iter_mut().zip(bytes[start * width..].chunks(width)) {
                let mut padded = [0; 8];
                padded[..width].copy_from_slice(bytes);
                *word = match sign {
                    Sign::Plus => word.wrapping_add(u64::from_le_bytes(padded)),
                    Sign::Minus => word.wrapping_sub(u64::from_le_bytes(padded)),
                };
            }
        }
        words.iter().map(|word| word & ((1 << bits) - 1)).collect()
    }

    #[test]
    fn any_number_of_masks_of_either_sign_from_any_coordinate() {
        // Around the number of lanes and of open streams; lengths around a block; starts inside an AES block.
        for (bits, start, len, count) in [
            (24, 0, 1, 1),
            (24, 3, 1023, 3),
            (32, 64, 1024, 4),
            (20, 1, 1025, 5),
            (17, 4093, 2050, 9),
            (40, 1, 511, 8),
            (62, 7, 513, 13),
            (24, 2, 70, 63),
            (24, 5, 70, 64),
            (40, 3, 1100, 65),
            (30, 0, 130, 200),
            (30, 5, PIECE, 3),
            (24, 3, 2 * PIECE + 77, 5),
            (40, 9, PIECE + 1, 5),
            // Longer than what one core does alone.
            (32, 5, 2 * PIECE + 77, 3),
            (33, 0, PIECE + 1, 2),
        ] {
            let masks: Vec<([u8; 32], Sign)> = (0..count)
                .map(|i: usize| {
                    let sign = if i % 3 == 1 { Sign::Minus } else { Sign::Plus };
                    ([i as u8; 32], sign)
                })
                .collect();
            let opened: Vec<Mask> = masks.iter().map(|(key, sign)| Mask::new(key, *sign)).collect();
            let expected = expand(bits, start, len, &masks);
            for engine in [Engine::Lanes, Engine::Wide] {
                let mut vector = RingVector::zeros(RingBits::new(bits).unwrap(), len);
                apply_with(engine, &mut vector, start, &opened).unwrap();
                let got: Vec<u64> = vector
                    .to_signed()
                    .iter()
                    .map(|value| *value as u64 & ((1 << bits) - 1))
                    .collect();
                assert_eq!(
                    got, expected,
                    "b = {bits}, {count} masks from {start}, {engine:?}"
                );
            }
        }
    }

    #[test]
    fn keystream_is_aes_256_ctr() {
        // First block of AES-256 under the all-zero key and counter: FIPS 197 arithmetic, checked with openssl:
        // dc95c078 a2408989 ad48a214 92842087.
        let mut v = RingVector::zeros(RingBits::new(32).unwrap(), 4);
        apply(&mut v, 0, &[Mask::new(&[0; 32], Sign::Plus)]).unwrap();
        assert_eq!(
            v.pack(0..4),
            [
                0xdc, 0x95, 0xc0, 0x78, 0xa2, 0x40, 0x89, 0x89, 0xad, 0x48, 0xa2, 0x14, 0x92, 0x84, 0x20,
                0x87
            ]
        );
    }
}
