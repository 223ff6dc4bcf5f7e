//! Renyi divergences of mechanisms that see a random part of the clients only.
//!
//! Only credit a sampling that the deployment carries out, with coins that the adversary does not see; a server that picks the
//! cohort itself gets none.

use super::normal::{LogSum, ln_binomial, ln_expm1};
use super::renyi;

/// Absolute slack of a moment near 1, for the rounding of its quadrature or sum.
const MOMENT_SLACK: f64 = 1e-15;

/// Largest order up to which the forward differences of [`fixed_size_gaussian`] are computed.
const DIFFERENCES_UP_TO: u32 = 256;

/// The Gaussian mechanism with noise multiplier z on a Poisson sample: each client takes part with probability q,
/// independently. By exact moments, at any order a > 1:
///
/// ln E[(1 - q + q exp(t/z - 1/(2 z^2)))^a] / (a - 1), t standard normal,
///
/// for zero-out and add-remove adjacency; the other direction of the pair is smaller. Integer orders expand the power, whose terms
/// are all positive; others integrate by the trapezoidal rule, see `moment_at`.
///
/// Source: Mironov, Talwar, Zhang, "Renyi Differential Privacy of the Sampled Gaussian Mechanism" (2019), Theorems 4 and 5 and section 3.3.
pub fn poisson_gaussian(order: f64, noise_multiplier: f64, q: f64) -> f64 {
    if q >= 1.0 {
        return renyi::gaussian(order, noise_multiplier);
    }
    let excess = if order.fract() == 0.0 && order <= 4096.0 {
        moment_at_integer(order as u32, noise_multiplier, q)
    } else {
        moment_at(order, noise_multiplier, q)
    };
    ln_one_plus(excess, MOMENT_SLACK * q * order) / (order - 1.0)
}

/// ln(1 + e^`log` + `slack`).
fn ln_one_plus(log: f64, slack: f64) -> f64 {
    if log > 30.0 {
        log + (-log).exp() + slack
    } else {
        (log.exp() + slack).ln_1p()
    }
}

/// ln(E[L^a] - 1) for integer a: sum over k >= 2 of C(a, k) (1 - q)^(a - k) q^k (e^(k (k - 1) / (2 z^2)) - 1).
fn moment_at_integer(order: u32, z: f64, q: f64) -> f64 {
    let mut sum = LogSum::new();
    for k in 2..=order {
        let x = f64::from(k) * f64::from(k - 1) / (2.0 * z * z);
        sum.add(
            ln_binomial(order, k) + f64::from(order - k) * (-q).ln_1p() + f64::from(k) * q.ln() + ln_expm1(x),
        );
    }
    sum.ln()
}

/// ln(E[L^a] - 1) for any a > 1, as the integral of density(t) (L^a - 1 - a (L - 1)), which is positive and has the same value
/// since E[L] = 1.
///
/// L = 1 - q + q e^g with g = t/z - 1/(2 z^2) has no zero where |Im t| < pi z, so the integrand is analytic there and the
/// trapezoidal rule of step s is off by at most 2 e^(w^2/2 - 2 pi w/s) (E[L^a] + 1 + 2 a) for any strip of half-width w < pi z
/// (Trefethen, Weideman, "The Exponentially Convergent Trapezoidal Rule" (2014), Theorem 5.1): e^-70 for the step chosen here. Cutting at -14 and at `high` loses
/// at most (1 - q) P(N > high) + q e^(a (a - 1) / (2 z^2)) P(N > high - a/z) by convexity of the power, below e^-70 too.
fn moment_at(order: f64, z: f64, q: f64) -> f64 {
    let width = (0.9 * core::f64::consts::PI * z).min(6.0);
    let step = core::f64::consts::TAU * width / (75.0 + width * width / 2.0);
    let growth = (q.ln() + order * (order - 1.0) / (2.0 * z * z)).max(0.0);
    let high = order / z + (2.0 * (growth + 75.0)).sqrt();
    let mut sum = LogSum::new();
    let steps = ((high + 14.0) / step).ceil() as u64;
    for i in 0..=steps {
        let t = -14.0 + i as f64 * step;
        let g = t / z - 0.5 / (z * z);
        let log = if g > 600.0 {
            order * (g + q.ln())
        } else {
            let more = q * g.exp_m1();
            let power = order * more.ln_1p();
            if power > 30.0 {
                power + (-(1.0 + order * more) * (-power).exp()).ln_1p()
            } else {
                // Rounding can only take a value near zero below it; the slack of the caller covers that.
                (power.exp_m1() - order * more).max(0.0).ln()
            }
        };
        sum.add(log - 0.5 * t * t);
    }
    sum.ln() + (step / core::f64::consts::TAU.sqrt()).ln()
}

/// Any mechanism with Renyi bound `rdp` at integer orders, on a Poisson sample, at integer orders a >= 2:
///
/// e^((a - 1) r'(a)) = (1 - q)^(a - 1) (a q - q + 1) + C(a, 2) q^2 (1 - q)^(a - 2) e^(r(2))
///                    + 3 sum_{l=3}^{a} C(a, l) q^l (1 - q)^(a - l) e^((l - 1) r(l)),
///
/// or r(a) if that is smaller. For zero-out and add-remove adjacency.
///
/// Source: Zhu, Wang, "Poisson Subsampled Renyi Differential Privacy" (2019), Theorem 5.
pub fn poisson(order: u32, q: f64, rdp: impl Fn(u32) -> f64) -> f64 {
    expanded(order, q, 3.0, rdp)
}

/// Symmetric additive noise on the integer lattice with Renyi bound `rdp` at integer orders, on a Poisson sample, at integer orders a >= 2:
///
/// e^((a - 1) r'(a)) = (1 - q)^(a - 1) (a q - q + 1) + sum_{l=2}^{a} C(a, l) q^l (1 - q)^(a - l) e^((l - 1) r(l)),
///
/// or r(a) if that is smaller. For add-remove adjacency, where what is sampled is *added* before the noise, as Skellam and discrete Gaussian
/// noise are.
///
/// Proof. Given everything but the one record's coin, its absence leaves the law P of s + noise, and with it there is
/// Q' = (1 - q) P + q Q, Q the law of s + v + noise; a mixture of such pairs has no larger divergence. E_P[(Q'/P)^a] expands by the
/// binomial theorem into E_P[(Q/P)^l] <= e^((l - 1) r(l)), which is the sum above. The other direction is no larger. The reflection x -> 2 s + v - x
/// swaps P and Q as the noise is symmetric, so with L = Q/P any E_P[f(L)] is E_P[L f(1/L)], and it is enough that for L > 0
///
/// u^a + L w^a >= u^(1-a) + L w^(1-a), u = 1 - q + q L, w = 1 - q + q / L.
///
/// Let L >= 1 (else divide by L and swap), z = L w, so that u + z = 1 + L, A = ln u and B = ln(L / z). As u z - L = q (1 - q) (L - 1)^2 >= 0, A >= B >= 0.
/// With b = a - 1/2 the claim reads e^(A/2) sinh(b A) >= z e^(B/2) sinh(b B). At a = 1 both sides are equal, since u + z = 1 + L. And
/// sinh(b A) / sinh(b B) grows with b, so the left side outgrows the right.
///
/// Source: the expansion as in Zhu, Wang (2019); the other direction as in Mironov, Talwar, Zhang, "Renyi Differential Privacy of the
/// Sampled Gaussian Mechanism" (2019), Theorem 5, for which the above is a proof on the lattice.
pub fn poisson_symmetric(order: u32, q: f64, rdp: impl Fn(u32) -> f64) -> f64 {
    expanded(order, q, 1.0, rdp)
}

/// The expansion with `factor` at the terms of third order and above.
fn expanded(order: u32, q: f64, factor: f64, rdp: impl Fn(u32) -> f64) -> f64 {
    let whole = rdp(order);
    if q >= 1.0 || order < 2 {
        return whole;
    }
    let a = f64::from(order);
    let mut sum = LogSum::new();
    for l in 2..=order {
        let times = if l == 2 { 0.0 } else { factor.ln() };
        sum.add(
            times
                + ln_binomial(order, l)
                + f64::from(l) * q.ln()
                + f64::from(order - l) * (-q).ln_1p()
                + f64::from(l - 1) * rdp(l),
        );
    }
    // The first term is 1 less something of second order in q: what is left of it is added to the others.
    let first = ((a - 1.0) * (-q).ln_1p() + ((a - 1.0) * q).ln_1p()).exp_m1();
    let others = sum.ln();
    // Rounding of the logarithms that a term is made of, relative to the term.
    let logarithms = a * (a.ln() - q.ln() - (-q).ln_1p()) + (a - 1.0) * whole;
    let relative = 8.0 * f64::EPSILON * (logarithms + 16.0);
    let slack = MOMENT_SLACK * a * q;
    let log = if others > 30.0 {
        // e^-others (1 + first) <= e^-30.
        others + relative + (-others).exp()
    } else {
        (others.exp() * (1.0 + relative) + first + slack).max(0.0).ln_1p()
    };
    (log / (a - 1.0)).min(whole)
}

/// The Gaussian mechanism on cohorts of a fixed size, drawn without replacement, for replace-one adjacency: z is the standard
/// deviation over the L2 distance that replacing a client makes, gamma = cohort / population.
///
/// At integer orders a, with r the Renyi divergence of the mechanism and B(l) = E[(e^g - 1)^l] the forward differences of its moments:
///
/// e^((a - 1) r'(a)) = 1 + gamma^2 C(a, 2) min(4 (e^(r(2)) - 1), 2 e^(r(2)))
///                    + sum_{j=3}^{a} gamma^j C(a, j) min(4 sqrt(B(2 floor(j/2)) B(2 ceil(j/2))), 2 e^((j - 1) r(j))),
///
/// or r(a) if that is smaller. (a - 1) r'(a) is convex in a, so between integers a straight line bounds it.
///
/// Source: Wang, Balle, Kasiviswanathan, "Subsampled Renyi Differential Privacy and Analytical Moments Accountant" (2019), Theorem 9,
/// its refinement by ternary divergences (Theorem 27), and Corollary 10.
#[derive(Clone, Debug)]
pub struct FixedSizeGaussian {
    noise_multiplier: f64,
    gamma: f64,
    /// ln B(2), ln B(4), ...
    differences: Vec<f64>,
}

impl FixedSizeGaussian {
    /// For 0 < gamma <= 1 and a positive noise multiplier.
    pub fn new(noise_multiplier: f64, gamma: f64) -> Self {
        let even = (1..=DIFFERENCES_UP_TO / 2).map(|half| ln_even_difference(2 * half, noise_multiplier));
        Self {
            noise_multiplier,
            gamma,
            differences: even.collect(),
        }
    }

    /// The bound at any order above 1.
    pub fn rdp(&self, order: f64) -> f64 {
        let whole = renyi::gaussian(order, self.noise_multiplier);
        if self.gamma >= 1.0 {
            return whole;
        }
        let below = order.floor();
        let low = self.log_moment(below as u32);
        let bound = if below == order {
            low
        } else {
            let high = self.log_moment(below as u32 + 1);
            low + (order - below) * (high - low)
        };
        (bound / (order - 1.0)).min(whole)
    }

    /// (a - 1) r'(a) at an integer order; 0 at 1.
    fn log_moment(&self, order: u32) -> f64 {
        let z = self.noise_multiplier;
        let r = |j: u32| f64::from(j - 1) * renyi::gaussian(f64::from(j), z);
        let mut sum = LogSum::new();
        for j in 2..=order {
            let plain = 2f64.ln() + r(j);
            let tight = if j == 2 {
                4f64.ln() + ln_expm1(r(2))
            } else if order <= DIFFERENCES_UP_TO {
                let [lower, upper] = [j / 2, j.div_ceil(2)].map(|half| self.differences[half as usize - 1]);
                4f64.ln() + 0.5 * (lower + upper)
            } else {
                plain
            };
            sum.add(ln_binomial(order, j) + f64::from(j) * self.gamma.ln() + plain.min(tight));
        }
        ln_one_plus(sum.ln(), MOMENT_SLACK * self.gamma)
    }
}

/// ln E[(e^g - 1)^l] for even l, g = t/z - 1/(2 z^2): an entire function of t, integrated by the trapezoidal rule on a strip of half-width 6.
///
/// On the strip the integrand is at most e^18 (e^g + 1)^l in expectation, and E[(e^g + 1)^l] <= 2^(l-1) (e^(l (l - 1) / (2 z^2)) + 1); that
/// bound on the error is added, with the step of 1/20 a factor of e^(-740 + 18) or less.
fn ln_even_difference(l: u32, z: f64) -> f64 {
    const STEP: f64 = 0.05;
    const CUT: f64 = 40.0;
    let power = f64::from(l);
    let high = power / z + CUT;
    let mut sum = LogSum::new();
    for i in 0..=((high + CUT) / STEP).ceil() as u64 {
        let t = i as f64 * STEP - CUT;
        let g = t / z - 0.5 / (z * z);
        let log = if g > 30.0 {
            ln_expm1(g)
        } else {
            g.exp_m1().abs().ln()
        };
        sum.add(power * log - 0.5 * t * t + (STEP / core::f64::consts::TAU.sqrt()).ln());
    }
    let largest = power * (power - 1.0) / (2.0 * z * z);
    sum.add(-700.0 + power * core::f64::consts::LN_2 + largest);
    // Below the cut the integrand is under density(t), above it under e^(l g) density(t): P(N > 40) < e^-800 of their integrals.
    sum.add(-800.0);
    sum.ln()
}
