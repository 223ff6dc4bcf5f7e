//! Scale and ring bits by the rule of k standard deviations: what a planner expects, where [`crate::Headroom`] proves.

use core::f64::consts::FRAC_1_SQRT_2;

/// What the integer sum of a round looks like in one coordinate, in the worst case of aligned updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DynamicRange {
    /// n, vectors in the sum; at least 1.
    pub clients: u32,
    /// c, the clip norm in model units; positive.
    pub clip: f64,
    /// d, coordinates after padding; at least 1.
    pub padded: u32,
    /// Standard deviation of one share of noise, in model units.
    pub local_std: f64,
    /// f, how much larger the variance of a coordinate may be than that of a perfectly flat vector; 1 after a Hadamard rotation with random
    /// signs.
    pub flatness: f64,
    /// k, standard deviations that must fit on each side; positive.
    pub deviations: f64,
}

impl DynamicRange {
    /// f c^2 n^2 / d + n sigma^2: variance of a coordinate of the sum in squared model units, rounding aside.
    fn variance(&self) -> f64 {
        let n = f64::from(self.clients);
        let aligned = self.flatness * (self.clip * n).powi(2) / f64::from(self.padded);
        aligned + n * self.local_std * self.local_std
    }

    /// s = sqrt(4^b - n k^2) / (2 k sqrt(f c^2 n^2 / d + n sigma^2)), the finest scale (integer steps per model unit) at which k deviations fit `bits`
    /// bits. `None` if not even the rounding does.
    pub fn scale(&self, bits: u8) -> Option<f64> {
        let room = 4f64.powi(i32::from(bits)) - f64::from(self.clients) * self.deviations.powi(2);
        let scale = room.sqrt() / (2.0 * self.deviations * self.variance().sqrt());
        (room > 0.0 && scale.is_finite()).then_some(scale)
    }

    /// A = sqrt(s^2 (f c^2 n^2 / d + n sigma^2) + n / 4): standard deviation of a coordinate of the integer sum at scale s.
    pub fn aggregate_std(&self, scale: f64) -> f64 {
        (scale * scale * self.variance() + f64::from(self.clients) / 4.0).sqrt()
    }

    /// ceil(log2(2 k A)), the bits that k deviations need at scale s.
    pub fn bits(&self, scale: f64) -> f64 {
        (2.0 * self.deviations * self.aggregate_std(scale)).log2().ceil()
    }

    /// erfc(k / sqrt 2): how often one coordinate wraps if it is normal. An estimate.
    pub fn wrap_estimate(&self) -> f64 {
        libm::erfc(self.deviations * FRAC_1_SQRT_2)
    }

    /// 2 exp(-k^2 / 2), at most 1: a bound on the same for sub-Gaussian sums. Skellam tails are not sub-Gaussian: for those only
    /// [`crate::Headroom`] is a proof.
    pub fn wrap_bound_subgaussian(&self) -> f64 {
        (2.0 * (-0.5 * self.deviations * self.deviations).exp()).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: scale and bits are not each other's inverse, so that a plan wraps far more often than it says.
    #[test]
    fn scale_and_bits_are_inverse() {
        let range = DynamicRange {
            clients: 100,
            clip: 1.0,
            padded: 16_384,
            local_std: 0.1,
            flatness: 1.0,
            deviations: 4.0,
        };
        let scale = range.scale(16).unwrap();
        assert!((range.aggregate_std(scale) * 8.0 / 65_536.0 - 1.0).abs() < 1e-12);
        assert_eq!(
            (range.bits(scale * 0.999), range.bits(scale * 1.001)),
            (16.0, 17.0)
        );
        // 4^5 < 100 x 16.
        assert_eq!(range.scale(5), None);
        assert!(range.wrap_estimate() < range.wrap_bound_subgaussian());
    }
}
