//! What was charged, added up.

use crate::account::{RdpCurve, Release};

/// Charges added up as they come, so that one more costs the same however many there were. The last release is kept apart with its count:
/// equal releases in a row are multiplied, with fewer roundings than an addition each.
#[derive(Debug)]
pub(super) struct Sum {
    settled: RdpCurve,
    last: Option<(Release, RdpCurve, u64)>,
    draws: u128,
}

impl Sum {
    pub(super) fn nothing() -> Self {
        Self {
            settled: RdpCurve::zero(),
            last: None,
            draws: 0,
        }
    }

    pub(super) fn add(&mut self, release: Release, count: u64) {
        let draws = release.draws().saturating_mul(u128::from(count));
        self.draws = self.draws.saturating_add(draws);
        match &mut self.last {
            Some((known, _, times)) if *known == release => *times = times.saturating_add(count),
            last => {
                if let Some((_, curve, times)) = last.replace((release, release.curve(), count)) {
                    self.settled = self.settled.plus(&curve.times(times));
                }
            }
        }
    }

    /// Noise values drawn for all of them.
    pub(super) fn draws(&self) -> u128 {
        self.draws
    }

    pub(super) fn total(&self) -> RdpCurve {
        match &self.last {
            None => self.settled.clone(),
            Some((_, curve, times)) => self.settled.plus(&curve.times(*times)),
        }
    }

    /// The curve of one release, at hand if it is the last one's.
    pub(super) fn curve_of(&self, release: &Release) -> RdpCurve {
        match &self.last {
            Some((known, curve, _)) if known == release => curve.clone(),
            _ => release.curve(),
        }
    }
}
