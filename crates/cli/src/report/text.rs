//! The report for people, and the sentences that belong to every report.

use std::fmt::Write;

use tacita_ledger::entry::{Mechanism, Unit};

use super::federated;
use super::model::{Report, Round, Task};
use super::plain::{self, decimal, spent};
use super::unit;

/// Whose contribution is protected.
pub(crate) const UNIT: &str = "client: everything that one client sends in a round";
/// What neighbouring inputs are.
pub(crate) const ADJACENCY: &str = "zero-out: the vector of one client replaced by zero";
/// Which way numbers are off, if at all.
pub(crate) const DIRECTION: &str = "upper bound, rounded up";

/// What epsilon is about.
pub(crate) const COVERED: [&str; 2] = [
    "every charged sum and what is computed from it, the models above all; with or without an outcome, repeated rounds once per charge",
    "every coordinate of the sums: weights, federated metrics and counts for the clip norm included; client sampling is not credited",
];

/// What epsilon is not about.
pub(crate) const NOT_COVERED: [&str; 4] = [
    "who took part, who survived and when: the ledger and the server show it",
    "what clients reveal outside the rounds, data that several clients share, and a client that enrolled under several names",
    "rounds that the operator ran without writing them here; a client's own record (`tacita client status`) shows its own",
    "accuracy and loss in outcome entries, if the operator measured them on private data",
];

/// Who is trusted with what.
pub(crate) const SETTING: &str = "distributed: every client clips its update, adds its share of the noise and masks it; the server sees \
    sums only, and no single party is trusted with an update or with the whole noise";
/// How often one client may take part.
pub(crate) const PARTICIPATION: &str =
    "no cap: a client is taken to be in every round; sampling of clients is not credited";
/// How rounds add up.
pub(crate) const COMPOSITION: &str =
    "a fixed schedule: every committed charge is added, in any order, none is taken back";
/// What else the method fixes.
pub(crate) const ROUNDING_BIAS: &str = "exp(-1/2)";
/// Which program computed it.
pub(crate) const SOFTWARE: &str = concat!("tacita ", env!("CARGO_PKG_VERSION"));

/// What must hold for epsilon to hold.
pub(crate) const ASSUMED: [&str; 6] = [
    "at most c clients collude with the server, and the others add the noise of the manifest",
    "the cipher and hash functions hold: the guarantee is computational",
    "the random generators of honest clients work, and nobody measures their machines (side channels)",
    "no setting was tuned on private data outside the rounds listed here",
    "the noise parameters of later rounds were not chosen from the results of earlier ones",
    "epsilon for everyone else: the server keeps to the protocol, and no two participants collude",
];

/// Renders the tasks and what contradicts them.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    if report.tasks.is_empty() {
        out.push_str("No rounds.\n");
    }
    for task in &report.tasks {
        render_task(&mut out, task);
        out.push('\n');
    }
    if let Some(all) = &report.all_tasks {
        let _ = writeln!(
            out,
            "All tasks together, for a {} in each: {}\n",
            unit::each(report),
            spent(all)
        );
    }
    out
}

fn render_task(out: &mut String, task: &Task) {
    let _ = writeln!(out, "Task {}", task.task);
    let unfinished = task.rounds.iter().filter(|round| round.outcome.is_none()).count();
    let repeated = task.rounds.iter().filter(|round| round.repeated).count();
    let _ = writeln!(
        out,
        "  attempts {}, charged {} ({unfinished} without outcome, {repeated} repeated), released {}",
        task.attempts,
        task.rounds.len(),
        task.released,
    );
    if task.rounds.is_empty() {
        return;
    }
    let field = |of: &dyn Fn(&Round) -> String| range(task.rounds.iter().map(of));
    let _ = writeln!(
        out,
        "  planned rounds {}, budget epsilon {}",
        field(&|round| round.planned_rounds.to_string()),
        field(&|round| round.budget_epsilon.clone().unwrap_or_else(|| "none".to_owned())),
    );
    let mechanism = field(&|round| mechanism(round.mechanism).to_owned());
    let _ = writeln!(
        out,
        "  mechanism {mechanism}, colluders c = {}, minimum survivors m = {}, delta {}",
        field(&|round| round.colluders.to_string()),
        field(&|round| round.minimum_survivors.to_string()),
        field(&|round| decimal(round.spent.delta)),
    );
    if task.unit() == Unit::Record {
        let _ = writeln!(
            out,
            "  unit record, add-remove: each record sampled with probability {}, room for {} records of a client",
            field(&|round| round.sampling.clone().unwrap_or_default()),
            field(&|round| round.largest_records.unwrap_or(0).to_string()),
        );
    }
    let _ = writeln!(
        out,
        "  clip {}, grid {}, dimension {}, ring {} bits\n",
        field(&|round| round.clip.clone()),
        field(&|round| round.grid.to_string()),
        field(&|round| round.dimension.to_string()),
        field(&|round| round.bits.to_string()),
    );
    out.push_str(&table(&task.rounds));
    out.push_str(&federated::table(&task.rounds));
    let _ = writeln!(out, "\n  Spent: {}", spent(&task.spent));
    let planned = task.rounds.last().map_or(0, |round| round.planned_rounds);
    let left = task.left_epsilon.as_deref().unwrap_or("no budget was set");
    let _ = writeln!(
        out,
        "  Left of the budget, against the server: {left}; {} of {planned} planned rounds charged",
        task.rounds.len()
    );
    let _ = writeln!(out, "\n  In plain words");
    for sentence in plain::statement(task).iter().chain(&plain::delta_note(task)) {
        wrapped(out, sentence, "    ");
    }
    let _ = writeln!(out, "\n  By accounting method (server / everyone else)");
    for method in &task.methods {
        let _ = writeln!(
            out,
            "    {} / {}{}",
            decimal(method.epsilon_server),
            decimal(method.epsilon_public),
            if method.is_tightest { ", the smallest" } else { "" },
        );
        let how = format!("{}; {}; {}", method.name, method.direction, method.version);
        wrapped(out, &how, "      ");
    }
    let _ = writeln!(out, "\n  In other notions of privacy (server / everyone else)");
    for notion in &task.equivalents {
        let value = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), up);
        let proven = if notion.proven { "proven" } else { "NOT proven" };
        let _ = writeln!(
            out,
            "    {:<10} {} / {} ({proven})",
            notion.name,
            value(notion.server),
            value(notion.public)
        );
        wrapped(out, notion.what, "      ");
    }
    let _ = writeln!(out, "\n  Epsilon at other deltas (server / everyone else)");
    for point in &task.curve {
        let _ = writeln!(
            out,
            "    {:<13} {} / {}",
            decimal(point.delta),
            decimal(point.epsilon_server),
            decimal(point.epsilon_public)
        );
    }
    for given_up in &task.given_up {
        let _ = writeln!(
            out,
            "  Given up before its charge: an attempt at round {} (entry {}): {}",
            given_up.round, given_up.entry, given_up.reason
        );
    }
}

/// Six places, rounded up.
pub(super) fn up(value: f64) -> String {
    format!("{:.6}", (value * 1e6).ceil() / 1e6)
}

/// In lines of at most 96 columns.
fn wrapped(out: &mut String, text: &str, indent: &str) {
    let mut line = indent.to_owned();
    for word in text.split(' ') {
        if line.len() > indent.len() && line.len() + 1 + word.len() > 96 {
            let _ = writeln!(out, "{}", line.trim_end());
            line = indent.to_owned();
        }
        line.push_str(word);
        line.push(' ');
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

const HEADINGS: [&str; 11] = [
    "round",
    "entry",
    "cohort",
    "survivors",
    "planned",
    "present",
    "eps server",
    "eps public",
    "left",
    "claimed",
    "accuracy",
];

fn table(rounds: &[Round]) -> String {
    let rows: Vec<[String; 11]> = rounds
        .iter()
        .map(|round| {
            let claimed = match &round.outcome {
                None => "no outcome".to_owned(),
                Some(outcome) => match (&outcome.claimed_epsilon_server, &outcome.claimed_epsilon_public) {
                    (None, None) => "-".to_owned(),
                    (server, public) => {
                        let claim = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                        format!("{} / {}", claim(server), claim(public))
                    }
                },
            };
            let again = if round.repeated { "*" } else { "" };
            [
                format!("{}{again}", round.round),
                round.entry.to_string(),
                round.cohort.to_string(),
                round.survivors.to_string(),
                round.planned_noise_multiplier.clone(),
                round.present_noise_multiplier.clone(),
                decimal(round.spent.epsilon_server),
                decimal(round.spent.epsilon_public),
                round.left_epsilon.clone().unwrap_or_else(|| "-".to_owned()),
                claimed,
                round
                    .outcome
                    .as_ref()
                    .and_then(|outcome| outcome.accuracy.clone())
                    .unwrap_or_else(|| "-".to_owned()),
            ]
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells
            .chain(HEADINGS.get(column).map(|heading| heading.len()))
            .max()
            .unwrap_or(0)
    };
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (column, cell) in cells.enumerate() {
            let _ = write!(out, "  {cell:>width$}", width = width(column));
        }
        out.push('\n');
    };
    line(&mut HEADINGS.into_iter());
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
    out.push_str("  (planned and present: standard deviation of the noise that the server does not know, over the clip norm");
    out.push_str(if rounds.iter().any(|round| round.repeated) {
        "; *: a repeated round)\n"
    } else {
        ")\n"
    });
    out
}

pub(super) fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::None => "none",
        Mechanism::Skellam => "skellam",
        Mechanism::DiscreteGaussian => "discrete-gaussian",
    }
}

/// The one value that all rounds share, or the first few.
pub(super) fn range(values: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            if seen.len() == 3 {
                return format!("{}, ...", seen.join(", "));
            }
            seen.push(value);
        }
    }
    seen.join(", ")
}
