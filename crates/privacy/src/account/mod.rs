//! What releases cost: Renyi differential privacy, always rounded up.
//!
//! A [`Release`] (integers from a manifest) becomes an [`RdpCurve`]; curves add up; a curve becomes an epsilon at a delta.

mod rdp;
mod release;

#[cfg(test)]
mod tests;

pub use rdp::{AccountError, ORDERS, RdpCurve};
pub use release::{Adversary, Release, SkellamRelease, delta_total};

pub(crate) use rdp::{delta_for_rdp, log_terms};
pub(crate) use release::sampler_delta;
