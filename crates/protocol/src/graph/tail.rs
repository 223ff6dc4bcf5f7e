//! Quantiles of the hypergeometric law, followed exactly while the number of draws grows.
//!
//! H(k) is the number of marked items among k drawn without replacement from N items of which M are marked. For a bound
//! of 2^-bits / U the quantile is u(k) = min { v : P[H(k) > v] <= 2^-bits / U }; U counts the events of a union bound.
//!
//! One more draw adds zero or one marked item, so u(k + 1) is u(k) or u(k) + 1, and both the tail and the point
//! probability at u move by rational factors of small integers:
//!
//! - P[H(k+1) > u] = P[H(k) > u] + P[H(k) = u] (M - u) / (N - k)
//! - P[H(k+1) = u] = P[H(k) = u] (k + 1) (N - M - k + u) / ((k + 1 - u) (N - k))
//! - P[H(k+1) = u + 1] = P[H(k) = u] (k + 1) (M - u) / ((u + 1) (N - k))
//!
//! They are kept as enclosures with [`GUARD_BITS`] to spare. If one straddles the bound, the exact sum decides.

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::enclosure::Enclosure;

/// Bits kept below the bound. A step loses at most a unit in the last place, so that a million draws leave more than
/// 200 of them.
const GUARD_BITS: u64 = 256;

/// u(k) for growing k.
pub(super) struct Quantile {
    population: u64,
    marked: u64,
    bits: u16,
    union: u64,
    drawn: u64,
    value: u64,
    /// P[H = value].
    point: Enclosure,
    /// P[H > value].
    tail: Enclosure,
    /// 2^-bits / U, rounded down to the scale of the enclosures.
    bound: BigUint,
}

impl Quantile {
    /// Starts at no draws, where the quantile is 0. `population` is positive and at least `marked`; an event for each of it.
    pub(super) fn new(population: u32, marked: u32, bits: u16) -> Self {
        Self::over(population, marked, bits, u64::from(population))
    }

    /// The same over `union` events, at least one and at most the square of a million.
    pub(super) fn over(population: u32, marked: u32, bits: u16, union: u64) -> Self {
        Self::with_guard(population, marked, bits, union, GUARD_BITS)
    }

    fn with_guard(population: u32, marked: u32, bits: u16, union: u64, guard: u64) -> Self {
        Self {
            population: u64::from(population),
            marked: u64::from(marked),
            bits,
            union,
            drawn: 0,
            value: 0,
            point: Enclosure::one(u64::from(bits) + guard),
            tail: Enclosure::zero(),
            bound: (BigUint::one() << guard) / union,
        }
    }

    pub(super) fn value(&self) -> u64 {
        self.value
    }

    /// Draws once more; the caller stops at the population.
    pub(super) fn draw(&mut self) {
        let (n, m, k, u) = (self.population, self.marked, self.drawn, self.value);
        // u <= M and u <= k < N throughout: where u = M the tail is zero and u stays.
        let mut gained = self.point.clone();
        gained.scale(m - u, n - k);
        self.tail.add(&gained);
        self.drawn += 1;
        let within = self
            .tail
            .at_most(&self.bound)
            .unwrap_or_else(|| tail_within(n, m, self.drawn, u, self.bits, self.union));
        if within {
            // P[H > u] < 1, so some outcome up to u is possible: k - u <= N - M.
            self.point
                .scale((k + 1) * (n - m).saturating_sub(k - u), (k + 1 - u) * (n - k));
        } else {
            gained.scale(k + 1, u + 1);
            self.tail.subtract(&gained);
            self.point = gained;
            self.value += 1;
        }
    }
}

/// Whether P[H > u] <= 2^-bits / U, from the definition:
/// U 2^bits sum over j > u of C(M, j) C(N - M, k - j) <= C(N, k).
fn tail_within(n: u64, m: u64, k: u64, u: u64, bits: u16, union: u64) -> bool {
    let first = (u + 1).max(k.saturating_sub(n - m));
    let last = m.min(k);
    let mut sum = BigUint::zero();
    if first <= last {
        let mut term = binomial(m, first) * binomial(n - m, k - first);
        for j in first..=last {
            sum += &term;
            // The next term is an integer; it is zero after the last one.
            term *= (m - j) * (k - j);
            term /= (j + 1) * (n - m + j + 1 - k);
        }
    }
    (sum * union) << bits <= binomial(n, k)
}

pub(super) fn binomial(n: u64, k: u64) -> BigUint {
    let mut value = BigUint::one();
    for i in 0..k.min(n - k) {
        value *= n - i;
        value /= i + 1;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{Quantile, binomial, tail_within};
    use num_bigint::BigUint;

    /// The definition, with every tail summed anew.
    fn by_definition(n: u64, m: u64, k: u64, bits: u16, union: u64) -> u64 {
        (0..).find(|&u| tail_within(n, m, k, u, bits, union)).unwrap()
    }

    #[test]
    fn binomials_are_those_of_the_triangle() {
        let mut row = vec![BigUint::from(1u32)];
        for n in 0..40u64 {
            for k in 0..=n {
                assert_eq!(binomial(n, k), row[k as usize]);
            }
            let mut next = vec![BigUint::from(1u32)];
            next.extend(row.windows(2).map(|pair| &pair[0] + &pair[1]));
            next.push(BigUint::from(1u32));
            row = next;
        }
    }

    /// Exhaustive over small populations, at full precision and at precisions so low that the enclosures keep failing and
    /// the exact sum decides, ties included (bits = 0 with two or four items meets its bound exactly).
    #[test]
    fn following_the_draws_agrees_with_the_definition() {
        for n in 2u32..=24 {
            for m in 0..=n {
                for bits in [0u16, 1, 3, 10, 40] {
                    let events = [u64::from(n), u64::from(n * n)];
                    for (union, guard) in events
                        .iter()
                        .flat_map(|u| [0, 4, 12, super::GUARD_BITS].map(|g| (*u, g)))
                    {
                        let mut quantile = Quantile::with_guard(n, m, bits, union, guard);
                        for k in 1..=n {
                            quantile.draw();
                            let expected = by_definition(n.into(), m.into(), k.into(), bits, union);
                            assert_eq!(
                                quantile.value(),
                                expected,
                                "n {n} m {m} k {k} bits {bits} union {union} guard {guard}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_large_population_agrees_with_the_definition() {
        for union in [20_000, 20_000 * 20_000] {
            let mut quantile = Quantile::over(20_000, 3_000, 60, union);
            for k in 1..=400u64 {
                quantile.draw();
                if k % 57 == 0 {
                    let value = quantile.value();
                    assert!(tail_within(20_000, 3_000, k, value, 60, union));
                    assert!(!tail_within(20_000, 3_000, k, value - 1, 60, union));
                }
            }
        }
    }
}
