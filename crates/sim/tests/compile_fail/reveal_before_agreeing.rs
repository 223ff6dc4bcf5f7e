//! Nobody reveals before the statement is signed.
use tacita_protocol::client::Masked;
use tacita_protocol::messages::RevealRequest;

fn reveal(state: Masked, request: &RevealRequest) {
    let _ = state.handle_reveal_request(request, 0);
}

fn main() {}
