//! What travels beside the update in one jointly clipped, noised vector: weight, metrics, and the bit for the clip norm.
//!
//! The vector is (w x delta, a w, b' (2 l - 1), b' (2 s - 1), +-k), whichever of the extra coordinates a round has, in this order:
//! w the weight, l = min(loss, cap) / cap and s the score, both in [0, 1], b' = b / sqrt 2, and k with the sign of "the update was within the
//! clip norm". Centring the figures halves the norm that they need. The norm of the whole is at most
//! sqrt(clip^2 + a^2 + b^2 + k^2), whatever a client's loss is.

use zeroize::Zeroizing;

use crate::decimal::{Decimal, DecimalError};
use crate::sensitivity::ContributionBound;
use crate::weighting::ExampleWeighting;

/// How a client's figures on the model that it received travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricTerms {
    /// Norm of loss and score together, as a multiple of the update's clip norm. Positive.
    pub scale: Decimal,
    /// A larger loss counts as this. Positive.
    pub loss_cap: Decimal,
}

/// A client's figures on the model that it received. As secret as its update.
#[derive(Clone, Copy, Default)]
pub struct LocalFigures {
    /// Mean loss. What is no number counts as the cap, and so does having none.
    pub loss: Option<f64>,
    /// Accuracy, or another score in [0, 1]; what is outside counts as the nearer end, what is no number as 0, and so does having none.
    pub score: Option<f64>,
}

/// What a client puts beside its update. As secret as its update.
#[derive(Clone, Copy, Default)]
pub struct Alongside {
    /// Examples behind the update.
    pub examples: u64,
    /// Its figures on the model that it received.
    pub figures: LocalFigures,
}

/// Public terms of a vector with extra coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JointTerms {
    update_clip: Decimal,
    weighting: Option<ExampleWeighting>,
    metrics: Option<MetricTerms>,
    count_scale: Option<Decimal>,
    bound: ContributionBound,
    clip: Decimal,
}

impl JointTerms {
    /// For updates clipped to `update_clip`; `count_scale` is the size of the bit's coordinate as a multiple of it, where there is one.
    /// b and k are rounded up to nine places, and so is the joint norm.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`] for norms of 10^9 and more.
    pub fn new(
        update_clip: Decimal,
        weighting: Option<ExampleWeighting>,
        metrics: Option<MetricTerms>,
        count_scale: Option<Decimal>,
    ) -> Result<Self, DecimalError> {
        let multiple = |scale: Option<Decimal>| match scale {
            None => Ok(Decimal::ZERO),
            Some(scale) => scale.times_up(update_clip),
        };
        let bound = ContributionBound {
            clip: update_clip,
            weight: weighting.map_or(Decimal::ZERO, |weighting| weighting.scale),
            metrics: multiple(metrics.map(|metrics| metrics.scale))?,
            count: multiple(count_scale)?,
        };
        Ok(Self {
            update_clip,
            weighting,
            metrics,
            count_scale,
            bound,
            clip: bound.norm()?,
        })
    }

    /// Norm to which the update alone is clipped.
    pub fn update_clip(&self) -> Decimal {
        self.update_clip
    }

    /// Weighting by examples.
    pub fn weighting(&self) -> Option<&ExampleWeighting> {
        self.weighting.as_ref()
    }

    /// Federated metrics.
    pub fn metrics(&self) -> Option<&MetricTerms> {
        self.metrics.as_ref()
    }

    /// Size of the bit's coordinate as a multiple of the clip norm of updates.
    pub fn count_scale(&self) -> Option<Decimal> {
        self.count_scale
    }

    /// The bounds of the parts, in model units.
    pub fn bound(&self) -> &ContributionBound {
        &self.bound
    }

    /// The joint norm, rounded up to nine places: the clip norm of the [`crate::Encoding`].
    pub fn clip(&self) -> Decimal {
        self.clip
    }

    /// Coordinates beside the update: 0 to 4.
    pub fn extra(&self) -> u32 {
        let metrics = if self.metrics.is_some() { 2 } else { 0 };
        u32::from(self.weighting.is_some()) + metrics + u32::from(self.count_scale.is_some())
    }

    /// b / sqrt 2 in model units: what a loss or a score of 1 adds, and one of 0 takes away.
    pub(crate) fn figure_size(&self) -> f64 {
        self.bound.metrics.to_f64() * core::f64::consts::FRAC_1_SQRT_2
    }

    /// w of a client.
    pub(crate) fn weight(&self, own: &Alongside) -> f64 {
        self.weighting
            .map_or(1.0, |weighting| weighting.weight(own.examples))
    }

    /// The extra coordinates of one client, whose update was within the clip norm or not.
    pub(crate) fn coordinates(&self, own: &Alongside, within: bool) -> Zeroizing<Vec<f64>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.extra() as usize));
        if self.weighting.is_some() {
            out.push(self.bound.weight.to_f64() * self.weight(own));
        }
        if let Some(metrics) = &self.metrics {
            let LocalFigures { loss, score } = own.figures;
            let loss = loss.map_or(f64::NAN, |loss| loss / metrics.loss_cap.to_f64());
            for fraction in [fraction(loss, 1.0), fraction(score.unwrap_or(f64::NAN), 0.0)] {
                out.push(self.figure_size() * (2.0 * fraction - 1.0));
            }
        }
        if self.count_scale.is_some() {
            let size = self.bound.count.to_f64();
            out.push(if within { size } else { -size });
        }
        out
    }
}

/// The value in [0, 1] nearest to it, or `worst` for what is no number.
fn fraction(value: f64, worst: f64) -> f64 {
    if value.is_nan() {
        worst
    } else {
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn terms() -> JointTerms {
        let weighting = ExampleWeighting {
            cap: 10,
            scale: d("1"),
        };
        let metrics = MetricTerms {
            scale: d("0.5"),
            loss_cap: d("4"),
        };
        JointTerms::new(d("2"), Some(weighting), Some(metrics), Some(d("0.25"))).unwrap()
    }

    /// Failure: a part is left out of the joint norm, or the extremes of a client exceed it.
    #[test]
    fn the_norm_is_exact_at_the_extremes() {
        let terms = terms();
        // 4 + 1 + 1 + 1/4.
        assert_eq!(terms.clip(), d("2.5"));
        assert_eq!(terms.extra(), 4);
        for (loss, score) in [(0.0, 0.0), (0.0, 1.0), (4.0, 0.0), (4.0, 1.0)] {
            let own = Alongside {
                examples: 10,
                figures: LocalFigures {
                    loss: Some(loss),
                    score: Some(score),
                },
            };
            for within in [true, false] {
                let extra = terms.coordinates(&own, within);
                let square: f64 = extra.iter().map(|x| x * x).sum();
                assert!((square + 4.0 - 6.25).abs() < 1e-12, "{square}");
            }
        }
    }

    /// Failure: a loss that is huge, negative or no number, or a client without examples, enlarges the vector.
    #[test]
    fn no_figure_enlarges_the_vector() {
        let terms = terms();
        let losses = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 3.0];
        for loss in losses.map(Some).into_iter().chain([None]) {
            for score in [None, Some(f64::NAN), Some(-7.0), Some(1e300), Some(0.4)] {
                let own = Alongside {
                    examples: 0,
                    figures: LocalFigures { loss, score },
                };
                let extra = terms.coordinates(&own, false);
                assert_eq!((extra[0], extra[3]), (0.0, -0.5));
                let both = extra[1].hypot(extra[2]);
                assert!(both <= 1.0 + 1e-12, "{loss:?} {score:?}: {both}");
            }
        }
        // What is no number is as bad as can be.
        let extra = terms.coordinates(&Alongside::default(), true);
        assert_eq!((extra[1], extra[2]), (terms.figure_size(), -terms.figure_size()));
    }
}
