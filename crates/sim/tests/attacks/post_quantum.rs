//! ML-KEM beside X25519: keys and ciphertexts that are withheld, exchanged or malformed, on both sides.

use std::collections::BTreeMap;

use tacita_algebra::SecretScalar;
use tacita_algebra::shamir::Interpolator;
use tacita_protocol::client::Participant;
use tacita_protocol::kem::{KEM_CIPHERTEXT, KeyAgreement};
use tacita_protocol::messages::{ClientMessage, DealtBox, ServerMessage, SharerEntry, SharersMessage};
use tacita_protocol::refusal::ConsentRefusal;
use tacita_protocol::{Abort, Refusal};
use tacita_sim::forge::{self, ForgedRoster};
use tacita_sim::{Plan, Report, Script};

use crate::dealers::played;
use crate::rogue::{Deal, Rogue, mask_keys};
use crate::{FOUR, aborted, against, exact, flipped, four, nothing_exposed, private, refused, run, turned};

/// Members by rising fingerprint: of two, the first makes the pair's mask ciphertext.
fn by_fingerprint() -> Vec<usize> {
    let mut members: Vec<usize> = (0..4).collect();
    members.sort_by_key(|member| FOUR.member(*member).unwrap().certificate.fingerprint);
    members
}

/// What the member of the greatest fingerprint is sent: all its pairs' ciphertexts are made by others.
fn to_the_last(edit: impl Fn(&mut SharersMessage)) -> (usize, Report) {
    let last = by_fingerprint()[3];
    let victims = [last];
    let report = run(
        &mut four(),
        against(&victims, move |_, _, message| {
            if let ServerMessage::Sharers(sharers) = message {
                edit(sharers);
            }
        }),
    );
    (last, report)
}

/// Index of the first entry with a mask ciphertext, and its dealer.
fn first(sharers: &SharersMessage) -> usize {
    let entries = sharers.entries.as_slice();
    entries
        .iter()
        .position(|entry| !entry.mask_ciphertext.is_empty())
        .unwrap()
}

fn edit_entry(edit: impl Fn(&mut SharerEntry)) -> (usize, Report) {
    to_the_last(move |sharers| {
        let at = first(sharers);
        edit(&mut sharers.entries[at]);
    })
}

/// Failure: a client masks with a secret that its peer does not have, so that a mask stays on one side and cuts the sum
/// apart, because a ciphertext is withheld, changed, or another dealer's.
#[test]
fn mask_ciphertexts_withheld_or_exchanged() {
    let cases: [fn(&mut SharerEntry); 4] = [
        |entry| {
            entry.mask_ciphertext = Vec::new().into();
            entry.ciphertext_proof = Vec::new().into();
        },
        |entry| entry.mask_ciphertext = flipped(entry.mask_ciphertext.as_slice(), 500).into(),
        |entry| {
            let cut = entry.mask_ciphertext.as_slice()[1..].to_vec();
            entry.mask_ciphertext = cut.into();
        },
        |entry| entry.ciphertext_proof[0][0] ^= 1,
    ];
    for case in cases {
        let (last, report) = edit_entry(case);
        let index = report.refusal(last).cloned();
        assert!(
            matches!(index, Some(Refusal::MaskCiphertext(_))),
            "{:?}",
            report.refusal(last)
        );
        refused(&report, &[last], &index.unwrap());
        private(&report);
        // It did not upload: nothing of its update left it.
        assert!(
            !report
                .sent
                .iter()
                .any(|sent| sent.from == last && matches!(sent.message(), Ok(ClientMessage::Chunk(_))))
        );
    }
    // Two dealers' ciphertexts, exchanged.
    let (last, report) = to_the_last(|sharers| {
        let at = first(sharers);
        let other = at + 1 + first_behind(sharers, at + 1);
        let (one, two) = (
            sharers.entries[at].mask_ciphertext.clone(),
            sharers.entries[other].mask_ciphertext.clone(),
        );
        sharers.entries[at].mask_ciphertext = two;
        sharers.entries[other].mask_ciphertext = one;
    });
    assert!(matches!(report.refusal(last), Some(Refusal::MaskCiphertext(_))));
    private(&report);
}

fn first_behind(sharers: &SharersMessage, from: usize) -> usize {
    let entries = &sharers.entries.as_slice()[from..];
    entries
        .iter()
        .position(|entry| !entry.mask_ciphertext.is_empty())
        .unwrap()
}

/// Failure: a ciphertext where this client made the pair's own is taken for something.
#[test]
fn a_mask_ciphertext_too_many() {
    let smallest = by_fingerprint()[0];
    let victims = [smallest];
    for only_proof in [false, true] {
        let report = run(
            &mut four(),
            against(&victims, move |_, _, message| {
                if let ServerMessage::Sharers(sharers) = message {
                    let own = sharers
                        .entries
                        .as_slice()
                        .iter()
                        .position(|e| usize::from(e.index) != smallest && e.mask_ciphertext.is_empty());
                    let entry = &mut sharers.entries[own.unwrap()];
                    if only_proof {
                        entry.ciphertext_proof = vec![[1; 32]].into();
                    } else {
                        entry.mask_ciphertext = vec![1; KEM_CIPHERTEXT].into();
                    }
                }
            }),
        );
        assert!(matches!(
            report.refusal(smallest),
            Some(Refusal::MaskCiphertext(_))
        ));
        private(&report);
    }
}

/// Failure: a box whose ciphertext was changed opens, ends the round, or takes a mask with it.
#[test]
fn share_ciphertexts_changed() {
    for case in [0, 1] {
        let (last, report) = to_the_last(move |sharers| {
            let changed = match case {
                0 => flipped(sharers.boxes[0].share_ciphertext.as_slice(), 3),
                _ => Vec::new(),
            };
            sharers.boxes[0].share_ciphertext = changed.into();
        });
        exact(&report, &[0, 1, 2, 3]);
        let suspects: Vec<u16> = report.views[0]
            .suspects
            .iter()
            .map(|(_, holder)| *holder)
            .collect();
        assert_eq!(suspects.len(), 1, "one box of member {last} did not open");
        private(&report);
    }
}

/// Member `from`'s shares as the server gets them.
fn dealt(from: usize, edit: impl Fn(&mut Vec<DealtBox>)) -> Report {
    let attack = Script::new().edit_back(move |_, sender, message| {
        if let (true, ClientMessage::Shares(shares)) = (sender == from, message) {
            let mut boxes = shares.boxes.as_slice().to_vec();
            edit(&mut boxes);
            shares.boxes = boxes.into();
        }
    });
    run(&mut four(), attack)
}

/// Failure: a dealer whose ciphertexts are not those that it signed is admitted, and its peers cannot upload or do not cancel.
#[test]
fn dealers_whose_ciphertexts_do_not_match_are_not_admitted() {
    let smallest = by_fingerprint()[0];
    let cases: [fn(&mut Vec<DealtBox>); 5] = [
        |boxes| boxes[0].mask_ciphertext = flipped(boxes[0].mask_ciphertext.as_slice(), 9).into(),
        |boxes| boxes[1].share_ciphertext = flipped(boxes[1].share_ciphertext.as_slice(), 9).into(),
        |boxes| boxes[2].mask_ciphertext = Vec::new().into(),
        |boxes| boxes[0].share_ciphertext = vec![0; KEM_CIPHERTEXT + 1].into(),
        |boxes| boxes[1].pair[5] ^= 1,
    ];
    for case in cases {
        let report = dealt(smallest, case);
        turned(&report, 0, &[Refusal::Ciphertexts]);
        let others: Vec<usize> = (0..4).filter(|member| *member != smallest).collect();
        exact(&report, &others);
        private(&report);
    }
    // The greatest fingerprint makes none: one too many is refused likewise.
    let report = dealt(by_fingerprint()[3], |boxes| {
        boxes[0].mask_ciphertext = vec![0; KEM_CIPHERTEXT].into();
    });
    turned(&report, 0, &[Refusal::Ciphertexts]);
    private(&report);
}

/// Failure: the mask secret of a drop-out, which the server rebuilds by right, opens a box that was dealt to it; also for a
/// server that computes discrete logarithms and so has the X25519 share key.
#[test]
fn a_rebuilt_mask_secret_opens_no_box() {
    let (report, roster) = played(3, Deal::Honest, false);
    exact(&report, &[0, 1, 2]);
    let manifest = report.manifest.digest();
    // What the server does: any t shares that the holders revealed.
    let mut shares = BTreeMap::new();
    let mut boxes = BTreeMap::new();
    for sent in &report.sent {
        let from = u16::try_from(sent.from).unwrap();
        match sent.message().unwrap() {
            ClientMessage::Reveal(reveal) => {
                let share = reveal.shares.as_slice().iter().find(|share| share.dealer == 3);
                shares.insert(
                    from,
                    SecretScalar::from_canonical_bytes(&share.unwrap().value).unwrap(),
                );
            }
            ClientMessage::Shares(shares) => {
                let sealed = shares.boxes.as_slice().iter().find(|sealed| sealed.peer == 3);
                boxes.insert(from, sealed.unwrap().clone());
            }
            _ => {}
        }
    }
    let abscissae: Vec<u16> = shares.keys().map(|holder| holder + 1).collect();
    let interpolator = Interpolator::new(&abscissae).unwrap();
    let values: Vec<&SecretScalar> = shares.values().collect();
    let rebuilt = interpolator.reconstruct(&values).unwrap();
    let (mask_key, mask_kem) = mask_keys(manifest, &rebuilt);
    let rogue = Rogue::new(FOUR.member(3).unwrap(), Deal::Honest);
    let advertised = rogue.advertise(manifest);
    assert_eq!(
        ml_kem::kem::KeyExport::to_bytes(mask_kem.encapsulation_key()).as_slice(),
        advertised.mask_kem_key.as_slice(),
        "the secret was not rebuilt, so nothing is shown"
    );
    let (share_key, share_kem) = rogue.share_keys();
    assert_eq!(boxes.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    for (sender, sealed) in &boxes {
        let opens = |keys| rogue.opens(manifest, &roster, *sender, sealed, keys);
        assert!(opens((&share_key, &share_kem)), "its own keys do");
        assert!(!opens((&mask_key, &mask_kem)));
        assert!(
            !opens((&share_key, &mask_kem)),
            "discrete logarithms alone open it"
        );
        assert!(!opens((&mask_key, &share_kem)));
    }
    private(&report);
}

/// Failure: a KEM key that is cut, unreduced or missing gets into a roster, or into a client.
#[test]
fn malformed_kem_keys() {
    let unreduced = |key: &[u8]| {
        let mut key = key.to_vec();
        (key[0], key[1]) = (0xff, key[1] | 0x0f);
        key
    };
    for case in 0..4 {
        let spoil = move |mask: &[u8], share: &[u8]| match case {
            0 => (unreduced(mask), share.to_vec()),
            1 => (mask.to_vec(), unreduced(share)),
            2 => (mask[1..].to_vec(), share.to_vec()),
            _ => (mask.to_vec(), Vec::new()),
        };
        // At the server: member 3 colludes and signs it itself.
        let attack = Script::new().colluders([3]).edit_back(move |at, from, message| {
            if let (3, ClientMessage::Advertise(advertise)) = (from, message) {
                let member = at.cast.member(3).unwrap();
                let (mask, share) = spoil(
                    advertise.mask_kem_key.as_slice(),
                    advertise.share_kem_key.as_slice(),
                );
                *advertise = forge::advertise(
                    &member.key,
                    at.manifest.digest(),
                    &member.certificate.fingerprint,
                    (advertise.mask_key, advertise.share_key),
                    (&mask, &share),
                    advertise.nonce,
                );
            }
        });
        let report = run(&mut four(), attack);
        turned(&report, 0, &[Refusal::KemKey(u16::MAX)]);
        exact(&report, &[0, 1, 2]);
        private(&report);
        // At a client, from a server that lets it in.
        let report = run(
            &mut four(),
            against(&[0, 1], move |at, _, message| {
                if let ServerMessage::Roster(roster) = message {
                    let member = at.cast.member(3).unwrap();
                    let mut forged = ForgedRoster::of(roster);
                    let own = forged.entries[3].advertise.clone();
                    let (mask, share) = spoil(own.mask_kem_key.as_slice(), own.share_kem_key.as_slice());
                    forged.entries[3].advertise = forge::advertise(
                        &member.key,
                        at.manifest.digest(),
                        &member.certificate.fingerprint,
                        (own.mask_key, own.share_key),
                        (&mask, &share),
                        own.nonce,
                    );
                    *roster = forged.message();
                }
            })
            .colluders([3]),
        );
        refused(&report, &[0, 1], &Refusal::KemKey(3));
        nothing_exposed(&report);
    }
}

/// Failure: a server turns the post-quantum part off, and clients go along.
#[test]
fn turned_off_without_consent() {
    let mut world = four();
    world.setting().agreement = KeyAgreement::Classical;
    let report = run(&mut world, Script::new());
    refused(
        &report,
        &[0, 1, 2, 3],
        &Refusal::Consent(ConsentRefusal::Classical),
    );
    aborted(&report, Abort::TooFewMembers(0, 3));
    nothing_exposed(&report);
    // Whoever consents gets rounds without, and they work.
    let mut world = four();
    world.setting().agreement = KeyAgreement::Classical;
    let plan = Plan {
        adjust: Some(Box::new(|_: usize, p: &mut Participant| {
            p.policy.require_post_quantum = false;
        })),
        ..Plan::new()
    };
    let report = world.run(&plan, &mut Script::new()).unwrap();
    exact(&report, &[0, 1, 2, 3]);
    private(&report);
    let keys = report.sent.iter().filter_map(|sent| match sent.message() {
        Ok(ClientMessage::Advertise(advertise)) => Some(advertise.mask_kem_key.len()),
        _ => None,
    });
    assert!(keys.clone().count() == 4 && keys.sum::<usize>() == 0);
    // A manifest that names something else is malformed.
    let mut world = four();
    let report = run(
        &mut world,
        against(&[0], |at, _, message| {
            if let ServerMessage::Invitation(invitation) = message {
                invitation.manifest.key_agreement = 2;
                invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
            }
        }),
    );
    refused(&report, &[0], &Refusal::ManifestField("key agreement"));
}
