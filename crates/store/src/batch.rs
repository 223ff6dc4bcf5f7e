//! What a caller asks to become durable in one step.

use std::borrow::Cow;
use std::fmt;

use crate::StoreError;

/// Longest name of a space, in bytes.
pub const MAX_SPACE_BYTES: usize = 64;
/// Longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// Longest value, in bytes; a masked vector of a million 32-bit coordinates takes 4 MB.
pub const MAX_VALUE_BYTES: usize = 64 << 20;
/// Keys and values of one batch together, in bytes.
pub const MAX_BATCH_BYTES: usize = 128 << 20;

/// One change, applied in the order given: what another implementation of the store reads a batch as.
pub enum Operation {
    /// [`Batch::put`].
    Put {
        /// The space.
        space: Cow<'static, str>,
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// [`Batch::insert_new`].
    InsertNew {
        /// The space.
        space: Cow<'static, str>,
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// [`Batch::delete`].
    Delete {
        /// The space.
        space: Cow<'static, str>,
        /// The key.
        key: Vec<u8>,
    },
}

/// Changes that become durable together or not at all.
///
/// Sizes are checked at commit, so that building a batch cannot fail.
#[derive(Default)]
pub struct Batch {
    operations: Vec<Operation>,
    bytes: usize,
}

impl Batch {
    /// An empty batch; committing it does nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes `value` under `key`, replacing what was there.
    pub fn put(
        &mut self,
        space: impl Into<Cow<'static, str>>,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> &mut Self {
        let (space, key, value) = (space.into(), key.into(), value.into());
        self.push(
            key.len().saturating_add(value.len()),
            Operation::Put { space, key, value },
        )
    }

    /// Writes `value` under `key` and fails the whole batch with [`StoreError::Exists`] when the key is there:
    /// for values that may be used once.
    pub fn insert_new(
        &mut self,
        space: impl Into<Cow<'static, str>>,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> &mut Self {
        let (space, key, value) = (space.into(), key.into(), value.into());
        self.push(
            key.len().saturating_add(value.len()),
            Operation::InsertNew { space, key, value },
        )
    }

    /// Removes `key`; a key that is not there is no error.
    pub fn delete(&mut self, space: impl Into<Cow<'static, str>>, key: impl Into<Vec<u8>>) -> &mut Self {
        let (space, key) = (space.into(), key.into());
        self.push(key.len(), Operation::Delete { space, key })
    }

    fn push(&mut self, bytes: usize, operation: Operation) -> &mut Self {
        self.bytes = self.bytes.saturating_add(bytes);
        self.operations.push(operation);
        self
    }

    /// Number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether nothing was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Keys and values together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The changes, in order.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// Whether the batch can be refused for a key that is there, and so needs a savepoint of its own.
    pub(crate) fn may_be_refused(&self) -> bool {
        self.operations
            .iter()
            .any(|operation| matches!(operation, Operation::InsertNew { .. }))
    }

    /// Checks names and sizes against the limits of this module; every implementation of the store calls it
    /// before it queues a batch.
    ///
    /// # Errors
    /// One of [`StoreError::SpaceName`], [`StoreError::KeyTooLong`], [`StoreError::ValueTooLong`] and
    /// [`StoreError::BatchTooLarge`].
    pub fn check(&self) -> Result<(), StoreError> {
        if self.bytes > MAX_BATCH_BYTES {
            return Err(StoreError::BatchTooLarge { bytes: self.bytes });
        }
        for operation in &self.operations {
            let (space, key, value) = match operation {
                Operation::Put { space, key, value } | Operation::InsertNew { space, key, value } => {
                    (space, key, value.len())
                }
                Operation::Delete { space, key } => (space, key, 0),
            };
            check_key(space, key)?;
            if value > MAX_VALUE_BYTES {
                return Err(StoreError::ValueTooLong { bytes: value });
            }
        }
        Ok(())
    }
}

/// Shows sizes only: values may be secrets.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Batch({} operations, {} bytes)",
            self.operations.len(),
            self.bytes
        )
    }
}

/// A space is named by 1 to 64 of `a-z 0-9 - _ . /`: printable in every error, and no name is a path. Every implementation
/// of the store calls it before it reads.
///
/// # Errors
/// [`StoreError::SpaceName`] or [`StoreError::KeyTooLong`].
pub fn check_key(space: &str, key: &[u8]) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_./".contains(&byte);
    if space.is_empty() || space.len() > MAX_SPACE_BYTES || !space.bytes().all(plain) {
        let space = space
            .chars()
            .take(MAX_SPACE_BYTES)
            .flat_map(char::escape_default)
            .collect();
        return Err(StoreError::SpaceName { space });
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(StoreError::KeyTooLong { bytes: key.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked_at_their_edge() {
        let mut ok = Batch::new();
        ok.put("a".repeat(MAX_SPACE_BYTES), vec![0; MAX_KEY_BYTES], vec![0; 8])
            .delete("b", vec![]);
        assert!(ok.check().is_ok());
        assert_eq!((ok.len(), ok.bytes()), (2, MAX_KEY_BYTES + 8));

        let refused = |build: &dyn Fn(&mut Batch)| {
            let mut batch = Batch::new();
            build(&mut batch);
            batch.check().unwrap_err()
        };
        assert!(matches!(
            refused(&|b| _ = b.put("a", vec![0; MAX_KEY_BYTES + 1], vec![])),
            StoreError::KeyTooLong { bytes } if bytes == MAX_KEY_BYTES + 1
        ));
        assert!(matches!(
            refused(&|b| _ = b.insert_new("a", vec![], vec![0; MAX_VALUE_BYTES + 1])),
            StoreError::ValueTooLong { .. }
        ));
        assert!(matches!(
            refused(&|b| (0..3).for_each(|i| _ = b.put("a", vec![i], vec![0; MAX_VALUE_BYTES]))),
            StoreError::BatchTooLarge { .. }
        ));
        for space in ["", "Upper", "tab\t", "~", &"a".repeat(MAX_SPACE_BYTES + 1)] {
            let error = refused(&|b| _ = b.delete(space.to_owned(), vec![]));
            assert!(matches!(error, StoreError::SpaceName { .. }), "{space:?}");
            assert!(!error.to_string().contains('\t'));
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let mut batch = Batch::new();
        batch.put("keys", b"id".to_vec(), b"hunter2".to_vec());
        assert_eq!(format!("{batch:?}"), "Batch(1 operations, 9 bytes)");
    }
}
