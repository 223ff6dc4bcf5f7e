//! The tables of one task: what each charge promised, what it got, and what it cost.

use maud::{Markup, html};

use super::super::model::{Round, Task};
use super::super::plain::decimal;
use super::super::text::mechanism;
use tacita_privacy::Decimal;

/// A table that scrolls by itself where the page is narrow, and can be reached without a mouse.
pub(super) fn scrolling(label: &str, table: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { (table) } }
}

/// Epsilon by round, and what is left.
pub(super) fn spending(task: &Task) -> Markup {
    let label = "Spending by round";
    scrolling(
        label,
        &html! {
            table {
                caption { span { "Cumulative epsilon after each charge, rounded up; what is left, rounded down. Every repeated round counts again." } }
                thead {
                    tr {
                        th scope="col" { "Round" }
                        th scope="col" { "Entry" }
                        th scope="col" { "Delta" }
                        th scope="col" { "Epsilon, server" }
                        th scope="col" { "Epsilon, everyone else" }
                        th scope="col" { "Left of the budget" }
                        th scope="col" { "Claimed by the server" }
                        th scope="col" { "Accuracy" }
                        th scope="col" { "Loss" }
                    }
                }
                tbody { @for round in &task.rounds { (spending_row(round)) } }
            }
        },
    )
}

fn spending_row(round: &Round) -> Markup {
    let outcome = round.outcome.as_ref();
    let or_dash = |text: Option<&String>| text.map_or("\u{2013}", String::as_str).to_owned();
    let claimed = match outcome {
        None => "no outcome".to_owned(),
        Some(outcome) => format!(
            "{} / {}",
            or_dash(outcome.claimed_epsilon_server.as_ref()),
            or_dash(outcome.claimed_epsilon_public.as_ref())
        ),
    };
    html! {
        tr {
            th scope="row" { (round.round) @if round.repeated { " (repeated)" } }
            td { (round.entry) }
            td { (decimal(round.spent.delta)) }
            td { (aligned(round.spent.epsilon_server)) }
            td { (aligned(round.spent.epsilon_public)) }
            td { (or_dash(round.left_epsilon.as_ref())) }
            td { (claimed) }
            td { (or_dash(outcome.and_then(|outcome| outcome.accuracy.as_ref()))) }
            td { (or_dash(outcome.and_then(|outcome| outcome.loss.as_ref()))) }
        }
    }
}

/// Planned against actual.
pub(super) fn planned(task: &Task) -> Markup {
    let label = "Planned and actual by round";
    scrolling(
        label,
        &html! {
            table {
                caption { span {
                    "Clients and noise as planned and as they were. Noise is the standard deviation, in clip norms, of what the server with its colluders "
                    "does not know."
                } }
                thead {
                    tr {
                        th scope="col" { "Round" }
                        th scope="col" { "Cohort n" }
                        th scope="col" { "In the roster" }
                        th scope="col" { "Survivors" }
                        th scope="col" { "Dropped out" }
                        th scope="col" { "Minimum m" }
                        th scope="col" { "Colluders c" }
                        th scope="col" { "Quorum Q" }
                        th scope="col" { "Revealed" }
                        th scope="col" { "Noise planned" }
                        th scope="col" { "Noise present" }
                    }
                }
                tbody {
                    @for round in &task.rounds {
                        tr {
                            th scope="row" { (round.round) @if round.repeated { " (repeated)" } }
                            td { (round.cohort) }
                            td { (round.roster) }
                            td { (round.survivors) }
                            td { (round.cohort.saturating_sub(round.survivors)) }
                            td { (round.minimum_survivors) }
                            td { (round.colluders) }
                            td { (round.quorum) }
                            td { @match &round.outcome { Some(outcome) => (outcome.responders), None => "no outcome" } }
                            td { (round.planned_noise_multiplier) }
                            td { (round.present_noise_multiplier) }
                        }
                    }
                }
            }
        },
    )
}

/// The integers behind each charge.
pub(super) fn parameters(task: &Task) -> Markup {
    let label = "Parameters by round";
    scrolling(
        label,
        &html! {
            table {
                caption { span {
                    "The integers that the accountant takes. Variances are in 2^-16 squared grid steps per coordinate; the local standard deviation is "
                    "in grid steps."
                } }
                thead {
                    tr {
                        th scope="col" { "Round" }
                        th.words scope="col" { "Mechanism" }
                        th scope="col" { "Clip" }
                        th scope="col" { "Grid S" }
                        th scope="col" { "Dimension" }
                        th scope="col" { "Padded d" }
                        th scope="col" { "Ring bits" }
                        th scope="col" { "Bits needed" }
                        th scope="col" { "Squared L2" }
                        th scope="col" { "L1" }
                        th scope="col" { "Local st. dev." }
                        th scope="col" { "Share variance" }
                        th scope="col" { "Kept variance" }
                        th scope="col" { "Variance in the sum" }
                        th scope="col" { "Noise levels" }
                    }
                }
                tbody { @for round in &task.rounds { (parameter_row(round)) } }
            }
        },
    )
}

fn parameter_row(round: &Round) -> Markup {
    let or_dash = |text: Option<&String>| text.map_or("\u{2013}", String::as_str).to_owned();
    html! {
        tr {
            th scope="row" { (round.round) }
            td.words { (mechanism(round.mechanism)) }
            td { (round.clip) }
            td { (round.grid) }
            td { (round.dimension) }
            td { (round.padded) }
            td { (round.bits) }
            td { @match round.needed_bits { Some(bits) => (bits), None => "\u{2013}" } }
            td { (or_dash(round.squared_l2_sensitivity.as_ref())) }
            td { (or_dash(round.l1_sensitivity.as_ref())) }
            td { (local_deviation(round)) }
            td { (round.share_variance_q16) }
            td { (round.kept_variance_q16) }
            td { (or_dash(round.outcome.as_ref().map(|outcome| &outcome.noise_variance_q16))) }
            td { (or_dash(round.noise_levels.as_ref())) }
        }
    }
}

/// To six places, as epsilons are counted, so that a column lines up.
fn aligned(value: Option<Decimal>) -> String {
    let text = decimal(value);
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    match (value, places) {
        (Some(_), 0) => format!("{text}.000000"),
        (Some(_), 1..6) => format!("{text}{}", "0".repeat(6 - places)),
        _ => text,
    }
}

/// Of one client's share, in grid steps.
fn local_deviation(round: &Round) -> String {
    let variance: f64 = round.share_variance_q16.parse().unwrap_or(f64::NAN);
    format!("{:.2}", (variance / 65_536.0).sqrt())
}

/// Attempts that were given up.
pub(super) fn given_up(task: &Task) -> Markup {
    scrolling(
        "Attempts given up",
        &html! {
            table.words {
                caption { span { "Attempts that ended before anything was charged; their reserve was given back." } }
                thead { tr { th scope="col" { "Round" } th scope="col" { "Entry" } th scope="col" { "Reason, as the server states it" } } }
                tbody {
                    @for attempt in &task.given_up {
                        tr { th scope="row" { (attempt.round) } td { (attempt.entry) } td { (attempt.reason) } }
                    }
                }
            }
        },
    )
}

/// Lower bounds beside the proved upper ones.
pub(super) fn audits(task: &Task) -> Markup {
    scrolling(
        "Audits",
        &html! {
            table {
                caption { span { "What attacks on the real pipeline achieved (lower bounds), beside what is proved for the same charges (upper bounds)." } }
                thead {
                    tr {
                        th.words scope="col" { "Audit" }
                        th.words scope="col" { "View" }
                        th scope="col" { "Delta" }
                        th scope="col" { "Lower bound" }
                        th scope="col" { "Proved upper bound" }
                        th scope="col" { "Confidence" }
                    }
                }
                tbody {
                    @for audit in &task.audits {
                        tr {
                            th.words scope="row" { (audit.method) }
                            td.words { @match audit.view { super::super::audit::View::Server => "server", _ => "everyone else" } }
                            td { (audit.delta) }
                            td { (audit.epsilon_lower) @if audit.contradicts { " (above the proved bound)" } }
                            td { (decimal(audit.epsilon_upper)) }
                            td { @match &audit.confidence { Some(value) => (value), None => "an estimate" } }
                        }
                    }
                    @if task.audits.is_empty() {
                        tr { th.words scope="row" { "none given" } td.words { "\u{2013}" } td { "\u{2013}" } td { "\u{2013}" } td { "\u{2013}" } td { "\u{2013}" } }
                    }
                }
            }
        },
    )
}

/// The Renyi curve at some orders.
pub(super) fn renyi(task: &Task) -> Markup {
    let shown = task
        .renyi
        .iter()
        .filter(|bound| bound.order.is_power_of_two() || bound.order == 3);
    let value = |value: Option<f64>| value.map_or("unbounded".to_owned(), |value| format!("{value:.6e}"));
    scrolling(
        "Renyi bounds",
        &html! {
            table {
                caption { span {
                    "Renyi divergence of all charges together, in nats, at some of the orders that the accountant uses (all of them are in the JSON "
                    "form of this report). Shown to seven digits; the account keeps more and rounds up."
                } }
                thead { tr { th scope="col" { "Order" } th scope="col" { "Server" } th scope="col" { "Everyone else" } } }
                tbody {
                    @for bound in shown {
                        tr { th scope="row" { (bound.order) } td { (value(bound.server)) } td { (value(bound.public)) } }
                    }
                }
            }
        },
    )
}

/// Epsilon at other deltas.
pub(super) fn curve(task: &Task) -> Markup {
    scrolling(
        "Epsilon at other deltas",
        &html! {
            table {
                caption { span { "The curve in numbers: epsilon of all charges together, rounded up." } }
                thead { tr { th scope="col" { "Delta" } th scope="col" { "Epsilon, server" } th scope="col" { "Epsilon, everyone else" } } }
                tbody {
                    @for point in &task.curve {
                        tr {
                            th scope="row" { (decimal(point.delta)) }
                            td { (aligned(point.epsilon_server)) }
                            td { (aligned(point.epsilon_public)) }
                        }
                    }
                }
            }
        },
    )
}
