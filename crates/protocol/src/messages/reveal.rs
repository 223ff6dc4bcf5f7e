//! Step 8 on the wire.

use std::fmt;

use tls_codec::{TlsByteVecU8, TlsByteVecU16, TlsDeserialize, TlsSerialize, TlsSize, TlsVecU32};

use super::{Proof, ProvenEntry};

/// Step 8: the quorum and the committed charge.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct RevealRequest {
    /// Bitmap of signers over roster indices.
    pub signers: TlsByteVecU16,
    /// Their signatures on S, by rising index.
    pub signatures: TlsVecU32<[u8; 64]>,
    /// Signed checkpoint note.
    pub checkpoint: TlsByteVecU16,
    /// Consistency proof from the checkpoint of the invitation.
    pub consistency: Proof,
    /// The manifest entry (reserve).
    pub manifest: ProvenEntry,
    /// The charge entry (commit).
    pub charge: ProvenEntry,
    /// Path of the reader's own upload to the uploads root that the charge names.
    pub upload_proof: Proof,
}

/// One revealed share. Which secret it is of follows from U2: the self-mask secret of a survivor, the mask secret
/// of a drop-out; there is no way to send both.
#[derive(Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct RevealedShare {
    /// Roster index of the dealer.
    pub dealer: u16,
    /// The share, a canonical scalar.
    pub value: [u8; 32],
    /// Path to the dealer's share root, the sibling leaf first.
    pub path: Proof,
}

impl fmt::Debug for RevealedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevealedShare {{ dealer: {} }}", self.dealer)
    }
}

/// Step 8: one share per neighbour in U1, the seed of surplus noise, and the cosignature of the checkpoint.
#[derive(Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Reveal {
    /// Shares by rising dealer index.
    pub shares: TlsVecU32<RevealedShare>,
    /// Seed of the first layer of noise that is surplus, 32 bytes, or none.
    pub noise_seed: TlsByteVecU8,
    /// Unix time of the cosignature.
    pub cosigned_at: u64,
    /// C2SP cosignature/v1 over the checkpoint of the request.
    pub cosignature: [u8; 64],
}

impl fmt::Debug for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reveal {{ shares: {:?} }}", self.shares)
    }
}
