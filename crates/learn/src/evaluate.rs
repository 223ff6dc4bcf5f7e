//! Scoring a global model on held-out data.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Labels};
use crate::model::{GlobalModel, ModelSpec};
use crate::network::{self, ReadError};

/// Values of a hidden layer held at once, 1 MiB: a server scores wide models within the memory that it promises.
const AT_ONCE: usize = 1 << 18;

/// Why a model cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluateError {
    /// The data has other columns or labels than the model.
    #[error("the model {0} does not fit the data")]
    Data(ModelSpec),
    /// burn failed.
    #[error(transparent)]
    Backend(#[from] ReadError),
}

/// A model's figures on one data set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Evaluation {
    /// Classification.
    Classification {
        /// Examples scored.
        examples: u64,
        /// Fraction of examples whose most likely class is right, in [0, 1].
        accuracy: f64,
        /// Mean cross-entropy in nats.
        cross_entropy: f64,
    },
    /// Regression.
    Regression {
        /// Examples scored.
        examples: u64,
        /// Mean squared error, in squared units of the (scaled) label.
        mean_squared_error: f64,
        /// 1 - squared error / squared deviation from the mean label, at most 1; `None` if all labels are equal.
        r_squared: Option<f64>,
    },
}

impl Evaluation {
    /// Accuracy or R squared: higher is better.
    pub fn score(&self) -> Option<f64> {
        match *self {
            Self::Classification { accuracy, .. } => Some(accuracy),
            Self::Regression { r_squared, .. } => r_squared,
        }
    }

    /// What [`Evaluation::score`] is called.
    pub fn score_name(&self) -> &'static str {
        match self {
            Self::Classification { .. } => "accuracy",
            Self::Regression { .. } => "r2",
        }
    }

    /// Cross-entropy or mean squared error: lower is better.
    pub fn loss(&self) -> f64 {
        match *self {
            Self::Classification { cross_entropy, .. } => cross_entropy,
            Self::Regression {
                mean_squared_error, ..
            } => mean_squared_error,
        }
    }

    /// Examples scored.
    pub fn examples(&self) -> u64 {
        match *self {
            Self::Classification { examples, .. } | Self::Regression { examples, .. } => examples,
        }
    }
}

/// Logits or predictions of all rows, so many rows at a time that a hidden layer holds at most [`AT_ONCE`] values.
fn outputs(parameters: &[Tensor<2>], inputs: Tensor<2>) -> Result<Vec<f32>, EvaluateError> {
    let [rows, columns] = inputs.dims();
    let width = parameters.first().map_or(1, |first| first.dims()[1]);
    let step = (AT_ONCE / width.max(1)).max(1);
    let mut outputs = Vec::new();
    for from in (0..rows).step_by(step) {
        let to = rows.min(from.saturating_add(step));
        let some = inputs.clone().slice([from..to, 0..columns]);
        outputs.extend(network::read(network::outputs(parameters, some))?);
    }
    Ok(outputs)
}

/// Scores `model` on `data`. Sums run in double precision; of equal logits the first class counts.
///
/// # Errors
/// [`EvaluateError::Data`] if columns or labels do not fit.
pub fn evaluate(model: &GlobalModel, data: &Dataset) -> Result<Evaluation, EvaluateError> {
    let spec = model.spec();
    if data.columns() != spec.inputs() || data.task() != spec.task() {
        return Err(EvaluateError::Data(spec));
    }
    let device = network::device();
    let parameters = network::parameters(spec, model.values(), &device);
    let outputs = outputs(&parameters, network::inputs(data, &device))?;
    let examples = data.rows() as u64;
    let mean = |sum: f64| sum / examples as f64;
    Ok(match data.labels() {
        Labels::Class { values, classes } => {
            let (mut right, mut loss) = (0.0, 0.0);
            for (logits, &class) in outputs.chunks_exact(*classes).zip(values) {
                let (mut best, mut top) = (0, f64::NEG_INFINITY);
                for (index, &logit) in logits.iter().enumerate() {
                    if f64::from(logit) > top {
                        (best, top) = (index, f64::from(logit));
                    }
                }
                let scale: f64 = logits.iter().map(|&logit| (f64::from(logit) - top).exp()).sum();
                loss += top + scale.ln() - f64::from(logits[class as usize]);
                right += f64::from(u8::from(best == class as usize));
            }
            Evaluation::Classification {
                examples,
                accuracy: mean(right),
                cross_entropy: mean(loss),
            }
        }
        Labels::Real(values) => {
            let centre = mean(values.iter().map(|&value| f64::from(value)).sum());
            let (mut error, mut spread) = (0.0, 0.0);
            for (&output, &value) in outputs.iter().zip(values) {
                error += (f64::from(output) - f64::from(value)).powi(2);
                spread += (f64::from(value) - centre).powi(2);
            }
            let r_squared = (spread > 0.0).then(|| 1.0 - error / spread);
            Evaluation::Regression {
                examples,
                mean_squared_error: mean(error),
                r_squared,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classification_by_hand() {
        let spec = ModelSpec::Softmax {
            inputs: 1,
            classes: 2,
        };
        // Logits (x, 0): class 0 if x >= 0.
        let model = GlobalModel::new(spec, vec![1.0, 0.0, 0.0, 0.0]).unwrap();
        let labels = Labels::Class {
            values: vec![0, 0, 1, 0],
            classes: 2,
        };
        let data = Dataset::new(vec![2.0, -1.0, -3.0, 0.0], 1, labels).unwrap();
        let found = evaluate(&model, &data).unwrap();
        let softplus = |x: f64| (1.0 + x.exp()).ln();
        let loss = (softplus(-2.0) + softplus(1.0) + softplus(-3.0) + softplus(0.0)) / 4.0;
        assert_eq!(
            (found.examples(), found.score(), found.score_name()),
            (4, Some(0.75), "accuracy")
        );
        assert!((found.loss() - loss).abs() < 1e-7);
    }

    /// Failure: rows at the border of two pieces are lost, or scored twice.
    #[test]
    fn a_wide_model_is_scored_in_pieces() {
        let hidden = crate::model::MAX_HIDDEN;
        let rows = 2 * (AT_ONCE / hidden) + 7;
        let spec = ModelSpec::Mlp {
            inputs: 1,
            hidden,
            classes: 2,
        };
        let values = (0..spec.parameters()).map(|i| ((i * 7919) % 13) as f32 * 1e-3 - 6e-3);
        let model = GlobalModel::new(spec, values.collect()).unwrap();
        let labels = Labels::Class {
            values: (0..rows).map(|row| (row % 3 % 2) as u32).collect(),
            classes: 2,
        };
        let features = (0..rows).map(|row| row as f32 * 0.1 - 2.0).collect();
        let data = Dataset::new(features, 1, labels).unwrap();
        let found = evaluate(&model, &data).unwrap();
        let alone = (0..rows).map(|row| {
            let one = evaluate(&model, &data.select(&[row]).unwrap()).unwrap();
            (one.loss() / rows as f64, one.score().unwrap() / rows as f64)
        });
        let (loss, score) = alone.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!(found.examples(), rows as u64);
        assert!(
            (found.loss() - loss).abs() < 1e-5 * loss.max(1.0),
            "{} {loss}",
            found.loss()
        );
        assert!((found.score().unwrap() - score).abs() < 1e-9);
    }

    #[test]
    fn a_sure_and_wrong_model_has_a_finite_loss() {
        let spec = ModelSpec::Softmax {
            inputs: 1,
            classes: 2,
        };
        let model = GlobalModel::new(spec, vec![1e30, -1e30, 0.0, 0.0]).unwrap();
        let data = Dataset::new(
            vec![1.0],
            1,
            Labels::Class {
                values: vec![1],
                classes: 2,
            },
        )
        .unwrap();
        let found = evaluate(&model, &data).unwrap();
        assert!((found.loss() / 2e30 - 1.0).abs() < 1e-6, "{}", found.loss());
    }

    #[test]
    fn regression_by_hand() {
        let model = GlobalModel::new(ModelSpec::Linear { inputs: 1 }, vec![2.0, 1.0]).unwrap();
        let data = Dataset::new(vec![0.0, 1.0, 2.0], 1, Labels::Real(vec![1.0, 4.0, 4.0])).unwrap();
        // Predictions 1, 3, 5: errors 0, 1, 1; mean label 3, deviations 4, 1, 1.
        let found = evaluate(&model, &data).unwrap();
        assert!((found.loss() - 2.0 / 3.0).abs() < 1e-9);
        assert!((found.score().unwrap() - (1.0 - 2.0 / 6.0)).abs() < 1e-9);
        let constant = Dataset::new(vec![0.0], 1, Labels::Real(vec![1.0])).unwrap();
        assert_eq!(evaluate(&model, &constant).unwrap().score(), None);
    }

    #[test]
    fn a_model_of_another_shape_is_refused() {
        let model = GlobalModel::initial(
            ModelSpec::Softmax {
                inputs: 2,
                classes: 2,
            },
            0,
        )
        .unwrap();
        let data = Dataset::new(
            vec![1.0, 1.0],
            2,
            Labels::Class {
                values: vec![1],
                classes: 3,
            },
        )
        .unwrap();
        assert_eq!(evaluate(&model, &data), Err(EvaluateError::Data(model.spec())));
    }
}
