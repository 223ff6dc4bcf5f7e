//! No phase is skipped.
use tacita_privacy::NoisedUpdate;
use tacita_protocol::client::Advertised;
use tacita_protocol::messages::SharersMessage;

fn upload(state: Advertised, sharers: &SharersMessage, update: NoisedUpdate, model: &[u8; 32]) {
    let _ = state.handle_sharers(sharers, update, model);
}

fn main() {}
