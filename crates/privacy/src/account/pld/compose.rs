//! Many releases at once: one convolution by Fourier transform, tilted so that small deltas keep their digits.
//!
//! **Tilting.** With masses m(x) of one release, delta(epsilon) = sum over x > epsilon of (1 - e^(epsilon - x)) m^(*T)(x). Let
//! p(x) = m(x) e^(lambda x - kappa) with kappa = K(lambda) = ln sum of m(x) e^(lambda x): then m^(*T)(x) = e^(T kappa - lambda x) p^(*T)(x), and
//! lambda is chosen so that p^(*T) is centred near the epsilon asked for. Errors of the transform are then relative to delta, not to 1.
//!
//! **Error of the transform.** A fast transform of length N errs in the Euclidean norm by at most TRANSFORM x log2(N) x 2^-53 of the norm of its
//! input (Higham, "Accuracy and Stability of Numerical Algorithms" (2002), Theorem 24.2, for radix 2 with twiddle factors good to mu: each of the
//! log2(N) stages costs mu + 7 x 2^-53; twiddles computed as cos and sin of a rounded angle below 2 pi have mu < 25 x 2^-53, and larger radices
//! have fewer stages: 32 in all, doubled here). Computed transforms of laws are at most e^g in magnitude, g_j = ln of the sum of p_j + f sqrt(N) norm(p_j), so
//! the T-th power multiplies that error by at most T e^(g T), and by repeated squaring rounds by at most 8 T 2^-53 relative; Parseval carries
//! the norm back. In sum the convolution is off, in the Euclidean norm, by
//!
//! [sum over laws of T_j (f + 8 x 2^-53) norm(p_j) + f min over j of norm(p_j)] e^(sum of T_j g_j),   f = 64 log2(N) 2^-53,
//!
//! and delta by e^(T kappa) times that times the norm of the weights e^(-lambda x) beyond epsilon (Cauchy-Schwarz).
//!
//! **Wrapping.** The window holds all but tau = 10^-14 of the tilted mass on each side (Chernoff, with the exact cumulants); mass that wraps around or
//! is cut changes delta by at most 2 tau e^(T kappa - lambda epsilon). All of this is added to the upper and subtracted from the lower bound.
//!
//! **Lower bound.** The true losses of labels are x + drift. By Bernstein's inequality the sum of drifts exceeds T mean - s but with
//! probability eta, so delta(epsilon) >= delta of the lattice at (epsilon - T mean + s), less eta.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

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

    /// What sums of drifts of all laws together exceed, but with probability `part`; the probability is 0 if the largest drifts of all
    /// releases together are no worse.
    fn of_all(laws: &[StepLaw], part: f64) -> Undershoot {
        let (mut mean, mut variance, mut largest, mut worst) = (0.0, 0.0, 0.0f64, 0.0);
        for law in laws {
            let count = law.count as f64;
            mean += count * law.drift.mean;
            variance += count * law.drift.variance;
            largest = largest.max(law.drift.largest + law.drift.mean.abs());
            worst += count * law.drift.largest;
        }
        let exponent = -part.ln();
        let spread = (2.0 * variance * exponent).sqrt() + 2.0 / 3.0 * largest * exponent;
        // Masses and drifts carry relative errors of a millionth at most: drifts are ratios of sums that lose digits.
        let likely = mean - spread - 1e-6 * (mean.abs() + spread);
        let certain = -worst * (1.0 + 1e-6);
        if certain >= likely {
            Undershoot {
                above: certain,
                part: 0.0,
            }
        } else {
            Undershoot { above: likely, part }
        }
    }
}

/// A sum of drifts is at least `above`, but with probability `part`.
struct Undershoot {
    above: f64,
    part: f64,
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
        let last = self.first + self.masses.len() as i64 - 1;
        let factor = (-theta.abs() * step).exp();
        let (end, sum) = if theta >= 0.0 {
            (last, geometric_sum(self.masses.iter().rev(), factor))
        } else {
            (self.first, geometric_sum(self.masses.iter(), factor))
        };
        theta * end as f64 * step + sum.ln()
    }
}

/// m_0 + m_1 f + m_2 f^2 + ..., in lanes that do not wait for each other.
fn geometric_sum<'a>(masses: impl ExactSizeIterator<Item = &'a f64>, factor: f64) -> f64 {
    const LANES: usize = 8;
    let mut weights = [1.0; LANES];
    for lane in 1..LANES {
        weights[lane] = weights[lane - 1] * factor;
    }
    let stride = weights[LANES - 1] * factor;
    let mut sums = [0.0; LANES];
    let mut lane = 0;
    for mass in masses {
        sums[lane] += weights[lane] * mass;
        weights[lane] *= stride;
        lane = (lane + 1) % LANES;
    }
    sums.iter().sum()
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
        end,
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
    let (forward, backward) = plans(length);
    let mut product = vec![Complex64::new(1.0, 0.0); length / 2 + 1];
    let mut transformed = forward.make_output_vec();
    let transform_error = TRANSFORM * UNIT * (length as f64).log2();
    let (mut error, mut smallest_norm, mut growth) = (0.0, f64::INFINITY, 0.0);
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
        // The sum is off by no more than its number of terms in units in the last place.
        let mass = values.iter().sum::<f64>().ln().max(0.0) + UNIT * length as f64;
        growth += law.count as f64 * (mass + transform_error * (length as f64).sqrt() * norm);
        forward
            .process(&mut values, &mut transformed)
            .map_err(|_| OutsideProof::TooWide)?;
        // e^-100 for the power is e^(-200 / count) for the square of the magnitude.
        let nothing = (-200.0 / law.count as f64).exp();
        for (slot, value) in product.iter_mut().zip(&transformed) {
            *slot *= if value.norm_sqr() > nothing {
                power(*value, law.count)
            } else {
                Complex64::new(0.0, 0.0)
            };
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
    // Powers left out as below e^-100 cost no more than that in the norm.
    let error = (error + transform_error * smallest_norm + (-100f64).exp()) * growth.exp() * (1.0 + 1e-6);
    Ok((values, error))
}

/// Plans of the lengths that are usual, kept because their tables of roots cost as much as a transform; they take 16 MB at most.
static PLANNER: LazyLock<Mutex<RealFftPlanner<f64>>> = LazyLock::new(|| Mutex::new(RealFftPlanner::new()));
const KEPT_LENGTH: usize = 1 << 19;

type Plans = (Arc<dyn RealToComplex<f64>>, Arc<dyn ComplexToReal<f64>>);

fn plans(length: usize) -> Plans {
    let plan = |planner: &mut RealFftPlanner<f64>| {
        (planner.plan_fft_forward(length), planner.plan_fft_inverse(length))
    };
    if length > KEPT_LENGTH {
        return plan(&mut RealFftPlanner::new());
    }
    // A panic while planning leaves the plans made before, which are whole.
    plan(&mut PLANNER.lock().unwrap_or_else(PoisonError::into_inner))
}

/// value^count by repeated squaring.
fn power(value: Complex64, mut count: u64) -> Complex64 {
    let (mut base, mut result) = (value, Complex64::new(1.0, 0.0));
    loop {
        if count & 1 == 1 {
            result *= base;
        }
        count >>= 1;
        if count == 0 {
            break;
        }
        base *= base;
    }
    result
}

/// The composed masses, still tilted, and what turns sums of them into delta.
struct TailSums<'a> {
    values: &'a [f64],
    /// First and last label of the window; what lies beyond counts as cut.
    start: i64,
    end: i64,
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
    /// Each mass times e^(point - its loss): at most `plain`, wherever the window lies.
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
        let mut weight = 0.0;
        let (heavier, nearer) = ((self.tilt * self.step).exp(), (-self.step).exp());
        for (terms, label) in (self.start..=self.end).rev().enumerate() {
            // Weights by multiplication, from an exponential every so often: off by fewer than 1000 units in the last place.
            if terms % 128 == 0 {
                let loss = label as f64 * self.step;
                weight = (-self.tilt * (loss - reference)).exp();
            }
            let value = self.values[label.rem_euclid(length) as usize] * weight;
            plain += value;
            discounted = (discounted + value) * nearer;
            magnitude += value.abs();
            // A mass of k labels above the point went through k products with a rounded factor, and k sums: three units for each.
            // Weights at the point below are the largest of any epsilon that these sums serve.
            weight *= heavier;
            let rounding = magnitude * UNIT * (terms as f64 + 1000.0);
            let above = Above {
                point: (label - 1) as f64 * self.step,
                plain,
                discounted,
                error: floor * weight * (1.0 + 1e-12) + 4.0 * rounding,
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
                let drifts = Drift::of_all(laws, DRIFT_PART * delta);
                let shift = drifts.above - slack;
                // Near where the answer will be, so that weights stay within range.
                let reference = (self.total - delta.ln()) / self.tilt;
                let unit = (self.total - self.tilt * reference).exp();
                let for_upper = ((delta - infinite) * (-masses).exp() / unit) * (1.0 - 1e-12);
                let for_lower = (delta + drifts.part + moved) * masses.exp() / unit * (1.0 + 1e-12);
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
                let drifts = Drift::of_all(laws, DRIFT_PART * upper);
                let low = self.delta_at(epsilon, epsilon - drifts.above + slack, -1.0) * unit;
                let lower = low * (-masses).exp() * (1.0 - 1e-12) - drifts.part - moved;
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
            if !(constant.is_finite() && above.discounted.is_finite()) {
                // Weights are out of range here: an upper bound ends at the last point that was judged, a lower one has found nothing.
                found = match (sign > 0.0, first) {
                    (true, true) => f64::INFINITY,
                    (true, false) => found,
                    (false, _) => f64::NEG_INFINITY,
                };
                return false;
            }
            if constant - above.discounted <= wanted {
                first = false;
                if sign > 0.0 {
                    // Enough, should the window end here.
                    found = above.point;
                }
                return above.point > least;
            }
            let ratio = (constant - wanted) / above.discounted;
            let inside = above.point + ratio.ln();
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
        let mut lowest = None;
        self.walk(reference, |above| {
            lowest = Some(above);
            above.point > epsilon
        });
        let Some(above) = lowest else { return 0.0 };
        // Weights of mass that is missing are larger at an epsilon below the window.
        let deeper = (self.tilt * (above.point - epsilon)).max(0.0).exp();
        let value = above.plain - (epsilon - above.point).exp() * above.discounted;
        (value + sign * above.error * deeper).max(0.0)
    }
}

#[cfg(test)]
mod tests;
