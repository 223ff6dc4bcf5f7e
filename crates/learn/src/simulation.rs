//! Federated learning in one process, for choosing settings: no transport, no secure aggregation, and noise from a
//! floating-point sampler with a known seed. **Not a privacy mechanism**: the noise has the variance that the service adds, not its guarantee.

use rand_distr::{Distribution, Normal};

use crate::dataset::Dataset;
use crate::evaluate::{EvaluateError, Evaluation, evaluate};
use crate::model::{GlobalModel, ModelError};
use crate::shuffle::generator;
use crate::train::{TrainConfig, TrainError, Trainer};

/// Why a simulation stopped.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// No clients.
    #[error("a simulation needs at least one client")]
    NoClients,
    /// The clip norm or the noise multiplier is not finite, or is negative.
    #[error("the noise settings are out of range")]
    Noise,
    /// A client failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The step failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The noisy sum of weights is not positive.
    #[error("the sum of weights is lost in the noise")]
    WeightSum,
    /// The score failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
}

/// Clipping and central Gaussian noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CentralNoise {
    /// Largest Euclidean norm of what a client sends.
    pub clip_norm: f32,
    /// Standard deviation of each coordinate of the sum, divided by the clip norm; 0 clips only.
    pub noise_multiplier: f32,
}

/// Clients count by their number of examples: w = min(examples, cap) / cap. As in the service, a client sends (w x clipped delta, scale x w),
/// and the noise multiplier refers to the joint norm sqrt(clip norm^2 + scale^2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExampleWeights {
    /// Examples from which on a client counts fully, at least 1.
    pub cap: u32,
    /// Size of the coordinate that carries the weight, positive.
    pub scale: f32,
}

/// Settings of a simulation in which every client takes part in every round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// Local training.
    pub train: TrainConfig,
    /// How clients count; `None` for all alike.
    pub weights: Option<ExampleWeights>,
    /// Rounds.
    pub rounds: u32,
    /// Factor of the mean delta.
    pub server_learning_rate: f32,
    /// Clipping and noise; `None` for neither.
    pub noise: Option<CentralNoise>,
    /// For batches and noise.
    pub seed: u64,
}

impl Simulation {
    /// Runs all rounds and gives the last model and its score on `held_out` after every round.
    ///
    /// # Errors
    /// [`SimulationError`] from whichever part failed.
    pub fn run(
        &self,
        initial: GlobalModel,
        clients: &[Trainer],
        held_out: &Dataset,
    ) -> Result<(GlobalModel, Vec<Evaluation>), SimulationError> {
        if clients.is_empty() {
            return Err(SimulationError::NoClients);
        }
        let mut model = initial;
        let mut scores = Vec::new();
        let mut noise_rng = generator("tacita/simulated-noise", self.seed);
        for round in 0..self.rounds {
            let mut sum = vec![0.0_f64; model.spec().parameters()];
            let mut weight_sum = 0.0_f64;
            for (client, trainer) in (0_u64..).zip(clients) {
                let seed = self.seed ^ (u64::from(round) << 32) ^ client;
                let delta = trainer.delta(&model, &self.train, seed)?;
                let weight = self.weights.map_or(1.0, |weights| weights.of(trainer.examples()));
                let factor = weight
                    * self
                        .noise
                        .map_or(1.0, |noise| clip_factor(&delta, noise.clip_norm));
                sum.iter_mut()
                    .zip(delta)
                    .for_each(|(sum, value)| *sum += f64::from(value) * factor);
                weight_sum += weight;
            }
            if let Some(noise) = self.noise {
                let scale = self.weights.map_or(0.0, |weights| f64::from(weights.scale));
                let deviation = f64::from(noise.noise_multiplier) * f64::from(noise.clip_norm).hypot(scale);
                let normal = Normal::new(0.0, deviation).map_err(|_| SimulationError::Noise)?;
                sum.iter_mut()
                    .for_each(|sum| *sum += normal.sample(&mut noise_rng));
                if self.weights.is_some() {
                    weight_sum += normal.sample(&mut noise_rng) / scale;
                }
            }
            if !(weight_sum.is_finite() && weight_sum > 0.0) {
                return Err(SimulationError::WeightSum);
            }
            let mean: Vec<f32> = sum.iter().map(|sum| (sum / weight_sum) as f32).collect();
            model = model.apply(&mean, self.server_learning_rate)?;
            scores.push(evaluate(&model, held_out)?);
        }
        Ok((model, scores))
    }
}

impl ExampleWeights {
    fn of(&self, examples: usize) -> f64 {
        let cap = f64::from(self.cap.max(1));
        (examples as f64).min(cap) / cap
    }
}

/// What a vector is multiplied with so that its norm is at most `clip_norm`.
fn clip_factor(values: &[f32], clip_norm: f32) -> f64 {
    let norm = values
        .iter()
        .map(|&value| f64::from(value).powi(2))
        .sum::<f64>()
        .sqrt();
    if norm > f64::from(clip_norm) {
        f64::from(clip_norm) / norm
    } else {
        1.0
    }
}
