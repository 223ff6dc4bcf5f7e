//! One bit of one frame, anywhere: whatever comes of it, the sum is exact or there is none, and nothing else is exposed.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_sim::{Plan, Report, Script, plain};

use crate::{four, private};

/// Flips a bit of the n-th frame in one direction; a frame that no longer decodes is a frame that never came.
fn flip(frame: Vec<u8>, rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut frame = frame;
    let bit = rng.next_u64() as usize % (frame.len() * 8);
    frame[bit / 8] ^= 1 << (bit % 8);
    frame
}

fn check(report: &Report, seed: u64) {
    private(report);
    if let Ok(sum) = report.result() {
        assert!(plain::is_exact(report, sum), "seed {seed}: {:?}", sum.survivors);
        assert!(sum.survivors.len() >= 3);
    }
}

/// Failure: a flipped bit on the way to a member changes the sum or exposes anything.
#[test]
fn to_members() {
    let mut sums = 0;
    for seed in 0..300u64 {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut target = rng.next_u32() % 36;
        let attack = Script::new().to_clients(|_, _, message| {
            let this = target == 0;
            target = target.wrapping_sub(1);
            if !this {
                return vec![message];
            }
            ServerMessage::decode(&flip(message.encode().unwrap(), &mut rng))
                .into_iter()
                .collect()
        });
        let report = run(attack);
        sums += usize::from(report.result().is_ok());
        check(&report, seed);
    }
    assert_eq!(sums, 300, "one member out of four may be lost at any time");
}

/// Failure: a flipped bit on the way from a member changes the sum or exposes anything.
#[test]
fn from_members() {
    let mut sums = 0;
    for seed in 0..300u64 {
        let mut rng = ChaCha20Rng::seed_from_u64(1000 + seed);
        let mut target = rng.next_u32() % 24;
        let attack = Script::new().from_clients(|_, _, message| {
            let this = target == 0;
            target = target.wrapping_sub(1);
            if !this {
                return vec![message];
            }
            ClientMessage::decode(&flip(message.encode().unwrap(), &mut rng))
                .into_iter()
                .collect()
        });
        let report = run(attack);
        sums += usize::from(report.result().is_ok());
        check(&report, seed);
    }
    assert_eq!(sums, 300, "one member out of four may be lost at any time");
}

fn run(mut attack: Script<'_>) -> Report {
    four().run(&Plan::new(), &mut attack).unwrap()
}
