//! Many releases at once: one convolution by Fourier transform, tilted so that small deltas keep their digits.
//!
//! **Tilting.** With masses m(x) of one release, delta(epsilon) = sum over x > epsilon of (1 - e^(epsilon - x)) m^(*T)(x). Let
//! p(x) = m(x) e^(lambda x - kappa) with kappa = K(lambda) = ln sum of m(x) e^(lambda x): then m^(*T)(x) = e^(T kappa - lambda x) p^(*T)(x), and
//! lambda is chosen so that p^(*T) is centred near the epsilon asked for. Errors of the transform are then relative to delta, not to 1.
//!
//! **Error of the transform.** A fast transform of length N errs in the Euclidean norm by at most TRANSFORM x log2(N) x 2^-53 of the norm of its
//! input (Higham, "Accuracy and Stability of Numerical Algorithms" (2002), Theorem 24.2, for radix 2 with twiddle factors good to mu: each of the
//! log2(N) stages costs mu + 7 x 2^-53; twiddles computed as cos and sin of a rounded angle below 2 pi have mu < 25 x 2^-53, and larger radices
//! have fewer stages: 32 in all, doubled here). Transforms of laws are at most 1 + 10^-9 in magnitude, so the T-th power multiplies that error by at most T,
//! and by repeated squaring rounds by at most 8 T 2^-53 relative; Parseval carries the norm back. In sum the
//! convolution is off, in the Euclidean norm, by
//!
//! [sum over laws of T_j (f + 8 x 2^-53) norm(p_j) + f min over j of norm(p_j)] (1 + 10^-6),   f = 64 log2(N) 2^-53,
//!
//! and delta by e^(T kappa) times that times the norm of the weights e^(-lambda x) beyond epsilon (Cauchy-Schwarz).
//!
//! **Wrapping.** The window holds all but tau = 10^-14 of the tilted mass on each side (Chernoff, with the exact cumulants); mass that wraps around or
//! is cut changes delta by at most 2 tau e^(T kappa - lambda epsilon). All of this is added to the upper and subtracted from the lower bound.
//!
//! **Lower bound.** The true losses of labels are x + drift. By Bernstein's inequality the sum of drifts exceeds T mean - s but with
//! probability eta, so delta(epsilon) >= delta of the lattice at (epsilon - T mean + s), less eta.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex64;

use super::lattice::MASS_ERROR;
use crate::account::domain::OutsideProof;
use crate::account::normal::minimise;

/// Tilted mass that may lie outside the window on each side.
const TAU: f64 = 1e-14;
const TRANSFORM: f64 = 64.0;
const UNIT: f64 = f64::EPSILON / 2.0;
/// Longest transform.
const MAX_LENGTH: usize = 1 << 22;
/// Share of delta given to the tail of the drift in the lower bound.
const DRIFT_PART: f64 = 1e-3;

/// How true losses of labels differ from their lattice points.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drift {
    mean: f64,
    variance: f64,
    largest: f64,
    /// Mass of labels whose drift is not a number; they do not count towards a lower bound.
    lost: f64,
}

impl Drift {
    pub(super) fn add(&mut self, mass: f64, drift: f64) {
        if drift.is_finite() {
            self.mean += mass * drift;
            self.variance += mass * drift * drift;
            self.largest = self.largest.max(drift.abs());
        } else {
            self.lost += mass;
        }
    }

    /// How far below `count` means a sum of drifts can be, but with probability e^-`exponent`, and the mean: (mean, s) for
    /// all laws together.
    fn of_all(laws: &[StepLaw], exponent: f64) -> (f64, f64) {
        let (mut mean, mut variance, mut largest) = (0.0, 0.0, 0.0f64);
        for law in laws {
            let count = law.count as f64;
            mean += count * law.drift.mean;
            variance += count * law.drift.variance;
            largest = largest.max(law.drift.largest + law.drift.mean.abs());
        }
        // Masses and drifts carry relative errors of a millionth at most: drifts are ratios of sums that lose digits.
        let spread = (2.0 * variance * exponent).sqrt() + 2.0 / 3.0 * largest * exponent;
        (mean - 1e-6 * mean.abs(), spread * (1.0 + 1e-6))
    }
}

/// The losses of one release on the lattice, and how often it happens.
#[derive(Clone, Debug)]
pub(super) struct StepLaw {
    /// Label k has loss (first + k) x step.
    pub(super) first: i64,
    pub(super) masses: Vec<f64>,
    /// Mass at infinite loss.
    pub(super) infinite: f64,
    /// Mass that was moved to larger losses; not there in the lower bound.
    pub(super) moved: f64,
    pub(super) drift: Drift,
    pub(super) loss_slack: f64,
    pub(super) count: u64,
}

impl StepLaw {
    /// ln of the sum of masses times e^(theta x): geometric weights from the end where they are largest, so nothing overflows. Off by
    /// the number of labels in units in the last place.
    fn cumulant(&self, theta: f64, step: f64) -> f64 {
        let fold = |sum: (f64, f64), mass: &f64, factor: f64| (sum.0 + sum.1 * mass, sum.1 * factor);
        let factor = (-theta.abs() * step).exp();
        let last = self.first + self.masses.len() as i64 - 1;
        let (end, (sum, _)) = if theta >= 0.0 {
            let sum = self.masses.iter().rev();
            (last, sum.fold((0.0, 1.0), |sum, mass| fold(sum, mass, factor)))
        } else {
            let sum = self.masses.iter();
            (
                self.first,
                sum.fold((0.0, 1.0), |sum, mass| fold(sum, mass, factor)),
            )
        };
        theta * end as f64 * step + sum.ln()
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// Epsilon at this delta.
    Delta(f64),
    /// Delta at this epsilon.
    Epsilon(f64),
}

/// The answer in one direction, between certified bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Between {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

fn cumulants(laws: &[StepLaw], theta: f64, step: f64) -> f64 {
    laws.iter()
        .map(|law| law.count as f64 * law.cumulant(theta, step))
        .sum()
}

/// Composes the laws and answers.
///
/// # Errors
/// [`OutsideProof::TooWide`] if the window does not fit the longest transform.
pub(super) fn compose(laws: &[StepLaw], step: f64, target: Target) -> Result<Between, OutsideProof> {
    let tilt = choose_tilt(laws, step, target);
    let kappas: Vec<f64> = laws.iter().map(|law| law.cumulant(tilt, step)).collect();
    let total: f64 = laws
        .iter()
        .zip(&kappas)
        .map(|(law, k)| law.count as f64 * k)
        .sum();
    let edge = |sign: f64| {
        let (_, reach) = minimise(-7.0, 7.0, 14, |log| {
            let theta = log.exp();
            (cumulants(laws, tilt + sign * theta, step) - total - TAU.ln()) / theta
        });
        // Cumulants are off by their number of labels in units in the last place: well below a step.
        sign * (reach + step)
    };
    let (left, right) = (edge(-1.0), edge(1.0));
    if !(left.is_finite() && right.is_finite() && left <= right) {
        return Err(OutsideProof::TooWide);
    }
    let (start, end) = ((left / step).floor() as i64, (right / step).ceil() as i64);
    let length = transform_length(usize::try_from(end - start + 2).unwrap_or(usize::MAX))?;
    let (values, error) = convolve(laws, &kappas, (tilt, step), length)?;
    let sums = TailSums {
        values: &values,
        start,
        step,
        tilt,
        total,
        error,
    };
    Ok(sums.answer(laws, target))
}

/// The lambda of the best Chernoff bound: an order less one, as for a Renyi curve. Any value is valid.
fn choose_tilt(laws: &[StepLaw], step: f64, target: Target) -> f64 {
    let (log, _) = minimise(0.01f64.ln(), 3000f64.ln(), 18, |log| {
        let tilt = log.exp();
        let sum = cumulants(laws, tilt, step);
        match target {
            Target::Delta(delta) => (sum - delta.ln()) / tilt,
            // Quasi-convex too; log-scale slopes do not matter for golden sections.
            Target::Epsilon(epsilon) => sum - tilt * epsilon,
        }
    });
    log.exp()
}

/// The least 2^a or 3 x 2^a that is not below `least`.
fn transform_length(least: usize) -> Result<usize, OutsideProof> {
    if least > MAX_LENGTH {
        return Err(OutsideProof::TooWide);
    }
    let power = least.next_power_of_two().max(16);
    let three = power / 4 * 3;
    Ok(if three >= least { three } else { power })
}

/// The tilted convolution on labels mod `length`, and the Euclidean norm of its error.
fn convolve(
    laws: &[StepLaw],
    kappas: &[f64],
    (tilt, step): (f64, f64),
    length: usize,
) -> Result<(Vec<f64>, f64), OutsideProof> {
    let mut planner = RealFftPlanner::<f64>::new();
    let (forward, backward) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let mut product = vec![Complex64::new(1.0, 0.0); length / 2 + 1];
    let mut transformed = forward.make_output_vec();
    let transform_error = TRANSFORM * UNIT * (length as f64).log2();
    let (mut error, mut smallest_norm) = (0.0, f64::INFINITY);
    let mut values = forward.make_input_vec();
    for (law, kappa) in laws.iter().zip(kappas) {
        values.fill(0.0);
        let mut place = law.first.rem_euclid(length as i64) as usize;
        for (k, mass) in law.masses.iter().enumerate() {
            if *mass > 0.0 {
                let loss = (law.first + k as i64) as f64 * step;
                values[place] += mass * (tilt * loss - kappa).exp();
            }
            place += 1;
            if place == length {
                place = 0;
            }
        }
        let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
        smallest_norm = norm.min(smallest_norm);
        error += law.count as f64 * (transform_error + 8.0 * UNIT) * norm;
        forward
            .process(&mut values, &mut transformed)
            .map_err(|_| OutsideProof::TooWide)?;
        for (slot, value) in product.iter_mut().zip(&transformed) {
            *slot *= power(*value, law.count);
        }
    }
    // The transform of a real sequence is real at both ends; rounding may say otherwise.
    for end in [0, length / 2] {
        product[end].im = 0.0;
    }
    backward
        .process(&mut product, &mut values)
        .map_err(|_| OutsideProof::TooWide)?;
    let scale = 1.0 / length as f64;
    values.iter_mut().for_each(|value| *value *= scale);
    let error = (error + transform_error * smallest_norm) * (1.0 + 1e-6) + (-100f64).exp();
    Ok((values, error))
}

/// value^count by repeated squaring; 0 where the magnitude is below e^-100, which the error accounts for.
fn power(value: Complex64, mut count: u64) -> Complex64 {
    if value.norm_sqr().ln() * count as f64 <= -200.0 {
        return Complex64::new(0.0, 0.0);
    }
    let (mut base, mut result) = (value, Complex64::new(1.0, 0.0));
    while count > 0 {
        if count & 1 == 1 {
            result *= base;
        }
        base *= base;
        count >>= 1;
    }
    result
}

/// The composed masses, still tilted, and what turns sums of them into delta.
struct TailSums<'a> {
    values: &'a [f64],
    start: i64,
    step: f64,
    tilt: f64,
    /// Sum of counts times kappas.
    total: f64,
    error: f64,
}

/// Sums over the losses above one lattice point, in units of e^(total - tilt x reference).
#[derive(Clone, Copy)]
struct Above {
    /// The lattice point: sums hold for every epsilon from here up to the next point.
    point: f64,
    plain: f64,
    discounted: f64,
    error: f64,
}

impl TailSums<'_> {
    /// Walks down from the top of the window, one lattice point at a time, until `visit` returns false.
    fn walk(&self, reference: f64, mut visit: impl FnMut(Above) -> bool) {
        let length = self.values.len() as i64;
        let weights = (length as f64).min(1.0 / -(-2.0 * self.tilt * self.step).exp_m1());
        let floor = self.error * weights.sqrt() + 2.0 * TAU;
        let (mut plain, mut discounted, mut magnitude) = (0.0, 0.0, 0.0);
        let mut terms = 0.0;
        for label in (self.start..self.start + length).rev() {
            let loss = label as f64 * self.step;
            let weight = (-self.tilt * (loss - reference)).exp();
            let value = self.values[label.rem_euclid(length) as usize] * weight;
            plain += value;
            discounted += value * (reference - loss).exp();
            magnitude += value.abs();
            terms += 1.0;
            let point = (label - 1) as f64 * self.step;
            // Weights at the point below are the largest of any epsilon that these sums serve.
            let largest = (-self.tilt * (point - reference)).exp();
            let rounding = magnitude * UNIT * (terms + 1000.0);
            let above = Above {
                point,
                plain,
                discounted,
                error: floor * largest + 2.0 * rounding,
            };
            if !visit(above) {
                return;
            }
        }
    }

    fn answer(&self, laws: &[StepLaw], target: Target) -> Between {
        let counted = |f: fn(&StepLaw) -> f64| laws.iter().map(|law| law.count as f64 * f(law)).sum::<f64>();
        let infinite = counted(|law| law.infinite);
        let moved = counted(|law| law.moved + law.drift.lost);
        let slack = counted(|law| law.loss_slack);
        let masses = counted(|_| MASS_ERROR);
        match target {
            Target::Delta(delta) => {
                let exponent = -(DRIFT_PART * delta).ln();
                let (mean, spread) = Drift::of_all(laws, exponent);
                let shift = mean - spread - slack;
                // Near where the answer will be, so that weights stay within range.
                let reference = (self.total - delta.ln()) / self.tilt;
                let unit = (self.total - self.tilt * reference).exp();
                let for_upper = ((delta - infinite) * (-masses).exp() / unit) * (1.0 - 1e-12);
                let for_lower = (delta * (1.0 + DRIFT_PART) + moved) * masses.exp() / unit * (1.0 + 1e-12);
                let upper = self.crossing(reference, for_upper, 1.0, -slack);
                let lower = self.crossing(reference, for_lower, -1.0, -shift);
                Between {
                    lower: (lower + shift - 1e-12 * lower.abs()).max(0.0),
                    upper: (upper + slack + 1e-12 * upper.abs()).max(0.0),
                }
            }
            Target::Epsilon(epsilon) => {
                let unit = (self.total - self.tilt * epsilon).exp();
                let up = self.delta_at(epsilon, epsilon - slack, 1.0) * unit * masses.exp() * (1.0 + 1e-12);
                let upper = (up + infinite).min(1.0);
                let part = DRIFT_PART * upper;
                let (mean, spread) = Drift::of_all(laws, -part.ln());
                let low = self.delta_at(epsilon, epsilon - mean + spread + slack, -1.0) * unit;
                let lower = low * (-masses).exp() * (1.0 - 1e-12) - part - moved;
                Between {
                    lower: lower.max(0.0),
                    upper,
                }
            }
        }
    }

    /// The epsilon at which delta, in units of the reference and with its error added (`sign` 1) or taken off (-1), is `wanted`; not below
    /// `least`. Infinity if delta never falls that far.
    fn crossing(&self, reference: f64, wanted: f64, sign: f64, least: f64) -> f64 {
        let mut found = f64::NEG_INFINITY;
        let mut first = true;
        self.walk(reference, |above| {
            let constant = above.plain + sign * above.error;
            if constant - (above.point - reference).exp() * above.discounted <= wanted {
                first = false;
                return above.point > least;
            }
            let ratio = (constant - wanted) / above.discounted;
            let inside = reference + ratio.ln();
            found = if first && sign > 0.0 {
                f64::INFINITY
            } else if inside.is_finite() {
                inside.clamp(above.point, above.point + self.step)
            } else if sign > 0.0 {
                above.point + self.step
            } else {
                above.point
            };
            false
        });
        found.max(least)
    }

    /// Delta at `epsilon` in units of the reference, with its error added or taken off.
    fn delta_at(&self, reference: f64, epsilon: f64, sign: f64) -> f64 {
        let mut value = 0.0;
        self.walk(reference, |above| {
            value = above.plain - (epsilon - reference).exp() * above.discounted + sign * above.error;
            above.point > epsilon
        });
        value.max(0.0)
    }
}
