//! Small problems that can be learnt, and whether they were.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Numbers that look random and are the same in every run.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 32 bits, splitmix64.
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    }

    /// From -1 to 1.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.next()) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

/// What is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Two clouds of points around (1, 0.5) and (-1, -0.5), labelled `yes` and `no`.
    Classification,
    /// y = 2 x0 - x1 + 0.5.
    Regression,
}

impl Task {
    pub fn model(self) -> &'static str {
        match self {
            Self::Classification => "softmax 2 2",
            Self::Regression => "linear 2",
        }
    }

    fn row(self, numbers: &mut Numbers) -> ([f64; 2], String) {
        let (a, b) = (numbers.unit(), numbers.unit());
        match self {
            Self::Classification if numbers.next().is_multiple_of(2) => {
                ([1.0 + a * 0.8, 0.5 + b * 0.8], "yes".into())
            }
            Self::Classification => ([-1.0 + a * 0.8, -0.5 + b * 0.8], "no".into()),
            Self::Regression => ([a, b], format!("{:.4}", 2.0 * a - b + 0.5)),
        }
    }

    /// Writes a CSV file with header.
    pub fn write(self, path: &Path, rows: usize, seed: u64) {
        let mut numbers = Numbers::new(seed);
        let mut text = "x0,x1,label\n".to_owned();
        for _ in 0..rows {
            let (x, label) = self.row(&mut numbers);
            writeln!(text, "{:.4},{:.4},{label}", x[0], x[1]).expect("to a string");
        }
        fs::write(path, text).expect("a file");
    }

    /// Share of fresh points that a model file gets right (a regression: within 0.3). The file is read and the model
    /// applied here, without the code under test.
    pub fn score(self, model: &Path) -> f64 {
        let tensors = tensors(model);
        let (weight, bias) = (&tensors["output.weight"], &tensors["output.bias"]);
        let mut numbers = Numbers::new(0xfeed);
        let mut right = 0u32;
        for _ in 0..1000 {
            let (x, label) = self.row(&mut numbers);
            // Weights are rows of inputs, one column for each output.
            let columns = bias.len();
            let out = |j: usize| bias[j] + x[0] * weight[j] + x[1] * weight[columns + j];
            right += u32::from(match self {
                Self::Classification => (out(1) > out(0)) == (label == "yes"),
                Self::Regression => (out(0) - label.parse::<f64>().expect("a number")).abs() < 0.3,
            });
        }
        f64::from(right) / 1000.0
    }
}

/// The tensors of a safetensors file, by name.
pub fn tensors(path: &Path) -> std::collections::BTreeMap<String, Vec<f64>> {
    let bytes = fs::read(path).expect("a model file");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let data = &bytes[8 + length..];
    let all = header.as_object().expect("an object").iter();
    all.filter(|(name, _)| *name != "__metadata__")
        .map(|(name, about)| {
            assert_eq!(about["dtype"], "F32");
            let at = |i: usize| about["data_offsets"][i].as_u64().expect("an offset") as usize;
            let values = data[at(0)..at(1)]
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().expect("4 bytes"))));
            (name.clone(), values.collect())
        })
        .collect()
}
