//! A sum of vectors of up to 2^28 coordinates, through the protocol's own state machines: eight members one after another, real
//! masks, a real disk for uploads in flight. Checks every coordinate and prints seconds, memory and disk.
//!
//! ```text
//! cargo run --release -p tacita-benches --example large_sum -- [log2 of the coordinates, 28] [folder for the spool]
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // A failed assumption ends it.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use tacita_protocol::spool::{Spool, SpoolError};
use tacita_server::FileSpool;
use tacita_sim::scale::Meter;
use tacita_sim::{Cast, Setting, Streaming};

const MEMBERS: u16 = 8;
/// Coordinates checked at a time.
const PIECE: usize = 1 << 16;

/// Coordinate `at` of a member's vector: between -512 and 511, from a counter.
fn value(member: u64, at: u64) -> i32 {
    let mut z = (at ^ (member << 40)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z >> 54) as i32 - 512
}

/// A spool that knows how much of the disk it takes.
struct Metered {
    inner: FileSpool,
    held: [u64; MEMBERS as usize],
    most: Rc<Cell<u64>>,
}

impl Spool for Metered {
    fn append(&mut self, member: u16, packed: &[u8]) -> Result<(), SpoolError> {
        self.held[usize::from(member)] += packed.len() as u64;
        self.most.set(self.most.get().max(self.held.iter().sum()));
        self.inner.append(member, packed)
    }

    fn read(&mut self, member: u16, at: u64, into: &mut [u8]) -> Result<(), SpoolError> {
        self.inner.read(member, at, into)
    }

    fn discard(&mut self, member: u16) {
        self.held[usize::from(member)] = 0;
        self.inner.discard(member);
    }
}

/// Most memory that this process held, in GiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0 / 1024.0)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let log: u32 = arguments
        .next()
        .map_or(28, |text| text.parse().expect("a power of two"));
    let folder: PathBuf = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let state = tempfile::tempdir_in(folder).expect("a folder for the spool");
    let cast = Cast::new(usize::from(MEMBERS), 28).unwrap();
    let mut setting = Setting::new(MEMBERS, 1, MEMBERS - 1);
    setting.dimension = 1 << log;
    setting.grid = 1 << 24;
    setting.chunk = 32_768;
    let most = Rc::new(Cell::new(0));
    let spool = Metered {
        inner: FileSpool::open(state.path()).expect("a spool"),
        held: [0; MEMBERS as usize],
        most: most.clone(),
    };
    let started = Instant::now();
    let mut round = Streaming::open(&cast, &setting, Box::new(spool)).unwrap();
    let (bits, length) = (round.manifest().bits(), round.manifest().padded());
    println!(
        "{MEMBERS} members, {length} coordinates in a ring of {} bits: {:.3} GiB each, {:.3} GiB packed",
        bits.get(),
        length as f64 * 4.0 / f64::from(1 << 30),
        bits.packed_len(length) as f64 / f64::from(1 << 30),
    );
    println!("before the first upload        {:7.3} GiB held at most", peak());
    for member in 0..u64::from(MEMBERS) {
        let since = Instant::now();
        let mut masked = 0.0;
        let fill = |start: usize, values: &mut [i32]| {
            (start as u64..)
                .zip(values)
                .for_each(|(at, to)| *to = value(member, at));
        };
        round
            .upload(usize::try_from(member).unwrap(), &fill, &mut || {
                masked = since.elapsed().as_secs_f64();
            })
            .unwrap();
        let all = since.elapsed().as_secs_f64();
        println!(
            "member {member}: made and masked {masked:6.1} s, uploaded and added {:6.1} s; {:7.3} GiB held at most",
            all - masked,
            peak(),
        );
    }
    let since = Instant::now();
    let view = round.finish(&mut Meter::default()).unwrap();
    println!(
        "agreed, revealed, unmasked {:6.1} s",
        since.elapsed().as_secs_f64()
    );
    let since = Instant::now();
    let sum = view.unmasked().unwrap().vector();
    for start in (0..length).step_by(PIECE) {
        for (at, got) in (start..(start + PIECE).min(length)).zip(sum.signed(start)) {
            let expected: i32 = (0..u64::from(MEMBERS))
                .map(|member| value(member, at as u64))
                .sum();
            assert_eq!(got, i64::from(expected), "coordinate {at}");
        }
    }
    println!(
        "all {length} coordinates are exact, checked in {:.1} s",
        since.elapsed().as_secs_f64()
    );
    println!(
        "total {:.1} s, {:.3} GiB of memory at most, {:.3} GiB of disk at most",
        started.elapsed().as_secs_f64(),
        peak(),
        most.get() as f64 / f64::from(1 << 30),
    );
}
