//! Local training: from the global model to a client's delta.

use core::sync::atomic::{AtomicBool, Ordering};

use burn::optim::{Optimizer, Sgd, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::model::{GlobalModel, ModelError, ModelSpec};
use crate::network::{self, ReadError};
use crate::shuffle::{generator, permutation};

/// Most local epochs.
pub const MAX_EPOCHS: u32 = 1_000;

/// Most steps of one training call: a bound on what a server's settings can make a client compute.
pub const MAX_STEPS: u64 = 100_000;

/// How a delta comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Local epochs of SGD; the delta is local - global (McMahan et al. 2017, algorithm 1).
    #[default]
    FedAvg,
    /// One step on the gradient of all local examples; epochs and batch size do not count.
    FedSgd,
}

/// Settings of local training, the same for all clients of a task.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How the delta comes about.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Passes over the local examples, 1 to [`MAX_EPOCHS`].
    pub epochs: u32,
    /// Examples a step; 0 takes all of them at once.
    pub batch: u32,
    /// Step size, finite and positive; steps use the mean gradient of their batch.
    pub learning_rate: f32,
    /// Largest Euclidean norm of a batch's mean gradient over all parameters; longer ones are shortened to it.
    #[serde(default)]
    pub gradient_clip: Option<f32>,
}

impl TrainConfig {
    /// # Errors
    /// [`TrainError::Config`] names the setting that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        let positive = |value: f32| value.is_finite() && value > 0.0;
        if !(1..=MAX_EPOCHS).contains(&self.epochs) {
            Err(TrainError::Config("epochs"))
        } else if !positive(self.learning_rate) {
            Err(TrainError::Config("learning rate"))
        } else if self.gradient_clip.is_some_and(|clip| !positive(clip)) {
            Err(TrainError::Config("gradient clip"))
        } else {
            Ok(())
        }
    }

    /// (epochs, examples a step) for a client with that many examples.
    fn schedule(&self, examples: usize) -> (u32, usize) {
        match self.algorithm {
            Algorithm::FedSgd => (1, examples),
            Algorithm::FedAvg if self.batch == 0 => (self.epochs, examples),
            Algorithm::FedAvg => (self.epochs, examples.min(self.batch as usize)),
        }
    }

    /// Steps that a client with that many examples (at least 1) takes.
    pub fn steps(&self, examples: usize) -> u64 {
        let (epochs, batch) = self.schedule(examples);
        u64::from(epochs).saturating_mul(examples.div_ceil(batch.max(1)) as u64)
    }
}

/// Why training failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// A setting is out of range.
    #[error("the training setting \"{0}\" is out of range")]
    Config(&'static str),
    /// More records at a time than [`MAX_STEPS`].
    #[error("{0} records are asked for at a time, {MAX_STEPS} are allowed")]
    Records(u64),
    /// Only one gradient of a record depends on that record alone; epochs, batches and a clip of their mean do not.
    #[error(
        "single records are protected by one gradient each: this needs the algorithm fed-sgd, and no gradient clip \
         beside the clip norm of a record"
    )]
    NotByRecord,
    /// The data has other columns or labels than the model.
    #[error("the model {0} does not fit the data")]
    Data(ModelSpec),
    /// The global model is not the one the trainer was made for.
    #[error("the global model is {found}, the trainer was made for {expected}")]
    Model {
        /// The trainer's.
        expected: ModelSpec,
        /// The one handed over.
        found: ModelSpec,
    },
    /// burn failed.
    #[error(transparent)]
    Backend(#[from] ReadError),
    /// The privacy pipeline refused the delta.
    #[error(transparent)]
    Update(#[from] tacita_privacy::UpdateError),
    /// A global model could not be built.
    #[error(transparent)]
    Step(#[from] ModelError),
}

/// A client's examples as tensors, made once and used in every round, from any thread.
pub struct Trainer {
    spec: ModelSpec,
    rows: usize,
    device: Device,
    inputs: Tensor<2>,
    targets: Tensor<2>,
    sgd: Sgd,
    fell_short: AtomicBool,
}

impl core::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Trainer({}, {} examples)", self.spec, self.rows)
    }
}

impl Trainer {
    /// # Errors
    /// [`TrainError::Data`] if columns or labels do not fit the model; [`TrainError::Step`] for a model out of range.
    pub fn new(spec: ModelSpec, data: &Dataset) -> Result<Self, TrainError> {
        let spec = spec.validated()?;
        if data.columns() != spec.inputs() || data.task() != spec.task() {
            return Err(TrainError::Data(spec));
        }
        let device = network::device();
        Ok(Self {
            spec,
            rows: data.rows(),
            inputs: network::inputs(data, &device),
            targets: network::targets(data, &device),
            device,
            sgd: SgdConfig::new().build(),
            fell_short: AtomicBool::new(false),
        })
    }

    /// Whether a training since the last call gave zero because its parameters grew out of all bounds, or stopped at [`MAX_STEPS`]. For the
    /// participant's eyes alone: it depends on the data, as much as the update does.
    pub fn fell_short(&self) -> bool {
        self.fell_short.swap(false, Ordering::Relaxed)
    }

    /// The model this trainer trains.
    pub fn spec(&self) -> ModelSpec {
        self.spec
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.rows
    }

    /// local - global after training. `seed` orders the batches; same arguments, same bits on one machine.
    ///
    /// Whether training works must not show, as it depends on the data (spec 04 section 3): a delta that is not finite is zero, and training
    /// ends after [`MAX_STEPS`] steps, which only the number of examples may ask for.
    ///
    /// Not public: outside this crate a delta exists as a `LocalUpdate` alone.
    pub(crate) fn delta(
        &self,
        global: &GlobalModel,
        config: &TrainConfig,
        seed: u64,
    ) -> Result<Vec<f32>, TrainError> {
        config.check()?;
        if global.spec() != self.spec {
            return Err(TrainError::Model {
                expected: self.spec,
                found: global.spec(),
            });
        }
        let mut parameters = network::parameters(self.spec, global.values(), &self.device);
        let mut left = MAX_STEPS;
        let mut short = config.steps(self.rows) > left;
        let (epochs, batch) = config.schedule(self.rows);
        let mut rng = generator("tacita/batches", seed);
        'epochs: for _ in 0..epochs {
            if batch == self.rows {
                // An epoch is one step, and there are fewer epochs than steps.
                let (inputs, targets) = (self.inputs.clone(), self.targets.clone());
                parameters = self.step(parameters, inputs, targets, self.rows, config)?;
                continue;
            }
            for rows in permutation(self.rows, &mut rng).chunks(batch) {
                if left == 0 {
                    break 'epochs;
                }
                left -= 1;
                // A row index fits: a data set has at most 2^26 values.
                let indices: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
                let indices =
                    Tensor::<1, Int>::from_data(TensorData::new(indices, [rows.len()]), &self.device);
                let inputs = self.inputs.clone().select(0, indices.clone());
                let targets = self.targets.clone().select(0, indices);
                parameters = self.step(parameters, inputs, targets, rows.len(), config)?;
            }
        }
        let local = network::values(parameters)?;
        let mut delta: Vec<f32> = local
            .iter()
            .zip(global.values())
            .map(|(local, global)| local - global)
            .collect();
        if !delta.iter().all(|value| value.is_finite()) {
            delta.fill(0.0);
            short = true;
        }
        self.fell_short.fetch_or(short, Ordering::Relaxed);
        Ok(delta)
    }

    /// -(step size) x the gradient of the loss of each of `rows` alone, in order, by the parameters of the global model. One vector depends on
    /// one record: one that is not finite becomes zero, as no other record may decide whether it counts.
    ///
    /// Not public, as [`Trainer::delta`].
    pub(crate) fn record_deltas(
        &self,
        global: &GlobalModel,
        config: &TrainConfig,
        rows: &[u32],
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        config.check()?;
        if config.algorithm != Algorithm::FedSgd || config.gradient_clip.is_some() {
            return Err(TrainError::NotByRecord);
        }
        if global.spec() != self.spec {
            return Err(TrainError::Model {
                expected: self.spec,
                found: global.spec(),
            });
        }
        if rows.len() as u64 > MAX_STEPS {
            return Err(TrainError::Records(rows.len() as u64));
        }
        let parameters = network::parameters(self.spec, global.values(), &self.device);
        let delta_of = |row: u32| {
            let index = Tensor::<1, Int>::from_data(TensorData::new(vec![i64::from(row)], [1]), &self.device);
            let inputs = self.inputs.clone().select(0, index.clone());
            let targets = self.targets.clone().select(0, index);
            let (_, gradients) = self.gradients(parameters.clone(), inputs, targets)?;
            let mut delta = network::values(gradients)?;
            delta.iter_mut().for_each(|value| *value *= -config.learning_rate);
            if !delta.iter().all(|value| value.is_finite()) {
                delta.fill(0.0);
            }
            Ok(delta)
        };
        rows.iter().map(|&row| delta_of(row)).collect()
    }

    /// The parameters as leaves, and the gradient of the summed loss by each.
    fn gradients(
        &self,
        parameters: Vec<Tensor<2>>,
        inputs: Tensor<2>,
        targets: Tensor<2>,
    ) -> Result<(Vec<Tensor<2>>, Vec<Tensor<2>>), TrainError> {
        let leaves: Vec<Tensor<2>> = parameters
            .into_iter()
            .map(|tensor| tensor.autodiff().require_grad())
            .collect();
        let loss = network::summed_loss(self.spec, network::outputs(&leaves, inputs), targets);
        let mut gradients = loss.backward();
        let gradients = leaves
            .iter()
            .map(|leaf| leaf.grad_remove(&mut gradients))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| ReadError("a parameter has no gradient".to_owned()))?;
        Ok((leaves, gradients))
    }

    /// One SGD step on one batch.
    fn step(
        &self,
        parameters: Vec<Tensor<2>>,
        inputs: Tensor<2>,
        targets: Tensor<2>,
        rows: usize,
        config: &TrainConfig,
    ) -> Result<Vec<Tensor<2>>, TrainError> {
        let (leaves, gradients) = self.gradients(parameters, inputs, targets)?;
        // The loss is a sum; its mean is taken here, in the step size, which saves tensor operations.
        let mut scale = 1.0 / rows as f64;
        if let Some(clip) = config.gradient_clip {
            let norm = norm(&gradients)? * scale;
            if norm > f64::from(clip) {
                scale *= f64::from(clip) / norm;
            }
        }
        let rate = f64::from(config.learning_rate) * scale;
        let stepped = leaves.into_iter().zip(gradients);
        Ok(stepped
            .map(|(leaf, gradient)| self.sgd.step(rate, leaf.inner(), gradient, None).0)
            .collect())
    }
}

/// Euclidean norm over all tensors, summed in double precision.
fn norm(tensors: &[Tensor<2>]) -> Result<f64, TrainError> {
    let mut sum = 0.0;
    for tensor in tensors {
        sum += network::read(tensor.clone())?
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>();
    }
    Ok(sum.sqrt())
}

#[cfg(test)]
mod tests;
