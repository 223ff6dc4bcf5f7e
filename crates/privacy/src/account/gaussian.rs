//! Gaussian noise without sampling, for which everything is known exactly: mu-GDP.

use super::domain::{OutsideProof, check_delta, check_noise};
use super::normal::{RELATIVE_ERROR, density, mills, upper_tail};

/// Gaussian differential privacy: telling two adjacent inputs apart is exactly as hard as telling N(0, 1) from N(mu, 1).
///
/// A composition of Gaussian mechanisms with noise multipliers z_1, z_2, ... is exactly mu-GDP with mu^2 = sum of 1 / z_i^2.
/// Source: Dong, Roth, Su, "Gaussian Differential Privacy" (2022), Theorem 1 and Corollary 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct GaussianPrivacy {
    mu: f64,
}

impl GaussianPrivacy {
    /// With this mu, positive and finite.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`].
    pub fn new(mu: f64) -> Result<Self, OutsideProof> {
        check_noise(mu).map(|mu| Self { mu })
    }

    /// Of Gaussian releases, given as (noise multiplier, how often). Their order does not matter.
    ///
    /// # Errors
    /// [`OutsideProof::Noise`], [`OutsideProof::NoRounds`].
    pub fn of_rounds(rounds: &[(f64, u64)]) -> Result<Self, OutsideProof> {
        let mut squares = 0.0;
        for &(noise_multiplier, count) in rounds {
            let z = check_noise(noise_multiplier)?;
            squares += count as f64 / (z * z);
        }
        if squares == 0.0 {
            return Err(OutsideProof::NoRounds);
        }
        Self::new(squares.sqrt())
    }

    /// mu.
    pub fn mu(&self) -> f64 {
        self.mu
    }

    /// The smallest delta at `epsilon` >= 0, rounded up by 10^-12 of the probabilities subtracted:
    ///
    /// delta = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu).
    ///
    /// Source: Balle, Wang, "Improving the Gaussian Mechanism for Differential Privacy" (2018), Theorem 8.
    ///
    /// # Errors
    /// [`OutsideProof::Epsilon`].
    pub fn delta(&self, epsilon: f64) -> Result<f64, OutsideProof> {
        if epsilon.is_nan() || epsilon < 0.0 {
            return Err(OutsideProof::Epsilon(epsilon));
        }
        Ok(self.delta_at(epsilon))
    }

    fn delta_at(&self, epsilon: f64) -> f64 {
        let near = epsilon / self.mu - self.mu / 2.0;
        let far = epsilon / self.mu + self.mu / 2.0;
        // e^epsilon density(far) = density(near): the exponential is never computed.
        let first = if near < 0.0 {
            upper_tail(near)
        } else {
            density(near) * mills(near)
        };
        let second = density(near) * mills(far);
        // Never 0: a true value too small for a number is not nothing.
        (first - second + RELATIVE_ERROR * first).clamp(f64::MIN_POSITIVE, 1.0)
    }

    /// The smallest epsilon at `delta`, rounded up.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`].
    pub fn epsilon(&self, delta: f64) -> Result<f64, OutsideProof> {
        check_delta(delta)?;
        if self.delta_at(0.0) <= delta {
            return Ok(0.0);
        }
        let mut high = 1.0;
        while self.delta_at(high) > delta {
            high *= 2.0;
        }
        Ok(bisect(0.0, high, |epsilon| self.delta_at(epsilon) <= delta))
    }

    /// The largest mu that is (`epsilon`, `delta`), rounded down.
    ///
    /// # Errors
    /// [`OutsideProof::Delta`], [`OutsideProof::Epsilon`].
    pub fn largest(epsilon: f64, delta: f64) -> Result<Self, OutsideProof> {
        check_delta(delta)?;
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(OutsideProof::Epsilon(epsilon));
        }
        // delta falls as 1/mu rises.
        let inverse = bisect(1e-9, 1e9, |inverse| {
            Self { mu: 1.0 / inverse }.delta_at(epsilon) <= delta
        });
        Self::new((1.0 / inverse).next_down())
    }

    /// The smallest noise multiplier with which `count` releases are (`epsilon`, `delta`), rounded up.
    ///
    /// # Errors
    /// As [`GaussianPrivacy::largest`], and [`OutsideProof::NoRounds`].
    pub fn noise_multiplier(epsilon: f64, delta: f64, count: u64) -> Result<f64, OutsideProof> {
        if count == 0 {
            return Err(OutsideProof::NoRounds);
        }
        let mu = Self::largest(epsilon, delta)?.mu;
        Ok(((count as f64).sqrt() / mu) * (1.0 + 4.0 * f64::EPSILON))
    }
}

/// The smallest point between `low` and `high` where `holds`, which is false below it and true from it on; from above, to
/// the last bit. `high` if it holds nowhere.
pub(crate) fn bisect(mut low: f64, mut high: f64, mut holds: impl FnMut(f64) -> bool) -> f64 {
    loop {
        // Geometric steps bridge magnitudes, arithmetic ones finish.
        let middle = if low > 0.0 && high > 4.0 * low {
            (low * high).sqrt()
        } else {
            low + 0.5 * (high - low)
        };
        if middle <= low || middle >= high {
            return high;
        }
        if holds(middle) {
            high = middle
        } else {
            low = middle
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: the two directions of the translation do not belong to one curve, or an epsilon is below the true one.
    #[test]
    fn delta_and_epsilon_are_inverse_from_above() {
        for mu in [0.01, 0.3, 1.0, 4.0, 30.0] {
            let privacy = GaussianPrivacy::new(mu).unwrap();
            for delta in [0.2, 1e-3, 1e-6, 1e-12, 1e-40] {
                let epsilon = privacy.epsilon(delta).unwrap();
                assert!(privacy.delta(epsilon).unwrap() <= delta);
                if epsilon > 0.0 {
                    let back = privacy.delta(epsilon * (1.0 - 1e-6)).unwrap();
                    assert!(back > delta, "mu {mu} delta {delta}: {epsilon} is loose");
                    let again = GaussianPrivacy::largest(epsilon, delta).unwrap().mu;
                    assert!(
                        again >= mu * (1.0 - 1e-9) && again <= mu * (1.0 + 1e-9),
                        "{again}"
                    );
                }
            }
        }
    }

    /// Failure: composition depends on the order of rounds, or a parameter without a meaning is computed with.
    #[test]
    fn composition_adds_squares_and_refuses_nonsense() {
        let mu = |rounds: &[(f64, u64)]| GaussianPrivacy::of_rounds(rounds).map(|privacy| privacy.mu);
        assert_eq!(mu(&[(2.0, 4), (1.0, 3)]), Ok(2.0));
        assert_eq!(mu(&[(1.0, 3), (2.0, 4)]), Ok(2.0));
        assert_eq!(mu(&[]), Err(OutsideProof::NoRounds));
        assert_eq!(mu(&[(0.0, 1)]), Err(OutsideProof::Noise(0.0)));
        let privacy = GaussianPrivacy::new(1.0).unwrap();
        assert_eq!(privacy.epsilon(0.0), Err(OutsideProof::Delta(0.0)));
        assert_eq!(privacy.epsilon(1.0), Err(OutsideProof::Delta(1.0)));
        assert_eq!(privacy.delta(-1.0), Err(OutsideProof::Epsilon(-1.0)));
        assert!(GaussianPrivacy::new(f64::NAN).is_err());
    }
}
