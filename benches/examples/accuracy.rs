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
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is its output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use rayon::prelude::*;
use serde_json::json;
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

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str =
    "accuracy digits|FOLDER [NAME=VALUE...], of clients, rounds, seeds, epsilons, delta, lr, clip, epochs";

/// One set, and how it is learnt.
struct Task {
    name: String,
    clients: Vec<Trainer>,
    held_out: Dataset,
    settings: Defaults,
    rounds: u32,
    delta: Decimal,
}

/// What the command line sets; the rest is as the data set has it.
struct Options(BTreeMap<String, String>);

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        const KNOWN: [&str; 8] = [
            "clients", "rounds", "seeds", "epsilons", "delta", "lr", "clip", "epochs",
        ];
        let mut found = BTreeMap::new();
        for argument in arguments {
            match argument.split_once('=') {
                Some((name, value)) if KNOWN.contains(&name) => {
                    found.insert(name.to_owned(), value.to_owned())
                }
                _ => return Err(format!("`{argument}`?\n{USAGE}").into()),
            };
        }
        Ok(Self(found))
    }

    fn or<T: FromStr>(&self, name: &str, usual: T) -> Outcome<T> {
        self.0.get(name).map_or(Ok(usual), |text| {
            text.parse()
                .map_err(|_| format!("{name}={text}: not such a number").into())
        })
    }
}

/// The dimensions of an IDX file of unsigned bytes, and its values.
fn idx(folder: &Path, name: &str) -> Outcome<(Vec<usize>, Vec<u8>)> {
    let path = folder.join(name);
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let wrong = || format!("{}: not an IDX file of bytes", path.display());
    let [0, 0, 8, rank, rest @ ..] = bytes.as_slice() else {
        return Err(wrong().into());
    };
    let (sizes, values) = rest.split_at_checked(usize::from(*rank) * 4).ok_or_else(wrong)?;
    let sizes: Vec<usize> = sizes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|size| u32::from_be_bytes(*size) as usize)
        .collect();
    let whole = sizes.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
    if whole != Some(values.len()) {
        return Err(wrong().into());
    }
    Ok((sizes, values.to_vec()))
}

fn idx_set(folder: &Path, part: &str) -> Outcome<Dataset> {
    let (sizes, pixels) = idx(folder, &format!("{part}-images-idx3-ubyte"))?;
    let (_, labels) = idx(folder, &format!("{part}-labels-idx1-ubyte"))?;
    let features = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let values = labels.into_iter().map(u32::from).collect();
    let columns = sizes.iter().skip(1).product();
    Ok(Dataset::new(
        features,
        columns,
        Labels::Class { values, classes: 10 },
    )?)
}

fn task(data: &str, options: &Options, seed: u64) -> Outcome<Task> {
    let mut settings = Defaults::for_dataset(EmbeddedData::Digits);
    let (name, parts, held_out) = if data == "digits" {
        let clients = options.or("clients", 500)?;
        let federation = Federation::embedded(EmbeddedData::Digits, clients, Partition::Iid, seed)?;
        let parts = federation.members.into_iter().map(|member| member.train);
        (data.to_owned(), parts.collect::<Vec<_>>(), federation.held_out)
    } else {
        let folder = Path::new(data);
        let train = idx_set(folder, "train")?;
        settings.spec = ModelSpec::Softmax {
            inputs: train.columns(),
            classes: 10,
        };
        settings.train.learning_rate = 0.1;
        settings.clip_norm = 1.0;
        let parts = Partition::Iid.split(&train, options.or("clients", 1000)?, seed)?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        (name.unwrap_or_default(), parts, idx_set(folder, "t10k")?)
    };
    settings.train.learning_rate = options.or("lr", settings.train.learning_rate)?;
    settings.clip_norm = options.or("clip", settings.clip_norm)?;
    settings.train.epochs = options.or("epochs", settings.train.epochs)?;
    let trainers = parts.iter().map(|part| Trainer::new(settings.spec, part));
    Ok(Task {
        name,
        clients: trainers.collect::<Result<_, _>>()?,
        held_out,
        settings,
        rounds: options.or("rounds", 30)?,
        delta: options.or("delta", "0.0001".parse()?)?,
    })
}

/// As `tacita demo` plans it: m = 95 %, c = 5 % of the clients.
fn plan(task: &Task, epsilon: Option<Decimal>) -> Outcome<Plan> {
    let clients = u32::try_from(task.clients.len())?;
    Ok(Plan::calibrate(PlanRequest {
        epsilon,
        delta: task.delta,
        rounds: task.rounds,
        clients,
        minimum_survivors: clients * 95 / 100,
        colluders: clients * 5 / 100,
        dimension: u32::try_from(task.settings.spec.parameters())?,
        block: None,
        clip: task.settings.clip_norm.to_string().parse()?,
        noise_levels: Vec::new(),
        mechanism: if epsilon.is_some() {
            Mechanism::Skellam
        } else {
            Mechanism::None
        },
        records: None,
    })?)
}

/// A round's right to add noise, from a budget like a client's own.
fn ticket(plan: &Plan) -> Outcome<BudgetTicket> {
    let request = plan.request();
    match (request.epsilon, plan.release()) {
        (Some(epsilon), Some(release)) => {
            let budget = Budget {
                epsilon,
                delta: request.delta,
            };
            Ok(BudgetFilter::new(budget)?.reserve(release)?)
        }
        _ => Ok(BudgetTicket::without_any_privacy_promise()),
    }
}

fn distributed(task: &Task, plan: &Plan, initial: GlobalModel, seed: u64) -> Outcome<Evaluation> {
    let mut model = initial;
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    let clients = u32::try_from(task.clients.len())?;
    for round in 0..task.rounds {
        let mut rotation = [0; 32];
        chance.fill_bytes(&mut rotation);
        let keys: Vec<u64> = task.clients.iter().map(|_| chance.next_u64()).collect();
        let Contribution::Client(headroom) = plan.for_round(rotation) else {
            return Err("no records were asked for".into());
        };
        let encoding = headroom.encoding();
        let zeros = || RingVector::zeros(encoding.bits(), encoding.padded() as usize);
        let sum = (task.clients.par_iter().zip(keys).enumerate())
            .try_fold(
                zeros,
                |mut sum, (client, (trainer, key))| -> Outcome<RingVector> {
                    let mut rng = ChaCha20Rng::seed_from_u64(key);
                    let batches = seed ^ (u64::from(round) << 32) ^ client as u64;
                    let update = trainer.train(&model, &task.settings.train, batches)?;
                    let encoded = update.clip(encoding)?.encode(&headroom, &mut rng)?;
                    let noised = encoded.noise(&mut ticket(plan)?, &mut rng)?;
                    sum.add_assign(&noised.dangerous_into_ring())?;
                    Ok(sum)
                },
            )
            .try_reduce(zeros, |mut one, other| {
                one.add_assign(&other)?;
                Ok(one)
            })?;
        let mean = DecodedMean::from_sum(&sum, encoding, &headroom.noise_share(), clients, None)?;
        model = model.apply(mean.values(), task.settings.server_learning_rate)?;
    }
    Ok(evaluate(&model, &task.held_out)?)
}

/// The noise multiplier, and the score.
fn central(
    task: &Task,
    epsilon: Option<Decimal>,
    initial: GlobalModel,
    seed: u64,
) -> Outcome<(f64, Evaluation)> {
    let multiplier = match epsilon {
        None => 0.0,
        Some(epsilon) => {
            let rounds = u64::from(task.rounds);
            GaussianPrivacy::noise_multiplier(epsilon.to_f64(), task.delta.to_f64(), rounds)?
        }
    };
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
    let (_, scores) = simulation.run(initial, &task.clients, &task.held_out)?;
    let last = scores.last().ok_or("rounds=0: nothing is learnt")?;
    Ok((multiplier, *last))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().ok_or(USAGE)?;
    let options = Options::read(arguments)?;
    let epsilons: String = options.or("epsilons", "none,8,4,2,1".to_owned())?;
    for seed in 0..options.or("seeds", 3)? {
        let task = task(&data, &options, seed)?;
        for text in epsilons.split(',') {
            let epsilon = match text {
                "none" => None,
                _ => Some(text.parse().map_err(|e| format!("epsilons: {text}: {e}"))?),
            };
            let started = Instant::now();
            let plan = plan(&task, epsilon)?;
            let initial = GlobalModel::initial(task.settings.spec, seed)?;
            let here = distributed(&task, &plan, initial.clone(), seed)?;
            let (multiplier, there) = central(&task, epsilon, initial, seed)?;
            let clients = plan.request().clients;
            let made = plan.noise_share().standard_deviation(clients, plan.encoding());
            let made = made / plan.request().clip.to_f64();
            for (kind, noise, score) in [("distributed", made, here), ("central", multiplier, there)] {
                let row = json!({
                    "data": task.name, "clients": clients, "rounds": task.rounds, "epsilon": text, "delta": task.delta.to_string(),
                    "seed": seed, "kind": kind, "noise_over_clip": noise, "accuracy": score.score(),
                });
                println!("{row}");
            }
            let seconds = started.elapsed().as_secs_f64();
            eprintln!("{}, epsilon {text}, seed {seed}: {seconds:.1} s", task.name);
        }
    }
    Ok(())
}
