//! X.509 revocation lists for outsiders. Tacita's own members use the deny list, which also bars names.

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, RevocationReason, RevokedCertParams, SerialNumber,
};

use crate::key::PrivateKey;
use crate::profile;

/// One revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlEntry {
    /// Serial number, big-endian, as issued.
    pub serial: [u8; profile::SERIAL_BYTES],
    /// When it was revoked, unix seconds.
    pub revoked_at: u64,
}

/// Why a revocation list cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// `next_update` is not after `now`, or a time cannot be written.
    #[error("the times of the revocation list do not fit")]
    Time,
    /// The list could not be encoded.
    #[error("the revocation list could not be encoded")]
    Encode,
}

pub(crate) fn sign(
    entries: &[CrlEntry],
    number: u64,
    now: u64,
    next_update: u64,
    issuer: &Issuer<'_, &PrivateKey>,
) -> Result<Vec<u8>, CrlError> {
    if next_update <= now {
        return Err(CrlError::Time);
    }
    let revoked_certs = entries
        .iter()
        .map(|entry| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&entry.serial),
                revocation_time: profile::date(entry.revoked_at).map_err(|_| CrlError::Time)?,
                reason_code: Some(RevocationReason::PrivilegeWithdrawn),
                invalidity_date: None,
            })
        })
        .collect::<Result<_, CrlError>>()?;
    let params = CertificateRevocationListParams {
        this_update: profile::date(now).map_err(|_| CrlError::Time)?,
        next_update: profile::date(next_update).map_err(|_| CrlError::Time)?,
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(params
        .signed_by(issuer)
        .map_err(|_| CrlError::Encode)?
        .der()
        .to_vec())
}
