//! What a federation is compared with: one model on all records pooled, and one model a site on its own records.

use crate::dataset::{Dataset, DatasetError, HeldOut, Task};
use crate::evaluate::{EvaluateError, Evaluation, evaluate};
use crate::model::{GlobalModel, ModelError, ModelSpec};
use crate::train::{Algorithm, MAX_EPOCHS, TrainConfig, TrainError, Trainer};

/// Why a baseline is missing.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The sites cannot be joined.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The score failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
}

/// Scores on the held-out fifths of all sites together, and site by site.
#[derive(Debug, Clone, PartialEq)]
pub struct Baselines {
    /// One model on all training records, scored on all held-out records.
    pub pooled: Evaluation,
    /// The pooled model on each site's held-out records.
    pub pooled_by_site: Vec<Evaluation>,
    /// Each site's own model on its own held-out records.
    pub local_by_site: Vec<Evaluation>,
}

impl Baselines {
    /// Share of all held-out records that the sites' own models get right; `None` for a regression.
    pub fn local_accuracy(&self) -> Option<f64> {
        weighted_accuracy(&self.local_by_site)
    }
}

/// Trains both on full batches: `steps` steps each, at one learning rate (its epochs and batch size are not used).
///
/// # Errors
/// [`BaselineError`].
pub fn baselines(
    spec: ModelSpec,
    sites: &[HeldOut],
    config: &TrainConfig,
    steps: u32,
    seed: u64,
) -> Result<Baselines, BaselineError> {
    let pooled = Dataset::concat(sites.iter().map(|site| &site.train))?;
    let held_out = Dataset::concat(sites.iter().map(|site| &site.held_out))?;
    let model = alone(spec, &pooled, config, steps, seed)?;
    let mut pooled_by_site = Vec::new();
    let mut local_by_site = Vec::new();
    for site in sites {
        pooled_by_site.push(evaluate(&model, &site.held_out)?);
        local_by_site.push(evaluate(
            &alone(spec, &site.train, config, steps, seed)?,
            &site.held_out,
        )?);
    }
    Ok(Baselines {
        pooled: evaluate(&model, &held_out)?,
        pooled_by_site,
        local_by_site,
    })
}

/// A model trained on one data set alone, from the same start as the global model.
fn alone(
    spec: ModelSpec,
    data: &Dataset,
    config: &TrainConfig,
    steps: u32,
    seed: u64,
) -> Result<GlobalModel, BaselineError> {
    let trainer = Trainer::new(spec, data)?;
    let mut model = GlobalModel::initial(spec, seed)?;
    let mut left = steps;
    while left > 0 {
        let epochs = left.min(MAX_EPOCHS);
        let config = TrainConfig {
            algorithm: Algorithm::FedAvg,
            epochs,
            batch: 0,
            ..*config
        };
        model = model.apply(&trainer.delta(&model, &config, seed)?, 1.0)?;
        left -= epochs;
    }
    Ok(model)
}

fn weighted_accuracy(scores: &[Evaluation]) -> Option<f64> {
    let (mut right, mut all) = (0.0, 0.0);
    for score in scores {
        let Evaluation::Classification {
            examples, accuracy, ..
        } = score
        else {
            return None;
        };
        right += accuracy * *examples as f64;
        all += *examples as f64;
    }
    (all > 0.0).then(|| right / all)
}

/// The share of the most frequent label: what a model that ignores the features reaches. `None` for a regression.
pub fn majority_share(data: &Dataset) -> Option<f64> {
    let (crate::dataset::Labels::Class { values, .. }, Task::Classification { classes }) =
        (data.labels(), data.task())
    else {
        return None;
    };
    let mut counts = vec![0_u32; classes];
    for &value in values {
        counts[value as usize] += 1;
    }
    counts
        .iter()
        .max()
        .map(|&most| f64::from(most) / data.rows() as f64)
}
