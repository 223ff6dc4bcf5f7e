//! Canaries: who they are, what they send, and what an auditor makes of what comes out.

use std::collections::HashMap;

use rand::{Rng, RngExt as _};
use rand_distr::StandardNormal;
use serde::Serialize;

use crate::commands::demo::Plan;

/// Directions that nobody has, drawn to see what chance does.
const UNUSED: usize = 1000;

struct Canary {
    /// Of length 1.
    direction: Vec<f64>,
    /// The auditor's secret until its guesses are made.
    sends: bool,
}

/// All canaries, the first members of the federation.
pub(super) struct Canaries {
    canaries: Vec<Canary>,
    by_name: HashMap<String, usize>,
    clip: f64,
}

/// Mean and standard deviation of some cosines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Spread {
    /// Zeros where there are too few.
    pub(super) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count();
        let mean = values.clone().sum::<f64>() / count.max(1) as f64;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self {
            count,
            mean,
            deviation: (squares / count.saturating_sub(1).max(1) as f64).sqrt(),
        }
    }
}

/// A direction, uniform on the sphere.
fn direction(dimension: usize, rng: &mut impl Rng) -> Vec<f64> {
    let values: Vec<f64> = (0..dimension).map(|_| rng.sample(StandardNormal)).collect();
    let length = norm(&values);
    values.into_iter().map(|value| value / length).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(values: &[f64]) -> f64 {
    // A vector of zeros has no direction; its cosines are zeros too.
    dot(values, values).sqrt().max(f64::MIN_POSITIVE)
}

/// x with A x = b, for the lower half of a positive definite A, by Cholesky's method in place.
fn solve(mut lower: Vec<Vec<f64>>, mut x: Vec<f64>) -> Vec<f64> {
    for i in 0..x.len() {
        for j in 0..=i {
            let known = dot(&lower[i][..j], &lower[j][..j]);
            lower[i][j] = if i == j {
                (lower[i][i] - known).max(f64::MIN_POSITIVE).sqrt()
            } else {
                (lower[i][j] - known) / lower[j][j]
            };
        }
        x[i] = (x[i] - dot(&lower[i][..i], &x[..i])) / lower[i][i];
    }
    for i in (0..x.len()).rev() {
        let known: f64 = (i + 1..x.len()).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - known) / lower[i][i];
    }
    x
}

/// The cosines of [`UNUSED`] fresh directions with the model's way.
pub(super) fn unused(moved: &[f64], rng: &mut impl Rng) -> Spread {
    let length = norm(moved);
    let cosines: Vec<f64> = (0..UNUSED)
        .map(|_| dot(&direction(moved.len(), rng), moved) / length)
        .collect();
    Spread::of(cosines.iter().copied())
}

impl Canaries {
    /// `count` of them, with fresh directions and coins.
    pub(super) fn draw(count: u16, dimension: usize, clip: f64, rng: &mut impl Rng) -> Self {
        let canaries = (0..count).map(|_| Canary {
            direction: direction(dimension, rng),
            sends: rng.random(),
        });
        Self {
            canaries: canaries.collect(),
            by_name: (0..count)
                .map(|i| (Plan::client_name(i), usize::from(i)))
                .collect(),
            clip,
        }
    }

    /// What the member of this name sends; `None` if it is no canary.
    pub(super) fn vector_of(&self, name: &str) -> Option<Vec<f32>> {
        let canary = self.canaries.get(*self.by_name.get(name)?)?;
        let length = if canary.sends { self.clip } else { 0.0 };
        Some(
            canary
                .direction
                .iter()
                .map(|value| (value * length) as f32)
                .collect(),
        )
    }

    /// The cosine of each canary's direction with the model's way.
    pub(super) fn cosines(&self, moved: &[f64]) -> Vec<f64> {
        let length = norm(moved);
        let cosines = self
            .canaries
            .iter()
            .map(|canary| dot(&canary.direction, moved) / length);
        cosines.collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.canaries.len()).unwrap_or(u16::MAX)
    }

    /// The best linear guess at each coin, 0 or 1, from how far the model `moved`, if one canary moves it by `step` and each of its values has
    /// `noise`: with C the directions as columns, (C'C + l)^-1 C'(moved / step - C/2) and l = (2 noise / step)^2, as coins have
    /// variance 1/4. The directions of others, which a cosine takes for noise, cancel.
    pub(super) fn scores(&self, moved: &[f64], step: f64, noise: f64) -> Vec<f64> {
        let rest: Vec<f64> = (0..moved.len())
            .map(|i| {
                moved[i] / step
                    - self
                        .canaries
                        .iter()
                        .map(|canary| canary.direction[i])
                        .sum::<f64>()
                        / 2.0
            })
            .collect();
        let ridge = (2.0 * noise / step).powi(2).max(1e-6);
        let gram = self.canaries.iter().enumerate().map(|(i, a)| {
            let row = self.canaries[..=i]
                .iter()
                .map(|b| dot(&a.direction, &b.direction));
            let mut row: Vec<f64> = row.collect();
            row[i] += ridge;
            row
        });
        let right = self
            .canaries
            .iter()
            .map(|canary| dot(&canary.direction, &rest))
            .collect();
        solve(gram.collect(), right)
    }

    /// The cosines of those that send, or of those that do not.
    pub(super) fn of_kind(&self, cosines: &[f64], sends: bool) -> impl Iterator<Item = f64> + Clone {
        let both = self.canaries.iter().zip(cosines);
        both.filter(move |(canary, _)| canary.sends == sends)
            .map(|(_, &cosine)| cosine)
    }

    /// Guesses "sends" for the half of `guesses` with the largest scores and "does not" for the half with the smallest, without a look at
    /// the coins; how many are right.
    pub(super) fn correct_guesses(&self, scores: &[f64], guesses: u16) -> u16 {
        let mut order: Vec<(&f64, &Canary)> = scores.iter().zip(&self.canaries).collect();
        order.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let half = usize::from(guesses / 2);
        let low = order.iter().take(half).filter(|(_, canary)| !canary.sends);
        let high = order.iter().rev().take(half).filter(|(_, canary)| canary.sends);
        u16::try_from(low.count() + high.count()).unwrap_or(guesses)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn canaries() -> Canaries {
        Canaries::draw(40, 650, 2.0, &mut ChaCha8Rng::seed_from_u64(3))
    }

    /// Failure: a canary is shorter than the clip norm, so the audit attacks less than the promise covers, or the silent ones speak.
    #[test]
    fn canaries_use_the_whole_clip_norm_or_nothing() {
        let canaries = canaries();
        let mut kinds = [0; 2];
        for (i, canary) in canaries.canaries.iter().enumerate() {
            let vector = canaries.vector_of(&Plan::client_name(i as u16)).unwrap();
            let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            let expected = if canary.sends { 2.0 } else { 0.0 };
            assert!((length - expected).abs() < 1e-5, "{length}");
            kinds[usize::from(canary.sends)] += 1;
        }
        assert!(kinds[0] > 8 && kinds[1] > 8, "{kinds:?}");
        assert!(canaries.vector_of(&Plan::client_name(40)).is_none());
    }

    /// Failure: the auditor cannot read the bare sum, not even without error, or reads the coins where there is nothing to read.
    #[test]
    fn guesses_are_right_for_the_bare_sum_and_chance_without_it() {
        let canaries = canaries();
        let mut sum = vec![0.0; 650];
        for canary in canaries.canaries.iter().filter(|canary| canary.sends) {
            sum.iter_mut()
                .zip(&canary.direction)
                .for_each(|(to, from)| *to += 0.3 * from);
        }
        let scores = canaries.scores(&sum, 0.3, 0.0);
        for (score, canary) in scores.iter().zip(&canaries.canaries) {
            // Half, more or less.
            let expected = if canary.sends { 0.5 } else { -0.5 };
            assert!((score - expected).abs() < 1e-4, "{score}");
        }
        assert_eq!(canaries.correct_guesses(&scores, 20), 20);
        let cosines = canaries.cosines(&sum);
        let sent = Spread::of(canaries.of_kind(&cosines, true));
        let silent = Spread::of(canaries.of_kind(&cosines, false));
        assert!(
            sent.mean > 0.15 && silent.mean.abs() < 0.05,
            "{sent:?} {silent:?}"
        );
        // The other way round, all are wrong.
        let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
        assert_eq!(canaries.correct_guesses(&turned, 20), 0);
        let stranger = direction(650, &mut ChaCha8Rng::seed_from_u64(4));
        let chance = canaries.correct_guesses(&canaries.scores(&stranger, 1.0, 1.0), 40);
        assert!((8..=32).contains(&chance), "{chance}");
    }

    /// Failure: a model that did not move makes cosines that are not numbers.
    #[test]
    fn nothing_moved_means_nothing_seen() {
        assert!(
            canaries()
                .cosines(&vec![0.0; 650])
                .iter()
                .all(|cosine| *cosine == 0.0)
        );
        let spread = unused(&[1.0; 650], &mut ChaCha8Rng::seed_from_u64(5));
        assert!(
            (spread.deviation * 650f64.sqrt() - 1.0).abs() < 0.15,
            "{spread:?}"
        );
        assert_eq!(Spread::of([].iter().copied()).count, 0);
    }
}
