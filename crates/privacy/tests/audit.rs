//! An audit through the real pipeline: two adjacent inputs, many runs, and the privacy loss actually seen.
//!
//! It can refute a promise, never prove one; mutants with too little noise show that it is able to refute.

// A failed assumption in a test is a failed test.
#![allow(clippy::unwrap_used)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacita_algebra::RingBits;
use tacita_privacy::*;

const RUNS: usize = 100_000;
const GRID: u32 = 16;
/// Standard deviation 24 grid steps: noise multiplier 1.5.
const PROMISED_Q16: u64 = 576 << 16;

fn outputs(value: f32, share: NoiseShare, rng: &mut ChaCha20Rng) -> Vec<i64> {
    let encoding = Encoding::new(1, "1".parse().unwrap(), GRID, RingBits::new(16).unwrap(), [0; 32]).unwrap();
    let headroom = Headroom::prove(encoding.clone(), share, 1).unwrap();
    let budget = Budget {
        epsilon: "20".parse().unwrap(),
        delta: "0.5".parse().unwrap(),
    };
    let mut filter = BudgetFilter::new(budget).unwrap();
    let release = Release::of_round(&encoding, &share, 1000, 1000).unwrap();
    (0..RUNS)
        .map(|_| {
            let mut ticket = filter.reserve(release).unwrap();
            let noised = LocalUpdate::new(vec![value])
                .unwrap()
                .clip(&encoding)
                .unwrap()
                .encode(&headroom, rng)
                .unwrap()
                .noise(&mut ticket, rng)
                .unwrap();
            filter.release(ticket).unwrap();
            // The sign of the one-coordinate rotation is public; undo it.
            noised.dangerous_into_ring().to_signed()[0]
        })
        .collect()
}

/// The largest P(output beyond t | client there) - e^epsilon P(output beyond t | zeroed out) over all t.
fn observed_delta(share_q16: u64, epsilon: f64) -> f64 {
    let mut rng = ChaCha20Rng::seed_from_u64(21);
    let share = NoiseShare::skellam(share_q16).unwrap();
    let (present, absent) = (outputs(1.0, share, &mut rng), outputs(0.0, share, &mut rng));
    let mean = present.iter().sum::<i64>() as f64 / RUNS as f64;
    // The grid is 16 steps; anything else means that the client's value did not arrive whole.
    assert!((mean.abs() - f64::from(GRID)).abs() < 0.5, "{mean}");
    let beyond = |samples: &[i64], t: i64| {
        let side = mean.signum() as i64;
        samples.iter().filter(|&&x| x * side >= t).count() as f64 / RUNS as f64
    };
    (-20..120)
        .map(|t| beyond(&present, t) - epsilon.exp() * beyond(&absent, t))
        .fold(0.0, f64::max)
}

#[test]
fn the_loss_seen_is_within_the_promise_and_mutants_are_caught() {
    let promised = SkellamRelease {
        grid: GRID,
        padded: 1,
        share_variance_q16: PROMISED_Q16,
        honest_shares: 1,
        shares: 1,
    };
    let delta = "0.01".parse().unwrap();
    let epsilon = promised.curve().epsilon(delta).unwrap().to_f64();
    assert!(epsilon > 1.0 && epsilon < 3.0, "{epsilon}");
    // Five deviations of the estimate, e^epsilon times the second frequency included, are about 0.007.
    let honest = observed_delta(PROMISED_Q16, epsilon);
    assert!(honest <= 0.01 + 0.007, "{honest}");
    let half_deviation = observed_delta(PROMISED_Q16 / 4, epsilon);
    assert!(
        half_deviation > 0.03,
        "half the noise went unnoticed: {half_deviation}"
    );
}
