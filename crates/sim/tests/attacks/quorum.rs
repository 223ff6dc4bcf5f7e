//! What does not make a quorum.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::certificates::CertificateCache;
use tacita_protocol::messages::{ClientMessage, RevealRequest, ServerMessage};
use tacita_protocol::{Refusal, labels};
use tacita_sim::{Plan, Report, Script, Stage, World, forge};

use crate::{FIVE, against, exact, flipped, four, private, refused, ring, run};

fn edited(edit: impl Fn(&mut RevealRequest)) -> Report {
    run(
        &mut four(),
        against(&[0], move |_, _, message| {
            if let ServerMessage::Reveal(request) = message {
                edit(request);
            }
        }),
    )
}

/// Member 0 reveals nothing; the shares of the other three suffice.
#[track_caller]
fn member_0_refuses(report: &Report, reason: &Refusal) {
    refused(report, &[0], reason);
    exact(report, &[0, 1, 2, 3]);
    assert_eq!(report.result().unwrap().responders, 3);
    private(report);
}

/// Failure: one signature counts as often as it is repeated.
#[test]
fn padded_with_copies() {
    let report = edited(|request| {
        let own = request.signatures[0];
        request.signatures = vec![own; 3].into();
    });
    member_0_refuses(&report, &Refusal::StatementSignature);
    // Or the same signature beyond the bitmap.
    let report = edited(|request| {
        let mut all = request.signatures.as_slice().to_vec();
        all.push(all[0]);
        request.signatures = all.into();
    });
    member_0_refuses(&report, &Refusal::StatementSignature);
}

/// Failure: a signature by a key outside the roster counts.
#[test]
fn padded_with_a_stranger() {
    let statement = Cell::new(None);
    let attack = Script::new()
        .more_to_server(|at| {
            statement.set(at.views[0].statement().or(statement.get()));
            Vec::new()
        })
        .edit(|_, to, message| {
            if let (ServerMessage::Reveal(request), 0) = (message, to) {
                let key = &FIVE.member(4).unwrap().key;
                let foreign = forge::sign(key, labels::STATEMENT_SIGNATURE, &statement.get().unwrap());
                let last = request.signatures.len() - 1;
                request.signatures[last] = foreign;
            }
        });
    member_0_refuses(&run(&mut four(), attack), &Refusal::StatementSignature);
}

/// Failure: a signature over another statement, or over this one under another label, counts.
#[test]
fn signatures_of_another_purpose() {
    for (label, flip) in [(labels::UPLOAD, 0u8), (labels::STATEMENT_SIGNATURE, 1)] {
        let statement = Cell::new(None);
        let attack = Script::new()
            .more_to_server(|at| {
                statement.set(at.views[0].statement().or(statement.get()));
                Vec::new()
            })
            .edit(|at, to, message| {
                if let (ServerMessage::Reveal(request), 0) = (message, to) {
                    let mut digest = statement.get().unwrap();
                    digest[0] ^= flip;
                    // Member 1 is a colluder that signs whatever it is told to.
                    request.signatures[1] = forge::sign(&at.cast.member(1).unwrap().key, label, &digest);
                }
            });
        member_0_refuses(&run(&mut four(), attack), &Refusal::StatementSignature);
    }
}

/// Failure: a forged signature counts, or one made up by swapping two.
#[test]
fn padded_with_a_forgery() {
    for at in [0, 32, 63] {
        let report = edited(|request| {
            request.signatures[2] = flipped(&request.signatures[2], at).try_into().unwrap();
        });
        member_0_refuses(&report, &Refusal::StatementSignature);
    }
    let report = edited(|request| {
        let (a, b) = (request.signatures[1], request.signatures[2]);
        request.signatures = vec![request.signatures[0], b, a].into();
    });
    member_0_refuses(&report, &Refusal::StatementSignature);
    member_0_refuses(
        &edited(|request| request.signatures[2] = [0; 64]),
        &Refusal::StatementSignature,
    );
}

/// Failure: another signature than the member's own stands in its place.
#[test]
fn own_signature_replaced() {
    let report = edited(|request| {
        let second = request.signatures[1];
        request.signatures[0] = second;
    });
    member_0_refuses(&report, &Refusal::StatementSignature);
}

/// Failure: fewer than Q signatures pass, or a bitmap that names more than are there.
#[test]
fn below_the_quorum() {
    let report = edited(|request| {
        request.signers = vec![0x03].into();
        request.signatures = request.signatures.as_slice()[..2].to_vec().into();
    });
    member_0_refuses(&report, &Refusal::NoQuorum(2, 3));
    for bitmap in [vec![0x03], vec![0x0f], vec![], vec![0x1f], vec![0x0f, 0]] {
        let report = edited(|request| request.signers = bitmap.clone().into());
        member_0_refuses(&report, &Refusal::StatementSignature);
    }
}

/// Runs a ring in which member 0 is asked with exactly these signers; `pick` chooses from (index, neighbour or not).
fn ring_asked_with(world: &mut World, pick: impl Fn(Vec<(u16, bool)>) -> Vec<u16>) -> Report {
    let signatures: RefCell<BTreeMap<u16, [u8; 64]>> = RefCell::default();
    let attack = Script::new()
        .from_clients(|at, from, message| {
            if let ClientMessage::Agreement(agreement) = &message {
                let index = at.views[0].index_of(at.cast, from).unwrap();
                signatures.borrow_mut().insert(index, agreement.signature);
            }
            vec![message]
        })
        .edit(|at, to, message| {
            if let (ServerMessage::Reveal(request), 0) = (message, to) {
                let roster = at.views[0].roster().unwrap();
                let near = roster.neighbours(0);
                let signatures = signatures.borrow();
                let all = signatures.keys().map(|i| (*i, near.contains(i))).collect();
                let picked = Bitmap::from_indices(roster.size(), pick(all));
                request.signatures = picked
                    .indices()
                    .map(|i| signatures[&i])
                    .collect::<Vec<_>>()
                    .into();
                request.signers = picked.bytes().to_vec().into();
            }
        });
    run(world, attack)
}

/// Failure: on the ring, a quorum without t of a member's own neighbours moves it to reveal; or exactly t do not.
#[test]
fn quorum_without_own_neighbours() {
    let t = usize::try_from(ring().setting().parameters().unwrap().threshold).unwrap();
    let with = |near: usize| {
        move |all: Vec<(u16, bool)>| -> Vec<u16> {
            let neighbours = all.iter().filter(|(_, n)| *n).take(near);
            let others = all.iter().filter(|(i, n)| !*n && *i != 0).take(35);
            neighbours.chain(others).map(|(i, _)| *i).chain([0]).collect()
        }
    };
    let report = ring_asked_with(&mut ring(), with(t - 1));
    let short = u16::try_from(t - 1).unwrap();
    refused(&report, &[0], &Refusal::NoLocalQuorum(short, short + 1));
    assert!(report.result().is_ok());
    private(&report);
    let report = ring_asked_with(&mut ring(), with(t));
    refused(&report, &[], &Refusal::NotAMember);
    private(&report);
}

/// Failure: on the ring, a quorum of neighbours alone, below Q in all, moves a member to reveal.
#[test]
fn quorum_of_neighbours_alone() {
    let report = ring_asked_with(&mut ring(), |all| {
        all.iter()
            .filter(|(i, near)| *near || *i == 0)
            .map(|(i, _)| *i)
            .collect()
    });
    let have = u16::try_from(ring().setting().parameters().unwrap().neighbours).unwrap() + 1;
    refused(&report, &[0], &Refusal::NoQuorum(have, 35));
    assert!(report.result().is_ok());
    private(&report);
}

/// Failure: a signer counts whose certificate the member has never seen.
#[test]
fn signer_never_shown() {
    let mut world = ring();
    // Member 0 has its own memory of certificates, and the server keeps back those of the signers.
    let own = |member: usize, p: &mut tacita_protocol::client::Participant| {
        if member == 0 {
            p.cache = Arc::new(CertificateCache::default());
        }
    };
    let plan = Plan {
        adjust: Some(Box::new(own)),
        ..Plan::new()
    };
    let first = Cell::new(0);
    let mut attack = Script::new().to_clients(|at, to, message| {
        if to == 0 && at.stage == Stage::Reveal {
            let roster = at.views[0].roster().unwrap();
            let near = roster.neighbours(0);
            if let ServerMessage::Reveal(request) = &message {
                let signers = Bitmap::decode(66, request.signers.as_slice()).unwrap();
                first.set(signers.indices().find(|i| *i != 0 && !near.contains(i)).unwrap());
            }
            if matches!(message, ServerMessage::Certificates(_)) {
                return Vec::new();
            }
        }
        vec![message]
    });
    let report = world.run(&plan, &mut attack).unwrap();
    drop(attack);
    refused(&report, &[0], &Refusal::UnknownSigner(first.get()));
    assert!(report.result().is_ok());
    private(&report);
    // Shown, all is well.
    let report = ring().run_honest(&plan).unwrap();
    refused(&report, &[], &Refusal::NotAMember);
    private(&report);
}

/// Failure: a signer whose certificate was revoked meanwhile counts.
#[test]
fn signer_revoked() {
    let mut world = ring();
    let near = RefCell::new(Vec::new());
    let mut look = Script::new().edit(|at, to, message| {
        if let (ServerMessage::Roster(_), 0) = (&message, to) {
            *near.borrow_mut() = at.views[0].roster().unwrap().neighbours(0);
        }
    });
    world.run(&Plan::new(), &mut look).unwrap();
    drop(look);
    // Of the same attempt in an equal world: the lowest that is no neighbour is among the signers shown.
    let far = (1..66u16).find(|i| !near.borrow().contains(i)).unwrap();
    let deny = crate::RING.deny_list([usize::from(far)]).unwrap();
    let adjust = move |member: usize, p: &mut tacita_protocol::client::Participant| {
        if member == 0 {
            p.deny = deny.clone().into();
        }
    };
    let plan = Plan {
        adjust: Some(Box::new(adjust)),
        ..Plan::new()
    };
    let report = ring().run_honest(&plan).unwrap();
    refused(&report, &[0], &Refusal::UnknownSigner(far));
    assert!(report.result().is_ok());
    private(&report);
}
