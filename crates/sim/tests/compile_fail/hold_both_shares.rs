//! Share pairs, of which one half may be revealed, are out of reach.
use tacita_protocol::sharing::SharePair;

fn both(pair: SharePair) -> SharePair {
    pair
}

fn main() {}
