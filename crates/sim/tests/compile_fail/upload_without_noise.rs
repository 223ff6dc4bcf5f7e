//! The round takes nothing but a noised update.
use tacita_privacy::EncodedUpdate;
use tacita_protocol::client::Shared;
use tacita_protocol::messages::SharersMessage;

fn upload(state: Shared, sharers: &SharersMessage, update: EncodedUpdate, model: &[u8; 32]) {
    let _ = state.handle_sharers(sharers, update, model);
}

fn main() {}
