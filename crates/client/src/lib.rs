//! A participant: clock, sockets, disk and training around the protocol's client states. No protocol decision is made
//! here; what may leave the machine is decided by the types of `tacita-privacy` and `tacita-protocol`.
//!
//! ```text
//! ClientConfig -> Client::open -> Client::join: connect, hello, then for each invitation `round.rs` walks
//! Invited .. Done and `record.rs` makes their effects durable
//! ```

pub mod comparison;
pub mod config;
mod contact;
mod cpu;
pub mod enrolment;
mod evidence;
mod line;
mod link;
pub mod record;
mod round;
mod session;
pub mod status;
mod training;

pub use contact::first_contact;
pub use evidence::{Evidence, EvidenceError};
pub use link::LinkError;
// What a caller needs to open a client; the rooms below stay out of the command line's sight.
pub use round::{ClientError, RoundEnd};
pub use session::{
    Canary, Client, ClientSetup, Hooks, JoinEnd, Moment, Probe, SetupError, Stopper, VanishPlan, load_parts,
};
pub use tacita_protocol::Refusal;
pub use tacita_protocol::certificates::CertificateCache;
pub use tacita_store::{Sharing, SqliteReader, SqliteStore, Stats, Store};
pub use tacita_transport::{ClientEndpoint, Limits, Machine, MachineError, MachineIdentity, Standing};

/// Unix seconds.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// A generator of this thread, seeded by the operating system and reseeded as `rand` does.
pub(crate) fn random() -> rand::rngs::ThreadRng {
    rand::rng()
}
