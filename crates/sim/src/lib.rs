//! The deterministic world in which the round's guarantees are tested: the real protocol, privacy, identity and ledger
//! rooms, with memory for network and disk, an argument for the clock and a seed for chance.
//!
//! ```text
//! Cast (authority, server, members: made once)          Setting (n, c, m, dimension, noise, ...)
//!        \                                                  /
//!         World --run(Plan: who vanishes when, who attacks how)--> Report
//!           |  every message walks: Message -> bytes -> Message, in both directions
//!           |  Client (client.rs)  <-- Attack may edit, withhold, replace, add -->  View (view.rs)
//!         Report: the sum or the reason per view, the end of every client, everything the server received
//!           |-- eyes.rs       at every message: nothing one-time twice, no secret in the clear (once.rs, canary.rs, secrets.rs)
//!           |-- plain.rs      what the sum must be: the same integers, added in the open
//!           `-- knowledge.rs  what the server and its colluders could unmask with all they have seen
//! ```
//!
//! A *view* is one honest server machine. An honest server runs one; a server that shows different members different
//! rounds is several honest machines, between which an [`Attack`] divides the members, and whatever it does to
//! the messages on top. `forge.rs` holds the formulas of the spec a second time, written from its text and not from the
//! protocol room's code, for attackers who must sign or commit to what an honest machine would never say.
//!
//! ```
//! use std::sync::Arc;
//! use tacita_sim::{Cast, Moment, Plan, Setting, World, plain};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // n = 4, c = 1, m = 3; the second member deals its shares and is gone.
//! let mut world = World::new(Arc::new(Cast::new(4, 1)?), Setting::new(4, 1, 3), 2)?;
//! let report = world.run_honest(&Plan::history(&[Moment::Never, Moment::AfterShare]))?;
//! let sum = report.result().map_err(Clone::clone)?;
//! assert_eq!(sum.survivors, [0, 2, 3]);
//! assert!(plain::is_exact(&report, sum));
//! # Ok(())
//! # }
//! ```

mod canary;
pub mod cast;
pub mod client;
pub mod disk;
mod error;
mod eyes;
pub mod faults;
pub mod forge;
pub mod fuzzing;
pub mod histories;
pub mod knowledge;
pub mod ledger;
pub mod once;
pub mod plain;
pub mod record;
pub mod report;
pub mod scale;
pub mod script;
mod secrets;
pub mod setting;
pub mod stage;
pub mod streaming;
pub mod tape;
pub mod view;
pub mod walk;
pub mod world;

pub use cast::{Cast, CastMember, NOW};
pub use client::{Client, State};
pub use disk::Disk;
pub use error::SimError;
pub use knowledge::Knowledge;
pub use ledger::Ledger;
pub use record::MemoryRecord;
pub use report::{ClientEnd, Report, Sent, Sum, Turned, ViewEnd};
pub use script::Script;
pub use setting::{Noise, Setting};
pub use stage::{Attack, Backstage, Honest, Moment, Stage};
pub use streaming::Streaming;
pub use tape::Tape;
pub use view::{Desk, View};
pub use walk::{Said, Score, Walk};
pub use world::{Plan, World};
