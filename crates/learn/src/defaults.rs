//! Settings that work for the embedded data, found with `examples/fedavg.rs`.

use core::str::FromStr;

use crate::model::ModelSpec;
use crate::train::{Algorithm, TrainConfig};
use crate::{digits, heart};

/// A data set that ships with this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddedData {
    /// Four hospitals, one client each.
    Heart,
    /// Handwritten digits, split over any number of clients.
    Digits,
}

/// A name that is no embedded data set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the embedded data sets are \"heart\" and \"digits\"")]
pub struct UnknownData;

impl FromStr for EmbeddedData {
    type Err = UnknownData;

    fn from_str(text: &str) -> Result<Self, UnknownData> {
        match text {
            "heart" => Ok(Self::Heart),
            "digits" => Ok(Self::Digits),
            _ => Err(UnknownData),
        }
    }
}

/// Settings of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defaults {
    /// The model.
    pub spec: ModelSpec,
    /// Rounds.
    pub rounds: u32,
    /// Clients of a demonstration.
    pub clients: usize,
    /// Local training.
    pub train: TrainConfig,
    /// Factor of the mean delta.
    pub server_learning_rate: f32,
    /// Clip norm of an update.
    pub clip_norm: f32,
}

impl Defaults {
    /// The settings for one of the embedded data sets.
    pub fn for_dataset(data: EmbeddedData) -> Self {
        match data {
            EmbeddedData::Digits => Self {
                spec: ModelSpec::Softmax {
                    inputs: digits::COLUMNS,
                    classes: digits::CLASSES,
                },
                rounds: 30,
                clients: 500,
                train: TrainConfig {
                    algorithm: Algorithm::FedAvg,
                    epochs: 5,
                    batch: 0,
                    learning_rate: 2.0,
                    gradient_clip: None,
                },
                server_learning_rate: 1.0,
                clip_norm: 2.0,
            },
            EmbeddedData::Heart => Self {
                spec: ModelSpec::Softmax {
                    inputs: heart::COLUMNS,
                    classes: heart::CLASSES,
                },
                rounds: 30,
                clients: heart::SITES.len(),
                train: TrainConfig {
                    algorithm: Algorithm::FedAvg,
                    epochs: 5,
                    batch: 0,
                    learning_rate: 0.1,
                    gradient_clip: None,
                },
                server_learning_rate: 1.0,
                clip_norm: 1.0,
            },
        }
    }
}
