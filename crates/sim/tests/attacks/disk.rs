//! The server's disk under uploads in flight: full, failing, lying. It costs one upload or the attempt, never a wrong sum.

use tacita_protocol::messages::ClientMessage;
use tacita_protocol::spool::SpoolError;
use tacita_protocol::{Abort, Refusal};
use tacita_sim::{Disk, Plan, Report, Script, State};

use crate::{aborted, exact, four, nothing_exposed, private, turned};

fn on(disk: Disk) -> Report {
    let plan = Plan { disk, ..Plan::new() };
    four().run_honest(&plan).unwrap()
}

/// Failure: an upload that found no room is counted, or costs others theirs.
#[test]
fn no_room_for_one_upload() {
    let space = || SpoolError("no space left".to_owned());
    // One byte less than an upload takes: nobody fits, and the attempt ends cleanly.
    let upload = four()
        .run_honest(&Plan::new())
        .unwrap()
        .manifest
        .bits()
        .packed_len(16);
    let report = on(Disk::of(upload - 1));
    aborted(&report, Abort::TooFewSurvivors(0, 3));
    nothing_exposed(&report);
    let refused = report.turned(0);
    assert!(refused.contains(&&Refusal::NoRoom(space()).into()), "{refused:?}");
    // Room for one at a time, and member 2 is slow to end: member 3 finds none, by name, and the round goes on without it.
    let one = || Plan {
        disk: Disk::of(upload),
        ..Plan::new()
    };
    let held = std::cell::RefCell::new(None);
    let mut attack = Script::new()
        .from_clients(|_, from, message| match (&message, from) {
            (ClientMessage::UploadEnd(_), 2) => {
                held.replace(Some(message));
                Vec::new()
            }
            _ => vec![message],
        })
        .more_to_server(|_| held.take().map(|end| (2, end)).into_iter().collect());
    let report = four().run(&one(), &mut attack).unwrap();
    turned(&report, 0, &[Refusal::NoRoom(space()), Refusal::Chunk(0)]);
    exact(&report, &[0, 1, 2]);
    private(&report);
    // Enough for one: they come one after another, and all are in.
    let report = four().run_honest(&one()).unwrap();
    exact(&report, &[0, 1, 2, 3]);
    turned(&report, 0, &[]);
    private(&report);
}

/// Failure: bytes that changed on the disk, or a part of them, end in a sum.
#[test]
fn bytes_do_not_come_back() {
    let report = on(Disk::flipping(2));
    let changed = SpoolError("the bytes changed while they were stored".to_owned());
    aborted(&report, Abort::Spool(2, changed));
    nothing_exposed(&report);
    let report = on(Disk::losing(2));
    aborted(
        &report,
        Abort::Spool(2, SpoolError("the disk is gone".to_owned())),
    );
    nothing_exposed(&report);
    assert!(report.clients.iter().all(|client| client.state == State::Masked));
}

/// Failure: a dealing that found no room admits its dealer to U1, or one that changed on the disk reaches its holder, who would
/// blame the dealer, or a sum.
#[test]
fn dealings_do_not_fit_or_come_back() {
    let report = on(Disk::of_dealings(100));
    aborted(&report, Abort::TooFewSharers(0, 3));
    nothing_exposed(&report);
    let full = Refusal::NoRoom(SpoolError("no space left".to_owned()));
    assert!(report.turned(0).contains(&&full.into()));
    // The first byte is in the box of member 0 for member 1.
    let report = on(Disk::flipping_dealings(0));
    let changed = SpoolError("the bytes changed while they were stored".to_owned());
    aborted(&report, Abort::Spool(0, changed));
    nothing_exposed(&report);
}
