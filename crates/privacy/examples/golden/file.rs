//! The file, its windows, and the tally.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::cases;

#[derive(Deserialize)]
struct File {
    schema: String,
    case_count: usize,
    cases: Vec<Case>,
}

/// One case.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) adjacency: String,
    pub(crate) params: Params,
    expect: Vec<Expect>,
}

/// Its inputs by name; strings are exact decimals.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Params(Map<String, Value>);

/// What one value must be.
#[derive(Deserialize)]
pub(crate) struct Expect {
    pub(crate) metric: String,
    pub(crate) method: String,
    value: f64,
    accept_min: Option<f64>,
    accept_max: Option<f64>,
    lower_rigorous: Option<f64>,
    estimate: Option<f64>,
    pub(crate) order: Option<f64>,
    pub(crate) orders: Option<String>,
    pub(crate) x: Option<i64>,
    pub(crate) index: Option<u32>,
    discretization: Option<f64>,
}

impl Expect {
    /// The lattice step of the reference, or the usual one.
    pub(crate) fn step(&self) -> f64 {
        self.discretization.unwrap_or(tacita_privacy::account::pld::STEP)
    }

    /// A needed order.
    pub(crate) fn order(&self) -> Result<f64, String> {
        self.order
            .ok_or_else(|| "the expectation names no order".to_owned())
    }

    /// A needed point.
    pub(crate) fn x(&self) -> Result<i64, String> {
        self.x.ok_or_else(|| "the expectation names no point".to_owned())
    }

    /// The refusal of a metric or method that this case is not known to have.
    pub(crate) fn unknown<T>(&self) -> Result<T, String> {
        Err(format!(
            "unknown metric or method {} {}",
            self.metric, self.method
        ))
    }
}

impl Params {
    pub(crate) fn number(&self, key: &str) -> Result<f64, String> {
        let value = self.0.get(key).ok_or_else(|| format!("no parameter {key}"))?;
        value
            .as_f64()
            .or_else(|| value.as_str().and_then(|text| text.parse().ok()))
            .ok_or_else(|| format!("parameter {key} is not a number"))
    }

    pub(crate) fn whole(&self, key: &str) -> Result<u64, String> {
        let value = self.number(key)?;
        if value >= 0.0 && value.fract() == 0.0 && value < 1e15 {
            Ok(value as u64)
        } else {
            Err(format!("parameter {key} is not a whole number"))
        }
    }

    pub(crate) fn small(&self, key: &str) -> Result<u32, String> {
        u32::try_from(self.whole(key)?).map_err(|_| format!("parameter {key} is too large"))
    }

    /// Refuses a parameter that is there with another value than the only one the method is known for.
    pub(crate) fn only(&self, key: &str, value: f64) -> Result<(), String> {
        if !self.0.contains_key(key) || self.number(key)? == value {
            Ok(())
        } else {
            Err(format!("{key} other than {value} is not known"))
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }

    pub(crate) fn list(&self, key: &str) -> Result<Vec<Params>, String> {
        let value = self.0.get(key).ok_or_else(|| format!("no parameter {key}"))?;
        serde_json::from_value(value.clone()).map_err(|error| error.to_string())
    }
}

/// What came out.
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failures: Vec<String>,
}

/// Evaluates every expectation of every case.
///
/// # Errors
/// If the text is not such a file.
pub(crate) fn evaluate(text: &str) -> Result<Tally, String> {
    let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if file.schema != "tacita-dp-golden/1" {
        return Err(format!("unknown schema {}", file.schema));
    }
    let mut tally = Tally {
        passed: 0,
        failures: Vec::new(),
    };
    if file.case_count != file.cases.len() {
        let failure = format!("{} cases announced, {} found", file.case_count, file.cases.len());
        tally.failures.push(failure);
    }
    for case in &file.cases {
        if case.expect.is_empty() {
            tally
                .failures
                .push(format!("{} {}: nothing is expected", case.id, case.name));
        }
        for expect in &case.expect {
            match cases::value(case, expect).and_then(|value| within(expect, value)) {
                Ok(()) => tally.passed += 1,
                Err(reason) => tally.failures.push(format!(
                    "{} {} {} {}: {reason}",
                    case.id, case.name, expect.metric, expect.method
                )),
            }
        }
    }
    Ok(tally)
}

fn within(expect: &Expect, value: f64) -> Result<(), String> {
    let Expect {
        accept_min: min,
        accept_max: max,
        ..
    } = *expect;
    let above = min.is_none_or(|min| value >= min);
    let below = max.is_none_or(|max| value <= max);
    if !(above && below) {
        return Err(format!(
            "{value} is outside [{}, {}], expected {}",
            min.unwrap_or(f64::NEG_INFINITY),
            max.unwrap_or(f64::INFINITY),
            expect.value
        ));
    }
    // Never below what another tool has certified; a Renyi bound never below the estimate of the loss distribution.
    let floor = match expect.method.as_str() {
        "pld" => expect.lower_rigorous,
        "rdp" => expect.estimate,
        _ => None,
    };
    if expect.metric == "epsilon" && floor.is_some_and(|floor| value < floor) {
        return Err(format!(
            "{value} is below the certified {}",
            floor.unwrap_or(f64::NAN)
        ));
    }
    Ok(())
}
