//! What can go wrong in the authority, by cause.

use std::path::PathBuf;

use tacita_identity::{
    CrlError, DecodeError, DenyError, InvitationError, IssueError, KeyError, LifeError, Name, SanError,
};
use tacita_store::StoreError;
use tacita_transport::{IdentityError, TransportError};
use thiserror::Error;

/// Why the authority cannot do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The directory holds an authority already.
    #[error("{} holds an authority already", path.display())]
    Exists {
        /// The file that is there.
        path: PathBuf,
    },
    /// The directory holds no authority, or `init` was cut short.
    #[error("{} is missing: run `tacita authority init`", path.display())]
    Missing {
        /// The file that is not there.
        path: PathBuf,
    },
    /// Others could read the private key.
    #[error("{} can be read by others (mode {mode:o}): run chmod 600, and ask who has read it", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file of the authority is not a plain file.
    #[error("{} is not a plain file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file of the authority is far larger than it can be.
    #[error("{} is too large for what it should be", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings cannot be read.
    #[error("{}: {reason}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No address to write into an invitation.
    #[error(
        "no address for the invitation: set `address` in authority.toml, or run `tacita authority serve` once"
    )]
    NoAddress,
    /// Nobody of that name is known.
    #[error("the authority knows nobody called {name}")]
    UnknownName {
        /// The name.
        name: Name,
    },
    /// The name is on the deny list.
    #[error("{name} is revoked: reinstate the name first, or choose another")]
    Revoked {
        /// The name.
        name: Name,
    },
    /// The text is not a ledger's verifier key.
    #[error("not a ledger's verifier key (NAME+HASH+KEY): {reason}")]
    LedgerKey {
        /// What is wrong with it.
        reason: String,
    },
    /// A record of the register cannot be read.
    #[error("the register is damaged at {place}")]
    Register {
        /// Space and key.
        place: String,
    },
    /// Another process changed the same thing over and over.
    #[error("another process keeps changing the register; try again")]
    Contended,
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Randomness(String),
    /// The system clock cannot be used.
    #[error("the system clock shows a time before 1970")]
    Clock,
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
    /// See [`IssueError`].
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// See [`KeyError`].
    #[error(transparent)]
    Key(#[from] KeyError),
    /// See [`DenyError`].
    #[error(transparent)]
    Deny(#[from] DenyError),
    /// See [`CrlError`].
    #[error(transparent)]
    Crl(#[from] CrlError),
    /// See [`InvitationError`].
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// See [`DecodeError`].
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// See [`LifeError`].
    #[error(transparent)]
    Life(#[from] LifeError),
    /// See [`SanError`].
    #[error(transparent)]
    San(#[from] SanError),
    /// See [`TransportError`].
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// See [`IdentityError`].
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A task of the server was lost.
    #[error("a task of the server ended without an answer")]
    Task,
}
