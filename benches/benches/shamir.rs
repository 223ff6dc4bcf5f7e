//! Sharing and rebuilding a secret beside plain arithmetic of the scalar field.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use curve25519_dalek::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tacita_algebra::SecretScalar;
use tacita_algebra::shamir::{self, Interpolator};
use tacita_benches::{Effort, Race};

/// (threshold, holders): graphs of 100, 500 and 1,000 clients, and of 500 with a fifth dropping out.
const SIZES: [(usize, usize); 4] = [(11, 16), (40, 54), (77, 102), (93, 160)];

/// Roster indices plus one, spread over a cohort of about a thousand.
fn abscissae(holders: usize) -> Vec<u16> {
    (1u16..).step_by(6).take(holders).collect()
}

/// Multiply-adds of one sharing.
fn steps(threshold: usize, holders: usize) -> u64 {
    ((threshold - 1) * holders) as u64
}

fn random(rng: &mut ChaCha20Rng) -> Scalar {
    let mut wide = [0; 64];
    rng.fill_bytes(&mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// The same polynomial by Horner's rule, reduced at every step.
fn naive_split(secret: Scalar, threshold: usize, abscissae: &[u16], rng: &mut ChaCha20Rng) -> Vec<Scalar> {
    let mut coefficients: Vec<Scalar> = (1..threshold).map(|_| random(rng)).collect();
    coefficients.push(secret);
    abscissae
        .iter()
        .map(|x| {
            let x = Scalar::from(*x);
            coefficients.iter().fold(Scalar::ZERO, |value, c| value * x + c)
        })
        .collect()
}

/// Lagrange at zero as the formula is written, with one inversion for all.
fn naive_rebuild(abscissae: &[u16], shares: &[Scalar]) -> Scalar {
    let points: Vec<Scalar> = abscissae.iter().map(|x| Scalar::from(*x)).collect();
    let mut below: Vec<Scalar> = points
        .iter()
        .map(|own| points.iter().filter(|p| *p != own).map(|p| p - own).product())
        .collect();
    Scalar::invert_batch_alloc(&mut below);
    let above = points
        .iter()
        .map(|own| points.iter().filter(|p| *p != own).product::<Scalar>());
    above
        .zip(&below)
        .zip(shares)
        .map(|((above, below), share)| above * below * share)
        .sum()
}

fn groups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("Shamir sharing, per multiply-add");
    for (threshold, holders) in SIZES {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let (secret, places) = (SecretScalar::random(&mut rng), abscissae(holders));
        group.throughput(Throughput::Elements(steps(threshold, holders)));
        group.bench_function(
            BenchmarkId::from_parameter(format!("{threshold} of {holders}")),
            |b| {
                b.iter(|| shamir::split(&secret, threshold, black_box(&places), &mut rng).unwrap());
            },
        );
    }
    group.finish();
}

fn race(effort: Effort) {
    println!(
        "\nsharing one secret, {} laps in turn; ns per multiply-add, drawing the coefficients included",
        effort.laps()
    );
    println!(
        "    {:<14} {:>9} {:>9} {:>9}   {:>12} {:>8}",
        "", "best", "median", "worst", "dalek naive", "times"
    );
    for (threshold, holders) in SIZES {
        let places = abscissae(holders);
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let secret = SecretScalar::random(&mut rng);
        let (mut ours_rng, mut naive_rng) = (rng.clone(), rng.clone());
        let plain = random(&mut rng);
        let spreads = Race::new()
            .enter("split", || {
                for _ in 0..50 {
                    black_box(shamir::split(&secret, threshold, &places, &mut ours_rng).unwrap());
                }
            })
            .enter("naive", || {
                for _ in 0..50 {
                    black_box(naive_split(plain, threshold, &places, &mut naive_rng));
                }
            })
            .run(effort.laps());
        let [ours, naive] = spreads.as_slice() else { return };
        let each =
            |lap: std::time::Duration| lap.as_secs_f64() * 1e9 / 50.0 / steps(threshold, holders) as f64;
        println!(
            "    {:<14} {:>9.1} {:>9.1} {:>9.1}   {:>12.1} {:>7.1}x",
            format!("{threshold} of {holders}"),
            each(ours.best()),
            each(ours.median()),
            each(ours.worst()),
            each(naive.best()),
            ours.against(naive)
        );
    }

    println!(
        "\nrebuilding, best lap, us: weights for a set of holders, each secret of that set, and both naively"
    );
    println!(
        "    {:<14} {:>9} {:>9} {:>12} {:>8}",
        "", "weights", "secret", "dalek naive", "times"
    );
    for (threshold, holders) in SIZES {
        let places: Vec<u16> = abscissae(holders).into_iter().take(threshold).collect();
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let secret = SecretScalar::random(&mut rng);
        let shares = shamir::split(&secret, threshold, &places, &mut rng).unwrap();
        let shares: Vec<&SecretScalar> = shares.iter().collect();
        let plain: Vec<Scalar> = shares
            .iter()
            .map(|share| Scalar::from_canonical_bytes(*share.to_bytes()).unwrap())
            .collect();
        let interpolator = Interpolator::new(&places).unwrap();
        assert_eq!(
            *interpolator.reconstruct(&shares).unwrap().to_bytes(),
            naive_rebuild(&places, &plain).to_bytes()
        );
        let spreads = Race::new()
            .enter("weights", || {
                for _ in 0..20 {
                    black_box(Interpolator::new(&places).unwrap());
                }
            })
            .enter("secret", || {
                for _ in 0..20 {
                    black_box(interpolator.reconstruct(&shares).unwrap());
                }
            })
            .enter("naive", || {
                for _ in 0..20 {
                    black_box(naive_rebuild(&places, &plain));
                }
            })
            .run(effort.laps());
        let best: Vec<f64> = spreads
            .iter()
            .map(|s| s.best().as_secs_f64() * 1e6 / 20.0)
            .collect();
        let [weights, secret, naive] = best.as_slice() else {
            return;
        };
        println!(
            "    {:<14} {weights:>9.1} {secret:>9.2} {naive:>12.1} {:>7.1}x",
            format!("{threshold} shares"),
            naive / (weights + secret)
        );
    }
}

fn main() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        race(effort);
    }
}
