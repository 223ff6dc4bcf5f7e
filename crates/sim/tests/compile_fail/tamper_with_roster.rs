//! A verified roster is as it was verified.
use tacita_protocol::roster::VerifiedRoster;

fn alone(roster: &mut VerifiedRoster) {
    roster.neighbours.clear();
}

fn main() {}
