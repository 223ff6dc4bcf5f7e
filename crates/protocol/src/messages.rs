//! The wire messages (spec 05), in the order of the round. TLS presentation language through `tls_codec`,
//! fixed-width length vectors. The length of a message ([`crate::limits::MAX_MESSAGE`]) bounds every count in it before
//! anything is allocated, [`MAX_LIST`] does when it is decoded, and the roster size when it is read.

use tls_codec::{
    Deserialize as _, Serialize as _, TlsByteVecU8, TlsByteVecU16, TlsByteVecU32, TlsDeserialize,
    TlsSerialize, TlsSize, TlsVecU8, TlsVecU16, TlsVecU32,
};

mod quorum;
mod reveal;

pub use quorum::{Draws, SampledRequest, SignersMessage};
pub use reveal::{Reveal, RevealRequest, RevealedShare};

use crate::Hash;
use crate::limits::{MAX_LIST, VERSION};
use crate::manifest::Manifest;
use crate::parts;
use crate::refusal::{DecodeError, Misuse};

/// A Merkle proof on the wire.
pub type Proof = TlsVecU16<Hash>;

/// First message of a client on every connection, and again after every round: what it speaks, the ledger head it
/// remembers (size 0: none), which the next invitation must extend, and the attempt that it is in and would go on with.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Hello {
    /// Protocol version.
    pub version: u16,
    /// Size of the last checkpoint that this client verified, 0 if none.
    pub ledger_size: u64,
    /// Round id of the attempt that this client is in; empty if it is in none.
    pub attempt: TlsByteVecU8,
    /// Bytes of that attempt's model that it has.
    pub model_received: u64,
}

impl Hello {
    /// Of a client in no attempt, which remembers a ledger head of this size.
    #[must_use]
    pub fn fresh(ledger_size: u64) -> Self {
        Self {
            version: VERSION,
            ledger_size,
            attempt: Vec::new().into(),
            model_received: 0,
        }
    }
}

/// Step 1: the signed manifest, and proof that the ledger it names extends the one the client remembers.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Invitation {
    /// The manifest.
    pub manifest: Manifest,
    /// Server signature over the manifest digest.
    pub signature: [u8; 64],
    /// Signed checkpoint note of the size and root that the manifest names.
    pub checkpoint: TlsByteVecU16,
    /// Consistency proof from the size in [`Hello`] to the checkpoint; empty when that size was 0.
    pub consistency: Proof,
    /// Length of the model that follows in [`ServerMessage::Model`] parts, in bytes.
    pub model_length: u64,
    /// Manifest and outcome of the round before, under the checkpoint, from which the clip of an adaptively clipped round follows; else
    /// none.
    pub previous: TlsVecU32<ProvenEntry>,
}

/// Step 2: fresh keys, signed by the certificate key over the manifest digest.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Advertise {
    /// X25519 public key from which pair masks are agreed.
    pub mask_key: [u8; 32],
    /// X25519 public key from which box keys are agreed.
    pub share_key: [u8; 32],
    /// ML-KEM-768 encapsulation key for pair masks; empty in a round without.
    pub mask_kem_key: TlsByteVecU16,
    /// ML-KEM-768 encapsulation key for boxes; empty in a round without.
    pub share_kem_key: TlsByteVecU16,
    /// The client's contribution to the graph's seed.
    pub nonce: [u8; 32],
    /// Signature over the advertisement digest.
    pub signature: [u8; 64],
}

/// One leaf of the roster.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct RosterEntry {
    /// Roster index.
    pub index: u16,
    /// H(SAN name).
    pub identity: Hash,
    /// SHA-256 of the certificate.
    pub fingerprint: Hash,
    /// The advertisement.
    pub advertise: Advertise,
    /// Inclusion proof under the Merkle root.
    pub proof: Proof,
}

/// Step 3: the roster as one client sees it: all identities, its own entry and its neighbours'.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct RosterMessage {
    /// Identities in strictly rising order, n' of them, joined: whole ones, or above 1,000 members their first 8 bytes
    /// ([`crate::roster::identity_width`]).
    pub identities: TlsByteVecU32,
    /// Merkle root over the entries.
    pub merkle_root: Hash,
    /// Own entry and the neighbours', by rising index.
    pub entries: TlsVecU32<RosterEntry>,
}

/// What a dealer makes for one holder.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct DealtBox {
    /// Roster index of the holder.
    pub peer: u16,
    /// Node over the two share leaves, from which the server computes the root.
    pub pair: Hash,
    /// ML-KEM-768 ciphertext of the pair mask, where the dealer has the smaller fingerprint; else empty.
    pub mask_ciphertext: TlsByteVecU16,
    /// ML-KEM-768 ciphertext of the box; empty in a round without.
    pub share_ciphertext: TlsByteVecU16,
    /// AES-256-GCM ciphertext with its tag.
    pub ciphertext: TlsByteVecU16,
}

/// A sealed box as its holder gets it.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct SealedBox {
    /// Roster index of the dealer.
    pub peer: u16,
    /// ML-KEM-768 ciphertext of the box; empty in a round without.
    pub share_ciphertext: TlsByteVecU16,
    /// AES-256-GCM ciphertext with its tag.
    pub ciphertext: TlsByteVecU16,
}

/// A dealer's public commitment to its shares.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct ShareRoot {
    /// Merkle root over the share leaves.
    pub root: Hash,
    /// H(self-mask secret).
    pub self_commitment: Hash,
    /// Signature over the share-root digest.
    pub signature: [u8; 64],
}

/// Step 4: the share root and one box per holder, by rising holder index.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Shares {
    /// Commitment.
    pub share_root: ShareRoot,
    /// Node over the dealer's own two share leaves: one on the complete graph, none on the ring.
    pub own_pair: TlsVecU8<Hash>,
    /// Boxes.
    pub boxes: TlsVecU32<DealtBox>,
}

/// One member of U1 as its neighbours see it.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct SharerEntry {
    /// Roster index.
    pub index: u16,
    /// Its commitment.
    pub share_root: ShareRoot,
    /// The mask ciphertext that it made for this client; empty if this client made the pair's, and in its own entry.
    pub mask_ciphertext: TlsByteVecU16,
    /// Path of that ciphertext's leaf to the share root; empty with it.
    pub ciphertext_proof: Proof,
    /// Inclusion proof under the sharers root.
    pub proof: Proof,
}

/// Step 5: U1, the neighbours' commitments and the boxes for this client.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct SharersMessage {
    /// Bitmap of U1 over roster indices.
    pub sharers: TlsByteVecU16,
    /// Merkle root over the signed share roots of U1, by rising index.
    pub merkle_root: Hash,
    /// Own entry and the neighbours' in U1, by rising index.
    pub entries: TlsVecU32<SharerEntry>,
    /// Boxes from neighbours in U1, by rising dealer index.
    pub boxes: TlsVecU32<SealedBox>,
}

/// Step 6: one chunk of the masked vector, bit-packed at b bits. The bytes fill the rest of the frame.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct UploadChunk {
    /// Position, from 0, each once and in order.
    pub index: u32,
    /// Packed coordinates.
    pub packed: TlsByteVecU32,
}

/// Step 6, on a connection that took the place of a lost one: what of the upload has arrived.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Resume {
    /// The first chunk that is missing; one beyond the last if only the end is.
    pub next: u32,
}

/// Step 6, last part: what closes an upload.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct UploadEnd {
    /// Dealers whose box did not open here, by rising index.
    pub suspects: TlsVecU16<u16>,
    /// The end of the chain of noise seeds, 32 bytes; none where the noise has no layers.
    pub noise_anchor: TlsByteVecU8,
    /// Signature over the digest of all packed bytes.
    pub signature: [u8; 64],
}

/// Step 7: the survivors that the server proposes.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct AgreeRequest {
    /// Bitmap of U2 over roster indices.
    pub survivors: TlsByteVecU16,
}

/// Step 7: a client's signature on S.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct Agreement {
    /// Signature over S.
    pub signature: [u8; 64],
}

/// A ledger entry with proof that it is under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct ProvenEntry {
    /// Position in the ledger.
    pub index: u64,
    /// Canonical JSON.
    pub bytes: TlsByteVecU16,
    /// Inclusion proof.
    pub proof: Proof,
}

/// Step 9: the outcome, in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct OutcomeMessage {
    /// Signed checkpoint note.
    pub checkpoint: TlsByteVecU16,
    /// Consistency proof from the checkpoint of the reveal request.
    pub consistency: Proof,
    /// The outcome entry.
    pub outcome: ProvenEntry,
}

/// The server ends the round for this client.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
pub struct AbortMessage {
    /// Why, printable ASCII.
    pub reason: TlsByteVecU16,
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
#[repr(u8)]
pub enum ClientMessage {
    /// First message of a connection, and the last of a round.
    #[tls_codec(discriminant = 1)]
    Hello(Hello),
    /// Step 2.
    #[tls_codec(discriminant = 2)]
    Advertise(Advertise),
    /// Step 4.
    #[tls_codec(discriminant = 3)]
    Shares(Shares),
    /// Step 6.
    #[tls_codec(discriminant = 4)]
    Chunk(UploadChunk),
    /// Step 6, end.
    #[tls_codec(discriminant = 5)]
    UploadEnd(UploadEnd),
    /// Step 7.
    #[tls_codec(discriminant = 6)]
    Agreement(Agreement),
    /// Step 8.
    #[tls_codec(discriminant = 7)]
    Reveal(Reveal),
    /// The client leaves the round, with a reason for the operator's log.
    #[tls_codec(discriminant = 8)]
    Leave(AbortMessage),
    /// Step 8 above 1,000 members.
    #[tls_codec(discriminant = 10)]
    Draws(Draws),
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq, TlsSerialize, TlsDeserialize, TlsSize)]
#[repr(u8)]
pub enum ServerMessage {
    /// Step 1.
    #[tls_codec(discriminant = 65)]
    Invitation(Box<Invitation>),
    /// A part of the global model.
    #[tls_codec(discriminant = 66)]
    Model(TlsByteVecU32),
    /// Certificates of members, each at most [`crate::limits::MAX_CERTIFICATE`] bytes, sent before they are needed.
    #[tls_codec(discriminant = 67)]
    Certificates(TlsVecU32<TlsByteVecU16>),
    /// Step 3.
    #[tls_codec(discriminant = 68)]
    Roster(RosterMessage),
    /// Step 5.
    #[tls_codec(discriminant = 69)]
    Sharers(SharersMessage),
    /// Step 7.
    #[tls_codec(discriminant = 70)]
    Agree(AgreeRequest),
    /// Step 8.
    #[tls_codec(discriminant = 71)]
    Reveal(Box<RevealRequest>),
    /// Step 9.
    #[tls_codec(discriminant = 72)]
    Outcome(OutcomeMessage),
    /// The round ends without a result.
    #[tls_codec(discriminant = 73)]
    Abort(AbortMessage),
    /// The task is finished: no further round will come.
    #[tls_codec(discriminant = 74)]
    Finished(TlsByteVecU8),
    /// Step 6, resumed.
    #[tls_codec(discriminant = 76)]
    Resume(Resume),
    /// Step 8 above 1,000 members: the list is fixed.
    #[tls_codec(discriminant = 77)]
    Signers(SignersMessage),
    /// Step 8 above 1,000 members: what was drawn.
    #[tls_codec(discriminant = 78)]
    Sampled(Box<SampledRequest>),
}

impl ClientMessage {
    /// Kind of a chunk: the first byte of its frame.
    pub const CHUNK: u8 = 4;

    /// The spec's name of the message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Advertise(_) => "advertise",
            Self::Shares(_) => "shares",
            Self::Chunk(_) => "chunk",
            Self::UploadEnd(_) => "upload end",
            Self::Agreement(_) => "agreement",
            Self::Reveal(_) => "reveal",
            Self::Leave(_) => "leave",
            Self::Draws(_) => "draws",
        }
    }

    /// Lengths of the lists whose elements belong to one member each.
    fn lists(&self) -> [(&'static str, usize); 1] {
        [match self {
            Self::Shares(m) => ("boxes", m.boxes.len()),
            Self::UploadEnd(m) => ("suspects", m.suspects.len()),
            Self::Reveal(m) => ("shares", m.shares.len()),
            Self::Draws(m) => ("draws", m.drawn.len()),
            _ => ("", 0),
        }]
    }
}

impl ServerMessage {
    /// The spec's name of the message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invitation(_) => "invitation",
            Self::Model(_) => "model",
            Self::Certificates(_) => "certificates",
            Self::Roster(_) => "roster",
            Self::Sharers(_) => "sharers",
            Self::Agree(_) => "agree request",
            Self::Reveal(_) => "reveal request",
            Self::Outcome(_) => "outcome",
            Self::Abort(_) => "abort",
            Self::Finished(_) => "finished",
            Self::Resume(_) => "resume",
            Self::Signers(_) => "signers",
            Self::Sampled(_) => "sampled request",
        }
    }

    /// Lengths of the lists whose elements are members or belong to one each.
    fn lists(&self) -> [(&'static str, usize); 2] {
        let (first, second) = match self {
            Self::Certificates(list) => (("certificates", list.len()), None),
            Self::Roster(m) => (("roster entries", m.entries.len()), None),
            Self::Sharers(m) => (
                ("sharer entries", m.entries.len()),
                Some(("boxes", m.boxes.len())),
            ),
            Self::Reveal(m) => (("signatures", m.signatures.len()), None),
            Self::Sampled(m) => (
                ("signatures", m.request.signatures.len()),
                Some(("proofs", m.proofs.len())),
            ),
            _ => (("", 0), None),
        };
        [first, second.unwrap_or(("", 0))]
    }

    /// An abort with a printable, capped reason.
    #[must_use]
    pub fn abort(reason: &str) -> Self {
        Self::Abort(AbortMessage {
            reason: printable(reason).into(),
        })
    }
}

impl AbortMessage {
    /// The reason as text safe to log: printable ASCII, capped.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(printable(&String::from_utf8_lossy(self.reason.as_slice()))).unwrap_or_default()
    }
}

/// Names and reasons of peers reach logs and terminals: keep printable ASCII only, capped (F45).
fn printable(text: &str) -> Vec<u8> {
    text.bytes()
        .map(|b| if (0x20..0x7f).contains(&b) { b } else { b'?' })
        .take(crate::limits::MAX_REASON)
        .collect()
}

macro_rules! framed {
    ($($kind:ty, $part:expr);*) => {$(
        impl $kind {
            /// The message's bytes.
            ///
            /// # Errors
            /// [`Misuse::Encoding`] if a vector is longer than its length prefix can say or the message too long.
            pub fn encode(&self) -> Result<Vec<u8>, Misuse> {
                let bytes = self.tls_serialize_detached().map_err(|_| Misuse::Encoding)?;
                if bytes.len() > parts::largest(bytes.first()) { Err(Misuse::Encoding) } else { Ok(bytes) }
            }

            /// The frames that carry the message: one, or the parts of a message that is larger.
            ///
            /// # Errors
            /// As [`Self::encode`].
            pub fn frames(&self) -> Result<Vec<Vec<u8>>, Misuse> {
                parts::frames(self.encode()?, $part)
            }

            /// Reads one message, assembled from its parts if it came in parts; nothing may remain behind it.
            ///
            /// # Errors
            /// [`DecodeError`] on a message that is too long, malformed or has bytes left over.
            pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
                if message.len() > parts::largest(message.first()) {
                    return Err(DecodeError::FrameTooLong(message.len()));
                }
                let mut rest = message;
                let message = Self::tls_deserialize(&mut rest).map_err(|_| DecodeError::Malformed)?;
                if !rest.is_empty() {
                    return Err(DecodeError::TrailingBytes);
                }
                // A frame of empty elements would become many times its size, and wait in a queue.
                match message.lists().into_iter().find(|(_, count)| *count > MAX_LIST) {
                    Some((list, _)) => Err(DecodeError::TooMany(list)),
                    None => Ok(message),
                }
            }
        }
    )*};
}
framed!(ClientMessage, parts::CLIENT_PART; ServerMessage, parts::SERVER_PART);
