//! Step 8 on the wire above 1,000 members: the quorum, committed to and sampled.

use tls_codec::{TlsByteVecU16, TlsDeserialize, TlsSerialize, TlsSize, TlsVecU16, TlsVecU32};

use super::{Proof, RevealRequest};
use crate::Hash;

/// Step 8 above 1,000 members: who signed, and a root that fixes their signatures before any is asked for.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct SignersMessage {
    /// Bitmap of signers over roster indices.
    pub signers: TlsByteVecU16,
    /// Merkle root over (index, signature), by rising index.
    pub root: Hash,
}

/// Step 8 above 1,000 members: the signers whose signatures the client wants to see.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Draws {
    /// Roster indices, strictly rising.
    pub drawn: TlsVecU16<u16>,
}

/// Step 8 above 1,000 members: a reveal request that shows the signatures drawn and those of t neighbours.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct SampledRequest {
    /// The request; its signers are the members shown here.
    pub request: RevealRequest,
    /// Path of each signature to the root of the list, in the same order.
    pub proofs: TlsVecU32<Proof>,
}
