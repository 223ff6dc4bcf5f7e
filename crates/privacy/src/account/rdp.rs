//! Renyi curves on a fixed grid of orders, their sums, and their translation to (epsilon, delta).
//!
//! Rounding: a curve value is at least the bound it stands for. Each closed formula is evaluated in `f64` and multiplied by
//! 1 + 10^-12, over a thousand times the error of its handful of operations; each addition and multiplication after that
//! is rounded to the next `f64` above. The translation adds 10^-12 of the magnitudes it subtracts, and the resulting
//! epsilon is rounded up to a multiple of 10^-6.

use crate::decimal::Decimal;
use crate::sensitivity::IntegerSensitivity;

/// Relative slack that covers the rounding of one closed formula.
const SLACK: f64 = 1e-12;

/// Part of a stated delta kept for the sampler's distance from the true law.
const SAMPLER_PART: f64 = 1.0 / 1024.0;

/// The orders of every curve: 2, 3, ..., 128 and 256. Integers only: the Skellam bound is not proved in between.
pub const ORDERS: [u32; 128] = {
    let mut orders = [256; 128];
    let mut i = 0;
    while i < 127 {
        orders[i] = i as u32 + 2;
        i += 1;
    }
    orders
};

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

/// An upper bound on the Renyi divergence at each of [`ORDERS`], in nats.
#[derive(Clone, Debug, PartialEq)]
pub struct RdpCurve {
    values: [f64; ORDERS.len()],
}

impl RdpCurve {
    /// Nothing released.
    pub fn zero() -> Self {
        Self {
            values: [0.0; ORDERS.len()],
        }
    }

    /// One Skellam release of variance mu = `variance_q16` / 2^16 per coordinate, for integer sensitivities Delta1, Delta2:
    ///
    /// a Delta2^2 / (2 mu) + min(((2a - 1) Delta2^2 + 6 Delta1) / (4 mu^2), 3 Delta1 / (2 mu)).
    ///
    /// Infinite without variance. Source: Agarwal, Kairouz, Liu, "The Skellam Mechanism for Differentially Private
    /// Federated Learning" (2021), the main Renyi bound, for integer orders.
    pub fn skellam(sensitivity: IntegerSensitivity, variance_q16: u128) -> Self {
        let mut curve = Self::zero();
        let mu = variance_q16 as f64 / 65536.0;
        let (l2_squared, l1) = (sensitivity.squared_l2 as f64, sensitivity.l1 as f64);
        for (value, order) in curve.values.iter_mut().zip(ORDERS) {
            let order = f64::from(order);
            let leading = order * l2_squared / (2.0 * mu);
            let second = ((2.0 * order - 1.0) * l2_squared + 6.0 * l1) / (4.0 * mu * mu);
            let linear = 3.0 * l1 / (2.0 * mu);
            let bound = (leading + second.min(linear)) * (1.0 + SLACK);
            // No variance gives infinities or NaN; neither may pass for a small number.
            *value = if bound.is_finite() { bound } else { f64::INFINITY };
        }
        curve
    }

    /// This and `other` released, in any order and chosen adaptively (Mironov, "Renyi Differential Privacy", 2017, adaptive composition).
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (value, more) in sum.values.iter_mut().zip(other.values) {
            if more > 0.0 {
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

    /// The bound at one of [`ORDERS`]; `None` at others.
    pub fn at(&self, order: u32) -> Option<f64> {
        ORDERS
            .iter()
            .position(|&known| known == order)
            .map(|index| self.values[index])
    }

    /// The bound at the order with this index in [`ORDERS`].
    pub(crate) fn at_index(&self, index: usize) -> f64 {
        self.values[index]
    }

    /// The smallest epsilon over all orders at `delta`, rounded up to a multiple of 10^-6:
    ///
    /// epsilon = min over a of r(a) + ln(1 - 1/a) - (ln delta + ln a) / (a - 1), not below 0.
    ///
    /// For releases whose parameters did not depend on earlier results; where they may, a [`crate::BudgetFilter`] decides.
    /// Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (2020), Proposition 12.
    ///
    /// # Errors
    /// [`AccountError::Delta`], [`AccountError::Unbounded`].
    pub fn epsilon(&self, delta: Decimal) -> Result<Decimal, AccountError> {
        let value = check_delta(delta)?;
        self.epsilon_at(value)
    }

    /// The smallest epsilon for a stated `delta` that also covers the sampler: the curve is read at `delta` (1 - 1/1024), and
    /// the distance of `draws` noise values from the true law must take no more than the remaining 1/1024.
    ///
    /// # Errors
    /// As [`RdpCurve::epsilon`], and [`AccountError::SamplerError`].
    pub fn epsilon_with_sampler(&self, delta: Decimal, draws: u128) -> Result<Decimal, AccountError> {
        let value = check_delta(delta)?;
        let (rdp_part, sampler_part) = delta_for_rdp(value);
        let epsilon = self.epsilon_at(rdp_part)?;
        if super::sampler_delta(epsilon.to_f64(), draws) > sampler_part {
            return Err(AccountError::SamplerError);
        }
        Ok(epsilon)
    }

    fn epsilon_at(&self, delta: f64) -> Result<Decimal, AccountError> {
        let mut best = f64::INFINITY;
        for (value, order) in self.values.iter().zip(ORDERS) {
            let (terms, magnitude) = log_terms(order, delta);
            best = best.min(value + terms + SLACK * (value + magnitude));
        }
        let micros = (best.max(0.0) * 1e6).ceil();
        // Far above any meaningful epsilon and below the limit of a Decimal.
        if micros < 1e15 {
            Decimal::from_micros(micros as u64).map_err(|_| AccountError::Unbounded)
        } else {
            Err(AccountError::Unbounded)
        }
    }
}

/// ln(1 - 1/a) - (ln delta + ln a) / (a - 1), which turns a Renyi bound at order a into an epsilon, and the sum of the
/// magnitudes in it.
pub(crate) fn log_terms(order: u32, delta: f64) -> (f64, f64) {
    let order = f64::from(order);
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
    let value = delta.to_f64();
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(AccountError::Delta(delta))
    }
}
