//! G6: what the server holds in memory does not grow with uploads in flight. Alone in its process, which it measures.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tacita_protocol::messages::{ClientMessage, UploadChunk};
use tacita_protocol::spool::{Spool, SpoolError};
use tacita_sim::{Cast, Setting, Streaming};

/// A disk that is not this process's memory.
struct Elsewhere(Arc<AtomicU64>);

impl Spool for Elsewhere {
    fn append(&mut self, _member: u16, packed: &[u8]) -> Result<(), SpoolError> {
        self.0.fetch_add(packed.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn read(&mut self, _member: u16, _at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        into.fill(0);
        Ok(())
    }

    fn discard(&mut self, _member: u16) {}
}

/// Resident bytes of this process; `None` where the system does not say.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[test]
fn uploads_in_flight_are_not_in_memory() {
    const MEMBERS: usize = 16;
    let cast = Cast::new(MEMBERS, 5).unwrap();
    let setting = Setting {
        dimension: 1 << 22,
        chunk: 16_384,
        ..Setting::new(16, 1, 15)
    };
    let stored = Arc::new(AtomicU64::new(0));
    let mut round = Streaming::open(&cast, &setting, Box::new(Elsewhere(stored.clone()))).unwrap();
    let (bits, chunks) = (round.manifest().bits(), (1u32 << 22) / 16_384);
    let chunk = |index| {
        ClientMessage::Chunk(UploadChunk {
            index,
            packed: vec![0; bits.packed_len(16_384)].into(),
        })
    };
    let Some(before) = resident() else {
        return;
    };
    // All of them at once, chunk by chunk: everybody's whole vector is in flight at the end.
    for index in 0..chunks {
        for member in 0..MEMBERS {
            round.feed(member, &chunk(index)).unwrap();
        }
    }
    let grown = resident().unwrap().saturating_sub(before);
    let upload = bits.packed_len(1 << 22) as u64;
    let in_flight = stored.load(Ordering::Relaxed);
    assert_eq!(in_flight, MEMBERS as u64 * upload);
    // Less than one upload, with sixteen in flight; the allocator keeps some of what passed through.
    assert!(grown < upload / 2, "{grown} bytes held of {in_flight} in flight");
}
