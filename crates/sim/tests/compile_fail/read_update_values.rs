//! The values of an update are its own.
use tacita_privacy::LocalUpdate;

fn first(update: &LocalUpdate) -> f32 {
    update.values[0]
}

fn main() {}
