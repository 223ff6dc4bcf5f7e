//! Ring vectors, bit packing, the scalar field, Shamir sharing and canonical hashing.
//!
//! The bottom room of the house: it knows nothing of rounds, clients or networks, reads no clock and draws no
//! randomness of its own (a generator is always an argument).
//!
//! - An encoded update enters as signed integers ([`RingVector::from_signed`]), is masked through
//!   [`RingVector::words_mut`], and leaves bit-packed in chunks ([`RingVector::pack`]). The server walks the
//!   same way back ([`RingVector::unpack_into`], [`RingVector::add_assign`], [`RingVector::to_signed`]).
//! - The two secrets of a client are [`SecretScalar`]s. [`shamir::split`] turns one into a value for each holder,
//!   [`shamir::Interpolator`] turns enough of those back into the secret.
//! - Everything that is signed, committed to or derived from goes through [`TaggedHash`], whose encoding is
//!   injective.

mod error;
mod hash;
mod packing;
mod ring;
mod scalar;
pub mod shamir;
mod wide;

pub use error::AlgebraError;
pub use hash::TaggedHash;
pub use ring::{RingBits, RingVector, Words, WordsMut};
pub use scalar::SecretScalar;
