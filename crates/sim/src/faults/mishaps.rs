//! Mishaps at every point: one process dies before its k-th write or message, or its k-th write fails, for every k and every
//! process, in a world that is calm otherwise. Whatever k is, the round ends in an exact sum or a clean abort, and then a
//! round completes.

use std::sync::Arc;

use super::plan::{Mishap, SeedPlan};
use super::run::{Verdict, run_plan};
use crate::cast::Cast;

/// Every mishap that one process can meet.
#[derive(Debug, Clone)]
pub struct Mishaps {
    plan: SeedPlan,
    /// All of them.
    pub all: Vec<Mishap>,
}

impl Mishaps {
    /// Those of the calm world of a seed, counted in a run without any: deaths once alone, and once for each of the first
    /// `twice` steps of the next process; failed writes.
    ///
    /// # Errors
    /// The run without a mishap, if it fails already.
    pub fn count(cast: &Arc<Cast>, seed: u64, twice: u64) -> Result<Self, Box<Verdict>> {
        let plan = SeedPlan::calm(seed);
        let calm = run_plan(cast, &plan, false);
        if !calm.violations.is_empty() {
            return Err(Box::new(calm));
        }
        let mut all = Vec::new();
        for (party, steps, writes) in calm.toil {
            for step in 0..steps {
                all.push(Mishap::Death(party, step, None));
                all.extend((0..twice).map(|again| Mishap::Death(party, step, Some(again))));
            }
            all.extend((0..writes).map(|number| Mishap::FailedWrite(party, number)));
        }
        Ok(Self { plan, all })
    }

    /// What comes of one.
    pub fn run(&self, cast: &Arc<Cast>, mishap: Mishap, keep_history: bool) -> Verdict {
        let plan = SeedPlan {
            mishap: Some(mishap),
            ..self.plan.clone()
        };
        run_plan(cast, &plan, keep_history)
    }
}
