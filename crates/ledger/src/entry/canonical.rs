//! The one text of an entry: keys in ascending order, no white space, nothing escaped.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Entry, EntryError, VERSION};

/// The member that every entry has beside its fields.
const VERSION_KEY: &str = "version";

/// Writes an entry whose fields were checked (no string needs an escape).
pub(super) fn write(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    let not_flat = || EntryError::Json("an entry is one flat object".to_owned());
    let Value::Object(object) = serde_json::to_value(entry).map_err(json)? else {
        return Err(not_flat());
    };
    // Sorted here, not by serde_json: its map keeps insertion order when any crate of the build asks for that.
    let mut members: BTreeMap<String, Value> = object.into_iter().collect();
    members.insert(VERSION_KEY.to_owned(), Value::from(VERSION));
    let mut out = Vec::with_capacity(1024);
    for (index, (key, value)) in members.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        out.push(b'"');
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        match value {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::String(text) => {
                out.push(b'"');
                out.extend_from_slice(text.as_bytes());
                out.push(b'"');
            }
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(not_flat()),
        }
    }
    out.push(b'}');
    Ok(out)
}

/// Reads the values of an entry; the caller compares its text with [`write`]'s, which catches repeated members
/// and missing nulls beside white space and order.
pub(super) fn read(bytes: &[u8]) -> Result<Entry, EntryError> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(json)?;
    let version = value
        .as_object_mut()
        .and_then(|object| object.remove(VERSION_KEY))
        .ok_or_else(|| EntryError::Json("missing field `version`".to_owned()))?;
    match version.as_u64() {
        Some(VERSION) => serde_json::from_value(value).map_err(json),
        Some(other) => Err(EntryError::Version(other)),
        None => Err(EntryError::Json("`version` is not an integer".to_owned())),
    }
}

fn json(error: serde_json::Error) -> EntryError {
    EntryError::Json(error.to_string())
}
