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

use crate::limits::{MAX_BUNDLE, VERSION};
use crate::messages::{Hello, ServerMessage};
use crate::refusal::Refusal;

/// Whether the sender of a hello, whenever it comes, speaks this version.
///
/// # Errors
/// [`Refusal::Version`] (TAC-001): its sender is not a member of anything here.
pub fn check_version(hello: &Hello) -> Result<(), Refusal> {
    if hello.version == VERSION {
        Ok(())
    } else {
        Err(Refusal::Version(hello.version))
    }
}

/// Whether the sender of a hello goes on with the attempt that is `running`, which it is still in or not.
///
/// # Errors
/// [`Refusal::NotRunning`] if it names another attempt, or one that it is not in (any more).
pub fn resumes(hello: &Hello, running: Option<&[u8; 32]>, is_in: bool) -> Result<bool, Refusal> {
    match hello.attempt.as_slice() {
        [] => Ok(false),
        named if is_in && running.is_some_and(|id| id.as_slice() == named) => Ok(true),
        _ => Err(Refusal::NotRunning),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_version_is_spoken() {
        assert_eq!(check_version(&Hello::fresh(7)), Ok(()));
        for version in [0, VERSION + 1, u16::MAX] {
            let hello = Hello {
                version,
                ..Hello::fresh(7)
            };
            assert_eq!(check_version(&hello), Err(Refusal::Version(version)));
        }
    }

    #[test]
    fn only_a_member_goes_on_and_only_with_the_attempt_that_runs() {
        let hello = |attempt: &[u8]| Hello {
            attempt: attempt.to_vec().into(),
            ..Hello::fresh(0)
        };
        let (ours, other) = ([1; 32], [2; 32]);
        assert_eq!(resumes(&hello(&[]), Some(&ours), true), Ok(false));
        assert_eq!(resumes(&hello(&[]), None, false), Ok(false));
        assert_eq!(resumes(&hello(&ours), Some(&ours), true), Ok(true));
        for (named, running, is_in) in [
            (&ours[..], Some(&ours), false),
            (&ours[..], Some(&other), true),
            (&ours[..], None, true),
            (&ours[..31], Some(&ours), true),
        ] {
            assert_eq!(resumes(&hello(named), running, is_in), Err(Refusal::NotRunning));
        }
    }
}
