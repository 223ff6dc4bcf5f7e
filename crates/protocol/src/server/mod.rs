//! The server's side of a round: one struct per phase, each consumed by the call that closes it.
//!
//! ```text
//! Gathering --close--> Sharing --close--> Collecting --close--> Agreeing --commit(charge)--> Revealing --close-->
//! UnmaskedSum
//! ```
//!
//! The shell decides only *when* a phase closes (everybody answered or is gone, or the deadline passed) and carries
//! messages. A refused message changes nothing; a phase that cannot go on answers with an [`Abort`].
//!
//! [`Abort`]: crate::refusal::Abort

mod agreeing;
mod collecting;
mod gathering;
mod revealing;
mod sharing;
mod unmask;

pub use agreeing::{Agreeing, CommittedCharge};
pub use collecting::Collecting;
pub use gathering::Gathering;
pub use revealing::Revealing;
pub use sharing::Sharing;
pub use unmask::UnmaskedSum;

use crate::limits::MAX_BUNDLE;
use crate::messages::ServerMessage;

/// Packs certificates into as few [`ServerMessage::Certificates`] frames as the limit allows.
pub fn certificate_bundles<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Vec<ServerMessage> {
    let mut bundles = Vec::new();
    let (mut current, mut bytes) = (Vec::new(), 0usize);
    for der in certificates {
        if bytes + der.len() + 2 > MAX_BUNDLE && !current.is_empty() {
            bundles.push(ServerMessage::Certificates(std::mem::take(&mut current).into()));
            bytes = 0;
        }
        bytes += der.len() + 2;
        current.push(der.to_vec().into());
    }
    if !current.is_empty() {
        bundles.push(ServerMessage::Certificates(current.into()));
    }
    bundles
}
