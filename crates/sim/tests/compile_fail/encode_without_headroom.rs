//! Only with proof that the sum cannot wrap.
use rand_chacha::ChaCha20Rng;
use tacita_privacy::{ClippedUpdate, Encoding};

fn encode(update: ClippedUpdate, encoding: &Encoding, rng: &mut ChaCha20Rng) {
    let _ = update.encode(encoding, rng);
}

fn main() {}
