//! AES-256 in counter mode as a source of many random bytes.

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The key stream of AES-256-CTR from block 0 (128-bit big-endian counter); its state is wiped on drop.
pub(crate) struct KeyStream(Ctr128BE<Aes256>);

impl KeyStream {
    /// Under a given key.
    pub(crate) fn from_key(key: &[u8; 32]) -> Self {
        Self(Ctr128BE::new(key.into(), &[0; 16].into()))
    }

    /// Under a given key, from byte `at` of the stream on.
    pub(crate) fn from_key_at(key: &[u8; 32], at: u64) -> Self {
        let mut stream = Self::from_key(key);
        stream.0.seek(at);
        stream
    }

    /// Under a fresh key: the generator is asked for 32 bytes however many the stream will give.
    pub(crate) fn from_rng(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(key.as_mut_slice());
        Self::from_key(&key)
    }

    /// Overwrites `bytes` with the next bytes of the stream. Fastest in multiples of 16.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.write_keystream(bytes);
    }
}
