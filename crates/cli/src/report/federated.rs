//! What the charged sums said besides their means: members' accuracy and loss, and where the clip norm went. All of it was read from noised
//! coordinates, so epsilon covers it.

use std::fmt::Write as _;

use tacita_ledger::entry::{Entry, Outcome};
use tacita_privacy::{Decimal, figure_error};
use tacita_server::ClipSequence;

use super::model::{Finding, Round};

/// What the columns are.
pub(super) const HEADINGS: [&str; 8] = [
    "round",
    "update clip",
    "joint clip",
    "within",
    "accuracy",
    "accuracy error",
    "loss",
    "loss error",
];
/// What the reader must know about them.
pub(super) const EXPLAINED: &str = "accuracy and loss: of the model that the round started from, on the survivors' own data, their mean with noise; errors: \
    one standard deviation of that noise and of rounding. within: noisy share of updates within the clip norm";

/// One row per round that has anything of the kind.
pub(super) fn rows(rounds: &[Round]) -> Vec<[String; 8]> {
    let dash = || "-".to_owned();
    let rows = rounds
        .iter()
        .filter(|round| round.metrics.is_some() || round.clip_rule.is_some());
    rows.map(|round| {
        let outcome = round.outcome.as_ref();
        let figure =
            |of: &dyn Fn(&super::model::Claimed) -> Option<String>| outcome.and_then(of).unwrap_or_else(dash);
        let loss_error = outcome
            .and_then(|outcome| outcome.federated_error.as_ref())
            .and_then(|error| Some(error.parse::<f64>().ok()? * loss_cap(round)?))
            .map_or_else(dash, |error| format!("{error:.6}"));
        [
            round.round.to_string(),
            round.update_clip.clone().unwrap_or_else(dash),
            round.clip.clone(),
            figure(&|outcome| outcome.within_clip.clone()),
            figure(&|outcome| outcome.federated_accuracy.clone()),
            figure(&|outcome| outcome.federated_error.clone()),
            figure(&|outcome| outcome.federated_loss.clone()),
            loss_error,
        ]
    })
    .collect()
}

fn loss_cap(round: &Round) -> Option<f64> {
    round.metrics.as_deref()?.split_once(',')?.1.parse().ok()
}

/// The rows for people; empty without any.
pub(super) fn table(rounds: &[Round]) -> String {
    let rows = rows(rounds);
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(String::len);
        cells
            .chain(HEADINGS.get(column).map(|name| name.len()))
            .max()
            .unwrap_or(0)
    };
    let mut out = "\n  Federated metrics and clip norms\n".to_owned();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        for (column, cell) in cells.enumerate() {
            let _ = write!(out, "  {:>width$}", cell, width = width(column));
        }
        out.push('\n');
    };
    line(&mut HEADINGS.into_iter());
    for row in &rows {
        line(&mut row.iter().map(String::as_str));
    }
    let _ = writeln!(out, "  ({EXPLAINED})");
    out
}

/// The first manifest whose clip norm is not what the published counts give.
pub(super) fn off_sequence(entries: &[Entry]) -> Option<Finding> {
    let off = ClipSequence::of(entries).err()?;
    Some(Finding {
        entry: off.entry,
        what: format!("is announced with {}, but {}", off.found, off.expected),
        task: off.task,
        round: off.round,
    })
}

/// A stated error below what noise and rounding amount to.
pub(super) fn error(task: &str, entry: u64, outcome: &Outcome, row: &Round) -> Option<Finding> {
    let stated = outcome.federated_error.as_deref()?;
    let (scale, _) = row.metrics.as_deref()?.split_once(',')?;
    let number = |text: &str| text.parse::<Decimal>().ok();
    let norm = number(scale)?
        .times_up(number(row.update_clip.as_deref()?)?)
        .ok()?;
    let size =
        norm.to_f64() / number(&row.clip)?.to_f64() * row.grid as f64 * core::f64::consts::FRAC_1_SQRT_2;
    let survivors = u32::try_from(row.survivors).ok()?;
    // What is certainly left, not what the server says is left.
    let kept: u128 = row.kept_variance_q16.parse().ok()?;
    let least = figure_error(size, survivors, kept.saturating_mul(u128::from(survivors)));
    (stated.parse::<f64>().ok()? < least * (1.0 - 1e-9)).then(|| Finding {
        entry,
        task: task.to_owned(),
        round: outcome.round,
        what: format!("states federated_error {stated}, noise and rounding amount to {least:.9}"),
    })
}
