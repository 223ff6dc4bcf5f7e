//! The issuing side: one root key, one root certificate, and what they sign.

use std::fmt;

use ed25519_dalek::{Signer, VerifyingKey};
use rand_core::CryptoRng;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyUsagePurpose};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::anchor::{AnchorError, TrustAnchor};
use crate::crl::{self, CrlEntry, CrlError};
use crate::deny::{DenyError, DenyList, DenyListContent};
use crate::hash::sha256;
use crate::key::{PrivateKey, SubjectKey};
use crate::name::Name;
use crate::profile::{self, BACKDATE_SECONDS, Life, SERIAL_BYTES};
use crate::request::CertificateRequest;
use crate::role::{Role, San};

/// Life of a root certificate: ten years of 365 days. It is replaced by rotation, not by renewal.
pub const ROOT_LIFE_SECONDS: u64 = 10 * 365 * 24 * 3_600;

const ROOT_SUBJECT_PREFIX: &str = "tacita:root:";

/// The enrolment authority: holds the root key, and is the only thing that signs with it.
pub struct Authority {
    key: PrivateKey,
    anchor: TrustAnchor,
    name: Name,
}

/// A certificate fresh from the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// SHA-256 of the DER.
    pub fingerprint: [u8; 32],
    /// Serial number, big-endian.
    pub serial: [u8; SERIAL_BYTES],
    /// Start of validity, unix seconds.
    pub not_before: u64,
    /// Last second of validity, unix seconds.
    pub not_after: u64,
}

/// Why the authority cannot be made, opened or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The root certificate is unusable.
    #[error(transparent)]
    Root(#[from] AnchorError),
    /// The root certificate was not made by `tacita authority init`.
    #[error("the root certificate carries no authority name")]
    RootName,
    /// The private key is not that of the root certificate.
    #[error("the private key does not belong to the root certificate")]
    KeyMismatch,
    /// The certificate would outlive the root.
    #[error("the root certificate ends before the certificate would: rotate the authority")]
    RootEnding,
    /// The time given cannot be written into a certificate.
    #[error("the clock shows a time that no certificate can hold")]
    Clock,
    /// The certificate could not be encoded.
    #[error("the certificate could not be encoded")]
    Encode,
}

impl Authority {
    /// Makes a root key and its self-signed certificate, valid for [`ROOT_LIFE_SECONDS`] from `now` (unix seconds).
    ///
    /// # Errors
    /// [`IssueError::Clock`] or [`IssueError::Encode`].
    pub fn create(name: &Name, now: u64, rng: &mut impl CryptoRng) -> Result<Self, IssueError> {
        let key = PrivateKey::generate(rng);
        let mut params = CertificateParams::default();
        params.distinguished_name = profile::common_name(&format!("{ROOT_SUBJECT_PREFIX}{name}"));
        params.not_before = profile::date(now.saturating_sub(BACKDATE_SECONDS))?;
        params.not_after = profile::date(now.checked_add(ROOT_LIFE_SECONDS).ok_or(IssueError::Clock)?)?;
        params.serial_number = Some(profile::serial(rng).to_vec().into());
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = params.self_signed(&key).map_err(|_| IssueError::Encode)?;
        Self::open(root.der(), key)
    }

    /// Opens an authority from its root certificate and key.
    ///
    /// # Errors
    /// [`IssueError`] if the certificate is no root of ours or the key is another's.
    pub fn open(root_der: &[u8], key: PrivateKey) -> Result<Self, IssueError> {
        let anchor = TrustAnchor::from_der(root_der)?;
        if *anchor.key() != key.verifying_key() {
            return Err(IssueError::KeyMismatch);
        }
        let (_, cert) = X509Certificate::from_der(root_der).map_err(|_| AnchorError::Malformed)?;
        let subject = cert
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok());
        let name = subject
            .and_then(|text| text.strip_prefix(ROOT_SUBJECT_PREFIX))
            .and_then(|text| Name::new(text).ok())
            .ok_or(IssueError::RootName)?;
        Ok(Self { key, anchor, name })
    }

    /// The authority's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The root certificate, as everyone else sees it.
    #[must_use]
    pub const fn anchor(&self) -> &TrustAnchor {
        &self.anchor
    }

    /// The root key, for writing it to its file.
    #[must_use]
    pub const fn private_key(&self) -> &PrivateKey {
        &self.key
    }

    /// Issues a member's certificate. Of the request only the key is used.
    ///
    /// # Errors
    /// [`IssueError::RootEnding`], [`IssueError::Clock`] or [`IssueError::Encode`].
    pub fn issue(
        &self,
        request: &CertificateRequest,
        role: Role,
        name: &Name,
        life: Life,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, IssueError> {
        let not_after = now.checked_add(life.seconds()).ok_or(IssueError::Clock)?;
        self.sign_leaf(
            &San::Member(role, name.clone()),
            request.key(),
            now,
            not_after,
            rng,
        )
    }

    /// Issues the certificate of the authority's own TLS end point, which lives as long as the root: both keys lie on
    /// one machine, so a shorter life would protect nothing.
    ///
    /// # Errors
    /// As [`issue`](Self::issue).
    pub fn issue_own(
        &self,
        key: &VerifyingKey,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, IssueError> {
        self.sign_leaf(
            &San::Authority(self.name.clone()),
            key,
            now,
            self.anchor.not_after(),
            rng,
        )
    }

    /// Signs a deny list with the root key.
    ///
    /// # Errors
    /// [`DenyError`] if the content breaks a bound.
    pub fn sign_deny_list(&self, content: DenyListContent) -> Result<DenyList, DenyError> {
        DenyList::sign(content, self.anchor.fingerprint(), |message| {
            self.key.signing_key().sign(message)
        })
    }

    /// Signs an X.509 revocation list (RFC 5280) for software that knows no deny list. `number` grows with every list;
    /// `next_update` is when the reader should look again (unix seconds).
    ///
    /// # Errors
    /// [`CrlError`].
    pub fn sign_crl(
        &self,
        entries: &[CrlEntry],
        number: u64,
        now: u64,
        next_update: u64,
    ) -> Result<Vec<u8>, CrlError> {
        let issuer = self.issuer().map_err(|_| CrlError::Encode)?;
        crl::sign(entries, number, now, next_update, &issuer)
    }

    fn issuer(&self) -> Result<Issuer<'static, &PrivateKey>, IssueError> {
        let root = CertificateDer::from(self.anchor.der());
        Issuer::from_ca_cert_der(&root, &self.key).map_err(|_| IssueError::Encode)
    }

    fn sign_leaf(
        &self,
        san: &San,
        key: &VerifyingKey,
        now: u64,
        not_after: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<IssuedCertificate, IssueError> {
        if not_after > self.anchor.not_after() {
            return Err(IssueError::RootEnding);
        }
        let not_before = now.saturating_sub(BACKDATE_SECONDS);
        let serial = profile::serial(rng);
        let params = profile::leaf_parameters(san, not_before, not_after, serial)?;
        let cert = params
            .signed_by(&SubjectKey(*key), &self.issuer()?)
            .map_err(|_| IssueError::Encode)?;
        let der = cert.der().to_vec();
        Ok(IssuedCertificate {
            fingerprint: sha256(&der),
            der,
            serial,
            not_before,
            not_after,
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("name", &self.name)
            .field("anchor", &self.anchor)
            .finish_non_exhaustive()
    }
}
