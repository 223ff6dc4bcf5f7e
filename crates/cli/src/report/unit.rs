//! Whose data the figures are about, and what that rests on: sentences that depend on the unit of privacy.

use tacita_ledger::entry::Unit;

use super::model::{Report, Task};
use super::{method, text};

/// Whose contribution is protected, in the record unit.
pub(crate) const RECORD: &str =
    "record: one record of one client, clipped and rounded by itself inside that client";
/// What neighbouring inputs are, in the record unit.
pub(crate) const ADD_REMOVE: &str =
    "add-remove: one record is among a client's data or not; everything else stays";
const NO_CAP: &str = "no cap: a record is taken to be among its client's data in every round; sampling of clients is not credited";
const SAMPLED: &str =
    "; in the record unit for Poisson-sampled records, by Theorem 5 of Mironov, Talwar and Zhang (2019)";
const CREDITED: &str = "in the record unit, every coordinate of the sums over sampled records; sampling of records is credited, sampling of clients is not";
const NOT_OF_PERSONS: &str = "in the record unit: what several records of one person say together, and what is true of a client as a whole";

const OF_RECORDS: [&str; 2] = [
    "in the record unit: every client tosses a coin of its own for each record in each round, heads with the probability stated and \
     independently, and shows the coins to nobody; its program does, and no ledger can prove it",
    "in the record unit: nobody learns from how long a client computes, or from whether its sample passed the largest number of records, which records it sampled",
];

impl Task {
    /// Whose data its charges are about; rounds of several units have no report.
    pub(crate) fn unit(&self) -> Unit {
        self.rounds.first().map_or(Unit::Client, |round| round.unit)
    }
}

impl Report {
    /// Whether some task, or the lack of any, is about the unit.
    fn has(&self, unit: Unit) -> bool {
        self.tasks.iter().any(|task| task.unit() == unit) || (self.tasks.is_empty() && unit == Unit::Client)
    }

    /// One sentence for each unit that a task is about.
    fn by_unit(&self, client: &str, record: &str) -> String {
        match (self.has(Unit::Client), self.has(Unit::Record)) {
            (true, true) => format!("{client}; in other tasks {record}"),
            (false, true) => record.to_owned(),
            _ => client.to_owned(),
        }
    }
}

/// What figures about all tasks are about: tasks of one unit only are added up.
pub(crate) fn each(report: &Report) -> &'static str {
    if report.has(Unit::Record) {
        "record"
    } else {
        "client"
    }
}

/// Whose contribution is protected.
pub(crate) fn unit(report: &Report) -> String {
    report.by_unit(text::UNIT, RECORD)
}

/// What neighbouring inputs are.
pub(crate) fn adjacency(report: &Report) -> String {
    report.by_unit(text::ADJACENCY, ADD_REMOVE)
}

/// How often one unit may take part.
pub(crate) fn participation(report: &Report) -> String {
    report.by_unit(text::PARTICIPATION, NO_CAP)
}

/// How epsilon is computed.
pub(crate) fn method(report: &Report) -> String {
    let sampled = if report.has(Unit::Record) { SAMPLED } else { "" };
    format!("{}{sampled}", method::SMALLEST)
}

/// The sampling that is claimed, who carries it out, and why that may be believed.
pub(crate) fn sampling(report: &Report) -> String {
    let claims: Vec<String> = report
        .tasks
        .iter()
        .filter(|task| task.unit() == Unit::Record)
        .map(|task| {
            let stated = task.rounds.iter().filter_map(|round| round.sampling.clone());
            format!("q = {} (task {})", text::range(stated), task.task)
        })
        .collect();
    if claims.is_empty() {
        return "none is credited: the server picks the cohort".to_owned();
    }
    format!(
        "Poisson sampling of records, {}: claimed by the manifests, carried out inside every client by coins that it neither keeps nor sends, \
         accepted by every client that joined; it amplifies against both adversaries, who see no coins, and rests on the assumption below",
        claims.join(", ")
    )
}

/// What epsilon is about.
pub(crate) fn covered(report: &Report) -> Vec<&'static str> {
    let mut lines = text::COVERED.to_vec();
    if report.has(Unit::Record) {
        lines.push(CREDITED);
    }
    lines
}

/// What epsilon is not about.
pub(crate) fn not_covered(report: &Report) -> Vec<&'static str> {
    let mut lines = text::NOT_COVERED.to_vec();
    if report.has(Unit::Record) {
        lines.push(NOT_OF_PERSONS);
    }
    lines
}

/// What must hold for epsilon to hold.
pub(crate) fn assumed(report: &Report) -> Vec<&'static str> {
    let mut lines = text::ASSUMED.to_vec();
    if report.has(Unit::Record) {
        lines.extend(OF_RECORDS);
    }
    lines
}
