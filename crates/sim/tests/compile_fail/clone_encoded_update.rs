//! No second copy of an update.
use tacita_privacy::EncodedUpdate;

fn copy(update: &EncodedUpdate) -> EncodedUpdate {
    update.clone()
}

fn main() {}
