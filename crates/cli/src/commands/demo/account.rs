//! What a run leaves: `report.json`, `model.safetensors`, and a page of text.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context as _;
use serde::Serialize;
use tacita_learn::baselines::baselines;
use tacita_learn::{HeldOut, heart};
use tacita_ledger::note::VerifierKey;

use super::Dataset;
use super::plan::Plan;
use super::town::Town;
use crate::report;

#[derive(Serialize)]
pub(crate) struct Vector {
    dimension: u32,
    padded: u32,
    bits: u8,
}

#[derive(Serialize)]
pub(crate) struct Graph {
    kind: &'static str,
    neighbours: u32,
    threshold: u32,
    quorum: u32,
}

#[derive(Serialize)]
pub(crate) struct Privacy {
    unit: &'static str,
    adjacency: &'static str,
    sampling: Option<f64>,
    largest_records: Option<u32>,
    expected_records: Option<u32>,
    mechanism: &'static str,
    delta: Option<f64>,
    epsilon_public: Option<f64>,
    epsilon_server: Option<f64>,
    colluders: u16,
    noise_multiplier: f64,
    minimum_survivors: u16,
    noise_levels: Vec<u32>,
    share_variance_q16: u64,
}

#[derive(Serialize)]
pub(crate) struct Round {
    round: u32,
    cohort: u16,
    survivors: u16,
    accuracy: Option<f64>,
    loss: Option<f64>,
    /// Of the members' own data, under noise: accuracy, loss and the standard error of the accuracy, of the model that the round started from.
    federated_accuracy: Option<f64>,
    federated_loss: Option<f64>,
    federated_error: Option<f64>,
    /// Clip norm of updates, and the noisy share within it.
    clip: f64,
    within_clip: Option<f64>,
    epsilon_public: Option<f64>,
    epsilon_server: Option<f64>,
    /// `None` where surplus noise was taken off: plain addition has nothing to compare it with.
    exact_sum: Option<bool>,
    surplus_removed: usize,
    noise_variance_q16: String,
    seconds: f64,
    phase_seconds: BTreeMap<&'static str, f64>,
    upload_bytes_per_client: u64,
}

#[derive(Serialize)]
pub(crate) struct Final {
    accuracy: Option<f64>,
    loss: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Baselines {
    pooled: Option<f64>,
    local: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Ledger {
    entries: usize,
    verified: bool,
    /// Recomputed from the ledger alone.
    epsilon_server: Option<f64>,
    epsilon_public: Option<f64>,
}

#[derive(Serialize)]
pub(crate) struct Durable {
    /// Durable transactions of the clients' store.
    transactions: u64,
    /// Batches grouped into them.
    batches: u64,
    batches_per_round_and_client: f64,
}

/// The whole of `report.json`.
#[derive(Serialize)]
pub(crate) struct DemoReport {
    dataset: &'static str,
    split: &'static str,
    model: String,
    clients: u16,
    seed: u64,
    rounds_planned: u32,
    rounds_completed: usize,
    failed_attempts: Vec<String>,
    parameters: usize,
    vector: Vector,
    graph: Graph,
    privacy: Privacy,
    rounds: Vec<Round>,
    #[serde(rename = "final")]
    last: Final,
    #[serde(skip_serializing_if = "Option::is_none")]
    baselines: Option<Baselines>,
    ledger: Ledger,
    #[serde(skip_serializing_if = "Option::is_none")]
    clients_store: Option<Durable>,
    enrolment_seconds: f64,
    wall_seconds: f64,
    peak_rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_peak_rss_bytes: Option<u64>,
}

impl DemoReport {
    pub(crate) fn all_sums_exact(&self) -> bool {
        self.rounds.iter().all(|round| round.exact_sum != Some(false))
    }
}

/// Writes report, model copy and figures.
pub(crate) fn write(plan: &Plan, town: &Town, started: Instant) -> anyhow::Result<DemoReport> {
    let checked = town.server.check(&plan.server_config_path())?;
    let last = town.rounds.last().context("no round was completed")?;
    let model = town
        .server
        .server
        .state
        .join("models")
        .join(format!("{}.safetensors", last.report.model_digest));
    std::fs::copy(&model, plan.out.join("model.safetensors")).with_context(|| model.display().to_string())?;

    let number = |d: Option<tacita_privacy::Decimal>| d.map(tacita_privacy::Decimal::to_f64);
    let noisy = |text: &Option<String>| text.as_ref().and_then(|text| text.parse().ok());
    let privacy = &town.server.privacy;
    let (encoding, parameters) = (checked.plan.encoding(), &checked.parameters);
    let rounds: Vec<Round> = town
        .rounds
        .iter()
        .map(|seen| Round {
            round: seen.report.round,
            cohort: seen.report.cohort,
            survivors: seen.report.survivors,
            accuracy: seen.report.accuracy,
            loss: seen.report.loss,
            federated_accuracy: noisy(&seen.report.figures.0.accuracy),
            federated_loss: noisy(&seen.report.figures.0.loss),
            federated_error: noisy(&seen.report.figures.0.error),
            clip: seen.report.figures.1.to_f64(),
            within_clip: noisy(&seen.report.figures.0.within_clip),
            epsilon_public: number(seen.report.epsilon_public),
            epsilon_server: number(seen.report.epsilon_server),
            exact_sum: seen.exact,
            surplus_removed: seen.report.noise.0,
            noise_variance_q16: seen.report.noise.1.to_string(),
            seconds: seen.report.seconds,
            phase_seconds: seen.report.phases.iter().copied().collect(),
            upload_bytes_per_client: seen.report.upload_bytes,
        })
        .collect();
    let report = DemoReport {
        dataset: plan.args.dataset.name(),
        split: if plan.args.dataset == Dataset::Heart {
            "hospital"
        } else {
            plan.args.split.name()
        },
        model: checked.instructions.model.to_string(),
        clients: plan.clients,
        seed: plan.args.seed,
        rounds_planned: plan.rounds,
        rounds_completed: rounds.len(),
        failed_attempts: town.failed.clone(),
        parameters: checked.instructions.model.parameters(),
        vector: Vector {
            dimension: encoding.dimension(),
            padded: encoding.padded(),
            bits: encoding.bits().get(),
        },
        graph: Graph {
            kind: if parameters.neighbours + 1 == u32::from(plan.clients) {
                "complete"
            } else {
                "ring"
            },
            neighbours: parameters.neighbours,
            threshold: parameters.threshold,
            quorum: parameters.quorum,
        },
        privacy: Privacy {
            unit: plan.records.map_or("client", |_| "record"),
            adjacency: plan.records.map_or("zero-out", |_| "add-remove"),
            sampling: plan.records.map(|records| records.sampling().to_f64()),
            largest_records: plan.records.map(|records| records.largest()),
            expected_records: plan.records.map(|records| records.expected()),
            mechanism: if privacy.epsilon.is_some() {
                plan.args.mechanism.name()
            } else {
                "none"
            },
            delta: number(privacy.delta),
            epsilon_public: number(last.report.epsilon_public),
            epsilon_server: number(last.report.epsilon_server),
            colluders: plan.colluders,
            noise_multiplier: checked.plan.noise_multiplier(),
            minimum_survivors: plan.minimum_survivors,
            noise_levels: checked.plan.request().noise_levels.clone(),
            share_variance_q16: checked.plan.noise_share().variance_q16(),
        },
        last: Final {
            accuracy: last.report.accuracy,
            loss: last.report.loss,
        },
        rounds,
        baselines: heart_baselines(plan)?,
        ledger: recomputed(plan)?,
        clients_store: town.stats.map(|stats| Durable {
            transactions: stats.transactions,
            batches: stats.batches,
            batches_per_round_and_client: stats.batches as f64
                / (f64::from(plan.clients) * town.rounds.len().max(1) as f64),
        }),
        enrolment_seconds: town.enrolment_seconds,
        wall_seconds: started.elapsed().as_secs_f64(),
        peak_rss_bytes: peak_rss(),
        server_peak_rss_bytes: town.server_peak,
    };
    let path = plan.out.join("report.json");
    std::fs::write(&path, serde_json::to_string_pretty(&report)?)
        .with_context(|| path.display().to_string())?;
    Ok(report)
}

/// The ledger as an auditor sees it: verified with the pinned key, epsilon recomputed from the entries alone.
fn recomputed(plan: &Plan) -> anyhow::Result<Ledger> {
    let vkey = std::fs::read_to_string(plan.out.join("ledger.vkey"))?;
    let key = VerifierKey::parse(vkey.trim())?;
    let verified = tacita_ledger::verify(
        &tacita_server::Directory::new(&plan.out.join("ledger")),
        Some(&key),
    )?;
    let report = report::recompute(&verified.entries)?;
    let task = report.tasks.first().context("the ledger holds no task")?;
    let number = |d: Option<tacita_privacy::Decimal>| d.map(tacita_privacy::Decimal::to_f64);
    Ok(Ledger {
        entries: verified.entries.len(),
        verified: verified.origin_checked && report.findings.is_empty(),
        epsilon_server: number(task.spent.epsilon_server),
        epsilon_public: number(task.spent.epsilon_public),
    })
}

fn heart_baselines(plan: &Plan) -> anyhow::Result<Option<Baselines>> {
    if plan.args.dataset != Dataset::Heart {
        return Ok(None);
    }
    let sites: Vec<HeldOut> = heart::load()?
        .into_iter()
        .map(|site| site.hold_out_fifth())
        .collect::<Result<_, _>>()?;
    let train = &plan.defaults.train;
    let steps = plan.rounds.saturating_mul(train.epochs);
    let figures = baselines(plan.defaults.spec, &sites, train, steps, plan.args.seed)?;
    Ok(Some(Baselines {
        pooled: figures.pooled.score(),
        local: figures.local_accuracy(),
    }))
}

/// The most memory this process held, from the kernel's account.
pub(crate) fn peak_rss() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// The result for people.
pub(crate) fn text(plan: &Plan, report: &DemoReport) -> String {
    let show = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |v| format!("{v:.4}"));
    let privacy = &report.privacy;
    let mut lines = vec![
        format!(
            "{} of {} rounds, {} clients, {} {}",
            report.rounds_completed, report.rounds_planned, report.clients, report.dataset, report.split
        ),
        format!(
            "accuracy {} and loss {} on held-out data",
            show(report.last.accuracy),
            show(report.last.loss)
        ),
    ];
    if let Some(federated) = federated(report) {
        lines.push(federated);
    }
    if let Some(baselines) = &report.baselines {
        lines.push(format!(
            "  federated {}   pooled {}   local only {}",
            show(report.last.accuracy),
            show(baselines.pooled),
            show(baselines.local)
        ));
    }
    lines.push(match privacy.epsilon_server {
        None => {
            "no noise was added: the sum hides single updates, and promises nothing beyond that".to_owned()
        }
        Some(epsilon) => format!(
            "epsilon {epsilon:.4} of one {} against the server with {} colluders, {} against everybody else, delta {}",
            privacy.unit,
            privacy.colluders,
            show(privacy.epsilon_public),
            privacy.delta.unwrap_or_default()
        ),
    });
    if privacy.epsilon_server.is_some() {
        lines.push(curve(report));
    }
    lines.push(format!(
        "every sum{} equals plain addition: {}; ledger: {} entries, {}",
        if report.rounds.iter().any(|round| round.exact_sum.is_none()) {
            " without noise taken off"
        } else {
            ""
        },
        if report.all_sums_exact() { "yes" } else { "NO" },
        report.ledger.entries,
        if report.ledger.verified {
            "verified, epsilon recomputed"
        } else {
            "NOT VERIFIED"
        }
    ));
    lines.push(format!(
        "{:.1} s in all, {:.1} s of it enrolment; report, ledger, model and configurations in {}",
        report.wall_seconds,
        report.enrolment_seconds,
        plan.out.display()
    ));
    lines.push(format!(
        "check it yourself: tacita ledger verify {0}/ledger --key {0}/ledger.vkey",
        plan.out.display()
    ));
    lines.join("\n")
}

/// What members reported in the last round.
fn federated(report: &DemoReport) -> Option<String> {
    let round = report.rounds.last()?;
    let mut parts = Vec::new();
    if let (Some(accuracy), Some(loss), Some(error)) = (
        round.federated_accuracy,
        round.federated_loss,
        round.federated_error,
    ) {
        parts.push(format!(
            "members' own data, under noise, before the last step: accuracy {accuracy:.3} (standard error {error:.3}), loss {loss:.3}"
        ));
    }
    if round.within_clip.is_some() {
        let first = report.rounds.first().map_or(round.clip, |first| first.clip);
        parts.push(format!(
            "clip norm {first:.4} at first, {:.4} in the last round",
            round.clip
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Accuracy against epsilon spent, round by round, as bars.
fn curve(report: &DemoReport) -> String {
    const WIDTH: f64 = 40.0;
    let mut lines = vec!["accuracy against epsilon spent:".to_owned()];
    let step = report.rounds.len().div_ceil(12).max(1);
    let last = report.rounds.len().saturating_sub(1);
    for (index, round) in report.rounds.iter().enumerate() {
        if index % step != 0 && index != last {
            continue;
        }
        let (Some(accuracy), Some(epsilon)) = (round.accuracy, round.epsilon_server) else {
            continue;
        };
        let bar = "#".repeat((accuracy.clamp(0.0, 1.0) * WIDTH).round() as usize);
        lines.push(format!("  epsilon {epsilon:>7.3}  {bar:<40}  {accuracy:.4}"));
    }
    lines.join("\n")
}
