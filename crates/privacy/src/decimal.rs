//! Exact decimals for signed documents: a clip norm, an epsilon and a delta are text, never floats.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use num_bigint::BigUint;
use num_traits::ToPrimitive;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Something other than digits with at most one point between digits.
    #[error("not a plain decimal number (digits, optionally a point and more digits)")]
    Syntax,
    /// More than 18 places after the point, or 10^18 and more when the point is ignored.
    #[error("more than 18 digits")]
    TooLong,
    /// A number that has a shorter spelling, where only the shortest is accepted.
    #[error("not in canonical form (no leading zeros, no trailing zeros after the point)")]
    NotCanonical,
}

/// An exact non-negative decimal number of at most 18 digits, at most 18 of them after the point.
///
/// The text form is canonical: no leading zeros, no trailing zeros after the point, no exponent. [`FromStr`] accepts any
/// plain spelling (for people); [`Decimal::from_canonical`] and serde accept the canonical one only (for documents whose
/// bytes are signed).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The value times 10^places, below 10^18; not a multiple of ten unless `places` is 0.
    digits: u64,
    places: u8,
}

impl Decimal {
    const MAX_PLACES: u8 = 18;
    const LIMIT: u64 = 1_000_000_000_000_000_000;

    /// Zero.
    pub const ZERO: Self = Self { digits: 0, places: 0 };
    /// One.
    pub const ONE: Self = Self { digits: 1, places: 0 };

    /// `digits` / 10^`places`.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`] if `digits` is 10^18 or more or `places` above 18.
    pub fn new(mut digits: u64, mut places: u8) -> Result<Self, DecimalError> {
        if places > Self::MAX_PLACES || digits >= Self::LIMIT {
            return Err(DecimalError::TooLong);
        }
        while places > 0 && digits.is_multiple_of(10) {
            digits /= 10;
            places -= 1;
        }
        Ok(Self { digits, places })
    }

    /// Parses the canonical spelling only.
    ///
    /// # Errors
    /// As [`FromStr`], and [`DecimalError::NotCanonical`].
    pub fn from_canonical(text: &str) -> Result<Self, DecimalError> {
        let value: Self = text.parse()?;
        if value.to_string() == text {
            Ok(value)
        } else {
            Err(DecimalError::NotCanonical)
        }
    }

    /// The nearest `f64`, to within two units in the last place.
    pub fn to_f64(self) -> f64 {
        self.digits as f64 / 10f64.powi(i32::from(self.places))
    }

    /// Whether this is zero.
    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// The digits and the places: the value is digits / 10^places, digits below 10^18.
    pub(crate) fn parts(self) -> (u64, u8) {
        (self.digits, self.places)
    }

    /// The square root of the sum of the squares of `parts`, rounded up to nine places: the norm bound of vectors side by side.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`] if the result needs more than 18 digits.
    pub fn norm_up(parts: &[Self]) -> Result<Self, DecimalError> {
        let square = |value: &Self| {
            let scaled = BigUint::from(value.scaled());
            &scaled * &scaled
        };
        let sum: BigUint = parts.iter().map(square).sum();
        // In units of 10^-18; one unit up unless exact, then up to units of 10^-9.
        let mut root = sum.sqrt();
        if &root * &root < sum {
            root += 1u32;
        }
        let unit = BigUint::from(1_000_000_000u32);
        let nanos = (root + (&unit - 1u32)) / unit;
        Self::new(nanos.to_u64().ok_or(DecimalError::TooLong)?, 9)
    }

    /// self x other, rounded up to nine places.
    ///
    /// # Errors
    /// [`DecimalError::TooLong`] if the result needs more than 18 digits.
    pub fn times_up(self, other: Self) -> Result<Self, DecimalError> {
        let product = BigUint::from(self.scaled()) * BigUint::from(other.scaled());
        // In units of 10^-36, up to units of 10^-9.
        let unit = BigUint::from(10u32).pow(27);
        let nanos = (product + (&unit - 1u32)) / unit;
        Self::new(nanos.to_u64().ok_or(DecimalError::TooLong)?, 9)
    }

    /// The value in units of 10^-`places`, if it is a whole number of them.
    pub(crate) fn in_units(self, places: u8) -> Option<u128> {
        let unit = 10u128.pow(u32::from(Self::MAX_PLACES.checked_sub(places)?));
        let scaled = self.scaled();
        scaled.is_multiple_of(unit).then_some(scaled / unit)
    }

    /// What is left of this after `spent`, rounded down to a multiple of 10^-6; zero when nothing is.
    #[must_use]
    pub fn left_after(self, spent: Self) -> Self {
        let micros = self.scaled().saturating_sub(spent.scaled()) / 1_000_000_000_000;
        let micros = u64::try_from(micros).unwrap_or(u64::MAX).min(Self::LIMIT - 1);
        Self::new(micros, 6).unwrap_or(Self::ZERO)
    }

    /// `value` x 10^-6.
    pub(crate) fn from_micros(value: u64) -> Result<Self, DecimalError> {
        Self::new(value, 6)
    }

    /// The value in units of 10^-18; below 10^36.
    fn scaled(self) -> u128 {
        u128::from(self.digits) * 10u128.pow(u32::from(Self::MAX_PLACES - self.places))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(DecimalError::Syntax),
            None => (text, ""),
        };
        if whole.is_empty() || !text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()) {
            return Err(DecimalError::Syntax);
        }
        if fraction.contains('.') {
            return Err(DecimalError::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > usize::from(Self::MAX_PLACES) {
            return Err(DecimalError::TooLong);
        }
        let mut digits = 0u64;
        for byte in whole.bytes().chain(fraction.bytes()) {
            digits = digits
                .checked_mul(10)
                .and_then(|shifted| shifted.checked_add(u64::from(byte - b'0')))
                .filter(|&value| value < Self::LIMIT)
                .ok_or(DecimalError::TooLong)?;
        }
        Self::new(digits, fraction.len() as u8)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.places == 0 {
            return write!(f, "{}", self.digits);
        }
        let unit = 10u64.pow(u32::from(self.places));
        let places = usize::from(self.places);
        write!(f, "{}.{:0places$}", self.digits / unit, self.digits % unit)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scaled().cmp(&other.scaled())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_canonical(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_canonical() {
        for (given, canonical) in [
            ("8.0", "8"),
            ("008", "8"),
            ("0.10", "0.1"),
            ("0", "0"),
            ("0.000", "0"),
            ("100", "100"),
            ("0.000000000000000001", "0.000000000000000001"),
            ("999999999999999999", "999999999999999999"),
            ("12.000000000000000000000", "12"),
        ] {
            let value: Decimal = given.parse().unwrap();
            assert_eq!(value.to_string(), canonical);
            assert_eq!(Decimal::from_canonical(canonical), Ok(value));
            let strict = Decimal::from_canonical(given);
            assert_eq!(strict.is_ok(), given == canonical, "{given}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1.2.3", " 1", "1,5", "\u{0661}",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text:?}");
        }
        for text in [
            "1000000000000000000",
            "0.0000000000000000001",
            "1.000000000000000001",
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::TooLong), "{text:?}");
        }
    }

    #[test]
    fn order_and_value_are_numeric() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert!(d("9") < d("10") && d("0.9") < d("0.91") && d("1") > d("0.999999999999999999"));
        assert_eq!(d("0.1").to_f64(), 0.1);
        assert_eq!(d("1234567.25").to_f64(), 1_234_567.25);
    }

    #[test]
    fn norms_are_rounded_up() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(Decimal::norm_up(&[d("3"), d("4")]).unwrap(), d("5"));
        // sqrt 2 = 1.414213562 373...
        assert_eq!(Decimal::norm_up(&[d("1"), d("1")]).unwrap(), d("1.414213563"));
        assert_eq!(Decimal::norm_up(&[d("0.5"), Decimal::ZERO]).unwrap(), d("0.5"));
    }

    /// Failure: a product is rounded down, or a part of a unit is dropped in silence.
    #[test]
    fn products_are_rounded_up_and_units_are_whole() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(d("0.25").times_up(d("2")).unwrap(), d("0.5"));
        assert_eq!(d("0.333333333").times_up(d("0.1")).unwrap(), d("0.033333334"));
        assert_eq!(
            d("0.000000001").times_up(d("0.000000001")).unwrap(),
            d("0.000000001")
        );
        assert_eq!(
            d("999999999").times_up(d("999999999")),
            Err(DecimalError::TooLong)
        );
        assert_eq!(d("0.25").in_units(2), Some(25));
        assert_eq!((d("0.25").in_units(1), d("0").in_units(0)), (None, Some(0)));
    }

    /// Failure: more is said to be left of a budget than is, or a negative rest wraps.
    #[test]
    fn what_is_left_is_rounded_down_and_never_negative() {
        let d = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(d("8").left_after(d("2.5")), d("5.5"));
        assert_eq!(d("1.0000009").left_after(Decimal::ZERO), d("1"));
        assert_eq!(d("1").left_after(d("0.0000001")), d("0.999999"));
        assert_eq!(d("1").left_after(d("1.000001")), Decimal::ZERO);
        let most = d("999999999999999999");
        assert!(most.left_after(Decimal::ZERO) < most);
    }

    #[test]
    fn json_holds_a_string() {
        let value: Decimal = "0.00001".parse().unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), "\"0.00001\"");
        assert_eq!(serde_json::from_str::<Decimal>("\"0.00001\"").unwrap(), value);
        assert!(serde_json::from_str::<Decimal>("\"0.000010\"").is_err());
        assert!(serde_json::from_str::<Decimal>("0.5").is_err());
    }
}
