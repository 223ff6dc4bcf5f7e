//! What a checked certificate says, and the reasons for which one is refused.

use ed25519_dalek::VerifyingKey;

use crate::name::Name;
use crate::role::{Identity, Role};

/// A member's certificate that passed every check of [`TrustAnchor::verify`](crate::TrustAnchor::verify). Only that
/// function makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedCertificate {
    /// The member's name.
    pub name: Name,
    /// The member's role.
    pub role: Role,
    /// Hash of the SAN: who this is, whatever the key.
    pub identity: Identity,
    /// The certified key.
    pub key: VerifyingKey,
    /// SHA-256 of the DER: this very certificate.
    pub fingerprint: [u8; 32],
    /// Start of validity, unix seconds.
    pub not_before: u64,
    /// Last second of validity, unix seconds.
    pub not_after: u64,
}

/// The authority's own TLS certificate, after [`TrustAnchor::verify_authority`](crate::TrustAnchor::verify_authority).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedAuthority {
    /// The authority's name.
    pub name: Name,
    /// The certified key.
    pub key: VerifyingKey,
    /// SHA-256 of the DER.
    pub fingerprint: [u8; 32],
}

/// Why a certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Larger than [`MAX_CERTIFICATE_BYTES`](crate::MAX_CERTIFICATE_BYTES).
    #[error("the certificate is too large")]
    TooLarge,
    /// Not an X.509 version 3 certificate in DER, or a part of it cannot be read.
    #[error("the certificate cannot be read")]
    Malformed,
    /// Signed by itself.
    #[error("the certificate is self-signed; enrol with the authority")]
    SelfSigned,
    /// Not signed by this authority.
    #[error("the certificate was issued by another authority")]
    ForeignAuthority,
    /// Past its last second.
    #[error(
        "the certificate expired at {not_after} and it is {now} here (unix seconds): renew it, or check your clock"
    )]
    Expired {
        /// Last second of validity.
        not_after: u64,
        /// Time used for the check.
        now: u64,
    },
    /// Before its first second.
    #[error("the certificate starts at {not_before} but it is {now} here (unix seconds): check your clock")]
    NotYetValid {
        /// First second of validity.
        not_before: u64,
        /// Time used for the check.
        now: u64,
    },
    /// The root certificate itself is outside its validity.
    #[error(
        "the authority's root certificate is not valid now: check your clock, or enrol with its successor"
    )]
    AuthorityExpired,
    /// Lives longer than the profile allows.
    #[error("the certificate lives longer than the profile allows")]
    LifeTooLong,
    /// A certificate authority's certificate where a member's is wanted.
    #[error("an authority's certificate cannot be used by a member")]
    AuthorityUsedAsMember,
    /// A member's certificate of another role.
    #[error("the certificate is not for the role {wanted}")]
    WrongRole {
        /// The role that was asked for.
        wanted: Role,
    },
    /// Key usages other than exactly those of the profile.
    #[error("the key usages of the certificate do not fit its role")]
    WrongUsage,
    /// No subject alternative name.
    #[error("the certificate carries no name")]
    MissingName,
    /// More than one subject alternative name.
    #[error("the certificate carries more than one name")]
    SeveralNames,
    /// The one subject alternative name is not a `tacita:` URI.
    #[error("the name in the certificate is malformed")]
    MalformedName,
    /// The key is not Ed25519.
    #[error("the certified key is not Ed25519")]
    WrongKeyType,
    /// The key is not a usable curve point.
    #[error("the certified key is not a usable Ed25519 key")]
    WeakKey,
    /// On the deny list.
    #[error("the certificate or its name was revoked")]
    Revoked,
}
