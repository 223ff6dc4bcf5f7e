//! Weighting by number of examples, inside the same noisy sum.

use crate::decimal::{Decimal, DecimalError};

/// Public parameters of weighting by examples.
///
/// A client with e examples has weight w = min(e, `cap`) / `cap` in [0, 1]. Its vector is (w x delta, `scale` x w), delta
/// being its update clipped to norm `update_clip`: one extra coordinate, summed and noised like the others, from which the
/// server learns the noisy sum of weights. The whole vector has norm at most sqrt(`update_clip`^2 + `scale`^2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExampleWeighting {
    /// W: more examples than this count no more. At least 1.
    pub cap: u32,
    /// a: the extra coordinate of a client of full weight, in model units. Larger means a more exact sum of weights, for a
    /// larger joint norm. Positive.
    pub scale: Decimal,
    /// Norm to which the update alone is clipped, in model units. Positive.
    pub update_clip: Decimal,
}

impl ExampleWeighting {
    /// The joint norm bound, rounded up to nine places: the clip norm to give the [`crate::Encoding`].
    ///
    /// # Errors
    /// [`DecimalError::TooLong`] for norms of 10^9 and more.
    pub fn joint_clip(&self) -> Result<Decimal, DecimalError> {
        self.update_clip.hypot_up(self.scale)
    }

    /// w for a client with that many examples.
    pub(crate) fn weight(&self, examples: u64) -> f64 {
        let cap = self.cap.max(1);
        examples.min(u64::from(cap)) as f64 / f64::from(cap)
    }
}
