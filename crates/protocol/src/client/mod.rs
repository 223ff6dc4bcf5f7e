//! The client's side of a round: one struct per state, each consumed by the step that leaves it.
//!
//! ```text
//! Invited --advertise--> Advertised --roster--> Shared --sharers + update--> Masked --agree request--> Agreed
//!         --reveal request--> Revealed --outcome--> Done
//! ```
//!
//! Above 1,000 members `Agreed --signers--> Drawn --sampled request--> Revealed` takes the place of the reveal request.
//!
//! Nothing here does I/O. A step returns the next state and [`Effect`]s in order; a `Persist` must be durable before
//! any effect behind it is carried out. A state that refuses is gone: the client sits the round out. States know nothing of
//! connections: a [`Conversation`] says the last answer again when one took the place of another.

mod advertised;
mod agreed;
mod conversation;
mod drawn;
mod invited;
mod masked;
mod revealed;
mod shared;
mod signed_lists;
mod two_statements;

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use tacita_identity::{DenyList, TrustAnchor, VerifiedCertificate};
use tacita_ledger::note::VerifierKey;
use tacita_privacy::{BudgetTicket, Release};

pub use advertised::Advertised;
pub use agreed::Agreed;
pub use conversation::{Answer, Conversation, Heard, Mark, Upload};
pub use drawn::Drawn;
pub use invited::Invited;
pub use masked::Masked;
pub use revealed::{Done, Revealed};
pub use shared::Shared;
pub use signed_lists::{SignedSharers, SignedStatement, StatementSignature};
pub use two_statements::TwoStatements;

use crate::Hash;
use crate::certificates::{CertificateCache, Certificates};
use crate::consent::ConsentPolicy;
use crate::head::{ForkEvidence, HeadError, LedgerHead};
use crate::manifest::CheckedManifest;
use crate::mask::MaskedUpdate;
use crate::messages::ClientMessage;
use crate::refusal::{Refusal, RoundError};
use crate::roster::VerifiedRoster;

/// Who the client is and whom it trusts; the same in every round.
pub struct Participant {
    /// Own certificate.
    pub certificate: Arc<VerifiedCertificate>,
    /// Its private key.
    pub key: SigningKey,
    /// The enrolment authority's root.
    pub anchor: Arc<TrustAnchor>,
    /// The latest deny list, if the authority published one.
    pub deny: Arc<DenyList>,
    /// The log key pinned at enrolment.
    pub log_key: VerifierKey,
    /// The server at the other end of this connection.
    pub server: Arc<VerifiedCertificate>,
    /// What this participant consents to.
    pub policy: ConsentPolicy,
    /// Certificates of other members.
    pub cache: Arc<CertificateCache>,
}

impl Participant {
    pub(crate) fn certificates(&self, now: u64) -> Certificates<'_> {
        Certificates {
            cache: &self.cache,
            deny: &self.deny,
            now,
        }
    }

    /// Takes a bundle of certificates sent ahead of the message that needs them. One that does not verify is left
    /// out: the message that needs it will be refused by name.
    pub fn admit_certificates<'a>(&self, bundle: impl IntoIterator<Item = &'a [u8]>, now: u64) -> usize {
        bundle
            .into_iter()
            .filter(|der| self.cache.admit(der, &self.anchor, now).is_err())
            .count()
    }
}

/// What the client's durable record answers.
pub trait ClientRecord {
    /// Whether a round with this id was ever masked for.
    fn is_spent(&self, round_id: &[u8; 32]) -> bool;
    /// The statement signed in that round, if any.
    fn signed_statement(&self, round_id: &[u8; 32]) -> Option<Hash>;
    /// The digest of the list of signers fixed in that round, if any.
    fn fixed_signers(&self, round_id: &[u8; 32]) -> Option<Hash>;
    /// The last ledger head verified.
    fn head(&self) -> Option<LedgerHead>;
    /// Asks the participant's own budget for the round's charge (TAC-009). `None`: a round without noise, which only
    /// an explicit policy allows.
    ///
    /// # Errors
    /// Why the budget refuses, in words.
    fn reserve(&mut self, task: &str, release: Option<&Release>, now: u64) -> Result<BudgetTicket, String>;
}

/// A change to the durable record.
#[derive(Debug)]
pub enum RecordChange {
    /// A ledger head was verified.
    Head(LedgerHead),
    /// The round id is spent, the charge is made, the masked bytes of this digest may be sent (G3, G5). Inserted once only.
    Spent {
        /// Round id.
        round_id: [u8; 32],
        /// Round number.
        round: u32,
        /// Task.
        task: String,
        /// What the round is charged at, in the worst case of design section 4; `None` without noise.
        release: Option<Release>,
        /// SHA-256 based digest of all packed bytes, signed with the upload.
        upload_digest: Hash,
        /// All that this digest is computed from, and the signature: which list of sharers this client was shown.
        signed: Box<SignedSharers>,
    },
    /// The one statement signed in this round (G1, G5). Inserted once only.
    Signed {
        /// Round id.
        round_id: [u8; 32],
        /// S, all that it is computed from, and this client's signature: which list of survivors it was shown.
        signed: Box<SignedStatement>,
    },
    /// The one list of signers from which this client draws in this round (G1). Inserted once only.
    FixedSigners {
        /// Round id.
        round_id: [u8; 32],
        /// Digest of statement, signers and root.
        signers: Hash,
    },
    /// Two heads that cannot both be true: the participant stops.
    Fork(Box<ForkEvidence>),
}

/// What the shell must do, in this order.
pub enum Effect {
    /// Make durable before going on.
    Persist(RecordChange),
    /// Send one message.
    Send(ClientMessage),
    /// Send the masked vector chunk by chunk, then the closing message.
    Upload {
        /// The masked vector.
        update: MaskedUpdate,
        /// What closes the upload.
        end: ClientMessage,
    },
}

/// A refused step: the state is gone; evidence, if any, is to be kept.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: RoundError,
    /// Evidence of a forked ledger, to be made durable.
    pub evidence: Option<Box<ForkEvidence>>,
    /// Two signed statements for this round, to be made durable.
    pub statements: Option<Box<TwoStatements>>,
}

impl<E: Into<RoundError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            evidence: None,
            statements: None,
        }
    }
}

impl From<HeadError> for Refused {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Fork(evidence) => Self {
                error: Refusal::LedgerFork.into(),
                evidence: Some(evidence),
                statements: None,
            },
            HeadError::Refusal(refusal) => refusal.into(),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Refused {}

/// A step's answer: the next state and what to do first.
pub type Step<S> = Result<(S, Vec<Effect>), Refused>;

/// What every state after the manifest carries.
pub(crate) struct Context {
    pub(crate) participant: Arc<Participant>,
    pub(crate) manifest: Arc<CheckedManifest>,
    /// The head of the invitation.
    pub(crate) head: LedgerHead,
}

/// What every state after the roster carries.
pub(crate) struct Joined {
    pub(crate) context: Context,
    pub(crate) roster: VerifiedRoster,
}
