//! What a sharers list may not say, on the complete graph of four.

use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::messages::{AgreeRequest, ServerMessage, SharersMessage};
use tacita_protocol::{Abort, Refusal};
use tacita_sim::forge::ForgedSharers;
use tacita_sim::{Report, Script, Stage};

use crate::{aborted, against, exact, four, nothing_exposed, private, refused, run, turned};

fn edited(edit: impl Fn(&mut SharersMessage)) -> Report {
    run(
        &mut four(),
        against(&[0], move |_, _, message| {
            if let ServerMessage::Sharers(sharers) = message {
                edit(sharers);
            }
        }),
    )
}

fn reforged(edit: impl Fn(&mut ForgedSharers)) -> Report {
    edited(move |sharers| {
        let mut forged = ForgedSharers::of(4, sharers);
        edit(&mut forged);
        *sharers = forged.message(|_| true, sharers.boxes.as_slice().to_vec());
    })
}

#[track_caller]
fn member_0_refuses(report: &Report, reason: &Refusal) {
    refused(report, &[0], reason);
    exact(report, &[1, 2, 3]);
    private(report);
}

/// Failure: the spec's formulas, written a second time, do not give the list that the server built.
#[test]
fn the_forger_knows_the_formulas() {
    let report = reforged(|_| {});
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
}

/// Failure: a bitmap of another length, or with spare bits, passes.
#[test]
fn malformed_bitmap() {
    let reason = Refusal::Sharers("bitmap length or spare bits");
    for bitmap in [vec![], vec![0x1f], vec![0x0f, 0], vec![0xff]] {
        member_0_refuses(
            &edited(|sharers| sharers.sharers = bitmap.clone().into()),
            &reason,
        );
    }
}

/// Failure: a client masks although it is not in U1, or not with what it shared.
#[test]
fn not_as_it_shared() {
    member_0_refuses(
        &edited(|sharers| sharers.sharers = vec![0x0e].into()),
        &Refusal::NotASharer,
    );
    let report = reforged(|forged| forged.roots.get_mut(&0).unwrap().root[0] ^= 1);
    member_0_refuses(&report, &Refusal::NotASharer);
    let report = reforged(|forged| forged.roots.get_mut(&0).unwrap().self_commitment[0] ^= 1);
    member_0_refuses(&report, &Refusal::NotASharer);
}

/// Failure: the server may hide a neighbour that the bitmap names, or show one that it does not.
#[test]
fn entries_and_bitmap_differ() {
    let reason = Refusal::Sharers("entries are not this client's neighbourhood within U1");
    let report = edited(|sharers| {
        let kept = sharers
            .entries
            .as_slice()
            .iter()
            .filter(|e| e.index != 2)
            .cloned();
        sharers.entries = kept.collect::<Vec<_>>().into();
    });
    member_0_refuses(&report, &reason);
    member_0_refuses(&edited(|sharers| sharers.sharers = vec![0x07].into()), &reason);
}

/// Failure: a commitment counts that its dealer did not sign, or that is not under the root.
#[test]
fn forged_commitment() {
    let report = reforged(|forged| forged.roots.get_mut(&2).unwrap().root[0] ^= 1);
    member_0_refuses(&report, &Refusal::SharerEntry(2));
    let report = reforged(|forged| {
        let of_3 = forged.roots[&3].clone();
        forged.roots.insert(2, of_3);
    });
    member_0_refuses(&report, &Refusal::SharerEntry(2));
    let report = edited(|sharers| sharers.entries[3].proof = Vec::new().into());
    member_0_refuses(&report, &Refusal::SharerEntry(3));
    let report = edited(|sharers| sharers.merkle_root[0] ^= 1);
    member_0_refuses(&report, &Refusal::SharerEntry(0));
}

/// Failure: a client uploads although fewer than t holders of its shares are in U1, so that a drop-out's mask could
/// never be taken off again.
#[test]
fn too_few_holders() {
    let report = reforged(|forged| forged.roots.retain(|index, _| *index < 2));
    member_0_refuses(&report, &Refusal::TooFewHolders(2, 3));
}

/// Failure: two sharers lists, one for each half, end in a sum or in an exposed update.
#[test]
fn different_lists_on_one_graph() {
    // Members 0 and 1 are told that all shared, 2 and 3 that member 0 did not.
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Sharers(sharers), 2..) = (message, to) {
            let mut forged = ForgedSharers::of(4, sharers);
            forged.roots.remove(&0);
            *sharers = forged.message(|_| true, sharers.boxes.as_slice().to_vec());
        }
    });
    let report = run(&mut four(), attack);
    // Uploads name the U1 that they were masked for.
    turned(&report, 0, &[Refusal::UploadSignature, Refusal::UploadSignature]);
    aborted(&report, Abort::TooFewSurvivors(2, 3));
    nothing_exposed(&report);
    // A server that goes on all the same: members 2 and 3 sign nothing, as a U2 with member 0 is not within their U1.
    let attack = Script::new()
        .edit(|_, to, message| {
            if let (ServerMessage::Sharers(sharers), 2..) = (message, to) {
                let mut forged = ForgedSharers::of(4, sharers);
                forged.roots.remove(&0);
                *sharers = forged.message(|_| true, sharers.boxes.as_slice().to_vec());
            }
        })
        .more_to_clients(|at| {
            let survivors = Bitmap::from_indices(4, 0..4).bytes().to_vec().into();
            let request = AgreeRequest { survivors };
            let asked = if at.stage == Stage::Agree { 0..4 } else { 0..0 };
            asked
                .map(|member| (member, ServerMessage::Agree(request.clone())))
                .collect()
        });
    let report = run(&mut four(), attack);
    refused(&report, &[2, 3], &Refusal::Survivors("not within U1"));
    nothing_exposed(&report);
}
