//! The writer and the auditor together: whole ledgers, every crash point, every flipped bit.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

mod attacks;
mod auditor;
mod disk;
mod flips;
mod outsiders;
mod page;
mod rotation;
mod witnesses;
mod world;
mod writer;
