//! Renyi curves on a fixed grid of orders, their sums, and their translation to (epsilon, delta).
//!
//! Rounding: a curve value is at least the bound it stands for. Each closed formula is evaluated in `f64` and multiplied by
//! 1 + 10^-12, over a thousand times the error of its handful of operations; each addition and multiplication after that
//! is rounded to the next `f64` above. The translation adds 10^-12 of the magnitudes it subtracts, and an epsilon that is
//! reported is rounded up to a multiple of 10^-6.

use core::marker::PhantomData;

use super::domain::{OutsideProof, check_delta as proper_delta};
use super::orders::{IntegerOrders, ORDERS, OrderGrid};
use super::renyi;
use crate::decimal::Decimal;
use crate::sensitivity::IntegerSensitivity;

/// Relative slack that covers the rounding of one closed formula.
const SLACK: f64 = 1e-12;

/// Part of a stated delta kept for the sampler's distance from the true law.
const SAMPLER_PART: f64 = 1.0 / 1024.0;

/// Why there is no epsilon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Delta must lie strictly between 0 and 1.
    #[error("delta {0} is not between 0 and 1")]
    Delta(Decimal),
    /// Something was released without noise.
    #[error("no finite epsilon: something was released without enough noise")]
    Unbounded,
    /// The sampler's distance from the true law takes more than its part of delta; a smaller epsilon or a larger delta is
    /// needed.
    #[error("the sampler's certified error exceeds its part of delta at this epsilon")]
    SamplerError,
}

/// An upper bound on the Renyi divergence at each order of a grid, in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct RenyiCurve<O> {
    values: Box<[f64]>,
    grid: PhantomData<O>,
}

/// A curve at [`ORDERS`], what releases of rounds are charged as. Adding one more release costs one addition an order.
pub type RdpCurve = RenyiCurve<IntegerOrders>;

impl RdpCurve {
    /// One Skellam release of variance mu = `variance_q16` / 2^16 per coordinate, for integer sensitivities Delta1, Delta2; the
    /// bound is [`renyi::skellam`]. Infinite without variance.
    pub fn skellam(sensitivity: IntegerSensitivity, variance_q16: u128) -> Self {
        let mu = variance_q16 as f64 / 65536.0;
        let (l2_squared, l1) = (sensitivity.squared_l2 as f64, sensitivity.l1 as f64);
        Self::from_integer_bound(|order| renyi::skellam(order, l2_squared, l1, mu))
    }

    /// From a bound that is proved at integer orders only; see [`RenyiCurve::from_bound`].
    pub fn from_integer_bound(bound: impl Fn(u32) -> f64) -> Self {
        Self::collect(ORDERS.iter().map(|&order| bound(order)))
    }

    /// The bound at the order with this index in [`ORDERS`].
    pub(crate) fn at_index(&self, index: usize) -> f64 {
        self.values[index]
    }
}

impl<O: OrderGrid> RenyiCurve<O> {
    /// Nothing released.
    pub fn zero() -> Self {
        Self {
            values: vec![0.0; O::ORDERS.len()].into(),
            grid: PhantomData,
        }
    }

    /// From a bound on the divergence at any order above 1, correct to within 10^-12 of its value; it is pushed up by that
    /// much. A value that is not a number counts as infinite: neither may pass for a small one.
    pub fn from_bound(bound: impl Fn(f64) -> f64) -> Self {
        Self::collect(O::ORDERS.iter().map(|&order| bound(order)))
    }

    fn collect(bounds: impl Iterator<Item = f64>) -> Self {
        #[cfg(test)]
        made::one();
        let push = |bound: f64| {
            let bound = bound * (1.0 + SLACK);
            if bound.is_finite() {
                bound.max(0.0)
            } else {
                f64::INFINITY
            }
        };
        Self {
            values: bounds.map(push).collect(),
            grid: PhantomData,
        }
    }

    /// This and `other` released, in any order and chosen adaptively (Mironov, "Renyi Differential Privacy", 2017, adaptive composition).
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (value, more) in sum.values.iter_mut().zip(&other.values) {
            if *more > 0.0 {
                *value = (*value + more).next_up();
            }
        }
        sum
    }

    /// The same released `count` times.
    #[must_use]
    pub fn times(&self, count: u64) -> Self {
        let mut product = self.clone();
        for value in &mut product.values {
            *value = match count {
                0 => 0.0,
                1 => *value,
                // A count above 2^53 rounds too, hence two steps.
                _ => (*value * count as f64).next_up().next_up(),
            };
        }
        product
    }

    /// The bound at one of the grid's orders; `None` at others.
    pub fn at(&self, order: impl Into<f64>) -> Option<f64> {
        let order = order.into();
        O::ORDERS
            .iter()
            .position(|&known| known == order)
            .map(|index| self.values[index])
    }

    /// The smallest epsilon over all orders at `delta`, rounded up to a multiple of 10^-6; see
    /// [`RenyiCurve::epsilon_bound`].
    ///
    /// # Errors
    /// [`AccountError::Delta`], [`AccountError::Unbounded`].
    pub fn epsilon(&self, delta: Decimal) -> Result<Decimal, AccountError> {
        self.rounded(check_delta(delta)?)
    }

    /// The smallest epsilon for a stated `delta` that also covers the sampler: the curve is read at `delta` (1 - 1/1024), and
    /// the distance of `draws` noise values from the true law must take no more than the remaining 1/1024.
    ///
    /// # Errors
    /// As [`RenyiCurve::epsilon`], and [`AccountError::SamplerError`].
    pub fn epsilon_with_sampler(&self, delta: Decimal, draws: u128) -> Result<Decimal, AccountError> {
        let value = check_delta(delta)?;
        let (rdp_part, sampler_part) = delta_for_rdp(value);
        let epsilon = self.rounded(rdp_part)?;
        if super::sampler_delta(epsilon.to_f64(), draws) > sampler_part {
            return Err(AccountError::SamplerError);
        }
        Ok(epsilon)
    }

    /// An upper bound on epsilon at `delta`, infinite if there is none:
    ///
    /// epsilon = min over a of r(a) + ln(1 - 1/a) - (ln delta + ln a) / (a - 1), not below 0.
    ///
    /// For releases whose parameters did not depend on earlier results; where they may, a [`crate::BudgetFilter`] decides.
    /// Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), Proposition 12.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn epsilon_bound(&self, delta: f64) -> Result<f64, OutsideProof> {
        proper_delta(delta)?;
        Ok(self.epsilon_at(delta))
    }

    /// The order whose bound is smallest at `delta`, and the bound; the first of equals.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn best_order(&self, delta: f64) -> Result<(f64, f64), OutsideProof> {
        proper_delta(delta)?;
        let mut best = (O::ORDERS[0], f64::INFINITY);
        for (value, &order) in self.values.iter().zip(O::ORDERS) {
            let epsilon = translated(*value, order, delta);
            if epsilon < best.1 {
                best = (order, epsilon);
            }
        }
        Ok((best.0, best.1.max(0.0)))
    }

    /// The bound on epsilon at `delta` from one order alone; `None` if it is not on the grid.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn epsilon_at_order(&self, order: f64, delta: f64) -> Result<Option<f64>, OutsideProof> {
        proper_delta(delta)?;
        Ok(self
            .at(order)
            .map(|value| translated(value, order, delta).max(0.0)))
    }

    /// An upper bound on delta at `epsilon`, at most 1: the same inequality solved for delta,
    ///
    /// ln delta = min over a of (a - 1) (r(a) + ln(1 - 1/a) - epsilon) - ln a.
    ///
    /// # Errors
    /// [`OutsideProof::Epsilon`] for a negative one or one that is not a number.
    pub fn delta_bound(&self, epsilon: f64) -> Result<f64, OutsideProof> {
        if epsilon.is_nan() || epsilon < 0.0 {
            return Err(OutsideProof::Epsilon(epsilon));
        }
        let exponents = self.values.iter().zip(O::ORDERS).map(|(value, &order)| {
            let gap = (-1.0 / order).ln_1p();
            let exponent = (order - 1.0) * (value + gap - epsilon) - order.ln();
            let magnitude = (order - 1.0) * (value - gap + epsilon) + order.ln();
            exponent + SLACK * magnitude
        });
        let least = exponents
            .filter(|exponent| !exponent.is_nan())
            .fold(0.0, f64::min);
        Ok((least.exp() * (1.0 + SLACK)).min(1.0))
    }

    fn epsilon_at(&self, delta: f64) -> f64 {
        let mut best = f64::INFINITY;
        for (value, &order) in self.values.iter().zip(O::ORDERS) {
            best = best.min(translated(*value, order, delta));
        }
        best.max(0.0)
    }

    fn rounded(&self, delta: f64) -> Result<Decimal, AccountError> {
        round_up(self.epsilon_at(delta)).ok_or(AccountError::Unbounded)
    }
}

/// Up to the next multiple of 10^-6; `None` for infinity and for values far above any meaningful epsilon.
pub(crate) fn round_up(value: f64) -> Option<Decimal> {
    let micros = (value.max(0.0) * 1e6).ceil();
    // Below the limit of a Decimal.
    (micros < 1e15)
        .then(|| Decimal::from_micros(micros as u64).ok())
        .flatten()
}

/// A Renyi bound at one order as a bound on epsilon, perhaps below 0.
fn translated(value: f64, order: f64, delta: f64) -> f64 {
    let (terms, magnitude) = log_terms(order, delta);
    value + terms + SLACK * (value + magnitude)
}

/// ln(1 - 1/a) - (ln delta + ln a) / (a - 1), which turns a Renyi bound at order a into an epsilon, and the sum of the
/// magnitudes in it.
pub(crate) fn log_terms(order: f64, delta: f64) -> (f64, f64) {
    let first = (-1.0 / order).ln_1p();
    let second = (delta.ln() + order.ln()) / (order - 1.0);
    (
        first - second,
        first.abs() + (delta.ln().abs() + order.ln()) / (order - 1.0),
    )
}

/// Splits a stated delta: the part the Renyi curve is read at, and the part kept for the sampler.
pub(crate) fn delta_for_rdp(delta: f64) -> (f64, f64) {
    let sampler = delta * SAMPLER_PART;
    ((delta - sampler).next_down(), sampler.next_down())
}

fn check_delta(delta: Decimal) -> Result<f64, AccountError> {
    proper_delta(delta.to_f64()).map_err(|_| AccountError::Delta(delta))
}

/// How many curves this thread has computed from a bound: the dear step, which tests count.
#[cfg(test)]
pub(crate) mod made {
    use std::cell::Cell;

    thread_local!(static CURVES: Cell<u64> = const { Cell::new(0) });

    pub(super) fn one() {
        CURVES.set(CURVES.get() + 1);
    }

    pub(crate) fn so_far() -> u64 {
        CURVES.get()
    }
}
