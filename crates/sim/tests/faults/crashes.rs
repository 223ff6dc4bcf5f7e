//! F31, F32: the server or a member dies at any step of a round of four, and what it had made durable is all that is left.

use tacita_sim::faults::CrashPoints;

use crate::{CAST, on_all_cores, passes};

/// Failure: a crash before some write or message of the server or of a member leads to a wrong sum, a second mask, a second
/// noised vector, both shares of one member, a charge that is lost or made twice, a ledger that does not verify, or to a
/// task that never completes a round again. (`cargo run --release -p tacita-sim -- --crashes` also lets each process die a
/// second time on its way back.)
#[test]
fn a_crash_at_every_step() {
    let all = CrashPoints::count(&CAST, 1, 0).unwrap();
    assert!(all.points.len() > 120, "{} points", all.points.len());
    let count = u64::try_from(all.points.len()).unwrap();
    let verdicts = on_all_cores(count, |number| {
        let point = all.points[usize::try_from(number).unwrap()];
        all.run(&CAST, point, false)
    });
    verdicts.iter().for_each(passes);
    // Some crashes of the server cost the attempt; of the members one may die without that.
    assert!(verdicts.iter().all(|verdict| verdict.sums >= 1));
}
