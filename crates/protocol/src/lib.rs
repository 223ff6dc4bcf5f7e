//! The round, without I/O: both sides of the certificate-bound SecAgg+ of `protocol-spec/02-round.md`, as state
//! machines that take messages, time and randomness and give back messages and effects.
//!
//! ```text
//! client   NoisedUpdate -> MaskedUpdate -> chunks          client/{invited,advertised,shared,masked,agreed,revealed}.rs
//!   ===================== frames (messages.rs) =====================
//! server   chunks -> MaskedSum -> (S signed by a quorum, charge committed) -> UnmaskedSum
//!                                           server/{gathering,sharing,collecting,agreeing,revealing,unmask}.rs
//! ```
//!
//! Read `manifest.rs` first, then `client/mod.rs` and `server/mod.rs` side by side in the order of the steps. A check
//! cites its rule as TAC-nnn; the rules are numbered in the spec.

pub mod bitmap;
pub mod certificates;
pub mod client;
mod clip_sequence;
pub mod consent;
mod dealt;
pub mod graph;
mod head;
pub mod kem;
mod keys;
#[cfg(test)]
mod known_answers;
pub mod labels;
pub mod ledger_entries;
pub mod limits;
pub mod manifest;
pub mod mask;
pub mod messages;
pub mod parts;
pub mod refusal;
pub mod roster;
pub mod server;
mod share_tree;
mod sharers;
mod sharing;
pub mod signature;
mod signers;
pub mod spool;
mod upload;
#[cfg(test)]
mod vectors;

pub use clip_sequence::{ClipSequence, OffSequence};
pub use head::{ForkEvidence, LedgerHead};
pub use refusal::{Abort, DecodeError, Misuse, Refusal, RoundError};
pub use sharing::SecretKind;

/// A SHA-256 output.
pub type Hash = [u8; 32];
