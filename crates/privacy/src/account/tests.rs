//! Golden values, exact divergences in one dimension, and rounding directions.

use serde_json::Value;

use super::*;
use crate::decimal::Decimal;
use crate::sensitivity::IntegerSensitivity;

fn golden(group: &str) -> Vec<Value> {
    let text = include_str!("../../tests/golden/accounting.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let cases = document["cases"].as_array().unwrap().clone();
    cases.into_iter().filter(|case| case["name"] == group).collect()
}

fn assert_accepted(expect: &Value, value: f64, what: &str) {
    let (min, max) = (expect["accept_min"].as_f64(), expect["accept_max"].as_f64());
    assert!(
        min.is_none_or(|min| value >= min),
        "{what}: {value} is below {min:?}, a privacy bug"
    );
    assert!(
        max.is_none_or(|max| value <= max),
        "{what}: {value} is above {max:?}, needlessly loose"
    );
}

fn expectations<'a>(case: &'a Value, metric: &'a str, method: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = case["expect"].as_array().unwrap().iter();
    all.filter(move |e| e["metric"] == metric && e["method"] == method)
}

fn number(case: &Value, key: &str) -> f64 {
    case["params"][key].as_f64().unwrap()
}

/// Probabilities of -range..=range by the recurrence in floats, good to about 1e-13 relative.
fn skellam_pmf(mu: f64, range: usize) -> Vec<f64> {
    let start = range + 200;
    let mut values = vec![0.0; start + 2];
    values[start] = 1e-280;
    for k in (1..=start).rev() {
        values[k - 1] = values[k + 1] + 2.0 * k as f64 / mu * values[k];
        if values[k - 1] > 1e200 {
            values.iter_mut().for_each(|v| *v *= 1e-250);
        }
    }
    let total = values[0] + 2.0 * values[1..].iter().sum::<f64>();
    (0..=2 * range)
        .map(|i| values[i.abs_diff(range)] / total)
        .collect()
}

fn exact_divergence(mu: f64, shift: usize, order: u32) -> f64 {
    let range = 40 + (40.0 * mu.sqrt()) as usize + shift;
    let pmf = skellam_pmf(mu, range);
    let a = f64::from(order);
    let logs: Vec<f64> = (shift..pmf.len())
        .filter(|&i| pmf[i] > 0.0 && pmf[i - shift] > 0.0)
        .map(|i| a * pmf[i - shift].ln() - (a - 1.0) * pmf[i].ln())
        .collect();
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (largest + logs.iter().map(|log| (log - largest).exp()).sum::<f64>().ln()) / (a - 1.0)
}

#[test]
fn skellam_bound_and_exact_divergence_match_golden() {
    let cases = golden("skellam_renyi");
    assert_eq!(cases.len(), 3);
    for case in &cases {
        let (mu, shift) = (number(case, "variance"), number(case, "shift") as usize);
        let sensitivity = IntegerSensitivity {
            squared_l2: (shift * shift) as u128,
            l1: shift as u128,
        };
        let curve = RdpCurve::skellam(sensitivity, (mu * 65536.0) as u128);
        for expect in expectations(case, "rdp", "skellam_bound") {
            let order = expect["order"].as_u64().unwrap() as u32;
            // The window is 1e-12 relative; the curve is pushed up by as much.
            let value = curve.at(order).unwrap();
            let exact = expect["value"].as_f64().unwrap();
            assert!(value >= exact && value <= exact * (1.0 + 2e-12));
        }
        for expect in expectations(case, "rdp", "exact_sum") {
            let order = expect["order"].as_u64().unwrap() as u32;
            assert_accepted(expect, exact_divergence(mu, shift, order), "exact divergence");
        }
    }
}

#[test]
fn bound_dominates_every_exact_divergence_in_one_dimension() {
    for mu in [0.25, 1.0, 3.0, 20.0, 150.0] {
        for shift in 1..=5usize {
            let sensitivity = IntegerSensitivity {
                squared_l2: (shift * shift) as u128,
                l1: shift as u128,
            };
            let curve = RdpCurve::skellam(sensitivity, (mu * 65536.0) as u128);
            for order in [2u32, 3, 5, 8, 16, 32] {
                let exact = exact_divergence(mu, shift, order);
                let bound = curve.at(order).unwrap();
                assert!(
                    bound >= exact,
                    "mu {mu}, shift {shift}, order {order}: {bound} < {exact}"
                );
            }
        }
    }
}

fn release(share_variance_q16: u64, honest_shares: u32) -> SkellamRelease {
    SkellamRelease {
        grid: 256,
        padded: 1024,
        share_variance_q16,
        honest_shares,
        shares: 100,
    }
}

#[test]
fn composition_is_additive_and_rounds_up() {
    let (a, b) = (release(1 << 30, 10).curve(), release(1 << 31, 7).curve());
    assert_eq!(a.plus(&b), b.plus(&a));
    assert_eq!(a.plus(&RdpCurve::zero()), a);
    let mut repeated = RdpCurve::zero();
    for _ in 0..1000 {
        repeated = repeated.plus(&a);
    }
    let product = a.times(1000);
    for order in [2, 17, 128, 256] {
        let (sum, times, once) = (
            repeated.at(order).unwrap(),
            product.at(order).unwrap(),
            a.at(order).unwrap(),
        );
        assert!(times >= 1000.0 * once && sum >= 1000.0 * once);
        assert!((sum / times - 1.0).abs() < 1e-12);
    }
    assert_eq!(a.at(129), None);
    assert_eq!(a.times(0), RdpCurve::zero());
}

#[test]
fn more_noise_or_delta_costs_less_and_no_noise_costs_everything() {
    let d = |text: &str| text.parse::<Decimal>().unwrap();
    let epsilon = |variance, honest, delta: &str| {
        release(variance, honest)
            .curve()
            .times(20)
            .epsilon(d(delta))
            .unwrap()
    };
    assert!(epsilon(1 << 32, 10, "0.00001") > epsilon(1 << 33, 10, "0.00001"));
    assert!(epsilon(1 << 32, 10, "0.00001") > epsilon(1 << 32, 11, "0.00001"));
    assert!(epsilon(1 << 32, 10, "0.000001") > epsilon(1 << 32, 10, "0.00001"));
    assert_eq!(
        release(0, 10).curve().epsilon(d("0.1")),
        Err(AccountError::Unbounded)
    );
    assert_eq!(
        release(1 << 30, 0).curve().epsilon(d("0.1")),
        Err(AccountError::Unbounded)
    );
    assert_eq!(
        release(0, 0).curve().plus(&RdpCurve::zero()).at(2),
        Some(f64::INFINITY)
    );
    assert_eq!(RdpCurve::zero().epsilon(d("0")), Err(AccountError::Delta(d("0"))));
    assert_eq!(RdpCurve::zero().epsilon(d("1")), Err(AccountError::Delta(d("1"))));
}

#[test]
fn adversaries_know_the_shares_they_know() {
    assert_eq!(Adversary::Server { colluders: 3 }.honest_shares(10), Some(7));
    assert_eq!(Adversary::Server { colluders: 10 }.honest_shares(10), None);
    assert_eq!(Adversary::Server { colluders: 11 }.honest_shares(10), None);
    assert_eq!(Adversary::Public.honest_shares(10), Some(9));
    assert_eq!(Adversary::Public.honest_shares(1), None);
}

#[test]
fn sampler_error_is_charged_to_delta() {
    let d = |text: &str| text.parse::<Decimal>().unwrap();
    // (1 + e^8) 2^-100 x 2^20 x 3 x 1000 x 500 = 1.11e-14.
    let total = delta_total(d("0.000001"), d("8"), 1 << 20, 3, 1000, 500);
    let expected = (1.0 + 8f64.exp()) * 2f64.powi(-100) * 2f64.powi(20) * 1.5e6;
    assert!(total - 1e-6 >= expected * 0.999 && total - 1e-6 <= expected * 1.001);
    let curve = release(1 << 32, 10).curve().times(20);
    let (plain, with) = (
        curve.epsilon(d("0.00001")).unwrap(),
        curve.epsilon_with_sampler(d("0.00001"), 1 << 40).unwrap(),
    );
    assert!(with >= plain && with.to_f64() < plain.to_f64() * 1.001);
    assert_eq!(
        curve.epsilon_with_sampler(d("0.00001"), 1 << 90),
        Err(AccountError::SamplerError)
    );
}

/// Failure: rounding takes a sampled bound below the exact sum, which is 60-digit arithmetic's (mpmath 1.3).
#[test]
fn sampled_bounds_are_not_below_the_exact_sum() {
    for (q, z, order, exact) in [
        (0.003, 1000.0, 64, 2.880_001_974_061_322_5e-10),
        (0.01, 1000.0, 64, 3.200_003_564_004_735_6e-9),
        (0.001, 1000.0, 200, 1.000_000_697_801_982_4e-10),
        (0.03, 1000.0, 32, 1.440_001_976_475_328_5e-8),
        (0.1, 1000.0, 32, 1.600_005_112_020_663_8e-7),
        (0.001, 10.0, 256, 1.289_724_258_390_121e-6),
        (0.01, 4.0, 64, 2.152_091_596_161_842e-4),
        (0.5, 3.0, 256, 13.526_356_817_425_284),
    ] {
        let found = sampling::poisson_symmetric(order, q, |l| f64::from(l) / (2.0 * z * z));
        assert!(found >= exact, "{q} {z}: {found:e} is below {exact:e}");
        assert!(
            found < exact * (1.0 + 1e-3),
            "{q} {z}: {found:e} is far above {exact:e}"
        );
    }
}
