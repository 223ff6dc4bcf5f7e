//! The sections of the page.

use maud::{Markup, html};

use super::super::model::{Report, Task};
use super::super::plain::{self, decimal};
use super::super::verification::{Verification, utc};
use super::super::{text, unit};
use super::{plots, tables};

/// Everything about one task.
pub(super) fn task(task: &Task) -> Markup {
    let values = |of: &dyn Fn(&super::super::model::Round) -> String| text::range(task.rounds.iter().map(of));
    let planned = values(&|round| round.planned_rounds.to_string());
    let budget = values(&|round| round.budget_epsilon.clone().unwrap_or_else(|| "none".to_owned()));
    let unfinished = task.rounds.iter().filter(|round| round.outcome.is_none()).count();
    let repeated = task.rounds.iter().filter(|round| round.repeated).count();
    html! {
        section {
            h2 { "Task " (task.task) }
            @for sentence in plain::statement(task) { p { (sentence) } }
            @if let Some(note) = plain::delta_note(task) { p.note { "As a rule of thumb delta should be far below one over the number of clients: " (note) } }
            dl.facts {
                (fact("Epsilon, server with c colluders", &decimal(task.spent.epsilon_server)))
                (fact("Epsilon, everyone else", &decimal(task.spent.epsilon_public)))
                (fact("Delta", &task.spent.delta.map_or_else(|| "none stated".to_owned(), |delta| delta.to_string())))
                (fact("Budget", &budget))
                (fact("Left of it", task.left_epsilon.as_deref().unwrap_or("no budget")))
                (fact("Rounds charged, of planned", &format!("{} of {planned}", task.rounds.len())))
                (fact("Colluders c", &values(&|round| round.colluders.to_string())))
                (fact("Survivors at least m", &values(&|round| round.minimum_survivors.to_string())))
            }
            @if !task.rounds.is_empty() {
                (plots::of(task))
                h3 { "Spending" }
                (tables::spending(task))
                h3 { "Planned and actual" }
                (tables::planned(task))
                @if let Some(table) = tables::federated(task) { h3 { "Federated metrics and clip norms" } (table) }
                h3 { "Failed and repeated rounds" }
                p {
                    (task.attempts) " attempts: " (task.rounds.len()) " charged, of which " (unfinished) " without an outcome and " (repeated)
                    " repeated; " (task.released) " given up before a charge. A charge counts in full whatever came of its round."
                }
                @if !task.given_up.is_empty() { (tables::given_up(task)) }
                h3 { "Audits beside proofs" }
                (tables::audits(task))
                h3 { "Parameters" }
                (tables::parameters(task))
                h3 { "The guarantee in numbers" }
                (tables::curve(task))
                (tables::renyi(task))
            }
        }
    }
}

fn fact(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// A client may be in all of them.
pub(super) fn all_tasks(report: &Report) -> Markup {
    html! {
        @if let Some(all) = &report.all_tasks {
            section {
                h2 { "All tasks together" }
                p { "For a " (unit::each(report)) " that was in every task: " (plain::spent(all)) "." }
            }
        }
    }
}

/// Who could learn what.
pub(super) fn adversaries(report: &Report) -> Markup {
    let most = report
        .tasks
        .iter()
        .flat_map(|task| &task.rounds)
        .map(|round| round.colluders)
        .max();
    html! {
        section {
            h2 { "Who could learn what" }
            dl.pairs {
                (pair("Setting", text::SETTING))
                (pair("Unit of privacy", &unit::unit(report)))
                (pair("Adjacency", &unit::adjacency(report)))
                (pair("Participation", &unit::participation(report)))
                (pair("Sampling", &unit::sampling(report)))
                div {
                    dt { "First adversary: the server with c colluding clients" }
                    dd {
                        "Sees every sum, knows the noise of its colluders, may lie to anybody and break every rule. "
                        @if let Some(most) = most { "The rounds were planned against up to c = " (most) " colluders. " }
                        "Its epsilon counts the noise of the other survivors only."
                    }
                }
                div {
                    dt { "Second adversary: everyone else" }
                    dd { "Sees what is published, models and this ledger, and may be one of the participants, who knows its own noise." }
                }
            }
            h3 { "What must hold" }
            ul { @for line in unit::assumed(report) { li { (line) } } }
        }
    }
}

fn pair(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

/// What epsilon is about, and what it is not about.
pub(super) fn coverage(report: &Report) -> Markup {
    html! {
        section {
            h2 { "What is covered, and what is not" }
            h3 { "Covered" }
            ul { @for line in unit::covered(report) { li { (line) } } }
            h3 { "Not covered" }
            ul { @for line in unit::not_covered(report) { li { (line) } } }
        }
    }
}

/// How the numbers were computed.
pub(super) fn method(report: &Report) -> Markup {
    html! {
        section {
            h2 { "How the numbers were computed" }
            dl.pairs {
                (pair("Method", &unit::method(report)))
                (pair("Rounding", text::DIRECTION))
                (pair("Composition", text::COMPOSITION))
                (pair("Rounding of updates", &format!("conditional, bias bound beta = {}; the norm is checked in exact integers", text::ROUNDING_BIAS)))
                (pair("Sampler", "noise from integer tables; its distance from the true law, 2^-100 a draw, is inside the stated delta"))
                (pair("Wrap-around", "the ring is chosen so that the sum wraps with probability at most 2^-40 a round; it would cost accuracy, not privacy"))
                (pair("Software", text::SOFTWARE))
            }
            @for task in report.tasks.iter().filter(|task| !task.methods.is_empty() && !task.rounds.is_empty()) {
                (tables::scrolling("Methods", &html! {
                    table {
                        caption { span { "Task " (task.task) ", by accounting method, at delta " (decimal(task.spent.delta)) } }
                        thead {
                            tr {
                                th.words scope="col" { "Method" }
                                th scope="col" { "Epsilon, server" }
                                th scope="col" { "Epsilon, everyone else" }
                                th.words scope="col" { "Direction, version" }
                            }
                        }
                        tbody {
                            @for method in &task.methods {
                                tr {
                                    th.words scope="row" { (method.name) }
                                    td { (decimal(method.epsilon_server)) }
                                    td { (decimal(method.epsilon_public)) }
                                    td.words { (method.direction) ", " (method.version) }
                                }
                            }
                        }
                        tbody {
                            @for notion in &task.equivalents {
                                tr {
                                    th.words scope="row" { (notion.name) }
                                    td { (notion.server.map_or_else(|| "-".to_owned(), text::up)) }
                                    td { (notion.public.map_or_else(|| "-".to_owned(), text::up)) }
                                    td.words { (if notion.proven { "proven" } else { "not proven" }) ": " (notion.what) }
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}

/// What the ledger itself is worth.
pub(super) fn verification(report: &Report, ledger: &Verification) -> Markup {
    html! {
        section {
            h2 { "Verification" }
            dl.pairs {
                (pair("Ledger", &format!("{}, {} entries", ledger.origin, ledger.size)))
                div { dt { "Root" } dd { code { (ledger.root) } } }
                (pair("Every byte", "each entry, hash and rule was recomputed from the files"))
                (pair("Origin", if ledger.origin_checked {
                    "checked: the head is signed by the pinned key, or by one that it handed the log to"
                } else {
                    "integrity only, origin not checked: no key was given, so anybody could have made these files"
                }))
                (pair("Witnesses", &ledger.witness))
                @for (from, key) in &ledger.keys {
                    div { dt { "Key from " (from) " entries on" } dd { code { (key) } } }
                }
                @if let Some((first, last)) = ledger.period {
                    (pair("Period", &format!("{} to {}, as the server states it", utc(first), utc(last))))
                }
                (pair("Claims of the server", &if report.findings.is_empty() {
                    "none is lower than the charges amount to".to_owned()
                } else {
                    format!("{} contradicted, listed at the top", report.findings.len())
                }))
            }
            p.note {
                "To repeat the check: " code { "tacita ledger verify DIR --key VKEY-FILE" } ", or without this software "
                code { "python3 ledger_check.py DIR --key VKEY-FILE" } " from its specification."
            }
        }
    }
}

/// The words that the page uses.
pub(super) fn terms() -> Markup {
    let terms = [
        (
            "Epsilon",
            "bounds how much the odds of any conclusion about one client (or one record, where that is the unit) can change by what was released: by a factor of at most e to the \
                     power of epsilon. Smaller is better; 0 would mean that nothing can be learned.",
        ),
        (
            "Delta",
            "the probability with which the bound by epsilon may fail.",
        ),
        (
            "Zero-out",
            "the two cases that cannot be told apart: a client sent its vector, or a vector of zeros.",
        ),
        (
            "Add-remove",
            "the two cases that cannot be told apart: a record is among the data of its client, or not.",
        ),
        (
            "Charge",
            "the ledger entry by which a round's cost became final, before its sum could be seen.",
        ),
        (
            "Survivors",
            "the clients whose vectors are in a sum; those that dropped out before are not.",
        ),
        (
            "Clip norm",
            "the largest length of one client's update; longer ones are shortened to it.",
        ),
        (
            "Witness",
            "a participant that signed a head of the ledger, having checked that it continues every earlier one it saw.",
        ),
    ];
    html! {
        section {
            h2 { "Terms" }
            dl.pairs { @for (term, meaning) in terms { (pair(term, meaning)) } }
        }
    }
}
