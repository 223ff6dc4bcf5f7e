//! What every handler is given: the network, the checkers, the cast.

use crate::cast::{Cast, NOW};

use super::network::Network;
use super::watch::Watch;

/// The world around one handler.
pub struct Stagehand<'a> {
    /// Clock and network.
    pub network: &'a mut Network,
    /// The checkers.
    pub watch: &'a mut Watch,
    /// Keys and certificates.
    pub cast: &'a Cast,
}

impl Stagehand<'_> {
    /// The time that machines read, in unix seconds.
    pub fn unix(&self) -> u64 {
        NOW + self.network.now() / 1000
    }

    /// A line of the history.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        self.watch.note(self.network.now(), line);
    }
}
