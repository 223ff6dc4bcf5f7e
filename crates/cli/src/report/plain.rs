//! The report in plain words: what epsilon and delta mean for one person's contribution.

use tacita_ledger::entry::Unit;
use tacita_privacy::Decimal;

use super::model::{Report, Spent, Task};
use super::unit;

/// Epsilon up to which Ponomareva et al. ("How to DP-fy ML", 2023, section 5.2.1) call a guarantee strong, and up to which
/// they call it reasonable.
const TIERS: [f64; 2] = [1.0, 10.0];

/// What a task cost one of its clients, in sentences.
pub(crate) fn statement(task: &Task) -> Vec<String> {
    let rounds = task.rounds.len();
    if rounds == 0 {
        return vec![format!(
            "Nothing was released for task {}: no round of it was charged.",
            task.task
        )];
    }
    let counted = if rounds == 1 {
        "1 round".to_owned()
    } else {
        format!("{rounds} rounds")
    };
    let c = task.rounds.iter().map(|round| round.colluders).min().unwrap_or(0);
    let clients = if c == 1 {
        "one client".to_owned()
    } else {
        format!("{c} clients")
    };
    let server = if c == 0 {
        "the server".to_owned()
    } else {
        format!("the server together with up to {clients}")
    };
    let about = match task.unit() {
        Unit::Client => "any one client: whether it sent its updates, or nothing at all.",
        Unit::Record => {
            "any one record of one client: whether it was among that client's data, or not. They say nothing about a client \
             as a whole."
        }
    };
    let mut lines = vec![format!(
        "Task {} released the sums of {counted}. The figures below bound what those sums, and everything computed from \
         them, can say about {about}",
        task.task
    )];
    lines.push(view(
        &capitalised(&server),
        task.spent.epsilon_server,
        &task.spent,
    ));
    lines.push(view(
        "Everyone else, including any other participant,",
        task.spent.epsilon_public,
        &task.spent,
    ));
    lines.push(strength(task.spent.epsilon_server));
    lines
}

fn view(who: &str, epsilon: Option<Decimal>, spent: &Spent) -> String {
    let (Some(epsilon), Some(delta)) = (epsilon, spent.delta) else {
        return format!(
            "{who} may learn a contribution: sums were released without enough noise, and no finite bound can be \
             certified."
        );
    };
    match certainty(epsilon) {
        Some(percent) => format!(
            "{who} gets at most epsilon {epsilon} at delta {delta}: whoever held the two cases equally likely before is at \
             most {percent} % sure of either afterwards, but for a failure with a chance of about {delta}."
        ),
        None => format!(
            "{who} gets at most epsilon {epsilon} at delta {delta}. So large an epsilon rules out almost nothing by itself."
        ),
    }
}

/// 100 e^epsilon / (1 + e^epsilon), rounded up to a tenth; `None` where that is 100.
fn certainty(epsilon: Decimal) -> Option<String> {
    let odds = epsilon.to_f64().exp();
    let percent = 1000.0 * odds / (1.0 + odds);
    // Up, and past the error of the exponential; exactly even odds stay so.
    let tenths = if epsilon.is_zero() {
        500.0
    } else {
        (percent * (1.0 + 1e-12)).ceil()
    };
    (tenths < 1000.0).then(|| format!("{:.1}", tenths / 10.0))
}

fn strength(epsilon: Option<Decimal>) -> String {
    let words = match epsilon.map(Decimal::to_f64) {
        Some(value) if value <= TIERS[0] => "strong",
        Some(value) if value <= TIERS[1] => "reasonable, not strong",
        _ => "weak: other safeguards must carry the protection",
    };
    format!(
        "By the tiers of Ponomareva et al. (2023), epsilon up to 1 and up to 10, the guarantee against the server is {words}."
    )
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Delta beside the population: it should be well below one over the number of clients.
pub(crate) fn delta_note(task: &Task) -> Option<String> {
    let delta = task.spent.delta?;
    if task.unit() == Unit::Record {
        return Some(format!(
            "delta {delta} should be well below one over the number of all records, which this ledger does not hold."
        ));
    }
    let cohort = task.rounds.iter().map(|round| round.cohort).max()?;
    let product = delta.to_f64() * cohort as f64;
    let words = if product < 0.1 {
        "well below one"
    } else if product < 1.0 {
        "below one, but not by much"
    } else {
        "not below one: delta is too large for so many clients"
    };
    Some(format!(
        "delta {delta} times the largest cohort of {cohort} is {product:.2e}: {words}."
    ))
}

/// The one sentence that the head of a report carries.
pub(crate) fn headline(report: &Report) -> String {
    match report.tasks.as_slice() {
        [] => "No rounds: nothing was released.".to_owned(),
        [task] => capitalised(&spent(&task.spent)),
        _ => report.all_tasks.as_ref().map_or_else(String::new, |all| {
            format!(
                "All tasks together, for a {} in each: {}",
                unit::each(report),
                spent(all)
            )
        }),
    }
}

/// Both epsilons at a delta, in words.
pub(crate) fn spent(spent: &Spent) -> String {
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

/// A value, or that there is none.
pub(crate) fn decimal(value: Option<Decimal>) -> String {
    value.map_or_else(|| "unbounded".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failure: the report tells a participant that an attacker is less sure than the bound allows.
    #[test]
    fn certainty_is_rounded_up() {
        let sure = |epsilon: &str| certainty(epsilon.parse().unwrap());
        // e / (1 + e) = 0.73105..., e^2 / (1 + e^2) = 0.88079..., e^6 / (1 + e^6) = 0.99752...
        assert_eq!(sure("0").as_deref(), Some("50.0"));
        assert_eq!(sure("1").as_deref(), Some("73.2"));
        assert_eq!(sure("2").as_deref(), Some("88.1"));
        assert_eq!(sure("6").as_deref(), Some("99.8"));
        assert_eq!(sure("8"), None);
        assert_eq!(sure("1000"), None);
    }

    /// Failure: a weak guarantee is called a strong one.
    #[test]
    fn tiers_have_their_upper_ends_inside() {
        let said = |epsilon: &str| strength(Some(epsilon.parse().unwrap()));
        assert!(said("1").ends_with("is strong."));
        assert!(said("1.000001").contains("reasonable, not strong"));
        assert!(said("10").contains("reasonable, not strong"));
        assert!(said("10.000001").contains("weak"));
        assert!(strength(None).contains("weak"));
    }
}
