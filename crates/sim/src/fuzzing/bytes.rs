//! A fuzzer's bytes as decisions.

/// Takes decisions off the front of a slice; zeros when it is used up, so that a short input is an honest run.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// Decisions from these bytes.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// Two bytes as a number.
    pub fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// A number below `limit`, 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.number().checked_rem(limit).unwrap_or(0)
    }

    /// As many bytes as the next number says, or what is left.
    pub fn slice(&mut self) -> &'a [u8] {
        let length = self.number().min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
