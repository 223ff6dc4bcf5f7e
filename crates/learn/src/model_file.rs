//! A model as a safetensors file, with one encoding a model so that its digest names it.
//!
//! The writer is the `safetensors` crate. Reading does not parse the header: the model's text is taken from the only place
//! where the writer puts it, the file is written again from the values, and both must agree byte for byte. A foreign header
//! thus never reaches a JSON parser, nor an integer sum that it could overflow.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView, serialize};

use crate::model::{GlobalModel, ModelError, ModelSpec};

/// What stands before the model's text: the metadata come first and hold this one key. (Two keys would come out in random order.)
const BEFORE_TEXT: &[u8] = br#"{"__metadata__":{"tacita.model":""#;
const KEY: &str = "tacita.model";
/// Longest model text: a word and three integers.
const MAX_TEXT: usize = 64;
/// Length of the header's length.
const PREFIX: usize = 8;

pub(crate) fn encode(model: &GlobalModel) -> Result<Vec<u8>, ModelError> {
    let data: Vec<u8> = model
        .values()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let mut views = Vec::new();
    for tensor in model.spec().tensors() {
        let bytes = data
            .get(tensor.range.start * 4..tensor.range.end * 4)
            .ok_or(ModelError::Encode)?;
        let view = TensorView::new(Dtype::F32, tensor.shape, bytes).map_err(|_| ModelError::Encode)?;
        views.push((tensor.name, view));
    }
    let metadata = HashMap::from([(KEY.to_owned(), model.spec().to_string())]);
    serialize(views, Some(metadata)).map_err(|_| ModelError::Encode)
}

pub(crate) fn decode(bytes: &[u8]) -> Result<GlobalModel, ModelError> {
    let spec = spec_of(bytes).ok_or(ModelError::File("no model description where it belongs"))?;
    let spec: ModelSpec = spec.parse()?;
    let length = spec.parameters() * 4;
    let data_start = bytes
        .len()
        .checked_sub(length)
        .ok_or(ModelError::File("too short"))?;
    let mut values = vec![0.0; spec.parameters()];
    let mut data = bytes[data_start..].as_chunks::<4>().0.iter();
    // The file's tensors stand in the order of their names.
    let mut tensors = spec.tensors();
    tensors.sort_by_key(|tensor| tensor.name);
    for tensor in tensors {
        for (value, bytes) in values[tensor.range].iter_mut().zip(&mut data) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    let model = GlobalModel::new(spec, values)?;
    if encode(&model)? != bytes {
        return Err(ModelError::File("not the encoding of its values"));
    }
    Ok(model)
}

fn spec_of(bytes: &[u8]) -> Option<&str> {
    let rest = bytes.get(PREFIX..)?.strip_prefix(BEFORE_TEXT)?;
    let end = rest.iter().take(MAX_TEXT).position(|&byte| byte == b'"')?;
    core::str::from_utf8(&rest[..end]).ok()
}
