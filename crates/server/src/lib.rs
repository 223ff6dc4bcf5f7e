//! The aggregation service: clock, sockets and disk around the protocol's server phases. No protocol decision is made
//! here; the shell decides when a phase closes and carries messages.
//!
//! ```text
//! ServerConfig -> Server::open -> Server::run: for each round `attempt.rs` and `phases.rs` walk Gathering .. UnmaskedSum, with the
//! ledger (`ledger_desk.rs`) and the privacy account (`account.rs`) between the phases; `floor.rs` and `lobby.rs` keep
//! connections and deadlines
//! ```

mod account;
mod attempt;
mod beside;
mod clips;
mod cohort;
mod conclude;
pub mod config;
mod evaluation;
mod floor;
mod gate;
mod ledger_desk;
mod ledger_files;
mod levels;
mod lobby;
mod papers;
mod phases;
mod restart;
mod rotation;
mod server;
mod spool;
mod state;
mod suspects;
mod unit;

pub use account::{Account, Unaccountable};
pub use beside::{AdaptiveClipSection, Beside, MetricsSection};
pub use clips::ClipError;
pub use cohort::{UnservedCohort, served_cohort};
// The form of the sum that [`ServerEvent::RoundDone`] shows.
pub use ledger_desk::{DeskError, LedgerDesk, cosigned_path};
pub use ledger_files::Directory;
pub use levels::{NoiseLevelsSetting, parse_noise_levels};
pub use rotation::rotate_ledger_key;
pub use server::{Observer, RoundReport, Server, ServerError, ServerEvent, ServerSetup, TaskEnd, state_file};
pub use spool::FileSpool;
pub use state::{ServerState, StateError, TaskState};
pub use tacita_algebra::{RingBits, RingVector};
pub use tacita_protocol::graph::{GraphKind, ParameterError, RoundParameters};
pub use tacita_protocol::ledger_entries::NoisyFigures;
pub use tacita_protocol::{ClipSequence, OffSequence};
pub use unit::Unit;

/// Unix seconds.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}
