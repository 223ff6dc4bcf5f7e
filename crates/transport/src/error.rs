//! What can go wrong between two machines, one variant per cause, each with a sentence that says what to do.

use std::net::SocketAddr;

use quinn::{ConnectionError, TransportErrorCode};
use tacita_identity::{AnchorError, CertificateError, Name};
use thiserror::Error;

use crate::limits::{MAX_FRAME, MAX_REASON};
use crate::local::IdentityError;

/// Code of a connection that is closed because its side is done, a service that stops included: it may be back soon.
pub const CLOSE_DONE: u32 = 0;
/// Code of a connection that is closed because the peer broke a rule.
pub const CLOSE_REFUSED: u32 = 1;
/// Code of a connection that is closed only for now: the same peer is welcome a while later.
pub const CLOSE_COME_BACK: u32 = 2;

/// Why a connection could not be made, or ended.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportError {
    /// Another process listens there.
    #[error("{addr} is already in use; stop the other process or choose another port")]
    AddressInUse {
        /// The local address.
        addr: SocketAddr,
    },
    /// The system refused the local address for another reason.
    #[error("cannot use the local address {addr}: {reason}")]
    Bind {
        /// The local address.
        addr: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// The remote address cannot be reached from this socket.
    #[error("cannot send to {addr}: {reason}")]
    Unreachable {
        /// The remote address.
        addr: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// Nobody answered in time.
    #[error(
        "no answer from {addr} over UDP; check the address, that the server runs, and that firewalls let UDP through"
    )]
    NoAnswer {
        /// The remote address.
        addr: SocketAddr,
    },
    /// The server takes no more connections just now.
    #[error("the server is busy; try again after a while")]
    Busy,
    /// The peer speaks another protocol or another version of ours.
    #[error("the peer does not speak tacita/1; check the address and both versions")]
    OtherVersion,
    /// Our own certificate and key cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),

    /// We refused the peer's certificate.
    #[error("the peer's certificate was refused: {0}")]
    CertificateRefused(#[from] CertificateError),
    /// The peer showed no certificate.
    #[error("the peer showed no certificate")]
    NoCertificate,
    /// A server of the right authority, but not the one we wanted.
    #[error("the server is {found}, not {expected}; check the address")]
    WrongServer {
        /// The name asked for.
        expected: Name,
        /// The name in its certificate.
        found: Name,
    },
    /// The authority did not show its root certificate.
    #[error("the peer did not show the authority's root certificate; check the address")]
    NoRoot,
    /// The root certificate is not the pinned one.
    #[error("the authority is not the one of the invitation: {0}; check the address, ask the operator")]
    WrongRoot(AnchorError),
    /// The peer refused our certificate.
    #[error("the peer refused our certificate: {0}")]
    RefusedByPeer(PeerVerdict),

    /// The peer closed the connection.
    #[error("the peer closed the connection (code {code}): {reason}")]
    ClosedByPeer {
        /// Its code.
        code: u64,
        /// Its text, escaped and cut to [`MAX_REASON`] characters.
        reason: String,
    },
    /// This side closed the connection.
    #[error("the connection was closed on this side")]
    ClosedHere,
    /// Nothing was heard from the peer for the idle time.
    #[error("the connection was lost; it may be made again")]
    Lost,
    /// The peer no longer knows the connection.
    #[error("the peer has restarted; connect again")]
    Restarted,
    /// The peer broke the rules of QUIC or TLS.
    #[error("the connection failed: {reason}")]
    Protocol {
        /// Escaped and cut to [`MAX_REASON`] characters.
        reason: String,
    },

    /// A frame above [`MAX_FRAME`], to be sent or announced by the peer.
    #[error("a frame of {bytes} bytes is over the limit of {MAX_FRAME}")]
    FrameTooLarge {
        /// Its announced length.
        bytes: usize,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
    /// The peer gave up the stream.
    #[error("the peer gave up the stream (code {code})")]
    StreamReset {
        /// Its code.
        code: u64,
    },
    /// The stream was finished or given up on this side.
    #[error("the stream is closed")]
    StreamClosed,
    /// The peer sends slower than [`Pace`](crate::Pace) allows.
    #[error("the peer sends too slowly")]
    TooSlow,
    /// The peer said nothing for longer than [`Pace`](crate::Pace) allows.
    #[error("the peer was silent for too long")]
    Silent,
}

/// Why the other side refused us, as far as a TLS alert can say it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerVerdict {
    /// Outside its validity by the peer's clock.
    #[error("it has expired, or a clock is wrong; renew it, and check the time on both machines")]
    Expired,
    /// Issued by an authority that the peer does not trust.
    #[error("it comes from another authority; enrol with the peer's authority")]
    UnknownAuthority,
    /// A certificate for another role.
    #[error("it is for another role; clients connect to servers only")]
    WrongRole,
    /// On the deny list.
    #[error("it was revoked; ask the operator")]
    Revoked,
    /// None was shown.
    #[error("none was shown; enrol first")]
    Missing,
    /// Valid but not welcome.
    #[error("it is not welcome there; ask the operator")]
    NotWelcome,
    /// Unreadable or for an unknown reason.
    #[error("it is not acceptable there")]
    Unacceptable,
}

impl TransportError {
    /// Whether trying again later can help without anybody doing something.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::Busy | Self::Lost | Self::Restarted => true,
            Self::ClosedByPeer { code, .. } => [CLOSE_DONE, CLOSE_COME_BACK].map(u64::from).contains(code),
            _ => false,
        }
    }
}

impl From<ConnectionError> for TransportError {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::VersionMismatch => Self::OtherVersion,
            ConnectionError::TransportError(local) => match alert(local.code) {
                Some(NO_APPLICATION_PROTOCOL) => Self::OtherVersion,
                Some(CERTIFICATE_REQUIRED) => Self::NoCertificate,
                _ => Self::Protocol {
                    reason: shown(local.to_string().as_bytes()),
                },
            },
            ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
                Some(NO_APPLICATION_PROTOCOL) => Self::OtherVersion,
                Some(code) => match verdict(code) {
                    Some(verdict) => Self::RefusedByPeer(verdict),
                    None => Self::Protocol {
                        reason: shown(close.to_string().as_bytes()),
                    },
                },
                None if close.error_code == TransportErrorCode::CONNECTION_REFUSED => Self::Busy,
                None => Self::Protocol {
                    reason: shown(close.to_string().as_bytes()),
                },
            },
            ConnectionError::ApplicationClosed(close) => Self::ClosedByPeer {
                code: close.error_code.into_inner(),
                reason: shown(&close.reason),
            },
            ConnectionError::Reset => Self::Restarted,
            ConnectionError::TimedOut => Self::Lost,
            ConnectionError::LocallyClosed => Self::ClosedHere,
            ConnectionError::CidsExhausted => Self::Busy,
        }
    }
}

// TLS alerts, RFC 8446 section 6.
const BAD_CERTIFICATE: u8 = 42;
const UNSUPPORTED_CERTIFICATE: u8 = 43;
const CERTIFICATE_REVOKED: u8 = 44;
const CERTIFICATE_EXPIRED: u8 = 45;
const CERTIFICATE_UNKNOWN: u8 = 46;
const UNKNOWN_CA: u8 = 48;
const ACCESS_DENIED: u8 = 49;
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// The TLS alert inside a QUIC error code: 0x100 to 0x1ff, RFC 9001 section 4.8.
fn alert(code: TransportErrorCode) -> Option<u8> {
    u64::from(code)
        .checked_sub(0x100)
        .and_then(|alert| u8::try_from(alert).ok())
}

fn verdict(alert: u8) -> Option<PeerVerdict> {
    Some(match alert {
        CERTIFICATE_EXPIRED => PeerVerdict::Expired,
        UNKNOWN_CA => PeerVerdict::UnknownAuthority,
        UNSUPPORTED_CERTIFICATE => PeerVerdict::WrongRole,
        CERTIFICATE_REVOKED => PeerVerdict::Revoked,
        CERTIFICATE_REQUIRED => PeerVerdict::Missing,
        ACCESS_DENIED => PeerVerdict::NotWelcome,
        BAD_CERTIFICATE | CERTIFICATE_UNKNOWN => PeerVerdict::Unacceptable,
        _ => return None,
    })
}

/// A peer's text made safe for logs and terminals.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .flat_map(char::escape_default)
        .take(MAX_REASON)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_text_cannot_steer_a_terminal_or_fill_a_log() {
        assert_eq!(shown(b"bye\x1b[31m\n"), "bye\\u{1b}[31m\\n");
        assert_eq!(shown(&[b'a'; 9_999]).len(), MAX_REASON);
        assert!(shown(&[0xff, 0xfe, b'x']).is_ascii());
    }

    #[test]
    fn a_service_that_stops_is_worth_another_try_and_one_that_refuses_is_not() {
        let closed = |code| TransportError::ClosedByPeer {
            code,
            reason: String::new(),
        };
        let passing = |code: u32| closed(u64::from(code)).is_passing();
        assert!(passing(CLOSE_DONE) && passing(CLOSE_COME_BACK) && !passing(CLOSE_REFUSED));
        assert!(!closed(u64::MAX).is_passing());
    }

    #[test]
    fn only_the_crypto_range_is_an_alert() {
        assert_eq!(alert(TransportErrorCode::crypto(45)), Some(45));
        assert_eq!(alert(TransportErrorCode::CONNECTION_REFUSED), None);
    }
}
