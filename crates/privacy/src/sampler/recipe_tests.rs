//! Draws against the statistical recipes of `tests/golden/samplers.json`.
//!
//! They see a wrong law, a wrong scale, a biased sign or draws that depend on each other; they do not see how exact a table is,
//! which `exact_tests` shows.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

use super::exact_tests::{law_of, probability};
use super::law::Law;
use super::*;

fn recipe_name(recipe: &Value) -> String {
    let law = recipe["distribution"].as_str().unwrap();
    let parameter = recipe.get("sigma").or_else(|| recipe.get("variance_parameter"));
    format!("{law} {}", parameter.and_then(Value::as_str).unwrap())
}

/// Failure: the draws of one of eight laws are not of that law, or not independent. One stream serves all; each test alone rejects
/// true draws with probability 10^-6.
#[test]
fn draws_pass_the_golden_recipes() {
    let text = include_str!("../../tests/golden/samplers.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let mut stream = KeyStream::from_rng(&mut ChaCha20Rng::seed_from_u64(20));
    let mut gaussians = 0;
    let recipes = document["recipes"].as_array().unwrap();
    for recipe in recipes {
        let law = law_of(recipe);
        gaussians += usize::from(matches!(law, Law::DiscreteGaussian { .. }));
        let mut samples = vec![0i64; recipe["samples"].as_u64().unwrap() as usize];
        NoiseSampler::of_law(law, 1)
            .unwrap()
            .add_to(&mut samples, &mut stream);
        check_recipe(recipe, &samples, &law.magnitude_weights().unwrap());
    }
    assert_eq!((recipes.len(), gaussians), (8, 5));
}

fn check_recipe(recipe: &Value, samples: &[i64], weights: &[u128]) {
    let name = recipe_name(recipe);
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
        // Zeros are too rare to count where the law is wide; the recipe then gives no limit.
        let Some(most) = recipe[path]["reject_if_abs_error_above"].as_f64() else {
            continue;
        };
        let off = (value - limit(path, "expected")).abs();
        assert!(off <= most, "{name}: {path} {value}");
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

    let reach = weights.len() as i64;
    let mut histogram = vec![0u64; 2 * weights.len() + 1];
    for &x in samples {
        histogram[(x + reach) as usize] += 1;
    }
    let (mut empirical, mut exact, mut distance) = (0.0, 0.0, 0f64);
    for x in -reach..=reach {
        empirical += histogram[(x + reach) as usize] as f64 / n;
        exact += probability(weights, x);
        distance = distance.max(f64::abs(empirical - exact));
    }
    assert!(
        distance <= limit("ks_dkw", "reject_above"),
        "{name}: distance {distance}"
    );
}
