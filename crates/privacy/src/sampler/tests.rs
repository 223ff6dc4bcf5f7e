//! Tables and their look-up, exhaustively; sums of draws.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::exact_tests::{gaussian, probability, skellam};
use super::table::NoiseTable;
use super::*;

#[test]
fn alias_columns_hold_exactly_the_weights() {
    for (numerator, denominator) in [
        (1, 65536),
        (32768, 65536),
        (8 << 16, 1 << 16),
        (1_000_003, 65537),
        (4096 << 16, 1 << 16),
    ] {
        for law in [skellam(numerator, denominator), gaussian(numerator, denominator)] {
            let mut weights = law.magnitude_weights().unwrap();
            let exact = NoiseTable::new(law).unwrap().weights();
            weights.resize(exact.len(), 0);
            assert_eq!(weights, exact, "{law:?}");
        }
    }
}

#[test]
fn every_outcome_of_a_tiny_table_is_reached_with_its_weight() {
    // Feeds the look-up itself with evenly spaced random words instead of reading the columns back.
    let table = NoiseTable::new(skellam(1, 2)).unwrap();
    let weights = table.weights();
    let steps = 1u128 << 16;
    let mut counts = vec![0u64; 2 * weights.len()];
    for step in 0..steps {
        for sign in 0..2 {
            let word = (step << 112) | (1 << 111) | sign;
            let mut value = [0i64];
            table.add_draws(&mut value, &word.to_le_bytes());
            counts[(value[0] + weights.len() as i64) as usize] += 1;
        }
    }
    for x in -3i64..=3 {
        let seen = counts[(x + weights.len() as i64) as usize] as f64 / (2 * steps) as f64;
        // Each column (64 of them) can be off by one step at its threshold.
        assert!(
            (seen - probability(&weights, x)).abs() < 64.0 / steps as f64,
            "x = {x}: {seen}"
        );
    }
    // An outcome and its negative are the same word but for bit 0.
    for (i, &count) in counts.iter().enumerate().skip(1) {
        assert_eq!(count, counts[counts.len() - i]);
    }
}

/// Failure: a variance without a table is taken for one with, or a wide law is not put together from enough parts.
#[test]
fn variances_out_of_range_are_refused_for_what_they_are() {
    let skellam = |variance| NoiseSampler::skellam(variance).map(|sampler| sampler.parts);
    assert_eq!(skellam(0), Err(NoiseError::Zero));
    let most = WIDEST_TABLE_Q16 * MAX_PARTS;
    assert_eq!(skellam(most + 1), Err(NoiseError::TooLarge(most + 1)));
    assert_eq!(skellam(WIDEST_TABLE_Q16), Ok(1));
    assert_eq!(skellam(WIDEST_TABLE_Q16 + 1), Ok(2));
    // Two discrete Gaussians would not sum to one.
    let gaussian = |variance| NoiseSampler::discrete_gaussian(variance).map(|sampler| sampler.parts);
    assert_eq!(gaussian(0), Err(NoiseError::Zero));
    assert_eq!(gaussian(WIDEST_TABLE_Q16), Ok(1));
    assert_eq!(
        gaussian(WIDEST_TABLE_Q16 + 1),
        Err(NoiseError::GaussianTooWide(WIDEST_TABLE_Q16 + 1))
    );
}

fn draw(variance_q16: u64, count: usize, seed: u64) -> Vec<i64> {
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(seed));
    let mut values = vec![0i64; count];
    NoiseSampler::skellam(variance_q16)
        .unwrap()
        .add_to(&mut values, &mut stream);
    values
}

#[test]
fn sums_of_parts_and_of_shares_have_the_summed_variance() {
    // Standard deviation 15,000 takes three draws a value; 200,000 values fix the variance to 1.6 % at five deviations.
    let variance = 225_000_000u64 << 16;
    assert_eq!(NoiseSampler::skellam(variance).unwrap().parts, 3);
    let samples = draw(variance, 200_000, 5);
    let measured = samples.iter().map(|&x| (x as f64).powi(2)).sum::<f64>() / 200_000.0;
    assert!((measured / 225e6 - 1.0).abs() < 0.016, "{measured}");

    // Ten shares of variance 0.7 sum to a Skellam of variance 7: compare the whole law, not the variance alone.
    let share = 45_875u64;
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(6));
    let mut sums = vec![0i64; 200_000];
    let sampler = NoiseSampler::skellam(share).unwrap();
    for _ in 0..10 {
        sampler.add_to(&mut sums, &mut stream);
    }
    let weights = skellam(10 * share, 1 << 16).magnitude_weights().unwrap();
    let chi: f64 = (-8i64..=8)
        .map(|x| {
            let expected = probability(&weights, x) * 200_000.0;
            let seen = sums.iter().filter(|&&s| s == x).count() as f64;
            (seen - expected).powi(2) / expected
        })
        .sum();
    // 17 cells; chi square with 17 degrees exceeds 62 with probability below 1e-6.
    assert!(chi < 62.0, "{chi}");
}

#[test]
fn values_are_added_to_and_streams_do_not_repeat() {
    let a = draw(8 << 16, 2048, 1);
    assert_eq!(a, draw(8 << 16, 2048, 1));
    assert_ne!(a, draw(8 << 16, 2048, 2));
    assert_ne!(a[..512], a[512..1024], "a block of randomness was used twice");
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(1));
    let mut shifted = vec![1000i64; 2048];
    NoiseSampler::skellam(8 << 16)
        .unwrap()
        .add_to(&mut shifted, &mut stream);
    assert!(shifted.iter().zip(&a).all(|(s, x)| s - 1000 == *x));
}
