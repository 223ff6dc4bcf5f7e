//! One answer a round.
use tacita_protocol::client::Agreed;
use tacita_protocol::messages::RevealRequest;

fn reveal(state: Agreed, first: &RevealRequest, second: &RevealRequest) {
    let _ = state.handle_reveal_request(first, 0);
    let _ = state.handle_reveal_request(second, 0);
}

fn main() {}
