//! What releases cost: Renyi curves, privacy loss distributions, zero-concentrated and Gaussian privacy, always rounded up.
//!
//! A [`Release`] (integers from a manifest) becomes an [`RdpCurve`]; curves add up; a curve becomes an epsilon at a delta.
//!
//! **Which accountant when.** Renyi curves hold for releases chosen adaptively at fixed parameters, and a [`crate::BudgetFilter`] on one
//! order also for parameters chosen after seeing results: the filter alone decides at run time. A privacy loss distribution
//! ([`pld`]) is tighter and covers a schedule fixed beforehand only: plans and final reports of one, never a decision
//! on whether to go on.

pub mod calibration;
mod concentrated;
pub mod conversion;
pub mod distributed;
pub mod domain;
pub mod gaussian;
mod gaussian_release;
pub mod law;
mod normal;
mod orders;
pub mod pld;
mod rdp;
mod release;
pub mod renyi;
pub mod repeated;
mod sampled;
pub mod sampling;
pub mod schedule;
pub mod tree;

#[cfg(test)]
mod tests;

pub use concentrated::Concentrated;
pub use gaussian_release::DiscreteGaussianRelease;
pub use orders::{FineOrders, IntegerOrders, ORDERS, OrderGrid};
pub use rdp::{AccountError, RdpCurve, RenyiCurve};
pub use release::{Adversary, Release, SkellamRelease, delta_total};
pub use sampled::{SampledRelease, Unsampled};

#[cfg(test)]
pub(crate) use rdp::made;

pub(crate) use normal::{ln_binomial, upper_tail as normal_tail};
pub(crate) use rdp::{delta_for_rdp, log_terms};
pub(crate) use release::sampler_delta;
