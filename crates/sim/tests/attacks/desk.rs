//! What the server itself checks of its ledger before it asks for a share: members would refuse the same, after the charge.

use std::sync::Arc;

use tacita_ledger::{Charge, Entry};
use tacita_protocol::messages::ProvenEntry;
use tacita_protocol::server::CommittedCharge;
use tacita_protocol::{Refusal, RoundError};
use tacita_sim::{Plan, Report, State, View};

use crate::{exact, flipped, four, nothing_exposed, private};

/// A round in which the ledger desk brings back something else than it was given.
fn brought(edit: impl Fn(&View, &mut CommittedCharge) + Send + Sync + 'static) -> Report {
    let plan = Plan {
        desk: Some(Arc::new(edit)),
        ..Plan::new()
    };
    four().run_honest(&plan).unwrap()
}

/// The server goes no further: nobody is asked for a share.
#[track_caller]
fn asks_nobody(report: &Report, reason: Refusal) {
    match report.result() {
        Err(RoundError::Refusal(refusal)) => assert_eq!(*refusal, reason),
        Err(error) => panic!("ended with {error}"),
        Ok(_) => panic!("ended with a sum"),
    }
    assert!(report.clients.iter().all(|client| client.state == State::Agreed));
    nothing_exposed(report);
}

/// A head over other entries than the ledger's, and both entries proven under it.
fn forged(view: &View, committed: &mut CommittedCharge, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut entries = view.ledger().entries().to_vec();
    edit(&mut entries);
    let forged = view.ledger().forge(entries).unwrap();
    committed.checkpoint = forged.checkpoint.clone();
    committed.manifest = forged.proven(committed.manifest.index);
    committed.charge = forged.proven(committed.charge.index);
}

/// The same, the reserve or the charge being edited.
fn other_entry(which: fn(&View) -> u64, edit: fn(&mut Entry)) -> Report {
    brought(move |view, committed| {
        forged(view, committed, |entries| {
            let at = usize::try_from(which(view)).unwrap();
            let mut entry = Entry::decode(&entries[at]).unwrap();
            edit(&mut entry);
            entries[at] = entry.encode().unwrap();
        });
    })
}

fn reserve(view: &View) -> u64 {
    view.reserved()
}

fn charge(view: &View) -> u64 {
    view.charged().unwrap()
}

#[test]
fn the_committed_charge_is_taken() {
    let report = brought(|_, _| {});
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
    // Proofs under a forged head of the very entries are as good: what refuses below is what was edited.
    let report = brought(|view, committed| forged(view, committed, |_| {}));
    exact(&report, &[0, 1, 2, 3]);
}

/// Failure: the server asks for shares on a head that members will not take for the log's.
#[test]
fn head_of_another_key() {
    let report = brought(|_, committed| {
        let last = committed.checkpoint.len() - 3;
        committed.checkpoint[last] ^= 1;
    });
    asks_nobody(&report, Refusal::CheckpointSignature);
    let report = brought(|_, committed| committed.checkpoint.clear());
    asks_nobody(&report, Refusal::CheckpointSignature);
}

/// Failure: the server asks for shares before manifest and charge are in the ledger.
#[test]
fn entries_that_are_not_under_the_head() {
    let edits: [fn(&mut ProvenEntry); 3] = [
        |entry| entry.index += 1,
        |entry| entry.proof = vec![[0; 32]; 65].into(),
        |entry| entry.bytes = flipped(entry.bytes.as_slice(), 9).into(),
    ];
    for edit in edits {
        let report = brought(move |_, committed| edit(&mut committed.charge));
        asks_nobody(&report, Refusal::LedgerInclusion);
        let report = brought(move |_, committed| edit(&mut committed.manifest));
        asks_nobody(&report, Refusal::LedgerInclusion);
    }
}

/// Failure: the server asks for shares on a charge of another round, statement or list of uploads.
#[test]
fn a_charge_that_is_not_the_one() {
    fn edited(edit: fn(&mut Charge)) -> impl Fn(&mut Entry) {
        move |entry| match entry {
            Entry::Charge(charge) => edit(charge),
            other => panic!("{other:?}"),
        }
    }
    let report = other_entry(charge, |entry| edited(|charge| charge.round += 1)(entry));
    asks_nobody(&report, Refusal::Charge);
    let report = other_entry(charge, |entry| {
        edited(|charge| charge.round_id = "00".repeat(32))(entry)
    });
    asks_nobody(&report, Refusal::Charge);
    let report = other_entry(charge, |entry| {
        edited(|charge| charge.uploads_root = "00".repeat(32))(entry);
    });
    asks_nobody(&report, Refusal::Charge);
    // Another list of survivors, all its digests right.
    let report = brought(|view, committed| {
        let Ok(Entry::Charge(honest)) = Entry::decode(committed.charge.bytes.as_slice()) else {
            panic!("the charge")
        };
        let other = crate::charge::of_survivors(view, &honest, &[0, 1, 2]);
        let at = usize::try_from(charge(view)).unwrap();
        forged(view, committed, |entries| entries[at] = other);
    });
    asks_nobody(&report, Refusal::Charge);
}

/// Failure: the reserve in the ledger is not looked into, and is of another manifest: the report would be of that one.
#[test]
fn a_reserve_of_another_manifest() {
    let edits: [fn(&mut Entry); 4] = [
        |entry| of(entry).colluders = 0,
        |entry| of(entry).grid *= 2,
        |entry| of(entry).round += 1,
        |entry| of(entry).model_digest = "00".repeat(32),
    ];
    for edit in edits {
        asks_nobody(&other_entry(reserve, edit), Refusal::Charge);
    }
}

fn of(entry: &mut Entry) -> &mut tacita_ledger::Manifest {
    match entry {
        Entry::Manifest(manifest) => manifest,
        other => panic!("{other:?}"),
    }
}

/// Failure: what stands for the reserve or the charge is an entry of another kind, or none, or stands in the wrong order.
#[test]
fn entries_of_another_kind_or_order() {
    let report = brought(|_, committed| std::mem::swap(&mut committed.manifest, &mut committed.charge));
    asks_nobody(&report, Refusal::Charge);
    let report = brought(|_, committed| committed.manifest = committed.charge.clone());
    asks_nobody(&report, Refusal::Charge);
    let report = brought(|_, committed| committed.charge = committed.manifest.clone());
    asks_nobody(&report, Refusal::Charge);
    for which in [reserve, charge] {
        let report = brought(move |view, committed| {
            let at = usize::try_from(which(view)).unwrap();
            forged(view, committed, |entries| entries[at] = b"{}".to_vec());
        });
        asks_nobody(&report, Refusal::Charge);
    }
    // The charge stands before the reserve.
    let report = brought(|view, committed| {
        let (first, second) = (reserve(view), charge(view));
        forged(view, committed, |entries| {
            entries.swap(usize::try_from(first).unwrap(), usize::try_from(second).unwrap());
        });
        std::mem::swap(&mut committed.manifest, &mut committed.charge);
    });
    asks_nobody(&report, Refusal::Charge);
}
