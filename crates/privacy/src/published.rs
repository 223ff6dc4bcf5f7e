//! What a round publishes besides the mean: federated metrics and the share of updates within the clip norm, from noised coordinates only.

use tacita_algebra::RingVector;

use crate::decimal::Decimal;
use crate::decode::{DecodeError, tail};
use crate::encoding::Encoding;
use crate::joint::JointTerms;

/// A noisy figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The true figure plus noise of mean zero: it may lie outside the range of the true one.
    pub value: f64,
    /// Standard deviation of that noise and of the rounding.
    pub error: f64,
}

/// The noisy figures of one round, as means over its contributors, who count alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// Loss of the model that the round started from, each contributor's capped.
    pub loss: Option<Figure>,
    /// Its accuracy, or another score in [0, 1].
    pub score: Option<Figure>,
    /// Share of updates within the clip norm.
    pub within_clip: Option<Figure>,
}

impl Published {
    /// Reads the extra coordinates of the sum of `contributors` vectors, in which noise of variance `noise_variance_q16` / 2^16 squared grid steps
    /// is left per coordinate.
    ///
    /// A contributor adds size x (2 f - 1) for a figure f in [0, 1], so the mean is (sum / (size k) + 1) / 2, with standard error
    /// (C / S) sqrt(V / 2^16 + k / 4) / (2 size k): a rounding adds at most 1/4 per contributor and coordinate.
    ///
    /// # Errors
    /// [`DecodeError::Shape`], [`DecodeError::NoContributors`].
    pub fn from_sum(
        sum: &RingVector,
        encoding: &Encoding,
        terms: &JointTerms,
        contributors: u32,
        noise_variance_q16: u128,
    ) -> Result<Self, DecodeError> {
        if contributors == 0 {
            return Err(DecodeError::NoContributors);
        }
        let extra = tail(sum, encoding, terms.extra())?;
        let mut values = extra.iter().skip(usize::from(terms.weighting().is_some()));
        let k = f64::from(contributors);
        let steps = encoding.steps_per_unit();
        let mut figure = |size: f64, unit: f64| {
            values.next().map(|value| Figure {
                value: unit * (value / (size * k) + 1.0) / 2.0,
                error: unit * figure_error(size * steps, contributors, noise_variance_q16),
            })
        };
        let size = terms.figure_size();
        let loss = terms
            .metrics()
            .and_then(|metrics| figure(size, metrics.loss_cap.to_f64()));
        let score = terms.metrics().and_then(|_| figure(size, 1.0));
        let count = terms.bound().count.to_f64();
        let within_clip = terms.count_scale().and_then(|_| figure(count, 1.0));
        Ok(Self {
            loss,
            score,
            within_clip,
        })
    }

    /// The share of updates within the clip norm as it is published and as [`crate::ClipRule::next`] takes it: moved into [0, 1],
    /// in millionths. `None` if the round has no such coordinate.
    pub fn share(&self) -> Option<Decimal> {
        let value = self.within_clip?.value;
        let value = if value.is_nan() {
            0.0
        } else {
            value.clamp(0.0, 1.0)
        };
        Decimal::from_micros((value * 1e6).round() as u64).ok()
    }
}

/// Standard error of the mean of figures in [0, 1] over so many contributors, each of whom adds +-`size` grid steps: sqrt(V / 2^16 + k / 4) / (2 size k).
pub fn figure_error(size: f64, contributors: u32, noise_variance_q16: u128) -> f64 {
    let k = f64::from(contributors);
    (noise_variance_q16 as f64 / 65_536.0 + k / 4.0).sqrt() / (2.0 * size * k)
}
