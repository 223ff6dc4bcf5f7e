//! Lower-case hexadecimal text of digests, as entries write it.

use crate::tree::Hash;

/// Reads exactly 64 lower-case hexadecimal digits.
pub(crate) fn digest(text: &str) -> Option<Hash> {
    if text.len() != 64 {
        return None;
    }
    bytes(text)?.try_into().ok()
}

/// Reads lower-case hexadecimal digits.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    hex::decode(text).ok()
}
