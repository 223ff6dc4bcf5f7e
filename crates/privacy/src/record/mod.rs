//! The record unit: privacy of one record of one client, add/remove adjacency.
//!
//! ```text
//! RecordTerms (public) --RecordHeadroom::prove--> RecordHeadroom
//! RecordSample::draw (secret coins) --encode(&RecordHeadroom, gradients)--> EncodedUpdate --noise--> NoisedUpdate
//! ```
//!
//! Every sampled record becomes a vector of its own, which is clipped, rotated and conditionally rounded alone; the integers are
//! summed. A record that is added or removed so moves the client's sum by one rounded vector, whose integer norm was checked. What follows
//! the sum (a clamp, the noise, the ring) moves no two sums further apart. Normative: `protocol-spec/04-privacy.md` section 12.

mod headroom;
mod sample;
mod terms;

pub use headroom::RecordHeadroom;
pub use sample::{RecordError, RecordSample};
pub use terms::{RecordTerms, RecordTermsError};
