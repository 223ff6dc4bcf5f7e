//! P4 and P13: who is called a survivor, a drop-out, or neither.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use tacita_ledger::statement_digest;
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::messages::{Agreement, ClientMessage, ServerMessage};
use tacita_protocol::{Refusal, labels, ledger_entries};
use tacita_sim::{Cast, Moment, NOW, Plan, Script, Setting, Stage, World, forge};

use crate::desk::reveals;
use crate::{CAST, exact, four, private, refused};

/// Failure: the server, with a colluder that signs and reveals for whatever it likes, lists one member as a survivor to
/// some and as a drop-out to others, and gets shares of both of its secrets.
#[test]
fn pitfall_04_one_member_on_both_lists() {
    // Members 0 and 1 are told that all survived, member 2 that member 0 dropped out; member 3 is the server's.
    let dead = Bitmap::from_indices(4, [1, 2, 3]);
    let colluder = CAST.member(3).unwrap();
    let (sharers, signed) = (RefCell::new(None), RefCell::new(None));
    let template = RefCell::new(None);
    let attack = Script::new()
        .colluders([3])
        .edit(|_, to, message| match message {
            ServerMessage::Sharers(message) => {
                *sharers.borrow_mut() = Some(forge::sharers_digest(4, message));
            }
            ServerMessage::Agree(request) if to == 2 => request.survivors = dead.bytes().to_vec().into(),
            ServerMessage::Reveal(request) => *template.borrow_mut() = Some(request.clone()),
            _ => {}
        })
        .from_clients(|_, from, message| {
            if let (ClientMessage::Agreement(Agreement { signature }), 2) = (&message, from) {
                *signed.borrow_mut() = Some(*signature);
            }
            vec![message]
        })
        .more_to_clients(|at| {
            if at.stage != Stage::Reveal {
                return Vec::new();
            }
            // In a ledger of its own a charge for the lie, and the two signatures that there are under it.
            let view = &at.views[0];
            let (manifest, root) = (at.manifest.digest(), *view.roster().unwrap().root());
            let sharers = sharers.borrow().unwrap();
            let s = statement_digest(manifest, &root, &sharers, 4, dead.bytes());
            let charge = ledger_entries::charge(at.manifest, &root, &sharers, &dead, &s, &[0; 32], NOW);
            let mut entries = view.ledger().entries().to_vec();
            entries.truncate(usize::try_from(view.reserved()).unwrap() + 1);
            entries.push(charge.encode().unwrap());
            let forked = view.ledger().forge(entries).unwrap();
            let mut request = template.borrow().clone().unwrap();
            request.signers = Bitmap::from_indices(4, [2, 3]).bytes().to_vec().into();
            let own = signed.borrow().unwrap();
            let colluding = forge::sign(&colluder.key, labels::STATEMENT_SIGNATURE, &s);
            request.signatures = vec![own, colluding].into();
            request.checkpoint = forked.checkpoint.clone().into();
            request.consistency = forked.consistency(at.manifest.fields().ledger_size);
            request.manifest = forked.proven(view.reserved());
            request.charge = forked.proven(view.reserved() + 1);
            vec![(2, ServerMessage::Reveal(request))]
        });
    let report = crate::run(&mut four(31), attack);
    // Two of three signatures: what member 2 was told has no quorum, and what the others were told has it without it.
    refused(&report, &[2], &Refusal::NoQuorum(2, 3));
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(
        report.knowledge.secrets_known().1,
        [3].into(),
        "no mask secret but the colluder's"
    );
    private(&report);
}

/// Failure: one answer holds two shares of one dealer, or one of nobody it was asked for.
#[test]
fn pitfall_04_one_share_a_dealer_whatever_the_history() {
    for vanish in [
        Moment::AfterAdvertise,
        Moment::AfterShare,
        Moment::AfterUpload,
        Moment::Never,
    ] {
        let plan = Plan {
            vanish: [(3, vanish)].into(),
            ..Plan::new()
        };
        let report = four(32).run_honest(&plan).unwrap();
        let sharers = if vanish == Moment::AfterAdvertise { 3 } else { 4 };
        for (_, reveal) in reveals(&report) {
            let dealers: Vec<u16> = reveal
                .shares
                .as_slice()
                .iter()
                .map(|share| share.dealer)
                .collect();
            assert_eq!(dealers, (0..sharers).collect::<Vec<u16>>());
        }
        private(&report);
    }
}

/// Failure: a member that joins and is gone before it deals ends the round: the others are asked for shares that they
/// never got, or mask with it.
#[test]
fn pitfall_13_gone_before_dealing() {
    for gone in 0..4 {
        let plan = Plan {
            vanish: [(gone, Moment::AfterAdvertise)].into(),
            ..Plan::new()
        };
        let report = four(33).run_honest(&plan).unwrap();
        let left: Vec<usize> = (0..4).filter(|member| *member != gone).collect();
        exact(&report, &left);
        assert_eq!(reveals(&report).count(), 3);
        for (holder, reveal) in reveals(&report) {
            let dealers: Vec<usize> = reveal
                .shares
                .as_slice()
                .iter()
                .map(|share| usize::from(share.dealer))
                .collect();
            assert_eq!(dealers, left, "holder {holder}");
        }
        assert!(report.turned(0).is_empty());
        private(&report);
    }
}

/// Failure: the same on the ring, with as many that never deal as drop-outs are tolerated.
#[test]
fn pitfall_13_gone_before_dealing_on_the_ring() {
    let cast = Arc::new(Cast::new(66, 73).unwrap());
    let setting = Setting {
        dimension: 128,
        ..Setting::new(66, 2, 60)
    };
    let mut world = World::new(cast, setting, 34).unwrap();
    let gone: BTreeSet<usize> = [3, 11, 12, 40, 41, 65].into();
    let plan = Plan {
        vanish: gone
            .iter()
            .map(|member| (*member, Moment::AfterAdvertise))
            .collect(),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    exact(
        &report,
        &(0..66).filter(|m| !gone.contains(m)).collect::<Vec<_>>(),
    );
    for (_, reveal) in reveals(&report) {
        assert!(
            reveal
                .shares
                .as_slice()
                .iter()
                .all(|s| !gone.contains(&usize::from(s.dealer)))
        );
    }
    private(&report);
}

/// Failure: a server that asks for such a member's shares all the same, as a survivor or as a drop-out, gets any.
#[test]
fn pitfall_13_shares_that_nobody_holds_are_not_asked_for() {
    let plan = Plan {
        vanish: [(3, Moment::AfterAdvertise)].into(),
        ..Plan::new()
    };
    let mut attack = Script::new().edit(|_, _, message| {
        if let ServerMessage::Sharers(sharers) = message {
            // U1 with the member that did not deal.
            sharers.sharers = vec![0x0f].into();
        }
    });
    let report = four(35).run(&plan, &mut attack).unwrap();
    let reason = Refusal::Sharers("entries are not this client's neighbourhood within U1");
    refused(&report, &[0, 1, 2], &reason);
    assert!(report.knowledge.exposed().is_empty());
    assert!(
        report.sent.iter().all(|sent| sent.stage < Stage::Sharers),
        "nobody uploads"
    );
}
