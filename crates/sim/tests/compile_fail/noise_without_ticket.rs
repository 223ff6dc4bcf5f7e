//! Noise is drawn against a budget.
use rand_chacha::ChaCha20Rng;
use tacita_privacy::EncodedUpdate;

fn noise(update: EncodedUpdate, rng: &mut ChaCha20Rng) {
    let _ = update.noise(rng);
}

fn main() {}
