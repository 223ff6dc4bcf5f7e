//! One release as a pair of laws whose privacy losses lie on a lattice, dominating the true pair.
//!
//! **Connecting the dots.** Let L = dP/dQ. An outcome with ln L between two lattice points u and u + h is split between them so
//! that both its P-mass and its Q-mass are kept: with rho = L e^-u - 1 in [0, E], E = e^h - 1, Q-mass 1 - rho/E goes to u and
//! rho/E to u + h, and the P-mass of a label at u is e^u times its Q-mass. The result dominates (P, Q) and its privacy profile equals
//! the true one at lattice points (Doroshenko, Ghazi, Kamath, Kumar, Manurangsi, "Connect the Dots: Tighter Discrete Approximations of
//! Privacy Loss Distributions" (2022), Theorem 3.1). The same labels serve both directions of the pair.
//!
//! **A lower bound beside it.** Telling an observer only the label, drawn with those weights, is post-processing: the pair of
//! the labels' true masses is dominated by (P, Q). Its loss at label u differs from u by a drift of the order h^2, which is kept for
//! each label (`toward`), so that one convolution bounds the truth from both sides.
//!
//! **Errors.** Masses of continuous laws are integrals of a normal density times an affine function of e^g (g linear), by four Gauss-Legendre
//! nodes on pieces no longer than R / 112, R = 1 / (1 + |t| + 1/z): within radius R of a piece the density and e^g grow by at
//! most e^1.5 and e, and four nodes err by at most (64/15) M r^-8 / (1 - r^-2) on an ellipse with r >= 420 (Trefethen, "Is Gauss Quadrature Better
//! than Clenshaw-Curtis?" (2008), Theorem 4.5), relative to the mass below 10^-13 for h >= 10^-6; on pieces of R / 900 and less three nodes
//! do, with r >= 3500. With the rounding of the
//! exponentials every mass is within [`MASS_ERROR`] of its value. Positions are off by a few units in the last place of ln L, which
//! is `loss_slack`.

use super::compose::{Drift, StepLaw};
use crate::account::domain::OutsideProof;
use crate::account::law::LawTable;
use crate::account::normal::upper_tail;

/// Relative error of a label's mass.
pub(super) const MASS_ERROR: f64 = 2e-12;

/// Most labels of one release.
const MAX_LABELS: usize = 1 << 23;

/// Largest |loss| of a label: its exponential times any tabulated mass is a normal `f64`.
const MAX_LOSS: f64 = 600.0;

/// Largest |t| of an outcome whose density is still a normal `f64`.
const MAX_OUTCOME: f64 = 37.0;

/// Which of the two adjacent inputs is the one that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The contributor is there.
    Present,
    /// The contributor is not there.
    Absent,
}

/// A dominating pair on the lattice of multiples of `step`.
#[derive(Clone, Debug)]
pub(super) struct PairLattice {
    step: f64,
    /// Label k has loss (first + k) x step towards `Direction::Present`.
    first: i64,
    /// Q-mass of each label.
    masses: Vec<f64>,
    /// Sums of Q-mass x (L e^-u - 1) and of Q-mass x (e^u / L - 1), u being the label's loss.
    above: Vec<f64>,
    below: Vec<f64>,
    /// (P, Q) of the outcomes beyond the largest loss that is tabulated.
    right: (f64, f64),
    /// (P, Q) below the smallest.
    left: (f64, f64),
    loss_slack: f64,
}

/// Outcomes between two labels: sums of their Q-mass m times functions of rho = L e^-u - 1, u being the lower label's loss.
struct Gathered {
    /// E.
    span: f64,
    /// m (E - rho).
    to_left: f64,
    /// m rho.
    to_right: f64,
    /// m rho (E - rho).
    between: f64,
    /// m rho (E - rho) / (1 + rho).
    discounted: f64,
}

impl Gathered {
    fn new(span: f64) -> Self {
        Self {
            span,
            to_left: 0.0,
            to_right: 0.0,
            between: 0.0,
            discounted: 0.0,
        }
    }

    fn add(&mut self, mass: f64, rho: f64) {
        let rho = rho.clamp(0.0, self.span);
        let (right, left) = (mass * rho, self.span - rho);
        self.to_right += right;
        self.to_left += mass * left;
        self.between += right * left;
        self.discounted += right * left / (1.0 + rho);
    }
}

impl PairLattice {
    fn empty(step: f64, smallest: f64, largest: f64) -> Result<Self, OutsideProof> {
        let first = (smallest / step).floor();
        let labels = (largest / step).floor() - first + 2.0;
        let far = smallest.abs().max(largest.abs());
        if !(labels >= 2.0 && labels <= MAX_LABELS as f64 && far <= MAX_LOSS) {
            return Err(OutsideProof::TooWide);
        }
        let zeros = vec![0.0; labels as usize];
        Ok(Self {
            step,
            first: first as i64,
            masses: zeros.clone(),
            above: zeros.clone(),
            below: zeros,
            right: (0.0, 0.0),
            left: (0.0, 0.0),
            // Exponents and logarithms of this size, a dozen roundings.
            loss_slack: 16.0 * f64::EPSILON * (2.0 + smallest.abs() + largest.abs()),
        })
    }

    /// Splits what was gathered between label `cell` and the next.
    fn split(&mut self, cell: usize, gathered: &Gathered) {
        let span = gathered.span;
        self.masses[cell] += gathered.to_left / span;
        self.above[cell] += gathered.between / span;
        self.below[cell] -= gathered.discounted / span;
        self.masses[cell + 1] += gathered.to_right / span;
        self.above[cell + 1] -= gathered.between / (span * (1.0 + span));
        self.below[cell + 1] += gathered.discounted / span;
    }

    /// Gaussian noise of multiplier z on a Poisson sample of probability q (1 for everybody): Q = N(0, 1), P = (1 - q) N(0, 1) + q N(1/z, 1). Outcomes beyond
    /// `cut` standard deviations on either side are not tabulated.
    ///
    /// # Errors
    /// [`OutsideProof::TooWide`].
    pub(super) fn gaussian(z: f64, q: f64, step: f64, cut: f64) -> Result<Self, OutsideProof> {
        let (low, high) = (-cut, 1.0 / z + cut);
        if high > MAX_OUTCOME {
            return Err(OutsideProof::TooWide);
        }
        let gain = |t: f64| t / z - 0.5 / (z * z);
        let loss = |t: f64| loss_of(gain(t), q);
        let mut pair = Self::empty(step, loss(low), loss(high))?;
        pair.loss_slack += 16.0 * f64::EPSILON * gain(high).abs().max(gain(low).abs());
        let span = step.exp_m1();
        let cells = pair.masses.len() - 1;
        let mut start = low;
        for cell in 0..cells {
            let u = (pair.first + cell as i64) as f64 * step;
            let end = if cell + 1 == cells {
                high
            } else {
                outcome_of(u + step, z, q).clamp(start, high)
            };
            pair.integrate(cell, (start, end), (z, q, u, span));
            start = end;
        }
        pair.left = (upper_tail(cut), upper_tail(cut));
        let far = upper_tail(high);
        pair.right = ((1.0 - q) * far + q * upper_tail(high - 1.0 / z), far);
        Ok(pair)
    }

    fn integrate(&mut self, cell: usize, (start, end): (f64, f64), (z, q, u, span): (f64, f64, f64, f64)) {
        /// Nodes and weights on [-1, 1].
        const NODES: [(f64, f64); 4] = [
            (-0.861_136_311_594_052_6, 0.347_854_845_137_453_8),
            (-0.339_981_043_584_856_26, 0.652_145_154_862_546_2),
            (0.339_981_043_584_856_26, 0.652_145_154_862_546_2),
            (0.861_136_311_594_052_6, 0.347_854_845_137_453_8),
        ];
        /// Three nodes are enough on pieces eight times shorter than four need.
        const FEWER: [(f64, f64); 3] = [
            (-0.774_596_669_241_483_4, 0.555_555_555_555_555_6),
            (0.0, 0.888_888_888_888_888_8),
            (0.774_596_669_241_483_4, 0.555_555_555_555_555_6),
        ];
        let length = end - start;
        if length <= 0.0 {
            return;
        }
        let reach = start.abs().max(end.abs()) + 1.0 + 1.0 / z;
        let pieces = (length * reach * 112.0).ceil();
        let nodes: &[(f64, f64)] = if length * reach * 900.0 < 1.0 {
            &FEWER
        } else {
            &NODES
        };
        let half = 0.5 * length / pieces;
        let (unsampled, slope, offset) = ((1.0 - q) * (-u).exp(), 1.0 / z, 0.5 / (z * z) + u);
        let scale = half / core::f64::consts::TAU.sqrt();
        let mut gathered = Gathered::new(span);
        for piece in 0..pieces as u64 {
            let middle = start + half * (2 * piece + 1) as f64;
            for (node, weight) in nodes {
                let t = middle + half * node;
                let mass = weight * scale * (-0.5 * t * t).exp();
                gathered.add(mass, unsampled + q * (t * slope - offset).exp() - 1.0);
            }
        }
        self.split(cell, &gathered);
    }

    /// A discrete law against its shift by `shift`, on a Poisson sample of probability q. Magnitudes with less than `tail` left above them
    /// are not tabulated.
    ///
    /// # Errors
    /// [`OutsideProof::TooWide`] also if the table does not reach far enough.
    pub(super) fn discrete(
        law: &LawTable,
        shift: u64,
        q: f64,
        step: f64,
        tail: f64,
    ) -> Result<Self, OutsideProof> {
        let mut cut = law.last();
        let mut beyond = 0.0;
        while cut > 0 {
            let more = beyond + law.ln_probability(cut as i64).exp();
            if more > tail {
                break;
            }
            beyond = more;
            cut -= 1;
        }
        if cut + 2 * shift > law.last() {
            return Err(OutsideProof::TooWide);
        }
        let loss = |x: i64| loss_of(law.ln_ratio(x, shift), q);
        let (low, high) = (-(cut as i64), (cut + shift) as i64);
        let mut pair = Self::empty(step, loss(low), loss(high))?;
        // Logarithms of probabilities are off by 10^-12, see `law`.
        pair.loss_slack += 2e-12;
        let span = step.exp_m1();
        let cells = pair.masses.len() - 1;
        for x in low..=high {
            let u = loss(x);
            let cell = ((u / step).floor() as i64 - pair.first).clamp(0, cells as i64 - 1) as usize;
            let mut gathered = Gathered::new(span);
            let rho = (u - (pair.first + cell as i64) as f64 * step).exp_m1();
            gathered.add(law.ln_probability(x).exp(), rho);
            pair.split(cell, &gathered);
        }
        // The tail of the table itself is below e^-600.
        let beyond = beyond + 1e-250;
        pair.left = (beyond, beyond);
        pair.right = (beyond, beyond);
        Ok(pair)
    }

    /// The losses in one direction, `count` times. What was not tabulated counts as an infinite loss, or as the next larger tabulated
    /// one where it is known to be below it.
    pub(super) fn toward(&self, direction: Direction, count: u64) -> StepLaw {
        let labels = self.masses.len();
        let loss = |k: usize| (self.first + k as i64) as f64 * self.step;
        let mut drift = Drift::default();
        let (first, masses, infinite, moved) = match direction {
            Direction::Present => {
                let mut masses: Vec<f64> = (0..labels).map(|k| self.masses[k] * loss(k).exp()).collect();
                for (mass, (below, own)) in masses.iter().zip(self.below.iter().zip(&self.masses)) {
                    drift.add(*mass, -(below / own).ln_1p());
                }
                masses[1] += self.left.0;
                (self.first, masses, self.right.0, self.left.0)
            }
            Direction::Absent => {
                let mut masses: Vec<f64> = self.masses.iter().rev().copied().collect();
                for (mass, above) in self.masses.iter().zip(&self.above) {
                    drift.add(*mass, -(above / mass).ln_1p());
                }
                masses[1] += self.right.1;
                let last = self.first + labels as i64 - 1;
                (-last, masses, self.left.1, self.right.1)
            }
        };
        StepLaw {
            first,
            masses,
            infinite,
            moved,
            drift,
            loss_slack: self.loss_slack,
            count,
        }
    }
}

/// ln(1 - q + q e^gain), the loss of an outcome whose loss is `gain` when everybody takes part. Every branch adds numbers of one sign, so that
/// losses far below 0 keep their digits too.
fn loss_of(gain: f64, q: f64) -> f64 {
    if gain > 30.0 {
        gain + (q + (1.0 - q) * (-gain).exp()).ln()
    } else if gain < -1.0 {
        (1.0 - q + q * gain.exp()).ln()
    } else {
        (q * gain.exp_m1()).ln_1p()
    }
}

/// The t with ln L(t) = u; negative infinity below the smallest loss.
fn outcome_of(u: f64, z: f64, q: f64) -> f64 {
    let gain = if u > 30.0 {
        u + (-(1.0 - q) * (-u).exp()).ln_1p() - q.ln()
    } else if u < -1.0 {
        let inside = (u.exp() - (1.0 - q)) / q;
        if inside <= 0.0 {
            return f64::NEG_INFINITY;
        }
        inside.ln()
    } else {
        let inside = u.exp_m1() / q;
        if inside <= -1.0 {
            return f64::NEG_INFINITY;
        }
        inside.ln_1p()
    };
    z * gain + 0.5 / z
}
