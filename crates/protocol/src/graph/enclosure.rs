//! Non-negative reals enclosed by two integers over a common power of two.

use num_bigint::BigUint;
use num_traits::{One, Zero};

/// low / 2^f <= x <= high / 2^f, with the scale f kept by the owner. Every operation rounds outwards.
#[derive(Clone, Debug)]
pub(super) struct Enclosure {
    low: BigUint,
    high: BigUint,
}

impl Enclosure {
    pub(super) fn zero() -> Self {
        Self {
            low: BigUint::zero(),
            high: BigUint::zero(),
        }
    }

    /// One, at scale `f`.
    pub(super) fn one(f: u64) -> Self {
        let one = BigUint::one() << f;
        Self {
            low: one.clone(),
            high: one,
        }
    }

    /// Multiplies by `numerator / denominator`; the denominator is positive.
    pub(super) fn scale(&mut self, numerator: u64, denominator: u64) {
        self.low *= numerator;
        self.low /= denominator;
        self.high *= numerator;
        self.high += denominator - 1;
        self.high /= denominator;
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.low += &other.low;
        self.high += &other.high;
    }

    /// Subtracts a number known to be no larger.
    pub(super) fn subtract(&mut self, other: &Self) {
        if self.low > other.high {
            self.low -= &other.high;
        } else {
            self.low.set_zero();
        }
        if self.high > other.low {
            self.high -= &other.low;
        } else {
            self.high.set_zero();
        }
    }

    /// Whether the number is at most `bound` at the same scale; `None` if the enclosure does not tell.
    pub(super) fn at_most(&self, bound: &BigUint) -> Option<bool> {
        if self.high <= *bound {
            Some(true)
        } else if self.low > *bound {
            Some(false)
        } else {
            None
        }
    }
}
