//! No second copy of an update.
use tacita_privacy::ClippedUpdate;

fn copy(update: &ClippedUpdate) -> ClippedUpdate {
    update.clone()
}

fn main() {}
