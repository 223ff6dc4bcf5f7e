//! A settled ticket is gone.
use rand_chacha::ChaCha20Rng;
use tacita_privacy::{BudgetFilter, BudgetTicket, EncodedUpdate};

fn late(filter: &mut BudgetFilter, mut ticket: BudgetTicket, update: EncodedUpdate, rng: &mut ChaCha20Rng) {
    let _ = filter.commit(ticket);
    let _ = update.noise(&mut ticket, rng);
}

fn main() {}
