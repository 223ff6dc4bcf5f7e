//! Tables against high-precision probabilities, exhaustively; draws against the statistical recipes.

use num_bigint::BigUint;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

use super::bessel::{TOTAL, magnitude_weights};
use super::table::SkellamTable;
use super::*;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Probability of x: half the weight of |x| over 2^127, or all of it for 0.
fn probability(weights: &[u128], x: i64) -> f64 {
    let weight = weights.get(x.unsigned_abs() as usize).copied().unwrap_or(0) as f64;
    weight * 2f64.powi(if x == 0 { -127 } else { -128 })
}

fn variance_q16(text: &str) -> u64 {
    (text.parse::<f64>().unwrap() * 65536.0) as u64
}

#[test]
fn weights_agree_with_golden_probabilities_to_their_last_digit() {
    let document = json(include_str!("../../tests/golden/accounting.json"));
    let mut seen = 0;
    for case in document["cases"].as_array().unwrap() {
        if case["name"] != "skellam_pmf" {
            continue;
        }
        let variance = variance_q16(case["params"]["variance"].as_str().unwrap());
        let weights = magnitude_weights(variance, 1 << 16).unwrap();
        assert_eq!(weights.iter().sum::<u128>(), TOTAL);
        for expect in case["expect"].as_array().unwrap() {
            let Some(x) = expect["x"].as_u64() else { continue };
            // 25 significant digits, compared as integers: weight x 10^places / 2^(127 or 128), to the last digit given.
            let (_, fraction) = expect["digits"].as_str().unwrap().split_once('.').unwrap();
            let scaled = BigUint::from(weights[x as usize]) * BigUint::from(10u32).pow(fraction.len() as u32);
            let shift = if x == 0 { 127u32 } else { 128 };
            let ours = (scaled + (BigUint::from(1u32) << (shift - 1))) >> shift;
            let golden: BigUint = fraction.parse().unwrap();
            let apart = if ours > golden {
                &ours - &golden
            } else {
                &golden - &ours
            };
            assert!(apart <= BigUint::from(1u32), "x = {x}: {ours} against {golden}");
            seen += 1;
        }
        // Second and fourth moments of the table itself: mu and 3 mu^2 + mu.
        let mu = variance as f64 / 65536.0;
        let moment = |power: i32| -> f64 {
            (1..weights.len() as i64)
                .map(|x| 2.0 * probability(&weights, x) * (x as f64).powi(power))
                .sum()
        };
        assert!((moment(2) / mu - 1.0).abs() < 1e-12);
        assert!((moment(4) / (3.0 * mu * mu + mu) - 1.0).abs() < 1e-12);
    }
    assert_eq!(seen, 13);
}

#[test]
fn alias_columns_hold_exactly_the_weights() {
    for (numerator, denominator) in [
        (1, 65536),
        (32768, 65536),
        (8 << 16, 1 << 16),
        (1_000_003, 65537),
        (4096 << 16, 1 << 16),
    ] {
        let mut weights = magnitude_weights(numerator, denominator).unwrap();
        let table = SkellamTable::new(numerator, denominator).unwrap();
        let exact = table.weights();
        weights.resize(exact.len(), 0);
        assert_eq!(weights, exact, "variance {numerator}/{denominator}");
    }
}

#[test]
fn every_outcome_of_a_tiny_table_is_reached_with_its_weight() {
    // Feeds the look-up itself with evenly spaced random words instead of reading the columns back.
    let table = SkellamTable::new(32768, 65536).unwrap();
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

#[test]
fn extremes_of_the_range_have_tables_and_beyond_is_refused() {
    assert!(magnitude_weights(1, 1 << 16).is_some());
    let widest = magnitude_weights(WIDEST_TABLE_Q16, 1 << 16).unwrap();
    assert!(widest.len() > 120_000 && widest.len() <= 1 << 17);
    // Close to the normal density at 0: 1/sqrt(2 pi) 10^-4 (1 + 1/(8 mu)).
    let normal = 1e-4 / core::f64::consts::TAU.sqrt();
    assert!((probability(&widest, 0) / normal - 1.0).abs() < 1e-8);
    assert!(SkellamSampler::new(0).is_none());
    assert!(SkellamSampler::new(WIDEST_TABLE_Q16 * MAX_PARTS + 1).is_none());
    assert_eq!(SkellamSampler::new(WIDEST_TABLE_Q16).unwrap().parts, 1);
    assert_eq!(SkellamSampler::new(WIDEST_TABLE_Q16 + 1).unwrap().parts, 2);
}

fn draw(variance_q16: u64, count: usize, seed: u64) -> Vec<i64> {
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(seed));
    let mut values = vec![0i64; count];
    SkellamSampler::new(variance_q16)
        .unwrap()
        .add_to(&mut values, &mut stream);
    values
}

#[test]
fn draws_pass_the_golden_recipes() {
    let document = json(include_str!("../../tests/golden/samplers.json"));
    let recipes = document["recipes"].as_array().unwrap();
    assert_eq!(recipes.len(), 3);
    for recipe in recipes {
        let name = recipe["variance_parameter"].as_str().unwrap();
        let count = recipe["samples"].as_u64().unwrap() as usize;
        let samples = draw(variance_q16(name), count, 20);
        check_recipe(recipe, &samples, name);
    }
}

fn check_recipe(recipe: &Value, samples: &[i64], name: &str) {
    let n = samples.len() as f64;
    let list = |key: &str| -> Vec<f64> {
        let cells = recipe["chi_square"][key].as_array().unwrap();
        cells.iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let (edges, probabilities) = (list("edges"), list("probabilities"));
    let mut cells = vec![0u64; probabilities.len()];
    for &x in samples {
        cells[edges.partition_point(|&edge| edge <= x as f64)] += 1;
    }
    let chi: f64 = cells
        .iter()
        .zip(&probabilities)
        .map(|(&c, p)| (c as f64 - n * p).powi(2) / (n * p))
        .sum();
    let limit = |path: &str, key: &str| recipe[path][key].as_f64().unwrap();
    assert!(
        chi <= limit("chi_square", "reject_above"),
        "{name}: chi square {chi}"
    );

    let fraction = |hit: &dyn Fn(i64) -> bool| samples.iter().filter(|&&x| hit(x)).count() as f64 / n;
    let mean = samples.iter().sum::<i64>() as f64 / n;
    assert!(
        mean.abs() <= limit("mean", "reject_if_abs_above"),
        "{name}: mean {mean}"
    );
    let variance = samples.iter().map(|&x| (x * x) as f64).sum::<f64>() / n;
    for (path, value) in [
        ("variance", variance),
        ("even_fraction", fraction(&|x| x % 2 == 0)),
        ("zero_fraction", fraction(&|x| x == 0)),
    ] {
        let off = (value - limit(path, "expected")).abs();
        assert!(
            off <= limit(path, "reject_if_abs_error_above"),
            "{name}: {path} {value}"
        );
    }
    let (plus, minus) = (fraction(&|x| x > 0), fraction(&|x| x < 0));
    let balance = (plus - minus) * n / ((plus + minus) * n).sqrt();
    assert!(
        balance.abs() <= limit("sign_balance", "reject_if_abs_above"),
        "{name}: signs {balance}"
    );
    let lag: f64 = samples.windows(2).map(|w| (w[0] * w[1]) as f64).sum::<f64>() / (n - 1.0) / variance;
    assert!(
        lag.abs() <= limit("lag1_autocorrelation", "reject_if_abs_above"),
        "{name}: lag {lag}"
    );
    let largest = samples.iter().map(|x| x.unsigned_abs()).max().unwrap() as f64;
    assert!(
        largest <= limit("max_abs", "reject_above"),
        "{name}: largest {largest}"
    );

    let weights = magnitude_weights(variance_q16(name), 1 << 16).unwrap();
    let reach = weights.len() as i64;
    let mut histogram = vec![0u64; 2 * weights.len() + 1];
    for &x in samples {
        histogram[(x + reach) as usize] += 1;
    }
    let (mut empirical, mut exact, mut distance) = (0.0, 0.0, 0f64);
    for x in -reach..=reach {
        empirical += histogram[(x + reach) as usize] as f64 / n;
        exact += probability(&weights, x);
        distance = distance.max(f64::abs(empirical - exact));
    }
    assert!(
        distance <= limit("ks_dkw", "reject_above"),
        "{name}: distance {distance}"
    );
}

#[test]
fn sums_of_parts_and_of_shares_have_the_summed_variance() {
    // Standard deviation 15,000 takes three draws a value; 200,000 values fix the variance to 1.6 % at five deviations.
    let variance = 225_000_000u64 << 16;
    assert_eq!(SkellamSampler::new(variance).unwrap().parts, 3);
    let samples = draw(variance, 200_000, 5);
    let measured = samples.iter().map(|&x| (x as f64).powi(2)).sum::<f64>() / 200_000.0;
    assert!((measured / 225e6 - 1.0).abs() < 0.016, "{measured}");

    // Ten shares of variance 0.7 sum to a Skellam of variance 7: compare the whole law, not the variance alone.
    let share = 45_875u64;
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(6));
    let mut sums = vec![0i64; 200_000];
    let sampler = SkellamSampler::new(share).unwrap();
    for _ in 0..10 {
        sampler.add_to(&mut sums, &mut stream);
    }
    let weights = magnitude_weights(10 * share, 1 << 16).unwrap();
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
    SkellamSampler::new(8 << 16)
        .unwrap()
        .add_to(&mut shifted, &mut stream);
    assert!(shifted.iter().zip(&a).all(|(s, x)| s - 1000 == *x));
}
