//! How far one client can move the integer sum, in exact integers.

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

    /// floor(sqrt(B2)): no coordinate of an admitted vector is larger in magnitude.
    pub fn largest_coordinate(&self) -> u128 {
        self.squared_l2.isqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::IntegerSensitivity;

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
