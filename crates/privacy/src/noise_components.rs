//! The noise components of XNoise in real numbers: one for every possible drop-out, as its paper states them. Rounds use the few public
//! integer levels of [`crate::NoiseLevels`] instead.

/// A base share and one removable component for each tolerated drop-out.
///
/// With target variance V in the sum of n sampled clients and at most D drop-outs: base V / n, component j = 1..D of variance
/// V / ((n - j + 1) (n - j)). After r <= D drop-outs the components j > r of every survivor are removed, and the n - r survivors keep V
/// between them: base and first r components sum to V / (n - r).
///
/// Source: Jiang, Wang, Chen, "Dordis: Efficient Federated Learning with Dropout-Resilient Differential Privacy" (2024), section 4.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseComponents {
    sampled: u32,
    max_dropout: u32,
    target_variance: f64,
}

impl NoiseComponents {
    /// `None` unless 0 <= D < n and the variance is positive and finite.
    pub fn new(sampled: u32, max_dropout: u32, target_variance: f64) -> Option<Self> {
        let proper = max_dropout < sampled && target_variance > 0.0 && target_variance.is_finite();
        proper.then_some(Self {
            sampled,
            max_dropout,
            target_variance,
        })
    }

    /// V / n.
    pub fn base(&self) -> f64 {
        self.target_variance / f64::from(self.sampled)
    }

    /// The variance of component `index`, from 1 to D; `None` for others.
    pub fn component(&self, index: u32) -> Option<f64> {
        let left = f64::from(self.sampled.checked_sub(index)?);
        (1..=self.max_dropout)
            .contains(&index)
            .then(|| self.target_variance / ((left + 1.0) * left))
    }

    /// What one client adds before anything is removed.
    pub fn per_client(&self) -> f64 {
        self.kept(self.max_dropout)
    }

    /// The variance of the whole sum after `dropouts` drop-outs, when the surplus is removed; `None` for more than D.
    pub fn aggregate_after_removal(&self, dropouts: u32) -> Option<f64> {
        (dropouts <= self.max_dropout).then(|| f64::from(self.sampled - dropouts) * self.kept(dropouts))
    }

    fn kept(&self, components: u32) -> f64 {
        let kept = (1..=components).filter_map(|index| self.component(index));
        self.base() + kept.sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::NoiseComponents;

    /// Failure: the sum after removal is not the target, so that drop-outs cost privacy or accuracy.
    #[test]
    fn every_number_of_dropouts_leaves_the_target() {
        let noise = NoiseComponents::new(40, 39, 7.0).unwrap();
        for dropouts in 0..40 {
            assert!((noise.aggregate_after_removal(dropouts).unwrap() / 7.0 - 1.0).abs() < 1e-12);
        }
        assert_eq!(noise.aggregate_after_removal(40), None);
        assert_eq!((noise.component(0), noise.component(40)), (None, None));
        assert!(NoiseComponents::new(5, 5, 1.0).is_none() && NoiseComponents::new(5, 1, 0.0).is_none());
    }
}
