//! A cohort that samples its signers, in a world in which one process dies in the middle of that.

use std::sync::{Arc, LazyLock};

use tacita_sim::Cast;
use tacita_sim::faults::{LARGE, Mishap, Mutant, Party, SeedPlan, Verdict, run_plan};

use crate::{on_all_cores, passes};

static CROWD: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(usize::from(LARGE), 1).unwrap()));

/// Lines of the history before a process dies that end so.
fn before(verdict: &Verdict, dies: &str, what: &str) -> usize {
    let lines = verdict.history.iter();
    lines
        .take_while(|line| !line.ends_with(dies))
        .filter(|line| line.ends_with(what))
        .count()
}

/// Failure: a member that dies around its draws, or a server that dies while it answers them, keeps the cohort from its sum;
/// or the member fixes a second list, draws twice from one, or is in the sum with both shares. (Members answer an identical
/// copy of a list with the same draws.)
#[test]
fn a_death_around_the_draws() {
    let deaths = [
        // The list is durable and the draws not sent; they are sent; some of them are answered.
        Mishap::Death(Party::Member(7), 12, None),
        Mishap::Death(Party::Member(7), 13, None),
        Mishap::Death(Party::Hub, 9_500, None),
    ];
    let verdicts = on_all_cores(3, |number| {
        let plan = SeedPlan {
            mishap: Some(deaths[usize::try_from(number).unwrap()]),
            ..SeedPlan::large(number)
        };
        run_plan(&CROWD, &plan, true)
    });
    for verdict in &verdicts {
        passes(verdict);
        assert_eq!(verdict.sums, 1);
        assert!(verdict.refusals.is_empty(), "{:?}", verdict.refusals);
        let of_seven = |what: &str| before(verdict, "member 7 dies", &format!("member 7{what}"));
        let said = [": signers", " says draws", " says reveal"].map(of_seven);
        match verdict.seed {
            0 => assert_eq!(said, [1, 0, 0]),
            1 => assert_eq!(said, [1, 1, 0]),
            _ => {
                let answered = before(verdict, "server dies", ": sampled request");
                let drawn = before(verdict, "server dies", "says draws");
                assert!(
                    (100..900).contains(&answered) && drawn > answered,
                    "{answered} of {drawn}"
                );
            }
        }
    }
}

/// Failure: the checker does not see a member that draws from a list which a crash would make it forget.
#[test]
fn draws_before_the_list_is_durable_are_seen() {
    let verdict = run_plan(&CROWD, &SeedPlan::large(0).with_mutant(Mutant::DrawsFirst), false);
    let seen: Vec<&str> = verdict
        .violations
        .iter()
        .map(|violation| violation.checker)
        .collect();
    assert!(seen.contains(&"durable"), "{seen:?}");
}
