//! What comes from the server (a model, the training text) and from a participant's own disk (a table), mutated. The pure rooms'
//! decoders have their targets in the room `sim`, which does not know this one; its mutator does here.
//! `FUZZ_SECONDS=300 cargo test --release -p tacita-learn --test fuzzing -- --nocapture` goes on longer.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // A failed assumption is a failed test, and a long run says how long it was.

use std::path::Path;
use std::time::{Duration, Instant};

use tacita_learn::csv::{self, CsvOptions, Target};
use tacita_learn::{Algorithm, GlobalModel, Instructions, ModelSpec};
use tacita_sim::fuzzing::Mutator;

const MODELS: [ModelSpec; 3] = [
    ModelSpec::Linear { inputs: 3 },
    ModelSpec::Softmax {
        inputs: 3,
        classes: 2,
    },
    ModelSpec::Mlp {
        inputs: 3,
        hidden: 4,
        classes: 2,
    },
];

/// Runs mutations of `corpus`; how many were accepted. No mutation may take a second.
fn mutate(name: &str, corpus: &[Vec<u8>], run: impl Fn(&[u8]) -> bool) -> u64 {
    let seconds = std::env::var("FUZZ_SECONDS").map_or(1.0, |text| text.parse().unwrap());
    assert!(corpus.iter().all(|input| run(input)), "what was made is accepted");
    let (mut mutator, started) = (Mutator::new(1), Instant::now());
    let (mut runs, mut accepted, mut slowest) = (0u64, 0, Duration::ZERO);
    while started.elapsed().as_secs_f64() < seconds {
        let input = mutator.next(corpus);
        let since = Instant::now();
        accepted += u64::from(run(&input));
        slowest = slowest.max(since.elapsed());
        runs += 1;
    }
    println!("{name}: {runs} runs, {accepted} accepted, slowest {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(runs > 100, "{runs}");
    accepted
}

/// Failure: bytes of a model are read that it would not be written as.
#[test]
fn a_model_of_the_server() {
    let corpus = MODELS.map(|spec| GlobalModel::initial(spec, 1).unwrap().to_bytes().unwrap());
    let accepted = mutate("model", &corpus, |bytes| {
        let Ok(model) = GlobalModel::from_bytes(bytes) else {
            return false;
        };
        assert_eq!(model.to_bytes().unwrap(), bytes);
        assert!(model.values().iter().all(|value| value.is_finite()));
        true
    });
    assert!(accepted > 0, "other weights are another model");
}

/// Failure: a training text is read that is not the one spelling, or says what no trainer should do.
#[test]
fn a_training_text_of_the_server() {
    let corpus: Vec<Vec<u8>> = MODELS
        .into_iter()
        .map(|model| Instructions {
            model,
            algorithm: Algorithm::FedAvg,
            epochs: 5,
            batch: 16,
            learning_rate: "0.5".parse().unwrap(),
            gradient_clip: Some("1".parse().unwrap()),
        })
        .map(|instructions| instructions.to_text().into_bytes())
        .collect();
    mutate("training text", &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(instructions) = Instructions::from_text(&text) else {
            return false;
        };
        assert_eq!(instructions.to_text(), text);
        assert!(instructions.config().check().is_ok());
        assert!(instructions.model.validated().is_ok());
        true
    });
}

/// Failure: a table holds a value that no update could be made of.
#[test]
fn a_table_of_the_participant() {
    let options = CsvOptions {
        label: "y".to_owned(),
        target: Target::Classification(vec!["no".to_owned(), "yes".to_owned()]),
        features: None,
        scales: [].into(),
    };
    let corpus = [&b"a,b,y\n1,2,no\n3,-4e2,yes\n"[..], b"y,a\nyes,0.5\n\"no\", 7\n"].map(<[u8]>::to_vec);
    let accepted = mutate("table", &corpus, |bytes| {
        let Ok(table) = csv::parse(Path::new("table.csv"), bytes, &options) else {
            return false;
        };
        assert!(table.data.features().iter().all(|value| value.is_finite()));
        true
    });
    assert!(accepted > 0);
}
