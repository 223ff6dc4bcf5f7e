//! The least noise that meets a target, by each accountant.

use super::domain::{OutsideProof, check_delta};
use super::gaussian::{GaussianPrivacy, bisect};
use super::orders::FineOrders;
use super::pld::LossDistribution;
use super::schedule::{GaussianRounds, GaussianSchedule, Sampling};
use crate::sensitivity::Adjacency;

/// How epsilon is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accountant {
    /// Renyi curves at [`FineOrders`].
    Renyi,
    /// A privacy loss distribution on a lattice.
    LossDistribution {
        /// The lattice step, in nats.
        step: f64,
    },
    /// The closed form of Gaussian noise without sampling.
    Exact,
}

/// Largest noise multiplier that is tried.
const LARGEST: f64 = 1e6;
/// Smallest.
const SMALLEST: f64 = 1e-2;
/// A loss distribution takes tens of milliseconds; the noise it finds is within this of the least.
const RELATIVE: f64 = 1e-5;

/// An upper bound on the epsilon of a schedule at `delta`.
///
/// # Errors
/// [`OutsideProof`], one variant per cause.
pub fn epsilon(schedule: &GaussianSchedule, accountant: Accountant, delta: f64) -> Result<f64, OutsideProof> {
    match accountant {
        Accountant::Renyi => schedule.curve::<FineOrders>().epsilon_bound(delta),
        Accountant::LossDistribution { step } => Ok(LossDistribution::gaussian(schedule, step, delta)?
            .epsilon(delta)?
            .upper),
        Accountant::Exact => match (schedule.unsampled(), schedule.sampled().next()) {
            (Some(privacy), None) => privacy.epsilon(delta),
            _ => Err(OutsideProof::NoClosedForm),
        },
    }
}

/// The smallest noise multiplier with which `count` rounds of Gaussian noise are (`epsilon`, `delta`), rounded up: to the last digits by Renyi
/// curves and the closed form, to 10^-5 of it by loss distributions. What is returned has itself been checked to meet the target.
///
/// # Errors
/// [`OutsideProof`], one variant per cause; [`OutsideProof::Unreachable`] if 10^6 is not enough.
pub fn gaussian(
    accountant: Accountant,
    target: f64,
    delta: f64,
    sampling: Sampling,
    count: u64,
    adjacency: Adjacency,
) -> Result<f64, OutsideProof> {
    check_delta(delta)?;
    if !(target > 0.0 && target.is_finite()) {
        return Err(OutsideProof::Epsilon(target));
    }
    let schedule = |noise_multiplier: f64| {
        let rounds = GaussianRounds {
            noise_multiplier,
            sampling,
            count,
        };
        GaussianSchedule::new(vec![rounds], adjacency)
    };
    if schedule(1.0)?.sampled().next().is_none() && accountant == Accountant::Exact {
        return GaussianPrivacy::noise_multiplier(target, delta, count);
    }
    let spent = |noise_multiplier: f64| epsilon(&schedule(noise_multiplier)?, accountant, delta);
    search(accountant, target, delta, spent)
}

/// The smallest noise multiplier for which `spent`, which falls with noise, is at most `target`.
pub(super) fn search(
    accountant: Accountant,
    target: f64,
    delta: f64,
    spent: impl Fn(f64) -> Result<f64, OutsideProof>,
) -> Result<f64, OutsideProof> {
    check_delta(delta)?;
    if !(target > 0.0 && target.is_finite()) {
        return Err(OutsideProof::Epsilon(target));
    }
    if let Accountant::LossDistribution { .. } = accountant {
        return by_loss_distribution(target, spent);
    }
    if spent(LARGEST)? > target {
        return Err(OutsideProof::Unreachable);
    }
    Ok(bisect(SMALLEST, LARGEST, |z| {
        spent(z).is_ok_and(|epsilon| epsilon <= target)
    }))
}

/// Brackets in steps of a factor, then narrows by interpolation between the logarithms; epsilon falls with noise nearly like a power of it.
fn by_loss_distribution(
    target: f64,
    spent: impl Fn(f64) -> Result<f64, OutsideProof>,
) -> Result<f64, OutsideProof> {
    // Too little noise is too wide to tabulate: as good as an infinite epsilon.
    let cost = |z: f64| match spent(z) {
        Err(OutsideProof::TooWide) => Ok(f64::INFINITY),
        other => other,
    };
    let mut high = 1.0;
    let mut at_high = cost(high)?;
    let (mut low, mut at_low) = (high, at_high);
    while at_high > target {
        (low, at_low) = (high, at_high);
        high *= 2.0;
        if high > LARGEST {
            return Err(OutsideProof::Unreachable);
        }
        at_high = cost(high)?;
    }
    while at_low <= target {
        (high, at_high) = (low, at_low);
        low /= 2.0;
        if low < SMALLEST {
            return Ok(high);
        }
        at_low = cost(low)?;
    }
    while high > low * (1.0 + RELATIVE) {
        let width = (high / low).ln();
        let part = (at_low / target).ln() / (at_low / at_high).ln();
        // Away from both ends, so that each step shortens the bracket.
        let part = if part.is_finite() {
            part.clamp(0.1, 0.9)
        } else {
            0.5
        };
        // The smaller side is where the answer is expected: aim a little past it.
        let part = if part < 0.5 {
            part * 1.2
        } else {
            1.0 - (1.0 - part) * 1.2
        };
        let middle = low * (width * part).exp();
        let at = cost(middle)?;
        if at <= target {
            (high, at_high) = (middle, at);
        } else {
            (low, at_low) = (middle, at);
        }
    }
    Ok(high)
}
