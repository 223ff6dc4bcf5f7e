//! The server's disk for dealings and for uploads in flight: memory, with the faults that disks have.

use std::collections::BTreeMap;

use tacita_protocol::spool::{MemoryStash, Spool, SpoolError, Stash};

/// A spool and a stash that can be full, or give back other bytes than they were given.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    uploads: BTreeMap<u16, Vec<u8>>,
    room: Option<usize>,
    flips: Option<u16>,
    loses: Option<u16>,
    dealings: MemoryStash,
    dealing_room: Option<usize>,
    dealing_flips: Option<u64>,
}

impl Disk {
    /// One with room for so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self {
            room: Some(bytes),
            ..Self::default()
        }
    }

    /// One that gives back a flipped bit in the upload of the member at this index.
    pub fn flipping(member: u16) -> Self {
        Self {
            flips: Some(member),
            ..Self::default()
        }
    }

    /// One that gives back nothing of the upload of the member at this index.
    pub fn losing(member: u16) -> Self {
        Self {
            loses: Some(member),
            ..Self::default()
        }
    }

    /// One with room for so many bytes of dealings.
    pub fn of_dealings(bytes: usize) -> Self {
        Self {
            dealing_room: Some(bytes),
            ..Self::default()
        }
    }

    /// One that gives back a flipped bit in this byte of the dealings.
    pub fn flipping_dealings(at: u64) -> Self {
        Self {
            dealing_flips: Some(at),
            ..Self::default()
        }
    }

    fn held(&self) -> usize {
        self.uploads.values().map(Vec::len).sum()
    }
}

impl Spool for Disk {
    fn append(&mut self, member: u16, packed: &[u8]) -> Result<(), SpoolError> {
        if self
            .room
            .is_some_and(|room| self.held().saturating_add(packed.len()) > room)
        {
            return Err(SpoolError("no space left".to_owned()));
        }
        self.uploads.entry(member).or_default().extend_from_slice(packed);
        Ok(())
    }

    fn read(&mut self, member: u16, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        if self.loses == Some(member) {
            return Err(SpoolError("the disk is gone".to_owned()));
        }
        let held = self.uploads.get(&member).map(Vec::as_slice).unwrap_or_default();
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        let wanted = from
            .checked_add(into.len())
            .and_then(|end| held.get(from..end))
            .ok_or_else(|| SpoolError("too few bytes".to_owned()))?;
        into.copy_from_slice(wanted);
        if let (true, Some(byte)) = (self.flips == Some(member), into.first_mut()) {
            *byte ^= 1;
        }
        Ok(())
    }

    fn discard(&mut self, member: u16) {
        self.uploads.remove(&member);
    }
}

impl Stash for Disk {
    fn put(&mut self, bytes: &[u8]) -> Result<u64, SpoolError> {
        let room = self.dealing_room.unwrap_or(usize::MAX);
        let full = || SpoolError("no space left".to_owned());
        let left = room.checked_sub(bytes.len()).ok_or_else(full)?;
        if self.dealing_room.is_some() {
            self.dealing_room = Some(left);
        }
        self.dealings.put(bytes)
    }

    fn get(&self, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        self.dealings.get(at, into)?;
        let within = self.dealing_flips.and_then(|flips| flips.checked_sub(at));
        if let Some(byte) = within.and_then(|i| into.get_mut(usize::try_from(i).ok()?)) {
            *byte ^= 1;
        }
        Ok(())
    }
}
