//! The randomness tape of `protocol-spec/10-vectors.md` section 1, for vectors and nothing else.

use std::convert::Infallible;
use std::fmt;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};

/// AES-256 in counter mode from block 0, under SHA-256 of a text, read in order.
pub struct Tape(Ctr128BE<Aes256>);

impl Tape {
    /// The tape of a text.
    pub fn new(text: &str) -> Self {
        Self(Ctr128BE::new(&Sha256::digest(text.as_bytes()), &[0; 16].into()))
    }
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.fill(0);
        self.0.apply_keystream(into);
        Ok(())
    }
}

// What the tape gives is as good as its text is secret; here that is nobody's concern.
impl TryCryptoRng for Tape {}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tape(..)")
    }
}
