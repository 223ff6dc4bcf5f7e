//! Compares the neighbour-graph rule with files of golden values.
//!
//! ```text
//! cargo run --release -p tacita-protocol --example graph_golden -- FILE...
//! ```
//!
//! Reads the schemas `tacita-graph-golden/1` (the published rule, from fractions) and `tacita-round-golden/1` (what a
//! round uses, from counts). Prints a line for each failing case and `N passed, M failed` last; the exit status is 1 after
//! a failure, an unknown schema or an unknown field.

use std::fmt::Debug;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::{Deserialize, Deserializer};
use tacita_protocol::graph::{
    Fraction, GraphKind, ParameterError, RoundParameters, ServerModel, SparseGraph, StatisticalBits,
    published_rule,
};

#[derive(Deserialize)]
#[serde(tag = "schema", deny_unknown_fields)]
enum File {
    #[serde(rename = "tacita-graph-golden/1")]
    Published(PublishedFile),
    #[serde(rename = "tacita-round-golden/1")]
    Round(RoundFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedFile {
    #[serde(default, rename = "set")]
    _set: Option<String>,
    #[serde(default, rename = "rule")]
    _rule: Option<String>,
    cases: Vec<PublishedCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishedCase {
    clients: u32,
    corrupt_fraction: String,
    dropout_fraction: String,
    security_bits: u16,
    correctness_bits: u16,
    server: Server,
    #[serde(deserialize_with = "present")]
    neighbours: Option<u32>,
    #[serde(deserialize_with = "present")]
    threshold: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Server {
    SemiHonest,
    Malicious,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundFile {
    #[serde(default, rename = "set")]
    _set: Option<String>,
    #[serde(default, rename = "rule")]
    _rule: Option<String>,
    security_bits: u16,
    correctness_bits: u16,
    cases: Vec<RoundCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundCase {
    clients: u32,
    colluders: u32,
    minimum_survivors: u32,
    #[serde(deserialize_with = "present")]
    graph: Option<Graph>,
    #[serde(deserialize_with = "present")]
    neighbours: Option<u32>,
    #[serde(deserialize_with = "present")]
    threshold: Option<u32>,
    #[serde(deserialize_with = "present")]
    quorum: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Graph {
    Complete,
    Ring,
}

/// A field that may be null but not missing.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// Cases that agreed and that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Agreed.
    pub(crate) passed: usize,
    /// Did not, or could not be read.
    pub(crate) failed: usize,
}

impl Tally {
    fn record(&mut self, out: &mut impl Write, case: &impl Debug, wrong: Option<String>) -> io::Result<()> {
        match wrong {
            None => self.passed += 1,
            Some(wrong) => {
                self.failed += 1;
                writeln!(out, "FAILED {case:?}: {wrong}")?;
            }
        }
        Ok(())
    }
}

/// Checks the text of one file.
pub(crate) fn check(text: &str, out: &mut impl Write) -> io::Result<Tally> {
    let mut tally = Tally::default();
    match serde_json::from_str(text) {
        Err(error) => tally.record(out, &"file", Some(format!("cannot be read: {error}")))?,
        Ok(File::Published(file)) => {
            for case in &file.cases {
                tally.record(out, case, published(case))?;
            }
        }
        Ok(File::Round(file)) => {
            let bits = StatisticalBits {
                security: file.security_bits,
                correctness: file.correctness_bits,
            };
            for case in &file.cases {
                tally.record(out, case, round(case, bits))?;
            }
        }
    }
    Ok(tally)
}

/// What is wrong with a case of the published rule.
fn published(case: &PublishedCase) -> Option<String> {
    let count = |fraction: &str| {
        fraction
            .parse()
            .map(|fraction: Fraction| fraction.floor_of(case.clients))
    };
    let (corrupt, dropping) = match (count(&case.corrupt_fraction), count(&case.dropout_fraction)) {
        (Ok(corrupt), Ok(dropping)) => (corrupt, dropping),
        (Err(error), _) | (_, Err(error)) => return Some(error.to_string()),
    };
    let bits = StatisticalBits {
        security: case.security_bits,
        correctness: case.correctness_bits,
    };
    let server = match case.server {
        Server::SemiHonest => ServerModel::SemiHonest,
        Server::Malicious => ServerModel::Malicious,
    };
    let found = published_rule(case.clients, corrupt, dropping, bits, server);
    let same = match found {
        None => (case.neighbours, case.threshold) == (None, None),
        Some(SparseGraph {
            neighbours,
            threshold,
        }) => (case.neighbours, case.threshold) == (Some(neighbours), Some(threshold)),
    };
    (!same).then(|| format!("computed {found:?}"))
}

/// What is wrong with a case of a round; null means that no sparse graph meets the bounds.
fn round(case: &RoundCase, bits: StatisticalBits) -> Option<String> {
    let found = RoundParameters::derive_at(case.clients, case.colluders, case.minimum_survivors, bits);
    let expected = (case.graph, case.neighbours, case.threshold, case.quorum);
    let same = match &found {
        Ok(parameters) => {
            let graph = match parameters.graph {
                GraphKind::Complete => Graph::Complete,
                GraphKind::Ring => Graph::Ring,
            };
            expected
                == (
                    Some(graph),
                    Some(parameters.neighbours),
                    Some(parameters.threshold),
                    Some(parameters.quorum),
                )
        }
        // The quorum does not depend on the graph, and a ring is what was looked for.
        Err(ParameterError::NoSparseGraph { .. }) => {
            let quorum = (u64::from(case.clients) + u64::from(case.colluders)) / 2 + 1;
            matches!(case.graph, None | Some(Graph::Ring))
                && (case.neighbours, case.threshold) == (None, None)
                && case.quorum.is_none_or(|expected| u64::from(expected) == quorum)
        }
        Err(_) => (case.neighbours, case.threshold) == (None, None),
    };
    (!same).then(|| format!("computed {found:?}"))
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut total = Tally::default();
    for path in std::env::args_os().skip(1) {
        let tally = match std::fs::read_to_string(&path) {
            Ok(text) => check(&text, &mut out)?,
            Err(error) => {
                writeln!(out, "FAILED {}: {error}", path.display())?;
                Tally { passed: 0, failed: 1 }
            }
        };
        total.passed += tally.passed;
        total.failed += tally.failed;
    }
    writeln!(out, "{} passed, {} failed", total.passed, total.failed)?;
    // Nothing compared is no success.
    let good = total.failed == 0 && total.passed > 0;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
