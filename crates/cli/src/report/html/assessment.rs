//! The page for a data-protection impact assessment, in the order of Article 35(7) GDPR: description, necessity, risks,
//! measures. What only the controller can say is left blank, and says so.

use maud::{Markup, html};

use super::super::model::Report;
use super::super::verification::Verification;
use super::super::{plain, unit};

pub(super) fn section(report: &Report, ledger: &Verification) -> Markup {
    html! {
        section.page {
            h2 { "For a data-protection impact assessment" }
            p.note {
                "One page to put into an assessment under Article 35(7) GDPR or its like. What the ledger proves is filled in; the rest is the "
                "controller's to say."
            }
            h3 { "1. The processing" }
            p {
                "Participants train a shared model on data that stays with them. Per round each sends one clipped, noised and masked vector; the server "
                "can read only the sum over at least m participants."
            }
            dl.pairs { @for task in &report.tasks { (processing(task)) } }
            (blank("Purposes, categories of data and of persons, recipients, retention"))
            h3 { "2. Necessity and proportionality" }
            p { "Only sums are released. Raw data, single updates and metrics of single participants do not leave a participant readable." }
            (blank("Why the purpose needs this model, and why these rounds"))
            h3 { "3. Risks to persons" }
            @for task in &report.tasks {
                @for sentence in plain::statement(task) { p { (sentence) } }
            }
            p { "Risks that this guarantee does not address:" }
            ul { @for line in unit::not_covered(report) { li { (line) } } }
            (blank("Severity of each risk for the persons concerned"))
            h3 { "4. Measures, and how they were checked" }
            ul {
                li { "Secure aggregation against a server that may deviate, with up to c colluding participants." }
                li { "Differential privacy with an upper bound that is rounded up. " (plain::headline(report)) "." }
                li { "A public, signed ledger: " (ledger.check) "; " (ledger.witness) "." }
                li { "Claims of the server: " @if report.findings.is_empty() { "none contradicted." } @else { (report.findings.len()) " contradicted." } }
            }
            p { "The guarantee rests on these assumptions:" }
            ul { @for line in unit::assumed(report) { li { (line) } } }
            (blank("Residual risk, decision, date and name"))
        }
    }
}

fn processing(task: &super::super::model::Task) -> Markup {
    let most =
        |of: &dyn Fn(&super::super::model::Round) -> u64| task.rounds.iter().map(of).max().unwrap_or(0);
    let least =
        |of: &dyn Fn(&super::super::model::Round) -> u64| task.rounds.iter().map(of).min().unwrap_or(0);
    html! {
        div {
            dt { "Task " (task.task) }
            dd {
                (task.rounds.len()) " charged rounds, cohorts of up to " (most(&|round| round.cohort)) " clients, never fewer than "
                (least(&|round| round.survivors)) " in a sum, vectors of up to " (most(&|round| round.dimension)) " coordinates."
            }
        }
    }
}

fn blank(what: &str) -> Markup {
    html! { p.blank { "To be completed by the controller: " (what) "." } }
}
