//! The report for people, and the sentences that belong to every report.

use std::fmt::Write;

use tacita_ledger::entry::Mechanism;
use tacita_privacy::Decimal;

use super::model::{Report, Round, Spent, Task};

/// Whose contribution is protected.
pub(crate) const UNIT: &str = "client: everything that one client sends in a round";
/// What neighbouring inputs are.
pub(crate) const ADJACENCY: &str = "zero-out: the vector of one client replaced by zero";
/// How epsilon is computed.
pub(crate) const METHOD: &str = "Renyi differential privacy of the Skellam mechanism at orders 2 to 128 and 256, exact integer sensitivities";
/// Which way numbers are off, if at all.
pub(crate) const DIRECTION: &str = "upper bound, rounded up";

/// What epsilon is about.
pub(crate) const COVERED: [&str; 2] = [
    "every charged sum and what is computed from it, the models above all; with or without an outcome, repeated rounds once per charge",
    "every coordinate of the sums, weights included; client sampling is not credited",
];

/// What epsilon is not about.
pub(crate) const NOT_COVERED: [&str; 4] = [
    "who took part, who survived and when: the ledger and the server show it",
    "what clients reveal outside the rounds, data that several clients share, and a client that enrolled under several names",
    "rounds that the operator ran without writing them here; a client's own record (`tacita client status`) shows its own",
    "accuracy and loss in outcome entries, if the operator measured them on private data",
];

/// What must hold for epsilon to hold.
pub(crate) const ASSUMED: [&str; 4] = [
    "at most c clients collude with the server, and the others add the noise of the manifest",
    "the cipher and hash functions hold: the guarantee is computational",
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
        let _ = writeln!(out, "All tasks together, for a client in each: {}\n", spent(all));
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
    let _ = writeln!(
        out,
        "  clip {}, grid {}, dimension {}, ring {} bits\n",
        field(&|round| round.clip.clone()),
        field(&|round| round.grid.to_string()),
        field(&|round| round.dimension.to_string()),
        field(&|round| round.bits.to_string()),
    );
    out.push_str(&table(&task.rounds));
    let _ = writeln!(out, "\n  Spent: {}", spent(&task.spent));
}

fn spent(spent: &Spent) -> String {
    match (spent.epsilon_server, spent.epsilon_public) {
        (None, None) => {
            "no finite epsilon. Sums were released without enough noise to promise anything.".to_owned()
        }
        (server, public) => format!(
            "epsilon {} against the server with its c colluders, {} against everyone else, at delta {}",
            decimal(server),
            decimal(public),
            decimal(spent.delta),
        ),
    }
}

const HEADINGS: [&str; 9] = [
    "round",
    "entry",
    "cohort",
    "survivors",
    "planned",
    "present",
    "eps server",
    "eps public",
    "claimed",
];

fn table(rounds: &[Round]) -> String {
    let rows: Vec<[String; 9]> = rounds
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
                claimed,
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

fn mechanism(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::None => "none",
        Mechanism::Skellam => "skellam",
    }
}

fn decimal(value: Option<Decimal>) -> String {
    value.map_or_else(|| "unbounded".to_owned(), |value| value.to_string())
}

/// The one value that all rounds share, or the first few.
fn range(values: impl Iterator<Item = String>) -> String {
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
