//! One module per command: its arguments, and `run`, which gives the exit code.

pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod demo;
pub(crate) mod ledger;
pub(crate) mod privacy;
pub(crate) mod server;
