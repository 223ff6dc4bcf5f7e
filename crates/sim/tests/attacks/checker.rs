//! The checker itself: `private` is worth what it notices.

use std::cell::RefCell;

use tacita_protocol::Refusal;
use tacita_protocol::messages::{ClientMessage, ServerMessage, SharersMessage};
use tacita_sim::forge::ForgedSharers;
use tacita_sim::{Cast, Knowledge, Moment, Plan, Report, Script, Setting, SimError, Stage, World, plain};

use crate::{FOUR, exact, four, nothing_exposed, private, run, turned};

fn with_colluders(colluders: &[usize], plan: &Plan<'_>) -> Report {
    four()
        .run(plan, &mut Script::new().colluders(colluders.iter().copied()))
        .unwrap()
}

/// Failure: more colluders than the round withstands go unnoticed. Three of them hold t shares of everything.
#[test]
fn too_many_colluders_are_noticed() {
    let report = with_colluders(&[1, 2, 3], &Plan::new());
    assert_eq!(report.knowledge.exposed(), [[0].into()]);
    // They need no reveal: it is enough that the victim uploaded.
    let early = Plan {
        vanish: [(0, Moment::AfterUpload)].into(),
        ..Plan::new()
    };
    assert_eq!(
        with_colluders(&[1, 2, 3], &early).knowledge.exposed(),
        [[0].into()]
    );
    let earlier = Plan {
        vanish: [(0, Moment::AfterShare)].into(),
        ..Plan::new()
    };
    nothing_exposed(&with_colluders(&[1, 2, 3], &earlier));
}

/// Failure: what is left of the sum after colluders take their own parts out is not what the checker says is exposed.
#[test]
fn the_sum_of_honest_members_is_what_is_exposed() {
    let report = with_colluders(&[3], &Plan::new());
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(report.knowledge.exposed(), [[0, 1, 2].into()]);
    let report = with_colluders(&[2, 3], &Plan::new());
    assert_eq!(report.knowledge.exposed(), [[0, 1].into()]);
}

/// Failure: a holder that reveals shares of both kinds, or shares of nothing, goes unnoticed.
#[test]
fn double_and_foreign_reveals_are_noticed() {
    // Two honest runs of one world up to Agree: in the first member 3 is a drop-out, in the second a survivor, so that a
    // holder reveals its mask share in one and its self-mask share in the other.
    let reveals = |moment: Moment| {
        let plan = Plan {
            vanish: [(3, moment)].into(),
            round_id: Some([5; 32]),
            ..Plan::new()
        };
        four().run_honest(&plan).unwrap()
    };
    let (dropped, survived) = (reveals(Moment::AfterShare), reveals(Moment::AfterUpload));
    assert_eq!(dropped.manifest.digest(), survived.manifest.digest());
    let mut knowledge: Knowledge = dropped.knowledge.clone();
    assert!(knowledge.double_reveals().is_empty());
    let of_member_0 = |report: &Report| {
        let message = report
            .sent
            .iter()
            .find(|s| s.from == 0 && s.stage == Stage::Reveal)
            .unwrap()
            .message();
        match message {
            Ok(ClientMessage::Reveal(reveal)) => reveal,
            other => panic!("{other:?}"),
        }
    };
    knowledge.revealed(0, &of_member_0(&survived));
    assert_eq!(knowledge.double_reveals(), [(3, 0)]);
    assert_eq!(knowledge.unclassified(), 0);
    let mut foreign = of_member_0(&survived);
    let mut shares = foreign.shares.as_slice().to_vec();
    shares[1].value[0] ^= 1;
    foreign.shares = shares.into();
    knowledge.revealed(0, &foreign);
    assert_eq!(knowledge.unclassified(), 1);
}

/// Failure: a mask that is on one side of a pair only is taken to cancel.
#[test]
fn one_sided_masks_hide() {
    // An honest round, of which member 3's list of sharers is kept.
    let kept: RefCell<Option<SharersMessage>> = RefCell::default();
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Sharers(sharers), 3) = (message, to) {
            *kept.borrow_mut() = Some(sharers.clone());
        }
    });
    let report = run(&mut four(), attack);
    exact(&report, &[0, 1, 2, 3]);
    let mut knowledge = report.knowledge.clone();
    assert_eq!(knowledge.exposed(), [[0, 1, 2, 3].into()]);
    // Had it masked without member 0, which masked with it, one mask would stay in every sum.
    let sharers = kept.borrow_mut().take().unwrap();
    let mut forged = ForgedSharers::of(4, &sharers);
    forged.roots.remove(&0);
    knowledge.masked(3, &forged.message(|_| true, Vec::new()));
    assert!(knowledge.exposed().is_empty(), "{:?}", knowledge.exposed());
    assert_eq!(FOUR.len(), 4);
}

/// Failure: an upload that was masked for another list of sharers than the server's gets into its sum.
#[test]
fn an_upload_for_other_sharers_is_turned_away() {
    // Member 3 is told that member 0 did not share, so that it does not mask with it; the others are not told so.
    let attack = Script::new().edit(|_, to, message| {
        if let (ServerMessage::Sharers(sharers), 3) = (message, to) {
            let mut forged = ForgedSharers::of(4, sharers);
            forged.roots.remove(&0);
            *sharers = forged.message(|_| true, sharers.boxes.as_slice().to_vec());
        }
    });
    let report = run(&mut four(), attack);
    turned(&report, 0, &[Refusal::UploadSignature]);
    exact(&report, &[0, 1, 2]);
    private(&report);
}

/// Failure: members whose chance starts over, as in a virtual machine that was put back, use one-time values again, and the
/// round ends as if nothing were.
#[test]
fn chance_that_starts_over_is_noticed() {
    let mut world = four();
    world.rewind(9);
    exact(&world.run_honest(&Plan::new()).unwrap(), &[0, 1, 2, 3]);
    world.rewind(9);
    // Another round id, or the members would know it as spent.
    let plan = Plan {
        round_id: Some([5; 32]),
        ..Plan::new()
    };
    let Err(SimError::Checker(text)) = world.run_honest(&plan) else {
        panic!("nothing was noticed");
    };
    for what in ["a nonce", "a key", "a KEM key", "a KEM ciphertext"] {
        assert!(text.contains(&format!("{what} was used a second time")), "{text}");
    }
    assert!(text.contains("member 3 gave a second dealing"), "{text}");
}

/// Failure: the secrets that the world looks for are not those that members draw, so that it would never find one. Of all of
/// them shares are drawn last, and they are seen in the end.
#[test]
fn canaries_are_what_members_draw() {
    let ring = || {
        let cast = std::sync::Arc::new(Cast::new(66, 3).unwrap());
        World::new(cast, Setting::new(66, 2, 60), 1).unwrap()
    };
    for (mut world, members) in [(four(), 4), (ring(), 66)] {
        let plan = Plan {
            vanish: [(1, Moment::AfterShare)].into(),
            ..Plan::new()
        };
        let survivors: Vec<usize> = (0..members).filter(|member| *member != 1).collect();
        let report = world.run_honest(&plan).unwrap();
        let sum = report.result().unwrap();
        assert!(plain::is_exact(&report, sum) && sum.survivors == survivors);
        let (known, all) = world.shares_known();
        // Each survivor reveals one share of each neighbour, on the complete graph one of its own too.
        assert!(all >= 3 * survivors.len() as u64, "{all}");
        assert_eq!(known, all);
    }
}
