//! The server asks for shares only with a committed charge.
use tacita_protocol::server::Agreeing;

fn unmask(state: Agreeing) {
    let _ = state.close();
}

fn main() {}
