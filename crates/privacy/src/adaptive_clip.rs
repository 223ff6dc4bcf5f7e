//! How the noise of a round is split between the update and the count of clients below the clip norm.

/// The count is a sum of bits centred to +-1/2, of sensitivity 1/2, with noise of standard deviation `count_std`; the values have noise
/// multiplier `value`. Releasing both is as private as one Gaussian release of multiplier z with z^-2 = value^-2 + (2 count_std)^-2.
///
/// Source: Andrew, Thakkar, McMahan, Ramaswamy, "Differentially Private Learning with Adaptive Clipping" (2021), Theorem 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNoiseSplit {
    value: f64,
    count_std: f64,
}

impl ClipNoiseSplit {
    /// Splits a total noise multiplier z: the values get (z^-2 - (2 count_std)^-2)^(-1/2), which is more than z. `None` unless both are positive
    /// and z < 2 `count_std`: else the count alone costs as much as the whole release may.
    pub fn of_total(total: f64, count_std: f64) -> Option<Self> {
        let proper = total > 0.0 && count_std.is_finite() && total < 2.0 * count_std;
        proper.then(|| Self {
            value: (total.powi(-2) - (2.0 * count_std).powi(-2)).powf(-0.5),
            count_std,
        })
    }

    /// n / 20, the standard deviation of the count that is usual for n expected clients.
    pub fn usual_count_std(clients: u32) -> f64 {
        f64::from(clients) / 20.0
    }

    /// Noise multiplier of the values.
    pub fn value_noise_multiplier(&self) -> f64 {
        self.value
    }

    /// Noise multiplier of both releases together.
    pub fn total_noise_multiplier(&self) -> f64 {
        (self.value.powi(-2) + (2.0 * self.count_std).powi(-2)).powf(-0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::ClipNoiseSplit;

    /// Failure: the count is released for nothing, or with sensitivity 1 in place of 1/2.
    #[test]
    fn the_count_takes_its_part() {
        let split = ClipNoiseSplit::of_total(1.0, ClipNoiseSplit::usual_count_std(100)).unwrap();
        assert!((split.value_noise_multiplier() - 0.99f64.powf(-0.5)).abs() < 1e-15);
        assert!((split.total_noise_multiplier() - 1.0).abs() < 1e-15);
        assert!(
            ClipNoiseSplit::of_total(10.0, 5.0).is_none() && ClipNoiseSplit::of_total(0.0, 5.0).is_none()
        );
    }
}
