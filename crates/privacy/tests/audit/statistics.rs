//! What the attacks decide by. Each test rejects what is right with probability 10^-6 at most (chi-square: in the normal
//! approximation of Wilson and Hilferty).

/// Two-sided normal deviation of probability 10^-6.
pub(crate) const DEVIATIONS: f64 = 4.891_638_475_698_591;
/// ln of the probability that a bound on a frequency is wrong: two bounds, 10^-6 together.
const LOG_ERROR: f64 = -14.508_657_738_524_22;

/// A frequency of `hits` in `runs`, as an interval that holds the probability: P(error) <= exp(-runs KL(seen, p)) each side
/// (Chernoff, Hoeffding 1963).
pub(crate) fn interval(hits: u64, runs: u64) -> (f64, f64) {
    let (seen, runs) = (hits as f64 / runs as f64, runs as f64);
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    let wrong = |p: f64| -runs * (part(seen, p) + part(1.0 - seen, 1.0 - p)) < LOG_ERROR;
    let search = |mut inside: f64, mut outside: f64| {
        for _ in 0..100 {
            let middle = (inside + outside) / 2.0;
            if wrong(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    };
    (search(seen, 0.0), search(seen, 1.0))
}

/// The value that a chi-square variable of so many degrees is above, or below for negative `deviations`, as rarely as a normal one
/// is beyond `deviations`.
pub(crate) fn chi_square(degrees: f64, deviations: f64) -> f64 {
    let part = 2.0 / (9.0 * degrees);
    degrees * (1.0 - part + deviations * part.sqrt()).powi(3)
}

/// P(X = k) of a Skellam variable of variance mu, k = -reach..=reach: ratios of Bessel functions by downward recurrence, normalised.
pub(crate) fn skellam(mu: f64, reach: i64) -> Vec<f64> {
    let (mut above, mut current) = (0.0, 1e-280);
    let mut values = vec![0.0; reach as usize + 1];
    for k in (1..=reach + 200).rev() {
        if k <= reach {
            values[k as usize] = current;
        }
        let below = above + 2.0 * k as f64 / mu * current;
        (above, current) = (current, below);
        if current > 1e200 {
            values.iter_mut().for_each(|value| *value *= 1e-250);
            (above, current) = (above * 1e-250, current * 1e-250);
        }
    }
    values[0] = current;
    let total = values[0] + 2.0 * values[1..].iter().sum::<f64>();
    (-reach..=reach)
        .map(|k| values[k.unsigned_abs() as usize] / total)
        .collect()
}

/// Failure: the intervals do not hold what they should, and tests built on them judge wrongly.
#[test]
fn intervals_and_quantiles_are_the_known_ones() {
    // No hit in 1,000: 1 - p to the 1,000th is 5 x 10^-7.
    let (low, high) = interval(0, 1000);
    assert!(low == 0.0 && ((1.0 - high).ln() * 1000.0 - LOG_ERROR).abs() < 1e-6);
    let (low, high) = interval(500, 1000);
    assert!(low > 0.41 && low < 0.43 && (low + high - 1.0).abs() < 1e-9);
    // Tabulated: 99.9 % of a chi-square with 100 degrees is below 149.449.
    assert!((chi_square(100.0, 3.0902) - 149.449).abs() < 0.1);
    let law = skellam(8.0, 60);
    assert!((law[60] - 0.143_431_781_856_850_3).abs() < 1e-12);
    assert!((law[72] - 3.830_858_115_564_134e-5).abs() < 1e-15);
}
