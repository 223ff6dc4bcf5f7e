//! F31, F32, F34, F35: the server or a member dies at any step of a round of four, or any write of either fails, and what
//! was made durable is all that is left.

use tacita_sim::faults::{Mishap, Mishaps, Party};

use crate::{CAST, on_all_cores, passes};

/// Failure: a crash before some write or message of the server or of a member, or a write that fails, leads to a wrong sum,
/// a second mask, a second noised vector, both shares of one member, a charge that is lost or made twice, a ledger that does
/// not verify, or to a task that never completes a round again. (`cargo run --release -p tacita-sim -- --mishaps` also lets
/// each process die a second time on its way back.)
#[test]
fn a_crash_at_every_step_and_every_write_fails() {
    let mishaps = Mishaps::count(&CAST, 1, 0).unwrap();
    let of_hub = |mishap: &&Mishap| matches!(mishap, Mishap::Death(Party::Hub, ..));
    let failed = |mishap: &&Mishap| matches!(mishap, Mishap::FailedWrite(..));
    let (total, hub) = (mishaps.all.len(), mishaps.all.iter().filter(of_hub).count());
    let failed = mishaps.all.iter().filter(failed).count();
    assert!(hub > 60 && failed > 30 && total > 170, "{hub} {failed} {total}");
    let verdicts = on_all_cores(u64::try_from(total).unwrap(), |number| {
        mishaps.run(&CAST, mishaps.all[usize::try_from(number).unwrap()], false)
    });
    verdicts.iter().for_each(passes);
    assert!(verdicts.iter().all(|verdict| verdict.sums >= 1));
}
