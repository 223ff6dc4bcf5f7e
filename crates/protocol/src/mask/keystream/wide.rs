//! The whole inner loop compiled for the processor's widest instructions: counters, cipher and addition of one batch of
//! blocks stay in the first-level cache.
//!
//! The `aes` crate calls a closure from within code that is compiled for the instructions it found, and what is inlined
//! there is compiled for them too. Nothing below depends on which they are: any processor gives the same words.

use aes::Aes256;
use aes::cipher::array::Array;
use aes::cipher::consts::U16;
use aes::cipher::inout::InOut;
use aes::cipher::typenum::Unsigned as _;
use aes::cipher::{
    BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt as _, BlockSizeUser, KeyInit as _,
};
use zeroize::{Zeroize, Zeroizing};

use super::{CIPHER_BLOCK, Mask, Sign, Word};

/// Blocks in the buffer. The widest implementation takes 64 at a time.
const ROOM: usize = 128;
/// Bytes of the widest store. Counters are written with it: a load of the cipher that is wider than the stores before it
/// waits until they are done.
const STORE: usize = 64;
/// Values of a counter's last byte.
const LAST: usize = 256;

/// No load or store straddles two lines of the cache.
#[derive(Zeroize)]
#[repr(align(64))]
struct Aligned<T>(T);

type Blocks = Aligned<[[u8; CIPHER_BLOCK]; ROOM]>;

/// The number of each block in its last byte: what a counter adds to one that ends in zeros.
static NUMBERED: Blocks = {
    let mut blocks = [[0; CIPHER_BLOCK]; ROOM];
    let mut number = 0;
    while number < ROOM {
        blocks[number][CIPHER_BLOCK - 1] = number as u8;
        number += 1;
    }
    Aligned(blocks)
};

/// Applies all `masks` to `words`, of which the first lies at byte `position` of the keystream.
pub(super) fn add<const W: usize, T: Word<W>>(words: &mut [T], position: u64, masks: &[Mask]) {
    let mut blocks = Zeroizing::new(Aligned([[0; CIPHER_BLOCK]; ROOM]));
    for mask in masks {
        let cipher = Aes256::new((&*mask.key).into());
        let (words, blocks) = (&mut *words, &mut *blocks);
        match mask.sign {
            Sign::Plus => cipher.encrypt_with_backend(Pass::<W, _, _> {
                words,
                position,
                blocks,
                combine: T::plus,
            }),
            Sign::Minus => cipher.encrypt_with_backend(Pass::<W, _, _> {
                words,
                position,
                blocks,
                combine: T::minus,
            }),
        }
    }
}

/// One keystream over the words.
struct Pass<'a, const W: usize, T, F> {
    words: &'a mut [T],
    position: u64,
    blocks: &'a mut Blocks,
    combine: F,
}

impl<const W: usize, T, F> BlockSizeUser for Pass<'_, W, T, F> {
    type BlockSize = U16;
}

impl<const W: usize, T: Word<W>, F: Fn(T, T) -> T> BlockCipherEncClosure for Pass<'_, W, T, F> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let Self {
            mut words,
            position,
            blocks,
            combine,
        } = self;
        // As many blocks as this backend takes at a time, if their counters differ in the last byte only.
        let many = B::ParBlocksSize::USIZE;
        let batch = if many <= ROOM && LAST.is_multiple_of(many) {
            many
        } else {
            1
        };
        let bytes = batch * CIPHER_BLOCK;
        let mut counter = position / bytes as u64 * batch as u64;
        let mut skipped = (position % bytes as u64) as usize / W;
        let (blocks, numbers) = (&mut blocks.0[..batch], &NUMBERED.0[..batch]);
        while !words.is_empty() {
            count(blocks, numbers, counter);
            match Array::slice_as_mut_array(Array::cast_slice_from_core_mut(blocks)) {
                Some(together) => backend.encrypt_par_blocks(InOut::from(together)),
                None => {
                    for block in Array::cast_slice_from_core_mut(blocks) {
                        backend.encrypt_block(InOut::from(block));
                    }
                }
            }
            let stream = &blocks.as_flattened().as_chunks::<W>().0[skipped..];
            let (part, rest) = words.split_at_mut(stream.len().min(words.len()));
            for (word, bytes) in part.iter_mut().zip(stream) {
                *word = combine(*word, T::word(*bytes));
            }
            (words, skipped) = (rest, 0);
            counter = counter.wrapping_add(batch as u64);
        }
    }
}

/// Writes the counters from `first` on, a multiple of the number of blocks, big-endian.
#[inline(always)]
fn count(blocks: &mut [[u8; CIPHER_BLOCK]], numbers: &[[u8; CIPHER_BLOCK]], first: u64) {
    let first = Aligned([u128::from(first).to_be_bytes(); STORE / CIPHER_BLOCK]);
    let first = first.0.as_flattened();
    let (stores, rest) = blocks.as_flattened_mut().as_chunks_mut::<STORE>();
    let (numbers, numbers_rest) = numbers.as_flattened().as_chunks::<STORE>();
    let write = |to: &mut [u8], numbers: &[u8]| {
        for ((byte, number), first) in to.iter_mut().zip(numbers).zip(first) {
            *byte = number | first;
        }
    };
    for (store, numbers) in stores.iter_mut().zip(numbers) {
        write(store, numbers);
    }
    write(rest, numbers_rest);
}
