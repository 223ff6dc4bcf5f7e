//! Crashes at every step: one process dies before its k-th write or message, for every k and every process, in a world that
//! is calm otherwise. Whatever k is, the round ends in an exact sum or a clean abort, and a round completes.

use std::sync::Arc;

use super::plan::{Party, SeedPlan};
use super::run::{Verdict, run_plan};
use crate::cast::Cast;

/// Every point at which a process can die.
#[derive(Debug, Clone)]
pub struct CrashPoints {
    plan: SeedPlan,
    /// Process and step, and for a second death how many steps after the new start.
    pub points: Vec<(Party, u64, Option<u64>)>,
}

impl CrashPoints {
    /// The points of the calm world of a seed, counted in a run without a crash; each once alone, and once for each of the
    /// first `twice` steps of the process that starts after it.
    ///
    /// # Errors
    /// The run without a crash, if it fails already.
    pub fn count(cast: &Arc<Cast>, seed: u64, twice: u64) -> Result<Self, Box<Verdict>> {
        let plan = SeedPlan::calm(seed);
        let calm = run_plan(cast, &plan, false);
        if !calm.violations.is_empty() {
            return Err(Box::new(calm));
        }
        let (hub, members) = &calm.steps;
        let once = |party: Party, steps: u64| (0..steps).map(move |step| (party, step));
        let members = members.iter().enumerate();
        let points = once(Party::Hub, *hub)
            .chain(members.flat_map(|(number, steps)| once(Party::Member(number), *steps)))
            .flat_map(|(party, step)| {
                let again = (0..twice).map(Some);
                std::iter::once(None)
                    .chain(again)
                    .map(move |again| (party, step, again))
            })
            .collect();
        Ok(Self { plan, points })
    }

    /// What comes of a crash at one of them.
    pub fn run(
        &self,
        cast: &Arc<Cast>,
        (party, step, again): (Party, u64, Option<u64>),
        keep_history: bool,
    ) -> Verdict {
        let plan = SeedPlan {
            crash_at: Some((party, step)),
            crash_again: again,
            ..self.plan.clone()
        };
        run_plan(cast, &plan, keep_history)
    }
}
