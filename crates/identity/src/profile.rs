//! The certificate profiles: the only place that decides subject, usages and life of what the authority issues.
//! `keys/profiles/*.toml` repeats them for operators, and a test compares the two.

use rand_core::CryptoRng;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
};
use time::OffsetDateTime;

use crate::authority::IssueError;
use crate::role::{Role, San};

/// Life of a certificate unless the operator says otherwise: one day.
pub const DEFAULT_LIFE_SECONDS: u64 = 24 * 3_600;
/// Shortest life that can be issued. Below five minutes, renewal at half life would race with ordinary clock error.
pub const SHORTEST_LIFE_SECONDS: u64 = 300;
/// Longest life that can be issued, and that a verifier accepts: one week.
pub const LONGEST_LIFE_SECONDS: u64 = 7 * 24 * 3_600;
/// `notBefore` lies this far in the past, for clocks that are slightly behind.
pub const BACKDATE_SECONDS: u64 = 60;
/// Bytes of a serial number; 126 of its bits are random.
pub(crate) const SERIAL_BYTES: usize = 16;

/// How long a member's certificate lives, in seconds from issue, within the bounds above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Life(u64);

/// A life outside the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a certificate lives {SHORTEST_LIFE_SECONDS} to {LONGEST_LIFE_SECONDS} seconds")]
pub struct LifeError;

impl Life {
    /// Checks and keeps a life in seconds.
    ///
    /// # Errors
    /// [`LifeError`] outside the bounds.
    pub const fn from_seconds(seconds: u64) -> Result<Self, LifeError> {
        if seconds < SHORTEST_LIFE_SECONDS || seconds > LONGEST_LIFE_SECONDS {
            return Err(LifeError);
        }
        Ok(Self(seconds))
    }

    /// The life in seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl Default for Life {
    fn default() -> Self {
        Self(DEFAULT_LIFE_SECONDS)
    }
}

/// Which certificate is being made or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A participant's certificate.
    Client,
    /// The aggregation server's certificate.
    Server,
    /// The authority's own TLS certificate.
    Authority,
}

impl Profile {
    /// The profile of a name.
    #[must_use]
    pub const fn of(san: &San) -> Self {
        match san {
            San::Member(Role::Client, _) => Self::Client,
            San::Member(Role::Server, _) => Self::Server,
            San::Authority(_) => Self::Authority,
        }
    }

    /// The one extended key usage of the profile, as RFC 5280 names it.
    #[must_use]
    pub const fn extended_key_usage(self) -> &'static str {
        match self {
            Self::Client => "clientAuth",
            Self::Server | Self::Authority => "serverAuth",
        }
    }

    const fn purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Self::Server | Self::Authority => ExtendedKeyUsagePurpose::ServerAuth,
        }
    }

    pub(crate) const fn webpki_usage(self) -> webpki::KeyUsage {
        match self {
            Self::Client => webpki::KeyUsage::client_auth(),
            Self::Server | Self::Authority => webpki::KeyUsage::server_auth(),
        }
    }
}

/// The parameters of a leaf certificate for `san`, valid from `not_before` to `not_after` (unix seconds).
pub(crate) fn leaf_parameters(
    san: &San,
    not_before: u64,
    not_after: u64,
    serial: [u8; SERIAL_BYTES],
) -> Result<CertificateParams, IssueError> {
    let uri = san.to_string();
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&uri);
    params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(|_| IssueError::Encode)?)];
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    params.serial_number = Some(serial.to_vec().into());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![Profile::of(san).purpose()];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

pub(crate) fn common_name(text: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, text);
    subject
}

/// A positive serial number of exactly [`SERIAL_BYTES`] bytes: top bits `01`, the rest random.
pub(crate) fn serial(rng: &mut impl CryptoRng) -> [u8; SERIAL_BYTES] {
    let mut serial = [0u8; SERIAL_BYTES];
    rng.fill_bytes(&mut serial);
    serial[0] = (serial[0] & 0x3f) | 0x40;
    serial
}

pub(crate) fn date(seconds: u64) -> Result<OffsetDateTime, IssueError> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(IssueError::Clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_has_bounds() {
        assert_eq!(Life::from_seconds(SHORTEST_LIFE_SECONDS - 1), Err(LifeError));
        assert_eq!(Life::from_seconds(LONGEST_LIFE_SECONDS + 1), Err(LifeError));
        assert_eq!(Life::from_seconds(3_600).unwrap().seconds(), 3_600);
        assert_eq!(Life::default().seconds(), 86_400);
    }
}
