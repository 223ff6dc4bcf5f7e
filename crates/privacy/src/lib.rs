//! Clip, rotate, round, noise, decode; accountants and budgets.
//!
//! A vector of floats enters as [`LocalUpdate`] and leaves as [`NoisedUpdate`], integers mod 2^b that already carry this
//! client's share of the noise. Each step consumes the one before, so none can be skipped or repeated:
//!
//! ```text
//! LocalUpdate --clip--> ClippedUpdate --encode(&Headroom)--> EncodedUpdate --noise(&mut BudgetTicket)--> NoisedUpdate
//! sum of many NoisedUpdates (unmasked by the protocol) --> DecodedMean
//! ```
//!
//! In the record unit the first three are walked by every sampled record alone: [`RecordSample::encode`].
//!
//! Before a round: [`Plan::calibrate`] turns a privacy target into noise, grid and ring bits, [`Headroom::prove`] shows
//! that the sum cannot wrap, and [`BudgetFilter::reserve`] gives the ticket without which no noise is drawn.
//! After it: [`RdpCurve`] says what the releases so far cost, always rounded up.
//!
//! Privacy rests on integers only: the norm of the rounded vector is checked exactly and the noise is drawn from integer
//! tables. Floats appear before that check, after unmasking, and in accounting, where every error is pushed upwards.
//! The normative text is `protocol-spec/04-privacy.md`.

pub mod account;
mod adaptive_clip;
pub mod audit;
mod budget;
mod calibrate;
mod clip_rule;
mod contribution;
mod decimal;
mod decode;
mod dynamic_range;
mod encoding;
mod headroom;
mod joint;
mod keystream;
mod layers;
mod noise;
mod noise_components;
mod noise_levels;
mod published;
mod record;
mod rotation;
mod rounding;
mod sampler;
mod sensitivity;
#[cfg(test)]
mod spec_tests;
mod tail;
mod update;
mod weighting;

pub use account::{
    AccountError, Adversary, Concentrated, DiscreteGaussianRelease, ORDERS, RdpCurve, Release,
    SampledRelease, SkellamRelease, Unsampled, delta_total,
};
pub use adaptive_clip::ClipNoiseSplit;
pub use budget::{Budget, BudgetFilter, BudgetMisuse, BudgetRefusal, BudgetState, BudgetTicket};
pub use calibrate::{Plan, PlanError, PlanRequest};
pub use clip_rule::{ClipRule, ClipRuleError};
pub use contribution::Contribution;
pub use decimal::{Decimal, DecimalError};
pub use decode::{DecodeError, DecodedMean};
pub use dynamic_range::DynamicRange;
pub use encoding::{Encoding, EncodingError};
pub use headroom::{Headroom, HeadroomError};
pub use joint::{Alongside, JointTerms, LocalFigures, MetricTerms};
pub use layers::{LayerSeeds, SurplusSeed};
pub use noise::{Mechanism, NoiseError, NoiseShare};
pub use noise_components::NoiseComponents;
pub use noise_levels::{FoundLevels, LevelsError, NoiseLevel, NoiseLevels, parse_dropouts};
pub use published::{Figure, Published, figure_error};
pub use record::{RecordError, RecordHeadroom, RecordSample, RecordTerms, RecordTermsError};
pub use sampler::NoiseSampler;
pub use sensitivity::{Adjacency, ContributionBound, IntegerSensitivity, PrivacyUnit, RoundedSensitivity};
pub use update::{ClippedUpdate, EncodeError, EncodedUpdate, LocalUpdate, NoisedUpdate, UpdateError};
pub use weighting::ExampleWeighting;
