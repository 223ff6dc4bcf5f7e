//! Fractions as exact decimals.

use core::str::FromStr;

use thiserror::Error;

/// Longest text accepted, in bytes.
const MAX_TEXT: usize = 20;

/// A decimal between 0 and 1, such as `0.05`, held exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: u128,
    denominator: u128,
}

/// Why a text is not a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FractionError {
    /// More than 20 bytes.
    #[error("fraction is longer than 20 characters")]
    TooLong,
    /// Not digits, optionally followed by a point and more digits.
    #[error("fraction is not a plain decimal such as 0.05")]
    NotDecimal,
    /// Above one.
    #[error("fraction is above one")]
    AboveOne,
}

impl FromStr for Fraction {
    type Err = FractionError;

    fn from_str(text: &str) -> Result<Self, FractionError> {
        if text.len() > MAX_TEXT {
            return Err(FractionError::TooLong);
        }
        let (whole, decimals) = match text.split_once('.') {
            Some((whole, decimals)) if !decimals.is_empty() => (whole, decimals),
            Some(_) => return Err(FractionError::NotDecimal),
            None => (text, ""),
        };
        if whole.is_empty() {
            return Err(FractionError::NotDecimal);
        }
        // At most 20 digits: both stay below 10^20.
        let (mut numerator, mut denominator) = (0u128, 1u128);
        for byte in whole.bytes().chain(decimals.bytes()) {
            if !byte.is_ascii_digit() {
                return Err(FractionError::NotDecimal);
            }
            numerator = numerator * 10 + u128::from(byte - b'0');
        }
        for _ in decimals.bytes() {
            denominator *= 10;
        }
        if numerator > denominator {
            Err(FractionError::AboveOne)
        } else {
            Ok(Self {
                numerator,
                denominator,
            })
        }
    }
}

impl Fraction {
    /// floor(self x count).
    pub fn floor_of(self, count: u32) -> u32 {
        // Below 10^20 x 2^32 < 2^99, and at most `count` because the fraction is at most one.
        (self.numerator * u128::from(count) / self.denominator) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::{Fraction, FractionError};

    fn floor(text: &str, count: u32) -> u32 {
        text.parse::<Fraction>().unwrap().floor_of(count)
    }

    #[test]
    fn counts_are_exact_floors() {
        // In binary floating point 0.29 x 100 is 28.999... and 0.07 x 100 is 7.000...1.
        assert_eq!(floor("0.29", 100), 29);
        assert_eq!(floor("0.07", 100), 7);
        assert_eq!(floor("0.1", 30), 3);
        assert_eq!(floor("0.33", 1_000), 330);
        assert_eq!(floor("0.3333", 1_000), 333);
        assert_eq!(floor("0.9999", 1_000), 999);
        assert_eq!(
            (
                floor("0", 7),
                floor("0.0", 7),
                floor("1", 7),
                floor("1.0", u32::MAX)
            ),
            (0, 0, 7, u32::MAX)
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "", ".", ".5", "0.", "-0.1", "+0.1", "0,1", "1e-1", " 0.1", "0.1 ", "0.1.2", "0x1", "½",
        ] {
            assert_eq!(
                text.parse::<Fraction>(),
                Err(FractionError::NotDecimal),
                "{text:?}"
            );
        }
        for text in ["1.0000000000000001", "2", "99999999999999999999"] {
            assert_eq!(text.parse::<Fraction>(), Err(FractionError::AboveOne));
        }
        assert_eq!(
            "0.1234567890123456789".parse::<Fraction>(),
            Err(FractionError::TooLong)
        );
    }
}
