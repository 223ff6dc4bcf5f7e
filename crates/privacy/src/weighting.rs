//! Weighting by number of examples, inside the same noisy sum.

use crate::decimal::Decimal;

/// Public parameters of weighting by examples.
///
/// A client with e examples has weight w = min(e, `cap`) / `cap` in [0, 1]. Its vector is (w x delta, `scale` x w), delta
/// being its clipped update: one extra coordinate, summed and noised like the others, from which the server learns the
/// noisy sum of weights. [`crate::JointTerms`] has the norm of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExampleWeighting {
    /// W: more examples than this count no more. At least 1.
    pub cap: u32,
    /// a: the extra coordinate of a client of full weight, in model units. Larger means a more exact sum of weights, for a
    /// larger joint norm. Positive.
    pub scale: Decimal,
}

impl ExampleWeighting {
    /// w for a client with that many examples.
    pub(crate) fn weight(&self, examples: u64) -> f64 {
        let cap = self.cap.max(1);
        examples.min(u64::from(cap)) as f64 / f64::from(cap)
    }
}
