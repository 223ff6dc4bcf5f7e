//! Nor of a masked one.
use tacita_protocol::mask::MaskedUpdate;

fn copy(update: &MaskedUpdate) -> MaskedUpdate {
    update.clone()
}

fn main() {}
