//! The client's TOML file. Unknown keys are errors; paths are relative to the file.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tacita_learn::csv::{CsvOptions, Scale, Target};
use tacita_learn::defaults::{EmbeddedData, UnknownData};
use tacita_learn::partition::Partition;
use tacita_privacy::{Budget, BudgetFilter, Decimal, PrivacyUnit};
use tacita_protocol::consent::ConsentPolicy;

/// Why a configuration is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not the TOML that is expected; the message names line and key.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why, with the place.
        message: String,
    },
    /// A value is outside its range.
    #[error("{path}: {key}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is expected.
        message: String,
    },
}

/// Who this client is and where it connects.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Me {
    /// Enrolled name.
    pub name: String,
    /// Directory with key, certificate and durable record.
    pub state: PathBuf,
    /// The durable record; several clients of one process may share one file. Unset: `client.sqlite` in the state
    /// directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// Address of the aggregation server, host:port.
    pub server: String,
    /// Name in the server's certificate.
    pub server_name: String,
    /// File with the ledger's verifier key (C2SP vkey); without it the key handed out at enrolment is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_key: Option<PathBuf>,
    /// Seconds between two visits to the authority, for its deny list and a renewal that is due.
    #[serde(default = "minute")]
    pub authority_seconds: NonZeroU16,
}

fn minute() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(59)
}

/// Where the training data lies: `source = "csv"` with path, label, target and its options, or
/// `source = "embedded"` with dataset, part, parts, split and seed (for demonstrations).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// `csv` or `embedded`.
    pub source: String,
    /// The CSV file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Name of the label column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `classification` or `regression`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// All classes of the task; the same list, in the same order, at every participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Feature columns in the order of the model's inputs; unset: every column but the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// Public scale of a column: (value - centre) / scale.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scales: BTreeMap<String, Scale>,
    /// `digits` or `heart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Which part, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
    /// Number of parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
    /// `iid` or `shards`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Seed of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Keep a fifth of the examples out of training and score models on them, where a round has federated metrics; needs five
    /// examples. Otherwise models are scored on what they are trained on.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub hold_out: bool,
}

/// The training data, read.
pub enum DataSource {
    /// A CSV file.
    Csv(PathBuf, CsvOptions),
    /// One part of an embedded data set.
    Embedded {
        /// Which set.
        dataset: EmbeddedData,
        /// Which part, from 0.
        part: usize,
        /// Number of parts.
        parts: usize,
        /// How it is split.
        split: Partition,
        /// Seed of the split.
        seed: u64,
    },
}

impl Data {
    /// The source these keys describe.
    ///
    /// # Errors
    /// The key and what it should be.
    pub fn source(&self) -> Result<DataSource, (&'static str, String)> {
        let missing = |key: &'static str| (key, "is missing".to_owned());
        match self.source.as_str() {
            "csv" => {
                let target = match self.target.as_deref() {
                    Some("regression") => Target::Regression,
                    Some("classification") => {
                        Target::Classification(self.classes.clone().ok_or(missing("data.classes"))?)
                    }
                    _ => return Err(("data.target", "must be classification or regression".into())),
                };
                let options = CsvOptions {
                    label: self.label.clone().ok_or(missing("data.label"))?,
                    target,
                    features: self.features.clone(),
                    scales: self.scales.clone(),
                };
                Ok(DataSource::Csv(
                    self.path.clone().ok_or(missing("data.path"))?,
                    options,
                ))
            }
            "embedded" => {
                let dataset = self.dataset.as_deref().ok_or(missing("data.dataset"))?;
                let split = self.split.as_deref().unwrap_or("iid");
                Ok(DataSource::Embedded {
                    dataset: dataset
                        .parse()
                        .map_err(|e: UnknownData| ("data.dataset", e.to_string()))?,
                    part: self.part.ok_or(missing("data.part"))?,
                    parts: self.parts.ok_or(missing("data.parts"))?,
                    split: split
                        .parse()
                        .map_err(|_| ("data.split", "must be iid or shards".to_owned()))?,
                    seed: self.seed.unwrap_or(0),
                })
            }
            _ => Err(("data.source", "must be csv or embedded".into())),
        }
    }
}

/// The consent policy: what this participant agrees to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Tasks this participant takes part in.
    pub tasks: Vec<String>,
    /// Units of privacy agreed to: `client` (everything that you send) and `record` (one record of yours).
    #[serde(default = "clients_only")]
    pub units: Vec<Unit>,
    /// Smallest minimum number of survivors.
    pub smallest_cohort: u16,
    /// Smallest number of honest survivors m - c.
    pub smallest_honest: u16,
    /// Least number of colluders the round must withstand.
    #[serde(default)]
    pub least_colluders: u16,
    /// Least colluders as thousandths of the cohort.
    #[serde(default)]
    pub least_colluders_per_mille: u16,
    /// Least guaranteed noise in the sum, as a multiple of the clip norm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<Decimal>,
    /// Whether rounds without noise are allowed.
    #[serde(default)]
    pub allow_unprotected: bool,
    /// Largest clip norm.
    pub largest_clip: Decimal,
    /// Whether masks must withstand whoever records them and later computes discrete logarithms.
    #[serde(default = "yes")]
    pub require_post_quantum: bool,
}

fn yes() -> bool {
    true
}

/// A unit of privacy as a file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Everything that one client sends.
    Client,
    /// One record of one client.
    Record,
}

impl From<Unit> for PrivacyUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Client => Self::Client,
            Unit::Record => Self::Record,
        }
    }
}

fn clients_only() -> Vec<Unit> {
    vec![Unit::Client]
}

impl Consent {
    /// The protocol's form.
    #[must_use]
    pub fn policy(&self) -> ConsentPolicy {
        ConsentPolicy {
            tasks: self.tasks.clone(),
            units: self.units.iter().map(|&unit| unit.into()).collect(),
            smallest_cohort: self.smallest_cohort,
            smallest_honest: self.smallest_honest,
            least_colluders: self.least_colluders,
            least_colluders_per_mille: self.least_colluders_per_mille,
            noise_floor: self.noise_floor,
            allow_unprotected: self.allow_unprotected,
            largest_clip: self.largest_clip,
            require_post_quantum: self.require_post_quantum,
        }
    }
}

/// The participant's own budget caps.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Cap for each task over its whole life.
    pub task: Budget,
    /// Cap for each task and day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Budget>,
    /// Cap for all tasks together, over their whole lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Budget>,
}

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// `[client]`
    pub client: Me,
    /// `[data]`
    pub data: Data,
    /// `[consent]`
    pub consent: Consent,
    /// `[budget]`; without it only rounds without noise can be joined, if the policy allows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Caps>,
}

impl ClientConfig {
    /// Reads and checks a file; relative paths are resolved against its folder.
    ///
    /// # Errors
    /// [`ConfigError`] naming file, key and line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|e| ConfigError::Parse {
            path: path.to_owned(),
            message: e.to_string().trim_end().replace('\n', " "),
        })?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        config.client.state = base.join(&config.client.state);
        if let Some(store) = &mut config.client.store {
            *store = base.join(&*store);
        }
        if let Some(key) = &mut config.client.ledger_key {
            *key = base.join(&*key);
        }
        if let Some(path) = &mut config.data.path {
            *path = base.join(&*path);
        }
        config.check(path)?;
        Ok(config)
    }

    /// Where the durable record lies.
    #[must_use]
    pub fn store_path(&self) -> PathBuf {
        self.client
            .store
            .clone()
            .unwrap_or_else(|| self.client.state.join("client.sqlite"))
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key, message: &str| {
            Err(ConfigError::Value {
                path: path.to_owned(),
                key,
                message: message.to_owned(),
            })
        };
        if let Err((key, message)) = self.data.source() {
            return wrong(key, &message);
        }
        if self.consent.tasks.is_empty() {
            return wrong("consent.tasks", "list at least one task");
        }
        if self.consent.units.is_empty() {
            return wrong("consent.units", "list client, record or both");
        }
        if self.consent.smallest_cohort < 2 {
            return wrong("consent.smallest_cohort", "a sum over fewer than 2 hides nothing");
        }
        let caps = self.budget.iter();
        let caps = caps.flat_map(|caps| {
            [
                ("budget.task", Some(caps.task)),
                ("budget.day", caps.day),
                ("budget.total", caps.total),
            ]
        });
        for (key, cap) in caps {
            if let Some(Err(refusal)) = cap.map(BudgetFilter::new) {
                return wrong(key, &refusal.to_string());
            }
        }
        if self.budget.is_none() && !self.consent.allow_unprotected {
            return wrong(
                "budget",
                "state a budget, or allow unprotected rounds in [consent]",
            );
        }
        Ok(())
    }

    /// A commented starting point for `tacita client init`.
    #[must_use]
    pub fn template() -> &'static str {
        include_str!("client.example.toml")
    }

    /// The same for `tacita client init --unit record`.
    #[must_use]
    pub fn record_template() -> &'static str {
        include_str!("client.records.example.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_parses_and_unknown_keys_do_not() {
        let parsed: ClientConfig = toml::from_str(ClientConfig::template()).unwrap();
        assert_eq!(parsed.consent.smallest_cohort, 3);
        let typo = ClientConfig::template().replace("smallest_cohort", "smalest_cohort");
        let error = toml::from_str::<ClientConfig>(&typo).unwrap_err().to_string();
        assert!(error.contains("smalest_cohort"), "{error}");
    }

    /// Failure: a file that names no unit agrees to more than the client unit, or the example of the record unit to another.
    #[test]
    fn only_the_client_unit_is_agreed_to_by_silence() {
        let silent = ClientConfig::template().replace("units", "# units");
        let parsed: ClientConfig = toml::from_str(&silent).unwrap();
        assert_eq!(parsed.consent.policy().units, [PrivacyUnit::Client]);
        let records: ClientConfig = toml::from_str(ClientConfig::record_template()).unwrap();
        assert_eq!(records.consent.policy().units, [PrivacyUnit::Record]);
        assert!(records.check(Path::new("client.toml")).is_ok());
        let nothing = ClientConfig::record_template().replace("[\"record\"]", "[]");
        let parsed: ClientConfig = toml::from_str(&nothing).unwrap();
        assert!(parsed.check(Path::new("client.toml")).is_err());
    }
}
