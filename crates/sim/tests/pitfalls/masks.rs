//! P1, P2 and P10: streams that are not what they seem.

use std::collections::BTreeSet;
use std::sync::Arc;

use tacita_algebra::RingVector;
use tacita_protocol::Refusal;
use tacita_protocol::bitmap::Bitmap;
use tacita_protocol::messages::ServerMessage;
use tacita_sim::{Cast, Moment, Plan, Script, Setting, State, World};

use crate::desk::{self, Seen, chance, random, reveals, stream, watch};
use crate::{UNIFORM, chi_square, exact, four, long, nothing_exposed, private, refused, run};

/// Failure: the keys of the self masks are not those of the spec, or a bit of a secret or of a key has no say in the
/// stream, so that there are fewer masks to try than there seem to be.
#[test]
fn pitfall_01_every_bit_of_a_secret_has_its_say() {
    let seen = watch(&mut four(1), &Plan::new());
    exact(&seen.report, &[0, 1, 2, 3]);
    // The server takes the self masks off the sum of uploads. What is left is the plain sum, so these are the keys in use.
    let mut sum = seen.upload(0);
    let mut plain = seen.plain(0);
    sum.sub_assign(&seen.self_mask(0)).unwrap();
    for member in 1..4 {
        sum.add_assign(&seen.upload(member)).unwrap();
        sum.sub_assign(&seen.self_mask(member)).unwrap();
        plain.add_assign(&seen.plain(member)).unwrap();
    }
    assert_eq!(sum.to_signed(), plain.to_signed());

    let secret = *seen.rebuilt(0).to_bytes();
    let key = seen.self_key(&secret);
    let flipped = |bytes: &[u8; 32], bit: usize| {
        let mut bytes = *bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let like = RingVector::zeros(seen.upload(0).bits(), 256);
    let mut streams = BTreeSet::from([stream(&key, &like).to_signed()]);
    for bit in 0..256 {
        for other in [flipped(&key, bit), seen.self_key(&flipped(&secret, bit))] {
            let other = stream(&other, &like);
            let same = other
                .to_signed()
                .iter()
                .zip(stream(&key, &like).to_signed())
                .filter(|(a, b)| **a == *b)
                .count();
            // 256 coordinates of 13 bits: one in 32 streams has one in common by chance.
            assert!(same < 6, "bit {bit}: {same} coordinates of 256 are unchanged");
            streams.insert(other.to_signed());
        }
    }
    assert_eq!(streams.len(), 513, "two of the keys give one stream");
}

/// Failure: a bit of the keys that members make never varies. Of 20,000 keys where this pitfall was found, 28 bits did.
#[test]
fn pitfall_01_every_bit_of_a_key_varies() {
    let (mut ever, mut never) = (vec![[0u8; 32]; 3], vec![[0u8; 32]; 3]);
    let mut world = four(2);
    for _ in 0..16 {
        let seen = watch(&mut world, &Plan::new());
        for member in 0..4 {
            let own = desk::sent(&seen.report, member).find_map(|(_, message)| match message {
                tacita_protocol::messages::ClientMessage::Advertise(advertise) => Some(advertise),
                _ => None,
            });
            let own = own.unwrap();
            let secret = seen.rebuilt(u16::try_from(member).unwrap());
            let keys = [own.mask_key, own.share_key, seen.self_key(&secret.to_bytes())];
            for ((ever, never), key) in ever.iter_mut().zip(&mut never).zip(keys) {
                for at in 0..32 {
                    ever[at] |= key[at];
                    never[at] |= !key[at];
                }
            }
        }
    }
    // 64 keys: a bit that does vary is still for all of them in 2^-63 of the cases. A public key is below 2^255.
    let mut public = [0xff; 32];
    public[31] = 0x7f;
    assert_eq!(ever, [public, public, [0xff; 32]]);
    assert_eq!(never, [[0xff; 32]; 3]);
}

/// A round of three in which the third is gone before it shares: what is left of an upload without its self mask and
/// its plain text, which the server is given here, is one pair mask.
fn pair_mask(seed: u64) -> (Seen, RingVector, RingVector) {
    let cast = Arc::new(Cast::new(3, 72).unwrap());
    let mut setting = Setting::new(3, 0, 2);
    setting.dimension = 1024;
    setting.chunk = 1024;
    let mut world = World::new(cast, setting, seed).unwrap();
    let plan = Plan {
        vanish: [(2, Moment::AfterAdvertise)].into(),
        ..Plan::new()
    };
    let seen = watch(&mut world, &plan);
    exact(&seen.report, &[0, 1]);
    let left = |member: usize| {
        let mut vector = seen.upload(member);
        vector.sub_assign(&seen.self_mask(member)).unwrap();
        vector.sub_assign(&seen.plain(member)).unwrap();
        vector
    };
    let (first, second) = (left(0), left(1));
    (seen, first, second)
}

/// Failure: the mask between two members is the stream of one of 2^16 seeds, or not a stream at all.
#[test]
fn pitfall_02_no_sixteen_bit_seed_gives_a_pair_mask() {
    let (_, mask, opposite) = pair_mask(3);
    let mut sum = mask.clone();
    sum.add_assign(&opposite).unwrap();
    assert!(
        sum.to_signed().iter().all(|v| *v == 0),
        "the two ends use one mask"
    );
    let x = chi_square(mask.pack(0..mask.len()));
    // 1,664 bytes.
    assert!(UNIFORM.contains(&x), "{x}");
    let head: Vec<i64> = mask.to_signed()[..8].to_vec();
    let like = RingVector::zeros(mask.bits(), 8);
    for seed in 0..=u16::MAX {
        for at in [0, 30] {
            for bytes in [seed.to_le_bytes(), seed.to_be_bytes()] {
                let mut key = [0; 32];
                key[at..at + 2].copy_from_slice(&bytes);
                assert_ne!(stream(&key, &like).to_signed(), head, "seed {seed}");
            }
        }
    }
}

/// Failure: a box counts although its tag is wrong.
#[test]
fn pitfall_02_the_tag_of_a_box_is_checked() {
    for at in 1..=16 {
        let mut attack = Script::new().edit(|_, to, message| {
            if let (ServerMessage::Sharers(sharers), 0) = (message, to) {
                let sealed = &mut sharers.boxes[1];
                assert_eq!(sealed.peer, 2);
                let mut bytes = sealed.ciphertext.as_slice().to_vec();
                let byte = bytes.len() - at;
                bytes[byte] ^= 0x80;
                sealed.ciphertext = bytes.into();
            }
        });
        let report = four(4).run(&Plan::new(), &mut attack).unwrap();
        assert_eq!(report.views[0].suspects, [(2, 0)], "byte {at} from the end");
        exact(&report, &[0, 1, 2, 3]);
        let dealers = |holder| -> Vec<u16> {
            let (_, reveal) = reveals(&report).find(|(from, _)| *from == holder).unwrap();
            reveal
                .shares
                .as_slice()
                .iter()
                .map(|share| share.dealer)
                .collect()
        };
        assert_eq!(dealers(0), [0, 1, 3], "the share of that box is not revealed");
        assert_eq!(dealers(1), [0, 1, 2, 3]);
        private(&report);
    }
}

/// Failure: somebody reveals on signatures that nobody made: the check of the others' signatures is left out.
#[test]
fn pitfall_02_signatures_of_the_others_are_checked() {
    for fill in [0, 1] {
        let mut rng = chance(5);
        let attack = Script::new().edit(|_, to, message| {
            if let ServerMessage::Reveal(request) = message {
                // Everybody finds its own signature, and made up ones of the others.
                let signers = Bitmap::decode(4, request.signers.as_slice()).unwrap();
                for (at, index) in signers.indices().enumerate() {
                    if usize::from(index) == to {
                        continue;
                    }
                    let made_up = [random(&mut rng), random(&mut rng)].concat();
                    request.signatures[at] = if fill == 0 {
                        [0; 64]
                    } else {
                        made_up.try_into().unwrap()
                    };
                }
            }
        });
        let report = run(&mut four(5), attack);
        refused(&report, &[0, 1, 2, 3], &Refusal::StatementSignature);
        assert_eq!(reveals(&report).count(), 0);
        nothing_exposed(&report);
    }
}

/// What a box's key made of its path, which its holder publishes with the share: keystream that the server knows.
fn keystreams(seen: &Seen) -> Vec<((u16, usize), Vec<u8>)> {
    let mut known = Vec::new();
    for (to, message) in &seen.shown {
        let ServerMessage::Sharers(sharers) = message else {
            continue;
        };
        for sealed in sharers.boxes.as_slice() {
            let share = &seen.shares_of(sealed.peer)[&u16::try_from(*to).unwrap()];
            // The box has the path from the pair of leaves on, behind two shares.
            let path: Vec<u8> = share.path.as_slice()[1..].concat();
            let sealed_path = sealed.ciphertext.as_slice()[64..].iter();
            let stream = sealed_path.zip(&path).map(|(a, b)| a ^ b).collect();
            known.push(((sealed.peer, *to), stream));
        }
    }
    known
}

/// Failure: two boxes are encrypted under one key and nonce, in one direction and back or in two rounds, so that one
/// known plain text opens the other.
#[test]
fn pitfall_10_no_keystream_is_used_twice() {
    let mut world = four(6);
    let mut all = Vec::new();
    for round in 0..4 {
        let seen = watch(&mut world, &Plan::new());
        all.extend(
            keystreams(&seen)
                .into_iter()
                .map(|(pair, stream)| (round, pair, stream)),
        );
    }
    assert_eq!(all.len(), 4 * 12);
    for (at, (round, pair, stream)) in all.iter().enumerate() {
        assert!(stream.len() >= 64, "two hashes of known plain text");
        for (other_round, other, second) in &all[at + 1..] {
            // Not at any offset of a cipher block either.
            for shift in (0..stream.len() - 16).step_by(16) {
                assert!(
                    !second
                        .windows(16)
                        .any(|window| *window == stream[shift..shift + 16]),
                    "round {round} {pair:?} and round {other_round} {other:?}"
                );
            }
        }
    }
}

/// Failure: whoever knows all secrets of one round, and what masks came of them, knows a mask of the next: the keys
/// differ by nothing but the number of the round.
#[test]
fn pitfall_10_a_round_says_nothing_of_the_next() {
    let mut world = long(7);
    let rounds: Vec<Seen> = (0..2).map(|_| watch(&mut world, &Plan::new())).collect();
    for member in 0..4u16 {
        let secrets: Vec<[u8; 32]> = rounds
            .iter()
            .map(|seen| *seen.rebuilt(member).to_bytes())
            .collect();
        let keys: Vec<[u8; 32]> = rounds.iter().zip(&secrets).map(|(s, b)| s.self_key(b)).collect();
        for pair in [&secrets, &keys] {
            let differing: u32 = pair[0]
                .iter()
                .zip(pair[1])
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            assert!((64..192).contains(&differing), "{differing} bits of 256 differ");
        }
        // Nor does an upload of the second hold the masks of the first.
        let member = usize::from(member);
        let mut mixed = rounds[1].upload(member);
        mixed.sub_assign(&rounds[0].upload(member)).unwrap();
        let x = chi_square(mixed.pack(0..mixed.len()));
        assert!(UNIFORM.contains(&x), "{x}");
    }
    assert!(
        rounds
            .iter()
            .all(|seen| seen.report.clients.iter().all(|c| c.state == State::Done))
    );
}
