//! Invitations: one line of text that lets one machine enrol once, under one name.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::codec::{DecodeError, Reader, Writer};
use crate::hash::{sha256, tagged};
use crate::invitation_record::{InvitationId, InvitationRecord};
use crate::name::{MAX_NAME_BYTES, Name};
use crate::role::Role;

/// Every invitation starts with this.
pub const INVITATION_PREFIX: &str = "tacita-invite:v1:";
/// An invitation can be redeemed for ten minutes.
pub const INVITATION_LIFE_SECONDS: u64 = 600;
/// Longest invitation text looked at, in bytes.
pub const MAX_INVITATION_TEXT: usize = 1_024;

const MAX_ADDRESS_BYTES: usize = 255 + 1 + 5;
const CHECKSUM_BYTES: usize = 4;
const MAX_BODY_BYTES: usize = 1 + 2 + MAX_NAME_BYTES + 2 + MAX_ADDRESS_BYTES + 32 + 32 + CHECKSUM_BYTES;

/// The 32 random bytes that redeem an invitation. Wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct InvitationSecret([u8; 32]);

impl InvitationSecret {
    /// Takes the bytes of a secret, from a message.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public handle under which the record is found.
    #[must_use]
    pub fn id(&self) -> InvitationId {
        let mut id = [0u8; 16];
        id.copy_from_slice(&tagged("tacita/1 invitation id", &[&self.0])[..16]);
        InvitationId(id)
    }

    /// What is stored in place of the secret. The secret has 256 random bits, so a plain hash is enough.
    pub(crate) fn verifier(&self) -> [u8; 32] {
        tagged("tacita/1 invitation verifier", &[&self.0])
    }
}

impl fmt::Debug for InvitationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationSecret(..)")
    }
}

/// What an operator hands to a participant: where to enrol, whom to trust, and the right to do it once.
#[derive(Debug)]
#[non_exhaustive]
pub struct Invitation {
    /// The authority's address, `host:port`.
    pub address: String,
    /// SHA-256 of the root certificate; the connection is pinned to it.
    pub root_fingerprint: [u8; 32],
    /// What proves the right to enrol.
    pub secret: InvitationSecret,
    /// The role to be certified.
    pub role: Role,
    /// The name to be certified.
    pub name: Name,
}

/// Why a text is not an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// Longer than [`MAX_INVITATION_TEXT`].
    #[error("too long for an invitation")]
    TooLong,
    /// Does not start with [`INVITATION_PREFIX`].
    #[error("an invitation starts with '{INVITATION_PREFIX}'")]
    Prefix,
    /// Not base64url without padding, or the checksum does not fit: characters were lost or changed.
    #[error("the invitation is damaged; copy the whole line")]
    Damaged,
    /// A part of it is malformed.
    #[error("the invitation is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The address is not `host:port`.
    #[error("the authority's address is not host:port")]
    Address,
}

impl Invitation {
    /// Makes an invitation and the record that the authority keeps of it, valid for [`INVITATION_LIFE_SECONDS`] from
    /// `now` (unix seconds).
    ///
    /// # Errors
    /// [`InvitationError::Address`].
    pub fn create(
        address: &str,
        root_fingerprint: &[u8; 32],
        role: Role,
        name: &Name,
        now: u64,
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, InvitationRecord), InvitationError> {
        check_address(address)?;
        let mut secret = InvitationSecret([0; 32]);
        rng.fill_bytes(&mut secret.0);
        let record = InvitationRecord::new(
            &secret,
            role,
            name.clone(),
            now.saturating_add(INVITATION_LIFE_SECONDS),
        );
        let invitation = Self {
            address: address.to_owned(),
            root_fingerprint: *root_fingerprint,
            secret,
            role,
            name: name.clone(),
        };
        Ok((invitation, record))
    }

    /// The line of text. It holds the secret, so it is wiped when dropped.
    ///
    /// # Errors
    /// [`InvitationError`] if a public field was given a value too long to write.
    pub fn to_text(&self) -> Result<Zeroizing<String>, InvitationError> {
        check_address(&self.address)?;
        let mut out = Writer::with_capacity(MAX_BODY_BYTES);
        out.u8(self.role.to_byte());
        out.opaque16(self.name.as_str().as_bytes(), MAX_NAME_BYTES)?;
        out.opaque16(self.address.as_bytes(), MAX_ADDRESS_BYTES)?;
        out.bytes(&self.root_fingerprint);
        out.bytes(self.secret.as_bytes());
        let body = out.finish();
        let mut whole = Writer::with_capacity(MAX_BODY_BYTES);
        whole.bytes(&body);
        whole.bytes(&checksum(&body));
        let mut text = Zeroizing::new(String::with_capacity(MAX_INVITATION_TEXT));
        text.push_str(INVITATION_PREFIX);
        URL_SAFE_NO_PAD.encode_string(&*whole.finish(), &mut text);
        Ok(text)
    }

    /// Reads the line of text; white space around it is ignored.
    ///
    /// # Errors
    /// [`InvitationError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, InvitationError> {
        let text = text.trim();
        if text.len() > MAX_INVITATION_TEXT {
            return Err(InvitationError::TooLong);
        }
        let encoded = text
            .strip_prefix(INVITATION_PREFIX)
            .ok_or(InvitationError::Prefix)?;
        let whole = Zeroizing::new(
            URL_SAFE_NO_PAD
                .decode(encoded)
                .map_err(|_| InvitationError::Damaged)?,
        );
        let (body, sum) = whole
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(InvitationError::Damaged)?;
        if checksum(body) != *sum {
            return Err(InvitationError::Damaged);
        }
        let mut reader = Reader::new(body);
        let role = Role::from_byte(reader.u8()?).ok_or(DecodeError::Kind)?;
        let name = Name::new(reader.text(MAX_NAME_BYTES)?).map_err(|_| DecodeError::Field)?;
        let address = reader.text(MAX_ADDRESS_BYTES)?.to_owned();
        check_address(&address)?;
        let root_fingerprint = reader.array()?;
        let secret = InvitationSecret(reader.array()?);
        reader.finish()?;
        Ok(Self {
            address,
            root_fingerprint,
            secret,
            role,
            name,
        })
    }
}

/// Catches a line that lost or changed characters on its way; it is no protection against anyone.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = sha256(body);
    [digest[0], digest[1], digest[2], digest[3]]
}

/// `host:port`: a DNS name, an IPv4 address or a bracketed IPv6 address, and a port that is not zero.
fn check_address(address: &str) -> Result<(), InvitationError> {
    let (host, port) = address.rsplit_once(':').ok_or(InvitationError::Address)?;
    let plain = |host: &str| {
        host.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
    };
    let host_fits = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.len() <= 255 && plain(host),
    };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    if host_fits && digits && port.parse::<u16>().is_ok_and(|port| port != 0) {
        Ok(())
    } else {
        Err(InvitationError::Address)
    }
}

#[cfg(test)]
mod tests;
