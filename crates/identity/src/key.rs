//! A machine's own Ed25519 key: made here, kept here, never sent.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// An Ed25519 private key. The same key proves possession in a request, authenticates TLS and signs protocol messages;
/// every use starts with different bytes (DER sequence, RFC 8446's 64 spaces, a `tacita/1` label).
///
/// Wiped when dropped; neither `Clone` nor a revealing `Debug`.
pub struct PrivateKey(SigningKey);

/// Why a private key cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a PKCS#8 document that holds an Ed25519 key with a matching public half.
    #[error("not a PKCS#8 Ed25519 private key")]
    Malformed,
    /// The key could not be encoded.
    #[error("the private key could not be encoded")]
    Encode,
}

impl PrivateKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0u8; 32]);
        rng.fill_bytes(seed.as_mut());
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads PKCS#8 DER.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_der(der)
            .map(Self)
            .map_err(|_| KeyError::Malformed)
    }

    /// Reads PKCS#8 PEM (`BEGIN PRIVATE KEY`).
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(pem)
            .map(Self)
            .map_err(|_| KeyError::Malformed)
    }

    /// PKCS#8 DER, version 2 (public half included), as rustls takes it. Wiped when dropped.
    ///
    /// # Errors
    /// [`KeyError::Encode`].
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = self.0.to_pkcs8_der().map_err(|_| KeyError::Encode)?;
        Ok(document.to_bytes())
    }

    /// PKCS#8 PEM. Wiped when dropped.
    ///
    /// # Errors
    /// [`KeyError::Encode`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.0.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Encode)
    }

    /// The key for protocol signatures.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.0.verifying_key()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl rcgen::PublicKeyData for PrivateKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_ref().as_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for PrivateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

/// A subject's public key, in the shape the certificate builder takes.
pub(crate) struct SubjectKey(pub(crate) VerifyingKey);

impl rcgen::PublicKeyData for SubjectKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn both_encodings_round_trip() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let der = PrivateKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
        let pem = PrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(key.signing_key(), der.signing_key());
        assert_eq!(key.signing_key(), pem.signing_key());
    }

    #[test]
    fn the_tls_provider_reads_the_same_key() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(2));
        let der = key.to_pkcs8_der().unwrap();
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(&der).unwrap();
        let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
        assert_eq!(public.as_ref(), key.verifying_key().as_bytes());
        assert_eq!(pair.sign(b"m").as_ref(), key.signing_key().sign(b"m").to_bytes());
    }

    #[test]
    fn refuses_a_key_whose_public_half_is_another() {
        let mut der = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(3))
            .to_pkcs8_der()
            .unwrap();
        let last = der.len() - 1;
        der[last] ^= 1;
        assert_eq!(PrivateKey::from_pkcs8_der(&der).unwrap_err(), KeyError::Malformed);
    }

    #[test]
    fn prints_nothing_of_the_key() {
        let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(4));
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
