//! AES-256-CTR keystreams added into words or taken from them: the one inner loop that a large round is made of.
//!
//! Two implementations of the one cipher. Where the processor encrypts four blocks an instruction, the cipher itself is no
//! longer what takes the time: counters, copies and additions around it are. There ([`wide`]) the loop around the cipher
//! is ours and runs inside the `aes` crate's code for that processor. Elsewhere ([`lanes`]) the cipher takes it all, and
//! aws-lc's assembly is the fastest.

mod lanes;
mod wide;

use super::{Mask, Sign};
use crate::refusal::Misuse;

/// Bytes of one AES block.
const CIPHER_BLOCK: usize = 16;

/// Which implementation makes the keystream: what was faster on the processor at hand when measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    /// aws-lc's assembly.
    Lanes,
    /// The `aes` crate with four blocks an instruction.
    Wide,
}

impl Engine {
    pub(super) fn of_this_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("vaes") && std::arch::is_x86_feature_detected!("avx512f") {
            return Self::Wide;
        }
        Self::Lanes
    }

    /// Applies all `masks` to `words`, of which the first is coordinate `start`. Not reduced.
    pub(super) fn add<const W: usize, T: Word<W>>(
        self,
        words: &mut [T],
        start: usize,
        masks: &[Mask],
    ) -> Result<(), Misuse> {
        let beyond = Misuse::Argument("start beyond the counter");
        let position = (start as u64).checked_mul(W as u64).ok_or(beyond)?;
        match self {
            Self::Lanes => lanes::add(words, position, masks),
            Self::Wide => {
                wide::add(words, position, masks);
                Ok(())
            }
        }
    }
}

/// A word of a vector: `W` bytes of the keystream, little-endian.
pub(super) trait Word<const W: usize>: Copy + Send {
    fn word(bytes: [u8; W]) -> Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

// Inlined always: the loops around them are compiled for instructions that a call in between would not be.
impl Word<4> for u32 {
    #[inline(always)]
    fn word(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}

impl Word<8> for u64 {
    #[inline(always)]
    fn word(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}
