//! Noise draws a second, and what an update costs from clipping to noise.
//!
//! With `--features prio`, the exact discrete Gaussian of the `prio` crate draws beside it, in turn.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacita_benches::Effort;
use tacita_privacy::{
    Budget, BudgetFilter, BudgetTicket, EncodedUpdate, Encoding, Headroom, LocalUpdate, NoiseShare, Release,
};

/// Coordinates of the vector.
const COORDINATES: u32 = 1 << 20;
/// Shares that are summed: decides what the ring must hold and what a release costs, not the work of one client.
const CLIENTS: u32 = 1000;
/// Standard deviations of one client's share, in grid steps. Above 10^4 a draw is a sum of draws.
const DEVIATIONS: [u64; 4] = [20, 1_000, 10_000, 30_000];

struct Bed {
    headroom: Headroom,
    share: NoiseShare,
    filter: BudgetFilter,
    rng: ChaCha20Rng,
}

impl Bed {
    fn new(deviation: u64) -> Self {
        let share = NoiseShare::skellam((deviation * deviation) << 16).unwrap();
        let grid = 256;
        let bits = Headroom::needed_bits(grid, COORDINATES, &share, CLIENTS).unwrap();
        let encoding = Encoding::new(COORDINATES, "1".parse().unwrap(), grid, bits, [3; 32]).unwrap();
        let budget = Budget {
            epsilon: "20".parse().unwrap(),
            delta: "0.00001".parse().unwrap(),
        };
        Self {
            headroom: Headroom::prove(encoding, share, CLIENTS).unwrap(),
            share,
            filter: BudgetFilter::new(budget).unwrap(),
            rng: ChaCha20Rng::from_seed([5; 32]),
        }
    }

    fn ticket(&mut self) -> BudgetTicket {
        let release = Release::of_round(self.headroom.encoding(), &self.share, CLIENTS, CLIENTS).unwrap();
        self.filter.reserve(release).unwrap()
    }

    /// Not all coordinates alike; longer than the clip norm, so that clipping has work to do.
    fn update() -> Vec<f32> {
        (0..COORDINATES)
            .map(|i| (i % 1009) as f32 / 504.5 - 1.0)
            .collect()
    }

    fn encoded(&mut self) -> EncodedUpdate {
        let local = LocalUpdate::new(Self::update()).unwrap();
        let clipped = local.clip(self.headroom.encoding()).unwrap();
        clipped.encode(&self.headroom, &mut self.rng).unwrap()
    }
}

fn groups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("Skellam noise on 2^20 coordinates");
    group.throughput(Throughput::Elements(u64::from(COORDINATES)));
    for deviation in [1_000, 30_000] {
        let mut bed = Bed::new(deviation);
        let mut rng = bed.rng.clone();
        group.bench_function(BenchmarkId::new("share deviation", deviation), |b| {
            b.iter_batched(
                || {
                    let ticket = bed.ticket();
                    let encoded = bed.encoded();
                    (encoded, ticket)
                },
                |(encoded, mut ticket)| {
                    let noised = encoded.noise(&mut ticket, &mut rng).unwrap();
                    // The benched filter is not what is measured: its reservation is left open.
                    drop(ticket);
                    noised
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Best, median and worst of some laps.
fn spread(mut laps: Vec<Duration>) -> [f64; 3] {
    laps.sort_unstable();
    let at = |i: usize| laps.get(i).map_or(f64::NAN, Duration::as_secs_f64);
    [at(0), at(laps.len() / 2), at(laps.len().saturating_sub(1))]
}

#[cfg(feature = "prio")]
fn prio_draws(deviation: u64, draws: u32, rng: &mut ChaCha20Rng) -> Duration {
    use prio::dp::Rational;
    use prio::dp::distributions::DiscreteGaussian;
    use rand::distr::Distribution as _;
    let deviation = Rational::from_unsigned(u128::from(deviation), 1u128).unwrap();
    let law = DiscreteGaussian::new(deviation).unwrap();
    let start = Instant::now();
    for _ in 0..draws {
        std::hint::black_box(law.sample(rng));
    }
    start.elapsed()
}

fn draws(effort: Effort) {
    println!(
        "\nexact noise, millions of draws a second, {} laps in turn",
        effort.laps()
    );
    println!(
        "    {:<26} {:>9} {:>9} {:>9}   {:>22} {:>9}",
        "deviation of a share", "best", "median", "worst", "prio discrete Gaussian", "times"
    );
    for deviation in DEVIATIONS {
        let mut bed = Bed::new(deviation);
        let mut ours = Vec::new();
        #[cfg_attr(not(feature = "prio"), allow(unused_mut))]
        let mut theirs: Vec<Duration> = Vec::new();
        // The first lap, which makes the table, is not counted.
        for lap in 0..=effort.laps() {
            let (encoded, mut ticket) = (bed.encoded(), bed.ticket());
            let start = Instant::now();
            let noised = encoded.noise(&mut ticket, &mut bed.rng).unwrap();
            let time = start.elapsed();
            drop(noised);
            bed.filter.release(ticket).unwrap();
            if lap == 0 {
                continue;
            }
            ours.push(time);
            #[cfg(feature = "prio")]
            theirs.push(prio_draws(deviation, 2_000, &mut bed.rng));
        }
        let [best, median, worst] = spread(ours).map(|s| f64::from(COORDINATES) / s / 1e6);
        print!("    {deviation:<26} {best:>9.1} {median:>9.1} {worst:>9.1}");
        if theirs.is_empty() {
            println!("   {:>22}", "(--features prio)");
        } else {
            let [rate, ..] = spread(theirs).map(|s| 2_000.0 / s / 1e6);
            println!("   {rate:>22.4} {:>8.0}x", best / rate);
        }
    }
}

fn pipeline(effort: Effort) {
    println!("\none update of 2^20 coordinates, milliseconds by step");
    println!(
        "    {:<34} {:>9} {:>9} {:>9}",
        "share deviation 1,000", "best", "median", "worst"
    );
    let mut bed = Bed::new(1_000);
    let (mut clipping, mut encoding, mut noising) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.laps() {
        let (update, mut ticket) = (Bed::update(), bed.ticket());
        let start = Instant::now();
        let local = LocalUpdate::new(update).unwrap();
        let clipped = local.clip(bed.headroom.encoding()).unwrap();
        clipping.push(start.elapsed());
        let start = Instant::now();
        let encoded = clipped.encode(&bed.headroom, &mut bed.rng).unwrap();
        encoding.push(start.elapsed());
        let start = Instant::now();
        drop(encoded.noise(&mut ticket, &mut bed.rng).unwrap());
        noising.push(start.elapsed());
        bed.filter.release(ticket).unwrap();
    }
    for (name, laps) in [
        ("take and clip", clipping),
        ("rotate, scale, round, check norm", encoding),
        ("draw and add noise, into the ring", noising),
    ] {
        let [best, median, worst] = spread(laps).map(|s| s * 1e3);
        println!("    {name:<34} {best:>9.2} {median:>9.2} {worst:>9.2}");
    }
}

fn main() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        draws(effort);
        pipeline(effort);
    }
}
