//! The masked sum is the business of the states that unmask it.
use tacita_protocol::server::MaskedSum;

fn read(_: MaskedSum) {}

fn main() {}
