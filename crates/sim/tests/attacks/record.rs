//! G3 and G5 on the client: what its own record says after a round, however the round went.

use tacita_protocol::messages::ClientMessage;
use tacita_sim::{Moment, Plan, Script, Stage};

use crate::manifest::noisy;
use crate::private;

/// Failure: a member whose masked bytes may have left is not charged, one whose have not is, or a reservation stays open.
#[test]
fn charged_from_the_first_masked_byte_on() {
    for moment in Moment::ALL {
        // With member 1 gone as well, rounds end in every possible way; the record must not care.
        for other in Moment::ALL {
            let mut world = noisy("30");
            let plan = Plan {
                vanish: [(0, moment), (1, other)].into(),
                ..Plan::new()
            };
            let report = world.run_honest(&plan).unwrap();
            private(&report);
            let began = report
                .sent
                .iter()
                .any(|sent| sent.from == 0 && sent.stage == Stage::Sharers);
            let record = world.record(0).unwrap();
            let state = record.budget().unwrap().state();
            let charges: u64 = state.committed.iter().map(|(_, count)| count).sum();
            assert_eq!(charges, u64::from(began), "{moment:?}, {other:?}");
            assert_eq!(record.spent().len(), usize::from(began));
            assert!(state.reserved.is_empty(), "{moment:?}, {other:?}");
            // In the worst case: m - c honest shares, whatever U2 was.
            if let Some(spent) = record.spent().values().next() {
                assert_eq!(spent.release, report.manifest.release());
                assert!(spent.release.is_some());
            }
        }
    }
}

/// Failure: an upload that the server claims not to have received is given back to the member's budget.
#[test]
fn charged_although_the_server_denies_the_upload() {
    let mut world = noisy("30");
    let mut denied = Script::new().from_clients(|_, from, message| match message {
        ClientMessage::Chunk(_) | ClientMessage::UploadEnd(_) if from == 0 => Vec::new(),
        _ => vec![message],
    });
    let report = world.run(&Plan::new(), &mut denied).unwrap();
    drop(denied);
    assert_eq!(report.result().unwrap().survivors, [1, 2, 3]);
    private(&report);
    let state = world.record(0).unwrap().budget().unwrap().state();
    assert_eq!(
        state
            .committed
            .iter()
            .map(|(_, count)| *count)
            .collect::<Vec<_>>(),
        [1]
    );
}
