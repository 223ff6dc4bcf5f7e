//! Who may take part, and how that is proved. No I/O, no clock, no generator: time (unix seconds) and randomness are
//! arguments, and whatever must be stored or sent is returned as bytes.
//!
//! In come an operator's decisions (a name, a role), a machine's own key and bytes from strangers; out go invitations,
//! certificates, the signed deny list and, for every other crate, one question with one answer:
//! [`TrustAnchor::verify`] turns a peer's certificate into a [`VerifiedCertificate`] or into a named refusal.
//!
//! ```text
//! operator   Invitation (text, once) + InvitationRecord (stored hashed)
//! machine    PrivateKey -> CertificateRequest bytes -> EnrolRequest
//! authority  EnrolRequest -> Redemption -> Authority::issue -> EnrolResponse
//! anyone     certificate -> TrustAnchor::verify -> VerifiedCertificate -> DenyList::check
//! ```
//!
//! The normative text is `protocol-spec/07-enrolment.md`; the certificate profiles are in `keys/profiles/`.

mod anchor;
mod authority;
mod certificate;
mod codec;
mod crl;
mod deny;
mod hash;
mod invitation;
mod invitation_record;
mod key;
mod message;
mod name;
pub mod pem;
mod profile;
mod renewal;
mod request;
mod role;

pub use anchor::{AnchorError, MAX_CERTIFICATE_BYTES, TrustAnchor};
pub use authority::{Authority, IssueError, IssuedCertificate, ROOT_LIFE_SECONDS};
pub use certificate::{CertificateError, VerifiedAuthority, VerifiedCertificate};
pub use codec::DecodeError;
pub use crl::{CrlEntry, CrlError};
pub use deny::{DenyError, DenyList, DenyListContent, MAX_DENIED_CERTIFICATES, MAX_DENIED_NAMES};
pub use hash::fingerprint;
pub use invitation::{
    INVITATION_LIFE_SECONDS, INVITATION_PREFIX, Invitation, InvitationError, InvitationSecret,
    MAX_INVITATION_TEXT,
};
pub use invitation_record::{InvitationId, InvitationRecord, InvitationRefusal, Redemption};
pub use key::{KeyError, PrivateKey};
pub use message::{
    EnrolMessage, EnrolRequest, EnrolResponse, MAX_ENROL_MESSAGE, MAX_LEDGER_KEY, RefusalCode, RenewRequest,
};
pub use name::{MAX_NAME_BYTES, Name, NameError};
pub use profile::{
    BACKDATE_SECONDS, DEFAULT_LIFE_SECONDS, LONGEST_LIFE_SECONDS, Life, LifeError, Profile,
    SHORTEST_LIFE_SECONDS,
};
pub use renewal::{RenewalError, may_renew, renewal_time};
pub use request::{CertificateRequest, MAX_REQUEST_BYTES, RequestError};
pub use role::{Identity, Role, San, SanError};
