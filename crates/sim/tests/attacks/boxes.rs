//! Boxes that do not open: they cost a share, blame nobody, and no mask.

use std::collections::BTreeSet;

use tacita_protocol::messages::{ClientMessage, SealedBox, ServerMessage, SharersMessage};
use tacita_protocol::{Abort, Refusal, RoundError};
use tacita_sim::{Report, Script};

use crate::views::arcs;
use crate::{against, exact, flipped, four, nothing_exposed, private, refused, ring, run};

/// (dealer, holder) as reported with the uploads, and as the server lists them.
#[track_caller]
fn suspects(report: &Report) -> BTreeSet<(usize, usize)> {
    let ends = report.sent.iter().filter_map(|sent| match sent.message() {
        Ok(ClientMessage::UploadEnd(end)) => Some((sent.from, end)),
        _ => None,
    });
    let reported: BTreeSet<(usize, usize)> = ends
        .flat_map(|(holder, end)| {
            let dealers: Vec<u16> = end.suspects.as_slice().to_vec();
            dealers
                .into_iter()
                .map(move |dealer| (usize::from(dealer), holder))
        })
        .collect();
    let listed = report.views[0]
        .suspects
        .iter()
        .map(|(d, h)| (usize::from(*d), usize::from(*h)));
    assert_eq!(listed.collect::<BTreeSet<_>>(), reported);
    reported
}

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

fn corrupt(sealed: &SealedBox, at: usize) -> SealedBox {
    SealedBox {
        ciphertext: flipped(sealed.ciphertext.as_slice(), at).into(),
        ..sealed.clone()
    }
}

/// Failure: a box that is damaged anywhere opens, ends the round, or takes a mask with it on one side.
#[test]
fn damaged_box() {
    let length = 64 + 32 * 3 + 16;
    for at in [0, 31, 32, 63, 64, 95, 96, length - 1] {
        let report = edited(|sharers| {
            assert_eq!(sharers.boxes[1].ciphertext.len(), length);
            sharers.boxes[1] = corrupt(&sharers.boxes[1], at);
        });
        assert_eq!(suspects(&report), [(2, 0)].into(), "byte {at}");
        refused(&report, &[], &Refusal::NotAMember);
        exact(&report, &[0, 1, 2, 3]);
        private(&report);
    }
}

/// Failure: a box that is missing, cut, empty, for another holder or of another dealer opens or ends the round.
#[test]
fn misplaced_boxes() {
    let report = edited(|sharers| sharers.boxes = sharers.boxes.as_slice()[1..].to_vec().into());
    assert_eq!(suspects(&report), [(1, 0)].into());
    exact(&report, &[0, 1, 2, 3]);
    let report = edited(|sharers| sharers.boxes[0].ciphertext = Vec::new().into());
    assert_eq!(suspects(&report), [(1, 0)].into());
    exact(&report, &[0, 1, 2, 3]);
    let report = edited(|sharers| {
        let cut = sharers.boxes[0].ciphertext.as_slice().to_vec();
        sharers.boxes[0].ciphertext = cut[..cut.len() - 1].to_vec().into();
    });
    assert_eq!(suspects(&report), [(1, 0)].into());
    exact(&report, &[0, 1, 2, 3]);
    let report = edited(|sharers| {
        let (one, two) = (
            sharers.boxes[0].ciphertext.clone(),
            sharers.boxes[1].ciphertext.clone(),
        );
        sharers.boxes[0].ciphertext = two;
        sharers.boxes[1].ciphertext = one;
    });
    assert_eq!(suspects(&report), [(1, 0), (2, 0)].into());
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
    // Boxes of strangers are not looked at.
    let report = edited(|sharers| {
        let mut boxes = sharers.boxes.as_slice().to_vec();
        boxes.push(SealedBox {
            peer: 77,
            share_ciphertext: Vec::new().into(),
            ciphertext: vec![1; 80].into(),
        });
        sharers.boxes = boxes.into();
    });
    assert!(suspects(&report).is_empty());
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
}

/// Failure: boxes that all fail leave anything but a clean end; the masks themselves still cancel.
#[test]
fn no_box_opens() {
    let attack = Script::new().edit(|_, _, message| {
        if let ServerMessage::Sharers(sharers) = message {
            let corrupted: Vec<SealedBox> = sharers.boxes.as_slice().iter().map(|b| corrupt(b, 5)).collect();
            sharers.boxes = corrupted.into();
        }
    });
    let report = run(&mut four(), attack);
    assert_eq!(suspects(&report).len(), 12);
    match report.result() {
        Err(RoundError::Abort(Abort::TooFewShares {
            dealer: 0,
            have: 1,
            need: 3,
            suspect: 3,
            ..
        })) => {}
        other => panic!("{:?}", other.err()),
    }
    nothing_exposed(&report);
}

/// Failure: boxes corrupted in one direction between two arcs of the ring cut the arcs apart, so that each arc's sum
/// could be unmasked by itself; or the pairs are not listed as suspects.
#[test]
fn corrupted_in_one_direction_between_two_arcs() {
    let (first, second) = arcs(&mut ring());
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Sharers(sharers), true) = (message, first.contains(&to)) {
            let corrupted = sharers.boxes.as_slice().iter().map(|sealed| {
                let across = second.contains(&usize::from(sealed.peer));
                if across {
                    corrupt(sealed, 1)
                } else {
                    sealed.clone()
                }
            });
            sharers.boxes = corrupted.collect::<Vec<_>>().into();
        }
    });
    let report = run(&mut ring(), attack);
    refused(&report, &[], &Refusal::NotAMember);
    let suspects = suspects(&report);
    assert!(!suspects.is_empty());
    assert!(
        suspects
            .iter()
            .all(|(dealer, holder)| second.contains(dealer) && first.contains(holder))
    );
    // Next to the cut half of the holders are lost, and with them the secret.
    match report.result() {
        Err(RoundError::Abort(Abort::TooFewShares {
            dealer,
            have,
            need,
            suspect,
            ..
        })) => {
            assert!(have < need && *suspect > 0);
            let of_dealer = suspects
                .iter()
                .filter(|(d, _)| d == &usize::from(*dealer))
                .count();
            assert_eq!(usize::from(*suspect), of_dealer);
        }
        other => panic!("{:?}", other.err()),
    }
    nothing_exposed(&report);
}

/// Failure: a few boxes corrupted in one direction change the sum.
#[test]
fn a_few_corrupted_between_two_arcs() {
    let (first, second) = arcs(&mut ring());
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Sharers(sharers), true) = (message, first.contains(&to)) {
            // One box for each member of the first arc that has a neighbour across.
            let at = sharers
                .boxes
                .as_slice()
                .iter()
                .position(|b| second.contains(&usize::from(b.peer)));
            if let Some(at) = at {
                sharers.boxes[at] = corrupt(&sharers.boxes[at], 9);
            }
        }
    });
    let report = run(&mut ring(), attack);
    assert!(!suspects(&report).is_empty());
    match report.result() {
        Ok(_) => exact(&report, &(0..66).collect::<Vec<_>>()),
        Err(RoundError::Abort(Abort::TooFewShares { suspect, .. })) => assert!(*suspect > 0),
        Err(other) => panic!("{other}"),
    }
    private(&report);
}
