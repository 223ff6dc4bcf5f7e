//! The server's TOML file. Unknown keys are errors; paths are relative to the file.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tacita_learn::csv::CsvOptions;
use tacita_learn::{Algorithm, EmbeddedData, Instructions, ModelSpec};
use tacita_privacy::{Decimal, Mechanism, Plan, PlanError, PlanRequest};
use tacita_protocol::graph::{ParameterError, RoundParameters};
use tacita_protocol::manifest::Deadlines;
use tacita_transport::Limits;

use crate::beside::{AdaptiveClipSection, Beside, MetricsSection};
pub use crate::cohort::{Agreement, CohortSection};
use crate::levels::NoiseLevelsSetting;
use crate::unit::{self, Unit};

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
    /// The cohort cannot carry a graph.
    #[error("{path}: [cohort]: {source}")]
    Cohort {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ParameterError,
    },
    /// The privacy target cannot be met.
    #[error("{path}: [privacy]: {source}")]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<PlanError>,
    },
}

/// Who the server is and where it listens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Me {
    /// Enrolled name.
    pub name: String,
    /// UDP address to listen on.
    pub listen: String,
    /// Directory with key, certificate, database and models.
    pub state: PathBuf,
    /// The ledger's directory, which holds nothing else.
    pub ledger: PathBuf,
    /// The ledger's origin: its public name, such as `example.org/tacita`.
    pub origin: String,
    /// Uploads that may be in flight at once; others wait. Twice as many may lie on the disk of the state directory.
    #[serde(default = "uploads_in_flight")]
    pub uploads_in_flight: u16,
    /// For demonstrations on one machine: limits that let hundreds of clients share one address.
    #[serde(default)]
    pub loopback: bool,
    /// Seconds between two visits to the authority, for its deny list and a renewal that is due.
    #[serde(default = "ten")]
    pub authority_seconds: NonZeroU16,
}

fn ten() -> NonZeroU16 {
    NonZeroU16::MIN.saturating_add(9)
}

/// Uploads in flight where the configuration names no number.
const UPLOADS_IN_FLIGHT: u16 = 32;

fn uploads_in_flight() -> u16 {
    UPLOADS_IN_FLIGHT
}

/// The task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSection {
    /// Name, `[a-z0-9-]`.
    pub name: String,
    /// Rounds.
    pub rounds: u32,
    /// Attempts at a round before the task stops.
    #[serde(default = "attempts")]
    pub attempts: u32,
}

/// Attempts at a round where the configuration names no number.
const ATTEMPTS: u32 = 3;

fn attempts() -> u32 {
    ATTEMPTS
}

/// The privacy target.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacySection {
    /// Epsilon over all rounds against the server with its colluders; absent: no noise, no promise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<Decimal>,
    /// Delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Decimal>,
    /// The law of the noise.
    #[serde(default = "skellam")]
    pub mechanism: Mechanism,
    /// Clip norm of an update; in the record unit, of each record's own vector.
    pub clip: Decimal,
    /// Whose data epsilon is about.
    #[serde(default)]
    pub unit: Unit,
    /// q, in the record unit: the probability with which each client samples each of its records, by coins that it keeps to itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Decimal>,
    /// In the record unit: records of one client and round that the ring has room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_records: Option<u32>,
    /// In the record unit: what the sum of a whole cohort is divided by, about q times all records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_records: Option<u32>,
    /// Values that are rotated together, a power of two; absent: chosen so that padding is small.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u32>,
    /// Levels of drop-outs at which noise is taken off the sum again; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_levels: Option<NoiseLevelsSetting>,
    /// Count clients by their examples; absent: all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weighting: Option<WeightingSection>,
    /// Federated metrics; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsSection>,
    /// Adaptive clipping; absent: `clip` stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive_clip: Option<AdaptiveClipSection>,
}

fn skellam() -> Mechanism {
    Mechanism::Skellam
}

/// Example weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightingSection {
    /// W: more examples than this count no more.
    pub cap: u32,
    /// a: scale of the weight coordinate.
    pub scale: Decimal,
}

/// Model and training.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSection {
    /// Such as `softmax 64 10`, `linear 5`, `mlp 64 32 10`.
    pub model: String,
    /// Seed of the initial model.
    #[serde(default)]
    pub seed: u64,
    /// `fed-avg` or `fed-sgd`.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Local epochs.
    pub epochs: u32,
    /// Batch size, 0 for all.
    #[serde(default)]
    pub batch: u32,
    /// Local step size.
    pub learning_rate: Decimal,
    /// Gradient clip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clip: Option<Decimal>,
    /// Factor of the mean delta.
    #[serde(default = "one")]
    pub server_learning_rate: Decimal,
}

fn one() -> Decimal {
    // Cannot fail: 1 is a decimal. The default, zero, would be refused by `check`.
    Decimal::new(1, 0).unwrap_or(Decimal::ZERO)
}

/// Held-out data on which the server scores the global model.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationSection {
    /// An embedded data set, whose held-out fifth is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// A CSV file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
}

/// Phase deadlines in seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeadlineSection {
    /// Advertise.
    pub advertise: u32,
    /// Share.
    pub share: u32,
    /// Upload, the rest of training included.
    pub upload: u32,
    /// Agree.
    pub agree: u32,
    /// Reveal.
    pub reveal: u32,
}

impl Default for DeadlineSection {
    fn default() -> Self {
        Self {
            advertise: 60,
            share: 60,
            upload: 300,
            agree: 60,
            reveal: 60,
        }
    }
}

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// `[server]`
    pub server: Me,
    /// `[task]`
    pub task: TaskSection,
    /// `[cohort]`
    pub cohort: CohortSection,
    /// `[privacy]`
    pub privacy: PrivacySection,
    /// `[training]`
    pub training: TrainingSection,
    /// `[evaluation]`
    #[serde(default)]
    pub evaluation: EvaluationSection,
    /// `[deadlines]`
    #[serde(default)]
    pub deadlines: DeadlineSection,
}

/// What a configuration means once everything was derived and proven.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Graph, k, t and Q.
    pub parameters: RoundParameters,
    /// Encoding, noise and headroom.
    pub plan: Plan,
    /// Model and training.
    pub instructions: Instructions,
    /// What travels beside an update.
    pub beside: Beside,
    /// Phase deadlines.
    pub deadlines: Deadlines,
    /// Which embedded data set the model is scored on.
    pub embedded: Option<EmbeddedData>,
}

impl ServerConfig {
    /// Reads a file; relative paths are resolved against its folder.
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
        config.server.state = base.join(&config.server.state);
        config.server.ledger = base.join(&config.server.ledger);
        if let Some(data) = &mut config.evaluation.path {
            *data = base.join(&*data);
        }
        config.check(path)?;
        Ok(config)
    }

    /// Derives and proves everything that a round needs; `path` is only for the errors.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key.
    pub fn check(&self, path: &Path) -> Result<Checked, ConfigError> {
        let wrong = |key, message: String| ConfigError::Value {
            path: path.to_owned(),
            key,
            message,
        };
        let task = &self.task.name;
        if task.is_empty()
            || task.len() > tacita_protocol::limits::MAX_TASK
            || !task
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(wrong("task.name", "must be 1 to 64 of a-z, 0-9 and -".into()));
        }
        if self.task.rounds == 0 || self.task.attempts == 0 {
            return Err(wrong(
                "task.rounds",
                "rounds and attempts must be at least 1".into(),
            ));
        }
        if self.server.uploads_in_flight == 0 {
            return Err(wrong("server.uploads_in_flight", "must be at least 1".into()));
        }
        let parameters = self.cohort.parameters(path)?;
        let (n, c, m) = self.cohort.counts();
        let model: ModelSpec = self
            .training
            .model
            .parse()
            .map_err(|e| wrong("training.model", format!("{e}")))?;
        let model = model
            .validated()
            .map_err(|e| wrong("training.model", e.to_string()))?;
        let mut beside = Beside::of(&self.privacy).map_err(|(key, message)| wrong(key, message))?;
        let records = unit::terms(self).map_err(|(key, message)| wrong(key, message))?;
        if self.privacy.epsilon.is_some() != self.privacy.delta.is_some() {
            return Err(wrong("privacy", "state epsilon and delta, or neither".into()));
        }
        let dimension = model.parameters() + beside.extra();
        let noise_levels = match &self.privacy.noise_levels {
            None => Vec::new(),
            Some(levels) => levels
                .dropouts((n, m, c))
                .map_err(|message| wrong("privacy.noise_levels", message))?,
        };
        let request = PlanRequest {
            epsilon: self.privacy.epsilon,
            delta: self.privacy.delta.unwrap_or(Decimal::ZERO),
            rounds: self.task.rounds,
            clients: n,
            minimum_survivors: m,
            colluders: c,
            dimension: u32::try_from(dimension).map_err(|_| wrong("training.model", "too large".into()))?,
            block: self.privacy.block,
            clip: self.privacy.clip,
            noise_levels,
            mechanism: self.privacy.mechanism,
            records,
        };
        let plan = Plan::calibrate(request).map_err(|e| ConfigError::Plan {
            path: path.to_owned(),
            source: Box::new(e),
        })?;
        let plan = beside
            .settle(&plan, n)
            .and_then(|()| beside.plan_at(&plan, self.privacy.clip))
            .map_err(|message| wrong("privacy", message))?;
        // The rule may lead there, and what cannot be announced would end the task.
        if let Some(rule) = beside.rule() {
            beside
                .plan_at(&plan, rule.largest())
                .map_err(|message| wrong("privacy.adaptive_clip.largest", message))?;
        }
        let instructions = Instructions {
            model,
            algorithm: self.training.algorithm,
            epochs: self.training.epochs,
            batch: self.training.batch,
            learning_rate: self.training.learning_rate,
            gradient_clip: self.training.gradient_clip,
        };
        instructions
            .config()
            .check()
            .map_err(|e| wrong("training", e.to_string()))?;
        let d = &self.deadlines;
        let ms = |seconds: u32| seconds.saturating_mul(1000);
        let deadlines = Deadlines {
            advertise_ms: ms(d.advertise),
            share_ms: ms(d.share),
            upload_ms: ms(d.upload),
            agree_ms: ms(d.agree),
            reveal_ms: ms(d.reveal),
        };
        let embedded = match self.evaluation.dataset.as_deref() {
            None => None,
            Some(name) => Some(
                name.parse()
                    .map_err(|e| wrong("evaluation.dataset", format!("{e}")))?,
            ),
        };
        Ok(Checked {
            parameters,
            plan,
            instructions,
            beside,
            deadlines,
            embedded,
        })
    }

    /// Limits of the transport.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = if self.server.loopback {
            Limits::loopback()
        } else {
            Limits::default()
        };
        limits.connections = self.cohort.connections();
        limits.shared_by(usize::from(self.cohort.clients))
    }

    /// A commented starting point for `tacita server init`.
    #[must_use]
    pub fn template() -> &'static str {
        include_str!("server.example.toml")
    }

    /// The same for `tacita server init --unit record`: four hospitals, and the privacy of each patient.
    #[must_use]
    pub fn record_template() -> &'static str {
        include_str!("server.records.example.toml")
    }
}

#[cfg(test)]
mod tests;
