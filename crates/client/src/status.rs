//! What a participant's data has spent so far and what left the machine, counted from the rounds in its durable record.

use std::collections::BTreeMap;

use serde::Serialize;
use tacita_privacy::{Budget, Decimal, PrivacyUnit, RdpCurve, Release};

use crate::config::Caps;
use crate::record::charges::{Charges, DAY};
use crate::record::{PastRound, SpentRound};

/// How epsilon is computed.
pub const METHOD: &str =
    "Renyi differential privacy at orders 2 to 128 and 256, every upload counted at the fewest survivors";
/// Which way it is off, if at all.
pub const DIRECTION: &str = "upper bound, rounded up";

/// What a set of rounds cost. An epsilon is `None` where no finite one can be certified: sums without noise, noise that the
/// adversary knows, or rounds that protect different units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spending {
    /// Uploads, each charged: retried rounds once an attempt.
    pub rounds: usize,
    /// Uploads into sums without noise.
    pub rounds_without_noise: usize,
    /// Masked bytes that left.
    pub upload_bytes: u64,
    /// Whose data epsilon is about; `None` before the first round with noise, and if they protect different units.
    pub unit: Option<PrivacyUnit>,
    /// Time of the first and the last upload, unix seconds.
    pub period: Option<(u64, u64)>,
    /// Delta at which epsilon is stated: the participant's own, or else the smallest that a task promised.
    pub delta: Option<Decimal>,
    /// Against the server with its colluders, m - c shares of noise being unknown to it.
    pub epsilon_server: Option<Decimal>,
    /// Against everybody else, m - 1 shares being unknown.
    pub epsilon_public: Option<Decimal>,
    /// The participant's own cap.
    pub epsilon_budget: Option<Decimal>,
    /// What is left of it against the server, rounded down; `None` without a cap, 0 where no epsilon can be certified.
    pub epsilon_left: Option<Decimal>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Its name.
    pub task: String,
    /// What it cost.
    #[serde(flatten)]
    pub spent: Spending,
    /// The same as `epsilon_server`.
    pub epsilon_spent: Option<Decimal>,
    /// How many more rounds like the last with noise the participant's caps on this task and on everything admit.
    pub rounds_left: Option<u64>,
    /// What it cost today (UTC), with a daily cap.
    pub today: Option<Spending>,
}

/// Everything in one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// By name.
    pub tasks: Vec<TaskStatus>,
    /// All tasks together.
    pub total: Spending,
    /// How epsilon is computed.
    pub method: &'static str,
    /// Which way it is off.
    pub direction: &'static str,
    /// Each upload, oldest first.
    pub rounds: Vec<PastRound>,
}

impl Status {
    /// From the rounds of a record, under the caps of the configuration, at `now` (unix seconds).
    ///
    /// # Errors
    /// A cap outside its range, in words.
    pub fn of(rounds: Vec<PastRound>, caps: Option<&Caps>, now: u64) -> Result<Self, String> {
        let mut tasks: BTreeMap<&str, Vec<&SpentRound>> = BTreeMap::new();
        let mut charges = Charges::new(caps.cloned());
        for PastRound { spent, .. } in &rounds {
            tasks.entry(&spent.task).or_default().push(spent);
            if let Some(release) = spent.release {
                charges.replay(&spent.task, release, spent.time)?;
            }
        }
        let all: Vec<&SpentRound> = rounds.iter().map(|round| &round.spent).collect();
        let total = spending(&all, caps.and_then(|caps| caps.total));
        let tasks = tasks.iter().map(|(&task, spent)| {
            let last = spent.iter().rev().find_map(|round| round.release);
            let cost = spending(spent, caps.map(|caps| caps.task));
            TaskStatus {
                task: task.to_owned(),
                epsilon_spent: cost.epsilon_server,
                rounds_left: last.and_then(|release| charges.rounds_left(task, &release)),
                spent: cost,
                today: caps.and_then(|caps| caps.day).map(|cap| {
                    let today = spent
                        .iter()
                        .copied()
                        .filter(|round| round.time / DAY == now / DAY);
                    spending(&today.collect::<Vec<_>>(), Some(cap))
                }),
            }
        });
        Ok(Self {
            tasks: tasks.collect(),
            total,
            method: METHOD,
            direction: DIRECTION,
            rounds,
        })
    }
}

fn spending(rounds: &[&SpentRound], cap: Option<Budget>) -> Spending {
    let stated = rounds.iter().filter_map(|round| round.terms.as_ref()?.delta);
    let delta = cap.map(|cap| cap.delta).or_else(|| stated.min());
    let server = epsilon(rounds.iter().map(|round| round.release), delta);
    let public = |round: &&SpentRound| round.terms.as_ref().and_then(|terms| terms.release_public);
    let left = |cap: Budget| server.map_or(Decimal::ZERO, |spent| cap.epsilon.left_after(spent));
    let times = || rounds.iter().map(|round| round.time);
    let mut units = rounds
        .iter()
        .filter_map(|round| round.release.as_ref().map(Release::unit));
    let unit = units.next().filter(|&first| units.all(|unit| unit == first));
    Spending {
        unit,
        rounds: rounds.len(),
        rounds_without_noise: rounds.iter().filter(|round| round.release.is_none()).count(),
        upload_bytes: rounds
            .iter()
            .fold(0, |sum, round| sum.saturating_add(round.upload_bytes)),
        period: times().min().zip(times().max()),
        delta,
        epsilon_server: server,
        epsilon_public: epsilon(rounds.iter().map(public), delta),
        epsilon_budget: cap.map(|cap| cap.epsilon),
        epsilon_left: cap.map(left),
    }
}

/// Epsilon of all releases together, rounded up; 0 for none, `None` if one of them has no noise or none that counts, or if they
/// protect different units: no sum is about both.
fn epsilon(releases: impl Iterator<Item = Option<Release>>, delta: Option<Decimal>) -> Option<Decimal> {
    let mut counts: BTreeMap<Release, u64> = BTreeMap::new();
    for release in releases {
        let count = counts.entry(release?).or_insert(0);
        *count = count.saturating_add(1);
    }
    if counts.is_empty() {
        return Some(Decimal::ZERO);
    }
    let mut units = counts.keys().map(Release::unit);
    let first = units.next();
    if units.any(|unit| Some(unit) != first) {
        return None;
    }
    let mut curve = RdpCurve::zero();
    let mut draws = 0u128;
    for (release, count) in counts {
        curve = curve.plus(&release.curve().times(count));
        draws = draws.saturating_add(release.draws().saturating_mul(u128::from(count)));
    }
    // As auditors count it: what the sampler adds to delta is inside the stated delta.
    curve.epsilon_with_sampler(delta?, draws).ok()
}
