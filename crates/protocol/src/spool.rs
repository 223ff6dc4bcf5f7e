//! What a server keeps on its disk instead of in memory: uploads until they are whole and signed (a [`Spool`]), and what
//! members dealt, to the end of the round (a [`Stash`]).
//!
//! The protocol checks bytes before they go in and after they come back; spool and stash only keep them. What they keep is
//! masked, or encrypted for another member.

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

/// Keeps bytes that are written once and read in pieces at any time of the round.
pub trait Stash: Send + Sync {
    /// Keeps bytes; gives the position to ask for them by.
    ///
    /// # Errors
    /// [`SpoolError`]; nothing was kept then.
    fn put(&mut self, bytes: &[u8]) -> Result<u64, SpoolError>;

    /// Reads bytes back from position `at` on.
    ///
    /// # Errors
    /// [`SpoolError`] if not so many can be had.
    fn get(&self, at: u64, into: &mut [u8]) -> Result<(), SpoolError>;
}

/// A stash in memory, for a server with few members and for simulations.
#[derive(Debug, Clone, Default)]
pub struct MemoryStash(Vec<u8>);

impl Stash for MemoryStash {
    fn put(&mut self, bytes: &[u8]) -> Result<u64, SpoolError> {
        let at = self.0.len() as u64;
        self.0.extend_from_slice(bytes);
        Ok(at)
    }

    fn get(&self, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        let kept = usize::try_from(at)
            .ok()
            .and_then(|start| self.0.get(start..start.checked_add(into.len())?));
        into.copy_from_slice(kept.ok_or_else(|| SpoolError("no such bytes".to_owned()))?);
        Ok(())
    }
}
