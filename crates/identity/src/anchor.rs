//! The trust anchor: the root certificate of one authority, and the check of everything it issued.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use rustls_pki_types::{CertificateDer, TrustAnchor as PkiAnchor, UnixTime};
use subtle::ConstantTimeEq;
use webpki::{EndEntityCert, Error as PkiError};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use crate::certificate::{CertificateError, VerifiedAuthority, VerifiedCertificate};
use crate::hash::sha256;
use crate::profile::{BACKDATE_SECONDS, LONGEST_LIFE_SECONDS, Profile};
use crate::request::{is_ed25519, public_key};
use crate::role::{Identity, Role, San};

/// Largest certificate looked at. The authority issues less than 500 bytes.
pub const MAX_CERTIFICATE_BYTES: usize = 2_048;

const CRITICAL_KEY_CERT_SIGN_AND_CRL_SIGN: u16 = 0b110_0000;
const DIGITAL_SIGNATURE: u16 = 1;

/// The root certificate of an authority, checked once.
#[derive(Clone)]
pub struct TrustAnchor {
    der: Vec<u8>,
    anchor: PkiAnchor<'static>,
    key: VerifyingKey,
    fingerprint: [u8; 32],
    not_before: u64,
    not_after: u64,
}

/// Why bytes are not a usable root certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// Larger than [`MAX_CERTIFICATE_BYTES`].
    #[error("the root certificate is too large")]
    TooLarge,
    /// Not an X.509 version 3 certificate in DER.
    #[error("the root certificate cannot be read")]
    Malformed,
    /// Not the root that was pinned.
    #[error("the root certificate is not the pinned one")]
    Fingerprint,
    /// The key is not a usable Ed25519 key.
    #[error("the root key is not Ed25519")]
    KeyType,
    /// Not signed by itself.
    #[error("the root certificate is not signed by its own key")]
    NotSelfSigned,
    /// Not a certificate authority with path length 0 that may sign certificates and revocation lists, and nothing else.
    #[error("the root certificate has not the profile of an authority")]
    Profile,
}

impl TrustAnchor {
    /// Reads a root certificate. Its origin is the caller's business: read it from local configuration, or use
    /// [`from_pinned_der`](Self::from_pinned_der).
    ///
    /// # Errors
    /// [`AnchorError`] names the rule that is broken.
    pub fn from_der(der: &[u8]) -> Result<Self, AnchorError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(AnchorError::TooLarge);
        }
        let (rest, cert) = X509Certificate::from_der(der).map_err(|_| AnchorError::Malformed)?;
        if !rest.is_empty() {
            return Err(AnchorError::Malformed);
        }
        let tbs = &cert.tbs_certificate;
        if !is_ed25519(&tbs.subject_pki.algorithm) || !is_ed25519(&cert.signature_algorithm) {
            return Err(AnchorError::KeyType);
        }
        let key = public_key(&tbs.subject_pki.subject_public_key.data).ok_or(AnchorError::KeyType)?;
        let signature =
            Signature::from_slice(&cert.signature_value.data).map_err(|_| AnchorError::NotSelfSigned)?;
        if tbs.issuer.as_raw() != tbs.subject.as_raw() || key.verify_strict(tbs.as_ref(), &signature).is_err()
        {
            return Err(AnchorError::NotSelfSigned);
        }
        let constraints = tbs
            .basic_constraints()
            .map_err(|_| AnchorError::Malformed)?
            .ok_or(AnchorError::Profile)?;
        let usage = tbs
            .key_usage()
            .map_err(|_| AnchorError::Malformed)?
            .ok_or(AnchorError::Profile)?;
        if !constraints.critical
            || !constraints.value.ca
            || constraints.value.path_len_constraint != Some(0)
            || usage.value.flags != CRITICAL_KEY_CERT_SIGN_AND_CRL_SIGN
        {
            return Err(AnchorError::Profile);
        }
        let (not_before, not_after) = validity(&cert).ok_or(AnchorError::Malformed)?;
        let document = CertificateDer::from(der);
        let anchor = webpki::anchor_from_trusted_cert(&document)
            .map_err(|_| AnchorError::Malformed)?
            .to_owned();
        Ok(Self {
            der: der.to_vec(),
            anchor,
            key,
            fingerprint: sha256(der),
            not_before,
            not_after,
        })
    }

    /// Reads a root certificate that a stranger sent, if it is the pinned one.
    ///
    /// # Errors
    /// [`AnchorError::Fingerprint`] for any other bytes, else as [`from_der`](Self::from_der).
    pub fn from_pinned_der(der: &[u8], fingerprint: &[u8; 32]) -> Result<Self, AnchorError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(AnchorError::TooLarge);
        }
        if !bool::from(sha256(der).ct_eq(fingerprint)) {
            return Err(AnchorError::Fingerprint);
        }
        Self::from_der(der)
    }

    /// The root certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the root certificate: what an invitation pins.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The root key.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Last second of the root's validity, unix seconds.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Checks a member's certificate for `role` at `now` (unix seconds): issued by this root, in time, one SAN of that
    /// role, exactly the usages of the profile, a sound Ed25519 key. About 100 microseconds. The deny list is apart:
    /// [`DenyList::check`](crate::DenyList::check).
    ///
    /// # Errors
    /// [`CertificateError`] names the first check that failed.
    pub fn verify(&self, der: &[u8], role: Role, now: u64) -> Result<VerifiedCertificate, CertificateError> {
        let cert = parse(der)?;
        match san(&cert)? {
            San::Member(found, name) if found == role => self.verify_parsed(der, &cert, role, name, now),
            // The issuer is checked first, so that a stranger's certificate is called a stranger's.
            _ => {
                self.check_issuer(&cert, der, now, None)?;
                Err(CertificateError::WrongRole { wanted: role })
            }
        }
    }

    /// As [`verify`](Self::verify) for a member of either role, which the certificate's own name decides.
    ///
    /// # Errors
    /// [`CertificateError`] names the first check that failed; the authority's own certificate is no member's.
    pub fn verify_member(&self, der: &[u8], now: u64) -> Result<VerifiedCertificate, CertificateError> {
        let cert = parse(der)?;
        match san(&cert)? {
            San::Member(role, name) => self.verify_parsed(der, &cert, role, name, now),
            San::Authority(_) => {
                self.check_issuer(&cert, der, now, None)?;
                Err(CertificateError::AuthorityUsedAsMember)
            }
        }
    }

    /// Checks the certificate that the authority's own TLS end point shows.
    ///
    /// # Errors
    /// [`CertificateError`] names the first check that failed; a server's certificate is
    /// [`WrongUsage`](CertificateError::WrongUsage) here.
    pub fn verify_authority(&self, der: &[u8], now: u64) -> Result<VerifiedAuthority, CertificateError> {
        let cert = parse(der)?;
        let name = san(&cert)?;
        self.check_issuer(&cert, der, now, Some(Profile::Authority))?;
        let San::Authority(name) = name else {
            return Err(CertificateError::WrongUsage);
        };
        check_usages(&cert, Profile::Authority)?;
        Ok(VerifiedAuthority {
            name,
            key: certified_key(&cert)?,
            fingerprint: sha256(der),
        })
    }

    fn verify_parsed(
        &self,
        der: &[u8],
        cert: &X509Certificate<'_>,
        role: Role,
        name: crate::name::Name,
        now: u64,
    ) -> Result<VerifiedCertificate, CertificateError> {
        let profile = match role {
            Role::Client => Profile::Client,
            Role::Server => Profile::Server,
        };
        self.check_issuer(cert, der, now, Some(profile))?;
        check_usages(cert, profile)?;
        let (not_before, not_after) = validity(cert).ok_or(CertificateError::Malformed)?;
        if not_after.saturating_sub(not_before) > LONGEST_LIFE_SECONDS + BACKDATE_SECONDS {
            return Err(CertificateError::LifeTooLong);
        }
        Ok(VerifiedCertificate {
            identity: Identity::of(role, &name),
            name,
            role,
            key: certified_key(cert)?,
            fingerprint: sha256(der),
            not_before,
            not_after,
        })
    }

    /// Signature, validity, basic constraints and, where a profile is given, the extended key usage, by webpki.
    fn check_issuer(
        &self,
        cert: &X509Certificate<'_>,
        der: &[u8],
        now: u64,
        profile: Option<Profile>,
    ) -> Result<(), CertificateError> {
        if cert.tbs_certificate.issuer.as_raw() == cert.tbs_certificate.subject.as_raw() {
            return Err(CertificateError::SelfSigned);
        }
        let document = CertificateDer::from(der);
        let leaf = EndEntityCert::try_from(&document).map_err(|_| CertificateError::Malformed)?;
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
        let anchors = std::slice::from_ref(&self.anchor);
        let algorithms = [webpki::aws_lc_rs::ED25519];
        let outcome = match profile {
            Some(profile) => leaf.verify_for_usage(
                &algorithms,
                anchors,
                &[],
                time,
                profile.webpki_usage(),
                None,
                None,
            ),
            None => leaf.verify_for_usage(&algorithms, anchors, &[], time, AnyUsage, None, None),
        };
        outcome.map_err(|error| refusal(&error, now))?;
        // webpki does not look at the anchor's own validity.
        if now < self.not_before || now > self.not_after {
            return Err(CertificateError::AuthorityExpired);
        }
        Ok(())
    }
}

impl fmt::Debug for TrustAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustAnchor({})", hex::encode(self.fingerprint))
    }
}

/// Used only on the way to a refusal, where the usage no longer matters.
struct AnyUsage;

impl webpki::ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: webpki::KeyPurposeIdIter<'_, '_>) -> Result<(), PkiError> {
        Ok(())
    }
}

fn refusal(error: &PkiError, now: u64) -> CertificateError {
    match error {
        PkiError::CertExpired { not_after, .. } => CertificateError::Expired {
            not_after: not_after.as_secs(),
            now,
        },
        PkiError::CertNotValidYet { not_before, .. } => CertificateError::NotYetValid {
            not_before: not_before.as_secs(),
            now,
        },
        PkiError::CaUsedAsEndEntity => CertificateError::AuthorityUsedAsMember,
        PkiError::EmptyEkuExtension | PkiError::RequiredEkuNotFoundContext(_) => CertificateError::WrongUsage,
        PkiError::UnknownIssuer
        | PkiError::InvalidSignatureForPublicKey
        | PkiError::UnsupportedSignatureAlgorithmContext(_)
        | PkiError::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => CertificateError::ForeignAuthority,
        _ => CertificateError::Malformed,
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(CertificateError::TooLarge);
    }
    match X509Certificate::from_der(der) {
        Ok(([], cert)) => Ok(cert),
        _ => Err(CertificateError::Malformed),
    }
}

/// The one subject alternative name.
fn san(cert: &X509Certificate<'_>) -> Result<San, CertificateError> {
    let mut found = None;
    for extension in cert.tbs_certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
            for name in &names.general_names {
                if found.replace(name).is_some() {
                    return Err(CertificateError::SeveralNames);
                }
            }
        }
    }
    match found {
        None => Err(CertificateError::MissingName),
        Some(GeneralName::URI(uri)) => San::parse(uri).map_err(|_| CertificateError::MalformedName),
        Some(_) => Err(CertificateError::MalformedName),
    }
}

/// Exactly digital signature, and exactly the one extended usage: webpki asks only that it be among them.
fn check_usages(cert: &X509Certificate<'_>, profile: Profile) -> Result<(), CertificateError> {
    let tbs = &cert.tbs_certificate;
    let usage = tbs
        .key_usage()
        .map_err(|_| CertificateError::Malformed)?
        .ok_or(CertificateError::WrongUsage)?;
    let extended = tbs
        .extended_key_usage()
        .map_err(|_| CertificateError::Malformed)?
        .ok_or(CertificateError::WrongUsage)?;
    let extended = extended.value;
    let is_client = profile == Profile::Client;
    let other = extended.any
        || extended.code_signing
        || extended.email_protection
        || extended.time_stamping
        || extended.ocsp_signing
        || !extended.other.is_empty();
    if usage.value.flags != DIGITAL_SIGNATURE
        || extended.client_auth != is_client
        || extended.server_auth == is_client
        || other
    {
        return Err(CertificateError::WrongUsage);
    }
    Ok(())
}

fn certified_key(cert: &X509Certificate<'_>) -> Result<VerifyingKey, CertificateError> {
    let info = &cert.tbs_certificate.subject_pki;
    if !is_ed25519(&info.algorithm) {
        return Err(CertificateError::WrongKeyType);
    }
    public_key(&info.subject_public_key.data).ok_or(CertificateError::WeakKey)
}

/// `notBefore` and `notAfter` in unix seconds.
fn validity(cert: &X509Certificate<'_>) -> Option<(u64, u64)> {
    let validity = cert.tbs_certificate.validity();
    let not_before = u64::try_from(validity.not_before.timestamp()).ok()?;
    let not_after = u64::try_from(validity.not_after.timestamp()).ok()?;
    (not_before <= not_after).then_some((not_before, not_after))
}
