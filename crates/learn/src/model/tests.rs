use safetensors::SafeTensors;

use super::*;

const MLP: ModelSpec = ModelSpec::Mlp {
    inputs: 5,
    hidden: 4,
    classes: 3,
};

#[test]
fn parameter_counts_and_layout() {
    assert_eq!(
        ModelSpec::Softmax {
            inputs: 64,
            classes: 10
        }
        .parameters(),
        650
    );
    assert_eq!(ModelSpec::Linear { inputs: 13 }.parameters(), 14);
    assert_eq!(MLP.parameters(), 6 * 4 + 5 * 3);
    for spec in [
        MLP,
        ModelSpec::Softmax {
            inputs: 3,
            classes: 2,
        },
        ModelSpec::Linear { inputs: 1 },
    ] {
        let tensors = spec.tensors();
        let mut next = 0;
        for tensor in &tensors {
            assert_eq!(tensor.range.start, next);
            assert_eq!(tensor.range.len(), tensor.shape.iter().product::<usize>());
            next = tensor.range.end;
        }
        assert_eq!(next, spec.parameters());
    }
}

#[test]
fn text_round_trip_and_names() {
    for text in ["linear 10", "softmax 64 10", "mlp 64 32 10"] {
        assert_eq!(text.parse::<ModelSpec>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "softmax",
        "softmax 64",
        "softmax 064 10",
        "softmax +64 10",
        "softmax 64 10 ",
        "mlp 1 1 1 1",
        "cnn 1",
    ] {
        assert!(
            matches!(text.parse::<ModelSpec>(), Err(ModelError::Name(_))),
            "{text:?}"
        );
    }
    for text in [
        "softmax 0 10",
        "softmax 64 1",
        "softmax 64 1025",
        "linear 4097",
        "mlp 1 0 2",
        "mlp 1 16385 2",
    ] {
        assert!(
            matches!(text.parse::<ModelSpec>(), Err(ModelError::Spec(_))),
            "{text:?}"
        );
    }
    let classes = Task::Classification { classes: 10 };
    assert_eq!(
        ModelSpec::from_name("mlp", 64, classes, 16).unwrap(),
        ModelSpec::Mlp {
            inputs: 64,
            hidden: 16,
            classes: 10
        }
    );
    assert_eq!(
        ModelSpec::from_name("mlp-300", 64, classes, 16).unwrap(),
        ModelSpec::Mlp {
            inputs: 64,
            hidden: 300,
            classes: 10
        }
    );
    for name in ["mlp-", "mlp-+3", "mlp-03", "mlp-x", "mlp3"] {
        let refused = ModelSpec::from_name(name, 64, classes, 16);
        assert!(matches!(refused, Err(ModelError::Name(_))), "{name}");
    }
    assert!(matches!(
        ModelSpec::from_name("linear", 64, classes, 16),
        Err(ModelError::Task(_))
    ));
    assert!(matches!(
        ModelSpec::from_name("softmax", 64, Task::Regression, 16),
        Err(ModelError::Task(_))
    ));
    assert!(matches!(
        ModelSpec::from_name("cnn", 64, classes, 16),
        Err(ModelError::Name(_))
    ));
}

#[test]
fn initial_values() {
    let softmax = GlobalModel::initial(
        ModelSpec::Softmax {
            inputs: 4,
            classes: 3,
        },
        1,
    )
    .unwrap();
    assert!(softmax.values().iter().all(|&value| value == 0.0));
    let (one, again, two) = (
        GlobalModel::initial(MLP, 1).unwrap(),
        GlobalModel::initial(MLP, 1).unwrap(),
        GlobalModel::initial(MLP, 2).unwrap(),
    );
    assert_eq!(one, again);
    assert_ne!(one, two);
    for tensor in MLP.tensors() {
        let values = &one.values()[tensor.range];
        match tensor.shape[..] {
            [inputs, outputs] => {
                let bound = (6.0 / (inputs + outputs) as f32).sqrt();
                assert!(values.iter().all(|value| value.abs() <= bound));
                assert!(values.iter().any(|value| value.abs() > bound / 2.0));
            }
            _ => assert!(values.iter().all(|&value| value == 0.0)),
        }
    }
}

#[test]
fn files_are_standard_safetensors_and_round_trip() {
    let model = GlobalModel::initial(MLP, 3).unwrap();
    let bytes = model.to_bytes().unwrap();
    assert_eq!(GlobalModel::from_bytes(&bytes).unwrap(), model);
    assert_eq!(model.to_bytes().unwrap(), bytes);
    let standard = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = standard.names();
    names.sort_unstable();
    assert_eq!(
        names,
        ["hidden.bias", "hidden.weight", "output.bias", "output.weight"]
    );
    for tensor in MLP.tensors() {
        let view = standard.tensor(tensor.name).unwrap();
        assert_eq!(view.shape(), tensor.shape);
        let expected: Vec<u8> = model.values()[tensor.range]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert_eq!(view.data(), expected);
    }
}

#[test]
fn the_digest_is_pinned_and_tells_models_apart() {
    let spec = ModelSpec::Softmax {
        inputs: 64,
        classes: 10,
    };
    let zero = GlobalModel::initial(spec, 0).unwrap();
    let hex: String = zero
        .digest()
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Pinned: ledgers refer to models by this value.
    assert_eq!(hex, PINNED_DIGEST);
    let other = zero.apply(&vec![1.0; 650], 1.0).unwrap();
    assert_ne!(other.digest().unwrap(), zero.digest().unwrap());
}

const PINNED_DIGEST: &str = "929ff31c902cb7823ef867f5003dd53596fdfc2b9fedc10d35b80cb44bc580ff";

#[test]
fn no_other_bytes_are_a_model() {
    let model = GlobalModel::initial(
        ModelSpec::Softmax {
            inputs: 2,
            classes: 2,
        },
        0,
    )
    .unwrap();
    let bytes = model.to_bytes().unwrap();
    for cut in 0..bytes.len() {
        assert!(GlobalModel::from_bytes(&bytes[..cut]).is_err(), "{cut}");
    }
    let data_start = bytes.len() - 4 * model.values().len();
    for at in 0..data_start {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(GlobalModel::from_bytes(&changed).is_err(), "{at}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(GlobalModel::from_bytes(&longer).is_err());
    let mut infinite = bytes.clone();
    infinite[data_start..data_start + 4].copy_from_slice(&f32::INFINITY.to_le_bytes());
    assert!(matches!(
        GlobalModel::from_bytes(&infinite),
        Err(ModelError::NotFinite(_))
    ));
    // A claim of sixteen million parameters in a short file must not allocate them.
    let huge = [
        &bytes[..8],
        br#"{"__metadata__":{"tacita.model":"mlp 4096 4096 1024"}}"#,
    ]
    .concat();
    assert_eq!(GlobalModel::from_bytes(&huge), Err(ModelError::File("too short")));
}

#[test]
fn apply_steps_and_refuses() {
    let model = GlobalModel::new(ModelSpec::Linear { inputs: 1 }, vec![1.0, 2.0]).unwrap();
    assert_eq!(model.apply(&[0.5, -1.0], 2.0).unwrap().values(), [2.0, 0.0]);
    assert_eq!(
        model.apply(&[0.5], 1.0),
        Err(ModelError::Length {
            expected: 2,
            found: 1
        })
    );
    assert_eq!(model.apply(&[0.0, f32::NAN], 1.0), Err(ModelError::NotFinite(1)));
    assert_eq!(model.apply(&[f32::MAX, 0.0], 2.0), Err(ModelError::NotFinite(0)));
    for rate in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(
            model.apply(&[0.0, 0.0], rate),
            Err(ModelError::ServerLearningRate)
        );
    }
}
