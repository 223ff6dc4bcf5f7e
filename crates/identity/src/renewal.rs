//! When a certificate is renewed. A member asks between one half and two thirds of the life, at a time of its own, so
//! that members enrolled together do not return together; the authority grants from the half on.

use crate::certificate::VerifiedCertificate;
use crate::profile::BACKDATE_SECONDS;

/// Why a renewal is refused on grounds of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewalError {
    /// Before half life.
    #[error("renewal is granted from {from} on (unix seconds)")]
    TooEarly {
        /// First second at which a renewal is granted.
        from: u64,
    },
    /// The certificate has expired: an expired certificate proves nothing, so a new invitation is needed.
    #[error("the certificate has expired; ask the operator for a new invitation")]
    Expired,
}

/// The second at which the holder should renew: half life plus `jitter` of the following sixth of the life, where
/// `jitter` is a random 16-bit number that stands for a fraction of 65,536.
#[must_use]
pub fn renewal_time(certificate: &VerifiedCertificate, jitter: u16) -> u64 {
    let life = certificate.not_after.saturating_sub(certificate.not_before);
    let spread = u128::from(life / 6) * u128::from(jitter) / 65_536;
    // Cannot truncate: a fraction of a u64.
    half_life(certificate).saturating_add(u64::try_from(spread).unwrap_or(u64::MAX))
}

/// Whether the authority renews this certificate at `now` (unix seconds). The holder's clock may be ahead by the
/// tolerance that certificates are backdated with.
///
/// # Errors
/// [`RenewalError`].
pub fn may_renew(certificate: &VerifiedCertificate, now: u64) -> Result<(), RenewalError> {
    if now > certificate.not_after {
        return Err(RenewalError::Expired);
    }
    let from = half_life(certificate).saturating_sub(BACKDATE_SECONDS);
    if now < from {
        Err(RenewalError::TooEarly { from })
    } else {
        Ok(())
    }
}

fn half_life(certificate: &VerifiedCertificate) -> u64 {
    let life = certificate.not_after.saturating_sub(certificate.not_before);
    certificate.not_before.saturating_add(life / 2)
}
