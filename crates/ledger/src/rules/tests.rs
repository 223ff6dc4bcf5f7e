//! One refusal per rule, and the two walks that an attempt may take.

use super::*;
use crate::entry::statement_digest;
use crate::entry::tests::{charge, digest, manifest, outcome, release};

fn admit(entries: &[Entry]) -> Result<(), RulesError> {
    let mut rules = Rules::new();
    entries.iter().try_for_each(|entry| rules.admit(entry))
}

fn m(id: u8) -> Entry {
    Entry::Manifest(manifest(id))
}

fn c(id: u8) -> Entry {
    Entry::Charge(charge(id))
}

fn o(id: u8) -> Entry {
    Entry::Outcome(outcome(id))
}

/// A release late enough to follow any other entry.
fn r(id: u8) -> Entry {
    Entry::Release(Release {
        time: 1_700_000_090,
        ..release(id)
    })
}

#[test]
fn the_two_walks() {
    let mut rules = Rules::new();
    for entry in [m(1), m(2), m(3), c(1), c(3), o(1), r(2)] {
        rules.admit(&entry).unwrap();
    }
    assert_eq!(rules.charge_of(&[1; 32]), Some(3));
    assert_eq!(rules.charge_of(&[2; 32]), None);
    assert_eq!(rules.reserved().count(), 0);
    assert_eq!(rules.unfinished().collect::<Vec<_>>(), [([3; 32], 4)]);
    assert_eq!(rules.last_time(), 1_700_000_090);
}

#[test]
fn order_of_kinds() {
    assert_eq!(admit(&[c(1)]), Err(RulesError::NoManifest));
    assert_eq!(admit(&[o(1)]), Err(RulesError::NoManifest));
    assert_eq!(admit(&[r(1)]), Err(RulesError::NoManifest));
    assert_eq!(admit(&[m(1), o(1)]), Err(RulesError::NoCharge));
    assert_eq!(
        admit(&[m(1), m(1)]),
        Err(RulesError::RepeatedManifest { earlier: 0 })
    );
    assert_eq!(
        admit(&[m(1), m(2), r(2), r(2)]),
        Err(RulesError::RepeatedRelease { earlier: 2 })
    );
    assert_eq!(
        admit(&[m(1), c(1), o(1), o(1)]),
        Err(RulesError::RepeatedOutcome { earlier: 2 })
    );
    let early = Entry::Release(release(1));
    assert_eq!(admit(&[m(1), early, o(1)]), Err(RulesError::NoCharge));
}

#[test]
fn a_committed_charge_is_final() {
    assert_eq!(
        admit(&[m(1), c(1), r(1)]),
        Err(RulesError::ReleaseAfterCharge { earlier: 1 })
    );
    assert_eq!(
        admit(&[m(1), c(1), o(1), r(1)]),
        Err(RulesError::ReleaseAfterCharge { earlier: 1 })
    );
    let early = Entry::Release(release(1));
    assert_eq!(
        admit(&[m(1), early, c(1)]),
        Err(RulesError::ChargeAfterRelease { earlier: 1 })
    );
    assert_eq!(
        admit(&[m(1), c(1), c(1)]),
        Err(RulesError::RepeatedCharge { earlier: 1 })
    );
}

#[test]
fn two_statements_for_one_attempt_are_fork_evidence() {
    let survivors = [0xfd, 0x01];
    let statement = statement_digest(&[0x81; 32], &[0x22; 32], &[0x33; 32], 9, &survivors);
    let other = Charge {
        survivors: hex::encode(survivors),
        statement: hex::encode(statement),
        ..charge(1)
    };
    assert!(
        Entry::Charge(other.clone()).encode().is_ok(),
        "each of the two is valid by itself"
    );
    assert_eq!(
        admit(&[m(1), c(1), Entry::Charge(other)]),
        Err(RulesError::Fork { earlier: 1 })
    );
}

#[test]
fn a_charge_repeats_its_manifest() {
    let differs = |field| Err(RulesError::Differs { field, earlier: 0 });
    let with = |change: fn(&mut Charge)| {
        let mut entry = charge(1);
        change(&mut entry);
        admit(&[m(1), Entry::Charge(entry)])
    };
    assert_eq!(
        with(|e| e.manifest_digest = digest(9)),
        differs("manifest_digest")
    );
    assert_eq!(with(|e| e.task = "heart".into()), differs("task"));
    assert_eq!(with(|e| e.round = 2), differs("round"));
    assert_eq!(
        with(|e| e.roster_size = 11),
        Err(RulesError::RosterTooLarge { earlier: 0 })
    );
    let few = RulesError::TooFewSurvivors {
        survivors: 7,
        minimum: 8,
        earlier: 0,
    };
    assert_eq!(with(|e| e.survivor_count = 7), Err(few));
}

#[test]
fn outcome_and_release_repeat_the_round() {
    let entry = Entry::Outcome(Outcome {
        round: 2,
        ..outcome(1)
    });
    assert_eq!(
        admit(&[m(1), c(1), entry]),
        Err(RulesError::Differs {
            field: "round",
            earlier: 1
        })
    );
    let entry = Entry::Outcome(Outcome {
        survivor_count: 9,
        ..outcome(1)
    });
    assert_eq!(
        admit(&[m(1), c(1), entry]),
        Err(RulesError::Differs {
            field: "survivor_count",
            earlier: 1
        })
    );
    let entry = Entry::Release(Release {
        round: 2,
        ..release(1)
    });
    assert_eq!(
        admit(&[m(1), entry]),
        Err(RulesError::Differs {
            field: "round",
            earlier: 0
        })
    );
}

#[test]
fn time_never_goes_back() {
    let late = Entry::Manifest(Manifest {
        time: 1_700_000_001,
        ..manifest(1)
    });
    let goes_back = RulesError::TimeGoesBack {
        time: 1_700_000_000,
        previous: 1_700_000_001,
    };
    assert_eq!(admit(&[late.clone(), m(2)]), Err(goes_back));
    let same = Entry::Manifest(Manifest {
        time: 1_700_000_001,
        ..manifest(2)
    });
    assert_eq!(admit(&[late, same]), Ok(()));
}

#[test]
fn a_refused_entry_changes_nothing() {
    let mut rules = Rules::new();
    rules.admit(&m(1)).unwrap();
    for bad in [
        Entry::Charge(Charge {
            round: 2,
            ..charge(1)
        }),
        m(1),
        o(1),
    ] {
        rules.admit(&bad).unwrap_err();
    }
    assert_eq!(rules.last_time(), 1_700_000_000);
    rules.admit(&m(2)).unwrap();
    assert_eq!(rules.reserved().collect::<Vec<_>>(), [([1; 32], 0), ([2; 32], 1)]);
}

/// Failure: a server publishes no count where the clip norm hangs on it, or figures that no manifest announced and nobody has clipped.
#[test]
fn an_outcome_has_the_figures_that_its_manifest_announces() {
    let announced = |metrics: bool, clip: bool| {
        Entry::Manifest(Manifest {
            update_clip: Some("1".to_owned()),
            metrics: metrics.then(|| "0.5,4".to_owned()),
            clip_rule: clip.then(|| "0.5,0.2,1,0.1,10".to_owned()),
            count_scale: clip.then(|| "0.1".to_owned()),
            ..manifest(1)
        })
    };
    let published = |metrics: bool, clip: bool| {
        Entry::Outcome(Outcome {
            federated_accuracy: metrics.then(|| "-0.1".to_owned()),
            federated_loss: metrics.then(|| "2".to_owned()),
            federated_error: metrics.then(|| "0.1".to_owned()),
            within_clip: clip.then(|| "0.25".to_owned()),
            ..outcome(1)
        })
    };
    let charged = charge(1);
    for metrics in [false, true] {
        for clip in [false, true] {
            let before = [announced(metrics, clip), Entry::Charge(charged.clone())];
            let with = |entry: Entry| admit(&[before[0].clone(), before[1].clone(), entry]);
            assert_eq!(with(published(metrics, clip)), Ok(()));
            let off = |field| Err(RulesError::NotAnnounced { field, earlier: 0 });
            assert_eq!(with(published(!metrics, clip)), off("federated_accuracy"));
            assert_eq!(with(published(metrics, !clip)), off("within_clip"));
        }
    }
}
