//! Enrolment and renewal: a stranger's request goes in, a certificate that is on disk comes out, or a refusal.

use tacita_identity::{
    CertificateRequest, EnrolResponse, InvitationRefusal, InvitationSecret, IssuedCertificate, Name,
    Redemption, RefusalCode, Role, VerifiedCertificate, may_renew,
};
use tacita_store::Batch;

use crate::directory::AuthorityDir;
use crate::error::AuthorityError;
use crate::host::OsRandom;
use crate::register::{Issued, Register, Successor};

/// A deny list handed out is signed anew if its copy is older, in seconds.
const DENY_LIST_AGE: u64 = 60;

/// Why a request gets no certificate.
#[derive(Debug)]
pub(crate) enum NotGranted {
    /// The requester is told.
    Refused(RefusalCode),
    /// The authority itself failed; the requester is told to try again.
    Failed(AuthorityError),
}

impl From<RefusalCode> for NotGranted {
    fn from(code: RefusalCode) -> Self {
        Self::Refused(code)
    }
}

impl<E: Into<AuthorityError>> From<E> for NotGranted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<InvitationRefusal> for NotGranted {
    fn from(refusal: InvitationRefusal) -> Self {
        Self::Refused(match refusal {
            InvitationRefusal::Unknown => RefusalCode::InvitationUnknown,
            InvitationRefusal::Spent => RefusalCode::InvitationSpent,
            InvitationRefusal::Expired => RefusalCode::InvitationExpired,
        })
    }
}

impl AuthorityDir {
    /// Redeems an invitation. The certificate and the mark that the invitation is spent become durable in one step,
    /// of which any number of concurrent attempts, in any number of processes, can make one.
    pub(crate) fn enrol(
        &self,
        presented: &InvitationSecret,
        request: &[u8],
        now: u64,
    ) -> Result<EnrolResponse, NotGranted> {
        // Twice at most: whoever loses the race finds on the second look what the winner has written.
        for _ in 0..2 {
            let mut record = self
                .register()
                .invitation(presented.id())?
                .ok_or(RefusalCode::InvitationUnknown)?;
            let request = CertificateRequest::check(request).map_err(|error| {
                tracing::debug!(%error, "certificate request refused");
                RefusalCode::Request
            })?;
            let key = request.key().to_bytes();
            match record.redeem(now, presented, &key)? {
                Redemption::Repeat { certificate } => return self.repeat(&certificate, now),
                Redemption::Issue => {}
            }
            let (role, name) = (record.role(), record.name().clone());
            if self.deny_list()?.content().names.contains(&(role, name.clone())) {
                return Err(RefusalCode::Revoked.into());
            }
            let issued = self.issue(&request, role, &name, now)?;
            record.spend(now, presented, key, issued.fingerprint)?;
            let mut batch = Batch::new();
            Register::spend_invitation(&mut batch, record.id(), &issued.fingerprint);
            Register::put_invitation(&mut batch, &record)?;
            Register::put_certificate(&mut batch, &issued, &about(&issued, role, &name, now, false))?;
            if self.register().commit(batch)? {
                tracing::info!(%role, %name, fingerprint = hex::encode(issued.fingerprint), "enrolled");
                return self.answer(issued.der, now);
            }
        }
        Err(RefusalCode::InvitationSpent.into())
    }

    /// Renews `current`, which the connection has proved. A certificate has one successor: asked again for the same
    /// new key the answer is the same, for another key it is a refusal, so that a stolen key is noticed by its owner.
    pub(crate) fn renew(
        &self,
        current: &VerifiedCertificate,
        request: &[u8],
        now: u64,
    ) -> Result<EnrolResponse, NotGranted> {
        self.deny_list()?
            .check(current)
            .map_err(|_| RefusalCode::Revoked)?;
        let request = CertificateRequest::check(request).map_err(|error| {
            tracing::debug!(%error, name = %current.name, "certificate request refused");
            RefusalCode::Request
        })?;
        let key = request.key().to_bytes();
        for _ in 0..2 {
            if let Some(successor) = self.register().successor(&current.fingerprint)? {
                if successor.key != key {
                    tracing::warn!(role = %current.role, name = %current.name, "renewed twice, with two keys");
                    return Err(RefusalCode::AlreadyRenewed.into());
                }
                return self.repeat(&successor.certificate, now);
            }
            may_renew(current, now).map_err(|_| RefusalCode::TooEarly)?;
            let issued = self.issue(&request, current.role, &current.name, now)?;
            let successor = Successor {
                key,
                certificate: issued.fingerprint,
            };
            let mut batch = Batch::new();
            Register::spend_certificate(&mut batch, &current.fingerprint, &successor);
            let about = about(&issued, current.role, &current.name, now, true);
            Register::put_certificate(&mut batch, &issued, &about)?;
            if self.register().commit(batch)? {
                let fingerprint = hex::encode(issued.fingerprint);
                tracing::info!(role = %current.role, name = %current.name, fingerprint, "renewed");
                return self.answer(issued.der, now);
            }
        }
        Err(RefusalCode::AlreadyRenewed.into())
    }

    fn issue(
        &self,
        request: &CertificateRequest,
        role: Role,
        name: &Name,
        now: u64,
    ) -> Result<IssuedCertificate, AuthorityError> {
        let life = self.settings().life()?;
        Ok(self
            .authority()
            .issue(request, role, name, life, now, &mut OsRandom::new()?)?)
    }

    /// The answer to a request that was granted before: the same bytes.
    fn repeat(&self, fingerprint: &[u8; 32], now: u64) -> Result<EnrolResponse, NotGranted> {
        let der = self
            .register()
            .certificate_der(fingerprint)?
            .ok_or(RefusalCode::Unavailable)?;
        self.answer(der, now)
    }

    fn answer(&self, certificate: Vec<u8>, now: u64) -> Result<EnrolResponse, NotGranted> {
        Ok(EnrolResponse {
            certificate,
            root: self.authority().anchor().der().to_vec(),
            deny_list: self.fresh_deny_list(now, DENY_LIST_AGE)?.as_bytes().to_vec(),
            ledger_key: self.ledger_key()?,
        })
    }
}

fn about(issued: &IssuedCertificate, role: Role, name: &Name, now: u64, renewal: bool) -> Issued {
    Issued {
        role,
        name: name.clone(),
        serial: hex::encode(issued.serial),
        not_before: issued.not_before,
        not_after: issued.not_after,
        issued_at: now,
        renewal,
    }
}

#[cfg(test)]
mod tests;
