//! Accuracy against epsilon, with the noise where the service makes it and where a trusted server would.
//!
//! *Distributed*: the service's own pipeline, the same calls as a client and a server make: plan, clip, rotate, round, encode, Skellam
//! shares, the sum modulo 2^b, decode. Masks are left out: they cancel in the sum, to the bit. *Central*: clipped updates added up as
//! floats, with one Gaussian of the tight (mu-Gaussian) account for the same epsilon.
//!
//! ```text
//! cargo run --release -p tacita-benches --example accuracy -- digits [clients=500] [rounds=30] [seeds=3] [epsilons=none,8,4,2,1]
//! cargo run --release -p tacita-benches --example accuracy -- FOLDER [clients=1000] ...
//! ```
//! FOLDER holds a set in the IDX format (`train-images-idx3-ubyte` and so on). Prints a line of JSON for each epsilon, seed and kind;
//! `benches/accuracy.py` fetches Fashion-MNIST and draws.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)] // A failed assumption ends it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rayon::prelude::*;
use tacita_algebra::RingVector;
use tacita_learn::dataset::Labels;
use tacita_learn::simulation::{CentralNoise, Simulation};
use tacita_learn::{
    Dataset, Defaults, EmbeddedData, Evaluation, Federation, GlobalModel, ModelSpec, Partition, Trainer,
    evaluate,
};
use tacita_privacy::account::gaussian::GaussianPrivacy;
use tacita_privacy::{
    Budget, BudgetFilter, BudgetTicket, Contribution, Decimal, DecodedMean, Mechanism, Plan, PlanRequest,
};

/// One set, and how it is learnt.
struct Task {
    name: String,
    clients: Vec<Trainer>,
    held_out: Dataset,
    settings: Defaults,
    rounds: u32,
    delta: Decimal,
}

/// The values of an IDX file of unsigned bytes behind its dimensions.
fn idx(folder: &Path, name: &str) -> (Vec<usize>, Vec<u8>) {
    let path = folder.join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let [0, 0, 8, rank, rest @ ..] = bytes.as_slice() else {
        panic!("{}: no IDX file of bytes", path.display());
    };
    let (sizes, values) = rest.split_at(usize::from(*rank) * 4);
    let sizes: Vec<usize> = sizes
        .chunks_exact(4)
        .map(|size| u32::from_be_bytes(size.try_into().unwrap()) as usize)
        .collect();
    assert_eq!(
        sizes.iter().product::<usize>(),
        values.len(),
        "{}",
        path.display()
    );
    (sizes, values.to_vec())
}

fn idx_set(folder: &Path, part: &str) -> Dataset {
    let (sizes, pixels) = idx(folder, &format!("{part}-images-idx3-ubyte"));
    let (_, labels) = idx(folder, &format!("{part}-labels-idx1-ubyte"));
    let features = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let values = labels.into_iter().map(u32::from).collect();
    Dataset::new(
        features,
        sizes[1..].iter().product(),
        Labels::Class { values, classes: 10 },
    )
    .unwrap()
}

fn task(data: &str, options: &BTreeMap<String, String>, seed: u64) -> Task {
    let text = |name: &str, usual: &str| options.get(name).map_or(usual, String::as_str).to_owned();
    let mut settings = Defaults::for_dataset(EmbeddedData::Digits);
    let (name, parts, held_out, rounds) = if data == "digits" {
        let clients = text("clients", "500").parse().unwrap();
        let federation = Federation::embedded(EmbeddedData::Digits, clients, Partition::Iid, seed).unwrap();
        let parts: Vec<_> = federation
            .members
            .into_iter()
            .map(|member| member.train)
            .collect();
        ("digits".to_owned(), parts, federation.held_out, "30")
    } else {
        let folder = Path::new(data);
        let clients = text("clients", "1000").parse().unwrap();
        let train = idx_set(folder, "train");
        settings.spec = ModelSpec::Softmax {
            inputs: train.columns(),
            classes: 10,
        };
        settings.train.learning_rate = 0.1;
        settings.clip_norm = 1.0;
        let parts = Partition::Iid.split(&train, clients, seed).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        (name, parts, idx_set(folder, "t10k"), "30")
    };
    if let Some(rate) = options.get("lr") {
        settings.train.learning_rate = rate.parse().unwrap();
    }
    if let Some(clip) = options.get("clip") {
        settings.clip_norm = clip.parse().unwrap();
    }
    if let Some(epochs) = options.get("epochs") {
        settings.train.epochs = epochs.parse().unwrap();
    }
    Task {
        name,
        clients: parts
            .iter()
            .map(|part| Trainer::new(settings.spec, part).unwrap())
            .collect(),
        held_out,
        settings,
        rounds: text("rounds", rounds).parse().unwrap(),
        delta: text("delta", "0.0001").parse().unwrap(),
    }
}

/// As `tacita demo` plans it: m = 95 %, c = 5 % of the clients.
fn plan(task: &Task, epsilon: Option<Decimal>) -> Plan {
    let clients = u32::try_from(task.clients.len()).unwrap();
    Plan::calibrate(PlanRequest {
        epsilon,
        delta: task.delta,
        rounds: task.rounds,
        clients,
        minimum_survivors: clients * 95 / 100,
        colluders: clients * 5 / 100,
        dimension: u32::try_from(task.settings.spec.parameters()).unwrap(),
        block: None,
        clip: task.settings.clip_norm.to_string().parse().unwrap(),
        noise_levels: Vec::new(),
        mechanism: if epsilon.is_some() {
            Mechanism::Skellam
        } else {
            Mechanism::None
        },
        records: None,
    })
    .unwrap()
}

/// A round's right to add noise, from a budget like a client's own.
fn ticket(plan: &Plan) -> BudgetTicket {
    let request = plan.request();
    match (request.epsilon, plan.release()) {
        (Some(epsilon), Some(release)) => {
            let budget = Budget {
                epsilon,
                delta: request.delta,
            };
            BudgetFilter::new(budget).unwrap().reserve(release).unwrap()
        }
        _ => BudgetTicket::without_any_privacy_promise(),
    }
}

fn distributed(task: &Task, plan: &Plan, initial: GlobalModel, seed: u64) -> Evaluation {
    let mut model = initial;
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    for round in 0..task.rounds {
        let mut rotation = [0; 32];
        chance.fill_bytes(&mut rotation);
        let keys: Vec<u64> = task.clients.iter().map(|_| chance.next_u64()).collect();
        let Contribution::Client(headroom) = plan.for_round(rotation) else {
            unreachable!("no records were asked for");
        };
        let encoding = headroom.encoding();
        let zeros = || RingVector::zeros(encoding.bits(), encoding.padded() as usize);
        let sum = (task.clients.par_iter().zip(keys).enumerate())
            .fold(zeros, |mut sum, (client, (trainer, key))| {
                let mut rng = ChaCha20Rng::seed_from_u64(key);
                let batches = seed ^ (u64::from(round) << 32) ^ client as u64;
                let update = trainer.train(&model, &task.settings.train, batches).unwrap();
                let encoded = update
                    .clip(encoding)
                    .unwrap()
                    .encode(&headroom, &mut rng)
                    .unwrap();
                let noised = encoded.noise(&mut ticket(plan), &mut rng).unwrap();
                sum.add_assign(&noised.dangerous_into_ring()).unwrap();
                sum
            })
            .reduce(zeros, |mut one, other| {
                one.add_assign(&other).unwrap();
                one
            });
        let clients = u32::try_from(task.clients.len()).unwrap();
        let mean = DecodedMean::from_sum(&sum, encoding, &headroom.noise_share(), clients, None).unwrap();
        model = model
            .apply(mean.values(), task.settings.server_learning_rate)
            .unwrap();
    }
    evaluate(&model, &task.held_out).unwrap()
}

fn central(task: &Task, epsilon: Option<Decimal>, initial: GlobalModel, seed: u64) -> (f64, Evaluation) {
    let multiplier = epsilon.map_or(0.0, |epsilon| {
        let (epsilon, delta) = (epsilon.to_f64(), task.delta.to_f64());
        GaussianPrivacy::noise_multiplier(epsilon, delta, u64::from(task.rounds)).unwrap()
    });
    let simulation = Simulation {
        train: task.settings.train,
        weights: None,
        rounds: task.rounds,
        server_learning_rate: task.settings.server_learning_rate,
        noise: Some(CentralNoise {
            clip_norm: task.settings.clip_norm,
            noise_multiplier: multiplier as f32,
        }),
        seed,
    };
    let (_, scores) = simulation.run(initial, &task.clients, &task.held_out).unwrap();
    (multiplier, *scores.last().unwrap())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().expect("digits, or a folder of IDX files");
    let options: BTreeMap<String, String> = arguments
        .map(|option| {
            let (name, value) = option.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let seeds: u64 = options.get("seeds").map_or(3, |seeds| seeds.parse().unwrap());
    let epsilons = options.get("epsilons").map_or("none,8,4,2,1", String::as_str);
    for seed in 0..seeds {
        let task = task(&data, &options, seed);
        for text in epsilons.split(',') {
            let epsilon = (text != "none").then(|| text.parse().unwrap());
            let started = Instant::now();
            let plan = plan(&task, epsilon);
            let initial = GlobalModel::initial(task.settings.spec, seed).unwrap();
            let here = distributed(&task, &plan, initial.clone(), seed);
            let (multiplier, there) = central(&task, epsilon, initial, seed);
            let clients = u32::try_from(task.clients.len()).unwrap();
            let made = plan.noise_share().standard_deviation(clients, plan.encoding());
            let made = made / plan.request().clip.to_f64();
            for (kind, noise, score) in [("distributed", made, here), ("central", multiplier, there)] {
                println!(
                    "{{\"data\":\"{}\",\"clients\":{clients},\"rounds\":{},\"epsilon\":\"{text}\",\"delta\":\"{}\",\"seed\":{seed},\
                     \"kind\":\"{kind}\",\"noise_over_clip\":{noise:.4},\"accuracy\":{:.4}}}",
                    task.name,
                    task.rounds,
                    task.delta,
                    score.score().unwrap_or(0.0),
                );
            }
            eprintln!(
                "{}, epsilon {text}, seed {seed}: {:.1} s",
                task.name,
                started.elapsed().as_secs_f64()
            );
        }
    }
}
