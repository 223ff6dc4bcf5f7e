//! Certificates of other members: verified once, kept by fingerprint and by identity, checked for validity in time
//! and against the deny list at every use (TAC-024, TAC-057).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tacita_identity::{DenyList, Role, TrustAnchor, VerifiedCertificate};

use crate::Hash;
use crate::limits::{IDENTITY_PREFIX, MAX_CERTIFICATE};
use crate::refusal::Refusal;

/// A cache of certificates that chain to one trust anchor. Clients of one process may share it: they trust the same
/// anchor and the same memory.
#[derive(Default)]
pub struct CertificateCache {
    inner: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    by_fingerprint: HashMap<Hash, Arc<VerifiedCertificate>>,
    by_identity: HashMap<Hash, Arc<VerifiedCertificate>>,
    by_prefix: HashMap<[u8; IDENTITY_PREFIX], Arc<VerifiedCertificate>>,
}

impl Shelf {
    /// The last certificate shown of an identity is the one that counts.
    fn name(&mut self, certificate: Arc<VerifiedCertificate>) {
        let identity = certificate.identity.0;
        if let Some(prefix) = identity.first_chunk() {
            self.by_prefix.insert(*prefix, certificate.clone());
        }
        self.by_identity.insert(identity, certificate);
    }
}

/// Most certificates kept; the shelf is emptied when it is full, so that a server cannot fill memory with them.
const MAX_KEPT: usize = 16_384;

impl CertificateCache {
    /// Verifies and keeps a certificate; a known one costs one hash.
    ///
    /// # Errors
    /// [`Refusal::Certificate`] (with index `u16::MAX`) if it is too long or does not verify.
    pub fn admit(&self, der: &[u8], anchor: &TrustAnchor, now: u64) -> Result<(), Refusal> {
        let refuse = |why: String| Refusal::Certificate(u16::MAX, why);
        if der.len() > MAX_CERTIFICATE {
            return Err(refuse("longer than the limit".into()));
        }
        let fingerprint = tacita_identity::fingerprint(der);
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shelf.by_fingerprint.get(&fingerprint).cloned() {
            shelf.name(known);
            return Ok(());
        }
        drop(shelf);
        let verified = Arc::new(
            anchor
                .verify(der, Role::Client, now)
                .map_err(|error| refuse(error.to_string()))?,
        );
        let mut shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.by_fingerprint.len() >= MAX_KEPT {
            *shelf = Shelf::default();
        }
        shelf.name(verified.clone());
        shelf.by_fingerprint.insert(fingerprint, verified);
        Ok(())
    }

    fn by_fingerprint(&self, fingerprint: &Hash) -> Option<Arc<VerifiedCertificate>> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_fingerprint
            .get(fingerprint)
            .cloned()
    }

    /// Of an identity, or of one that begins so.
    fn by_identity(&self, identity: &[u8]) -> Option<Arc<VerifiedCertificate>> {
        let shelf = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match identity.len() {
            IDENTITY_PREFIX => shelf.by_prefix.get(identity),
            _ => shelf.by_identity.get(identity),
        }
        .cloned()
    }
}

/// A cache as seen at one moment: with the time and the deny list that decide validity.
pub(crate) struct Certificates<'a> {
    pub(crate) cache: &'a CertificateCache,
    pub(crate) deny: &'a DenyList,
    pub(crate) now: u64,
}

impl Certificates<'_> {
    fn usable(&self, index: u16, certificate: &VerifiedCertificate) -> Result<(), Refusal> {
        if self.now < certificate.not_before || self.now > certificate.not_after {
            return Err(Refusal::Certificate(
                index,
                format!("'{}' is not valid now", certificate.name),
            ));
        }
        if self.deny.is_revoked(certificate) {
            return Err(Refusal::Certificate(
                index,
                format!("'{}' is revoked", certificate.name),
            ));
        }
        Ok(())
    }

    /// The certificate of a roster entry: the one named by fingerprint, and of that identity (TAC-024).
    pub(crate) fn client(
        &self,
        index: u16,
        fingerprint: &Hash,
        identity: &Hash,
    ) -> Result<Arc<VerifiedCertificate>, Refusal> {
        let certificate = self
            .cache
            .by_fingerprint(fingerprint)
            .ok_or_else(|| Refusal::Certificate(index, "was not shown".into()))?;
        if certificate.identity.0 != *identity {
            return Err(Refusal::Certificate(
                index,
                format!("is of '{}', another name", certificate.name),
            ));
        }
        self.usable(index, &certificate)?;
        Ok(certificate)
    }

    /// The certificate of a signer outside the neighbourhood (TAC-057).
    pub(crate) fn signer(&self, index: u16, identity: &[u8]) -> Result<Arc<VerifiedCertificate>, Refusal> {
        let certificate = self
            .cache
            .by_identity(identity)
            .ok_or(Refusal::UnknownSigner(index))?;
        self.usable(index, &certificate)
            .map_err(|_| Refusal::UnknownSigner(index))?;
        Ok(certificate)
    }
}
