//! What fuzzers throw bytes at: every decoder of the pure rooms, and the state machines of both sides in a round of four.
//!
//! A target takes any bytes, asserts what must hold for them (no panic, one spelling for one value, every guarantee of the
//! round) and says whether they were accepted. `tests/fuzz` calls the targets from libFuzzer, `crates/sim/tests/fuzzing.rs`
//! replays the corpora of `tests/fuzz/corpus`, and `crates/sim/examples/fuzz_loop.rs` mutates them where there is no libFuzzer.

mod bytes;
pub mod corpus;
mod decoders;
mod files;
mod mutation;
mod round;

pub use bytes::Bytes;
pub use mutation::Mutator;

/// One thing to throw bytes at.
pub struct Target {
    /// Name, also of its corpus folder and its libFuzzer binary.
    pub name: &'static str,
    /// Takes bytes; whether they were accepted as what the target reads.
    ///
    /// # Panics
    /// If something does not hold that must: a finding.
    pub run: fn(&[u8]) -> bool,
}

macro_rules! targets {
    ($($room:ident :: $name:ident),* $(,)?) => {
        &[$(Target { name: stringify!($name), run: $room::$name }),*]
    };
}

/// All of them.
pub const TARGETS: &[Target] = targets![
    decoders::client_message,
    decoders::server_message,
    decoders::manifest,
    decoders::note,
    decoders::entry,
    decoders::bundle,
    decoders::certificate,
    decoders::request,
    decoders::enrolment,
    decoders::invitation,
    decoders::deny_list,
    decoders::bitmap,
    decoders::packing,
    decoders::decimal,
    files::ledger,
    files::proofs,
    round::machines,
];

/// The target with this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
