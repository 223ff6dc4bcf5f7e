//! P7, P16 and P21: what ties a round's values to that round, and to one vector.

use std::collections::BTreeSet;

use curve25519_dalek::montgomery::MontgomeryPoint;
use tacita_algebra::TaggedHash;
use tacita_protocol::messages::{Advertise, ClientMessage, ServerMessage, SharersMessage};
use tacita_protocol::{Refusal, labels};
use tacita_sim::forge::ForgedSharers;
use tacita_sim::{Moment, Plan, Report, Script, Stage, State};

use crate::desk::{derive, packed, sent, watch};
use crate::{LONG, UNIFORM, chi_square, exact, four, long, private, refused};

/// A round with a given id; everything that members draw depends on `seed` alone.
fn round(seed: u64, round_id: [u8; 32]) -> Report {
    let plan = Plan {
        updates: (0..4).map(|member| (member, vec![0.0; LONG as usize])).collect(),
        round_id: Some(round_id),
        ..Plan::new()
    };
    let report = long(seed).run_honest(&plan).unwrap();
    exact(&report, &[0, 1, 2, 3]);
    report
}

fn advertised(report: &Report, member: usize) -> Advertise {
    let advertise = sent(report, member).find_map(|(_, message)| match message {
        ClientMessage::Advertise(advertise) => Some(advertise),
        _ => None,
    });
    advertise.unwrap()
}

fn ciphertexts(report: &Report, member: usize) -> Vec<Vec<u8>> {
    let shares = sent(report, member).find_map(|(_, message)| match message {
        ClientMessage::Shares(shares) => Some(shares),
        _ => None,
    });
    let boxes = shares.unwrap().boxes;
    boxes
        .as_slice()
        .iter()
        .map(|b| b.ciphertext.as_slice().to_vec())
        .collect()
}

/// Failure: keys do not depend on the round. A machine that repeats its randomness, as one restored from a snapshot does,
/// would then mask two updates alike and seal two different boxes under one key.
#[test]
fn pitfall_07_repeated_randomness_gives_other_keys_in_another_round() {
    let (a, b) = (round(21, [1; 32]), round(21, [2; 32]));
    let same = round(21, [1; 32]);
    for member in 0..4 {
        // The randomness is repeated, or the rest says nothing.
        assert_eq!(packed(&a, member), packed(&same, member));
        assert_eq!(advertised(&a, member).share_key, advertised(&b, member).share_key);
        assert_eq!(a.clients[member].encoded, b.clients[member].encoded);

        assert_ne!(advertised(&a, member).mask_key, advertised(&b, member).mask_key);
        let (first, second) = (packed(&a, member), packed(&b, member));
        let x = chi_square(first.iter().zip(&second).map(|(a, b)| a ^ b));
        assert!(UNIFORM.contains(&x), "{x}");
        for (first, second) in ciphertexts(&a, member).iter().zip(ciphertexts(&b, member)) {
            let equal = first.iter().zip(&second).filter(|(a, b)| a == b).count();
            assert!(equal < 16, "{equal} bytes of {} in common", first.len());
        }
    }
}

/// Failure: a key, nonce or secret of one round comes again in another.
#[test]
fn pitfall_16_nothing_advertised_comes_again() {
    let mut world = four(23);
    let mut values = BTreeSet::new();
    for _ in 0..5 {
        let report = world.run_honest(&Plan::new()).unwrap();
        for member in 0..4 {
            let a = advertised(&report, member);
            values.extend([a.mask_key, a.share_key, a.nonce]);
        }
    }
    assert_eq!(values.len(), 5 * 4 * 3);
}

/// Failure: the mask secret of a drop-out, which the server rebuilds, opens the member's next round.
#[test]
fn pitfall_16_a_dropouts_secret_is_worth_nothing_in_the_next_round() {
    let mut world = four(24);
    let plan = Plan {
        vanish: [(3, Moment::AfterShare)].into(),
        ..Plan::new()
    };
    let first = watch(&mut world, &plan);
    exact(&first.report, &[0, 1, 2]);
    let secret = *first.rebuilt(3).to_bytes();
    let second = watch(&mut world, &Plan::new());
    exact(&second.report, &[0, 1, 2, 3]);
    // Derive(M, a, H(label; M)), and its public key.
    let public = |report: &Report| {
        let manifest = report.manifest.digest();
        let info = TaggedHash::new(labels::MASK_KEY).bytes(manifest).finish();
        MontgomeryPoint::mul_base_clamped(derive(manifest, &secret, &info)).to_bytes()
    };
    assert_eq!(public(&first.report), advertised(&first.report, 3).mask_key);
    assert_ne!(public(&second.report), advertised(&second.report, 3).mask_key);
    assert_ne!(public(&first.report), advertised(&second.report, 3).mask_key);
    private(&second.report);
}

/// Failure: a member's advertisement of an earlier round is taken in its name in a later one.
#[test]
fn pitfall_16_an_old_advertisement_is_not_taken_again() {
    let mut world = four(25);
    let first = world.run_honest(&Plan::new()).unwrap();
    let old = advertised(&first, 3);
    let mut attack = Script::new().from_clients(|_, from, message| match message {
        ClientMessage::Advertise(_) if from == 3 => vec![ClientMessage::Advertise(old.clone())],
        _ => vec![message],
    });
    let report = world.run(&Plan::new(), &mut attack).unwrap();
    drop(attack);
    assert_eq!(
        report.turned(0),
        [&Refusal::AdvertisementSignature(u16::MAX).into()]
    );
    exact(&report, &[0, 1, 2]);
    private(&report);
}

fn without_member_3(sharers: &SharersMessage) -> ServerMessage {
    let mut forged = ForgedSharers::of(4, sharers);
    forged.roots.remove(&3);
    ServerMessage::Sharers(forged.message(|_| true, sharers.boxes.as_slice().to_vec()))
}

/// Failure: asked again, a member masks again: with fresh rounding or noise under the same masks, or with the same vector
/// under other masks. The difference of the two would be in the open.
#[test]
fn pitfall_21_a_retry_sends_the_same_bytes_or_none() {
    for other in [false, true] {
        let mut attack = Script::new().to_clients(|at, _, message| match &message {
            ServerMessage::Sharers(sharers) if at.stage == Stage::Sharers => {
                let second = if other {
                    without_member_3(sharers)
                } else {
                    message.clone()
                };
                vec![message.clone(), second]
            }
            _ => vec![message],
        });
        let report = long(26).run(&Plan::new(), &mut attack).unwrap();
        drop(attack);
        for member in 0..4 {
            let chunks: Vec<ClientMessage> = sent(&report, member)
                .filter(|(stage, _)| *stage == Stage::Sharers)
                .map(|(_, message)| message)
                .collect();
            if other {
                assert_eq!(report.refusal(member), Some(&Refusal::Repeated("sharers")));
                assert_eq!(chunks.len(), 5, "one upload: four chunks and the end");
            } else {
                let (first, again) = chunks.split_at(chunks.len() / 2);
                assert_eq!((first.len(), first), (5, again), "byte for byte");
            }
        }
        private(&report);
    }
}

/// Failure: after a crash in the middle of an upload a member masks again in the same attempt, or, in the next one, with
/// anything that it used before.
#[test]
fn pitfall_21_after_a_crash_the_attempt_is_over() {
    let mut world = long(27);
    let update = vec![0.0; LONG as usize];
    let plan = |round_id| Plan {
        vanish: [(0, Moment::AfterUpload)].into(),
        updates: [(0, update.clone())].into(),
        round_id: Some(round_id),
        ..Plan::new()
    };
    let first = world.run_honest(&plan([5; 32])).unwrap();
    assert_eq!(world.record(0).unwrap().spent().len(), 1);
    // The same attempt, as the server likes to have it: not a byte.
    let mut again = Script::new().edit(|at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            invitation.manifest.round_id = [5; 32];
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
    });
    let report = world.run(&plan([9; 32]), &mut again).unwrap();
    refused(&report, &[0, 1, 2, 3], &Refusal::RoundReplayed);
    assert!(report.sent.is_empty());
    // Another one: other masks over the same vector.
    let next = world.run_honest(&plan([6; 32])).unwrap();
    exact(&next, &[0, 1, 2, 3]);
    assert_eq!(next.clients[0].state, State::Masked);
    let x = chi_square(
        packed(&first, 0)
            .into_iter()
            .zip(packed(&next, 0))
            .map(|(a, b)| a ^ b),
    );
    assert!(UNIFORM.contains(&x), "{x}");
    private(&next);
}
