//! Rounds in which nobody has anything to say: what comes out is noise and nothing else.

use crate::round::{Cohort, Mutant, Setting};
use crate::statistics::{DEVIATIONS, chi_square};

/// Two all-zero rounds on a coarse grid, on which rounding adds 13 % to the squared sensitivity; the variance that is planned.
fn two_rounds(mutant: Mutant) -> (f64, [Vec<i64>; 2]) {
    let setting = Setting {
        clients: 8,
        colluders: 1,
        dimension: 32_768,
        grid: 256,
        share_variance_q16: 40_000 << 16,
    };
    let mut cohort = Cohort::new(setting, mutant);
    let rounds = [cohort.sum(&[]), cohort.sum(&[])];
    (cohort.promised_variance(), rounds)
}

/// Whether the variance of a round is not `variance`: sum of squares over it is nearly chi-square; the fourth moment 3 V^2 + V of a
/// Skellam makes 2V / (2V + 1) degrees of each coordinate. Too much noise is as wrong as too little.
fn varies(round: &[i64], variance: f64) -> bool {
    let coordinates = round.len() as f64;
    let per_coordinate = 2.0 * variance / (2.0 * variance + 1.0);
    let degrees = coordinates * per_coordinate;
    let squares: f64 = round.iter().map(|&x| (x as f64).powi(2)).sum();
    let statistic = squares / variance * per_coordinate;
    let outside = chi_square(degrees, -DEVIATIONS)..chi_square(degrees, DEVIATIONS);
    !outside.contains(&statistic)
}

/// Whether two rounds have noise in common: the correlation of independent ones deviates by 1 / sqrt(coordinates).
fn repeats([first, second]: &[Vec<i64>; 2]) -> bool {
    let product = |a: &[i64], b: &[i64]| -> f64 { a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum() };
    let correlation = product(first, second) / (product(first, first) * product(second, second)).sqrt();
    correlation.abs() * (first.len() as f64).sqrt() > DEVIATIONS
}

/// Failure: a round adds another variance than the plan needs, is biased, or two rounds share noise. False alarm: 10^-6 for each of five.
#[test]
fn silent_rounds_hold_the_planned_noise_and_never_the_same() {
    let (variance, rounds) = two_rounds(Mutant::None);
    for round in &rounds {
        assert!(!varies(round, variance));
        let mean = round.iter().sum::<i64>() as f64 / round.len() as f64;
        assert!(
            mean.abs() < DEVIATIONS * (variance / round.len() as f64).sqrt(),
            "{mean}"
        );
    }
    assert!(!repeats(&rounds));
}

/// Failure: a mutant goes unnoticed, so the test above would not notice such a bug either.
#[test]
fn every_mutant_is_heard_in_silence() {
    for mutant in [
        Mutant::HalfDeviation,
        Mutant::HalfVariance,
        Mutant::MissingShare,
        Mutant::NoRoundingInflation,
        Mutant::OneSeedForAll,
    ] {
        let (variance, rounds) = two_rounds(mutant);
        assert!(varies(&rounds[0], variance), "{mutant:?} went unnoticed");
        assert!(!repeats(&rounds), "{mutant:?} uses no noise twice");
    }
    // Each round alone is as it should be; the two together give everything away.
    let (variance, rounds) = two_rounds(Mutant::SeedsOfTheLastRound);
    assert!(!varies(&rounds[0], variance));
    assert!(repeats(&rounds));
}
