//! What can be wrong with an argument, one variant per cause.

use thiserror::Error;

/// Why an operation of this crate refused its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AlgebraError {
    /// The ring is Z/2^b with 8 <= b <= 62.
    #[error("ring bits must lie in 8..=62, got {0}")]
    RingBits(u8),
    /// Two vectors of different rings were combined.
    #[error("vectors of different rings: {left} and {right} bits")]
    RingMismatch {
        /// Bits of the vector that would have been changed.
        left: u8,
        /// Bits of the other one.
        right: u8,
    },
    /// Two vectors of different lengths were combined.
    #[error("vectors of different lengths: {left} and {right}")]
    LengthMismatch {
        /// Coordinates of the vector that would have been changed.
        left: usize,
        /// Coordinates of the other one.
        right: usize,
    },
    /// A chunk does not lie inside the vector.
    #[error("chunk of {count} coordinates at {start} leaves a vector of {len}")]
    OutOfRange {
        /// First coordinate of the chunk.
        start: usize,
        /// Coordinates in the chunk.
        count: usize,
        /// Coordinates in the vector.
        len: usize,
    },
    /// A packed chunk does not have the one length its coordinate count allows.
    #[error("packed chunk must be {expected} bytes long, got {got}")]
    PackedLength {
        /// Bytes that the coordinate count calls for.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The bits after the last coordinate of a packed chunk are not all zero.
    #[error("spare bits of a packed chunk must be zero")]
    SpareBits,
    /// The bytes are not the one canonical encoding of a scalar (little-endian, below the group order).
    #[error("scalar encoding is not canonical")]
    NonCanonicalScalar,
    /// The abscissa zero belongs to the secret itself.
    #[error("abscissa zero is the secret")]
    ZeroAbscissa,
    /// Two holders would receive the same value.
    #[error("abscissa {0} occurs twice")]
    DuplicateAbscissa(u16),
    /// There is nothing to interpolate.
    #[error("no abscissae")]
    NoAbscissae,
    /// A threshold below two hands the secret to every holder; one above the holders loses it.
    #[error("threshold must lie in 2..={holders}, got {threshold}")]
    Threshold {
        /// Threshold asked for.
        threshold: usize,
        /// Holders given.
        holders: usize,
    },
    /// An interpolator needs exactly one value for each of its abscissae.
    #[error("interpolation needs {needed} values, got {given}")]
    ShareCount {
        /// Abscissae of the interpolator.
        needed: usize,
        /// Values given.
        given: usize,
    },
}
