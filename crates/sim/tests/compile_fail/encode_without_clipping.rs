//! Only a clipped update is encoded.
use rand_chacha::ChaCha20Rng;
use tacita_privacy::{Headroom, LocalUpdate};

fn encode(update: LocalUpdate, headroom: &Headroom, rng: &mut ChaCha20Rng) {
    let _ = update.encode(headroom, rng);
}

fn main() {}
