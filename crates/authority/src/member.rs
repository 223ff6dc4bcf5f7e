//! What `list` shows.

use std::collections::BTreeMap;

use tacita_identity::{DenyListContent, Name, Role};
use tacita_ledger::{KeyType, VerifierKey};

use crate::directory::AuthorityDir;
use crate::error::AuthorityError;
use crate::host;
use crate::register::damaged;

/// How a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// Has a valid certificate.
    Valid,
    /// Had one; needs a new invitation.
    Expired,
    /// The name, or its newest certificate, is on the deny list.
    Revoked,
}

/// One name and its newest certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The role.
    pub role: Role,
    /// The name.
    pub name: Name,
    /// How it stands.
    pub state: MemberState,
    /// SHA-256 of the newest certificate.
    pub fingerprint: [u8; 32],
    /// When that was issued, unix seconds.
    pub issued_at: u64,
    /// Its last second, unix seconds.
    pub not_after: u64,
    /// Certificates remembered under the name.
    pub certificates: usize,
}

/// An invitation that can still be redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenInvitation {
    /// The role it grants.
    pub role: Role,
    /// The name it grants.
    pub name: Name,
    /// Its last second, unix seconds.
    pub expires_at: u64,
}

/// Everything the authority knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// By role and name.
    pub members: Vec<Member>,
    /// By expiry.
    pub invitations: Vec<OpenInvitation>,
    /// The deny list.
    pub denied: DenyListContent,
    /// Time of this overview, unix seconds.
    pub now: u64,
}

impl AuthorityDir {
    /// The keys under which clients may have cosigned ledger heads, as verifier keys (type 0x04) by name: one for each
    /// certificate that the register remembers, those that have expired included.
    ///
    /// # Errors
    /// [`AuthorityError`] if the register cannot be read.
    pub fn witnesses(&self) -> Result<Vec<VerifierKey>, AuthorityError> {
        let mut keys = Vec::new();
        for (fingerprint, issued) in self.register().certificates()? {
            let place = || damaged("certificate.der", &fingerprint);
            let der = self.register().certificate_der(&fingerprint)?.ok_or_else(place)?;
            if issued.role != Role::Client {
                continue;
            }
            let anchor = self.authority().anchor();
            let certificate = anchor
                .verify(&der, Role::Client, issued.issued_at)
                .map_err(|_| place())?;
            let name = certificate.name.as_str();
            keys.push(VerifierKey::new(name, KeyType::CosignatureV1, certificate.key).map_err(|_| place())?);
        }
        keys.sort_by_key(|key| key.to_string());
        keys.dedup();
        Ok(keys)
    }

    /// Who was enrolled, who may still enrol, who is revoked.
    ///
    /// # Errors
    /// [`AuthorityError`] if the register cannot be read.
    pub fn list(&self) -> Result<Overview, AuthorityError> {
        let now = host::now()?;
        let denied = self.deny_list()?.content().clone();
        let mut members: BTreeMap<(Role, Name), Member> = BTreeMap::new();
        for (fingerprint, issued) in self.register().certificates()? {
            let newest = Member {
                role: issued.role,
                name: issued.name.clone(),
                state: MemberState::Valid,
                fingerprint,
                issued_at: issued.issued_at,
                not_after: issued.not_after,
                certificates: 1,
            };
            members
                .entry((issued.role, issued.name))
                .and_modify(|member| {
                    let certificates = member.certificates.saturating_add(1);
                    if (newest.not_after, newest.fingerprint) > (member.not_after, member.fingerprint) {
                        *member = newest.clone();
                    }
                    member.certificates = certificates;
                })
                .or_insert(newest);
        }
        let mut members: Vec<_> = members.into_values().collect();
        for member in &mut members {
            let is_denied = denied.certificates.contains(&member.fingerprint)
                || denied.names.contains(&(member.role, member.name.clone()));
            member.state = match is_denied {
                true => MemberState::Revoked,
                false if now > member.not_after => MemberState::Expired,
                false => MemberState::Valid,
            };
        }
        let mut invitations: Vec<_> = self
            .register()
            .invitations()?
            .into_iter()
            .filter(|record| !record.is_spent() && now <= record.expires_at())
            .map(|record| OpenInvitation {
                role: record.role(),
                name: record.name().clone(),
                expires_at: record.expires_at(),
            })
            .collect();
        invitations.sort_by(|a, b| (a.expires_at, a.role, &a.name).cmp(&(b.expires_at, b.role, &b.name)));
        Ok(Overview {
            members,
            invitations,
            denied,
            now,
        })
    }
}
