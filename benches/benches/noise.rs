//! Noise draws a second of both laws, beside bare key stream, and what an update costs from clipping to packed bytes.
//!
//! With `--features prio`, the exact discrete Gaussian of the `prio` crate draws beside them, in turn.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::time::{Duration, Instant};

use aes::Aes256;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacita_algebra::RingVector;
use tacita_benches::{Effort, Race, Spread};
use tacita_privacy::{
    Budget, BudgetFilter, BudgetTicket, EncodedUpdate, Encoding, Headroom, LocalUpdate, NoiseSampler,
    NoiseShare, Release,
};

/// Coordinates of the vector.
const COORDINATES: u32 = 1 << 20;
/// Shares that are summed: decides what the ring must hold and what a release costs, not the work of one client.
const CLIENTS: u32 = 1000;
/// Standard deviations of one draw, in grid steps.
const DEVIATIONS: [u64; 5] = [1, 4, 64, 1_000, 10_000];
/// Above 10^4 a Skellam value is a sum of draws: of nine.
const SUMMED: u64 = 30_000;

struct Bed {
    headroom: Headroom,
    share: NoiseShare,
    rng: ChaCha20Rng,
}

impl Bed {
    fn new(deviation: u64) -> Self {
        let share = NoiseShare::skellam((deviation * deviation) << 16).unwrap();
        // 8 sqrt(d), where calibration starts.
        let grid = 8 << 10;
        let bits = Headroom::needed_bits(grid, COORDINATES, &share, CLIENTS).unwrap();
        let encoding = Encoding::new(COORDINATES, "1".parse().unwrap(), grid, bits, [3; 32]).unwrap();
        Self {
            headroom: Headroom::prove(encoding, share, CLIENTS).unwrap(),
            share,
            rng: ChaCha20Rng::from_seed([5; 32]),
        }
    }

    /// From a filter of its own: budgets are not what is measured.
    fn ticket(&self) -> BudgetTicket {
        let release = Release::of_round(self.headroom.encoding(), &self.share, CLIENTS, CLIENTS).unwrap();
        let budget = Budget {
            epsilon: "20".parse().unwrap(),
            delta: "0.00001".parse().unwrap(),
        };
        BudgetFilter::new(budget).unwrap().reserve(release).unwrap()
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
    for deviation in [1_000, SUMMED] {
        let mut bed = Bed::new(deviation);
        let mut rng = bed.rng.clone();
        group.bench_function(BenchmarkId::new("share deviation", deviation), |b| {
            b.iter_batched(
                || {
                    let ticket = bed.ticket();
                    let encoded = bed.encoded();
                    (encoded, ticket)
                },
                |(encoded, mut ticket)| encoded.noise(&mut ticket, &mut rng).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Draws that one lap of the `prio` crate takes, a thousandth of ours.
#[cfg(feature = "prio")]
const PRIO_DRAWS: u32 = 2_000;

#[cfg(feature = "prio")]
fn prio_draws(deviation: u64, rng: &mut ChaCha20Rng) {
    use prio::dp::Rational;
    use prio::dp::distributions::DiscreteGaussian;
    use rand::distr::Distribution as _;
    let deviation = Rational::from_unsigned(u128::from(deviation), 1u128).unwrap();
    let law = DiscreteGaussian::new(deviation).unwrap();
    for _ in 0..PRIO_DRAWS {
        std::hint::black_box(law.sample(rng));
    }
}

/// Millions a second at the best, median and worst lap.
fn rates(spread: &Spread, draws: f64) -> [f64; 3] {
    [spread.best(), spread.median(), spread.worst()].map(|lap| draws / lap.as_secs_f64() / 1e6)
}

fn sampler(skellam: bool, deviation: u64) -> (NoiseSampler, Duration) {
    let start = Instant::now();
    let variance = (deviation * deviation) << 16;
    let sampler = if skellam {
        NoiseSampler::skellam(variance)
    } else {
        NoiseSampler::discrete_gaussian(variance)
    };
    (sampler.unwrap(), start.elapsed())
}

/// Both laws beside each other, the floor, and `prio`, in turn.
fn draws(effort: Effort) {
    println!(
        "\nexact noise, millions of draws a second on one core, {} laps in turn; ratios are best against best",
        effort.laps()
    );
    println!(
        "    {:<9} {:<18} {:>9} {:>9} {:>9} {:>9} {:>11}",
        "deviation", "", "best", "median", "worst", "table, ms", "times prio"
    );
    for deviation in DEVIATIONS.into_iter().chain([SUMMED]) {
        let (skellam, skellam_table) = sampler(true, deviation);
        let gaussian = (deviation != SUMMED).then(|| sampler(false, deviation));
        let mut values = vec![vec![0i64; COORDINATES as usize]; 2];
        let [first, second] = values.as_mut_slice() else {
            return;
        };
        let rng = ChaCha20Rng::from_seed([5; 32]);
        let (mut one, mut two) = (rng.clone(), rng.clone());
        let mut race = Race::new().enter("Skellam", move || skellam.add(first, &mut one));
        let mut tables = vec![Some(skellam_table)];
        if let Some((gaussian, table)) = gaussian {
            race = race.enter("discrete Gaussian", move || gaussian.add(second, &mut two));
            tables.push(Some(table));
        }
        // 16 bytes a draw, into the same small buffer as a sampler does.
        let mut bytes = [0u8; 16 * 512];
        let mut stream = Ctr128BE::<Aes256>::new(&[7; 32].into(), &[0; 16].into());
        race = race.enter("bare AES-256-CTR", move || {
            for _ in 0..COORDINATES / 512 {
                stream.write_keystream(&mut bytes);
                std::hint::black_box(&bytes);
            }
        });
        tables.push(None);
        #[cfg(feature = "prio")]
        let race = {
            let mut rng = rng;
            race.enter("prio", move || prio_draws(deviation, &mut rng))
        };
        let spreads = race.run(effort.laps());
        #[cfg(feature = "prio")]
        let (theirs, spreads) = {
            let (last, ours) = spreads.split_last().unwrap();
            let theirs = rates(last, f64::from(PRIO_DRAWS));
            let [best, median, worst] = theirs;
            println!(
                "    {deviation:<9} {:<18} {best:>9.4} {median:>9.4} {worst:>9.4}",
                "prio"
            );
            (Some(theirs[0]), ours)
        };
        #[cfg(not(feature = "prio"))]
        let (theirs, spreads) = (None::<f64>, spreads.as_slice());
        for (spread, table) in spreads.iter().zip(tables) {
            let [best, median, worst] = rates(spread, f64::from(COORDINATES));
            let table = table.map_or(String::new(), |time| format!("{:.1}", time.as_secs_f64() * 1e3));
            let times = theirs.map_or("(--features prio)".into(), |theirs| {
                format!("{:.0}", best / theirs)
            });
            println!(
                "    {deviation:<9} {:<18} {best:>9.1} {median:>9.1} {worst:>9.1} {table:>9} {times:>11}",
                spread.name
            );
        }
    }
}

/// Coordinates that are packed together, as for the wire.
const CHUNK: usize = 1 << 16;

/// Best, median and worst of some laps, in milliseconds.
fn spread(mut laps: Vec<Duration>) -> [f64; 3] {
    laps.sort_unstable();
    let at = |i: usize| laps.get(i).map_or(f64::NAN, Duration::as_secs_f64) * 1e3;
    [at(0), at(laps.len() / 2), at(laps.len().saturating_sub(1))]
}

/// The whole walk of one client's update, on one core: the pool that rotation spreads over has one thread.
fn pipeline(effort: Effort) {
    println!("\none update of 2^20 coordinates on one core, milliseconds by step");
    println!(
        "    {:<38} {:>9} {:>9} {:>9}",
        "share deviation 1,000", "best", "median", "worst"
    );
    let mut bed = Bed::new(1_000);
    let mut steps: [(&str, Vec<Duration>); 5] = [
        ("take and clip", Vec::new()),
        ("rotate, scale, round, check norm", Vec::new()),
        ("draw and add noise, into the ring", Vec::new()),
        ("pack at b bits", Vec::new()),
        ("all of it", Vec::new()),
    ];
    let ring = RingVector::zeros(bed.headroom.encoding().bits(), COORDINATES as usize);
    // The first lap makes the table.
    for lap in 0..=effort.laps() {
        let (update, mut ticket) = (Bed::update(), bed.ticket());
        let mut times = Vec::new();
        let start = Instant::now();
        let local = LocalUpdate::new(update).unwrap();
        let clipped = local.clip(bed.headroom.encoding()).unwrap();
        times.push(start.elapsed());
        let encoded = clipped.encode(&bed.headroom, &mut bed.rng).unwrap();
        times.push(start.elapsed());
        let noised = encoded.noise(&mut ticket, &mut bed.rng).unwrap();
        times.push(start.elapsed());
        // Another vector of this ring: the noised one opens for its mask only, and packing does not depend on what is in it.
        for chunk in 0..COORDINATES as usize / CHUNK {
            std::hint::black_box(ring.pack(chunk * CHUNK..(chunk + 1) * CHUNK));
        }
        times.push(start.elapsed());
        drop(noised);
        if lap == 0 {
            continue;
        }
        let mut before = Duration::ZERO;
        for ((_, laps), &time) in steps.iter_mut().zip(&times) {
            laps.push(time - before);
            before = time;
        }
        steps[4].1.push(before);
    }
    for (name, laps) in steps {
        let [best, median, worst] = spread(laps);
        println!("    {name:<38} {best:>9.2} {median:>9.2} {worst:>9.2}");
    }
    println!("    ring of {} bits", bed.headroom.encoding().bits().get());
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
