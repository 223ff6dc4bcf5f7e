//! The messages of enrolment, renewal and revocation. One request and one answer per QUIC stream, each one frame.
//!
//! ```text
//! struct { uint16 version = 1; uint8 kind; select (kind) { ... } body; } EnrolMessage;
//! ```
//! The kinds and their bodies are in `protocol-spec/07-enrolment.md`.

use zeroize::Zeroizing;

use crate::anchor::MAX_CERTIFICATE_BYTES;
use crate::codec::{DecodeError, Reader, Writer};
use crate::deny::MAX_DENY_LIST_BYTES;
use crate::invitation::{Invitation, InvitationSecret};
use crate::request::MAX_REQUEST_BYTES;

/// Longest ledger key (a C2SP vkey line) handed out at enrolment, in bytes.
pub const MAX_LEDGER_KEY: usize = 512;
/// Longest message of either direction.
pub const MAX_ENROL_MESSAGE: usize =
    HEAD_BYTES + 2 * (2 + MAX_CERTIFICATE_BYTES) + 4 + MAX_DENY_LIST_BYTES + 2 + MAX_LEDGER_KEY;

const VERSION: u16 = 1;
const HEAD_BYTES: usize = 3;

const ENROL: u8 = 1;
const RENEW: u8 = 2;
const DENY_LIST_REQUEST: u8 = 3;
const CERTIFIED: u8 = 4;
const DENY_LIST: u8 = 5;
const REFUSED: u8 = 6;

/// A first certificate, against an invitation.
#[derive(Debug)]
pub struct EnrolRequest {
    /// The secret of the invitation.
    pub secret: InvitationSecret,
    /// The certificate request, DER.
    pub request: Vec<u8>,
}

impl EnrolRequest {
    /// Redeems `invitation` with this certificate request (DER).
    #[must_use]
    pub fn redeeming(invitation: &Invitation, request: Vec<u8>) -> Self {
        Self {
            secret: InvitationSecret::from_bytes(*invitation.secret.as_bytes()),
            request,
        }
    }
}

/// A further certificate, on a connection authenticated by the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewRequest {
    /// The certificate request, DER, for a new key.
    pub request: Vec<u8>,
}

/// What enrolment and renewal give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolResponse {
    /// The member's certificate, DER.
    pub certificate: Vec<u8>,
    /// The root certificate, DER.
    pub root: Vec<u8>,
    /// The current deny list, signed.
    pub deny_list: Vec<u8>,
    /// The ledger's verifier key (C2SP vkey text) to pin, empty if the operator named none.
    pub ledger_key: String,
}

/// Why the authority refuses. The number is the wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u16)]
#[non_exhaustive]
pub enum RefusalCode {
    /// The message could not be read.
    #[error("the authority could not read the request")]
    Malformed = 1,
    /// A version that the authority does not speak.
    #[error("the authority speaks another version")]
    Version = 2,
    /// No such invitation.
    #[error("the authority knows no such invitation")]
    InvitationUnknown = 3,
    /// The invitation was used before, for another key.
    #[error("the invitation was used before; if that was not you, tell the operator at once")]
    InvitationSpent = 4,
    /// The invitation is older than ten minutes.
    #[error("the invitation has expired; ask for a new one")]
    InvitationExpired = 5,
    /// The certificate request breaks a rule.
    #[error("the certificate request is not acceptable")]
    Request = 6,
    /// Renewal without a member's certificate.
    #[error("renewal needs a connection authenticated by the current certificate")]
    CertificateRequired = 7,
    /// The name or the certificate was revoked.
    #[error("the name or the certificate was revoked")]
    Revoked = 8,
    /// Renewal before half life.
    #[error("it is too early to renew")]
    TooEarly = 9,
    /// The certificate was renewed before, with another key.
    #[error("the certificate was renewed before; if that was not you, tell the operator at once")]
    AlreadyRenewed = 10,
    /// Too many wrong attempts from this address.
    #[error("too many failed attempts from this address; wait")]
    LockedOut = 11,
    /// The authority cannot serve now.
    #[error("the authority cannot serve now; try again")]
    Unavailable = 12,
}

impl RefusalCode {
    const ALL: [Self; 12] = [
        Self::Malformed,
        Self::Version,
        Self::InvitationUnknown,
        Self::InvitationSpent,
        Self::InvitationExpired,
        Self::Request,
        Self::CertificateRequired,
        Self::Revoked,
        Self::TooEarly,
        Self::AlreadyRenewed,
        Self::LockedOut,
        Self::Unavailable,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

/// Any message between a machine and the authority.
#[derive(Debug)]
pub enum EnrolMessage {
    /// To the authority: a first certificate.
    Enrol(EnrolRequest),
    /// To the authority: a further certificate.
    Renew(RenewRequest),
    /// To the authority: the deny list. Needs no certificate.
    DenyListRequest,
    /// From the authority: a certificate.
    Certified(EnrolResponse),
    /// From the authority: the signed deny list.
    DenyList(Vec<u8>),
    /// From the authority: no.
    Refused(RefusalCode),
}

impl EnrolMessage {
    /// The wire form; wiped when dropped, for it may hold an invitation's secret.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if a field exceeds its bound.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        let mut out = Writer::with_capacity(self.capacity());
        out.u16(VERSION);
        match self {
            Self::Enrol(enrol) => {
                out.u8(ENROL);
                out.bytes(enrol.secret.as_bytes());
                out.opaque16(&enrol.request, MAX_REQUEST_BYTES)?;
            }
            Self::Renew(renew) => {
                out.u8(RENEW);
                out.opaque16(&renew.request, MAX_REQUEST_BYTES)?;
            }
            Self::DenyListRequest => out.u8(DENY_LIST_REQUEST),
            Self::Certified(response) => {
                out.u8(CERTIFIED);
                out.opaque16(&response.certificate, MAX_CERTIFICATE_BYTES)?;
                out.opaque16(&response.root, MAX_CERTIFICATE_BYTES)?;
                out.opaque32(&response.deny_list, MAX_DENY_LIST_BYTES)?;
                out.opaque16(response.ledger_key.as_bytes(), MAX_LEDGER_KEY)?;
            }
            Self::DenyList(list) => {
                out.u8(DENY_LIST);
                out.opaque32(list, MAX_DENY_LIST_BYTES)?;
            }
            Self::Refused(code) => {
                out.u8(REFUSED);
                out.u16(code.code());
            }
        }
        Ok(out.finish())
    }

    /// Reads a message from a stranger.
    ///
    /// # Errors
    /// [`DecodeError`] names the first rule that is broken.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.u16()? != VERSION {
            return Err(DecodeError::Version);
        }
        let message = match reader.u8()? {
            ENROL => Self::Enrol(EnrolRequest {
                secret: InvitationSecret::from_bytes(reader.array()?),
                request: reader.opaque16(MAX_REQUEST_BYTES)?.to_vec(),
            }),
            RENEW => Self::Renew(RenewRequest {
                request: reader.opaque16(MAX_REQUEST_BYTES)?.to_vec(),
            }),
            DENY_LIST_REQUEST => Self::DenyListRequest,
            CERTIFIED => Self::Certified(EnrolResponse {
                certificate: reader.opaque16(MAX_CERTIFICATE_BYTES)?.to_vec(),
                root: reader.opaque16(MAX_CERTIFICATE_BYTES)?.to_vec(),
                deny_list: reader.opaque32(MAX_DENY_LIST_BYTES)?.to_vec(),
                ledger_key: reader.text(MAX_LEDGER_KEY)?.to_owned(),
            }),
            DENY_LIST => Self::DenyList(reader.opaque32(MAX_DENY_LIST_BYTES)?.to_vec()),
            REFUSED => Self::Refused(RefusalCode::from_code(reader.u16()?).ok_or(DecodeError::Kind)?),
            _ => return Err(DecodeError::Kind),
        };
        reader.finish()?;
        Ok(message)
    }

    const fn capacity(&self) -> usize {
        let body = match self {
            Self::Enrol(enrol) => 32 + 2 + enrol.request.len(),
            Self::Renew(renew) => 2 + renew.request.len(),
            Self::DenyListRequest => 0,
            Self::Certified(response) => {
                10 + response.certificate.len()
                    + response.root.len()
                    + response.deny_list.len()
                    + response.ledger_key.len()
            }
            Self::DenyList(list) => 4 + list.len(),
            Self::Refused(_) => 2,
        };
        HEAD_BYTES + body
    }
}

#[cfg(test)]
mod tests;
