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
mod parts;
mod round;

pub use bytes::Bytes;
pub use mutation::Mutator;

/// One thing to throw bytes at.
pub struct Target {
    /// Name, also of its corpus folder and its libFuzzer binary.
    pub name: &'static str,
    /// The decoders of the code that it reaches: `room/file::function`, or `room/file::Type::from_str`.
    pub reads: &'static [&'static str],
    /// Takes bytes; whether they were accepted as what the target reads.
    ///
    /// # Panics
    /// If something does not hold that must: a finding.
    pub run: fn(&[u8]) -> bool,
}

macro_rules! targets {
    ($($room:ident :: $name:ident [$($reads:literal),*])*) => {
        &[$(Target { name: stringify!($name), reads: &[$($reads),*], run: $room::$name }),*]
    };
}

/// All of them. `crates/sim/tests/fuzzing.rs` finds the decoders in the code, and one that stands nowhere here.
pub const TARGETS: &[Target] = targets![
    decoders::client_message ["protocol/messages::decode"]
    decoders::server_message ["protocol/messages::decode"]
    decoders::manifest ["protocol/messages::decode"]
    decoders::note ["ledger/note::parse", "ledger/checkpoint::parse_body", "ledger/checkpoint::parse_unverified", "ledger/checkpoint::verify", "ledger/verify::cosigned_head"]
    decoders::entry ["ledger/entry::decode", "ledger/rotation::admit"]
    decoders::bundle ["ledger/layout::read_bundle"]
    decoders::certificate ["identity/anchor::from_der", "identity/anchor::from_pinned_der", "identity/anchor::verify", "identity/anchor::verify_member", "identity/anchor::verify_authority", "protocol/certificates::admit"]
    decoders::request ["identity/request::check"]
    decoders::enrolment ["identity/message::decode"]
    decoders::invitation ["identity/invitation::parse"]
    decoders::invitation_record ["identity/invitation_record::from_bytes"]
    decoders::deny_list ["identity/deny::verify"]
    decoders::name ["identity/name::new", "identity/name::from_str", "identity/name::try_from", "identity/role::parse", "identity/role::from_str"]
    decoders::pem_file ["identity/pem::decode", "identity/key::from_pkcs8_der", "identity/key::from_pkcs8_pem"]
    decoders::bitmap ["protocol/bitmap::decode"]
    decoders::packing ["algebra/ring::check_packed", "algebra/ring::unpack_into", "algebra/ring::add_packed"]
    decoders::scalar ["algebra/scalar::from_canonical_bytes"]
    decoders::decimal ["privacy/decimal::from_canonical", "privacy/decimal::from_str", "privacy/noise_levels::parse_dropouts", "protocol/graph/fraction::from_str"]
    files::ledger ["ledger/verify::verify_with"]
    files::proofs ["ledger/tree::verify_inclusion", "ledger/tree::verify_consistency"]
    parts::part ["protocol/parts::push"]
    round::machines ["protocol/messages::decode", "protocol/kem::decapsulate"]
];

/// The target with this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
