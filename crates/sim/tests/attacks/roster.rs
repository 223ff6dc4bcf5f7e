//! What a roster may not say, on the complete graph of four.

use std::sync::Arc;

use tacita_protocol::messages::{ClientMessage, RosterMessage, ServerMessage};
use tacita_protocol::{Abort, Refusal};
use tacita_sim::forge::{self, ForgedRoster};
use tacita_sim::{Cast, NOW, Plan, Report, Script, Setting, Stage, World};

use crate::{
    FIVE, FOUR, aborted, against, exact, five, four, nothing_exposed, private, refused, run, turned,
};

/// These members are shown a roster with edited entries, committed to anew, so that all proofs hold.
fn reforged<'a>(victims: &'a [usize], edit: impl Fn(usize, &mut ForgedRoster) + 'a) -> Script<'a> {
    against(victims, move |_, to, message| {
        if let ServerMessage::Roster(roster) = message {
            let mut forged = ForgedRoster::of(roster);
            edit(to, &mut forged);
            *roster = forged.message();
        }
    })
}

/// Member 0 is shown an edited roster message, proofs as they were.
fn edited(edit: impl Fn(&mut RosterMessage)) -> Report {
    run(
        &mut four(),
        against(&[0], move |_, _, message| {
            if let ServerMessage::Roster(roster) = message {
                edit(roster);
            }
        }),
    )
}

#[track_caller]
fn member_0_refuses(report: &Report, reason: &Refusal) {
    refused(report, &[0], reason);
    exact(report, &[1, 2, 3]);
    private(report);
}

/// Failure: the spec's formulas, written a second time, do not give the roster that the server built.
#[test]
fn the_forger_knows_the_formulas() {
    let honest = reforged(&[0, 1, 2, 3], |_, _| {});
    let report = run(&mut four(), honest);
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
}

/// Failure: somebody accepts keys that the server put in place of a member's own.
#[test]
fn substituted_keys() {
    let report = run(
        &mut four(),
        reforged(&[0, 1, 2, 3], |_, roster| {
            roster.entries[1].advertise.mask_key = [9; 32];
            roster.entries[1].advertise.share_key = [9; 32];
        }),
    );
    for member in [0, 2, 3] {
        assert_eq!(report.refusal(member), Some(&Refusal::AdvertisementSignature(1)));
    }
    assert_eq!(report.refusal(1), Some(&Refusal::OwnAdvertisement));
    aborted(&report, Abort::TooFewSharers(0, 3));
    nothing_exposed(&report);
}

/// Failure: an advertisement counts that its certificate signed for another round.
#[test]
fn advertisement_of_another_round() {
    let report = run(
        &mut four(),
        against(&[0], |at, _, message| {
            if let ServerMessage::Roster(roster) = message {
                let member = at.cast.member(2).unwrap();
                let mut forged = ForgedRoster::of(roster);
                let fingerprint = member.certificate.fingerprint;
                forged.entries[2].advertise = forge::advertise(
                    &member.key,
                    &[7; 32],
                    &fingerprint,
                    ([9; 32], [9; 32]),
                    forge::ANY_KEM,
                    [0; 32],
                );
                *roster = forged.message();
            }
        }),
    );
    member_0_refuses(&report, &Refusal::AdvertisementSignature(2));
}

/// Failure: a certificate of another authority vouches for substituted keys.
#[test]
fn certificate_of_another_authority() {
    let foreign = Cast::new(1, 99).unwrap();
    // The other authority certifies the name of member 1 for a key of the server's.
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(3);
    let posing = foreign
        .certify(&FOUR.member(1).unwrap().name, NOW, &mut rng)
        .unwrap();
    let der: Vec<u8> = posing.der.to_vec();
    let attack = Script::new().to_clients(|at, to, mut message| {
        if to != 0 {
            return vec![message];
        }
        let mut out = Vec::new();
        if let ServerMessage::Roster(roster) = &mut message {
            let mut forged = ForgedRoster::of(roster);
            let fingerprint = posing.certificate.fingerprint;
            forged.entries[1].fingerprint = fingerprint;
            forged.entries[1].advertise = forge::advertise(
                &posing.key,
                at.manifest.digest(),
                &fingerprint,
                ([9; 32], [9; 32]),
                forge::ANY_KEM,
                [0; 32],
            );
            *roster = forged.message();
            out.push(ServerMessage::Certificates(vec![der.clone().into()].into()));
        }
        out.push(message);
        out
    });
    let report = run(&mut four(), attack);
    member_0_refuses(&report, &Refusal::Certificate(1, "was not shown".to_owned()));
}

/// Failure: a valid certificate of one member vouches for the identity of another.
#[test]
fn certificate_of_another_member() {
    let report = run(
        &mut four(),
        against(&[0], |at, _, message| {
            if let ServerMessage::Roster(roster) = message {
                // Member 3 colludes and signs in the place of member 1.
                let member = at.cast.member(3).unwrap();
                let fingerprint = member.certificate.fingerprint;
                let mut forged = ForgedRoster::of(roster);
                forged.entries[1].fingerprint = fingerprint;
                forged.entries[1].advertise = forge::advertise(
                    &member.key,
                    at.manifest.digest(),
                    &fingerprint,
                    ([9; 32], [9; 32]),
                    forge::ANY_KEM,
                    [0; 32],
                );
                *roster = forged.message();
            }
        }),
    );
    let name = &FOUR.member(3).unwrap().name;
    member_0_refuses(
        &report,
        &Refusal::Certificate(1, format!("is of '{name}', another name")),
    );
}

/// Failure: a client deals shares to a revoked member.
#[test]
fn revoked_certificate() {
    let deny = FOUR.deny_list([2]).unwrap();
    let adjust = move |member: usize, p: &mut tacita_protocol::client::Participant| {
        if member == 0 {
            p.deny = deny.clone().into();
        }
    };
    let plan = Plan {
        adjust: Some(Box::new(adjust)),
        ..Plan::new()
    };
    let report = four().run_honest(&plan).unwrap();
    let name = &FOUR.member(2).unwrap().name;
    member_0_refuses(&report, &Refusal::Certificate(2, format!("'{name}' is revoked")));
}

/// Failure: certificates count after their last second.
#[test]
fn expired_certificates() {
    let mut world = four();
    world.set_now(NOW + 24 * 3600 + 1);
    let report = world.run_honest(&Plan::new()).unwrap();
    for member in 0..4u16 {
        // Each names the first neighbour that it looks at.
        let first = u16::from(member == 0);
        let name = &FOUR.member(usize::from(first)).unwrap().name;
        let reason = Refusal::Certificate(first, format!("'{name}' is not valid now"));
        assert_eq!(report.refusal(usize::from(member)), Some(&reason));
    }
    nothing_exposed(&report);
}

/// Failure: a client goes on with a roster in which its own keys are others, or its own certificate is.
#[test]
fn own_entry_changed() {
    let report = run(
        &mut four(),
        reforged(&[0], |_, roster| roster.entries[0].advertise.nonce[0] ^= 1),
    );
    member_0_refuses(&report, &Refusal::OwnAdvertisement);
    let report = run(
        &mut four(),
        reforged(&[0], |_, roster| roster.entries[0].fingerprint[0] ^= 1),
    );
    member_0_refuses(&report, &Refusal::OwnAdvertisement);
}

/// Failure: a client goes on with a roster that leaves it out.
#[test]
fn own_entry_missing() {
    let report = run(
        &mut four(),
        reforged(&[0], |_, roster| {
            roster.entries.remove(0);
            (0u16..)
                .zip(&mut roster.entries)
                .for_each(|(index, entry)| entry.index = index);
        }),
    );
    member_0_refuses(&report, &Refusal::OwnAdvertisement);
}

/// Failure: one name sits in the roster twice, whether through two connections or by the server's hand.
#[test]
fn one_name_twice() {
    // Its own cast: a second certificate of a name would show in the shared memory of certificates.
    let cast = Arc::new(Cast::new(4, 21).unwrap());
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(4);
    let name = cast.member(2).unwrap().name.clone();
    let second = cast.certify(&name, NOW, &mut rng).unwrap();
    assert_eq!(
        second.certificate.identity,
        cast.member(2).unwrap().certificate.identity
    );
    // A second connection under the same name advertises other keys: turned down.
    let digest = std::cell::Cell::new([0; 32]);
    let again = Script::new().more_to_server(|at| {
        digest.set(*at.manifest.digest());
        let other = forge::advertise(
            &second.key,
            at.manifest.digest(),
            &second.certificate.fingerprint,
            ([9; 32], [8; 32]),
            forge::ANY_KEM,
            [0; 32],
        );
        if at.stage == Stage::Invite {
            vec![(2, ClientMessage::Advertise(other))]
        } else {
            Vec::new()
        }
    });
    let mut world = World::new(cast.clone(), Setting::new(4, 1, 3), 1).unwrap();
    let report = run(&mut world, again);
    turned(&report, 0, &[Refusal::Changed]);
    exact(&report, &[0, 1, 2, 3]);
    private(&report);

    // The server itself lists the name twice, both certificates valid.
    let doubled = Script::new().to_clients(|at, _, mut message| {
        let mut out = Vec::new();
        if let ServerMessage::Roster(roster) = &mut message {
            let mut forged = ForgedRoster::of(roster);
            let mut copy = forged.entries[2].clone();
            copy.fingerprint = second.certificate.fingerprint;
            copy.advertise = forge::advertise(
                &second.key,
                at.manifest.digest(),
                &copy.fingerprint,
                ([9; 32], [8; 32]),
                forge::ANY_KEM,
                [0; 32],
            );
            // In place of member 3, so that n' stays within n.
            copy.index = 3;
            forged.entries[3] = copy;
            *roster = forged.message();
            out.push(ServerMessage::Certificates(
                vec![second.der.to_vec().into()].into(),
            ));
        }
        out.push(message);
        out
    });
    let mut world = World::new(cast, Setting::new(4, 1, 3), 1).unwrap();
    let report = run(&mut world, doubled);
    for member in 0..4 {
        let reason = Refusal::Roster("identities are not strictly rising");
        assert_eq!(report.refusal(member), Some(&reason), "member {member}");
    }
    nothing_exposed(&report);
}

/// Failure: the order of a roster is the server's to choose.
#[test]
fn roster_out_of_order() {
    let report = run(&mut four(), reforged(&[0], |_, roster| roster.entries.swap(2, 3)));
    member_0_refuses(&report, &Refusal::Roster("identities are not strictly rising"));
}

/// Failure: a roster below m or above n is accepted.
#[test]
fn roster_of_another_size() {
    let reason = Refusal::Roster("size outside max(m, k + 1) to n");
    let report = run(
        &mut four(),
        reforged(&[0], |_, roster| roster.entries.truncate(2)),
    );
    member_0_refuses(&report, &reason);
    let report = edited(|roster| {
        let mut identities = roster.identities.as_slice().to_vec();
        identities.extend([0xff; 32]);
        roster.identities = identities.into();
    });
    member_0_refuses(&report, &reason);
}

/// Failure: an entry counts that is not under the root.
#[test]
fn entry_not_under_the_root() {
    let report = edited(|roster| roster.entries[1].advertise.nonce[0] ^= 1);
    member_0_refuses(&report, &Refusal::RosterProof(1));
    let report = edited(|roster| roster.entries[3].proof = Vec::new().into());
    member_0_refuses(&report, &Refusal::RosterProof(3));
    // A proof longer than any roster needs is not even tried.
    let report = edited(|roster| roster.entries[3].proof = vec![[0; 32]; 500].into());
    member_0_refuses(&report, &Refusal::RosterProof(3));
}

/// Failure: an entry may name another identity than the list that everybody hashes.
#[test]
fn entry_of_another_identity() {
    let report = edited(|roster| {
        let other = roster.entries[2].identity;
        roster.entries[1].identity = other;
    });
    member_0_refuses(
        &report,
        &Refusal::Roster("an entry names another identity than the list"),
    );
}

/// Failure: the server may choose who is whose neighbour.
#[test]
fn neighbour_left_out() {
    let without = |index: u16| {
        move |roster: &mut RosterMessage| {
            let kept = roster
                .entries
                .as_slice()
                .iter()
                .filter(|e| e.index != index)
                .cloned();
            roster.entries = kept.collect::<Vec<_>>().into();
        }
    };
    member_0_refuses(&edited(without(2)), &Refusal::Neighbourhood);
    member_0_refuses(&edited(without(0)), &Refusal::Neighbourhood);
    let doubled = |roster: &mut RosterMessage| {
        let mut entries = roster.entries.as_slice().to_vec();
        entries.insert(1, entries[1].clone());
        roster.entries = entries.into();
    };
    member_0_refuses(&edited(doubled), &Refusal::Neighbourhood);
}

/// Failure: a client agrees on secrets with a key of small order, which everybody could compute.
#[test]
fn small_order_keys() {
    let mut one = [0; 32];
    one[0] = 1;
    for (mask_key, share_key) in [
        ([0; 32], [9; 32]),
        ([9; 32], [0; 32]),
        (one, [9; 32]),
        ([9; 32], one),
    ] {
        // Member 3 colludes: it signs such keys itself.
        let report = run(
            &mut four(),
            against(&[0, 1], |at, _, message| {
                if let ServerMessage::Roster(roster) = message {
                    let member = at.cast.member(3).unwrap();
                    let fingerprint = member.certificate.fingerprint;
                    let mut forged = ForgedRoster::of(roster);
                    let own = forged.entries[3].advertise.clone();
                    forged.entries[3].advertise = forge::advertise(
                        &member.key,
                        at.manifest.digest(),
                        &fingerprint,
                        (mask_key, share_key),
                        (own.mask_kem_key.as_slice(), own.share_kem_key.as_slice()),
                        [0; 32],
                    );
                    *roster = forged.message();
                }
            })
            .colluders([3]),
        );
        refused(&report, &[0, 1], &Refusal::WeakKey(3));
        nothing_exposed(&report);
    }
}

/// Failure: members that were shown different rosters are summed together, or one of two rosters loses its members'
/// updates to the server.
#[test]
fn different_rosters() {
    // View 0 has all five and talks to 0 and 1; view 1 leaves member 0 out and talks to 2, 3 and the colluder 4.
    let attack = Script::new().colluders([4]).views(
        2,
        |stage, to| usize::from(stage > Stage::Invite && to >= 2),
        |view, stage, from| view == 0 || stage > Stage::Invite || from > 0,
    );
    let report = run(&mut five(), attack);
    // Share roots bind the roster, so each view hears only those that it talks to.
    for end in &report.views {
        let error = end.result.as_ref().unwrap_err();
        let abort = |have| Abort::TooFewSharers(have, 4).into();
        assert!(*error == abort(2) || *error == abort(3), "{error}");
    }
    assert_eq!(FIVE.len(), 5);
    nothing_exposed(&report);
}
