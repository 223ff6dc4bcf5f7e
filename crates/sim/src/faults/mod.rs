//! The world in which everything fails: one seed decides how large it is, what its network, disks and processes do to it, and
//! who in it is dishonest; the same seed is the same history.
//!
//! ```text
//! seed -> Chance -> SeedPlan (plan.rs: n, c, m, rates, villains, server)
//!   run.rs: one queue of events (network.rs) until faults are healed and a round completed
//!     hub.rs, lobby.rs, attempt.rs, conclude.rs, desk.rs   the server's process         -+  both drive the protocol's
//!     member.rs, play.rs, record.rs                        a member's process           -+  states (machines.rs)
//!     disk.rs, fuse.rs              where writes fail, tear and are lost, and processes die
//!     villains.rs, meddler.rs, split.rs   dishonest members, a server that bends messages, one that shows two rounds
//!   watch/: what must hold, seen at every frame and at the end
//! ```
//!
//! The shells of this world keep the durable order of the real ones (`crates/client/src/{round,record,session}.rs`,
//! `crates/server/src/{attempt,conclude,restart,ledger_desk,state}.rs`); `mutant.rs` lists faults in them that a checker
//! has to see. Only `machines.rs` calls the protocol's states.

mod attempt;
pub mod chance;
mod conclude;
pub mod desk;
pub mod disk;
pub mod fuse;
pub mod hub;
mod lapse;
mod lobby;
pub(crate) mod machines;
pub mod meddler;
pub mod member;
pub mod mishaps;
pub mod mutant;
pub mod network;
pub mod plan;
mod play;
pub mod record;
pub mod run;
mod split;
pub mod stagehand;
pub mod villains;
pub mod watch;

pub use chance::Chance;
pub use disk::{Disk, DiskFaults, FaultyStore};
pub use fuse::Fuse;
pub use mishaps::Mishaps;
pub use mutant::Mutant;
pub use plan::{LARGE, LARGEST, Mishap, Party, SeedPlan, Server};
pub use run::{LIVELY, Verdict, run_plan, run_seed};
