//! Models, data sets, local training and evaluation on burn.
//!
//! Data comes from the copies embedded in this crate ([`heart`], [`digits`]) or from a participant's own
//! CSV file ([`csv`]) and becomes a [`Dataset`]. A client hands its data set and the global model to a [`Trainer`],
//! which gives back the update as a `LocalUpdate`, the first of the update types of `tacita-privacy`.
//! A server starts from [`GlobalModel::initial`], applies the mean that `tacita-privacy` decodes ([`GlobalModel::apply`])
//! and scores the result ([`evaluate()`]). Nothing here sees the network or a clock.
//!
//! Layout of every parameter vector: the tensors of [`ModelSpec::tensors`] one after the other, row-major.

pub mod baselines;
pub mod csv;
pub mod dataset;
pub mod defaults;
pub mod digits;
pub mod evaluate;
pub mod federation;
pub mod heart;
pub mod instructions;
pub mod model;
mod model_file;
mod network;
pub mod partition;
mod shuffle;
pub mod simulation;
pub mod train;
mod update;

pub use dataset::{Dataset, DatasetError, HeldOut, Labels, Task};
pub use defaults::{Defaults, EmbeddedData};
pub use evaluate::{Evaluation, evaluate};
pub use federation::{Federation, FederationError, Member};
pub use instructions::{Instructions, InstructionsError};
pub use model::{GlobalModel, ModelError, ModelSpec};
pub use partition::{Partition, PartitionError};
pub use train::{Algorithm, TrainConfig, TrainError, Trainer};
