//! One statement a round.
use tacita_protocol::client::{ClientRecord, Masked};
use tacita_protocol::messages::AgreeRequest;

fn sign(state: Masked, first: &AgreeRequest, second: &AgreeRequest, record: &impl ClientRecord) {
    let _ = state.handle_agree(first, record);
    let _ = state.handle_agree(second, record);
}

fn main() {}
