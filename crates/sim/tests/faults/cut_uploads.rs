//! Uploads that a crash cuts: what left before the cut is known.

use tacita_sim::faults::{Mishap, Party, SeedPlan, Server, Verdict, run_plan};

use crate::{CAST, passes};

/// Four members, of which those from `villains` on help the server; member 0 dies before the step after `step`.
fn cut(villains: std::ops::Range<usize>, step: u64) -> Verdict {
    let mut plan = SeedPlan::calm(1);
    plan.villains = villains
        .map(|member| (member, tacita_sim::faults::villains::Villain::Informs))
        .collect();
    plan.mishap = Some(Mishap::Death(Party::Member(0), step, None));
    plan.server = Server::Honest;
    run_plan(&CAST, &plan, true)
}

/// Chunks and upload ends that member 0 said before it died.
fn said(verdict: &Verdict) -> [usize; 2] {
    let before = || {
        verdict
            .history
            .iter()
            .take_while(|line| !line.ends_with("member 0 dies"))
    };
    ["says chunk", "says upload end"].map(|what| {
        let line = format!("member 0 {what}");
        before().filter(|known| known.ends_with(&line)).count()
    })
}

/// The steps at which an upload of several chunks is cut between the first and the last.
fn steps() -> Vec<u64> {
    let cuts = |step: &u64| matches!(said(&cut(0..0, *step)), [1..=2, 0]);
    let steps: Vec<u64> = (0..20).filter(cuts).collect();
    assert!(!steps.is_empty(), "no step cuts an upload");
    steps
}

/// Failure: the checker counts an upload when its end has left, so that chunks which a server with t shares of the sender's
/// secrets can unmask are overlooked if the sender dies, or its line is cut, before the end.
#[test]
fn chunks_before_a_cut_are_known() {
    for step in steps() {
        // The three others hold t shares of everything of member 0.
        let verdict = cut(1..4, step);
        assert_eq!(said(&verdict)[1], 0);
        let of = |line: &String| line.ends_with("member 0 says upload end");
        let whole = verdict.history.iter().filter(|line| of(line)).count();
        let alone = verdict.violations.iter();
        let alone =
            alone.filter(|violation| violation.text.starts_with("the sum of {0} alone can be computed"));
        assert_eq!(alone.count(), whole + 1, "step {step}: {:?}", verdict.violations);
        // As many as the round withstands learn nothing from them, and nor does anybody else.
        passes(&cut(3..4, step));
        passes(&cut(0..0, step));
    }
}
