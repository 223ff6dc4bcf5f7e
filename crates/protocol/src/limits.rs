//! Every limit of the round (spec 08). A peer-supplied length is compared with one of these before anything is
//! allocated for it.

/// Protocol version carried in the first message of each side.
pub const VERSION: u16 = 1;
/// Largest frame on the wire, in bytes.
pub const MAX_FRAME: usize = 256 * 1024;
/// Largest message, in bytes: those that list neighbours travel in parts when they exceed a frame.
pub const MAX_MESSAGE: usize = 2 * 1024 * 1024;
/// Smallest cohort n.
pub const MIN_COHORT: u16 = 3;
/// Largest cohort n of this version.
pub const MAX_COHORT: u16 = 10_000;
/// Up to this cohort every client checks a whole quorum and gets whole identities; above it samples the signers.
pub const UNSAMPLED_COHORT: u16 = 1000;
/// Signatures that a client draws from the list of signers of a larger cohort.
pub const SAMPLE: usize = 66;
/// A larger cohort needs m >= 76 (n + c) / 100: a false list then passes a client with probability below 2^-40.
pub const SAMPLED_PERCENT: u32 = 76;
/// First bytes of an identity that the list of a larger cohort has.
pub const IDENTITY_PREFIX: usize = 8;
/// Most elements of any list in a message.
pub const MAX_LIST: usize = 1000;
/// Most neighbours k on the ring: with more, the sharers message of a roster of 1,000 would not fit a message.
pub const MAX_NEIGHBOURS: u16 = 500;
/// Largest dimension of a vector before padding; the privacy room's bound.
pub const MAX_DIMENSION: u32 = tacita_privacy::Encoding::MAX_DIMENSION;
/// Largest number of packed bytes in one upload chunk.
pub const MAX_CHUNK_BYTES: usize = 128 * 1024;
/// Coordinates in a chunk are a multiple of this, so that every chunk starts on a byte and on an AES block.
pub const CHUNK_ALIGNMENT: u32 = 64;
/// Most coordinates in a chunk, of any width: the largest chunk of one bit each.
pub const MAX_CHUNK: u32 = 1 << 20;
/// Longest task name, in bytes.
pub const MAX_TASK: usize = 64;
/// Longest training text (canonical JSON that the learning room reads), in bytes.
pub const MAX_TRAINING: usize = 4096;
/// Longest decimal string in a manifest, in bytes.
pub const MAX_DECIMAL: usize = 40;
/// Longest certificate, in bytes.
pub const MAX_CERTIFICATE: usize = 2048;
/// Longest Merkle proof in the round's own trees: 10,000 leaves need 14 hashes.
pub const MAX_ROUND_PROOF: usize = 14;
/// Longest Merkle proof in a dealer's tree: 4 leaves for each of at most 500 neighbours need 11 hashes.
pub const MAX_SHARE_PROOF: usize = 12;
/// Shortest box: two shares and the tag, as if the tree had nothing else.
pub const MIN_BOX: usize = 64 + 16;
/// Longest box: two shares, a path to the share root and the tag.
pub const MAX_BOX: usize = 64 + 32 * MAX_SHARE_PROOF + 16;
/// Longest Merkle proof in the ledger (RFC 6962 over at most 2^63 leaves).
pub const MAX_LEDGER_PROOF: usize = 64;
/// Longest ledger entry, in bytes (C2SP tlog-tiles entry bundles carry 16-bit lengths).
pub const MAX_ENTRY: usize = 65_535;
/// Longest checkpoint note handed to a client, in bytes (log signature only; cosignatures stay at the server).
pub const MAX_CHECKPOINT: usize = 4096;
/// Longest certificate bundle, in bytes.
pub const MAX_BUNDLE: usize = 200 * 1024;
/// Longest reason text in an abort, in bytes.
pub const MAX_REASON: usize = 256;
/// The largest loss that counts is below this: published losses are counted in units of 10^-6 of at most 64 bits.
pub const MAX_LOSS_CAP: u64 = 1_000_000_000;
/// Largest phase deadline, in milliseconds.
pub const MAX_DEADLINE_MS: u32 = 24 * 3600 * 1000;
