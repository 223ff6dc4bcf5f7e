//! The unit of privacy that a manifest states.

use tacita_privacy::{Decimal, RecordTerms};

use super::{Manifest, text};
use crate::refusal::Refusal;

impl Manifest {
    /// TAC-014: the terms of the record unit, which alone may claim a sampling: whom the server invites it picks itself.
    pub(super) fn check_unit(&self) -> Result<Option<RecordTerms>, Refusal> {
        let (sampling, largest, expected) = (
            self.sampling.as_slice(),
            self.largest_records,
            self.expected_records,
        );
        match self.unit {
            0 if sampling.is_empty() && (largest, expected) == (0, 0) => Ok(None),
            0 => Err(Refusal::Unit("sampling of clients is carried out by nobody")),
            1 if self.weighting != 0 => Err(Refusal::Unit("records have no weights")),
            // What travels beside an update is bounded for a whole client, not for one of its records.
            1 if !(self.metrics.as_slice().is_empty() && self.adaptive_clip.as_slice().is_empty()) => {
                Err(Refusal::Unit("nothing travels beside sums of records"))
            }
            1 => text(sampling)
                .and_then(|sampling| Decimal::from_canonical(sampling).ok())
                .and_then(|sampling| RecordTerms::new(sampling, largest, expected).ok())
                .map(Some)
                .ok_or(Refusal::Unit("sampling, largest or expected records")),
            _ => Err(Refusal::Unit("unknown")),
        }
    }
}
