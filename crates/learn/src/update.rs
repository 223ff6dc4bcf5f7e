//! Where a delta enters the privacy pipeline: the only use of `tacita-privacy` in this crate.

use tacita_privacy::{Alongside, JointTerms, LocalFigures, LocalUpdate};

use crate::evaluate::Evaluation;
use crate::model::GlobalModel;
use crate::train::{TrainConfig, TrainError, Trainer};

impl Trainer {
    /// Trains from `global` and gives local - global, for the mean over clients that count alike.
    ///
    /// `seed` orders the batches; the client draws it anew for every round. CPU-bound: call it on a worker thread; any number of
    /// threads may train at once.
    ///
    /// # Errors
    /// [`TrainError`], none of which depends on what the examples say: a delta that is not finite is zero.
    pub fn train(
        &self,
        global: &GlobalModel,
        config: &TrainConfig,
        seed: u64,
    ) -> Result<LocalUpdate, TrainError> {
        Ok(LocalUpdate::new(self.delta(global, config, seed)?)?)
    }

    /// One vector for each of `rows` (from 0, below [`Trainer::examples`]), in order: -(step size) x the gradient of that record's loss. For the
    /// record unit, where each is clipped and rounded alone.
    ///
    /// # Errors
    /// [`TrainError::NotByRecord`] unless the settings ask for a gradient a record; others as [`Trainer::train`], but none for a gradient that is
    /// not finite, which counts as zero.
    pub fn record_updates(
        &self,
        global: &GlobalModel,
        config: &TrainConfig,
        rows: &[u32],
    ) -> Result<Vec<LocalUpdate>, TrainError> {
        let deltas = self.record_deltas(global, config, rows)?.into_iter();
        Ok(deltas.map(LocalUpdate::new).collect::<Result<_, _>>()?)
    }

    /// As [`Trainer::train`], with what travels beside the delta as masked and noised coordinates: this client's number of examples and its
    /// `figures` on `global`, as far as the terms ask for them.
    ///
    /// # Errors
    /// As [`Trainer::train`].
    pub fn train_joint(
        &self,
        global: &GlobalModel,
        config: &TrainConfig,
        terms: &JointTerms,
        figures: LocalFigures,
        seed: u64,
    ) -> Result<LocalUpdate, TrainError> {
        let delta = self.delta(global, config, seed)?;
        let beside = Alongside {
            examples: self.examples() as u64,
            figures,
        };
        Ok(LocalUpdate::joint(delta, terms, beside)?)
    }
}

impl From<&Evaluation> for LocalFigures {
    /// Loss, and accuracy or R squared.
    fn from(evaluation: &Evaluation) -> Self {
        Self {
            loss: Some(evaluation.loss()),
            score: evaluation.score(),
        }
    }
}
