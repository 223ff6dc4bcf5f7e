//! The masks of a round are made by the state that verified the sharers list, and by nobody else.
use tacita_protocol::mask::RoundMasks;

fn forge(_: RoundMasks) {}

fn main() {}
