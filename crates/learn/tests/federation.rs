//! Whole runs on the embedded data. Their figures are those that README and defaults promise.
// The lint's exemption for tests does not reach the functions beside them.
#![allow(clippy::unwrap_used)]

use tacita_learn::baselines::{baselines, majority_share};
use tacita_learn::simulation::{CentralNoise, ExampleWeights, Simulation};
use tacita_learn::{
    Algorithm, Dataset, Defaults, EmbeddedData, Evaluation, Federation, GlobalModel, Partition, TrainConfig,
    Trainer, heart,
};

fn simulation(defaults: &Defaults) -> Simulation {
    Simulation {
        train: defaults.train,
        weights: None,
        rounds: defaults.rounds,
        server_learning_rate: defaults.server_learning_rate,
        noise: None,
        seed: 1,
    }
}

fn run(
    simulation: &Simulation,
    defaults: &Defaults,
    federation: &Federation,
) -> (GlobalModel, Vec<Evaluation>) {
    let trainers: Vec<Trainer> = federation
        .members
        .iter()
        .map(|member| Trainer::new(defaults.spec, &member.train).unwrap())
        .collect();
    let initial = GlobalModel::initial(defaults.spec, 0).unwrap();
    simulation.run(initial, &trainers, &federation.held_out).unwrap()
}

fn last(scores: &[Evaluation]) -> f64 {
    scores.last().unwrap().score().unwrap()
}

/// 500 clients, 30 rounds, noise of the central Gaussian mechanism (all clients in every round, delta = 1e-4).
fn private_digits(partition: Partition, noise_multiplier: f32) -> f64 {
    let defaults = Defaults::for_dataset(EmbeddedData::Digits);
    let federation = Federation::embedded(EmbeddedData::Digits, 500, partition, 1).unwrap();
    let noise = Some(CentralNoise {
        clip_norm: defaults.clip_norm,
        noise_multiplier,
    });
    last(
        &run(
            &Simulation {
                noise,
                ..simulation(&defaults)
            },
            &defaults,
            &federation,
        )
        .1,
    )
}

#[test]
fn digits_at_epsilon_two() {
    let accuracy = private_digits(Partition::Iid, 9.5);
    assert!(accuracy >= 0.925, "{accuracy}");
}

#[test]
fn digits_in_two_shards_at_epsilon_eight() {
    let accuracy = private_digits(Partition::Shards, 2.98);
    assert!(accuracy >= 0.895, "{accuracy}");
}

#[test]
fn noise_costs_accuracy_and_is_seeded() {
    let defaults = Defaults::for_dataset(EmbeddedData::Digits);
    let federation = Federation::embedded(EmbeddedData::Digits, 50, Partition::Iid, 1).unwrap();
    let with = |noise_multiplier, seed| {
        let noise = Some(CentralNoise {
            clip_norm: defaults.clip_norm,
            noise_multiplier,
        });
        run(
            &Simulation {
                noise,
                rounds: 8,
                seed,
                ..simulation(&defaults)
            },
            &defaults,
            &federation,
        )
    };
    let (quiet, loud) = (last(&with(0.0, 1).1), last(&with(20.0, 1).1));
    assert!(quiet > 0.9 && loud < quiet - 0.2, "{quiet} {loud}");
    assert_eq!(with(20.0, 1).0, with(20.0, 1).0);
    assert_ne!(with(20.0, 1).0, with(20.0, 2).0);
}

#[test]
fn hospitals_together_equal_pooling() {
    let defaults = Defaults::for_dataset(EmbeddedData::Heart);
    let federation = Federation::embedded(EmbeddedData::Heart, 4, Partition::Iid, 0).unwrap();
    let (_, scores) = run(&simulation(&defaults), &defaults, &federation);
    let parts: Vec<_> = heart::load()
        .unwrap()
        .iter()
        .map(|site| site.hold_out_fifth().unwrap())
        .collect();
    let steps = defaults.rounds * defaults.train.epochs;
    let found = baselines(defaults.spec, &parts, &defaults.train, steps, 0).unwrap();
    let (federated, pooled) = (last(&scores), found.pooled.score().unwrap());
    assert!((federated - pooled).abs() <= 0.02, "{federated} {pooled}");
    // Both must have learned something.
    let majority = majority_share(&federation.held_out).unwrap();
    assert!(pooled > majority + 0.2, "{pooled} {majority}");
    assert!(found.local_accuracy().unwrap() > 0.75);
    let by_site: f64 = found
        .pooled_by_site
        .iter()
        .map(|one| one.score().unwrap() * one.examples() as f64)
        .sum();
    assert!((by_site / 147.0 - pooled).abs() < 1e-9);
}

/// One FedSGD round weighted by examples is one gradient step on the pooled records, whatever the split.
#[test]
fn example_weights_make_fedsgd_exact() {
    let mut defaults = Defaults::for_dataset(EmbeddedData::Heart);
    defaults.train = TrainConfig {
        algorithm: Algorithm::FedSgd,
        ..defaults.train
    };
    let federation = Federation::embedded(EmbeddedData::Heart, 4, Partition::Iid, 0).unwrap();
    let weights = Some(ExampleWeights {
        cap: 1_000,
        scale: 1.0,
    });
    let one_round = Simulation {
        rounds: 1,
        ..simulation(&defaults)
    };
    let (weighted, _) = run(&Simulation { weights, ..one_round }, &defaults, &federation);
    let (uniform, _) = run(&one_round, &defaults, &federation);
    let mut alone = federation.clone();
    alone.members.truncate(1);
    alone.members[0].train = Dataset::concat(federation.members.iter().map(|member| &member.train)).unwrap();
    let (pooled, _) = run(&one_round, &defaults, &alone);
    let distance = |model: &GlobalModel| -> f32 {
        model
            .values()
            .iter()
            .zip(pooled.values())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max)
    };
    assert!(distance(&weighted) < 1e-6, "{}", distance(&weighted));
    assert!(distance(&uniform) > 1e-3);
}
