//! One module per command: its arguments, and `run`, which gives the exit code.

pub(crate) mod client;
pub(crate) mod demo;
pub(crate) mod server;
