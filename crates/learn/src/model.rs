//! What is learned: the shape of a model and the values of its parameters.

use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dataset::{MAX_CLASSES, MAX_COLUMNS, Task};
use crate::model_file;
use crate::shuffle::{generator, unit};

/// Most hidden units of an MLP.
pub const MAX_HIDDEN: usize = 16_384;
/// Hidden units when nothing else is said.
pub const DEFAULT_HIDDEN: usize = 32;

/// Why a model is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A dimension is zero or above its limit, or there are fewer than two classes.
    #[error("the model {0} is out of range")]
    Spec(ModelSpec),
    /// A name or text that is no model.
    #[error("a model is \"linear\", \"softmax\", \"mlp\" or \"mlp-H\", not {0:?}")]
    Name(String),
    /// The model predicts something else than the data holds.
    #[error("the model {0} does not fit the data")]
    Task(ModelSpec),
    /// Another number of parameters.
    #[error("{found} values for a model of {expected} parameters")]
    Length {
        /// Parameters of the model.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A NaN or infinite parameter, in a file or after a step.
    #[error("parameter {0} is not finite")]
    NotFinite(usize),
    /// The server learning rate is not finite and positive.
    #[error("the server learning rate must be finite and positive")]
    ServerLearningRate,
    /// Not the one encoding this crate writes: other tensors, shapes, types, order, metadata, or bytes too many or too few.
    #[error("not a model file of this service: {0}")]
    File(&'static str),
    /// The parameters could not be encoded.
    #[error("the model could not be encoded")]
    Encode,
}

/// The shape of a model. Its text is the kind and its dimensions: `linear 10`, `softmax 64 10`, `mlp 64 32 10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelSpec {
    /// Linear regression: one real output, mean squared error.
    Linear {
        /// Features.
        inputs: usize,
    },
    /// Softmax (multinomial logistic) regression, mean cross-entropy.
    Softmax {
        /// Features.
        inputs: usize,
        /// Classes.
        classes: usize,
    },
    /// One hidden layer of rectified linear units, then softmax.
    Mlp {
        /// Features.
        inputs: usize,
        /// Hidden units.
        hidden: usize,
        /// Classes.
        classes: usize,
    },
}

/// A named tensor of a model and its place in the parameter vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorLayout {
    /// `hidden.weight`, `hidden.bias`, `output.weight`, `output.bias`.
    pub name: &'static str,
    /// Dimensions; weights are inputs x outputs.
    pub shape: Vec<usize>,
    /// Indices into the parameter vector.
    pub range: Range<usize>,
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear { inputs } => write!(f, "linear {inputs}"),
            Self::Softmax { inputs, classes } => write!(f, "softmax {inputs} {classes}"),
            Self::Mlp {
                inputs,
                hidden,
                classes,
            } => write!(f, "mlp {inputs} {hidden} {classes}"),
        }
    }
}

impl FromStr for ModelSpec {
    type Err = ModelError;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, ModelError> {
        let unknown = || ModelError::Name(text.chars().take(40).collect());
        let mut words = text.split(' ');
        let kind = words.next().unwrap_or_default();
        let sizes = words
            .map(str::parse::<usize>)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| unknown())?;
        let spec = match (kind, sizes.as_slice()) {
            ("linear", &[inputs]) => Self::Linear { inputs },
            ("softmax", &[inputs, classes]) => Self::Softmax { inputs, classes },
            ("mlp", &[inputs, hidden, classes]) => Self::Mlp {
                inputs,
                hidden,
                classes,
            },
            _ => return Err(unknown()),
        };
        // "+1" and "01" parse as integers; one text a model.
        if spec.to_string() != text {
            return Err(unknown());
        }
        spec.validated()
    }
}

impl ModelSpec {
    /// The model of that name (`linear`, `softmax`, `mlp`) for data with `inputs` columns. `mlp` has `hidden` units, `mlp-H`
    /// has H.
    ///
    /// # Errors
    /// [`ModelError::Name`]; [`ModelError::Task`] if the model predicts something else; [`ModelError::Spec`] out of range.
    pub fn from_name(name: &str, inputs: usize, task: Task, hidden: usize) -> Result<Self, ModelError> {
        let classes = match task {
            Task::Classification { classes } => classes,
            Task::Regression => 0,
        };
        let spec = match name {
            "linear" => Self::Linear { inputs },
            "softmax" => Self::Softmax { inputs, classes },
            "mlp" => Self::Mlp {
                inputs,
                hidden,
                classes,
            },
            _ => {
                let unknown = || ModelError::Name(name.chars().take(40).collect());
                let text = name.strip_prefix("mlp-").ok_or_else(unknown)?;
                let hidden: usize = text.parse().map_err(|_| unknown())?;
                // "+1" and "01" parse as integers.
                if hidden.to_string() != text {
                    return Err(unknown());
                }
                Self::Mlp {
                    inputs,
                    hidden,
                    classes,
                }
            }
        };
        if spec.task() != task {
            return Err(ModelError::Task(spec));
        }
        spec.validated()
    }

    /// The model itself if its dimensions are within the limits.
    ///
    /// # Errors
    /// [`ModelError::Spec`].
    pub fn validated(self) -> Result<Self, ModelError> {
        let inputs_fit = |inputs| (1..=MAX_COLUMNS).contains(&inputs);
        let classes_fit = |classes| (2..=MAX_CLASSES).contains(&classes);
        let fits = match self {
            Self::Linear { inputs } => inputs_fit(inputs),
            Self::Softmax { inputs, classes } => inputs_fit(inputs) && classes_fit(classes),
            Self::Mlp {
                inputs,
                hidden,
                classes,
            } => inputs_fit(inputs) && (1..=MAX_HIDDEN).contains(&hidden) && classes_fit(classes),
        };
        if fits {
            Ok(self)
        } else {
            Err(ModelError::Spec(self))
        }
    }

    /// Features.
    pub fn inputs(&self) -> usize {
        match *self {
            Self::Linear { inputs } | Self::Softmax { inputs, .. } | Self::Mlp { inputs, .. } => inputs,
        }
    }

    /// What it predicts.
    pub fn task(&self) -> Task {
        match *self {
            Self::Linear { .. } => Task::Regression,
            Self::Softmax { classes, .. } | Self::Mlp { classes, .. } => Task::Classification { classes },
        }
    }

    /// Outputs: classes, or 1.
    pub fn outputs(&self) -> usize {
        match self.task() {
            Task::Classification { classes } => classes,
            Task::Regression => 1,
        }
    }

    /// Number of parameters, the length of every vector about this model.
    pub fn parameters(&self) -> usize {
        let layer = |inputs: usize, outputs: usize| inputs.saturating_add(1).saturating_mul(outputs);
        match *self {
            Self::Linear { inputs } => layer(inputs, 1),
            Self::Softmax { inputs, classes } => layer(inputs, classes),
            Self::Mlp {
                inputs,
                hidden,
                classes,
            } => layer(inputs, hidden).saturating_add(layer(hidden, classes)),
        }
    }

    /// The tensors in the order of the parameter vector.
    pub fn tensors(&self) -> Vec<TensorLayout> {
        let layers = match *self {
            Self::Mlp {
                inputs,
                hidden,
                classes,
            } => vec![
                ("hidden.weight", "hidden.bias", inputs, hidden),
                ("output.weight", "output.bias", hidden, classes),
            ],
            _ => vec![("output.weight", "output.bias", self.inputs(), self.outputs())],
        };
        let mut tensors = Vec::new();
        let mut start = 0_usize;
        for (weight, bias, inputs, outputs) in layers {
            for (name, shape) in [(weight, vec![inputs, outputs]), (bias, vec![outputs])] {
                let end = start.saturating_add(
                    shape
                        .iter()
                        .fold(1, |product: usize, &size| product.saturating_mul(size)),
                );
                tensors.push(TensorLayout {
                    name,
                    shape,
                    range: start..end,
                });
                start = end;
            }
        }
        tensors
    }
}

/// A model all clients share: finite parameters of a valid shape.
#[derive(Clone, PartialEq)]
pub struct GlobalModel {
    spec: ModelSpec,
    values: Vec<f32>,
}

impl fmt::Debug for GlobalModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlobalModel({})", self.spec)
    }
}

impl GlobalModel {
    /// Checks and builds.
    ///
    /// # Errors
    /// [`ModelError::Spec`], [`ModelError::Length`], [`ModelError::NotFinite`].
    pub fn new(spec: ModelSpec, values: Vec<f32>) -> Result<Self, ModelError> {
        let expected = spec.validated()?.parameters();
        if values.len() != expected {
            return Err(ModelError::Length {
                expected,
                found: values.len(),
            });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(ModelError::NotFinite(at)),
            None => Ok(Self { spec, values }),
        }
    }

    /// Where training starts: zeros for the linear models (their loss is convex), for an MLP zero biases and weights
    /// uniform in +-sqrt(6 / (inputs + outputs)) of their layer (Glorot and Bengio 2010), the same on every machine for a seed.
    ///
    /// # Errors
    /// [`ModelError::Spec`].
    pub fn initial(spec: ModelSpec, seed: u64) -> Result<Self, ModelError> {
        let spec = spec.validated()?;
        let mut values = vec![0.0; spec.parameters()];
        if matches!(spec, ModelSpec::Mlp { .. }) {
            let mut rng = generator("tacita/initial-model", seed);
            for tensor in spec.tensors() {
                if let [inputs, outputs] = tensor.shape[..] {
                    let bound = (6.0 / (inputs + outputs) as f32).sqrt();
                    for value in &mut values[tensor.range] {
                        *value = bound * (2.0 * unit(&mut rng) - 1.0);
                    }
                }
            }
        }
        Self::new(spec, values)
    }

    /// The shape.
    pub fn spec(&self) -> ModelSpec {
        self.spec
    }

    /// The parameters, laid out by [`ModelSpec::tensors`].
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The safetensors file: named `f32` tensors and one metadata entry with the model's text. A model has exactly one encoding.
    ///
    /// # Errors
    /// [`ModelError::Encode`] if the format's own writer refuses, which no valid model is known to cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        model_file::encode(self)
    }

    /// Reads what [`GlobalModel::to_bytes`] writes and nothing else: exact names, shapes, types, order and length, finite values.
    /// Safe on untrusted input: nothing is allocated beyond the size of `bytes`.
    ///
    /// # Errors
    /// [`ModelError::File`], [`ModelError::NotFinite`], and errors about the shape.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        model_file::decode(bytes)
    }

    /// SHA-256 of [`GlobalModel::to_bytes`]: the name of this model in manifests and in the ledger.
    ///
    /// # Errors
    /// [`ModelError::Encode`], as for the bytes.
    pub fn digest(&self) -> Result<[u8; 32], ModelError> {
        Ok(Sha256::digest(self.to_bytes()?).into())
    }

    /// The next global model: values + `server_learning_rate` x `mean_delta`, computed in `f32`. With rate 1 this is FedAvg on
    /// deltas (McMahan et al. 2017; the rate is eta of Reddi et al. 2021, "Adaptive Federated Optimization", algorithm 1).
    ///
    /// # Errors
    /// [`ModelError::Length`], [`ModelError::ServerLearningRate`], [`ModelError::NotFinite`] for a delta that is not finite or overflows.
    pub fn apply(&self, mean_delta: &[f32], server_learning_rate: f32) -> Result<Self, ModelError> {
        if mean_delta.len() != self.values.len() {
            return Err(ModelError::Length {
                expected: self.values.len(),
                found: mean_delta.len(),
            });
        }
        if !(server_learning_rate.is_finite() && server_learning_rate > 0.0) {
            return Err(ModelError::ServerLearningRate);
        }
        let step = |(value, delta): (&f32, &f32)| value + server_learning_rate * delta;
        Self::new(self.spec, self.values.iter().zip(mean_delta).map(step).collect())
    }
}

#[cfg(test)]
mod tests;
