//! What everybody knows about the sampling of records.

use crate::decimal::Decimal;

/// Why terms make no record unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordTermsError {
    /// A sampling probability must be above 0 and at most 1.
    #[error("a sampling probability of {0} is not above 0 and at most 1")]
    Sampling(Decimal),
    /// The number of records that headroom counts is 0 or above [`RecordTerms::MAX_LARGEST`].
    #[error("{0} records per client and round is outside 1..={max}", max = RecordTerms::MAX_LARGEST)]
    Largest(u32),
    /// The divisor of a sum is 0.
    #[error("the sum of a round cannot be divided by 0 expected records")]
    Expected,
}

/// The public terms of the record unit, as the manifest states them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordTerms {
    sampling: Decimal,
    largest: u32,
    expected: u32,
}

impl RecordTerms {
    /// Most records of one client that headroom can count.
    pub const MAX_LARGEST: u32 = 65_536;

    /// q = `sampling`, the probability with which each record takes part in a round; `largest`, the records of one client that headroom
    /// counts; `expected`, the number that the sum of a whole cohort is divided by.
    ///
    /// # Errors
    /// [`RecordTermsError`], one variant per term.
    pub fn new(sampling: Decimal, largest: u32, expected: u32) -> Result<Self, RecordTermsError> {
        if sampling.is_zero() || sampling > Decimal::ONE {
            return Err(RecordTermsError::Sampling(sampling));
        }
        if largest == 0 || largest > Self::MAX_LARGEST {
            return Err(RecordTermsError::Largest(largest));
        }
        if expected == 0 {
            return Err(RecordTermsError::Expected);
        }
        Ok(Self {
            sampling,
            largest,
            expected,
        })
    }

    /// q.
    pub fn sampling(&self) -> Decimal {
        self.sampling
    }

    /// R: as many records per client and round fit the ring, whatever they hold.
    pub fn largest(&self) -> u32 {
        self.largest
    }

    /// E: what the sum of a whole cohort is divided by, about q times all records.
    pub fn expected(&self) -> u32 {
        self.expected
    }

    /// What the sum of `survivors` of `cohort` clients is divided by: E x survivors / cohort, all of it public.
    pub fn divisor(&self, survivors: u32, cohort: u32) -> f64 {
        f64::from(self.expected) * f64::from(survivors) / f64::from(cohort.max(1))
    }
}
