//! No second copy of an update.
use tacita_privacy::LocalUpdate;

fn copy(update: &LocalUpdate) -> LocalUpdate {
    update.clone()
}

fn main() {}
