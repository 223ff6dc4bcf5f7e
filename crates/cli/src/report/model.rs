//! What a report consists of, as it is printed and as JSON.

use serde::{Serialize, Serializer};
use tacita_ledger::entry::{Adjacency, Mechanism, Unit};
use tacita_privacy::Decimal;

use super::account::Accounts;
use super::audit::Audited;

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoReport {
    /// A charge without manifest; a verified ledger has none.
    #[error("no report: the charge in entry {entry} has no manifest")]
    NoManifest {
        /// Index of the charge.
        entry: u64,
    },
    /// An outcome without charge; a verified ledger has none.
    #[error("no report: the outcome in entry {entry} has no charge")]
    NoCharge {
        /// Index of the outcome.
        entry: u64,
    },
    /// A charged round whose manifest lacks a field that its cost depends on.
    #[error(
        "no report: round {round} of task {task} was charged, and its manifest (entry {entry}) has no {field}"
    )]
    Missing {
        /// Index of the manifest.
        entry: u64,
        /// Its task.
        task: String,
        /// Its round.
        round: u64,
        /// The field.
        field: &'static str,
    },
    /// Charged rounds of one task that protect different units: no figure is about both.
    #[error(
        "no report: round {round} of task {task} was charged, and unit of its manifest (entry {entry}) is not that of \
         the task's earlier charges"
    )]
    Units {
        /// Index of the manifest.
        entry: u64,
        /// Its task.
        task: String,
        /// Its round.
        round: u64,
    },
    /// A charged round whose survivors carry less noise than its manifest planned.
    #[error(
        "no report: round {round} of task {task} was charged with less noise than noise_levels and \
         share_variance_q16 of its manifest (entry {entry}) plan"
    )]
    UnderPlan {
        /// Index of the manifest.
        entry: u64,
        /// Its task.
        task: String,
        /// Its round.
        round: u64,
    },
    /// A charged round with a field that the accountant does not cover.
    #[error(
        "no report: round {round} of task {task} was charged, and {field} of its manifest (entry {entry}) \
         is outside what can be accounted for"
    )]
    Field {
        /// Index of the manifest.
        entry: u64,
        /// Its task.
        task: String,
        /// Its round.
        round: u64,
        /// The field.
        field: &'static str,
    },
}

/// The report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// By name.
    pub(crate) tasks: Vec<Task>,
    /// Everything together, at the smallest delta: a client may be in all tasks. Only with several, and of one unit.
    pub(crate) all_tasks: Option<Spent>,
    /// What contradicts the recomputed values. Empty in an honest ledger.
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// The last charge of the ledger.
    pub(crate) fn last_charge(&self) -> Option<&Round> {
        self.tasks
            .iter()
            .flat_map(|task| &task.rounds)
            .max_by_key(|round| round.entry)
    }
}

/// One task.
#[derive(Debug, Serialize)]
pub(crate) struct Task {
    pub(crate) task: String,
    /// Manifests.
    pub(crate) attempts: u64,
    /// Attempts given up before anything was charged.
    pub(crate) released: u64,
    /// All charges, at the smallest delta.
    #[serde(flatten)]
    pub(crate) spent: Spent,
    /// The last round's budget less what is spent against the server, rounded down.
    pub(crate) left_epsilon: Option<String>,
    /// What each accounting method says; [`Task::spent`] is the smallest.
    pub(crate) methods: Vec<Method>,
    /// The same in other notions of privacy.
    pub(crate) equivalents: Vec<Equivalent>,
    /// Epsilon at other deltas, each the smallest of all methods.
    pub(crate) curve: Vec<Spent>,
    /// The Renyi bounds at every order.
    pub(crate) renyi: Vec<RenyiBound>,
    /// Attempts that were given up, in order.
    pub(crate) given_up: Vec<GivenUp>,
    /// What attacks on the real pipeline achieved, beside what is proved.
    pub(crate) audits: Vec<Audited>,
    /// One row per charge, in order.
    pub(crate) rounds: Vec<Round>,
    /// For epsilon at any other delta.
    #[serde(skip)]
    pub(super) accounts: Accounts,
}

/// The same charges by one accounting method.
#[derive(Debug, Serialize)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) direction: &'static str,
    #[serde(serialize_with = "number")]
    pub(crate) epsilon_server: Option<Decimal>,
    #[serde(serialize_with = "number")]
    pub(crate) epsilon_public: Option<Decimal>,
    /// Whether [`Task::spent`] against the server is its value.
    pub(crate) is_tightest: bool,
    /// Its epsilon at other deltas.
    pub(crate) curve: Vec<Spent>,
}

/// One number of another notion of privacy; `None` where there is none.
#[derive(Debug, Serialize)]
pub(crate) struct Equivalent {
    pub(crate) name: &'static str,
    /// Whether it is a guarantee; if not, a comparison.
    pub(crate) proven: bool,
    pub(crate) what: &'static str,
    pub(crate) server: Option<f64>,
    pub(crate) public: Option<f64>,
}

/// An upper bound on the Renyi divergence in nats, per adversary; `None` where there is none.
#[derive(Debug, Serialize)]
pub(crate) struct RenyiBound {
    pub(crate) order: u32,
    pub(crate) server: Option<f64>,
    pub(crate) public: Option<f64>,
}

/// An attempt that ended before its charge.
#[derive(Debug, Serialize)]
pub(crate) struct GivenUp {
    pub(crate) entry: u64,
    pub(crate) round: u64,
    pub(crate) time: u64,
    pub(crate) reason: String,
}

impl Task {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            task: name.to_owned(),
            attempts: 0,
            released: 0,
            spent: Spent {
                delta: None,
                epsilon_server: None,
                epsilon_public: None,
            },
            left_epsilon: None,
            methods: Vec::new(),
            equivalents: Vec::new(),
            curve: Vec::new(),
            renyi: Vec::new(),
            given_up: Vec::new(),
            audits: Vec::new(),
            rounds: Vec::new(),
            accounts: Accounts::default(),
        }
    }
}

/// Epsilon spent in two views at one delta, rounded up; `None` (null) if no finite value can be certified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Spent {
    #[serde(serialize_with = "number")]
    pub(crate) delta: Option<Decimal>,
    #[serde(serialize_with = "number")]
    pub(crate) epsilon_server: Option<Decimal>,
    #[serde(serialize_with = "number")]
    pub(crate) epsilon_public: Option<Decimal>,
}

/// One charge.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    /// Index of the charge in the ledger.
    pub(crate) entry: u64,
    pub(crate) task: String,
    pub(crate) round: u64,
    pub(crate) round_id: String,
    pub(crate) time: u64,
    /// Whether an earlier charge is for the same round of the task. It counts all the same.
    pub(crate) repeated: bool,
    pub(crate) cohort: u64,
    pub(crate) roster: u64,
    pub(crate) survivors: u64,
    pub(crate) minimum_survivors: u64,
    pub(crate) colluders: u64,
    pub(crate) quorum: u64,
    pub(crate) planned_rounds: u64,
    /// The task's budget as this round's manifest states it.
    pub(crate) budget_epsilon: Option<String>,
    pub(crate) statement: String,
    pub(crate) mechanism: Mechanism,
    pub(crate) unit: Unit,
    pub(crate) adjacency: Adjacency,
    /// With which probability clients sampled their records, in the record unit.
    pub(crate) sampling: Option<String>,
    /// Records of one client that the ring has room for, in the record unit.
    pub(crate) largest_records: Option<u64>,
    pub(crate) dimension: u64,
    pub(crate) padded: u64,
    pub(crate) bits: u64,
    /// Smallest ring in which the sum cannot wrap but with probability 2^-40.
    pub(crate) needed_bits: Option<u8>,
    /// Drop-outs at which surplus noise is taken off.
    pub(crate) noise_levels: Option<String>,
    pub(crate) clip: String,
    /// Of updates alone, where something travels beside them.
    pub(crate) update_clip: Option<String>,
    /// Scale and loss cap of federated metrics.
    pub(crate) metrics: Option<String>,
    /// How the update clip follows from round to round.
    pub(crate) clip_rule: Option<String>,
    pub(crate) count_scale: Option<String>,
    pub(crate) grid: u64,
    pub(crate) squared_l2_sensitivity: Option<String>,
    pub(crate) l1_sensitivity: Option<String>,
    pub(crate) share_variance_q16: String,
    /// What each survivor kept of its share at least.
    pub(crate) kept_variance_q16: String,
    /// (m - c) shares: what the manifest promises.
    pub(crate) planned_variance_q16: String,
    /// (|U2| - c) shares: what the server with its colluders did not know.
    pub(crate) present_variance_q16: String,
    /// (|U2| - 1) shares: what nobody else knew.
    pub(crate) present_variance_public_q16: String,
    pub(crate) planned_noise_multiplier: String,
    pub(crate) present_noise_multiplier: String,
    /// By the task, this charge included, at this round's delta.
    #[serde(flatten)]
    pub(crate) spent: Spent,
    /// Of this round's budget, what this charge left against the server; rounded down.
    pub(crate) left_epsilon: Option<String>,
    pub(crate) outcome: Option<Claimed>,
}

/// What an outcome entry says, next to what was recomputed. Nothing else in the report depends on it.
#[derive(Debug, Serialize)]
pub(crate) struct Claimed {
    pub(crate) entry: u64,
    pub(crate) responders: u64,
    /// Variance of all the noise left in each coordinate of the sum.
    pub(crate) noise_variance_q16: String,
    pub(crate) accuracy: Option<String>,
    pub(crate) loss: Option<String>,
    /// Read from noised coordinates: covered by epsilon.
    pub(crate) federated_accuracy: Option<String>,
    pub(crate) federated_loss: Option<String>,
    pub(crate) federated_error: Option<String>,
    pub(crate) within_clip: Option<String>,
    pub(crate) claimed_epsilon_server: Option<String>,
    pub(crate) claimed_epsilon_public: Option<String>,
}

/// A contradiction between what entries say and what they amount to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The entry that is contradicted.
    pub(crate) entry: u64,
    pub(crate) task: String,
    pub(crate) round: u64,
    pub(crate) what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "round {} of task {} (entry {}): {}",
            self.round, self.task, self.entry, self.what
        )
    }
}

/// As a JSON number. It prints the same digits: values have at most 15 significant ones.
pub(crate) fn number<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(Decimal::to_f64).serialize(serializer)
}
