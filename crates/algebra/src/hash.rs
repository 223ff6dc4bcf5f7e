//! Hashing of structured input, so that no two inputs share an encoding.

use sha2::{Digest, Sha256};

/// SHA-256 over a label and a list of fields, as an injective encoding.
///
/// The label and every field are preceded by their length in bytes as a big-endian `u64`, so the hashed string
/// parses in one way only: moving a byte from one field to the next, merging fields or dropping an empty one
/// changes it. An integer is a field of eight big-endian bytes.
///
/// ```
/// use tacita_algebra::TaggedHash;
/// let digest: [u8; 32] = TaggedHash::new("tacita/1 example").bytes(b"alice").u64(7).finish();
/// assert_ne!(digest, TaggedHash::new("tacita/1 example").bytes(b"alice7").finish());
/// ```
#[must_use = "a hash that is not finished binds nothing"]
pub struct TaggedHash {
    inner: Sha256,
}

impl TaggedHash {
    /// Starts a hash in the domain named by `label`.
    pub fn new(label: &'static str) -> Self {
        Self { inner: Sha256::new() }.bytes(label.as_bytes())
    }

    /// Appends a field of any length.
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.inner.update((field.len() as u64).to_be_bytes());
        self.inner.update(field);
        self
    }

    /// Appends an integer field.
    pub fn u64(self, field: u64) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// The digest, 32 bytes.
    pub fn finish(self) -> [u8; 32] {
        self.inner.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::TaggedHash;
    use sha2::{Digest, Sha256};

    #[test]
    fn encoding_is_the_documented_one() {
        let mut plain = Vec::new();
        plain.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 5]);
        plain.extend_from_slice(b"label");
        plain.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2]);
        plain.extend_from_slice(b"ab");
        plain.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 8]);
        plain.extend_from_slice(&[0, 0, 0, 0, 0, 0, 1, 2]);
        let expected: [u8; 32] = Sha256::digest(&plain).into();
        assert_eq!(TaggedHash::new("label").bytes(b"ab").u64(258).finish(), expected);
    }

    #[test]
    fn neighbouring_inputs_differ() {
        let digests = [
            TaggedHash::new("l").finish(),
            TaggedHash::new("l").bytes(b"").finish(),
            TaggedHash::new("l").bytes(b"").bytes(b"").finish(),
            TaggedHash::new("l").bytes(b"ab").finish(),
            TaggedHash::new("l").bytes(b"a").bytes(b"b").finish(),
            TaggedHash::new("l").bytes(b"").bytes(b"ab").finish(),
            TaggedHash::new("lab").finish(),
            TaggedHash::new("l").u64(0).finish(),
        ];
        for (i, left) in digests.iter().enumerate() {
            for right in &digests[i + 1..] {
                assert_ne!(left, right);
            }
        }
    }
}
