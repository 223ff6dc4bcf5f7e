//! Dishonest dealers and holders: named when what they did proves it, and never able to change the sum unnoticed.

use std::cell::RefCell;

use tacita_algebra::SecretScalar;
use tacita_protocol::messages::{
    AgreeRequest, ClientMessage, RevealRequest, RosterMessage, ServerMessage, SharersMessage,
};
use tacita_protocol::{Abort, Refusal, RoundError};
use tacita_sim::{Moment, Plan, Report, Script, Stage, State};

use crate::rogue::{Deal, Rogue};
use crate::{FOUR, aborted, exact, four, nothing_exposed, private, refused, run};

/// Member 3 runs its own program, which uploads or is gone after dealing.
fn with_rogue(deal: Deal, uploads: bool) -> Report {
    played(3, deal, uploads).0
}

/// As [`with_rogue`] for any member, with the roster as it saw it.
pub(crate) fn played(number: usize, deal: Deal, uploads: bool) -> (Report, RosterMessage) {
    let rogue = RefCell::new(Rogue::new(FOUR.member(number).unwrap(), deal));
    let roster: RefCell<Option<RosterMessage>> = RefCell::default();
    let sharers: RefCell<Option<SharersMessage>> = RefCell::default();
    let attack = Script::new()
        .colluders([number])
        .to_clients(|_, to, message| {
            if to != number {
                return vec![message];
            }
            match message {
                ServerMessage::Roster(message) => *roster.borrow_mut() = Some(message),
                ServerMessage::Sharers(message) => *sharers.borrow_mut() = Some(message),
                _ => {}
            }
            Vec::new()
        })
        .more_to_server(|at| {
            let mut rogue = rogue.borrow_mut();
            let (roster, sharers) = (roster.borrow(), sharers.borrow());
            let said = match (at.stage, roster.as_ref()) {
                (Stage::Invite, _) => vec![ClientMessage::Advertise(rogue.advertise(at.manifest.digest()))],
                (Stage::Roster, Some(roster)) => {
                    vec![ClientMessage::Shares(rogue.shares(at.manifest, roster))]
                }
                (Stage::Sharers, Some(roster)) if uploads => {
                    rogue.upload(at.manifest, roster, sharers.as_ref().unwrap())
                }
                _ => Vec::new(),
            };
            said.into_iter().map(|message| (number, message)).collect()
        });
    let report = run(&mut four(), attack);
    refused(&report, &[], &Refusal::NotAMember);
    assert!(report.turned(0).is_empty(), "{:?}", report.turned(0));
    (report, roster.into_inner().unwrap())
}

fn named() -> Abort {
    Abort::DishonestDealer {
        dealer: 3,
        name: FOUR.member(3).unwrap().name.clone(),
    }
}

/// Failure: the member of these tests, when it plays by the rules, is not taken for honest.
#[test]
fn the_rogue_can_be_honest() {
    let report = with_rogue(Deal::Honest, false);
    exact(&report, &[0, 1, 2]);
    private(&report);
    // Its upload is noise, so the sum is as well; but the round ends.
    let report = with_rogue(Deal::Honest, true);
    assert_eq!(report.result().unwrap().survivors, [0, 1, 2, 3]);
    private(&report);
}

/// Failure: shares of another self-mask secret than the committed one unmask to a wrong sum, or blame a holder.
#[test]
fn shares_of_another_self_secret() {
    let report = with_rogue(Deal::OtherSelfSecret, true);
    aborted(&report, named());
    private(&report);
    // As a drop-out its self-mask secret is not needed.
    let report = with_rogue(Deal::OtherSelfSecret, false);
    exact(&report, &[0, 1, 2]);
    private(&report);
}

/// Failure: shares of another mask secret than that of the advertised key leave masks in the sum, or blame a holder.
#[test]
fn shares_of_another_mask_secret() {
    let report = with_rogue(Deal::OtherMaskSecret, false);
    aborted(&report, named());
    private(&report);
}

/// Failure: a mask ciphertext that the mask secret does not give leaves a mask in the sum when its maker drops out, or is
/// not told apart from an honest one.
#[test]
fn mask_ciphertexts_of_other_randomness() {
    // The member of the smallest fingerprint makes the ciphertexts of all its pairs.
    let fingerprint = |member: &usize| FOUR.member(*member).unwrap().certificate.fingerprint;
    let number = (0..4).min_by_key(fingerprint).unwrap();
    let (report, _) = played(number, Deal::OtherRandomness, false);
    let dishonest = Abort::DishonestDealer {
        dealer: u16::try_from(number).unwrap(),
        name: FOUR.member(number).unwrap().name.clone(),
    };
    aborted(&report, dishonest);
    private(&report);
    // Playing by the rules in the same place, it is a drop-out like any other.
    let (report, _) = played(number, Deal::Honest, false);
    let others: Vec<usize> = (0..4).filter(|other| *other != number).collect();
    exact(&report, &others);
    private(&report);
    // As a survivor it has told its peers the secret all the same, and hurts nobody.
    let (report, _) = played(number, Deal::OtherRandomness, true);
    assert_eq!(report.result().unwrap().survivors, [0, 1, 2, 3]);
    private(&report);
}

/// Failure: a mask KEM key that the mask secret does not give is taken for an honest one when its owner drops out, and
/// masks that were agreed on with it are taken off wrongly.
#[test]
fn mask_kem_key_of_another_secret() {
    let report = with_rogue(Deal::OtherKemKey, false);
    aborted(&report, named());
    private(&report);
}

/// Failure: shares on no polynomial are accepted because their leaves are good.
#[test]
fn shares_on_no_polynomial() {
    for uploads in [false, true] {
        let report = with_rogue(Deal::NoPolynomial, uploads);
        aborted(&report, named());
        private(&report);
    }
}

/// Failure: a dealer that spoils one holder's box ends that holder's round, or is not suspected.
#[test]
fn one_box_spoiled() {
    for deal in [Deal::WrongPath, Deal::NotCanonical] {
        let report = with_rogue(deal, false);
        // Holders 1 and 2 have their shares; with the one of holder 0 the threshold of 3 would be met.
        let abort = Abort::TooFewShares {
            dealer: 3,
            name: FOUR.member(3).unwrap().name.clone(),
            have: 2,
            need: 3,
            wrong: 0,
            suspect: 1,
        };
        aborted(&report, abort);
        private(&report);
    }
}

/// Replaces the value of one share that member 3 reveals, by another good scalar.
fn wrong_share(dealer: u16) -> Script<'static> {
    Script::new().edit_back(move |_, from, message| {
        if let (ClientMessage::Reveal(reveal), 3) = (message, from) {
            let mut shares = reveal.shares.as_slice().to_vec();
            let share = shares.iter_mut().find(|share| share.dealer == dealer).unwrap();
            let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(1);
            share.value = *SecretScalar::random(&mut rng).to_bytes();
            reveal.shares = shares.into();
        }
    })
}

/// Failure: a wrong but well-formed share changes the sum, or blames the dealer.
#[test]
fn wrong_share_blames_the_holder() {
    let report = run(&mut four(), wrong_share(1));
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(
        report.result().unwrap().blamed,
        [Refusal::ShareCommitment { dealer: 1, holder: 3 }]
    );
    private(&report);
    // Of its own secret as well: on the complete graph it holds a share of that.
    let report = run(&mut four(), wrong_share(3));
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(
        report.result().unwrap().blamed,
        [Refusal::ShareCommitment { dealer: 3, holder: 3 }]
    );
    private(&report);
    // With nobody to spare, the round ends, and says whose secret is missing.
    let plan = Plan {
        vanish: [(2, Moment::AfterSign)].into(),
        ..Plan::new()
    };
    let report = four().run(&plan, &mut wrong_share(1)).unwrap();
    let name = FOUR.member(1).unwrap().name.clone();
    aborted(
        &report,
        Abort::TooFewShares {
            dealer: 1,
            name,
            have: 2,
            need: 3,
            wrong: 1,
            suspect: 0,
        },
    );
    private(&report);
}

/// Failure: the share of the other kind, or one for another holder, counts.
#[test]
fn share_of_the_other_kind() {
    // What member 2 was dealt by member 1 is put into the mouth of member 3.
    let stolen = RefCell::new(None);
    let attack = Script::new().edit_back(|_, from, message| {
        if let ClientMessage::Reveal(reveal) = message {
            let mut shares = reveal.shares.as_slice().to_vec();
            match from {
                2 => *stolen.borrow_mut() = shares.iter().find(|share| share.dealer == 1).cloned(),
                3 => {
                    let at = shares.iter().position(|share| share.dealer == 1).unwrap();
                    shares[at] = stolen.borrow().clone().unwrap();
                    reveal.shares = shares.into();
                }
                _ => {}
            }
        }
    });
    let report = run(&mut four(), attack);
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(
        report.result().unwrap().blamed,
        [Refusal::ShareCommitment { dealer: 1, holder: 3 }]
    );
    private(&report);
    // A share of somebody outside U1.
    let attack = Script::new().edit_back(|_, from, message| {
        if let (ClientMessage::Reveal(reveal), 3) = (message, from) {
            let mut shares = reveal.shares.as_slice().to_vec();
            shares[3].dealer = 9;
            reveal.shares = shares.into();
        }
    });
    let report = run(&mut four(), attack);
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(
        report.result().unwrap().blamed,
        [Refusal::ShareCommitment { dealer: 9, holder: 3 }]
    );
    private(&report);
}

/// Failure: after its answer a member gives shares again for another U2, and with them both secrets of somebody.
#[test]
fn both_shares_asked_for() {
    let attack = Script::new().to_clients(|at, _, message| match &message {
        ServerMessage::Reveal(request) if at.stage == Stage::Reveal => {
            // First as agreed, then the same again, then for {0, 1, 2} by way of a new agree request, then once
            // more with other signers.
            let again = AgreeRequest {
                survivors: vec![0x07].into(),
            };
            let other = RevealRequest {
                signers: vec![0x0e].into(),
                ..request.as_ref().clone()
            };
            vec![
                message.clone(),
                message.clone(),
                ServerMessage::Agree(again),
                ServerMessage::Reveal(Box::new(other)),
            ]
        }
        _ => vec![message],
    });
    let report = run(&mut four(), attack);
    let answers: Vec<_> = report
        .sent
        .iter()
        .filter(|sent| matches!(sent.message(), Ok(ClientMessage::Reveal(_))))
        .map(|sent| (sent.from, sent.frame.clone()))
        .collect();
    assert_eq!(
        answers.len(),
        8,
        "the identical request is answered again, with identical bytes"
    );
    assert!(answers.chunks(2).all(|pair| pair[0] == pair[1]));
    refused(&report, &[0, 1, 2, 3], &Refusal::Unexpected("agree request"));
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
}

/// Failure: after a restart the process asks its record nothing, and deals, masks, signs or reveals again in a round
/// that is on record.
#[test]
fn both_shares_asked_for_after_a_restart() {
    let mut world = four();
    let plan = Plan {
        vanish: [(0, Moment::AfterSign)].into(),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(report.clients[0].state, State::Agreed);
    let (round_id, statement) = {
        let record = world.record(0).unwrap();
        assert_eq!((record.spent().len(), record.signed().len()), (1, 1));
        record.signed().iter().map(|(id, s)| (*id, *s)).next().unwrap()
    };
    // The restarted process remembers no keys. The server invites it into the same attempt again: it refuses, and a
    // reveal request for that attempt is nothing it expects.
    let attack = Script::new().to_clients(|at, to, mut message| {
        if let (ServerMessage::Invitation(invitation), 0) = (&mut message, to) {
            invitation.manifest.round_id = round_id;
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
        vec![message]
    });
    let report = run(&mut world, attack);
    refused(&report, &[0], &Refusal::RoundReplayed);
    assert!(!report.sent.iter().any(|sent| sent.from == 0), "not a byte");
    exact(&report, &[1, 2, 3]);
    private(&report);
    let record = world.record(0).unwrap();
    assert_eq!(record.signed().get(&round_id), Some(&statement));
    assert_eq!(record.spent().len(), 1);
}

/// Failure: an upload of a member that vanished half way is added, or its secrets are.
#[test]
fn vanished_inside_the_upload() {
    let attack = || {
        Script::new().from_clients(|_, from, message| {
            // The last part never arrives.
            if from == 2 && matches!(message, ClientMessage::UploadEnd(_)) {
                Vec::new()
            } else {
                vec![message]
            }
        })
    };
    let report = run(&mut four(), attack());
    exact(&report, &[0, 1, 3]);
    let (self_known, mask_known) = report.knowledge.secrets_known();
    assert!(!self_known.contains(&2) && mask_known.contains(&2));
    private(&report);
    // One more is one too many.
    let plan = Plan {
        vanish: [(1, Moment::AfterShare)].into(),
        ..Plan::new()
    };
    let report = four().run(&plan, &mut attack()).unwrap();
    assert_eq!(
        report.result().unwrap_err(),
        &RoundError::Abort(Abort::TooFewSurvivors(2, 3))
    );
    nothing_exposed(&report);
}
