//! Certificate requests (PKCS#10, RFC 2986): an empty shape around one Ed25519 key and the proof of holding it.
//!
//! The authority decides everything but the key, so a request that tries to say more is refused rather than ignored.
//! `openssl req -new -key KEY -subj /` makes the same bytes up to the signature.

use ed25519_dalek::{Signature, VerifyingKey};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::OID_SIG_ED25519;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AlgorithmIdentifier, X509Version};

use crate::key::{KeyError, PrivateKey};

/// Largest request looked at. An honest one has 129.
pub const MAX_REQUEST_BYTES: usize = 1_024;

/// A request whose signature proves that the sender holds the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    key: VerifyingKey,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More than [`MAX_REQUEST_BYTES`].
    #[error("the request has more than {MAX_REQUEST_BYTES} bytes")]
    TooLarge,
    /// Not a PKCS#10 request in DER.
    #[error("not a certificate request")]
    Malformed,
    /// Bytes after the request.
    #[error("bytes after the request")]
    TrailingBytes,
    /// A version other than 0.
    #[error("unknown request version")]
    Version,
    /// Key or signature algorithm is not plain Ed25519.
    #[error("only Ed25519 keys are certified")]
    KeyType,
    /// The key is not a usable curve point (not canonical, or of small order).
    #[error("the key is not a usable Ed25519 key")]
    WeakKey,
    /// The request asks for a subject.
    #[error("the request names a subject; the authority decides the name")]
    Subject,
    /// The request carries attributes (extensions, a challenge password).
    #[error("the request carries attributes; the authority decides the profile")]
    Attributes,
    /// The signature does not verify under the key of the request.
    #[error("the request does not prove possession of its key")]
    Signature,
    /// A spelling other than the one DER encoding.
    #[error("the request is not canonically encoded")]
    NotCanonical,
}

impl CertificateRequest {
    /// Writes a request for `key`.
    ///
    /// # Errors
    /// [`KeyError::Encode`] if it cannot be encoded.
    pub fn create(key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(key).map_err(|_| KeyError::Encode)?;
        Ok(request.der().to_vec())
    }

    /// Reads and checks a request from a stranger.
    ///
    /// # Errors
    /// [`RequestError`] names the first rule that is broken.
    pub fn check(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLarge);
        }
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| RequestError::Malformed)?;
        if !rest.is_empty() {
            return Err(RequestError::TrailingBytes);
        }
        let info = &request.certification_request_info;
        if info.version != X509Version::V1 {
            return Err(RequestError::Version);
        }
        if !is_ed25519(&info.subject_pki.algorithm) || !is_ed25519(&request.signature_algorithm) {
            return Err(RequestError::KeyType);
        }
        if info.subject.iter().next().is_some() {
            return Err(RequestError::Subject);
        }
        if !info.attributes().is_empty() {
            return Err(RequestError::Attributes);
        }
        let key = public_key(&info.subject_pki.subject_public_key.data).ok_or(RequestError::WeakKey)?;
        let signature =
            Signature::from_slice(&request.signature_value.data).map_err(|_| RequestError::Signature)?;
        key.verify_strict(info.raw, &signature)
            .map_err(|_| RequestError::Signature)?;
        // The shape is fixed but for key and signature, so writing it again gives the same bytes or it was not DER.
        if canonical(&key, &signature) != der {
            return Err(RequestError::NotCanonical);
        }
        Ok(Self { key })
    }

    /// The key to certify.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

/// Plain Ed25519 of RFC 8410: the identifier with absent parameters.
pub(crate) fn is_ed25519(algorithm: &AlgorithmIdentifier<'_>) -> bool {
    algorithm.algorithm == OID_SIG_ED25519 && algorithm.parameters.is_none()
}

/// A canonical curve point that is not of small order.
pub(crate) fn public_key(bytes: &[u8]) -> Option<VerifyingKey> {
    let bytes: &[u8; 32] = bytes.try_into().ok()?;
    let key = VerifyingKey::from_bytes(bytes).ok()?;
    // Decompression reduces the coordinate silently, so the round trip is what shows a non-canonical spelling.
    (!key.is_weak() && key.to_edwards().compress().as_bytes() == bytes).then_some(key)
}

/// The one encoding of a request with this key and signature.
fn canonical(key: &VerifyingKey, signature: &Signature) -> Vec<u8> {
    const HEAD: [u8; 9] = [0x30, 0x7f, 0x30, 0x33, 0x02, 0x01, 0x00, 0x30, 0x00];
    const KEY: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    const TAIL: [u8; 12] = [
        0xa0, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x41, 0x00,
    ];
    [&HEAD[..], &KEY, key.as_bytes(), &TAIL, &signature.to_bytes()].concat()
}

#[cfg(test)]
mod tests;
