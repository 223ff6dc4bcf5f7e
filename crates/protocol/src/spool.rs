//! Where an upload waits until it is whole and signed: what is in flight is on somebody's disk, not in memory.
//!
//! The protocol checks bytes before they go in and after they come back; a spool only keeps them. What it keeps is masked.

use thiserror::Error;

/// Why a spool could not keep or give back bytes, in words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SpoolError(pub String);

/// Keeps the packed bytes of uploads in flight, by roster index.
pub trait Spool {
    /// Puts bytes behind those that this member has there already.
    ///
    /// # Errors
    /// [`SpoolError`]; what the member has there is undefined until it is discarded.
    fn append(&mut self, member: u16, packed: &[u8]) -> Result<(), SpoolError>;

    /// Reads bytes of a member back, from byte `at` of its upload on.
    ///
    /// # Errors
    /// [`SpoolError`] if not so many can be had.
    fn read(&mut self, member: u16, at: u64, into: &mut [u8]) -> Result<(), SpoolError>;

    /// Forgets a member's bytes, if there are any.
    fn discard(&mut self, member: u16);
}

impl<S: Spool + ?Sized> Spool for Box<S> {
    fn append(&mut self, member: u16, packed: &[u8]) -> Result<(), SpoolError> {
        (**self).append(member, packed)
    }

    fn read(&mut self, member: u16, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        (**self).read(member, at, into)
    }

    fn discard(&mut self, member: u16) {
        (**self).discard(member);
    }
}
