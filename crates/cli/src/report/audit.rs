//! Lower bounds from attacks on the real pipeline, put next to the proved upper bounds. A lower bound above the upper one means
//! that the proof does not describe what ran.

use serde::{Deserialize, Serialize};
use tacita_privacy::Decimal;

use super::model::{Finding, Report, number};

/// Most audits of one file.
const MAX_AUDITS: usize = 1000;
/// Longest name of a method.
const MAX_METHOD: usize = 100;

/// Against whom an attack was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum View {
    /// The server with its colluders.
    Server,
    /// Everyone else.
    Public,
}

/// One audit as its file has it: `{"audits":[{"task":..., "view":"server", "method":..., "epsilon_lower":"0.3",
/// "delta":"0.00001", "confidence":"0.95"}]}`. Without a confidence it is an estimate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) task: String,
    pub(crate) view: View,
    pub(crate) method: String,
    pub(crate) epsilon_lower: Decimal,
    pub(crate) delta: Decimal,
    pub(crate) confidence: Option<Decimal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Audits {
    audits: Vec<Audit>,
}

/// An audit beside the bound that it tests.
#[derive(Debug, Serialize)]
pub(crate) struct Audited {
    pub(crate) view: View,
    pub(crate) method: String,
    #[serde(serialize_with = "one")]
    pub(crate) epsilon_lower: Decimal,
    #[serde(serialize_with = "one")]
    pub(crate) delta: Decimal,
    pub(crate) confidence: Option<String>,
    /// Proved for the same charges at the same delta.
    #[serde(serialize_with = "number")]
    pub(crate) epsilon_upper: Option<Decimal>,
    /// Whether the lower bound is above the upper one.
    pub(crate) contradicts: bool,
}

fn one<S: serde::Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    number(&Some(*value), serializer)
}

/// Why a file of audits cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    /// No JSON of the expected form.
    #[error("not a file of audits: {0}")]
    Json(#[from] serde_json::Error),
    /// A value out of its range, or too many.
    #[error("audit {index}: {field} {wrong}")]
    Field {
        /// Which, from 0.
        index: usize,
        /// The field.
        field: &'static str,
        /// What it must be.
        wrong: &'static str,
    },
    /// An audit of a task that released nothing.
    #[error("audit {index}: no round of task {task} was charged in this ledger")]
    Task {
        /// Which, from 0.
        index: usize,
        /// Its task.
        task: String,
    },
}

/// Reads a file of audits.
///
/// # Errors
/// [`AuditError`].
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Audit>, AuditError> {
    let Audits { audits } = serde_json::from_slice(bytes)?;
    for (index, audit) in audits.iter().enumerate() {
        let wrong = |field, wrong| Err(AuditError::Field { index, field, wrong });
        let inside = |value: Decimal| !value.is_zero() && value.to_f64() < 1.0;
        if index >= MAX_AUDITS {
            return wrong("audits", "must be at most 1000");
        }
        if audit.method.is_empty() || audit.method.chars().count() > MAX_METHOD {
            return wrong("method", "must have 1 to 100 characters");
        }
        if audit.method.chars().any(char::is_control) {
            return wrong("method", "must not hold control characters");
        }
        if !inside(audit.delta) {
            return wrong("delta", "must be between 0 and 1");
        }
        if audit.confidence.is_some_and(|value| !inside(value)) {
            return wrong("confidence", "must be between 0 and 1");
        }
    }
    Ok(audits)
}

/// Puts audits next to the bounds of the tasks that they are about; contradictions become findings.
///
/// # Errors
/// [`AuditError::Task`].
pub(crate) fn attach(report: &mut Report, audits: Vec<Audit>) -> Result<(), AuditError> {
    for (index, audit) in audits.into_iter().enumerate() {
        let named = report.tasks.iter_mut().find(|task| task.task == audit.task);
        let Some(task) = named.filter(|task| !task.rounds.is_empty()) else {
            return Err(AuditError::Task {
                index,
                task: audit.task,
            });
        };
        let account = match audit.view {
            View::Server => &task.accounts.server,
            View::Public => &task.accounts.public,
        };
        let upper = account.epsilon(Some(audit.delta));
        let contradicts = upper.is_some_and(|upper| audit.epsilon_lower > upper);
        if let (true, Some(upper), Some(confidence), Some(last)) =
            (contradicts, upper, audit.confidence, task.rounds.last())
        {
            report.findings.push(Finding {
                entry: last.entry,
                task: task.task.clone(),
                round: last.round,
                what: format!(
                    "an audit ({}) found epsilon to be at least {} at delta {} with confidence {confidence}, the proved upper \
                     bound is {upper}",
                    audit.method, audit.epsilon_lower, audit.delta
                ),
            });
        }
        task.audits.push(Audited {
            view: audit.view,
            method: audit.method,
            epsilon_lower: audit.epsilon_lower,
            delta: audit.delta,
            confidence: audit.confidence.map(|value| value.to_string()),
            epsilon_upper: upper,
            contradicts,
        });
    }
    Ok(())
}
