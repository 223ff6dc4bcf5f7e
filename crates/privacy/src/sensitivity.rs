//! How far one client can move the sum: from (clip, weight and metric bounds, adjacency) to L2 and L1 sensitivities, here
//! and nowhere else.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::decimal::{Decimal, DecimalError};

/// Whose data a guarantee is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrivacyUnit {
    /// Everything that one client contributes; the relation is [`Adjacency::ZeroOut`].
    Client,
    /// One record of one client; the relation is [`Adjacency::AddRemove`].
    Record,
}

impl PrivacyUnit {
    /// The relation that goes with it.
    pub fn adjacency(self) -> Adjacency {
        match self {
            Self::Client => Adjacency::ZeroOut,
            Self::Record => Adjacency::AddRemove,
        }
    }
}

impl fmt::Display for PrivacyUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Record => "record",
        })
    }
}

/// Which inputs are neighbours. A sensitivity, and hence a noise multiplier, means nothing without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adjacency {
    /// The vector of one contributor is replaced by zero; everybody and all noise stays. The relation under secure
    /// aggregation, where the number of contributors is public.
    ZeroOut,
    /// One contributor is there or not. Numbers of additive noise equal those of zero-out, provided that the count is not
    /// published and the noise does not leave with the contributor.
    AddRemove,
    /// The vector of one contributor is replaced by another vector within the bounds.
    ReplaceOne,
}

impl Adjacency {
    /// Largest distance between two neighbouring sums in units of the largest norm of a contribution: 1, or 2 for
    /// replace-one.
    pub fn norms(self) -> u32 {
        match self {
            Self::ZeroOut | Self::AddRemove => 1,
            Self::ReplaceOne => 2,
        }
    }
}

impl fmt::Display for Adjacency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroOut => "zero-out",
            Self::AddRemove => "add-remove",
            Self::ReplaceOne => "replace-one",
        })
    }
}

/// Bounds on what one contributor puts into the sum: the vector (w x delta, a x w, b x metrics, bit of the clip norm), in model
/// units. All public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContributionBound {
    /// Norm to which the update is clipped.
    pub clip: Decimal,
    /// a, the coordinate of a contributor of full weight; zero without weighting.
    pub weight: Decimal,
    /// b, a bound on the norm of all metric coordinates together; zero without metrics.
    pub metrics: Decimal,
    /// The coordinate that says, by its sign, whether the update was within the clip norm; zero without it.
    pub count: Decimal,
}

impl ContributionBound {
    /// Only a clipped update.
    pub fn clip(clip: Decimal) -> Self {
        Self {
            clip,
            weight: Decimal::ZERO,
            metrics: Decimal::ZERO,
            count: Decimal::ZERO,
        }
    }

    /// The joint norm sqrt(clip^2 + a^2 + b^2 + count^2), rounded up to nine places.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`].
    pub fn norm(&self) -> Result<Decimal, DecimalError> {
        Decimal::norm_up(&[self.clip, self.weight, self.metrics, self.count])
    }

    /// The L2 sensitivity of the sum in model units, before rounding to integers; rounded up.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`].
    pub fn sensitivity(&self, adjacency: Adjacency) -> Result<f64, DecimalError> {
        // A decimal is within two units in the last place of its value.
        let norm = self.norm()?.to_f64().next_up().next_up();
        Ok(norm * f64::from(adjacency.norms()))
    }
}

/// Sensitivities of one rounded vector under zero-out adjacency for any scale and rounding bias, in `f64`: the planner's
/// side of [`IntegerSensitivity`], which is what an encoder enforces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundedSensitivity {
    /// Delta2, in integer steps.
    pub l2: f64,
    /// Delta1 = Delta2 min(sqrt d, Delta2).
    pub l1: f64,
}

impl RoundedSensitivity {
    /// For norm at most `norm` = s c in integer steps, over `padded` = d coordinates, with rounding bias beta, 0 for unconditional rounding:
    ///
    /// Delta2^2 = min((s c + sqrt d)^2, (s c)^2 + d/4 + sqrt(2 ln(1/beta)) (s c + sqrt(d)/2)).
    ///
    /// `None` unless the norm is positive and finite and 0 <= beta < 1. Source: as for [`IntegerSensitivity::after_rounding`].
    pub fn new(norm: f64, padded: u32, beta: f64) -> Option<Self> {
        if !(norm > 0.0 && norm.is_finite() && (0.0..1.0).contains(&beta)) {
            return None;
        }
        let d = f64::from(padded);
        let unconditional = (norm + d.sqrt()).powi(2);
        let conditional = norm * norm + d / 4.0 + (-2.0 * beta.ln()).sqrt() * (norm + d.sqrt() / 2.0);
        let l2 = unconditional.min(conditional).sqrt();
        Some(Self {
            l2,
            l1: l2 * d.sqrt().min(l2),
        })
    }
}

/// Sensitivities of one conditionally rounded vector under zero-out adjacency (its vector replaced by zero).
///
/// They hold because the encoder accepts a rounding only if its integer sum of squares is at most `squared_l2`; no
/// probability and no float enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerSensitivity {
    /// B2, the largest admitted sum of squares.
    pub squared_l2: u128,
    /// A bound on the sum of magnitudes.
    pub l1: u128,
}

impl IntegerSensitivity {
    /// For a vector scaled to norm at most `grid` = S, over `padded` = d coordinates, rounding bias
    /// beta = exp(-1/2):
    ///
    /// B2 = floor(min((S + sqrt d)^2, S^2 + d/4 + S + sqrt(d)/2)) and Delta1 = ceil(min(sqrt(d B2), B2)).
    ///
    /// Source: Kairouz, Liu, Steinke, "The Distributed Discrete Gaussian Mechanism" (2021), conditional randomised rounding,
    /// with sqrt(2 ln(1/beta)) = 1. The L1 bound is Cauchy-Schwarz, and |x| <= x^2 on integers.
    pub fn after_rounding(grid: u32, padded: u32) -> Self {
        let (s, d) = (u128::from(grid), u128::from(padded));
        // Each irrational part is floored once: floor(integer + x) = integer + floor(x), and floor(y/4) = floor(floor(y)/4).
        let unconditional = s * s + d + (4 * s * s * d).isqrt();
        let conditional = s * s + s + (d + (4 * d).isqrt()) / 4;
        Self::from_squared_l2(unconditional.min(conditional), padded)
    }

    /// With a given bound on the sum of squares over `padded` coordinates.
    pub fn from_squared_l2(squared_l2: u128, padded: u32) -> Self {
        let product = squared_l2.saturating_mul(u128::from(padded));
        let root = product.isqrt();
        let ceiling = if root.saturating_mul(root) < product {
            root.saturating_add(1)
        } else {
            root
        };
        Self {
            squared_l2,
            l1: ceiling.min(squared_l2),
        }
    }

    /// The same under another adjacency: replacing one vector by another moves the sum by at most twice the norms.
    #[must_use]
    pub fn under(self, adjacency: Adjacency) -> Self {
        let factor = u128::from(adjacency.norms());
        Self {
            squared_l2: self.squared_l2.saturating_mul(factor * factor),
            l1: self.l1.saturating_mul(factor),
        }
    }

    /// floor(sqrt(B2)): no coordinate of an admitted vector is larger in magnitude.
    pub fn largest_coordinate(&self) -> u128 {
        self.squared_l2.isqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: replace-one is charged like zero-out, which halves the true cost, or a joint bound leaves a part out.
    #[test]
    fn sensitivity_follows_adjacency_and_every_bound() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        let bound = ContributionBound {
            clip: d("1"),
            weight: d("4"),
            metrics: d("4"),
            count: d("4"),
        };
        assert_eq!(bound.norm().unwrap(), d("7"));
        assert!((bound.sensitivity(Adjacency::ZeroOut).unwrap() - 7.0).abs() < 1e-14);
        assert!(bound.sensitivity(Adjacency::AddRemove).unwrap() >= 7.0);
        assert!(bound.sensitivity(Adjacency::ReplaceOne).unwrap() >= 14.0);
        assert_eq!(ContributionBound::clip(d("1.5")).norm().unwrap(), d("1.5"));
        let one = IntegerSensitivity::from_squared_l2(9, 1 << 20);
        assert_eq!(one.under(Adjacency::ZeroOut), one);
        let two = one.under(Adjacency::ReplaceOne);
        assert_eq!((two.squared_l2, two.l1), (36, 18));
        assert_eq!(
            serde_json::to_string(&Adjacency::ReplaceOne).unwrap(),
            "\"replace-one\""
        );
    }

    /// Failure: the planner's bound falls below what the encoder admits, so that noise is planned for too little.
    #[test]
    fn planned_and_enforced_bounds_agree() {
        for (grid, padded) in [(100u32, 1024u32), (1000, 65_536), (64, 8192), (7, 3)] {
            let real = RoundedSensitivity::new(f64::from(grid), padded, (-0.5f64).exp()).unwrap();
            let exact = IntegerSensitivity::after_rounding(grid, padded);
            assert!((exact.squared_l2 as f64) <= real.l2.powi(2) * (1.0 + 1e-12));
            assert!((exact.squared_l2 as f64) > real.l2.powi(2) * (1.0 - 1e-12) - 1.0);
        }
        assert_eq!(RoundedSensitivity::new(37.0, 4096, 0.0).unwrap().l2, 101.0);
        assert!(
            RoundedSensitivity::new(1.0, 1, 1.0).is_none() && RoundedSensitivity::new(0.0, 1, 0.5).is_none()
        );
    }

    #[test]
    fn known_values() {
        // 100^2 + 1024/4 + 100 + 32/2.
        assert_eq!(
            IntegerSensitivity::after_rounding(100, 1024),
            IntegerSensitivity {
                squared_l2: 10_372,
                l1: 3_259
            }
        );
        // d = 2: 10^2 + 10 + floor(2/4 + sqrt(2)/2) = 110 + floor(1.207) = 111.
        assert_eq!(IntegerSensitivity::after_rounding(10, 2).squared_l2, 111);
        // The squared bound is the smaller one for short vectors in high dimension.
        assert_eq!(IntegerSensitivity::from_squared_l2(9, 1 << 20).l1, 9);
    }

    #[test]
    fn never_above_the_real_formula_and_at_most_one_below() {
        for grid in [1u32, 2, 3, 7, 64, 1000, 1 << 16, 1 << 24] {
            let powers = (0..=28).map(|log_d| 1u32 << log_d);
            for d in powers.chain([3, 650, 1088, 81_920, 1_015_808]) {
                let (s, padded) = (f64::from(grid), d);
                let d = f64::from(padded);
                let real = (s + d.sqrt()).powi(2).min(s * s + d / 4.0 + s + d.sqrt() / 2.0);
                let exact = IntegerSensitivity::after_rounding(grid, padded).squared_l2 as f64;
                assert!(
                    exact <= real * (1.0 + 1e-12) && exact > real * (1.0 - 1e-12) - 1.0,
                    "{grid} {padded}"
                );
            }
        }
    }
}
