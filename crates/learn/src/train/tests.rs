use super::*;
use crate::dataset::Labels;
use crate::evaluate::evaluate;

const CONFIG: TrainConfig = TrainConfig {
    algorithm: Algorithm::FedAvg,
    epochs: 3,
    batch: 0,
    learning_rate: 0.5,
    gradient_clip: None,
};

fn classes() -> Dataset {
    let features = vec![0.5, -1.0, 2.0, 0.25, 1.0, 1.5, -0.5, 0.75, -2.0, 1.0];
    Dataset::new(
        features,
        2,
        Labels::Class {
            values: vec![0, 2, 1, 0, 2],
            classes: 3,
        },
    )
    .unwrap()
}

fn spec() -> ModelSpec {
    ModelSpec::Softmax {
        inputs: 2,
        classes: 3,
    }
}

/// Mean loss of a parameter vector in f64, straight from the definitions.
fn loss(spec: ModelSpec, data: &Dataset, values: &[f32]) -> f64 {
    let of = |name: &str| {
        let tensor = spec
            .tensors()
            .into_iter()
            .find(|tensor| tensor.name == name)
            .unwrap();
        values[tensor.range]
            .iter()
            .map(|&value| f64::from(value))
            .collect::<Vec<_>>()
    };
    let layer = |input: &[f64], weight: &[f64], bias: &[f64]| -> Vec<f64> {
        let outputs = bias.len();
        (0..outputs)
            .map(|o| {
                bias[o]
                    + input
                        .iter()
                        .enumerate()
                        .map(|(i, x)| x * weight[i * outputs + o])
                        .sum::<f64>()
            })
            .collect()
    };
    let mut total = 0.0;
    for (row, features) in data.features().chunks(data.columns()).enumerate() {
        let mut input: Vec<f64> = features.iter().map(|&x| f64::from(x)).collect();
        if let ModelSpec::Mlp { .. } = spec {
            input = layer(&input, &of("hidden.weight"), &of("hidden.bias"));
            input.iter_mut().for_each(|x| *x = x.max(0.0));
        }
        let output = layer(&input, &of("output.weight"), &of("output.bias"));
        total += match data.labels() {
            Labels::Class { values, .. } => {
                output.iter().map(|z| z.exp()).sum::<f64>().ln() - output[values[row] as usize]
            }
            Labels::Real(values) => (output[0] - f64::from(values[row])).powi(2),
        };
    }
    total / data.rows() as f64
}

/// FedSGD's delta is minus the learning rate times the gradient: compare with finite differences.
fn assert_gradient(spec: ModelSpec, data: &Dataset) {
    let mut rng = generator("tacita/test", 5);
    let start = (0..spec.parameters())
        .map(|_| crate::shuffle::unit(&mut rng) - 0.4)
        .collect();
    let global = GlobalModel::new(spec, start).unwrap();
    let config = TrainConfig {
        algorithm: Algorithm::FedSgd,
        learning_rate: 0.125,
        ..CONFIG
    };
    let delta = Trainer::new(spec, data)
        .unwrap()
        .delta(&global, &config, 0)
        .unwrap();
    for (at, value) in delta.iter().enumerate() {
        let shifted = |by: f32| {
            let mut values = global.values().to_vec();
            values[at] += by;
            loss(spec, data, &values)
        };
        let slope = (shifted(1e-2) - shifted(-1e-2)) / 2e-2;
        assert!(
            (f64::from(*value) + 0.125 * slope).abs() < 1e-4,
            "{spec} {at}: {value} {slope}"
        );
    }
}

#[test]
fn gradients_are_those_of_the_definitions() {
    assert_gradient(spec(), &classes());
    assert_gradient(
        ModelSpec::Mlp {
            inputs: 2,
            hidden: 4,
            classes: 3,
        },
        &classes(),
    );
    let real = Dataset::new(
        classes().features().to_vec(),
        2,
        Labels::Real(vec![1.0, -2.0, 0.5, 3.0, 0.0]),
    )
    .unwrap();
    assert_gradient(ModelSpec::Linear { inputs: 2 }, &real);
}

#[test]
fn full_batch_epochs_are_repeated_steps() {
    let trainer = Trainer::new(spec(), &classes()).unwrap();
    let global = GlobalModel::initial(spec(), 0).unwrap();
    let mut walked = global.clone();
    for _ in 0..3 {
        let delta = trainer
            .delta(&walked, &TrainConfig { epochs: 1, ..CONFIG }, 0)
            .unwrap();
        walked = walked.apply(&delta, 1.0).unwrap();
    }
    let delta = trainer.delta(&global, &CONFIG, 0).unwrap();
    for (one, three) in walked.values().iter().zip(delta) {
        assert!((one - three).abs() < 1e-6);
    }
}

#[test]
fn batches_depend_on_the_seed_alone() {
    let trainer = Trainer::new(spec(), &classes()).unwrap();
    let global = GlobalModel::initial(spec(), 0).unwrap();
    let config = TrainConfig { batch: 2, ..CONFIG };
    let first = trainer.delta(&global, &config, 1).unwrap();
    assert_eq!(first, trainer.delta(&global, &config, 1).unwrap());
    assert_ne!(first, trainer.delta(&global, &config, 2).unwrap());
    // A batch larger than the data is the full batch.
    let all = trainer
        .delta(&global, &TrainConfig { batch: 100, ..CONFIG }, 1)
        .unwrap();
    assert_eq!(all, trainer.delta(&global, &CONFIG, 7).unwrap());
}

#[test]
fn gradients_are_clipped_jointly() {
    let norm = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    for spec in [
        spec(),
        ModelSpec::Mlp {
            inputs: 2,
            hidden: 4,
            classes: 3,
        },
    ] {
        let trainer = Trainer::new(spec, &classes()).unwrap();
        let global = GlobalModel::initial(spec, 1).unwrap();
        let one = TrainConfig { epochs: 1, ..CONFIG };
        let free = trainer.delta(&global, &one, 0).unwrap();
        let clipped = trainer
            .delta(
                &global,
                &TrainConfig {
                    gradient_clip: Some(0.01),
                    ..one
                },
                0,
            )
            .unwrap();
        assert!((norm(&clipped) - 0.5 * 0.01).abs() < 1e-6);
        // Only shortened, not turned.
        let ratio = norm(&clipped) / norm(&free);
        assert!(
            free.iter()
                .zip(&clipped)
                .all(|(f, c)| (f64::from(*f) * ratio - f64::from(*c)).abs() < 1e-6)
        );
        let loose = trainer
            .delta(
                &global,
                &TrainConfig {
                    gradient_clip: Some(1e3),
                    ..one
                },
                0,
            )
            .unwrap();
        assert_eq!(free, loose);
    }
}

#[test]
fn many_threads_train_the_same_bits() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let spec = ModelSpec::Mlp {
        inputs: 2,
        hidden: 8,
        classes: 3,
    };
    let trainer = Trainer::new(spec, &classes()).unwrap();
    is_shared(&trainer);
    let global = GlobalModel::initial(spec, 1).unwrap();
    let config = TrainConfig {
        epochs: 20,
        batch: 2,
        ..CONFIG
    };
    let expected = trainer.delta(&global, &config, 3).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..20)
                        .map(|_| trainer.delta(&global, &config, 3).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap().iter().all(|delta| *delta == expected));
        }
    });
}

#[test]
fn steps_count_partial_batches() {
    let steps = |config: TrainConfig, examples| config.steps(examples);
    assert_eq!(steps(TrainConfig { batch: 4, ..CONFIG }, 9), 9);
    assert_eq!(steps(CONFIG, 9), 3);
    assert_eq!(
        steps(
            TrainConfig {
                algorithm: Algorithm::FedSgd,
                batch: 4,
                ..CONFIG
            },
            9
        ),
        1
    );
}

#[test]
fn an_mlp_learns_what_a_line_cannot() {
    // Exclusive or.
    let features: Vec<f32> = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
    let data = Dataset::new(
        features,
        2,
        Labels::Class {
            values: vec![0, 1, 1, 0],
            classes: 2,
        },
    )
    .unwrap();
    let config = TrainConfig {
        epochs: 1000,
        batch: 0,
        ..CONFIG
    };
    let score = |spec| {
        let global = GlobalModel::initial(spec, 4).unwrap();
        let delta = Trainer::new(spec, &data)
            .unwrap()
            .delta(&global, &config, 0)
            .unwrap();
        evaluate(&global.apply(&delta, 1.0).unwrap(), &data)
            .unwrap()
            .score()
    };
    assert_eq!(
        score(ModelSpec::Mlp {
            inputs: 2,
            hidden: 16,
            classes: 2
        }),
        Some(1.0)
    );
    assert!(
        score(ModelSpec::Softmax {
            inputs: 2,
            classes: 2
        })
        .unwrap()
            < 1.0
    );
}

#[test]
fn refusals() {
    let trainer = Trainer::new(spec(), &classes()).unwrap();
    let global = GlobalModel::initial(spec(), 0).unwrap();
    for (config, name) in [
        (TrainConfig { epochs: 0, ..CONFIG }, "epochs"),
        (
            TrainConfig {
                epochs: MAX_EPOCHS + 1,
                ..CONFIG
            },
            "epochs",
        ),
        (
            TrainConfig {
                learning_rate: f32::NAN,
                ..CONFIG
            },
            "learning rate",
        ),
        (
            TrainConfig {
                learning_rate: 0.0,
                ..CONFIG
            },
            "learning rate",
        ),
        (
            TrainConfig {
                gradient_clip: Some(0.0),
                ..CONFIG
            },
            "gradient clip",
        ),
    ] {
        assert_eq!(trainer.delta(&global, &config, 0), Err(TrainError::Config(name)));
    }
    let many = Dataset::new(
        vec![0.5; 404],
        2,
        Labels::Class {
            values: vec![0; 202],
            classes: 3,
        },
    )
    .unwrap();
    let long = TrainConfig {
        epochs: 1000,
        batch: 2,
        ..CONFIG
    };
    // 101,000 steps: it stops at 100,000, and only the participant learns of it.
    let trainer = Trainer::new(spec(), &many).unwrap();
    assert!(trainer.delta(&global, &long, 0).is_ok());
    assert!(trainer.fell_short() && !trainer.fell_short());
    let by_record = TrainConfig {
        algorithm: Algorithm::FedSgd,
        ..CONFIG
    };
    assert_eq!(
        trainer
            .record_deltas(&global, &by_record, &vec![0; 100_001])
            .unwrap_err(),
        TrainError::Records(100_001)
    );
    let wide = ModelSpec::Softmax {
        inputs: 3,
        classes: 3,
    };
    assert_eq!(
        Trainer::new(wide, &classes()).unwrap_err(),
        TrainError::Data(wide)
    );
    let line = ModelSpec::Linear { inputs: 2 };
    assert_eq!(
        Trainer::new(line, &classes()).unwrap_err(),
        TrainError::Data(line)
    );
    let other = GlobalModel::initial(
        ModelSpec::Softmax {
            inputs: 2,
            classes: 4,
        },
        0,
    )
    .unwrap();
    assert!(matches!(
        trainer.delta(&other, &CONFIG, 0),
        Err(TrainError::Model { .. })
    ));
    let real = Dataset::new(vec![1e3, -1e3], 1, Labels::Real(vec![1.0, 2.0])).unwrap();
    let line = ModelSpec::Linear { inputs: 1 };
    let global = GlobalModel::initial(line, 0).unwrap();
    let config = TrainConfig {
        epochs: 100,
        ..CONFIG
    };
    let trainer = Trainer::new(line, &real).unwrap();
    assert_eq!(
        trainer.delta(&global, &config, 0),
        Ok(vec![0.0; line.parameters()])
    );
    assert!(trainer.fell_short());
}

#[test]
fn settings_from_toml() {
    let config: TrainConfig = toml::from_str("epochs = 3\nbatch = 0\nlearning_rate = 0.5").unwrap();
    assert_eq!(config, CONFIG);
    let config: TrainConfig = toml::from_str(
        "algorithm = 'fed-sgd'\nepochs = 3\nbatch = 0\nlearning_rate = 0.5\ngradient_clip = 1",
    )
    .unwrap();
    assert_eq!(
        (config.algorithm, config.gradient_clip),
        (Algorithm::FedSgd, Some(1.0))
    );
    assert!(toml::from_str::<TrainConfig>("epochs = 3\nbatch = 0\nlearning_rate = 0.5\nclip = 1").is_err());
}

#[test]
fn updates_leave_as_the_privacy_pipelines_type() {
    let trainer = Trainer::new(spec(), &classes()).unwrap();
    let global = GlobalModel::initial(spec(), 0).unwrap();
    // A LocalUpdate shows nothing; that it takes the delta is all there is to see.
    assert!(trainer.train(&global, &CONFIG, 0).is_ok());
    let mean = tacita_privacy::LocalUpdate::new(Vec::new())
        .err()
        .map(TrainError::from);
    assert!(matches!(mean, Some(TrainError::Update(_))));
}

/// Failure: a record's vector is not its own gradient: of the wrong sign or size, or dependent on the rows asked for beside it.
#[test]
fn vectors_of_records_are_their_gradients() {
    let (data, spec) = (classes(), spec());
    let trainer = Trainer::new(spec, &data).unwrap();
    let values: Vec<f32> = (0..9).map(|i| (i as f32 - 4.0) / 10.0).collect();
    let global = GlobalModel::new(spec, values).unwrap();
    let config = TrainConfig {
        algorithm: Algorithm::FedSgd,
        epochs: 1,
        ..CONFIG
    };
    let all = trainer.record_deltas(&global, &config, &[0, 1, 2, 3, 4]).unwrap();
    // One step on the mean gradient of all of them.
    let mean = trainer.delta(&global, &config, 0).unwrap();
    for (at, value) in mean.iter().enumerate() {
        let sum: f32 = all.iter().map(|delta| delta[at]).sum();
        assert!((sum / 5.0 - value).abs() < 1e-6, "{sum} {value}");
    }
    let other = trainer.record_deltas(&global, &config, &[3, 0, 3]).unwrap();
    assert_eq!(other, [all[3].clone(), all[0].clone(), all[3].clone()]);
}

/// Failure: one record of absurd values keeps its client out of the round, so that the round tells that it was sampled.
#[test]
fn a_record_that_is_not_finite_counts_as_zero() {
    let data = Dataset::new(vec![1.0, 3e38], 1, Labels::Real(vec![1.0, -3e38])).unwrap();
    let trainer = Trainer::new(ModelSpec::Linear { inputs: 1 }, &data).unwrap();
    let global = GlobalModel::new(trainer.spec(), vec![2.0, 0.0]).unwrap();
    let config = TrainConfig {
        algorithm: Algorithm::FedSgd,
        ..CONFIG
    };
    let deltas = trainer.record_deltas(&global, &config, &[0, 1]).unwrap();
    assert!(deltas[0].iter().all(|value| *value != 0.0));
    assert_eq!(deltas[1], [0.0, 0.0]);
}

/// Failure: a client follows instructions under which a vector depends on several records.
#[test]
fn only_gradients_belong_to_one_record() {
    let trainer = Trainer::new(spec(), &classes()).unwrap();
    let global = GlobalModel::initial(spec(), 1).unwrap();
    let clipped = TrainConfig {
        algorithm: Algorithm::FedSgd,
        gradient_clip: Some(1.0),
        ..CONFIG
    };
    for config in [CONFIG, clipped] {
        let refused = trainer.record_deltas(&global, &config, &[0]);
        assert_eq!(refused.unwrap_err(), TrainError::NotByRecord);
    }
}
