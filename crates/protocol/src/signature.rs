//! Ed25519 signatures with the certificate key: label, one zero byte, then a 32-byte digest.
//!
//! The zero byte ends the label, so no label can be a prefix of another's message. Checks of many signatures are
//! batched (14 us instead of 35 us each). A batch may accept a signature of mixed order that the single check
//! refuses; such a signature still needs the signer's private key, so no quorum can be forged with it.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use self::batch::Signed;
use crate::Hash;

mod batch;

fn message(label: &str, digest: &Hash) -> Vec<u8> {
    let mut out = Vec::with_capacity(label.len() + 33);
    out.extend_from_slice(label.as_bytes());
    out.push(0);
    out.extend_from_slice(digest);
    out
}

/// Signs `digest` under `label`.
pub(crate) fn sign(key: &SigningKey, label: &'static str, digest: &Hash) -> [u8; 64] {
    key.sign(&message(label, digest)).to_bytes()
}

/// Checks one signature, strictly (small-order keys and non-canonical points are refused).
pub(crate) fn verify(key: &VerifyingKey, label: &'static str, digest: &Hash, signature: &[u8; 64]) -> bool {
    key.verify_strict(&message(label, digest), &Signature::from_bytes(signature))
        .is_ok()
}

/// One signature of a batch.
pub struct Claim<'a> {
    /// Whose.
    pub key: &'a VerifyingKey,
    /// Over what, under the batch's label.
    pub digest: Hash,
    /// The signature that is claimed to be.
    pub signature: &'a [u8; 64],
}

/// Every encoding of a y coordinate of a point of order 1, 2, 4 or 8; the last two are those of 0 and 1 once more.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

/// Whether a point is of small order.
fn is_small_order(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    SMALL_ORDER.contains(&y)
}

/// Whether a signature's nonce point is of small order.
fn has_weak_nonce(signature: &[u8; 64]) -> bool {
    signature.first_chunk().is_some_and(is_small_order)
}

/// Checks all claims under one label.
///
/// # Errors
/// The position of the first bad one.
pub fn verify_all(label: &'static str, claims: &[Claim<'_>]) -> Result<(), usize> {
    // What strict verification refuses of one signature and a batch would let pass, but for points of mixed order.
    if let Some(weak) = claims
        .iter()
        .position(|c| is_small_order(c.key.as_bytes()) || has_weak_nonce(c.signature))
    {
        return Err(weak);
    }
    let messages: Vec<Vec<u8>> = claims.iter().map(|c| message(label, &c.digest)).collect();
    let batch = claims.iter().zip(&messages).map(|(claim, message)| Signed {
        key: claim.key,
        message,
        signature: claim.signature,
    });
    if batch::holds(batch) {
        return Ok(());
    }
    // Name the culprit; if each passes alone, the batch's answer still stands.
    let bad = claims
        .iter()
        .position(|c| !verify(c.key, label, &c.digest, c.signature));
    Err(bad.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels;

    #[test]
    fn the_table_of_small_orders_is_complete() {
        // Every y that is no point's is refused anyway; of points, exactly the table's are weak.
        let mut weak = 0;
        for y in SMALL_ORDER {
            for sign in [0, 0x80] {
                let mut bytes = y;
                bytes[31] |= sign;
                if let Ok(key) = VerifyingKey::from_bytes(&bytes) {
                    assert!(key.is_weak());
                    weak += 1;
                }
            }
        }
        assert!(weak >= 8, "{weak} encodings of eight points");
        let strong = SigningKey::from_bytes(&[1; 32]);
        assert!(!has_weak_nonce(&sign(&strong, labels::UPLOAD, &[7; 32])));
    }

    #[test]
    fn a_batch_names_the_bad_one() {
        let keys: Vec<SigningKey> = (0u8..6).map(|i| SigningKey::from_bytes(&[i + 1; 32])).collect();
        let public: Vec<VerifyingKey> = keys.iter().map(SigningKey::verifying_key).collect();
        let mut signatures: Vec<[u8; 64]> = keys
            .iter()
            .map(|k| sign(k, labels::STATEMENT_SIGNATURE, &[7; 32]))
            .collect();
        let check = |signatures: &[[u8; 64]], label| {
            let claims: Vec<Claim<'_>> = signatures
                .iter()
                .zip(&public)
                .map(|(signature, key)| Claim {
                    key,
                    digest: [7; 32],
                    signature,
                })
                .collect();
            verify_all(label, &claims)
        };
        assert_eq!(check(&signatures, labels::STATEMENT_SIGNATURE), Ok(()));
        assert!(
            check(&signatures, labels::UPLOAD).is_err(),
            "another label must not verify"
        );
        signatures[4][3] ^= 1;
        assert_eq!(check(&signatures, labels::STATEMENT_SIGNATURE), Err(4));
    }
}
