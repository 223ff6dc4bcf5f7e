//! What can go wrong in setting a world up; what goes wrong inside a round is in its [`crate::Report`].

/// The world itself could not be built or driven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A name is not one that certificates can carry.
    #[error(transparent)]
    Name(#[from] tacita_identity::NameError),
    /// A key could not be written or read.
    #[error(transparent)]
    Key(#[from] tacita_identity::KeyError),
    /// A certificate request was refused.
    #[error(transparent)]
    Request(#[from] tacita_identity::RequestError),
    /// The authority could not issue.
    #[error(transparent)]
    Issue(#[from] tacita_identity::IssueError),
    /// A certificate of the cast does not verify.
    #[error(transparent)]
    Certificate(#[from] tacita_identity::CertificateError),
    /// The deny list could not be signed.
    #[error(transparent)]
    Deny(#[from] tacita_identity::DenyError),
    /// A key of the ledger is unusable.
    #[error(transparent)]
    Note(#[from] tacita_ledger::NoteError),
    /// The ledger refused an entry.
    #[error(transparent)]
    Log(#[from] tacita_ledger::LogError),
    /// An entry is not valid.
    #[error(transparent)]
    Entry(#[from] tacita_ledger::EntryError),
    /// The protocol refused an argument of the world's.
    #[error(transparent)]
    Misuse(#[from] tacita_protocol::Misuse),
    /// The setting gives no manifest that clients accept.
    #[error("the setting gives no valid manifest: {0}")]
    Manifest(#[from] tacita_protocol::Refusal),
    /// A step of a round failed where nobody attacks.
    #[error(transparent)]
    Round(#[from] tacita_protocol::RoundError),
    /// A setting's value does not fit the rules.
    #[error("the setting is impossible: {0}")]
    Setting(String),
    /// An index outside the cast.
    #[error("the cast has no member {0}")]
    NoMember(usize),
    /// A one-time value was used twice, or a secret shows: no attack may bring that about.
    #[error("a checker saw that {0}")]
    Checker(String),
    /// Bytes that were encoded a moment ago do not decode.
    #[error("a frame of our own does not decode: {0}")]
    Codec(#[from] tacita_protocol::DecodeError),
}
