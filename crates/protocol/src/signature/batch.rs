//! The equation of a batch (Bernstein, Duif, Lange, Schwabe, Yang 2012, section 5): with random z_i of 128 bits,
//!
//! ```text
//! sum z_i R_i + sum z_i k_i A_i = (sum z_i s_i) B,   k_i = SHA-512(R_i || A_i || message_i) mod l
//! ```
//!
//! holds for every choice of z if all signatures are good, and otherwise for one in 2^125 or fewer, up to points of small
//! order. The z_i are a hash of everything that they multiply (Fiat and Shamir), so that nobody can choose a batch to fit
//! them: a SHA-256 compression each, where ed25519-dalek's transcript makes the whole check an eighth slower (`benches/agreement`).

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity as _, VartimeMultiscalarMul as _};
use ed25519_dalek::VerifyingKey;
use sha2::{Digest as _, Sha256, Sha512};

use crate::Hash;

/// One signature with what it is over.
pub(super) struct Signed<'a> {
    pub(super) key: &'a VerifyingKey,
    pub(super) message: &'a [u8],
    pub(super) signature: &'a [u8; 64],
}

/// Whether the equation holds; never for a scalar that is not reduced or a nonce point that is none.
pub(super) fn holds<'a>(batch: impl ExactSizeIterator<Item = Signed<'a>>) -> bool {
    let size = batch.len();
    let mut everything = Sha256::new();
    let mut terms = Vec::with_capacity(size);
    for Signed {
        key,
        message,
        signature,
    } in batch
    {
        let (Some(nonce), Some(scalar)) = (signature.first_chunk::<32>(), signature.last_chunk::<32>())
        else {
            return false;
        };
        let Some(scalar) = Option::<Scalar>::from(Scalar::from_canonical_bytes(*scalar)) else {
            return false;
        };
        let challenge: [u8; 64] = Sha512::new()
            .chain_update(nonce)
            .chain_update(key.as_bytes())
            .chain_update(message)
            .finalize()
            .into();
        everything.update(challenge);
        everything.update(scalar.as_bytes());
        terms.push((
            CompressedEdwardsY(*nonce),
            key.to_edwards(),
            Scalar::from_bytes_mod_order_wide(&challenge),
            scalar,
        ));
    }
    let seed: Hash = everything.finalize().into();

    let mut base = Scalar::ZERO;
    let mut of_nonces = Vec::with_capacity(size);
    let mut of_keys = Vec::with_capacity(size);
    for (position, (_, _, challenge, scalar)) in terms.iter().enumerate() {
        let hash: Hash = Sha256::new_with_prefix(seed)
            .chain_update((position as u64).to_be_bytes())
            .finalize()
            .into();
        let z = Scalar::from(hash.first_chunk::<16>().map_or(1, |z| u128::from_be_bytes(*z)));
        base -= z * scalar;
        of_nonces.push(z);
        of_keys.push(z * challenge);
    }
    EdwardsPoint::optional_multiscalar_mul(
        of_nonces.into_iter().chain(of_keys).chain([base]),
        terms
            .iter()
            .map(|(nonce, ..)| nonce.decompress())
            .chain(terms.iter().map(|(_, key, ..)| Some(*key)))
            .chain([Some(ED25519_BASEPOINT_POINT)]),
    )
    .is_some_and(|sum| sum.is_identity())
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use rand::RngExt as _;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;

    /// Keys, messages and signatures.
    fn made(size: usize) -> Vec<(VerifyingKey, [u8; 40], [u8; 64])> {
        let mut rng = ChaCha20Rng::seed_from_u64(size as u64);
        (0..size)
            .map(|_| {
                let key = SigningKey::from_bytes(&rng.random());
                let message: [u8; 40] = rng.random();
                (key.verifying_key(), message, key.sign(&message).to_bytes())
            })
            .collect()
    }

    fn ours(batch: &[(VerifyingKey, [u8; 40], [u8; 64])]) -> bool {
        holds(batch.iter().map(|(key, message, signature)| Signed {
            key,
            message,
            signature,
        }))
    }

    #[test]
    fn good_batches_hold_and_every_flipped_byte_breaks_them() {
        // 189 terms and 190: dalek changes its algorithm there.
        for size in [0, 1, 2, 94, 95, 300] {
            assert!(ours(&made(size)), "{size}");
        }
        let good = made(5);
        for position in 0..5 {
            for byte in 0..64 {
                let mut bad = good.clone();
                bad[position].2[byte] ^= 0x10;
                assert!(!ours(&bad), "{position}: byte {byte}");
            }
            let mut bad = good.clone();
            bad[position].1[39] ^= 1;
            assert!(!ours(&bad), "{position}: message");
            let mut bad = good.clone();
            bad[position].0 = good[(position + 1) % 5].0;
            assert!(!ours(&bad), "{position}: key");
        }
    }

    /// Two wrong signatures whose errors cancel in a plain sum: with equal z, or with z that one can know, they would pass.
    #[test]
    fn errors_that_cancel_do_not_pass() {
        let mut batch = made(2);
        let error = Scalar::from(77u64);
        for (sign, (_, _, signature)) in [error, -error].into_iter().zip(&mut batch) {
            let scalar: [u8; 32] = *signature.last_chunk().unwrap();
            let moved = Scalar::from_canonical_bytes(scalar).unwrap() + sign;
            signature[32..].copy_from_slice(moved.as_bytes());
        }
        assert!(!ours(&batch));
    }

    #[test]
    fn a_scalar_that_is_not_reduced_is_refused() {
        // s + l is the same scalar; only the bytes differ.
        let mut batch = made(1);
        let order = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10u8,
        ];
        let mut carry = 0u16;
        for (byte, add) in batch[0].2[32..].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(add);
            *byte = carry as u8;
            carry >>= 8;
        }
        assert!(!ours(&batch));
    }
}
