//! F29: one drop-out more than n - m, in each phase. The round ends with its reason; a reserve is given back by a ledger entry,
//! a committed charge is final, and a client keeps its own charge once a masked byte has left. With real processes: F28.

use std::sync::Arc;

use tacita_ledger::Entry;
use tacita_privacy::{Budget, BudgetFilter};
use tacita_protocol::{Abort, RoundError};
use tacita_sim::{Cast, MemoryRecord, Moment, Noise, Plan, Setting, World};

#[test]
fn two_of_four_in_each_phase() {
    let cast = Arc::new(Cast::new(4, 129).unwrap());
    for moment in [
        Moment::AfterAdvertise,
        Moment::AfterShare,
        Moment::AfterUpload,
        Moment::AfterSign,
    ] {
        let setting = Setting {
            noise: Noise::Skellam(3000 << 16),
            grid: 64,
            ..Setting::new(4, 1, 3)
        };
        let mut world = World::new(cast.clone(), setting, 1).unwrap();
        for member in 0..4 {
            let budget = Budget {
                epsilon: "30".parse().unwrap(),
                delta: "0.00001".parse().unwrap(),
            };
            *world.record(member).unwrap() = MemoryRecord::new(Some(BudgetFilter::new(budget).unwrap()));
        }
        let plan = Plan {
            vanish: [(0, moment), (2, moment)].into(),
            ..Plan::new()
        };
        let report = world.run_honest(&plan).unwrap();
        let abort = match report.result() {
            Err(RoundError::Abort(abort)) => abort.clone(),
            other => panic!("{moment:?}: {other:?}"),
        };
        let uploaded = moment >= Moment::AfterShare;
        match moment {
            Moment::AfterAdvertise => assert_eq!(abort, Abort::TooFewSharers(2, 3)),
            Moment::AfterShare => assert_eq!(abort, Abort::TooFewSurvivors(2, 3)),
            Moment::AfterUpload => assert_eq!(abort, Abort::NoQuorum(2, 3)),
            _ => assert!(
                matches!(abort, Abort::TooFewShares { have: 2, need: 3, .. }),
                "{abort}"
            ),
        }
        let entries = world.ledger().verify().unwrap().entries;
        match (moment, entries.as_slice()) {
            (Moment::AfterSign, [Entry::Manifest(_), Entry::Charge(_)]) => {}
            (Moment::AfterSign, other) => panic!("{other:?}"),
            (_, [Entry::Manifest(_), Entry::Release(release)]) => {
                assert_eq!(release.reason, abort.to_string());
            }
            (_, other) => panic!("{moment:?}: {other:?}"),
        }
        assert!(report.knowledge.exposed().is_empty());
        // Members 1 and 3 stayed: they are charged from their upload on, whatever the ledger says.
        for member in [1, 3] {
            let state = world.record(member).unwrap().budget().unwrap().state();
            let charged: u64 = state.committed.iter().map(|(_, count)| count).sum();
            assert_eq!(charged, u64::from(uploaded), "{moment:?}");
        }
    }
}
