//! Federated averaging in one process, without transport or secure aggregation, to choose settings.
//!
//! `cargo run --release -p tacita-learn --example fedavg -- digits [iid|shards|dirichlet:ALPHA] [SETTING=VALUE...]`
//! `cargo run --release -p tacita-learn --example fedavg -- heart [SETTING=VALUE...]`
//!
//! Settings: `model`, `hidden`, `clients`, `rounds`, `epochs`, `batch`, `lr`, `server-lr`, `clip`, `noise` (standard deviation of the sum
//! over the clip norm; 0 clips only, unset does neither), `cap` (weight by examples), `seeds` (how many). A value may be a list, `lr=0.5,1`: all
//! combinations run.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use tacita_learn::baselines::baselines;
use tacita_learn::model::DEFAULT_HIDDEN;
use tacita_learn::simulation::{CentralNoise, ExampleWeights, Simulation};
use tacita_learn::{
    Defaults, EmbeddedData, Federation, GlobalModel, ModelSpec, Partition, TrainConfig, Trainer, heart,
};

type Settings = BTreeMap<String, String>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let data: EmbeddedData = arguments.next().unwrap_or_else(|| "digits".into()).parse()?;
    let mut partition = Partition::Iid;
    if let Some(name) = arguments.next_if(|argument| !argument.contains('=')) {
        partition = name.parse()?;
    }
    let mut combinations = vec![Settings::new()];
    for argument in arguments {
        let (name, values) = argument.split_once('=').ok_or("a setting is NAME=VALUE")?;
        combinations = combinations
            .iter()
            .flat_map(|settings| {
                values.split(',').map(|value| {
                    let mut settings = settings.clone();
                    settings.insert(name.to_owned(), value.to_owned());
                    settings
                })
            })
            .collect();
    }
    if data == EmbeddedData::Heart {
        print_baselines()?;
    }
    for settings in combinations {
        run(data, partition, &settings)?;
    }
    Ok(())
}

fn setting<T: std::str::FromStr>(settings: &Settings, name: &str, default: T) -> Result<T, String> {
    settings.get(name).map_or(Ok(default), |text| {
        text.parse().map_err(|_| format!("{name}={text}?"))
    })
}

fn run(data: EmbeddedData, partition: Partition, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let model = setting(settings, "model", "softmax".to_owned())?;
    let defaults = Defaults::for_model(data, &model)?;
    let train = TrainConfig {
        epochs: setting(settings, "epochs", defaults.train.epochs)?,
        batch: setting(settings, "batch", defaults.train.batch)?,
        learning_rate: setting(settings, "lr", defaults.train.learning_rate)?,
        ..defaults.train
    };
    let rounds = setting(settings, "rounds", defaults.rounds)?;
    let clip_norm = setting(settings, "clip", defaults.clip_norm)?;
    let noise = match settings.get("noise") {
        Some(text) => Some(CentralNoise {
            clip_norm,
            noise_multiplier: text.parse()?,
        }),
        None => None,
    };
    let weights = match settings.get("cap") {
        Some(text) => Some(ExampleWeights {
            cap: text.parse()?,
            scale: clip_norm,
        }),
        None => None,
    };
    let server_learning_rate = setting(settings, "server-lr", defaults.server_learning_rate)?;
    let (mut scores, mut losses) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for seed in 0..setting(settings, "seeds", 1_u64)? {
        let clients = setting(settings, "clients", defaults.clients)?;
        let Federation { members, held_out } = Federation::embedded(data, clients, partition, seed)?;
        let task = held_out.task();
        let spec = ModelSpec::from_name(
            &model,
            held_out.columns(),
            task,
            setting(settings, "hidden", DEFAULT_HIDDEN)?,
        )?;
        let trainers = members
            .iter()
            .map(|member| Trainer::new(spec, &member.train))
            .collect::<Result<Vec<_>, _>>()?;
        let simulation = Simulation {
            train,
            weights,
            rounds,
            server_learning_rate,
            noise,
            seed,
        };
        let (_, rounds) = simulation.run(GlobalModel::initial(spec, seed)?, &trainers, &held_out)?;
        let last = rounds.last().ok_or("no rounds")?;
        scores.push(last.score().unwrap_or(f64::NAN));
        losses.push(last.loss());
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "{settings:?}: score {:.4} (least {least:.4}), loss {:.4}, {:.2} s",
        mean(&scores),
        mean(&losses),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What heart is compared with, on the same split.
fn print_baselines() -> Result<(), Box<dyn Error>> {
    let defaults = Defaults::for_dataset(EmbeddedData::Heart);
    let parts = heart::load()?
        .iter()
        .map(heart::Site::hold_out_fifth)
        .collect::<Result<Vec<_>, _>>()?;
    for steps in [50, 150, 500] {
        let found = baselines(defaults.spec, &parts, &defaults.train, steps, 0)?;
        println!(
            "baselines, {steps} steps: pooled {:.4}, local only {:.4}",
            found.pooled.score().unwrap_or(f64::NAN),
            found.local_accuracy().unwrap_or(f64::NAN)
        );
    }
    Ok(())
}
