//! The whole system as its users run it: one process each, real sockets, own data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

mod federation;
mod running;

#[path = "end_to_end/charging.rs"]
mod charging;
#[path = "end_to_end/draining.rs"]
mod draining;
#[path = "end_to_end/learning.rs"]
mod learning;
#[path = "end_to_end/mechanism.rs"]
mod mechanism;
#[path = "end_to_end/received.rs"]
mod received;
#[path = "end_to_end/renewal.rs"]
mod renewal;
#[path = "end_to_end/revocation.rs"]
mod revocation;
#[path = "end_to_end/weighting.rs"]
mod weighting;
