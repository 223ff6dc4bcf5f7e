//! The models as burn tensors.
//!
//! A tensor operation costs about a microsecond whatever its size and these models are tiny, so the number of operations is what
//! counts: inputs carry a column of ones, and the first layer's weights and biases, neighbours in the parameter vector, are one matrix.

use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::{Device, ExecutionError, Tensor, TensorData};

use crate::dataset::{Dataset, Labels};
use crate::model::ModelSpec;

/// The device all models run on.
pub(crate) fn device() -> Device {
    Device::flex()
}

/// The features with a column of ones appended: rows x (columns + 1).
pub(crate) fn inputs(data: &Dataset, device: &Device) -> Tensor<2> {
    let width = data.columns() + 1;
    let mut values = Vec::with_capacity(data.rows() * width);
    for row in data.features().chunks_exact(data.columns()) {
        values.extend_from_slice(row);
        values.push(1.0_f32);
    }
    Tensor::from_data(TensorData::new(values, [data.rows(), width]), device)
}

/// What [`summed_loss`] compares with: one-hot rows (rows x classes), or the real targets (rows x 1).
pub(crate) fn targets(data: &Dataset, device: &Device) -> Tensor<2> {
    match data.labels() {
        Labels::Class { values, classes } => {
            let mut one_hot = vec![0.0_f32; values.len() * classes];
            for (row, &class) in one_hot.chunks_exact_mut(*classes).zip(values) {
                row[class as usize] = 1.0;
            }
            Tensor::from_data(TensorData::new(one_hot, [values.len(), *classes]), device)
        }
        Labels::Real(values) => Tensor::from_data(TensorData::new(values.clone(), [values.len(), 1]), device),
    }
}

/// The parameter vector cut into matrices: `[(inputs + 1) x outputs]`, or for an MLP
/// `[(inputs + 1) x hidden, hidden x classes, 1 x classes]`.
pub(crate) fn parameters(spec: ModelSpec, values: &[f32], device: &Device) -> Vec<Tensor<2>> {
    let shapes = match spec {
        ModelSpec::Linear { inputs } => vec![[inputs + 1, 1]],
        ModelSpec::Softmax { inputs, classes } => vec![[inputs + 1, classes]],
        ModelSpec::Mlp {
            inputs,
            hidden,
            classes,
        } => {
            vec![[inputs + 1, hidden], [hidden, classes], [1, classes]]
        }
    };
    let mut rest = values;
    shapes
        .into_iter()
        .map(|shape| {
            let (part, after) = rest.split_at(shape[0] * shape[1]);
            rest = after;
            Tensor::from_data(TensorData::new(part.to_vec(), shape), device)
        })
        .collect()
}

/// The inverse of [`parameters`].
pub(crate) fn values(parameters: Vec<Tensor<2>>) -> Result<Vec<f32>, ReadError> {
    let mut values = Vec::new();
    for tensor in parameters {
        values.extend(read(tensor)?);
    }
    Ok(values)
}

/// The numbers of a tensor, row-major.
pub(crate) fn read(tensor: Tensor<2>) -> Result<Vec<f32>, ReadError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|error| ReadError(error.to_string()))
}

/// burn could not hand the numbers of a tensor over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tensor backend failed: {0}")]
pub struct ReadError(pub(crate) String);

impl From<ExecutionError> for ReadError {
    fn from(error: ExecutionError) -> Self {
        Self(error.to_string())
    }
}

/// Logits or predictions, rows x outputs.
pub(crate) fn outputs(parameters: &[Tensor<2>], inputs: Tensor<2>) -> Tensor<2> {
    match parameters {
        [hidden, weight, bias] => relu(inputs.matmul(hidden.clone())).matmul(weight.clone()) + bias.clone(),
        // The others have one matrix.
        _ => inputs.matmul(parameters[0].clone()),
    }
}

/// The loss summed over the rows: cross-entropy in nats, or squared error.
pub(crate) fn summed_loss(spec: ModelSpec, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    match spec {
        ModelSpec::Linear { .. } => (outputs - targets).powi_scalar(2).sum(),
        ModelSpec::Softmax { .. } | ModelSpec::Mlp { .. } => (log_softmax(outputs, 1) * targets).sum().neg(),
    }
}
