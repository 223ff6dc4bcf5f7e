//! Every history of drop-outs over the five moments, and what each must come to: the rule of the complete graph, from m, t
//! and Q alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_protocol::{Abort, RoundError};

use crate::cast::Cast;
use crate::client::State;
use crate::error::SimError;
use crate::plain;
use crate::report::Report;
use crate::setting::Setting;
use crate::stage::Moment;
use crate::world::{Plan, World};

/// What a history comes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The sum over these members.
    Sum(Vec<usize>),
    /// Fewer than m shared: so many did.
    TooFewSharers(usize),
    /// Fewer than m uploaded.
    TooFewSurvivors(usize),
    /// Fewer than Q signed.
    NoQuorum(usize),
    /// Fewer than t revealed.
    TooFewShares(usize),
}

impl Ending {
    /// The name under which endings are counted.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sum(_) => "sum",
            Self::TooFewSharers(_) => "too few sharers",
            Self::TooFewSurvivors(_) => "too few survivors",
            Self::NoQuorum(_) => "no quorum",
            Self::TooFewShares(_) => "too few shares",
        }
    }
}

/// m, t and Q.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// m.
    pub minimum: usize,
    /// t.
    pub threshold: usize,
    /// Q.
    pub quorum: usize,
}

impl Bounds {
    /// Of a setting.
    ///
    /// # Errors
    /// [`SimError::Setting`].
    pub fn of(setting: &Setting) -> Result<Self, SimError> {
        let parameters = setting.parameters()?;
        let wide = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        Ok(Self {
            minimum: usize::from(setting.minimum_survivors),
            threshold: wide(parameters.threshold),
            quorum: wide(parameters.quorum),
        })
    }

    /// What a history must come to: a step goes on with what the step before it left, if that is enough.
    pub fn ending(&self, moments: &[Moment]) -> Ending {
        let beyond = |last: Moment| -> Vec<usize> {
            let stays = |at: &usize| moments.get(*at).is_some_and(|moment| *moment > last);
            (0..moments.len()).filter(stays).collect()
        };
        let sharers = beyond(Moment::AfterAdvertise).len();
        let survivors = beyond(Moment::AfterShare);
        let signers = beyond(Moment::AfterUpload).len();
        let responders = beyond(Moment::AfterSign).len();
        if sharers < self.minimum {
            Ending::TooFewSharers(sharers)
        } else if survivors.len() < self.minimum {
            Ending::TooFewSurvivors(survivors.len())
        } else if signers < self.quorum {
            Ending::NoQuorum(signers)
        } else if responders < self.threshold {
            Ending::TooFewShares(responders)
        } else {
            Ending::Sum(survivors)
        }
    }
}

/// Number of histories of `members`.
pub fn count(members: usize) -> u64 {
    u32::try_from(members).map_or(u64::MAX, |members| 5u64.saturating_pow(members))
}

/// The history with a number, in base five.
pub fn history(members: usize, number: u64) -> Vec<Moment> {
    let mut rest = number;
    let mut moments = Vec::with_capacity(members);
    for _ in 0..members {
        let at = usize::try_from(rest % 5).unwrap_or(0);
        moments.push(Moment::ALL.get(at).copied().unwrap_or(Moment::Never));
        rest /= 5;
    }
    moments
}

/// Runs histories one after another in one world.
pub struct Histories {
    world: World,
    bounds: Bounds,
    members: usize,
}

impl Histories {
    /// A world of `members` with c = 1 and n - m = 1, or as the setting says.
    ///
    /// # Errors
    /// [`SimError`].
    pub fn new(cast: Arc<Cast>, setting: Setting, seed: u64) -> Result<Self, SimError> {
        Ok(Self {
            bounds: Bounds::of(&setting)?,
            members: cast.len(),
            world: World::new(cast, setting, seed)?,
        })
    }

    /// Runs the history with a number; what it came to, or in what it differs from what it must come to.
    ///
    /// # Errors
    /// [`SimError`] if the world cannot go on.
    pub fn run(&mut self, number: u64) -> Result<Result<Ending, String>, SimError> {
        let moments = history(self.members, number);
        let expected = self.bounds.ending(&moments);
        let report = self.world.run_honest(&Plan::history(&moments))?;
        Ok(check(&report, &expected)
            .map(|()| expected)
            .map_err(|text| format!("history {number} {moments:?}: {text}")))
    }

    /// Whether the ledger of all histories so far verifies.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self) -> Result<(), String> {
        self.world
            .ledger()
            .verify()
            .map(|_| ())
            .map_err(|e| e.to_string())
    }
}

fn ending_of(report: &Report) -> Result<Ending, String> {
    match report.result() {
        Ok(sum) if plain::is_exact(report, sum) => Ok(Ending::Sum(sum.survivors.clone())),
        Ok(sum) => Err(format!("the sum of {:?} is not exact", sum.survivors)),
        Err(RoundError::Abort(abort)) => Ok(match abort {
            Abort::TooFewSharers(have, _) => Ending::TooFewSharers((*have).into()),
            Abort::TooFewSurvivors(have, _) => Ending::TooFewSurvivors((*have).into()),
            Abort::NoQuorum(have, _) => Ending::NoQuorum((*have).into()),
            Abort::TooFewShares { have, .. } => Ending::TooFewShares((*have).into()),
            other => return Err(format!("ended with {other}")),
        }),
        Err(other) => Err(format!("ended with {other}")),
    }
}

fn check(report: &Report, expected: &Ending) -> Result<(), String> {
    let found = ending_of(report)?;
    if found != *expected {
        return Err(format!("expected {expected:?}, found {found:?}"));
    }
    let agreed = match expected {
        Ending::Sum(survivors) => vec![survivors.iter().copied().collect()],
        _ => Vec::new(),
    };
    let exposed = report.knowledge.exposed();
    if exposed != agreed {
        return Err(format!("exposed is {exposed:?}"));
    }
    if !report.knowledge.double_reveals().is_empty() || report.knowledge.unclassified() > 0 {
        return Err("a share was revealed that must not be".to_owned());
    }
    if !report.turned(0).is_empty() {
        return Err(format!(
            "an honest message was turned down: {:?}",
            report.turned(0)
        ));
    }
    match report
        .clients
        .iter()
        .position(|client| client.state == State::Refused)
    {
        Some(member) => Err(format!("member {member} refused")),
        None => Ok(()),
    }
}

/// How many histories of `members` must end in which way, by counting alone.
pub fn expected(members: usize, bounds: &Bounds) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for number in 0..count(members) {
        let ending = bounds.ending(&history(members, number));
        *counts.entry(ending.name()).or_insert(0) += 1;
    }
    counts
}
