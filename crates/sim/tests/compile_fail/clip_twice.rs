//! Every step consumes the one before.
use tacita_privacy::{Encoding, LocalUpdate};

fn clip(update: LocalUpdate, encoding: &Encoding) {
    let _ = update.clip(encoding);
    let _ = update.clip(encoding);
}

fn main() {}
