//! One list of signers a round, and one sample of it.
use rand_core::CryptoRng;
use tacita_protocol::client::{Agreed, ClientRecord};
use tacita_protocol::messages::SignersMessage;

fn draw(state: Agreed, list: &SignersMessage, record: &impl ClientRecord, rng: &mut impl CryptoRng) {
    let _ = state.handle_signers(list, record, rng);
    let _ = state.handle_signers(list, record, rng);
}

fn main() {}
