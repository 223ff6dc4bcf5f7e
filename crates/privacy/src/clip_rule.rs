//! Adaptive clipping: how the clip norm of the next round follows from the noisy share of updates within it.
//!
//! Only integers and decimals, so that server, client and auditor compute the same clip norm from the same published number.
//! Source of the update: Andrew, Thakkar, McMahan, Ramaswamy, "Differentially Private Learning with Adaptive Clipping" (2021), section 3.

use core::fmt;

use crate::decimal::{Decimal, DecimalError};

/// Places of quantile, rate and share: their product is exact in units of 10^-12.
const SHARE_PLACES: u8 = 6;
/// Places of a clip norm.
const CLIP_PLACES: u8 = 9;
/// 10^12, what the exponent is counted in.
const EXPONENT_UNIT: u128 = 1_000_000_000_000;
/// 10^18, what the factor is counted in.
const FACTOR_UNIT: u128 = 1_000_000_000_000_000_000;
/// Clip norms are below this many units of 10^-9: 10^9, where joint norms end too. A step multiplies one by less than 8 x 10^18.
const NANOS_LIMIT: u128 = 1_000_000_000_000_000_000;
/// The rate is at most this.
const LARGEST_RATE: u64 = 2;

/// Why there is no such rule or step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClipRuleError {
    /// Not five decimals joined by commas.
    #[error("a clip rule is five decimals: quantile, rate, initial, least and largest clip norm")]
    Form,
    /// The quantile is not inside (0, 1), or has more than six places.
    #[error("the quantile must be between 0 and 1, with at most six places")]
    Quantile,
    /// The rate is not in (0, 2], or has more than six places.
    #[error("the rate must be above 0 and at most 2, with at most six places")]
    Rate,
    /// Not 0 < least <= initial <= largest < 10^9, or more than nine places.
    #[error("clip norms must have at most nine places, and 0 < least <= initial <= largest < 10^9")]
    Bounds,
    /// The share is above 1, or has more than six places.
    #[error("the share of updates within the clip norm must be 0 to 1, with at most six places")]
    Share,
    /// A clip norm that the rule cannot have given.
    #[error("the clip norm is outside the rule's bounds")]
    Clip,
}

/// The rule of a task: C <- C exp(-rate (share - quantile)), within bounds. Public, and the same in every round.
///
/// Its text is the five decimals, canonical and joined by commas: quantile, rate, initial, least, largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipRule {
    quantile: Decimal,
    rate: Decimal,
    initial: Decimal,
    least: Decimal,
    largest: Decimal,
}

impl ClipRule {
    /// Checks and keeps a rule: the share gamma in (0, 1) of updates that shall be within the clip norm, the rate eta in (0, 2], and the clip
    /// norm of the first round with its bounds, in model units.
    ///
    /// # Errors
    /// [`ClipRuleError`], one variant per parameter.
    pub fn new(
        quantile: Decimal,
        rate: Decimal,
        initial: Decimal,
        (least, largest): (Decimal, Decimal),
    ) -> Result<Self, ClipRuleError> {
        let one = millionths(Decimal::ONE).unwrap_or_default();
        match millionths(quantile) {
            Some(value) if value > 0 && value < one => {}
            _ => return Err(ClipRuleError::Quantile),
        }
        match millionths(rate) {
            Some(value) if value > 0 && value <= u128::from(LARGEST_RATE) * one => {}
            _ => return Err(ClipRuleError::Rate),
        }
        let places = [initial, least, largest].map(nanos);
        let too_large = nanos(largest).is_none_or(|nanos| nanos >= NANOS_LIMIT);
        if least.is_zero() || least > initial || initial > largest || too_large || places.contains(&None) {
            return Err(ClipRuleError::Bounds);
        }
        Ok(Self {
            quantile,
            rate,
            initial,
            least,
            largest,
        })
    }

    /// Reads the text that [`fmt::Display`] writes, and no other.
    ///
    /// # Errors
    /// [`ClipRuleError::Form`], or as [`ClipRule::new`].
    pub fn parse(text: &str) -> Result<Self, ClipRuleError> {
        let decimals: Vec<Decimal> = text
            .splitn(6, ',')
            .map(|part| Decimal::from_canonical(part).map_err(|_| ClipRuleError::Form))
            .collect::<Result<_, _>>()?;
        match decimals[..] {
            [quantile, rate, initial, least, largest] => Self::new(quantile, rate, initial, (least, largest)),
            _ => Err(ClipRuleError::Form),
        }
    }

    /// Clip norm of the first round.
    pub fn initial(&self) -> Decimal {
        self.initial
    }

    /// Largest clip norm that the rule gives.
    pub fn largest(&self) -> Decimal {
        self.largest
    }

    /// Whether the rule can give this clip norm.
    pub fn allows(&self, clip: Decimal) -> bool {
        (self.least..=self.largest).contains(&clip) && nanos(clip).is_some()
    }

    /// The clip norm after a round with clip norm `clip`, of whose updates the share `within` was within it, as published. Exact:
    ///
    /// x = rate x (within - quantile) in units of 10^-12; G = t_0 + t_1 + ... in units of 10^-18 with t_0 = 1 and
    /// t_i = floor(t_(i-1) |x| / i), which is exp(|x|) to within 10^-16; then floor(C G) for x < 0, floor(C / G) else, in units of 10^-9, moved
    /// into the bounds.
    ///
    /// # Errors
    /// [`ClipRuleError::Share`], [`ClipRuleError::Clip`].
    pub fn next(&self, clip: Decimal, within: Decimal) -> Result<Decimal, ClipRuleError> {
        let share = millionths(within)
            .filter(|_| within <= Decimal::ONE)
            .ok_or(ClipRuleError::Share)?;
        if !self.allows(clip) {
            return Err(ClipRuleError::Clip);
        }
        let clip = nanos(clip).ok_or(ClipRuleError::Clip)?;
        let quantile = millionths(self.quantile).unwrap_or_default();
        let exponent = millionths(self.rate).unwrap_or_default() * share.abs_diff(quantile);
        let (mut factor, mut term, mut i) = (0u128, FACTOR_UNIT, 0u128);
        while term > 0 {
            factor += term;
            i += 1;
            term = term * exponent / (i * EXPONENT_UNIT);
        }
        // Below NANOS_LIMIT x 8 x 10^18, as exp(2) is below 8.
        let moved = if share < quantile {
            clip * factor / FACTOR_UNIT
        } else {
            clip * FACTOR_UNIT / factor
        };
        let largest = nanos(self.largest).unwrap_or_default();
        let moved = u64::try_from(moved.min(largest)).map_err(|_| ClipRuleError::Clip)?;
        let moved = Decimal::new(moved, CLIP_PLACES).map_err(|_: DecimalError| ClipRuleError::Clip)?;
        Ok(moved.clamp(self.least, self.largest))
    }
}

impl fmt::Display for ClipRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            quantile,
            rate,
            initial,
            least,
            largest,
        } = self;
        write!(f, "{quantile},{rate},{initial},{least},{largest}")
    }
}

fn millionths(value: Decimal) -> Option<u128> {
    value.in_units(SHARE_PLACES)
}

fn nanos(value: Decimal) -> Option<u128> {
    value.in_units(CLIP_PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn rule(text: &str) -> ClipRule {
        ClipRule::parse(text).unwrap()
    }

    /// Failure: the clip norm moves the wrong way, by another factor, or past its bounds.
    #[test]
    fn the_step_is_geometric_and_bounded() {
        let rule = rule("0.5,0.2,1,0.1,10");
        let next = |clip, share| rule.next(d(clip), d(share)).unwrap();
        assert_eq!(next("1", "0.5"), d("1"));
        // exp(0.1) = 1.105170918075..., exp(-0.1) = 0.904837418035..., rounded down.
        assert_eq!(next("1", "0"), d("1.105170918"));
        assert_eq!(next("1", "1"), d("0.904837418"));
        assert_eq!(next("10", "0.2"), d("10"));
        assert_eq!(next("0.1", "0.9"), d("0.1"));
        for (clip, share) in [("2.5", "0.123456"), ("0.333333333", "0.999999"), ("7", "0.4")] {
            let expected = d(clip).to_f64() * (-0.2 * (d(share).to_f64() - 0.5)).exp();
            let found = next(clip, share).to_f64();
            assert!(
                found <= expected * (1.0 + 1e-14) && found > expected - 1.1e-9,
                "{clip} {share}"
            );
        }
        let largest = self::rule("0.999999,2,1,0.000000001,999999999.999999999");
        let wide = largest.next(d("999999999.999999999"), d("0")).unwrap();
        assert_eq!(wide, d("999999999.999999999"));
        let least = largest.next(d("0.000000001"), d("1")).unwrap();
        assert_eq!(least, d("0.000000001"));
    }

    /// Failure: a rule that cannot be kept, or a share that nobody can have published, is taken.
    #[test]
    fn rules_and_shares_out_of_range_are_refused() {
        for (text, error) in [
            ("0.5,0.2,1,0.1", ClipRuleError::Form),
            ("0.5,0.2,1,0.1,10,1", ClipRuleError::Form),
            ("0.50,0.2,1,0.1,10", ClipRuleError::Form),
            ("0,0.2,1,0.1,10", ClipRuleError::Quantile),
            ("1,0.2,1,0.1,10", ClipRuleError::Quantile),
            ("0.1234567,0.2,1,0.1,10", ClipRuleError::Quantile),
            ("0.5,0,1,0.1,10", ClipRuleError::Rate),
            ("0.5,2.000001,1,0.1,10", ClipRuleError::Rate),
            ("0.5,0.2,1,0,10", ClipRuleError::Bounds),
            ("0.5,0.2,0.05,0.1,10", ClipRuleError::Bounds),
            ("0.5,0.2,11,0.1,10", ClipRuleError::Bounds),
            ("0.5,0.2,1.0000000001,0.1,10", ClipRuleError::Bounds),
            // A step from there would not fit 128 bits.
            ("0.5,2,1,1,999999999999999999", ClipRuleError::Bounds),
            ("0.5,2,1,1,1000000000", ClipRuleError::Bounds),
        ] {
            assert_eq!(ClipRule::parse(text), Err(error), "{text}");
        }
        let rule = rule("0.5,0.2,1,0.1,10");
        assert_eq!(rule.to_string(), "0.5,0.2,1,0.1,10");
        for share in ["1.000001", "0.1234567"] {
            assert_eq!(rule.next(d("1"), d(share)), Err(ClipRuleError::Share));
        }
        for clip in ["0.09", "10.1", "1.0000000001"] {
            assert_eq!(rule.next(d(clip), d("0.5")), Err(ClipRuleError::Clip));
        }
    }
}
