//! Loss distributions and Renyi curves against each other, and against exact values where those can be had.
#![allow(clippy::unwrap_used)] // A failed assumption is a failed test.

use proptest::prelude::*;
use tacita_privacy::Adjacency;
use tacita_privacy::account::calibration::{self, Accountant};
use tacita_privacy::account::domain::OutsideProof;
use tacita_privacy::account::gaussian::GaussianPrivacy;
use tacita_privacy::account::law::DiscreteLaw;
use tacita_privacy::account::pld::{LossBounds, LossDistribution, STEP};
use tacita_privacy::account::schedule::{GaussianRounds, GaussianSchedule, Sampling};
use tacita_privacy::account::{FineOrders, IntegerOrders};

fn rounds(noise_multiplier: f64, q: f64, count: u64) -> GaussianRounds {
    GaussianRounds {
        noise_multiplier,
        sampling: Sampling::Poisson(q),
        count,
    }
}

fn schedule(kinds: &[GaussianRounds]) -> GaussianSchedule {
    GaussianSchedule::new(kinds.to_vec(), Adjacency::ZeroOut).unwrap()
}

fn epsilon(kinds: &[GaussianRounds], step: f64, delta: f64) -> LossBounds {
    let losses = LossDistribution::gaussian(&schedule(kinds), step, delta).unwrap();
    losses.epsilon(delta).unwrap()
}

#[track_caller]
fn encloses(bounds: LossBounds, exact: f64, width: f64) {
    assert!(
        bounds.lower <= exact && exact <= bounds.upper,
        "{exact} is not in {bounds:?}"
    );
    assert!(bounds.upper - bounds.lower <= width, "{bounds:?} is wide");
}

/// Failure: a guarantee below the exact one of the Gaussian mechanism, bounds that say nothing, or no bounds where noise is small.
#[test]
fn unsampled_gaussian_noise_is_enclosed() {
    for (z, count) in [
        (0.5, 1),
        (1.0, 1),
        (3.0, 50),
        (60.0, 10_000),
        (400.0, 10),
        (0.4, 3),
        (1.0, 50),
        (0.1, 1),
    ] {
        let exact = GaussianPrivacy::of_rounds(&[(z, count)]).unwrap();
        for delta in [0.9, 1e-2, 1e-6, 1e-12, 1e-17] {
            let truth = exact.epsilon(delta).unwrap();
            encloses(epsilon(&[rounds(z, 1.0, count)], STEP, delta), truth, 3e-4);
            let losses =
                LossDistribution::gaussian(&schedule(&[rounds(z, 1.0, count)]), STEP, delta).unwrap();
            let (spent, exactly) = (losses.delta(truth).unwrap(), exact.delta(truth).unwrap());
            assert!(
                spent.lower <= exactly && exactly <= spent.upper * (1.0 + 1e-9),
                "{spent:?} {exactly}"
            );
        }
    }
}

/// Failure: a window so wide that weights at its top underflow gives a lower bound above every epsilon, and an infinite upper one.
#[test]
fn an_epsilon_of_thousands_is_enclosed() {
    let kinds = [rounds(0.4, 0.864, 2330)];
    let bounds = epsilon(&kinds, 1e-3, 0.05);
    let renyi = schedule(&kinds)
        .curve::<FineOrders>()
        .epsilon_bound(0.05)
        .unwrap();
    assert!(
        5000.0 < bounds.lower && bounds.lower <= bounds.upper && bounds.upper <= renyi,
        "{bounds:?} {renyi}"
    );
    assert!(bounds.upper - bounds.lower < 1.0, "{bounds:?}");
}

/// P(N > x) by Simpson's rule, off by 10^-13.
fn tail(x: f64) -> f64 {
    let half = 5e-4;
    let density = |t: f64| (-0.5 * t * t).exp() / core::f64::consts::TAU.sqrt();
    (0..20_000)
        .map(|i| {
            let t = x + f64::from(2 * i) * half;
            (density(t) + 4.0 * density(t + half) + density(t + 2.0 * half)) * half / 3.0
        })
        .sum()
}

/// Failure: one of the two directions of a sampled round is left out or computed for another sampling probability.
#[test]
fn one_sampled_round_is_enclosed() {
    for (z, q, epsilon) in [
        (1.0, 0.1, 0.05),
        (0.7, 0.3, 1.5),
        (2.0, 0.9, 0.4),
        (1.0, 0.02, 0.015),
    ] {
        // Present: outcomes above t, where 1 - q + q e^g = e^epsilon. Absent: below, where it is e^-epsilon.
        let outcome = |ratio: f64| z * ((ratio - (1.0 - q)) / q).ln() + 0.5 / z;
        let mixture = |t: f64| (1.0 - q) * tail(t) + q * tail(t - 1.0 / z);
        let above = outcome(f64::exp(epsilon));
        let present = mixture(above) - epsilon.exp() * tail(above);
        let floor = (-epsilon).exp();
        let absent = if floor <= 1.0 - q {
            0.0
        } else {
            let below = outcome(floor);
            1.0 - tail(below) - epsilon.exp() * (1.0 - mixture(below))
        };
        let exact = present.max(absent);
        let losses = LossDistribution::gaussian(&schedule(&[rounds(z, q, 1)]), STEP, 1e-9).unwrap();
        let bounds = losses.delta(epsilon).unwrap();
        let tolerance = 1e-12;
        assert!(
            bounds.lower <= exact + tolerance && exact - tolerance <= bounds.upper,
            "{exact} {bounds:?}"
        );
        assert!(
            bounds.upper - bounds.lower < 1e-2 * exact.max(1e-3),
            "{exact} {bounds:?}"
        );
    }
}

/// Two releases of one coordinate, every pair of outcomes listed.
fn exact_delta_of_two(law: DiscreteLaw, shift: i64, q: f64, epsilon: f64) -> f64 {
    let table = law.table(0).unwrap();
    let p = |x: i64| table.ln_probability(x).exp();
    let both = |x: i64| {
        let absent = p(x);
        ((1.0 - q) * absent + q * p(x - shift), absent)
    };
    let outcomes: Vec<(f64, f64)> = (-60..=60).map(both).collect();
    let one = |swap: bool| -> f64 {
        let mut sum = 0.0;
        for a in &outcomes {
            for b in &outcomes {
                let (present, absent) = (a.0 * b.0, a.1 * b.1);
                let (first, second) = if swap {
                    (absent, present)
                } else {
                    (present, absent)
                };
                sum += (first - epsilon.exp() * second).max(0.0);
            }
        }
        sum
    };
    one(false).max(one(true))
}

/// Failure: the distribution of a discrete law does not cover what two releases really leak, found by exhaustion.
#[test]
fn two_discrete_releases_are_enclosed() {
    for law in [
        DiscreteLaw::DiscreteGaussian { sigma: 1.3 },
        DiscreteLaw::DiscreteGaussian { sigma: 3.0 },
        DiscreteLaw::Skellam { variance: 2.5 },
        DiscreteLaw::Skellam { variance: 9.0 },
    ] {
        for (shift, q) in [(1, 1.0), (2, 1.0), (1, 0.2), (3, 0.6)] {
            let losses = LossDistribution::discrete(law, shift, q, 2, STEP, 1e-9).unwrap();
            for at in [0.1, 0.7, 2.0] {
                let exact = exact_delta_of_two(law, shift as i64, q, at);
                let bounds = losses.delta(at).unwrap();
                assert!(
                    bounds.lower <= exact * (1.0 + 1e-9) && exact <= bounds.upper * (1.0 + 1e-9) + 1e-15,
                    "{law:?} {shift} {q} {at}: {exact} {bounds:?}"
                );
                assert!(
                    bounds.upper - bounds.lower <= 1e-2 * exact + 1e-6,
                    "{exact} {bounds:?}"
                );
            }
        }
    }
}

/// Failure: a single discrete release gets another epsilon from its distribution than from its own tail sums.
#[test]
fn one_discrete_release_is_enclosed() {
    for (law, shift) in [
        (DiscreteLaw::DiscreteGaussian { sigma: 0.5 }, 1),
        (DiscreteLaw::DiscreteGaussian { sigma: 20.0 }, 10),
        (DiscreteLaw::DiscreteGaussian { sigma: 700.0 }, 333),
        (DiscreteLaw::Skellam { variance: 0.5 }, 1),
        (DiscreteLaw::Skellam { variance: 1e5 }, 100),
    ] {
        for delta in [1e-3, 1e-6, 1e-10] {
            let exact = law.table(0).unwrap().epsilon(shift, delta).unwrap();
            let losses = LossDistribution::discrete(law, shift, 1.0, 1, STEP, delta).unwrap();
            encloses(losses.epsilon(delta).unwrap(), exact, 3e-4);
        }
    }
}

/// Failure: the bound for any Poisson-sampled mechanism falls below the exact moments of the Gaussian, or a curve below what any accountant
/// certifies as lost.
#[test]
fn curves_lie_above_certified_losses() {
    for kinds in [
        vec![rounds(1.0, 0.01, 1000)],
        vec![rounds(0.6, 0.05, 5)],
        vec![rounds(8.0, 0.3, 2000)],
        vec![
            rounds(1.0, 0.01, 300),
            rounds(2.0, 1.0, 2),
            rounds(0.8, 0.005, 500),
        ],
    ] {
        for delta in [1e-3, 1e-6, 1e-10] {
            let bounds = epsilon(&kinds, STEP, delta);
            let fine = schedule(&kinds)
                .curve::<FineOrders>()
                .epsilon_bound(delta)
                .unwrap();
            let whole = schedule(&kinds)
                .curve::<IntegerOrders>()
                .epsilon_bound(delta)
                .unwrap();
            assert!(
                bounds.upper <= fine && fine <= whole * (1.0 + 1e-9),
                "{bounds:?} {fine} {whole}"
            );
            let mut backwards = kinds.clone();
            backwards.reverse();
            let again = epsilon(&backwards, STEP, delta);
            assert!((again.upper / bounds.upper - 1.0).abs() < 1e-9);
        }
    }
}

/// Failure: a finer lattice contradicts a coarser one, so that one of the two is not a bound.
#[test]
fn lattices_of_different_steps_agree() {
    let kinds = [rounds(0.8, 0.02, 400)];
    let found: Vec<LossBounds> = [1e-2, 1e-3, 1e-4, 2e-5]
        .iter()
        .map(|&step| epsilon(&kinds, step, 1e-7))
        .collect();
    for pair in found.windows(2) {
        assert!(
            pair[0].upper >= pair[1].upper && pair[0].lower <= pair[1].lower,
            "{pair:?}"
        );
    }
    assert!(found[3].upper - found[3].lower < 1e-3);
}

/// Failure: calibrated noise misses its target, or is more than it needs to be.
#[test]
fn calibration_is_on_the_safe_side_and_tight() {
    let cases = [
        (Accountant::Exact, Sampling::Everyone, 1e-9),
        (Accountant::Renyi, Sampling::Everyone, 1e-9),
        (Accountant::Renyi, Sampling::Poisson(0.05), 1e-9),
        (
            Accountant::LossDistribution { step: 1e-3 },
            Sampling::Poisson(0.05),
            2e-5,
        ),
    ];
    for (accountant, sampling, tolerance) in cases {
        let (target, delta, count) = (2.0, 1e-6, 200);
        let z =
            calibration::gaussian(accountant, target, delta, sampling, count, Adjacency::AddRemove).unwrap();
        let spent = |noise_multiplier: f64| {
            let kind = GaussianRounds {
                noise_multiplier,
                sampling,
                count,
            };
            let schedule = GaussianSchedule::new(vec![kind], Adjacency::AddRemove).unwrap();
            calibration::epsilon(&schedule, accountant, delta).unwrap()
        };
        assert!(
            spent(z) <= target && spent(z * (1.0 - tolerance)) > target,
            "{accountant:?} {z}"
        );
    }
}

/// Failure: something outside a proof is computed with instead of refused.
#[test]
fn what_has_no_proof_is_refused() {
    let of = |sampling, adjacency| {
        let kind = GaussianRounds {
            noise_multiplier: 1.0,
            sampling,
            count: 1,
        };
        GaussianSchedule::new(vec![kind], adjacency)
    };
    let fixed = |cohort, population| Sampling::FixedSize { cohort, population };
    assert_eq!(
        of(fixed(1, 10), Adjacency::ZeroOut),
        Err(OutsideProof::FixedSizeAdjacency(Adjacency::ZeroOut))
    );
    assert_eq!(
        of(Sampling::Poisson(0.1), Adjacency::ReplaceOne),
        Err(OutsideProof::PoissonAdjacency)
    );
    assert_eq!(
        of(Sampling::Poisson(0.0), Adjacency::ZeroOut),
        Err(OutsideProof::Probability(0.0))
    );
    assert!(matches!(
        of(Sampling::Poisson(1.5), Adjacency::ZeroOut),
        Err(OutsideProof::Probability(_))
    ));
    assert!(matches!(
        of(fixed(11, 10), Adjacency::ReplaceOne),
        Err(OutsideProof::Cohort { .. })
    ));
    let sampled = of(fixed(1, 10), Adjacency::ReplaceOne).unwrap();
    assert_eq!(
        LossDistribution::gaussian(&sampled, STEP, 1e-6).unwrap_err(),
        OutsideProof::FixedSizeLossDistribution
    );
    assert_eq!(
        GaussianSchedule::new(vec![], Adjacency::ZeroOut),
        Err(OutsideProof::NoRounds)
    );
    let none = GaussianRounds {
        noise_multiplier: 0.0,
        sampling: Sampling::Everyone,
        count: 1,
    };
    assert_eq!(
        GaussianSchedule::new(vec![none], Adjacency::ZeroOut),
        Err(OutsideProof::Noise(0.0))
    );
    let plain = of(Sampling::Everyone, Adjacency::ZeroOut).unwrap();
    for delta in [0.0, 1.0, f64::NAN] {
        assert!(matches!(
            LossDistribution::gaussian(&plain, STEP, delta).unwrap_err(),
            OutsideProof::Delta(_)
        ));
        assert!(plain.curve::<FineOrders>().epsilon_bound(delta).is_err());
    }
    let losses = LossDistribution::gaussian(&plain, STEP, 1e-6).unwrap();
    assert!(matches!(
        losses.epsilon(1e-7),
        Err(OutsideProof::Resolution { .. })
    ));
    assert_eq!(losses.delta(-1.0), Err(OutsideProof::Epsilon(-1.0)));
    let law = DiscreteLaw::Skellam { variance: 4.0 };
    assert_eq!(
        LossDistribution::discrete(law, 0, 1.0, 1, STEP, 1e-6).unwrap_err(),
        OutsideProof::Sensitivity(0.0)
    );
    let sampled = schedule(&[rounds(1.0, 0.5, 1)]);
    assert_eq!(
        calibration::epsilon(&sampled, Accountant::Exact, 1e-6),
        Err(OutsideProof::NoClosedForm)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Failure: more noise, a larger delta, fewer rounds or fewer participants cost more; bounds cross; delta(epsilon(delta)) is certainly above
    /// delta, or its upper bound by more than two transforms round; what is refused as too wide costs less than thousands.
    #[test]
    fn bounds_are_monotone(
        z in 0.4f64..6.0,
        log_q in -7.0f64..0.0,
        log_count in 0.0f64..8.0,
        log_delta in -30.0f64..-3.0,
    ) {
        let (q, count, delta) = (log_q.exp(), log_count.exp() as u64, log_delta.exp());
        let more_rounds = count + 1 + count / 10;
        let curve = |count| schedule(&[rounds(z, q, count)]).curve::<FineOrders>();
        let dearest = LossDistribution::gaussian(&schedule(&[rounds(z, q, more_rounds)]), 1e-3, delta)
            .and_then(|losses| losses.epsilon(delta));
        let more = match dearest {
            Err(OutsideProof::TooWide) => {
                prop_assert!(curve(more_rounds).epsilon_bound(delta).unwrap() > 1e3);
                return Ok(());
            }
            other => other.unwrap(),
        };
        let at = |z, q, count, delta| epsilon(&[rounds(z, q, count)], 1e-3, delta);
        let base = at(z, q, count, delta);
        prop_assert!(base.lower <= base.upper);
        // Upper bounds are exact at lattice points only: between them they may cross by parts of a step.
        let slack = 2e-3 + 1e-3 * base.upper;
        for less in [at(z * 1.1, q, count, delta), at(z, q * 0.9, count, delta), at(z, q, count, (delta * 2.0).min(0.9))] {
            prop_assert!(less.upper <= base.upper + slack, "{less:?} {base:?}");
            prop_assert!(less.lower <= base.upper, "{less:?} {base:?}");
        }
        prop_assert!(more.upper >= base.upper - slack && more.upper >= base.lower);
        let losses = LossDistribution::gaussian(&schedule(&[rounds(z, q, count)]), 1e-3, delta).unwrap();
        let back = losses.delta(base.upper).unwrap();
        prop_assert!(back.lower <= delta && back.lower <= back.upper, "{back:?} {delta}");
        // The two are tilted apart, each rounded up by its own errors: the sum shows in the smallest deltas.
        prop_assert!(back.upper <= delta * (1.0 + 1e-6) + 1e-14, "{back:?} {delta}");
        let bound = curve(count).epsilon_bound(delta).unwrap();
        prop_assert!(bound >= base.lower);
        prop_assert!(curve(count).delta_bound(bound).unwrap() <= delta * (1.0 + 1e-9));
    }
}
