//! No second copy of an update.
use tacita_privacy::NoisedUpdate;

fn copy(update: &NoisedUpdate) -> NoisedUpdate {
    update.clone()
}

fn main() {}
