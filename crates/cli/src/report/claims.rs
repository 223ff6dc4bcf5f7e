//! What the entries claim, compared with what they amount to.

use std::cmp::Ordering;

use tacita_ledger::entry::{Manifest, Outcome};

use super::model::{Claimed, Finding, Round, Spent};

/// An outcome entry as a row of the report.
pub(super) fn row(entry: u64, outcome: &Outcome) -> Claimed {
    Claimed {
        entry,
        responders: outcome.responders,
        noise_variance_q16: outcome.noise_variance_q16.clone(),
        accuracy: outcome.accuracy.clone(),
        loss: outcome.loss.clone(),
        claimed_epsilon_server: outcome.epsilon_server.clone(),
        claimed_epsilon_public: outcome.epsilon_public.clone(),
    }
}

/// Claims that are lower than what had been spent when they were made.
pub(super) fn compare(task: &str, entry: u64, outcome: &Outcome, spent: &Spent) -> Vec<Finding> {
    [
        ("epsilon_server", &outcome.epsilon_server, spent.epsilon_server),
        ("epsilon_public", &outcome.epsilon_public, spent.epsilon_public),
    ]
    .into_iter()
    .filter_map(|(field, claim, recomputed)| {
        let claim = claim.as_deref()?;
        let what = match recomputed {
            Some(value) if compare_decimals(claim, &value.to_string()).is_ge() => return None,
            Some(value) => format!("claims {field} {claim}, the charges amount to {value}"),
            None => format!("claims {field} {claim}, but no finite value can be certified for the charges"),
        };
        Some(Finding {
            entry,
            task: task.to_owned(),
            round: outcome.round,
            what,
        })
    })
    .collect()
}

/// Less noise in the sum than its survivors kept at least: the outcome contradicts the manifest.
pub(super) fn noise(task: &str, entry: u64, outcome: &Outcome, row: &Round) -> Option<Finding> {
    let kept: u128 = row.kept_variance_q16.parse().ok()?;
    let least = kept.saturating_mul(u128::from(row.survivors));
    let claimed: u128 = outcome.noise_variance_q16.parse().unwrap_or(u128::MAX);
    (claimed < least).then(|| Finding {
        entry,
        task: task.to_owned(),
        round: outcome.round,
        what: format!(
            "states noise_variance_q16 {claimed}, the {} survivors kept at least {least}",
            row.survivors
        ),
    })
}

/// Whether a charge passes the budget that its own manifest states.
pub(super) fn budget(manifest: &Manifest, row: Option<&Round>) -> Option<Finding> {
    let row = row?;
    let budget = manifest.budget_epsilon.as_deref()?;
    let what = match row.spent.epsilon_server {
        Some(spent) if compare_decimals(budget, &spent.to_string()).is_ge() => return None,
        Some(spent) => format!("the charges amount to epsilon {spent}, over the task's budget of {budget}"),
        None => format!("no finite epsilon can be certified for the charges, the task's budget is {budget}"),
    };
    Some(Finding {
        entry: row.entry,
        task: row.task.clone(),
        round: row.round,
        what,
    })
}

/// Orders two non-negative plain decimals without leading zeros, of any length, exactly.
fn compare_decimals(a: &str, b: &str) -> Ordering {
    fn key(text: &str) -> (usize, &str, &str) {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        // Of two wholes the longer is the larger; of equal length they compare as text, and so do fractions.
        (whole.len(), whole, fraction.trim_end_matches('0'))
    }
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_any_length_are_ordered_by_value() {
        let ascending = [
            "0",
            "0.0000001",
            "0.5",
            "0.51",
            "1",
            "1.000000001",
            "2",
            "9.99",
            "10",
            "123456789012345678901",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare_decimals(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare_decimals("1.50", "1.5"), Ordering::Equal);
        assert_eq!(compare_decimals("0.0", "0"), Ordering::Equal);
    }
}
