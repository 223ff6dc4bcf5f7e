//! From arguments to configurations: the same files that an operator and participants would write.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use tacita_client::config::{Caps, ClientConfig, Consent, Data, Me, Unit as ClientUnit};
use tacita_learn::{Defaults, EmbeddedData};
use tacita_privacy::{Budget, ClipRule, Decimal, RecordTerms};
use tacita_server::Unit as ServerUnit;
use tacita_server::config::{
    Agreement, CohortSection, DeadlineSection, EvaluationSection, Me as ServerMe, PrivacySection,
    ServerConfig, TaskSection, TrainingSection,
};
use tacita_server::{AdaptiveClipSection, MetricsSection};

use super::{Dataset, DemoArgs, KeyAgreement, records};
use crate::output::{refused, usage};

/// Thousandths of n that survive at least, without drop-outs asked for.
const KEPT: u64 = 950_000;
/// Seconds that a phase may take, whatever the work.
const LEAST_PATIENCE: u64 = 120;
/// A day, the protocol's limit.
const MOST_PATIENCE: u32 = 24 * 3600;
/// Values, masked for one neighbour each, that all clients of one machine get done in a second, at the slowest.
const MASKED_A_SECOND: u64 = 1_000_000_000;
/// Neighbours that training, upload and the largest graph of this many clients cost together.
const USUAL_NEIGHBOURS: u64 = 400;
/// Seconds between two visits to the authority.
const VISITS: NonZeroU16 = NonZeroU16::MIN.saturating_add(59);

/// What a demonstration runs.
pub(crate) struct Plan {
    pub(crate) args: DemoArgs,
    pub(crate) out: PathBuf,
    pub(crate) clients: u16,
    pub(crate) rounds: u32,
    pub(crate) colluders: u16,
    pub(crate) key_agreement: Agreement,
    pub(crate) minimum_survivors: u16,
    /// Clients that vanish in each round.
    pub(crate) vanishing: u16,
    pub(crate) defaults: Defaults,
    /// In the record unit.
    pub(crate) records: Option<RecordTerms>,
    model: String,
}

impl Plan {
    pub(crate) fn new(args: &DemoArgs) -> anyhow::Result<Self> {
        let data = match args.dataset {
            Dataset::Digits => EmbeddedData::Digits,
            Dataset::Heart => EmbeddedData::Heart,
        };
        let defaults = Defaults::for_model(data, &args.model).map_err(|e| usage(format!("--model: {e}")))?;
        let (usual_clients, usual_rounds) = match args.dataset {
            Dataset::Digits => (50, 15),
            Dataset::Heart => (4, defaults.rounds),
        };
        let clients = args.clients.unwrap_or(usual_clients);
        if args.dataset == Dataset::Heart && clients != 4 {
            return Err(usage(
                "--clients: the heart data has four hospitals, one client each",
            ));
        }
        let n = u64::from(clients);
        // c = floor(0.05 n), and at least 1 from n = 4 on.
        let usual_colluders = (n * 5 / 100).max(u64::from(n >= 4));
        let colluders = args.colluders.map_or(usual_colluders, u64::from);
        if colluders >= n {
            return Err(usage("--colluders: must be fewer than the clients"));
        }
        // Exact millionths of the drop-out fraction.
        let drop = millionths(args.drop)
            .filter(|d| *d < KEPT)
            .ok_or_else(|| usage("--drop: from 0 to below 0.95"))?;
        let quorum = (n + colluders) / 2 + 1;
        let usual_survivors = ((KEPT - drop) * n / 1_000_000).max(quorum);
        let minimum_survivors = args.minimum_survivors.map_or(usual_survivors, u64::from);
        if minimum_survivors < quorum {
            return Err(usage(format!(
                "--minimum-survivors: at least the quorum of {quorum}"
            )));
        }
        if minimum_survivors > n {
            return Err(usage(format!(
                "{n} clients with {colluders} colluders cannot form a quorum"
            )));
        }
        let vanishing = drop * n / 1_000_000;
        if vanishing > n - minimum_survivors {
            return Err(refused(format!(
                "--drop: {vanishing} of {n} clients would vanish, but with a quorum of {quorum} a round of at least \
                 {minimum_survivors} survivors tolerates only {}",
                n - minimum_survivors
            )));
        }
        let records = records::of(args, data, clients)?;
        let defaults = match records {
            None => defaults,
            Some(_) => defaults.by_record(data),
        };
        let model = defaults.spec.to_string();
        let narrow = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
        let plan = Self {
            out: out_dir(args.out.as_deref())?,
            args: args.clone(),
            clients,
            rounds: args.rounds.unwrap_or(usual_rounds),
            colluders: narrow(colluders),
            key_agreement: match args.key_agreement {
                KeyAgreement::Hybrid => Agreement::Hybrid,
                KeyAgreement::X25519 => Agreement::X25519,
            },
            minimum_survivors: narrow(minimum_survivors),
            vanishing: narrow(vanishing),
            defaults,
            records,
            model,
        };
        // What no server would take is refused before anything is written.
        plan.server_config()?
            .check(Path::new("these arguments"))
            .map_err(usage)?;
        Ok(plan)
    }

    /// Values of a vector, and the norm that it is clipped to.
    pub(crate) fn vector(&self) -> anyhow::Result<(usize, f64)> {
        let checked = self
            .server_config()?
            .check(Path::new("these arguments"))
            .map_err(usage)?;
        let encoding = checked.plan.encoding();
        Ok((checked.instructions.model.parameters(), encoding.clip().to_f64()))
    }

    /// How far one client of clip norm moves the model in so many rounds of `survivors`, and the standard deviation of the noise in each of the
    /// model's values after them.
    pub(crate) fn steps(&self, rounds: usize, survivors: u16) -> anyhow::Result<(f64, f64)> {
        let checked = self
            .server_config()?
            .check(Path::new("these arguments"))
            .map_err(usage)?;
        let encoding = checked.plan.encoding();
        let rate = f64::from(self.defaults.server_learning_rate) / f64::from(survivors);
        let noise = checked
            .plan
            .noise_share()
            .standard_deviation(survivors.into(), encoding);
        let rounds = rounds as f64;
        Ok((
            rate * rounds * encoding.clip().to_f64(),
            rate * rounds.sqrt() * noise,
        ))
    }

    pub(crate) fn task(&self) -> String {
        format!("demo-{}", self.args.dataset.name())
    }

    pub(crate) fn client_name(index: u16) -> String {
        format!("client-{index:04}")
    }

    pub(crate) fn server_config_path(&self) -> PathBuf {
        self.out.join("server.toml")
    }

    pub(crate) fn client_config_path(&self, index: u16) -> PathBuf {
        self.out
            .join("clients")
            .join(format!("{}.toml", Self::client_name(index)))
    }

    /// Seconds before a phase is given up: all parties share one machine, so the work of a phase grows with clients times values.
    fn patience(&self) -> u32 {
        let values = self.defaults.spec.parameters() as u64;
        let masked = values * u64::from(self.clients) * USUAL_NEIGHBOURS.min(self.clients.into());
        let seconds = (LEAST_PATIENCE + masked / MASKED_A_SECOND).min(u64::from(MOST_PATIENCE));
        u32::try_from(seconds).unwrap_or(MOST_PATIENCE)
    }

    fn budget(&self) -> Option<Budget> {
        self.args.epsilon.0.map(|epsilon| Budget {
            epsilon,
            delta: self.args.delta,
        })
    }

    fn clip(&self) -> anyhow::Result<Decimal> {
        self.args.clip.map_or_else(|| float(self.defaults.clip_norm), Ok)
    }

    /// A fifth of the clip norm: 2 % more noise in everything else. The losses of a model that knows nothing are ln 10 and ln 2.
    fn metrics(&self) -> anyhow::Result<MetricsSection> {
        let loss_cap = match self.args.dataset {
            Dataset::Digits => Decimal::new(4, 0)?,
            Dataset::Heart => Decimal::new(2, 0)?,
        };
        let scale = Decimal::new(2, 1)?;
        Ok(MetricsSection { scale, loss_cap })
    }

    /// The joint clip norm of the longest updates that the task may ever let through: what its participants consent to.
    fn largest_clip(&self) -> anyhow::Result<Decimal> {
        let beside = self
            .server_config()?
            .check(Path::new("these arguments"))
            .map_err(usage)?
            .beside;
        let clip = beside
            .rule()
            .map(ClipRule::largest)
            .map_or_else(|| self.clip(), Ok)?;
        let terms = beside.terms(clip).map_err(usage)?;
        Ok(terms.map_or(clip, |terms| terms.clip()))
    }

    /// The operator's file; paths are relative to the output directory.
    pub(crate) fn server_config(&self) -> anyhow::Result<ServerConfig> {
        let defaults = &self.defaults;
        let budget = self.budget();
        let patience = self.patience();
        Ok(ServerConfig {
            server: ServerMe {
                name: "aggregator".into(),
                listen: "127.0.0.1:0".into(),
                state: "server".into(),
                ledger: "ledger".into(),
                origin: "localhost/tacita-demo".into(),
                uploads_in_flight: 32,
                loopback: true,
                authority_seconds: VISITS,
            },
            task: TaskSection {
                name: self.task(),
                rounds: self.rounds,
                attempts: 3,
            },
            cohort: CohortSection {
                clients: self.clients,
                minimum_survivors: self.minimum_survivors,
                colluders: self.colluders,
                wait_seconds: 60,
                key_agreement: self.key_agreement,
            },
            privacy: PrivacySection {
                epsilon: budget.map(|b| b.epsilon),
                delta: budget.map(|b| b.delta),
                mechanism: self.args.mechanism.mechanism(),
                clip: self.clip()?,
                unit: match self.records {
                    None => ServerUnit::Client,
                    Some(_) => ServerUnit::Record,
                },
                sampling: self.records.map(|records| records.sampling()),
                largest_records: self.records.map(|records| records.largest()),
                expected_records: self.records.map(|records| records.expected()),
                block: None,
                noise_levels: self.args.noise_levels.0.clone(),
                weighting: None,
                metrics: self.args.metrics.then(|| self.metrics()).transpose()?,
                adaptive_clip: self.args.adaptive_clip.then(adaptive_clip).transpose()?,
            },
            training: TrainingSection {
                model: self.model.clone(),
                seed: self.args.seed,
                algorithm: defaults.train.algorithm,
                epochs: defaults.train.epochs,
                batch: defaults.train.batch,
                learning_rate: float(defaults.train.learning_rate)?,
                gradient_clip: defaults.train.gradient_clip.map(float).transpose()?,
                server_learning_rate: float(defaults.server_learning_rate)?,
            },
            evaluation: EvaluationSection {
                dataset: Some(self.args.dataset.name().into()),
                ..EvaluationSection::default()
            },
            deadlines: DeadlineSection {
                advertise: patience,
                share: patience,
                upload: patience,
                agree: patience,
                reveal: patience,
            },
        })
    }

    /// A participant's file, with a consent policy that admits exactly what was promised to it.
    pub(crate) fn client_config(&self, index: u16, server: &str) -> anyhow::Result<ClientConfig> {
        let budget = self.budget();
        Ok(ClientConfig {
            client: Me {
                name: Self::client_name(index),
                state: Self::client_name(index).into(),
                // One file for all clients of one process, so that their commits group.
                store: (!self.args.processes).then(|| "../clients.sqlite".into()),
                server: server.to_owned(),
                server_name: "aggregator".into(),
                ledger_key: Some("../ledger.vkey".into()),
                authority_seconds: VISITS,
            },
            data: Data {
                source: "embedded".into(),
                dataset: Some(self.args.dataset.name().into()),
                part: Some(usize::from(index)),
                parts: Some(usize::from(self.clients)),
                split: Some(self.args.split.name().into()),
                seed: Some(self.args.seed),
                ..Data::default()
            },
            consent: Consent {
                tasks: vec![self.task()],
                units: vec![match self.records {
                    None => ClientUnit::Client,
                    Some(_) => ClientUnit::Record,
                }],
                smallest_cohort: self.minimum_survivors,
                smallest_honest: self.minimum_survivors.saturating_sub(self.colluders),
                least_colluders: self.colluders,
                least_colluders_per_mille: 0,
                noise_floor: budget.map(|_| Decimal::new(1, 1)).transpose()?,
                allow_unprotected: budget.is_none(),
                largest_clip: self.largest_clip()?,
                require_post_quantum: self.key_agreement == Agreement::Hybrid,
            },
            budget: budget.map(|task| Caps {
                task,
                day: None,
                total: None,
            }),
        })
    }
}

/// Half of the updates within the clip norm; steps for some tens of rounds; bounds far from any clip norm that makes sense.
fn adaptive_clip() -> anyhow::Result<AdaptiveClipSection> {
    Ok(AdaptiveClipSection {
        quantile: Decimal::new(5, 1)?,
        rate: Decimal::ONE,
        least: Decimal::new(1, 3)?,
        largest: Decimal::new(100, 0)?,
        count_scale: None,
    })
}

/// A setting as an exact decimal.
fn float(value: f32) -> anyhow::Result<Decimal> {
    Ok(format!("{value}").parse()?)
}

/// The value in millionths, rounded down; `None` beyond what fits.
fn millionths(value: Decimal) -> Option<u64> {
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(digits.parse().ok()?)
}

/// The directory asked for, which must be new, or the first free `tacita-demo`, `tacita-demo-2`, ...
fn out_dir(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    match asked {
        Some(path) if path.exists() => Err(refused(format!(
            "--out: {} exists; nothing is overwritten",
            path.display()
        ))),
        Some(path) => Ok(path.to_owned()),
        None => (1u32..)
            .map(|i| {
                PathBuf::from(if i == 1 {
                    "tacita-demo".into()
                } else {
                    format!("tacita-demo-{i}")
                })
            })
            .find(|path| !path.exists())
            .ok_or_else(|| refused("no free name for the output directory")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DemoArgs,
    }

    fn plan(words: &str) -> anyhow::Result<Plan> {
        let dir = tempfile::tempdir()?;
        let out = dir.path().join("out").display().to_string();
        let words = ["demo", "--out", &out]
            .into_iter()
            .chain(words.split_whitespace());
        Plan::new(&Line::try_parse_from(words)?.args)
    }

    #[test]
    fn defaults_follow_the_rule_of_the_golden_values() {
        for (words, expected) in [
            ("--clients 500", (25, 475, 0)),
            ("--clients 500 --drop 0.2", (25, 375, 100)),
            ("--clients 4", (1, 3, 0)),
            ("--clients 3", (0, 2, 0)),
            ("--clients 100 --drop 0.3", (5, 65, 30)),
            ("--dataset heart", (1, 3, 0)),
        ] {
            let plan = plan(words).unwrap();
            assert_eq!(
                (plan.colluders, plan.minimum_survivors, plan.vanishing),
                expected,
                "{words}"
            );
        }
    }

    #[test]
    fn more_drop_outs_than_the_quorum_tolerates_are_refused() {
        assert!(plan("--clients 100 --drop 0.5").is_err());
        assert!(plan("--clients 4 --drop 0.5").is_err());
        assert!(plan("--drop 0.95").is_err());
        assert!(plan("--dataset heart --clients 5").is_err());
    }
}
