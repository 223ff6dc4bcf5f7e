//! Bounded reading and writing of the TLS presentation language (RFC 8446, section 3): big-endian integers, and byte
//! strings behind a two- or four-byte length.

use zeroize::Zeroizing;

/// Why bytes are not a message, list, record or invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ends too early.
    #[error("the input is cut short")]
    Truncated,
    /// Bytes are left over.
    #[error("bytes are left over")]
    TrailingBytes,
    /// A length exceeds the bound of its field.
    #[error("a length exceeds its bound")]
    TooLong,
    /// A format version that this code does not know.
    #[error("unknown version")]
    Version,
    /// A kind, role or flag that does not exist.
    #[error("unknown kind")]
    Kind,
    /// A field breaks its own rules (a name, an address, an order).
    #[error("a field is malformed")]
    Field,
}

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Bytes behind a four-byte length of at most `most`.
    pub(crate) fn opaque32(&mut self, most: usize) -> Result<&'a [u8], DecodeError> {
        let length = u32::from_be_bytes(self.array()?);
        self.bounded(usize::try_from(length).map_err(|_| DecodeError::TooLong)?, most)
    }

    /// Bytes behind a two-byte length of at most `most`.
    pub(crate) fn opaque16(&mut self, most: usize) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16()?);
        self.bounded(length, most)
    }

    /// UTF-8 text behind a two-byte length of at most `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.opaque16(most)?).map_err(|_| DecodeError::Field)
    }

    pub(crate) const fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::TrailingBytes)
        }
    }

    fn bounded(&mut self, length: usize, most: usize) -> Result<&'a [u8], DecodeError> {
        if length > most {
            return Err(DecodeError::TooLong);
        }
        self.take(length)
    }
}

/// Collects a message. Some messages hold a secret, so the buffer is wiped when dropped.
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// `capacity` is chosen large enough that the buffer never moves and leaves no copy behind.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn opaque16(&mut self, bytes: &[u8], most: usize) -> Result<(), DecodeError> {
        let length = u16::try_from(bytes.len()).map_err(|_| DecodeError::TooLong)?;
        if bytes.len() > most {
            return Err(DecodeError::TooLong);
        }
        self.u16(length);
        self.bytes(bytes);
        Ok(())
    }

    pub(crate) fn opaque32(&mut self, bytes: &[u8], most: usize) -> Result<(), DecodeError> {
        let length = u32::try_from(bytes.len()).map_err(|_| DecodeError::TooLong)?;
        if bytes.len() > most {
            return Err(DecodeError::TooLong);
        }
        self.bytes(&length.to_be_bytes());
        self.bytes(bytes);
        Ok(())
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}
