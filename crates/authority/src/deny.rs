//! Revocation: the numbered deny lists, and the X.509 list for outsiders.

use tacita_identity::{CrlEntry, DenyList, DenyListContent, Name, Role};
use tacita_store::Batch;

use crate::directory::AuthorityDir;
use crate::error::AuthorityError;
use crate::host;
use crate::register::{DENY_LIST, DENY_LIST_NEXT, REVOKED_AT, Register, damaged};

/// A revocation list for outsiders says to look again after an hour.
pub const CRL_LIFE_SECONDS: u64 = 3_600;
/// Fingerprints leave the deny list this long after their certificate expired; it is refused for its age by then, even
/// where a clock is a day behind.
const KEEP_DENIED_SECONDS: u64 = 24 * 3_600;
/// Attempts against other processes that change the list at the same time.
const MAX_ATTEMPTS: usize = 64;

impl AuthorityDir {
    /// The current deny list.
    ///
    /// # Errors
    /// A failure of the register.
    pub fn deny_list(&self) -> Result<DenyList, AuthorityError> {
        let lists = self.register().scan(DENY_LIST)?;
        let (key, bytes) = lists.last().ok_or_else(|| damaged(DENY_LIST, b""))?;
        DenyList::verify(bytes, self.authority().anchor()).map_err(|_| damaged(DENY_LIST, key))
    }

    /// The current deny list, signed again with the time `now` if the stored copy is older than `most` seconds.
    pub(crate) fn fresh_deny_list(&self, now: u64, most: u64) -> Result<DenyList, AuthorityError> {
        let list = self.deny_list()?;
        if list.age(now) <= most {
            return Ok(list);
        }
        let content = DenyListContent {
            issued_at: now,
            ..list.content().clone()
        };
        Ok(self.authority().sign_deny_list(content)?)
    }

    /// Bars a name, in one role or in both: its certificates, its invitations and its renewals. Takes effect at the
    /// next roster of every server that consults the list.
    ///
    /// # Errors
    /// [`AuthorityError::UnknownName`] if nobody of that name was ever enrolled or invited.
    pub fn revoke(&self, name: &Name, role: Option<Role>) -> Result<DenyList, AuthorityError> {
        let roles: Vec<_> = [Role::Client, Role::Server]
            .into_iter()
            .filter(|known| role.is_none_or(|wanted| wanted == *known))
            .collect();
        let is_meant = |role: Role, found: &Name| found == name && roles.contains(&role);
        let invitations: Vec<_> = self
            .register()
            .invitations()?
            .into_iter()
            .filter(|record| is_meant(record.role(), record.name()))
            .collect();
        let certificates: Vec<_> = self
            .register()
            .certificates()?
            .into_iter()
            .filter(|(_, issued)| is_meant(issued.role, &issued.name))
            .collect();
        let known: Vec<_> = roles
            .into_iter()
            .filter(|role| {
                invitations.iter().any(|record| record.role() == *role)
                    || certificates.iter().any(|(_, issued)| issued.role == *role)
            })
            .collect();
        if known.is_empty() {
            return Err(AuthorityError::UnknownName { name: name.clone() });
        }
        self.amend(|content, now, batch| {
            content
                .names
                .extend(known.iter().map(|role| (*role, name.clone())));
            for record in invitations.iter().filter(|record| !record.is_spent()) {
                Register::drop_invitation(batch, record.id());
            }
            for (fingerprint, _) in &certificates {
                batch.put(REVOKED_AT, *fingerprint, now.to_be_bytes());
            }
            Ok(())
        })
    }

    /// Lets a name be used again. Certificates issued before stay void: the name leaves the list, and those of its
    /// certificates that have not expired enter it.
    ///
    /// # Errors
    /// [`AuthorityError::UnknownName`] if the name is not on the list.
    pub fn reinstate(&self, name: &Name, role: Role) -> Result<DenyList, AuthorityError> {
        let certificates = self.register().certificates()?;
        self.amend(|content, now, _| {
            if !content.names.remove(&(role, name.clone())) {
                return Err(AuthorityError::UnknownName { name: name.clone() });
            }
            let old = certificates.iter().filter(|(_, issued)| {
                issued.role == role
                    && issued.name == *name
                    && now <= issued.not_after.saturating_add(KEEP_DENIED_SECONDS)
            });
            content
                .certificates
                .extend(old.map(|(fingerprint, _)| *fingerprint));
            Ok(())
        })
    }

    /// An X.509 revocation list (DER) of every revoked certificate that has not expired.
    ///
    /// # Errors
    /// A failure of the register.
    pub fn revocation_list(&self) -> Result<Vec<u8>, AuthorityError> {
        let now = host::now()?;
        let denied = self.deny_list()?;
        let denied = denied.content();
        let mut entries = Vec::new();
        for (fingerprint, issued) in self.register().certificates()? {
            let is_denied = denied.certificates.contains(&fingerprint)
                || denied.names.contains(&(issued.role, issued.name.clone()));
            if !is_denied || now > issued.not_after {
                continue;
            }
            let serial = hex::decode(&issued.serial)
                .ok()
                .and_then(|bytes| bytes.try_into().ok());
            entries.push(CrlEntry {
                serial: serial.ok_or_else(|| damaged("certificate", &fingerprint))?,
                revoked_at: self.register().revoked_at(&fingerprint)?.unwrap_or(now),
            });
        }
        // The time numbers the list: it grows, and a list changes by itself when a certificate expires.
        Ok(self
            .authority()
            .sign_crl(&entries, now, now, now.saturating_add(CRL_LIFE_SECONDS))?)
    }

    pub(crate) fn publish_first_deny_list(&self) -> Result<(), AuthorityError> {
        let content = DenyListContent {
            issued_at: host::now()?,
            ..DenyListContent::default()
        };
        let list = self.authority().sign_deny_list(content)?;
        let mut batch = Batch::new();
        batch.insert_new(DENY_LIST, 0u64.to_be_bytes(), list.as_bytes());
        self.register().commit(batch).map(|_| ())
    }

    /// Writes the next list. A list has one successor, a key that is inserted once, so of two processes that change the
    /// list at the same time one starts again from the other's result. The number is the time, so that a register
    /// restored from a backup goes on above the numbers that it has forgotten.
    fn amend(
        &self,
        change: impl Fn(&mut DenyListContent, u64, &mut Batch) -> Result<(), AuthorityError>,
    ) -> Result<DenyList, AuthorityError> {
        for _ in 0..MAX_ATTEMPTS {
            let now = host::now()?;
            let current = self.deny_list()?;
            let mut content = current.content().clone();
            let mut batch = Batch::new();
            change(&mut content, now, &mut batch)?;
            self.forget_expired(&mut content, now)?;
            let before = current.content();
            if (&content.names, &content.certificates) == (&before.names, &before.certificates) {
                self.register().commit(batch)?;
                return Ok(current);
            }
            content.number = before.number.saturating_add(1).max(now);
            content.issued_at = now;
            let (old, new) = (before.number.to_be_bytes(), content.number.to_be_bytes());
            let list = self.authority().sign_deny_list(content)?;
            batch
                .insert_new(DENY_LIST_NEXT, old, new)
                .put(DENY_LIST, new, list.as_bytes())
                .delete(DENY_LIST, old);
            if self.register().commit(batch)? {
                return Ok(list);
            }
        }
        Err(AuthorityError::Contended)
    }

    fn forget_expired(&self, content: &mut DenyListContent, now: u64) -> Result<(), AuthorityError> {
        let mut kept = std::collections::BTreeSet::new();
        for fingerprint in &content.certificates {
            let expired = self
                .register()
                .certificate(fingerprint)?
                .is_none_or(|issued| now > issued.not_after.saturating_add(KEEP_DENIED_SECONDS));
            if !expired {
                kept.insert(*fingerprint);
            }
        }
        content.certificates = kept;
        Ok(())
    }
}
