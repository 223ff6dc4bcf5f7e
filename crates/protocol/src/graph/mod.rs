//! Who shares a pairwise mask with whom: the neighbour graph of a round and the numbers that come with it.
//!
//! - [`RoundParameters::derive`] gives graph, k, t and Q from the three counts n, c and m of a manifest. Every party
//!   computes it for itself; nothing here is taken from the server.
//! - [`published_rule`] is the sparse-graph rule of Bell et al. 2020 as published with FCP, used above 1,000 clients with one more
//!   condition, for a server that chooses who drops out.
//! - [`Neighbourhood`] is the graph itself over roster indices, seeded by the roster root.
//!
//! Everything is decided in integers: a probability is an enclosure by two integers over a power of two, and where a
//! bound falls between the two the exact fraction decides (`tail.rs`). There is no floating point in this folder.
//!
//! The normative text is `protocol-spec/03-graph.md`.

#[cfg(test)]
mod chosen_tests;
mod enclosure;
mod fraction;
mod neighbourhood;
mod parameters;
mod published;
mod tail;

pub use fraction::{Fraction, FractionError};
pub use neighbourhood::{Neighbourhood, NeighbourhoodError, PERMUTATION_LABEL};
pub use parameters::{
    COMPLETE_MAX, GraphKind, MAX_CLIENTS, MIN_CLIENTS, PERMUTATION_FREE_MAX, ParameterError, ROUND_BITS,
    RoundParameters,
};
pub use published::{ServerModel, SparseGraph, StatisticalBits, published_rule};
