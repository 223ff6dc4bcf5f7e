//! Tables against probabilities computed another way, to 512 bits and to the golden digits.

use num_bigint::BigUint;
use num_traits::{One, Zero};
use serde_json::Value;

use super::WIDEST_TABLE_Q16;
use super::law::Law;
use super::weights::TOTAL;

/// Bits after the point of the numbers that tables are compared with.
const PRECISION: u32 = 512;

pub(super) fn skellam(numerator: u64, denominator: u64) -> Law {
    Law::Skellam {
        numerator,
        denominator,
    }
}

pub(super) fn gaussian(numerator: u64, denominator: u64) -> Law {
    Law::DiscreteGaussian {
        numerator,
        denominator,
    }
}

/// Probability of x: half the weight of |x| over 2^127, or all of it for 0.
pub(super) fn probability(weights: &[u128], x: i64) -> f64 {
    let weight = weights.get(x.unsigned_abs() as usize).copied().unwrap_or(0) as f64;
    weight * 2f64.powi(if x == 0 { -127 } else { -128 })
}

fn one() -> BigUint {
    BigUint::one() << PRECISION
}

/// exp(`numerator` / `denominator`), all terms positive.
fn exp(numerator: &BigUint, denominator: &BigUint) -> BigUint {
    let mut halvings = 0u32;
    while numerator > &(denominator << halvings) {
        halvings += 1;
    }
    let (mut term, mut sum, mut index) = (one(), BigUint::zero(), 0u32);
    while !term.is_zero() {
        sum += &term;
        index += 1;
        term = term * numerator / ((denominator << halvings) * index);
    }
    (0..halvings).fold(sum, |value, _| (&value * &value) >> PRECISION)
}

/// exp(-k^2 / (2 sigma^2)) for k = 0, 1, ... until it vanishes, and the sum over all integers.
fn gaussian_values(numerator: u64, denominator: u64) -> (Vec<BigUint>, BigUint) {
    let mut values: Vec<BigUint> = Vec::new();
    for k in 0u64.. {
        let exponent = BigUint::from(k) * k * denominator;
        let value = (one() << PRECISION) / exp(&exponent, &(BigUint::from(2u32) * numerator));
        if value.bits() < 100 {
            break;
        }
        values.push(value);
    }
    let others: BigUint = values[1..].iter().sum();
    let sum = &values[0] + others * 2u32;
    (values, sum)
}

/// I_k(mu) for k = 0, 1, ... until it vanishes, each from its power series, and exp(mu).
fn skellam_values(numerator: u64, denominator: u64) -> (Vec<BigUint>, BigUint) {
    let half = |value: &BigUint| value * numerator / (2 * denominator);
    let (mut values, mut first) = (Vec::new(), one());
    for k in 0u64.. {
        if k > 0 {
            first = half(&first) / k;
        }
        let (mut term, mut sum) = (first.clone(), BigUint::zero());
        for j in 1u64.. {
            sum += &term;
            term = half(&half(&term)) / (j * (j + k));
            if term.is_zero() {
                break;
            }
        }
        if sum.bits() < 100 {
            break;
        }
        values.push(sum);
    }
    (
        values,
        exp(&BigUint::from(numerator), &BigUint::from(denominator)),
    )
}

/// -log2 of the total variation between a table's law and the one that these values are proportional to.
fn distance_bits(weights: &[u128], (values, sum): &(Vec<BigUint>, BigUint)) -> u64 {
    let mut twice = BigUint::zero();
    for k in 0..values.len().max(weights.len()) {
        // Where the values end they are below 2^-400.
        let value = values.get(k).cloned().unwrap_or_default();
        let both = if k == 0 { value } else { value * 2u32 };
        let exact = (both << PRECISION) / sum;
        let ours = BigUint::from(weights.get(k).copied().unwrap_or(0)) << (PRECISION - 127);
        twice += if ours > exact { ours - exact } else { exact - ours };
    }
    u64::from(PRECISION) + 1 - twice.bits()
}

/// Failure: a probability is off by more than the certified distance: a series that stops too early, a recurrence with the wrong
/// factor, a tail cut too short, weights rounded the wrong way.
#[test]
fn tables_are_as_close_to_their_law_as_certified() {
    for (numerator, denominator) in [(9, 100), (1, 1), (16, 1), (1_000_003, 65_537), (4096, 1)] {
        let weights = gaussian(numerator, denominator).magnitude_weights().unwrap();
        let bits = distance_bits(&weights, &gaussian_values(numerator, denominator));
        assert!(
            bits >= 109,
            "discrete Gaussian, sigma^2 {numerator}/{denominator}: 2^-{bits}"
        );
    }
    for (numerator, denominator) in [(1, 65_536), (1, 2), (8, 1), (1_000_003, 65_537), (200, 1)] {
        let weights = skellam(numerator, denominator).magnitude_weights().unwrap();
        let bits = distance_bits(&weights, &skellam_values(numerator, denominator));
        assert!(
            bits >= 109,
            "Skellam, variance {numerator}/{denominator}: 2^-{bits}"
        );
    }
}

/// "0.3" as 3/10, squared if asked.
fn rational(text: &str, power: u32) -> (u64, u64) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let numerator: u64 = format!("{whole}{fraction}").parse().unwrap();
    (numerator.pow(power), 10u64.pow(fraction.len() as u32 * power))
}

/// The law that a golden case or recipe is about.
pub(super) fn law_of(parameters: &Value) -> Law {
    let text = |key: &str| parameters[key].as_str();
    if let Some(sigma) = text("sigma") {
        let (numerator, denominator) = rational(sigma, 2);
        return gaussian(numerator, denominator);
    }
    let variance = text("variance").or_else(|| text("variance_parameter")).unwrap();
    let (numerator, denominator) = rational(variance, 1);
    skellam(numerator, denominator)
}

/// Failure: the table of a law that somebody else has computed to 25 digits holds other digits.
#[test]
fn weights_agree_with_golden_probabilities_to_their_last_digit() {
    let text = include_str!("../../tests/golden/accounting.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let mut seen = [0; 2];
    for case in document["cases"].as_array().unwrap() {
        let index = match case["name"].as_str().unwrap() {
            "skellam_pmf" => 0,
            "discrete_gaussian_pmf" => 1,
            _ => continue,
        };
        let law = law_of(&case["params"]);
        let weights = law.magnitude_weights().unwrap();
        assert_eq!(weights.iter().sum::<u128>(), TOTAL);
        for expect in case["expect"].as_array().unwrap() {
            let Some(x) = expect["x"].as_u64().filter(|_| expect["metric"] == "pmf") else {
                continue;
            };
            // 25 significant digits, compared as integers: weight x 10^places / 2^(127 or 128), to the last digit given or to the
            // certified distance.
            let digits = expect["digits"].as_str().unwrap();
            let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
            let (whole, fraction) = mantissa.split_once('.').unwrap();
            let exponent: i64 = exponent.parse().unwrap();
            let places = u32::try_from(fraction.len() as i64 - exponent).unwrap();
            let golden: BigUint = format!("{whole}{fraction}").parse().unwrap();
            let weight = weights.get(x as usize).copied().unwrap_or(0);
            let power = BigUint::from(10u32).pow(places);
            let shift = if x == 0 { 127u32 } else { 128 };
            let ours = (BigUint::from(weight) * &power + (BigUint::one() << (shift - 1))) >> shift;
            let apart = if ours > golden {
                &ours - &golden
            } else {
                &golden - &ours
            };
            let allowed = BigUint::one() + (power >> 109u32);
            assert!(apart <= allowed, "{law:?}, x = {x}: {ours} against {golden}");
            seen[index] += 1;
        }
        let moment = |power: i32| -> f64 {
            (1..weights.len() as i64)
                .map(|x| 2.0 * probability(&weights, x) * (x as f64).powi(power))
                .sum()
        };
        for expect in case["expect"].as_array().unwrap() {
            let golden = expect["value"].as_f64().unwrap();
            let ours = match expect["metric"].as_str().unwrap() {
                "pmf" => continue,
                "variance" => moment(2),
                "fourth_moment" => moment(4),
                "two_sided_tail" => {
                    let from = expect["x"].as_i64().unwrap();
                    let above = (from..weights.len() as i64).map(|x| probability(&weights, x));
                    2.0 * above.sum::<f64>()
                }
                other => panic!("{other}"),
            };
            assert!((ours / golden - 1.0).abs() < 1e-12, "{law:?}: {expect}, {ours}");
        }
    }
    assert_eq!(seen, [13, 39]);
}

/// Failure: the widest law that is admitted has no table, or its tail does not fit one.
#[test]
fn extremes_of_the_range_have_tables() {
    for law in [skellam, gaussian] {
        assert!(law(1, 1 << 16).magnitude_weights().is_some());
        let widest = law(WIDEST_TABLE_Q16, 1 << 16).magnitude_weights().unwrap();
        assert!(widest.len() > 120_000 && widest.len() <= 1 << 17);
        // Close to the normal density at 0: 1/sqrt(2 pi) 10^-4, times 1 + 1/(8 mu) for the Skellam.
        let normal = 1e-4 / core::f64::consts::TAU.sqrt();
        assert!((probability(&widest, 0) / normal - 1.0).abs() < 1e-8);
        assert!(law(2 * WIDEST_TABLE_Q16, 1 << 16).magnitude_weights().is_none());
    }
    // Narrower than the proof covers, and no law at all.
    assert!(gaussian(1, 1 << 17).magnitude_weights().is_none());
    for law in [skellam, gaussian] {
        assert!(law(0, 1).magnitude_weights().is_none());
    }
}
