//! The authority's memory of an invitation: enough to grant it once, not enough to use it.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::codec::{DecodeError, Reader, Writer};
use crate::invitation::InvitationSecret;
use crate::name::{MAX_NAME_BYTES, Name};
use crate::role::Role;

const FORMAT: u8 = 1;

/// The handle of an invitation: a one-way function of its secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvitationId(pub [u8; 16]);

impl fmt::Debug for InvitationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvitationId({})", hex::encode(self.0))
    }
}

/// What is stored of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRecord {
    id: InvitationId,
    verifier: [u8; 32],
    role: Role,
    name: Name,
    expires_at: u64,
    spent: Option<Spent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spent {
    key: [u8; 32],
    certificate: [u8; 32],
}

/// What a presented secret earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// A certificate may be issued, if [`InvitationRecord::spend`] becomes durable in the same step.
    Issue,
    /// The same key comes again, so the answer was lost: send the certificate with this fingerprint once more.
    Repeat {
        /// Fingerprint of the certificate already issued for this invitation and key.
        certificate: [u8; 32],
    },
}

/// Why an invitation is not honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationRefusal {
    /// No such invitation, or another secret.
    #[error("no such invitation")]
    Unknown,
    /// Used before, for another key. If that was not you, someone else has enrolled with it: tell the operator.
    #[error("the invitation was used before; if that was not you, tell the operator at once")]
    Spent,
    /// Older than ten minutes.
    #[error("the invitation has expired; ask for a new one")]
    Expired,
}

impl InvitationRecord {
    pub(crate) fn new(secret: &InvitationSecret, role: Role, name: Name, expires_at: u64) -> Self {
        Self {
            id: secret.id(),
            verifier: secret.verifier(),
            role,
            name,
            expires_at,
            spent: None,
        }
    }

    /// The handle under which to store it.
    #[must_use]
    pub const fn id(&self) -> InvitationId {
        self.id
    }

    /// The role it grants.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The name it grants.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Last second at which it can be redeemed, unix seconds.
    #[must_use]
    pub const fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Whether a certificate was issued for it.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.spent.is_some()
    }

    /// What `presented` earns at `now` (unix seconds) for the public key `key`. The secret is compared in constant
    /// time, and first: whoever does not know it learns nothing about the invitation.
    ///
    /// # Errors
    /// [`InvitationRefusal`].
    pub fn redeem(
        &self,
        now: u64,
        presented: &InvitationSecret,
        key: &[u8; 32],
    ) -> Result<Redemption, InvitationRefusal> {
        if !bool::from(presented.verifier().ct_eq(&self.verifier)) {
            return Err(InvitationRefusal::Unknown);
        }
        if now > self.expires_at {
            return Err(InvitationRefusal::Expired);
        }
        match self.spent {
            None => Ok(Redemption::Issue),
            Some(spent) if spent.key == *key => Ok(Redemption::Repeat {
                certificate: spent.certificate,
            }),
            Some(_) => Err(InvitationRefusal::Spent),
        }
    }

    /// Marks the invitation as used for `key` and the certificate with this fingerprint. Store the changed record in
    /// the same durable step as the certificate, and only if nobody stored one in between.
    ///
    /// # Errors
    /// As [`redeem`](Self::redeem), and [`InvitationRefusal::Spent`] for a second time whatever the key.
    pub fn spend(
        &mut self,
        now: u64,
        presented: &InvitationSecret,
        key: [u8; 32],
        certificate: [u8; 32],
    ) -> Result<(), InvitationRefusal> {
        match self.redeem(now, presented, &key)? {
            Redemption::Issue => {
                self.spent = Some(Spent { key, certificate });
                Ok(())
            }
            Redemption::Repeat { .. } => Err(InvitationRefusal::Spent),
        }
    }

    /// The stored form.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`], which no valid name can cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DecodeError> {
        let mut out = Writer::with_capacity(256);
        out.u8(FORMAT);
        out.bytes(&self.id.0);
        out.bytes(&self.verifier);
        out.u8(self.role.to_byte());
        out.opaque16(self.name.as_str().as_bytes(), MAX_NAME_BYTES)?;
        out.u64(self.expires_at);
        match &self.spent {
            None => out.u8(0),
            Some(spent) => {
                out.u8(1);
                out.bytes(&spent.key);
                out.bytes(&spent.certificate);
            }
        }
        Ok(out.finish().to_vec())
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != FORMAT {
            return Err(DecodeError::Version);
        }
        let id = InvitationId(reader.array()?);
        let verifier = reader.array()?;
        let role = Role::from_byte(reader.u8()?).ok_or(DecodeError::Kind)?;
        let name = Name::new(reader.text(MAX_NAME_BYTES)?).map_err(|_| DecodeError::Field)?;
        let expires_at = reader.u64()?;
        let spent = match reader.u8()? {
            0 => None,
            1 => Some(Spent {
                key: reader.array()?,
                certificate: reader.array()?,
            }),
            _ => return Err(DecodeError::Kind),
        };
        reader.finish()?;
        Ok(Self {
            id,
            verifier,
            role,
            name,
            expires_at,
            spent,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::invitation::{INVITATION_LIFE_SECONDS, Invitation};

    const NOW: u64 = 1_800_000_000;
    const KEY: [u8; 32] = [7; 32];

    fn invite(seed: u64) -> (Invitation, InvitationRecord) {
        let name = Name::new("alice").unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        Invitation::create(
            "authority.example:4430",
            &[1; 32],
            Role::Client,
            &name,
            NOW,
            &mut rng,
        )
        .unwrap()
    }

    #[test]
    fn is_granted_once() {
        let (invitation, mut record) = invite(1);
        assert_eq!(
            record.redeem(NOW, &invitation.secret, &KEY),
            Ok(Redemption::Issue)
        );
        record.spend(NOW, &invitation.secret, KEY, [9; 32]).unwrap();
        assert_eq!(
            record.redeem(NOW, &invitation.secret, &[8; 32]),
            Err(InvitationRefusal::Spent)
        );
        assert_eq!(
            record.spend(NOW, &invitation.secret, [8; 32], [2; 32]),
            Err(InvitationRefusal::Spent)
        );
        assert_eq!(
            record.spend(NOW, &invitation.secret, KEY, [2; 32]),
            Err(InvitationRefusal::Spent)
        );
        let repeat = record.redeem(NOW, &invitation.secret, &KEY);
        assert_eq!(repeat, Ok(Redemption::Repeat { certificate: [9; 32] }));
    }

    #[test]
    fn another_secret_learns_nothing_even_of_a_spent_or_expired_one() {
        let (invitation, mut record) = invite(1);
        let (other, _) = invite(2);
        assert_eq!(
            record.redeem(NOW, &other.secret, &KEY),
            Err(InvitationRefusal::Unknown)
        );
        record.spend(NOW, &invitation.secret, KEY, [9; 32]).unwrap();
        assert_eq!(
            record.redeem(NOW, &other.secret, &KEY),
            Err(InvitationRefusal::Unknown)
        );
        assert_eq!(
            record.redeem(u64::MAX, &other.secret, &KEY),
            Err(InvitationRefusal::Unknown)
        );
    }

    #[test]
    fn lasts_ten_minutes_to_the_second() {
        let (invitation, mut record) = invite(1);
        let last = NOW + INVITATION_LIFE_SECONDS;
        assert_eq!(
            record.redeem(last, &invitation.secret, &KEY),
            Ok(Redemption::Issue)
        );
        assert_eq!(
            record.redeem(last + 1, &invitation.secret, &KEY),
            Err(InvitationRefusal::Expired)
        );
        let late = record.spend(last + 1, &invitation.secret, KEY, [9; 32]);
        assert_eq!(
            (late, record.is_spent()),
            (Err(InvitationRefusal::Expired), false)
        );
        record.spend(last, &invitation.secret, KEY, [9; 32]).unwrap();
        assert_eq!(
            record.redeem(last + 1, &invitation.secret, &KEY),
            Err(InvitationRefusal::Expired)
        );
    }

    #[test]
    fn stored_form_round_trips_and_holds_no_secret() {
        let (invitation, mut record) = invite(1);
        for _ in 0..2 {
            let bytes = record.to_bytes().unwrap();
            assert_eq!(InvitationRecord::from_bytes(&bytes).unwrap(), record);
            assert!(
                !bytes
                    .windows(32)
                    .any(|window| window == invitation.secret.as_bytes())
            );
            for cut in 0..bytes.len() {
                assert!(
                    InvitationRecord::from_bytes(&bytes[..cut]).is_err(),
                    "cut at {cut}"
                );
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(
                InvitationRecord::from_bytes(&longer),
                Err(DecodeError::TrailingBytes)
            );
            let _ = record.spend(NOW, &invitation.secret, KEY, [9; 32]);
        }
    }
}
