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
    /// By how many seconds the clock of the machine whose turn it is is wrong. Deadlines do not go by it.
    pub skew: i64,
}

impl Stagehand<'_> {
    /// The time that the machine reads, in unix seconds.
    pub fn unix(&self) -> u64 {
        (NOW + self.network.now() / 1000).saturating_add_signed(self.skew)
    }

    /// A line of the history.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        self.watch.note(self.network.now(), line);
    }
}
