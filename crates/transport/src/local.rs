//! What this machine is: its certificate, its key and the authority it trusts.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tacita_identity::TrustAnchor;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::limits::MAX_CHAIN;

/// One identity of this process. Clones share the one key, which never leaves the TLS library.
#[derive(Clone)]
pub struct LocalIdentity {
    pub(crate) resolver: Arc<SingleCertAndKey>,
    pub(crate) anchor: Arc<TrustAnchor>,
    certificate: Arc<[u8]>,
    pub(crate) resets: Resets,
}

/// What a listening process must have in common with the one before it, so that peers of that one learn of the restart
/// from the first packet they send (stateless reset, RFC 9000 section 10.3) instead of waiting for the idle time.
#[derive(Clone)]
pub(crate) struct Resets {
    /// Makes reset tokens.
    pub(crate) tokens: hmac::Key,
    /// Makes connection ids recognisable; no secret hangs on it.
    pub(crate) ids: u64,
}

impl Resets {
    fn of(key: &[u8]) -> Self {
        let own = hmac::Key::new(hmac::HMAC_SHA256, key);
        let tokens = hmac::sign(&own, b"tacita/1 stateless reset tokens");
        let ids = hmac::sign(&own, b"tacita/1 connection ids");
        let ids = ids
            .as_ref()
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Self {
            tokens: hmac::Key::new(hmac::HMAC_SHA256, tokens.as_ref()),
            ids,
        }
    }
}

/// Why a certificate and a key do not make an identity.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// No certificate, or more than the member's own and the root.
    #[error("the certificate file holds no certificate, or too many; enrol again")]
    Chain,
    /// Not an Ed25519 private key in PKCS#8.
    #[error("the private key cannot be read; enrol again")]
    Key,
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate; use the pair that was made together")]
    Mismatch,
}

impl LocalIdentity {
    /// Takes a certificate chain (DER, own certificate first), its private key (PKCS#8 DER, wiped here) and the
    /// authority whose members this identity talks to.
    ///
    /// # Errors
    /// [`IdentityError`] when they do not belong together. Validity is not looked at: that is for the peer.
    pub fn new(
        chain: Vec<Vec<u8>>,
        key: Zeroizing<Vec<u8>>,
        anchor: TrustAnchor,
    ) -> Result<Self, IdentityError> {
        if chain.len() > MAX_CHAIN {
            return Err(IdentityError::Chain);
        }
        let resets = Resets::of(&key);
        let key =
            any_eddsa_type(&PrivatePkcs8KeyDer::from(key.as_slice())).map_err(|_| IdentityError::Key)?;
        let certificate = chain.first().map(|der| Arc::from(der.as_slice()));
        let certificate = certificate.ok_or(IdentityError::Chain)?;
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| IdentityError::Mismatch)?;
        Ok(Self {
            resolver: Arc::new(SingleCertAndKey::from(certified)),
            anchor: Arc::new(anchor),
            certificate,
            resets,
        })
    }

    /// The authority of this identity.
    #[must_use]
    pub fn anchor(&self) -> &TrustAnchor {
        &self.anchor
    }

    /// The member's own certificate (DER).
    #[must_use]
    pub fn certificate_der(&self) -> &Arc<[u8]> {
        &self.certificate
    }
}

impl fmt::Debug for LocalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalIdentity")
            .field("anchor", &self.anchor)
            .finish_non_exhaustive()
    }
}
