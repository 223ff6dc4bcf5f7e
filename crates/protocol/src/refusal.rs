//! What can go wrong, by cause: bytes that do not parse ([`DecodeError`]), a peer that broke a rule of the spec
//! ([`Refusal`]), a round that cannot go on ([`Abort`]), and a caller of ours that misused a room ([`Misuse`]).

use tacita_privacy::PrivacyUnit;
use thiserror::Error;

use crate::spool::SpoolError;

/// Bytes from a peer that are not a message.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame is longer than [`crate::limits::MAX_FRAME`].
    #[error("frame of {0} bytes is over the limit")]
    FrameTooLong(usize),
    /// The bytes do not follow the presentation language of spec 05.
    #[error("malformed message")]
    Malformed,
    /// Bytes remain behind a complete message.
    #[error("bytes behind the end of a message")]
    TrailingBytes,
    /// A list has more elements than a cohort has members.
    #[error("more than {max} {0} in one message", max = crate::limits::MAX_LIST)]
    TooMany(&'static str),
    /// A part of a message that does not come as parts do.
    #[error("a part of a message: {0}")]
    Part(&'static str),
}

/// A peer broke a rule. One variant per rule; the number is the rule's in `protocol-spec/02-round.md`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The first message names another protocol version.
    #[error("TAC-001: protocol version {0} is not spoken here")]
    Version(u16),
    /// The manifest's signature does not verify under the server certificate of this connection.
    #[error("TAC-002: the manifest is not signed by this server")]
    ManifestSignature,
    /// A manifest field is outside its range.
    #[error("TAC-003: manifest field {0} is out of range")]
    ManifestField(&'static str),
    /// k, t or Q are not what n, c and m give.
    #[error("TAC-004: neighbours, threshold or quorum are not those of n, c and m")]
    DerivedParameters,
    /// The noise share is not total variance / (m - c).
    #[error("TAC-005: the noise share is not the total divided by m - c")]
    NoiseShare,
    /// Discrete Gaussian shares so narrow that no account of their sum is proved.
    #[error("TAC-005: sigma^2 {0} x 2^-16 is too narrow for the sum of discrete Gaussian shares")]
    NarrowShare(u64),
    /// The ring is too narrow: the sum could wrap.
    #[error("TAC-006: no headroom: the sum could wrap around the ring")]
    Headroom,
    /// The client's consent policy forbids this manifest.
    #[error("TAC-007: the consent policy forbids this round: {0}")]
    Consent(ConsentRefusal),
    /// This client already took part in a round with this id.
    #[error("TAC-008: round id was used before")]
    RoundReplayed,
    /// The participant's own budget refuses the charge.
    #[error("TAC-009: the participant's budget refuses this round: {0}")]
    Budget(String),
    /// The ledger shown does not extend the one seen before. Both heads are kept as evidence.
    #[error("TAC-010: the ledger shown is not an extension of the one seen before; both heads are kept")]
    LedgerFork,
    /// The checkpoint is not signed by the pinned log key.
    #[error("TAC-011: the checkpoint is not signed by the pinned log key")]
    CheckpointSignature,
    /// The model bytes received do not have the digest in the manifest.
    #[error("TAC-012: the model received is not the one in the manifest")]
    ModelDigest,
    /// The update clip is not what the task's rule gives for the outcome of the round before.
    #[error("TAC-013: the update clip is not the one that the clip rule gives for the round before")]
    ClipSequence,
    /// The unit of privacy, or the sampling claimed for it, is not one that a round carries out.
    #[error("TAC-014: the privacy unit: {0}")]
    Unit(&'static str),
    /// Roster size, order or identities break the rule.
    #[error("TAC-020: the roster is malformed: {0}")]
    Roster(&'static str),
    /// An inclusion proof of a roster entry fails.
    #[error("TAC-021: roster entry {0} is not under the roster root")]
    RosterProof(u16),
    /// The client's own entry is missing or differs from what it advertised.
    #[error("TAC-022: own advertisement is not in the roster as sent")]
    OwnAdvertisement,
    /// An advertisement is not signed by the certificate it names.
    #[error("TAC-023: advertisement {0} is not signed by its certificate")]
    AdvertisementSignature(u16),
    /// A certificate is missing, invalid, revoked, or not the one named.
    #[error("TAC-024: certificate of roster entry {0}: {1}")]
    Certificate(u16, String),
    /// The entries sent are not the neighbours that the graph rule gives.
    #[error("TAC-025: the entries sent are not this client's neighbourhood")]
    Neighbourhood,
    /// A public key yields no shared secret (small order).
    #[error("TAC-026: public key of roster entry {0} is of small order")]
    WeakKey(u16),
    /// A KEM key is of the wrong length, or not reduced.
    #[error("TAC-027: a KEM key of roster entry {0} is malformed")]
    KemKey(u16),
    /// The sharers list is malformed.
    #[error("TAC-030: the sharers list is malformed: {0}")]
    Sharers(&'static str),
    /// A sharer entry is not under the sharers root, or not signed by the dealer.
    #[error("TAC-031: sharer entry {0} does not verify")]
    SharerEntry(u16),
    /// The client itself is not among the sharers, or with other values than it sent.
    #[error("TAC-032: this client is not in the sharers list as it shared")]
    NotASharer,
    /// Fewer than t holders of this client's shares are sharers.
    #[error("TAC-033: only {0} holders of this client's shares are sharers, {1} are needed")]
    TooFewHolders(u16, u16),
    /// The update does not fit the manifest.
    #[error("TAC-034: the update does not fit the manifest: {0}")]
    Update(&'static str),
    /// A server-side check of shares sent: boxes are missing, doubled or of the wrong size.
    #[error("TAC-035: the shares sent are malformed: {0}")]
    Shares(&'static str),
    /// Ciphertexts are of the wrong length, or not those under the signed share root.
    #[error("TAC-036: the ciphertexts dealt are not those of the share root")]
    Ciphertexts,
    /// A mask ciphertext of a neighbour in U1 is missing, or not the committed one.
    #[error("TAC-037: no committed mask ciphertext of dealer {0}")]
    MaskCiphertext(u16),
    /// An upload ends without the anchor of its noise, or with one where the noise has no layers.
    #[error("TAC-039: the upload has no noise anchor, or one that the round does not ask for")]
    NoiseAnchor,
    /// An upload chunk is out of order or of the wrong size.
    #[error("TAC-040: upload chunk {0} is out of order or of the wrong size")]
    Chunk(u32),
    /// The upload's signed digest does not match its bytes.
    #[error("TAC-041: the upload's signature does not match its bytes")]
    UploadSignature,
    /// The server asks for a part of an upload that there is not.
    #[error("TAC-042: there is no upload to go on with from chunk {0}")]
    Resume(u32),
    /// The server cannot store a dealing or an upload in flight.
    #[error("TAC-043: what was sent cannot be stored: {0}")]
    NoRoom(SpoolError),
    /// A survivors bitmap is malformed or not within U1.
    #[error("TAC-050: the survivors list is malformed: {0}")]
    Survivors(&'static str),
    /// The client itself is not a survivor: it neither signs nor reveals.
    #[error("TAC-051: this client is not in the survivors list")]
    NotASurvivor,
    /// Fewer survivors than the manifest's minimum.
    #[error("TAC-052: {0} survivors are fewer than the {1} of the manifest")]
    TooFewSurvivors(u16, u16),
    /// The client already signed another statement in this round.
    #[error("TAC-053: another statement was signed in this round")]
    SecondStatement,
    /// A statement signature does not verify.
    #[error("TAC-054: a statement signature does not verify")]
    StatementSignature,
    /// Fewer than Q distinct signatures.
    #[error("TAC-055: {0} signatures on the statement, {1} are needed")]
    NoQuorum(u16, u16),
    /// On the ring: fewer than t signatures of own neighbours.
    #[error("TAC-056: {0} signatures of own neighbours, {1} are needed")]
    NoLocalQuorum(u16, u16),
    /// The certificate of a signer was never shown.
    #[error("TAC-057: no valid certificate for signer {0}")]
    UnknownSigner(u16),
    /// The charge entry is not for the statement this client signed.
    #[error("TAC-060: the charge in the ledger is not for the signed statement")]
    Charge,
    /// A ledger entry is not included under the checkpoint.
    #[error("TAC-061: a ledger entry is not included under the checkpoint")]
    LedgerInclusion,
    /// The client's own upload is not among those that the charge names.
    #[error("TAC-062: this client's upload is not among those of the published survivors")]
    NotInTranscript,
    /// Noise levels, or the variances of their layers, are not those that follow from n, c, m and the share.
    #[error("TAC-063: the noise levels are not those of such a round")]
    NoiseLevels,
    /// A revealed noise seed does not lead to the anchor of the upload, or none came: the surplus of that survivor stays.
    #[error(
        "TAC-064: survivor {0} revealed no seed of its surplus noise, or not the one that it committed to"
    )]
    NoiseSeed(u16),
    /// A message came in a state that does not expect it.
    #[error("TAC-070: message {0} is not expected in this phase")]
    Unexpected(&'static str),
    /// The sender is not a member of this round.
    #[error("TAC-071: the sender is not a member of this round")]
    NotAMember,
    /// The same message came again with other bytes.
    #[error("TAC-072: a message came again with other bytes")]
    Changed,
    /// A revealed share is not the one the dealer committed to: the holder is to blame.
    #[error("TAC-073: the share of dealer {dealer} revealed by holder {holder} is not the committed one")]
    ShareCommitment {
        /// Roster index of the dealer.
        dealer: u16,
        /// Roster index of the holder, who is to blame.
        holder: u16,
    },
    /// The cosignature sent along with the reveal does not verify.
    #[error("TAC-074: the checkpoint cosignature does not verify")]
    Cosignature,
    /// The server's own limits: the cohort is full.
    #[error("TAC-075: the cohort is full")]
    CohortFull,
    /// The server sent the message that was acted on last once more, with other bytes.
    #[error("TAC-076: message {0} came again with other bytes")]
    Repeated(&'static str),
    /// A hello names an attempt that is not running, or that its sender is not in any more.
    #[error("TAC-077: that attempt is over for this client")]
    NotRunning,
    /// A list of signers is malformed.
    #[error("TAC-080: the list of signers is malformed: {0}")]
    Signers(&'static str),
    /// A list of signers was already fixed in this round.
    #[error("TAC-081: a list of signers was already fixed in this round")]
    SecondSigners,
    /// The signatures shown are not those drawn, or not under the root that was fixed.
    #[error("TAC-082: the signatures shown are not those drawn from the list")]
    NotDrawn,
    /// The draws are not as many distinct signers as they must be.
    #[error("TAC-083: the draws are not {sample} signers of the list", sample = crate::limits::SAMPLE)]
    Draws,
}

/// What the consent policy forbids.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConsentRefusal {
    /// The task is not allowed.
    #[error("task '{0}' is not in the allowed list")]
    Task(String),
    /// The minimum number of survivors is below the floor.
    #[error("minimum survivors {0} is below the floor {1}")]
    SmallestCohort(u16, u16),
    /// Honest survivors m - c are below the floor.
    #[error("honest survivors m - c = {0} are below the floor {1}")]
    HonestSurvivors(u16, u16),
    /// The number of colluders protected against is below the floor.
    #[error("protects against {0} colluders, the floor is {1}")]
    Colluders(u16, u16),
    /// The noise is below the floor.
    #[error("the guaranteed noise is below the floor {0} x clip")]
    Noise(String),
    /// No noise at all, and the policy demands some.
    #[error("no noise, and the policy does not allow unprotected rounds")]
    Unprotected,
    /// Masks that a later computation of discrete logarithms would open.
    #[error("masks without ML-KEM-768, and the policy demands it")]
    Classical,
    /// The round protects another unit than this participant consented to.
    #[error("the round protects single {0}s, and the policy does not allow that unit")]
    Unit(PrivacyUnit),
    /// The clip norm is above the cap.
    #[error("clip norm {0} is above the cap {1}")]
    Clip(String, String),
}

/// Why the server ends a round without a result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Abort {
    /// Too few advertised.
    #[error("{0} advertised, {1} are needed")]
    TooFewMembers(u16, u16),
    /// Too few shared.
    #[error("{0} shared their secrets, {1} are needed")]
    TooFewSharers(u16, u16),
    /// Too few uploaded.
    #[error("{0} uploaded, {1} are needed")]
    TooFewSurvivors(u16, u16),
    /// A dealing or a whole upload did not come back from where it was stored as it went in; the sum may hold a part of an
    /// upload.
    #[error("what member {0} sent cannot be read back: {1}")]
    Spool(u16, SpoolError),
    /// Too few signed the statement.
    #[error("{0} signed the statement, {1} are needed")]
    NoQuorum(u16, u16),
    /// A secret cannot be rebuilt from the shares revealed, or could not even if every signer revealed.
    #[error(
        "the secret of member {dealer} ('{name}') cannot be rebuilt: {have} of {need} shares can be had; {wrong} holders \
         answered wrongly, {suspect} boxes did not open"
    )]
    TooFewShares {
        /// Roster index of the member whose secret is missing.
        dealer: u16,
        /// Its name.
        name: String,
        /// Shares revealed, or that the signers could reveal.
        have: u16,
        /// Threshold.
        need: u16,
        /// Holders that revealed a share other than the committed one (TAC-073). They are to blame, not the dealer.
        wrong: u16,
        /// Boxes from this dealer that holders reported as not opening.
        suspect: u16,
    },
    /// Good leaves interpolate to a value that the dealer did not commit to.
    #[error("member {dealer} ('{name}') dealt shares of another secret than it committed to")]
    DishonestDealer {
        /// Roster index of the dealer.
        dealer: u16,
        /// Its name.
        name: String,
    },
    /// The decoded mean is implausible under the manifest (clip plus noise tail).
    #[error("the decoded mean is outside what clipped updates and noise can give")]
    Implausible,
    /// The operator stopped the round.
    #[error("stopped by the operator")]
    Stopped,
}

/// A caller inside this process used a room wrongly.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misuse {
    /// A value handed in does not fit the round's parameters.
    #[error("{0}")]
    Argument(&'static str),
    /// An algebra operation refused its arguments.
    #[error("algebra: {0}")]
    Algebra(String),
    /// Encoding failed.
    #[error("a message could not be encoded")]
    Encoding,
    /// A key operation of the cryptographic library failed.
    #[error("key operation failed")]
    Key,
}

/// What a handler of either side may answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RoundError {
    /// Bytes that do not parse.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The peer broke a rule.
    #[error(transparent)]
    Refusal(#[from] Refusal),
    /// The round cannot go on.
    #[error(transparent)]
    Abort(#[from] Abort),
    /// Our own caller erred.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

impl From<ConsentRefusal> for Refusal {
    fn from(value: ConsentRefusal) -> Self {
        Self::Consent(value)
    }
}
