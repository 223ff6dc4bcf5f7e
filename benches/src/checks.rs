//! How many signatures the messages of a round make their readers check.
//!
//! Counted from the messages that were sent in a real round, with the rule of the spec by which each is checked. That
//! every one of them is checked is not assumed here: `crates/sim/tests/attacks` flips bits in each and sees it refused.

use std::ops::AddAssign;

use tacita_protocol::messages::{ClientMessage, ServerMessage};

/// Ed25519 checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checks {
    /// One at a time.
    pub alone: usize,
    /// In a batch.
    pub batched: usize,
}

impl Checks {
    fn alone(count: usize) -> Self {
        Self {
            alone: count,
            batched: 0,
        }
    }

    fn batched(count: usize) -> Self {
        Self {
            alone: 0,
            batched: count,
        }
    }

    /// Both kinds.
    #[must_use]
    pub fn total(self) -> usize {
        self.alone.saturating_add(self.batched)
    }

    /// What a client checks of a message of the server. Certificates are not counted: a known one costs a hash.
    #[must_use]
    pub fn by_client(message: &ServerMessage) -> Self {
        match message {
            // The manifest's signature and the checkpoint's.
            ServerMessage::Invitation(_) => Self::alone(2),
            // Neighbours' advertisements; the client's own entry is compared.
            ServerMessage::Roster(roster) => Self::batched(roster.entries.len().saturating_sub(1)),
            // Neighbours' share roots, likewise.
            ServerMessage::Sharers(sharers) => Self::batched(sharers.entries.len().saturating_sub(1)),
            // The quorum without the client itself, and the checkpoint with the charge.
            ServerMessage::Reveal(request) => {
                let mut checks = Self::alone(1);
                checks += Self::batched(request.signatures.len().saturating_sub(1));
                checks
            }
            ServerMessage::Outcome(_) => Self::alone(1),
            _ => Self::default(),
        }
    }

    /// What the server checks of a message of a client.
    #[must_use]
    pub fn by_server(message: &ClientMessage) -> Self {
        match message {
            // Advertisement, share root, upload, statement, cosignature.
            ClientMessage::Advertise(_)
            | ClientMessage::Shares(_)
            | ClientMessage::UploadEnd(_)
            | ClientMessage::Agreement(_)
            | ClientMessage::Reveal(_) => Self::alone(1),
            _ => Self::default(),
        }
    }
}

impl AddAssign for Checks {
    fn add_assign(&mut self, other: Self) {
        self.alone = self.alone.saturating_add(other.alone);
        self.batched = self.batched.saturating_add(other.batched);
    }
}
