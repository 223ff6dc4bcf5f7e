//! The member's side of enrolment, renewal and revocation: small exchanges with the authority, whose answers are
//! checked before anybody sees them.
//!
//! A caller makes and stores the new key *before* it asks. The authority answers a request that comes again with the
//! same key by the same certificate, so that after a lost answer or a crash it is enough to ask once more.

use std::net::SocketAddr;

use tacita_identity::{
    CertificateError, CertificateRequest, DecodeError, DenyError, DenyList, EnrolMessage, EnrolRequest,
    EnrolResponse, Invitation, KeyError, Name, PrivateKey, RefusalCode, RenewRequest, Role, TrustAnchor,
    VerifiedCertificate,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::client::ClientEndpoint;
use crate::connection::Connection;
use crate::error::TransportError;
use crate::limits::Pace;
use crate::local::LocalIdentity;

/// Addresses of one host name that are tried.
const MAX_ADDRESSES: usize = 8;

/// What a member gets from the authority, all of it checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Enrolled {
    /// The member's certificate, DER.
    pub certificate: Vec<u8>,
    /// What it says.
    pub verified: VerifiedCertificate,
    /// The authority's root, the pinned one.
    pub anchor: TrustAnchor,
    /// The deny list at this moment.
    pub deny_list: DenyList,
    /// The ledger's verifier key to pin (C2SP vkey text), if the operator named one.
    pub ledger_key: Option<String>,
}

/// Why there is no certificate or deny list.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnrolError {
    /// The authority's host name has no address that this socket can reach.
    #[error("cannot find {address}: {reason}")]
    Address {
        /// `host:port`.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// No connection, or it broke off.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The authority said no.
    #[error("{0}")]
    Refused(RefusalCode),
    /// The answer cannot be read.
    #[error("the authority's answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The answer is of another kind than the question.
    #[error("the authority answered something else")]
    Unexpected,
    /// The stream ended without an answer.
    #[error("the authority did not answer")]
    NoAnswer,
    /// The certificate received does not pass our own checks.
    #[error("the authority issued a certificate that is refused here: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate received is for another key, name or role, or comes with another root.
    #[error("the authority issued a certificate for something else than what was asked")]
    Mismatch,
    /// The deny list received does not pass our own checks.
    #[error("the authority sent a deny list that is refused here: {0}")]
    DenyList(#[from] DenyError),
    /// Our own key could not be put into a request.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl EnrolError {
    /// Whether asking again later, with the same key, may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_passing(),
            Self::Refused(code) => matches!(code, RefusalCode::Unavailable | RefusalCode::LockedOut),
            Self::NoAnswer | Self::Address { .. } => true,
            _ => false,
        }
    }
}

/// Redeems `invitation` for a certificate of `key`'s public half.
///
/// # Errors
/// [`EnrolError`] by cause; [`RefusalCode::InvitationSpent`] means that somebody else has redeemed it.
pub async fn enrol(
    endpoint: &ClientEndpoint,
    invitation: &Invitation,
    key: &PrivateKey,
) -> Result<Enrolled, EnrolError> {
    let pin = invitation.root_fingerprint;
    let request = CertificateRequest::create(key)?;
    let (connection, anchor) = dial(endpoint, &invitation.address, pin, None).await?;
    // The secret leaves only on a connection that has shown the pinned root.
    let message = EnrolMessage::Enrol(EnrolRequest::redeeming(invitation, request));
    let answer = ask(&connection, &message).await;
    connection.close(0, "done");
    certified(answer?, anchor, key, invitation.role, &invitation.name)
}

/// Renews the certificate of `identity`, which is that of `current`, for a new key. Ask from
/// [`renewal_time`](tacita_identity::renewal_time) on.
///
/// # Errors
/// [`EnrolError`] by cause; [`RefusalCode::AlreadyRenewed`] means that somebody else holds the current key.
pub async fn renew(
    endpoint: &ClientEndpoint,
    address: &str,
    identity: &LocalIdentity,
    current: &VerifiedCertificate,
    key: &PrivateKey,
) -> Result<Enrolled, EnrolError> {
    let request = CertificateRequest::create(key)?;
    let pin = *identity.anchor().fingerprint();
    let (connection, anchor) = dial(endpoint, address, pin, Some(identity)).await?;
    let answer = ask(&connection, &EnrolMessage::Renew(RenewRequest { request })).await;
    connection.close(0, "done");
    certified(answer?, anchor, key, current.role, &current.name)
}

/// Fetches the deny list of the authority behind `anchor`. Compare it with the last one seen:
/// [`DenyList::succeeded_by`].
///
/// # Errors
/// [`EnrolError`] by cause.
pub async fn fetch_deny_list(
    endpoint: &ClientEndpoint,
    address: &str,
    anchor: &TrustAnchor,
) -> Result<DenyList, EnrolError> {
    let (connection, anchor) = dial(endpoint, address, *anchor.fingerprint(), None).await?;
    let answer = ask(&connection, &EnrolMessage::DenyListRequest).await;
    connection.close(0, "done");
    match answer? {
        EnrolMessage::DenyList(bytes) => Ok(DenyList::verify(&bytes, &anchor)?),
        EnrolMessage::Refused(code) => Err(EnrolError::Refused(code)),
        _ => Err(EnrolError::Unexpected),
    }
}

/// Tries the addresses of `address` one after the other, those that the socket can reach.
async fn dial(
    endpoint: &ClientEndpoint,
    address: &str,
    pin: [u8; 32],
    identity: Option<&LocalIdentity>,
) -> Result<(Connection, TrustAnchor), EnrolError> {
    let not_found = |reason: String| EnrolError::Address {
        address: address.to_owned(),
        reason,
    };
    let is_v4 = endpoint.local_addr()?.is_ipv4();
    let found = tokio::net::lookup_host(address)
        .await
        .map_err(|error| not_found(error.to_string()))?;
    let addresses: Vec<SocketAddr> = found
        .filter(|found| found.is_ipv4() == is_v4)
        .take(MAX_ADDRESSES)
        .collect();
    let mut last = not_found("no address of the family that is used here".to_owned());
    for address in addresses {
        match endpoint.connect_authority(address, pin, identity).await {
            Ok(found) => return Ok((found.connection, found.anchor)),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

async fn ask(connection: &Connection, message: &EnrolMessage) -> Result<EnrolMessage, EnrolError> {
    let (mut sender, mut receiver) = connection.open().await?;
    receiver.set_pace(Some(Pace::default()));
    let frame: Zeroizing<Vec<u8>> = message.encode()?;
    sender.send(&frame).await?;
    sender.finish().await?;
    let answer = receiver.recv().await?.ok_or(EnrolError::NoAnswer)?;
    Ok(EnrolMessage::decode(&answer)?)
}

fn certified(
    answer: EnrolMessage,
    anchor: TrustAnchor,
    key: &PrivateKey,
    role: Role,
    name: &Name,
) -> Result<Enrolled, EnrolError> {
    let EnrolResponse {
        certificate,
        root,
        deny_list,
        ledger_key,
    } = match answer {
        EnrolMessage::Certified(response) => response,
        EnrolMessage::Refused(code) => return Err(EnrolError::Refused(code)),
        _ => return Err(EnrolError::Unexpected),
    };
    let now = rustls_pki_types::UnixTime::now().as_secs();
    let verified = anchor.verify(&certificate, role, now)?;
    if root != anchor.der() || verified.name != *name || verified.key != key.verifying_key() {
        return Err(EnrolError::Mismatch);
    }
    let deny_list = DenyList::verify(&deny_list, &anchor)?;
    let ledger_key = Some(ledger_key).filter(|text| !text.is_empty());
    Ok(Enrolled {
        certificate,
        verified,
        anchor,
        deny_list,
        ledger_key,
    })
}
