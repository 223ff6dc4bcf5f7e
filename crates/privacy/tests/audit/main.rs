//! Attacks on the real pipeline, clip to sum of shares, that must fail; and on mutants of it, that must succeed.
//!
//! An attack can refute a promise, never prove one. `round` is the pipeline and its mutants (half the noise, a share that is
//! missing, noise made for a sensitivity without rounding, seeds used twice). `adjacent` compares rounds with and without one client,
//! `silence` looks at the noise of rounds in which nobody says anything, `edge` at vectors that are hard to round. Every mutant
//! is caught by one of them, with a probability of false alarm that is written beside the test.

// A failed assumption in a test is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

mod adjacent;
mod edge;
mod round;
mod silence;
mod statistics;
