//! The name of a participant, a server or an authority.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes: one DNS label, so that a name fits wherever a host name does.
pub const MAX_NAME_BYTES: usize = 63;

/// 1 to 63 characters of `a`-`z`, `0`-`9` and `-`, neither starting nor ending with `-`.
///
/// So narrow an alphabet cannot be confused by case, look-alike letters, path separators or terminal escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name cannot be empty")]
    Empty,
    /// The text has more than [`MAX_NAME_BYTES`] bytes.
    #[error("a name has at most {MAX_NAME_BYTES} characters")]
    TooLong,
    /// A character outside `a-z`, `0-9` and `-`.
    #[error("a name has only the characters a-z, 0-9 and '-'")]
    Character,
    /// The first or last character is `-`.
    #[error("a name neither starts nor ends with '-'")]
    EdgeHyphen,
}

impl Name {
    /// Checks and keeps a name.
    ///
    /// # Errors
    /// [`NameError`] says which rule is broken.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        if !bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        {
            return Err(NameError::Character);
        }
        if bytes.first() == Some(&b'-') || bytes.last() == Some(&b'-') {
            return Err(NameError::EdgeHyphen);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_whole_alphabet_and_both_lengths() {
        for text in ["a", "0", "a-b", "hospital-07", &"x".repeat(63)] {
            assert_eq!(Name::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_each_broken_rule_by_name() {
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"x".repeat(64)), Err(NameError::TooLong));
        for text in [
            "A",
            "a b",
            "a_b",
            "a.b",
            "a:b",
            "a/b",
            "\u{e9}",
            "a\n",
            "a\u{1b}[0m",
            "\u{430}",
        ] {
            assert_eq!(Name::new(text), Err(NameError::Character), "{text:?}");
        }
        for text in ["-", "-a", "a-"] {
            assert_eq!(Name::new(text), Err(NameError::EdgeHyphen), "{text:?}");
        }
    }

    #[test]
    fn serde_checks_like_the_constructor() {
        assert_eq!(
            serde_json::from_str::<Name>("\"ward-3\"").unwrap().as_str(),
            "ward-3"
        );
        assert!(serde_json::from_str::<Name>("\"Ward 3\"").is_err());
    }
}
