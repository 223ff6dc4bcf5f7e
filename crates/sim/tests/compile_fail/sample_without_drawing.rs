//! Nobody takes a sample that it did not draw.
use tacita_protocol::client::Agreed;
use tacita_protocol::messages::SampledRequest;

fn reveal(state: Agreed, request: &SampledRequest) {
    let _ = state.handle_sampled_request(request, 0);
}

fn main() {}
