//! Two adjacent inputs, many rounds, and the coordinate that the one client has aimed at.
//!
//! The rotation is public, so a client can choose its update such that all of it lands on one coordinate, S grid steps of it:
//! nothing tells the two inputs apart better. There the sum is S, or 0 without that client, plus the honest shares of the noise.

use crate::round::{Cohort, Mutant, Setting};
use crate::statistics::{DEVIATIONS, chi_square, interval, skellam};

const ROUNDS: usize = 20_000;
const GRID: u32 = 8;
/// Three honest shares of variance 48: standard deviation 12, one and a half times the grid.
const SHARE: u64 = 48 << 16;
const TARGET: usize = 5;

fn setting() -> Setting {
    Setting {
        clients: 4,
        colluders: 1,
        dimension: 16,
        grid: GRID,
        share_variance_q16: SHARE,
    }
}

/// What many rounds showed on the coordinate.
struct Seen {
    present: Vec<i64>,
    absent: Vec<i64>,
    epsilon: f64,
    variance: f64,
}

/// Delta at which epsilon is promised.
const DELTA: f64 = 0.01;

fn attack(mutant: Mutant) -> Seen {
    let mut cohort = Cohort::new(setting(), mutant);
    let epsilon = cohort.promise().curve().epsilon("0.01".parse().unwrap()).unwrap();
    let (target, others) = (cohort.aimed_at(TARGET), cohort.aimed_at(TARGET + 1));
    let with = [target, others.clone()];
    let without = [vec![0.0; 16], others];
    let mut many =
        |vectors: &[Vec<f32>]| -> Vec<i64> { (0..ROUNDS).map(|_| cohort.sum(vectors)[TARGET]).collect() };
    let (present, absent) = (many(&with), many(&without));
    Seen {
        present,
        absent,
        epsilon: epsilon.to_f64(),
        variance: cohort.promised_variance(),
    }
}

impl Seen {
    /// Whether the promise is refuted: P(out | there) > e^epsilon P(out | not there) + delta for a set of outcomes beyond a
    /// threshold, which the first half of the rounds chooses and the second half is judged by.
    fn refutes(&self) -> bool {
        let (factor, half) = (self.epsilon.exp(), ROUNDS / 2);
        let excess = |part: core::ops::Range<usize>, threshold: i64| {
            let bounds = |samples: &[i64]| {
                let hits = samples[part.clone()].iter().filter(|&&x| x >= threshold).count();
                interval(hits as u64, part.len() as u64)
            };
            bounds(&self.present).0 - factor * bounds(&self.absent).1 - DELTA
        };
        let thresholds = -40..80;
        let chosen = thresholds.max_by(|&a, &b| excess(0..half, a).total_cmp(&excess(0..half, b)));
        excess(half..ROUNDS, chosen.unwrap()) > 0.0
    }

    /// Whether the histogram of the coordinate is not that of S, or 0, plus noise of the promised variance: chi-square over all
    /// cells in which at least 10 outcomes are expected, the rest together in one.
    fn is_of_another_law(&self) -> bool {
        const REACH: i64 = 120;
        let law = skellam(self.variance, REACH);
        let (mut statistic, mut cells) = (0.0, 0.0);
        for (samples, shift) in [(&self.present, i64::from(GRID)), (&self.absent, 0)] {
            let mut counts = vec![0.0; law.len()];
            let mut rest = (0.0, 0.0);
            for &x in samples {
                match counts.get_mut((x - shift + REACH) as usize) {
                    Some(count) => *count += 1.0,
                    None => rest.0 += 1.0,
                }
            }
            let mut add = |seen: f64, expected: f64| {
                statistic += (seen - expected).powi(2) / expected;
                cells += 1.0;
            };
            for (seen, probability) in counts.into_iter().zip(&law) {
                let expected = probability * ROUNDS as f64;
                if expected >= 10.0 {
                    add(seen, expected);
                } else {
                    rest = (rest.0 + seen, rest.1 + expected);
                }
            }
            add(rest.0, rest.1);
        }
        statistic > chi_square(cells - 2.0, DEVIATIONS)
    }
}

/// Failure: the pipeline leaks more of one client than it promises, or what it adds is not the noise that was promised.
/// False alarm: 10^-6 each.
#[test]
fn the_promise_is_not_refuted_and_the_law_is_the_promised_one() {
    let seen = attack(Mutant::None);
    let mean = |samples: &[i64]| samples.iter().sum::<i64>() as f64 / ROUNDS as f64;
    // The client's update arrives whole on the coordinate, within five deviations of the noise's mean.
    let step = mean(&seen.present) - mean(&seen.absent);
    assert!((step - f64::from(GRID)).abs() < 5.0 * (2.0 * seen.variance / ROUNDS as f64).sqrt());
    assert!(seen.epsilon > 1.0 && seen.epsilon < 4.0, "{}", seen.epsilon);
    assert!(!seen.refutes());
    assert!(!seen.is_of_another_law());
}

/// Failure: a client with half its noise passes the attack, which then says nothing about an honest one either.
#[test]
fn half_the_deviation_refutes_the_promise() {
    assert!(attack(Mutant::HalfDeviation).refutes());
}

/// Failure: the histogram has no power against mutants that the coarser attack lets pass.
#[test]
fn the_histogram_shows_every_mutant_of_one_round() {
    for mutant in [
        Mutant::HalfDeviation,
        Mutant::HalfVariance,
        Mutant::MissingShare,
        Mutant::NoRoundingInflation,
        Mutant::OneSeedForAll,
        Mutant::SeedsOfTheLastRound,
    ] {
        assert!(attack(mutant).is_of_another_law(), "{mutant:?} went unnoticed");
    }
}
