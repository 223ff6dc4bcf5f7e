//! From the unmasked integer sum back to a mean in model units.

use tacita_algebra::RingVector;

use crate::encoding::Encoding;
use crate::joint::JointTerms;
use crate::noise::NoiseShare;
use crate::record::RecordHeadroom;
use crate::rotation::Rotation;

/// Why a sum is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The sum is not a vector of this encoding (number of coordinates or ring).
    #[error("the sum has another shape than the encoding")]
    Shape,
    /// A sum over nobody.
    #[error("the sum has no contributors")]
    NoContributors,
    /// The sum is longer than honest contributions and noise allow: a member sent something else, or the ring wrapped.
    #[error("the sum is implausibly long: {norm:.6} model units, at most {limit:.6} expected")]
    Implausible {
        /// Norm of the sum in model units.
        norm: f64,
        /// What it should not exceed.
        limit: f64,
    },
    /// The noisy sum of weights is too close to zero to divide by.
    #[error(
        "the decoded sum of weights {decoded:.6} is below {limit:.6}, six standard deviations of its noise"
    )]
    WeightSum {
        /// Noisy sum of weights.
        decoded: f64,
        /// Smallest one accepted.
        limit: f64,
    },
}

/// A sum on its way back to model units.
struct Backwards<'a> {
    sum: &'a RingVector,
    rotation: Rotation,
    step: f64,
}

impl<'a> Backwards<'a> {
    fn new(sum: &'a RingVector, encoding: &Encoding) -> Self {
        Self {
            sum,
            rotation: Rotation::new(encoding.rotation_seed(), encoding.block()),
            step: 1.0 / encoding.steps_per_unit(),
        }
    }

    /// The piece from `start`, a multiple of the rotation's piece.
    fn read(&self, start: usize, values: &mut Vec<f64>) {
        let left = self.sum.len().saturating_sub(start);
        values.resize(self.rotation.piece().min(left), 0.0);
        values
            .iter_mut()
            .zip(self.sum.signed(start))
            .for_each(|(value, integer)| *value = integer as f64 * self.step);
        self.rotation.rotate_back(start, values);
    }
}

/// The last `extra` values of a sum in model units, padding not counted.
pub(crate) fn tail(sum: &RingVector, encoding: &Encoding, extra: u32) -> Result<Vec<f64>, DecodeError> {
    if sum.len() != encoding.padded() as usize
        || sum.bits() != encoding.bits()
        || extra > encoding.dimension()
    {
        return Err(DecodeError::Shape);
    }
    let end = encoding.dimension() as usize;
    let mut at = end.saturating_sub(extra as usize);
    let back = Backwards::new(sum, encoding);
    let (mut values, mut found) = (Vec::new(), Vec::with_capacity(extra as usize));
    while at < end {
        let start = at - at % back.rotation.piece();
        back.read(start, &mut values);
        let piece = values.iter().take(end - start).skip(at - start).copied();
        found.extend(piece);
        at = start.saturating_add(values.len().max(1));
    }
    Ok(found)
}

/// The (weighted) mean of the contributors' clipped updates, with its noise. Public: it is what the round releases.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedMean {
    values: Vec<f32>,
    contributors: u32,
    weight_sum: Option<f64>,
}

impl DecodedMean {
    /// Standard deviations of noise allowed in the norm of the sum: by concentration of a Gaussian's norm, which the sum
    /// of shares is close to, honest sums fail with probability below 2^-46.
    const NOISE_DEVIATIONS: f64 = 8.0;

    /// Decodes the sum of `contributors` vectors: centre, check plausibility, rotate back, drop the padding, divide.
    ///
    /// With weights among the `terms` the first value behind the updates is the sum of weights, by which they are divided; else by
    /// `contributors`. What else is behind them is [`crate::Published`]'s.
    ///
    /// # Errors
    /// [`DecodeError`], one variant per cause.
    pub fn from_sum(
        sum: &RingVector,
        encoding: &Encoding,
        share: &NoiseShare,
        contributors: u32,
        terms: Option<&JointTerms>,
    ) -> Result<Self, DecodeError> {
        Self::check_norm(sum, encoding, share, contributors, 1)?;
        let step = 1.0 / encoding.steps_per_unit();
        let extra = terms.map_or(0, JointTerms::extra);
        let dimension = encoding.dimension().saturating_sub(extra) as usize;
        let weight_sum = match terms.and_then(JointTerms::weighting) {
            None => None,
            Some(weighting) => {
                let first = tail(sum, encoding, extra)?.first().copied().unwrap_or(0.0);
                let scale = weighting.scale.to_f64();
                let decoded = first / scale;
                let rounding = (f64::from(contributors) / 4.0).sqrt() * step;
                let deviation = share.standard_deviation(contributors, encoding).hypot(rounding) / scale;
                let limit = 6.0 * deviation;
                // Also refuses what is not a number, as from a scale of zero.
                if decoded.partial_cmp(&limit) != Some(core::cmp::Ordering::Greater) {
                    return Err(DecodeError::WeightSum { decoded, limit });
                }
                Some(decoded)
            }
        };
        let divisor = weight_sum.unwrap_or(f64::from(contributors));
        let back = Backwards::new(sum, encoding);
        let mut values = Vec::new();
        let mut mean = Vec::with_capacity(dimension);
        // Piece by piece: the sum and the mean are held whole, nothing else.
        for start in (0..dimension).step_by(back.rotation.piece()) {
            back.read(start, &mut values);
            let wanted = dimension - start;
            mean.extend(values.iter().take(wanted).map(|value| (value / divisor) as f32));
        }
        Ok(Self {
            values: mean,
            contributors,
            weight_sum,
        })
    }

    /// Decodes the sum of `contributors` sums of records, in the record unit: as [`DecodedMean::from_sum`], but divided by
    /// [`crate::RecordTerms::divisor`], a public number that depends on nobody's coins.
    ///
    /// # Errors
    /// [`DecodeError`], one variant per cause.
    pub fn from_records(
        sum: &RingVector,
        headroom: &RecordHeadroom,
        contributors: u32,
    ) -> Result<Self, DecodeError> {
        let (encoding, share, terms) = (headroom.encoding(), headroom.noise_share(), headroom.terms());
        Self::check_norm(sum, encoding, &share, contributors, terms.largest())?;
        let factor = 1.0 / (encoding.steps_per_unit() * terms.divisor(contributors, headroom.clients()));
        let rotation = Rotation::new(encoding.rotation_seed(), encoding.block());
        let mut values = Vec::with_capacity(sum.len());
        let mut block = Vec::new();
        for start in (0..sum.len()).step_by(rotation.piece()) {
            block.clear();
            let integers = sum.signed(start).take(rotation.piece());
            block.extend(integers.map(|integer| integer as f64 * factor));
            rotation.rotate_back(start, &mut block);
            values.extend(block.iter().map(|value| *value as f32));
        }
        values.truncate(encoding.dimension() as usize);
        Ok(Self {
            values,
            contributors,
            weight_sum: None,
        })
    }

    /// Shape and norm of a sum in which each contributor has up to `vectors` vectors.
    fn check_norm(
        sum: &RingVector,
        encoding: &Encoding,
        share: &NoiseShare,
        contributors: u32,
        vectors: u32,
    ) -> Result<(), DecodeError> {
        if sum.len() != encoding.padded() as usize || sum.bits() != encoding.bits() {
            return Err(DecodeError::Shape);
        }
        if contributors == 0 {
            return Err(DecodeError::NoContributors);
        }
        let step = 1.0 / encoding.steps_per_unit();
        let square = |integer: i64| (integer as f64 * step) * (integer as f64 * step);
        let norm = sum.signed(0).map(square).sum::<f64>().sqrt();
        let signal =
            f64::from(contributors) * f64::from(vectors) * (encoding.squared_l2_sensitivity() as f64).sqrt()
                / encoding.steps_per_unit();
        let spread = f64::from(encoding.padded()).sqrt() + Self::NOISE_DEVIATIONS;
        let limit = signal + spread * share.standard_deviation(contributors, encoding);
        if norm > limit * (1.0 + 1e-9) {
            return Err(DecodeError::Implausible { norm, limit });
        }
        Ok(())
    }

    /// The mean, in model units; without extra coordinates.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The mean, by value.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// Vectors in the sum.
    pub fn contributors(&self) -> u32 {
        self.contributors
    }

    /// The noisy sum of weights in [0, contributors], if weighted.
    pub fn weight_sum(&self) -> Option<f64> {
        self.weight_sum
    }
}
