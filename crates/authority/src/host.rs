//! What the operating system gives: the time and randomness.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use rand_core::{TryCryptoRng, TryRng};

use crate::error::AuthorityError;

/// Unix seconds by the system clock.
pub(crate) fn now() -> Result<u64, AuthorityError> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .map_err(|_| AuthorityError::Clock)
}

/// The operating system's generator, asked anew for every value, so that a copied machine repeats nothing.
pub(crate) struct OsRandom(());

impl OsRandom {
    /// Makes sure first that the generator answers.
    pub(crate) fn new() -> Result<Self, AuthorityError> {
        let mut probe = [0u8; 16];
        getrandom::fill(&mut probe).map_err(|error| AuthorityError::Randomness(error.to_string()))?;
        Ok(Self(()))
    }

    fn fill(bytes: &mut [u8]) {
        // Cannot fail: a generator that has answered once is seeded, and a seeded one always answers.
        #[allow(clippy::expect_used)]
        getrandom::fill(bytes).expect("the operating system's generator answered before");
    }
}

impl TryRng for OsRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        Self::fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        Self::fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        Self::fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for OsRandom {}
