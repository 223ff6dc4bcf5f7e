//! What this machine is: its certificate, its key and the authority it trusts.

use std::fmt;
use std::sync::Arc;

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
        if chain.is_empty() || chain.len() > MAX_CHAIN {
            return Err(IdentityError::Chain);
        }
        let key =
            any_eddsa_type(&PrivatePkcs8KeyDer::from(key.as_slice())).map_err(|_| IdentityError::Key)?;
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| IdentityError::Mismatch)?;
        Ok(Self {
            resolver: Arc::new(SingleCertAndKey::from(certified)),
            anchor: Arc::new(anchor),
        })
    }

    /// The authority of this identity.
    #[must_use]
    pub fn anchor(&self) -> &TrustAnchor {
        &self.anchor
    }
}

impl fmt::Debug for LocalIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalIdentity")
            .field("anchor", &self.anchor)
            .finish_non_exhaustive()
    }
}
