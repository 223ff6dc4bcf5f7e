//! `tacita ledger report`: for people, as JSON, and as a page.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::checked::{self, Checked, LedgerFiles};
use crate::output::{Exit, Output, usage};
use crate::report::verification::Verification;
use crate::report::{self, Report, audit, html, plain, text, unit};

/// Largest file of audits.
const MAX_AUDIT_FILE: u64 = 1024 * 1024;
/// Longest date.
const MAX_DATE: usize = 40;

/// What the report is made of and where it goes.
/// Findings that standard error names one by one.
const COMPLAINTS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    files: LedgerFiles,
    /// Also write the report as one page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// File with audits (JSON), whose lower bounds are put next to the proved upper bounds
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// A date to print on the page; without one it bears none, and the same ledger gives the same bytes
    #[arg(long, value_name = "TEXT")]
    date: Option<String>,
}

pub(super) fn run(args: &ReportArgs, output: &Output) -> anyhow::Result<Exit> {
    let audits = match &args.audit {
        None => Vec::new(),
        Some(path) => {
            let bytes = checked::read(path, MAX_AUDIT_FILE)?;
            audit::read(&bytes).map_err(|error| usage(format!("{}: {error}", path.display())))?
        }
    };
    if let Some(date) = &args.date
        && (date.chars().count() > MAX_DATE || date.chars().any(char::is_control))
    {
        return Err(usage(
            "--date: at most 40 characters, none of them a control character",
        ));
    }
    let ledger = Checked::new(&args.files)?;
    let mut report = report::recompute(&ledger.verified.entries)?;
    audit::attach(&mut report, audits).map_err(|error| {
        let path = args.audit.as_deref().unwrap_or(Path::new(""));
        usage(format!("{}: {error}", path.display()))
    })?;
    let verification = verification(&ledger, &report, args.date.clone());
    if let Some(path) = &args.html {
        std::fs::write(path, html::page(&report, &verification))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    output.result(
        &in_words(&ledger, &report, &verification),
        &as_json(&ledger, &report, &verification),
    )?;
    let mut exit = Exit::Done;
    for finding in report.findings.iter().take(COMPLAINTS) {
        exit = output.complaint(&finding.to_string(), Exit::Failed);
    }
    // A budget that is passed is passed by every later round, too.
    let more = report.findings.len().saturating_sub(COMPLAINTS);
    if more > 0 {
        exit = output.complaint(
            &format!("{more} more findings; the report lists them all"),
            Exit::Failed,
        );
    }
    Ok(exit)
}

fn verification(ledger: &Checked, report: &Report, date: Option<String>) -> Verification {
    let head = ledger.verified.checkpoint();
    let (witnessed, witness) = witnessed(ledger, report);
    let times = || ledger.verified.entries.iter().map(|entry| entry.time());
    let keys = ledger.verified.keys.keys().iter();
    Verification {
        origin: head.origin.clone(),
        size: head.size,
        root: hex::encode(head.root),
        origin_checked: ledger.verified.origin_checked,
        check: ledger.origin(),
        witnessed,
        witness,
        keys: keys.map(|known| (known.from, known.key.to_string())).collect(),
        period: times().min().zip(times().max()),
        date,
    }
}

/// Whether Q of the listed witnesses cosigned a head that holds the last charge, in words.
fn witnessed(ledger: &Checked, report: &Report) -> (bool, String) {
    let unchecked = match ledger.unchecked_lines() {
        0 => String::new(),
        lines => format!("; {lines} cosignatures without a key given here were not checked"),
    };
    let Some(round) = report.last_charge() else {
        return (
            false,
            format!("not witnessed: there is no charge to witness{unchecked}"),
        );
    };
    let quorum = round.quorum;
    let Some(head) = ledger.vouched() else {
        return (
            false,
            format!("not witnessed: no cosigned head holds the last charge{unchecked}"),
        );
    };
    let found = head.witnesses;
    let counted = format!(
        "{found} verified cosignatures of a head of {} entries that holds the last charge, whose round asks for Q = {quorum}",
        head.size
    );
    if u64::try_from(found).unwrap_or(u64::MAX) < quorum {
        (false, format!("not witnessed: {counted}{unchecked}"))
    } else {
        let text = format!(
            "witnessed: {counted}; that they are of its members is what the given keys say{unchecked}"
        );
        (true, text)
    }
}

fn in_words(ledger: &Checked, report: &Report, verification: &Verification) -> String {
    let mut out = ledger.text();
    out.push_str(&format!(
        "  {}\n  {}\n\n",
        verification.check, verification.witness
    ));
    for (name, words) in [
        ("Setting", text::SETTING.to_owned()),
        ("Unit", unit::unit(report)),
        ("Adjacency", unit::adjacency(report)),
        ("Clients", unit::participation(report)),
        ("Sampling", unit::sampling(report)),
        ("Method", unit::method(report)),
        ("Composition", text::COMPOSITION.to_owned()),
        ("Direction", text::DIRECTION.to_owned()),
        ("Software", text::SOFTWARE.to_owned()),
    ] {
        out.push_str(&format!("{name:<12}{words}\n"));
    }
    out.push('\n');
    out.push_str(&text::render(report));
    for (title, lines) in [
        ("Covered", unit::covered(report)),
        ("Not covered", unit::not_covered(report)),
        ("Assumed", unit::assumed(report)),
    ] {
        out.push_str(&format!("{title}\n"));
        for line in lines {
            out.push_str(&format!("  - {line}\n"));
        }
    }
    match report.findings.len() {
        0 => out.push_str("\nNo outcome claims less than the charges amount to.\n"),
        _ => {
            out.push_str("\nCONTRADICTED\n");
            for finding in &report.findings {
                out.push_str(&format!("  - {finding}\n"));
            }
        }
    }
    out
}

fn as_json(ledger: &Checked, report: &Report, verification: &Verification) -> Value {
    let statements: Vec<Value> = report
        .tasks
        .iter()
        .map(|task| {
            json!({
                "task": task.task,
                "sentences": plain::statement(task),
                "delta": plain::delta_note(task),
            })
        })
        .collect();
    json!({
        "report": "tacita privacy report",
        "software": text::SOFTWARE,
        "ledger": ledger.json(),
        "period": verification.period,
        "date": verification.date,
        "witnessed": verification.witnessed,
        "witness": verification.witness,
        "plain_language": statements,
        "setting": text::SETTING,
        "unit": unit::unit(report),
        "adjacency": unit::adjacency(report),
        "participation": unit::participation(report),
        "sampling": unit::sampling(report),
        "method": unit::method(report),
        "composition": text::COMPOSITION,
        "rounding_bias_beta": text::ROUNDING_BIAS,
        "direction": text::DIRECTION,
        "tasks": report.tasks,
        "all_tasks": report.all_tasks,
        "claims_hold": report.findings.is_empty(),
        "findings": report.findings,
        "covered": unit::covered(report),
        "not_covered": unit::not_covered(report),
        "assumed": unit::assumed(report),
    })
}
