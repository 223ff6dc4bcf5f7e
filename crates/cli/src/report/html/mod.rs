//! The report as one page that needs nothing else: no network, no script, plots as inline SVG.
//!
//! Every value from entries, files or arguments passes through the template's escaping; the page's own policy forbids scripts
//! and anything from elsewhere, should that ever fail. The same ledger gives the same bytes.

mod assessment;
mod plots;
mod sections;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::model::Report;
use super::verification::{Verification, utc};
use super::{plain, text};

const STYLE: &str = include_str!("style.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The whole page.
pub(crate) fn page(report: &Report, ledger: &Verification) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                title { "Privacy report: " (ledger.origin) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { (head(report, ledger)) }
                main {
                    @for task in &report.tasks { (sections::task(task)) }
                    (sections::all_tasks(report))
                    (sections::adversaries(report))
                    (sections::coverage(report))
                    (sections::method(report))
                    (sections::verification(report, ledger))
                    (assessment::section(report, ledger))
                    (sections::terms())
                }
                footer {
                    p {
                        "Made by " (text::SOFTWARE) " from the entries of ledger " (ledger.origin) " alone"
                        @if let Some(date) = &ledger.date { ", " (date) }
                        ". Anyone with the ledger's files gets the same page."
                    }
                }
            }
        }
    };
    markup.into_string()
}

fn head(report: &Report, ledger: &Verification) -> Markup {
    html! {
        p.kind { "Privacy report" }
        h1 { (ledger.origin) }
        p.period {
            (ledger.size) " ledger entries"
            @if let Some((first, last)) = ledger.period { ", " (utc(first)) " to " (utc(last)) }
        }
        ul.state aria-label="State of the check" {
            (badge(
                ledger.origin_checked,
                if ledger.origin_checked { "Origin checked" } else { "Origin not checked" },
            ))
            (badge(ledger.witnessed, if ledger.witnessed { "Witnessed" } else { "Not witnessed" }))
            (badge(
                report.findings.is_empty(),
                if report.findings.is_empty() { "Claims hold" } else { "Contradicted" },
            ))
        }
        p.lead { (plain::headline(report)) }
        @if !report.findings.is_empty() {
            section.alarm role="alert" {
                h2 { "What contradicts the entries" }
                ul { @for finding in &report.findings { li { (finding.to_string()) } } }
            }
        }
    }
}

fn badge(good: bool, words: &str) -> Markup {
    let (class, sign) = if good { ("good", "\u{2713}") } else { ("open", "!") };
    html! { li class=(class) { span aria-hidden="true" { (sign) } " " (words) } }
}

#[cfg(test)]
mod tests;
