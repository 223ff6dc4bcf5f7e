//! P6 and P14: whom a member has to trust.

use std::collections::BTreeSet;
use std::sync::Arc;

use curve25519_dalek::montgomery::MontgomeryPoint;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::{Abort, Refusal};
use tacita_sim::forge::ForgedRoster;
use tacita_sim::{Backstage, Cast, NOW, Script, Setting, Stage, World};

use crate::desk::{advertise, chance, random};
use crate::{CAST, aborted, four, nothing_exposed, private, run};

/// The relay's own keys, one pair for each member it poses as.
fn own_keys() -> Vec<[u8; 32]> {
    let mut rng = chance(41);
    (0..4)
        .map(|_| MontgomeryPoint::mul_base_clamped(random(&mut rng)).to_bytes())
        .collect()
}

/// A relay between all members: each is shown everybody else with keys of the relay, so that it could open all boxes.
fn relay(
    mut pose: impl FnMut(&Backstage<'_>, usize, &mut ForgedRoster),
) -> impl FnMut(&Backstage<'_>, usize, &mut ServerMessage) {
    move |at, to, message| {
        if let ServerMessage::Roster(roster) = message {
            let mut forged = ForgedRoster::of(roster);
            for other in (0..4).filter(|other| *other != to) {
                pose(at, other, &mut forged);
            }
            *roster = forged.message();
        }
    }
}

/// Failure: keys that the relay put in place of everybody's are used: no signature, that of a colluder, or its
/// certificate, makes them a member's own.
#[test]
fn pitfall_06_a_relay_cannot_substitute_keys() {
    let keys = own_keys();
    let colluder = CAST.member(3).unwrap();
    type Pose<'a> = Box<dyn FnMut(&Backstage<'_>, usize, &mut ForgedRoster) + 'a>;
    let unsigned: Pose<'_> = Box::new(|_, other, roster| {
        roster.entries[other].advertise.mask_key = keys[other];
        roster.entries[other].advertise.share_key = keys[other];
    });
    let signed_by_a_colluder: Pose<'_> = Box::new(|at, other, roster| {
        let key = keys[other];
        roster.entries[other].advertise = advertise(colluder, at.manifest.digest(), key, key);
    });
    let in_a_colluders_name: Pose<'_> = Box::new(|at, other, roster| {
        let key = keys[other];
        roster.entries[other].advertise = advertise(colluder, at.manifest.digest(), key, key);
        roster.entries[other].fingerprint = colluder.certificate.fingerprint;
    });
    for (case, pose) in [unsigned, signed_by_a_colluder, in_a_colluders_name]
        .into_iter()
        .enumerate()
    {
        let report = run(&mut four(41), Script::new().colluders([3]).edit(relay(pose)));
        for member in 0..3 {
            // The first of the others in the list.
            let first = u16::from(member == 0);
            match (case, report.refusal(member)) {
                (0 | 1, Some(Refusal::AdvertisementSignature(index))) => assert_eq!(*index, first),
                (2, Some(Refusal::Certificate(index, _))) => assert_eq!(*index, first),
                (_, other) => panic!("case {case}, member {member}: {other:?}"),
            }
        }
        assert!(
            !report
                .sent
                .iter()
                .any(|sent| sent.from < 3 && sent.stage == Stage::Roster),
            "a box was sealed for the relay"
        );
        aborted(&report, &Abort::TooFewSharers(0, 3));
        nothing_exposed(&report);
    }
}

/// Failure: the boxes themselves can be re-sealed by a relay that sees all public keys: what a member deals to another is
/// opened by a third.
#[test]
fn pitfall_06_boxes_open_for_their_holder_only() {
    // The relay hands every box of dealer 1 to another holder than the one it is for.
    let attack = Script::new().from_clients(|_, from, message| match message {
        ClientMessage::Shares(mut shares) if from == 1 => {
            let (first, second) = (shares.boxes[0].clone(), shares.boxes[1].clone());
            shares.boxes[0].ciphertext = second.ciphertext;
            shares.boxes[1].ciphertext = first.ciphertext;
            vec![ClientMessage::Shares(shares)]
        }
        _ => vec![message],
    });
    let report = run(&mut four(42), attack);
    let suspects: BTreeSet<(u16, u16)> = report.views[0].suspects.iter().copied().collect();
    assert_eq!(suspects, [(1, 0), (1, 2)].into());
    private(&report);
}

/// Failure: as many members as are provided for, together with the server, learn anything of one of the others, whoever
/// they are. Where this pitfall was found, one was enough.
#[test]
fn pitfall_14_no_colluder_unmasks_a_member() {
    for colluder in 0..4 {
        let report = run(&mut four(43), Script::new().colluders([colluder]));
        let others: BTreeSet<usize> = (0..4).filter(|member| *member != colluder).collect();
        assert_eq!(report.knowledge.exposed(), [others]);
        private(&report);
    }
    let cast = Arc::new(Cast::new(8, 74).unwrap());
    // n = 8, c = 2, m = 6.
    for pair in [[0, 1], [3, 6], [6, 7]] {
        let mut world = World::new(cast.clone(), Setting::new(8, 2, 6), 44).unwrap();
        let report = run(&mut world, Script::new().colluders(pair));
        let others: BTreeSet<usize> = (0..8).filter(|member| !pair.contains(member)).collect();
        assert_eq!(report.knowledge.exposed(), [others]);
        private(&report);
    }
}

/// Failure: somebody whom the authority never certified has a place in a roster: by joining, or because the server says so.
#[test]
fn pitfall_14_enrolment_is_not_open() {
    // A Sybil with a certificate that it gave itself.
    let foreign = Cast::new(1, 75).unwrap();
    let mut rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(45);
    let sybil = foreign
        .certify(&CAST.member(2).unwrap().name, NOW, &mut rng)
        .unwrap();
    let key = own_keys()[2];
    let attack = Script::new().to_clients(|at, to, mut message| {
        let mut out = Vec::new();
        if let (ServerMessage::Roster(roster), true) = (&mut message, to != 2) {
            out.push(ServerMessage::Certificates(
                vec![sybil.der.to_vec().into()].into(),
            ));
            let mut forged = ForgedRoster::of(roster);
            forged.entries[2].fingerprint = sybil.certificate.fingerprint;
            forged.entries[2].advertise = advertise(&sybil, at.manifest.digest(), key, key);
            *roster = forged.message();
        }
        out.push(message);
        out
    });
    let report = run(&mut four(45), attack);
    for member in [0, 1, 3] {
        let reason = Refusal::Certificate(2, "was not shown".to_owned());
        assert_eq!(report.refusal(member), Some(&reason));
    }
    nothing_exposed(&report);
}
