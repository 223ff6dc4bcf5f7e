//! A vector does not become masked by saying so.
use tacita_algebra::RingVector;
use tacita_protocol::mask::MaskedUpdate;

fn build(mut masked: MaskedUpdate, vector: RingVector) -> MaskedUpdate {
    masked.vector = vector;
    masked
}

fn main() {}
