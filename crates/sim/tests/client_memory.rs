//! What a client holds from the integers on: one vector, and a constant beside it. Alone in its process, which it measures.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use tacita_protocol::spool::{Spool, SpoolError};
use tacita_sim::scale::Meter;
use tacita_sim::{Cast, Setting, Streaming};

/// Coordinates: 64 MiB as words of the ring.
const DIMENSION: u32 = 1 << 24;
/// What a client may hold beside its vector (issue: "its vector + 16 MiB").
const BESIDE: u64 = 16 << 20;

/// One upload, in memory that the first one fills: what the server keeps is not the client's.
struct Kept(Vec<u8>);

impl Spool for Kept {
    fn append(&mut self, _member: u16, packed: &[u8]) -> Result<(), SpoolError> {
        self.0.extend_from_slice(packed);
        Ok(())
    }

    fn read(&mut self, _member: u16, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        into.copy_from_slice(&self.0[usize::try_from(at).unwrap()..][..into.len()]);
        Ok(())
    }

    fn discard(&mut self, _member: u16) {
        self.0.clear();
    }
}

/// A figure of `/proc/self/status`, in bytes; `None` where the system has none.
fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[test]
fn a_client_holds_one_vector() {
    let cast = Cast::new(8, 5).unwrap();
    let setting = Setting {
        dimension: DIMENSION,
        grid: 1 << 22,
        chunk: 32_768,
        ..Setting::new(8, 1, 7)
    };
    let spool = Kept(Vec::with_capacity(4 * DIMENSION as usize));
    let mut round = Streaming::open(&cast, &setting, Box::new(spool)).unwrap();
    let bits = round.manifest().bits();
    let vector = round.manifest().padded() as u64 * if bits.get() <= 32 { 4 } else { 8 };
    let fill = |start: usize, values: &mut [i32]| {
        for (at, to) in (start..).zip(values) {
            *to = (at % 1021) as i32 - 510;
        }
    };
    let Some(before) = status("VmRSS:") else {
        return;
    };
    round.upload(0, &fill, &mut || {}).unwrap();
    round.upload(1, &fill, &mut || {}).unwrap();
    let grown = status("VmHWM:").unwrap().saturating_sub(before);
    // The server's: its running sum, and the one upload in flight.
    let server = vector + bits.packed_len(round.manifest().padded()) as u64;
    assert!(
        grown >= server + vector,
        "{grown} bytes measured, {server} and {vector} are there"
    );
    assert!(
        grown <= server + vector + BESIDE,
        "{} bytes held beside the vector",
        grown - server - vector
    );
    for member in 2..8 {
        round.upload(member, &fill, &mut || {}).unwrap();
    }
    let view = round.finish(&mut Meter::default()).unwrap();
    let sum = view.unmasked().unwrap().vector();
    assert!(
        (0..1000)
            .zip(sum.signed(0))
            .all(|(at, got)| got == 8 * (i64::from(at) % 1021 - 510))
    );
}
