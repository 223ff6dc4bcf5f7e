//! A check that never failed is not known to check: each fault put into a shell must be seen by the checker that is for it.

use tacita_sim::faults::{Chance, Mutant, SeedPlan, run_plan};

use crate::{CAST, on_all_cores};

/// Seeds in which each fault is looked for.
const SEEDS: u64 = 12;

/// Failure: a shell that sends before its commit is durable, keeps no charge, repeats its randomness, reveals before the
/// charge, ... passes every seed.
#[test]
fn every_mutant_is_seen() {
    let mut missed = Vec::new();
    // A list of signers takes a cohort of its own: `large.rs`.
    let all = Mutant::ALL
        .into_iter()
        .filter(|(mutant, ..)| *mutant != Mutant::DrawsFirst);
    for (mutant, name, checkers) in all {
        let verdicts = on_all_cores(SEEDS, |seed| {
            let plan = SeedPlan::draw(seed, &mut Chance::new(seed).part("plan")).with_mutant(mutant);
            run_plan(&CAST, &plan, false)
        });
        let seen: Vec<&str> = verdicts
            .iter()
            .flat_map(|verdict| verdict.violations.iter().map(|violation| violation.checker))
            .collect();
        if !checkers.iter().all(|checker| seen.contains(checker)) {
            missed.push(format!("{name}: wanted {checkers:?}, seen {seen:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Failure: the names of mutants on the command line are not those of the list.
#[test]
fn mutants_have_names() {
    for (mutant, name, _) in Mutant::ALL {
        assert_eq!(Mutant::named(name), Some(mutant));
    }
    assert_eq!(Mutant::named("none"), None);
}
