//! What an honest server turns down. A message turned down changes nothing: the round goes on around it.

use std::sync::Arc;

use tacita_protocol::messages::{
    Advertise, Agreement, ClientMessage, DealtBox, Reveal, Shares, UploadChunk, UploadEnd,
};
use tacita_protocol::{Refusal, labels};
use tacita_sim::{Backstage, Cast, Report, Script, Setting, Stage, World, forge};

use crate::{exact, four, private, run, turned};

/// Member 3's message of one kind comes edited first, and then as it was.
fn twice(pick: fn(&ClientMessage) -> bool, edit: impl Fn(&Backstage<'_>, &mut ClientMessage)) -> Report {
    run(
        &mut four(),
        Script::new().from_clients(move |at, from, message| {
            if from != 3 || !pick(&message) {
                return vec![message];
            }
            let mut edited = message.clone();
            edit(at, &mut edited);
            vec![edited, message]
        }),
    )
}

/// As [`twice`], the other way round: the edited copy comes after.
fn afterwards(pick: fn(&ClientMessage) -> bool, edit: impl Fn(&mut ClientMessage)) -> Report {
    run(
        &mut four(),
        Script::new().from_clients(move |_, from, message| {
            if from != 3 || !pick(&message) {
                return vec![message];
            }
            let mut edited = message.clone();
            edit(&mut edited);
            vec![message.clone(), message, edited]
        }),
    )
}

#[track_caller]
fn turned_down_once(report: &Report, reason: Refusal) {
    turned(report, 0, &[reason]);
    exact(report, &[0, 1, 2, 3]);
    private(report);
}

fn is_advertise(message: &ClientMessage) -> bool {
    matches!(message, ClientMessage::Advertise(_))
}

fn is_shares(message: &ClientMessage) -> bool {
    matches!(message, ClientMessage::Shares(_))
}

fn is_end(message: &ClientMessage) -> bool {
    matches!(message, ClientMessage::UploadEnd(_))
}

fn is_agreement(message: &ClientMessage) -> bool {
    matches!(message, ClientMessage::Agreement(_))
}

fn is_reveal(message: &ClientMessage) -> bool {
    matches!(message, ClientMessage::Reveal(_))
}

/// Failure: keys enter the roster that the member's certificate did not sign.
#[test]
fn advertisement_not_signed() {
    let report = twice(is_advertise, |_, message| {
        let ClientMessage::Advertise(Advertise { mask_key, .. }) = message else {
            return;
        };
        mask_key[0] ^= 1;
    });
    turned_down_once(&report, Refusal::AdvertisementSignature(u16::MAX));
}

/// Failure: one member's keys of small order end the round for everybody.
#[test]
fn advertisement_of_small_order() {
    for weak in [0usize, 1] {
        let report = twice(is_advertise, |at, message| {
            let ClientMessage::Advertise(advertise) = message else {
                return;
            };
            let member = at.cast.member(3).unwrap();
            let mut keys = [[9; 32]; 2];
            keys[weak] = [0; 32];
            let fingerprint = &member.certificate.fingerprint;
            *advertise = forge::advertise(
                &member.key,
                at.manifest.digest(),
                fingerprint,
                (keys[0], keys[1]),
                forge::ANY_KEM,
                [0; 32],
            );
        });
        turned_down_once(&report, Refusal::WeakKey(u16::MAX));
    }
}

/// Failure: a second, different message of a kind replaces the first; or the same one again is an error.
#[test]
fn changed_messages() {
    let flip = |key: &mut [u8]| key[0] ^= 1;
    let report = afterwards(is_advertise, |message| {
        let ClientMessage::Advertise(advertise) = message else {
            return;
        };
        flip(&mut advertise.nonce);
    });
    turned_down_once(&report, Refusal::Changed);
    let report = afterwards(is_shares, |message| {
        let ClientMessage::Shares(shares) = message else {
            return;
        };
        flip(&mut shares.share_root.root);
    });
    turned_down_once(&report, Refusal::Changed);
    let report = afterwards(is_agreement, |message| {
        let ClientMessage::Agreement(agreement) = message else {
            return;
        };
        flip(&mut agreement.signature);
    });
    turned_down_once(&report, Refusal::Changed);
}

/// Failure: a second upload or a second answer is added to the first.
#[test]
fn repeated_uploads_and_answers() {
    let again = Script::new().from_clients(|_, from, message| {
        if from == 3 && is_end(&message) {
            vec![message.clone(), message]
        } else {
            vec![message]
        }
    });
    turned_down_once(&run(&mut four(), again), Refusal::Changed);
    let again = Script::new().from_clients(|_, from, message| {
        let chunk = ClientMessage::Chunk(UploadChunk {
            index: 0,
            packed: vec![0; 24].into(),
        });
        if from == 3 && is_end(&message) {
            vec![message, chunk]
        } else {
            vec![message]
        }
    });
    turned_down_once(&run(&mut four(), again), Refusal::Changed);
    let again = Script::new().from_clients(|_, from, message| {
        if from == 3 && is_reveal(&message) {
            vec![message.clone(), message]
        } else {
            vec![message]
        }
    });
    turned_down_once(&run(&mut four(), again), Refusal::Changed);
}

/// Failure: the cohort grows beyond n.
#[test]
fn cohort_is_full() {
    let cast = Arc::new(Cast::new(5, 31).unwrap());
    let mut world = World::new(cast, Setting::new(4, 1, 3), 1).unwrap();
    let report = run(&mut world, Script::new());
    turned(&report, 0, &[Refusal::CohortFull]);
    let sum = report.result().unwrap();
    assert_eq!(sum.survivors, [0, 1, 2, 3]);
    private(&report);
}

/// Failure: somebody outside the roster, the sharers, the survivors or the signers is heard.
#[test]
fn not_a_member() {
    let cast = Arc::new(Cast::new(5, 32).unwrap());
    let mut world = World::new(cast, Setting::new(4, 1, 3), 1).unwrap();
    let plan = tacita_sim::Plan {
        absent: [4].into(),
        vanish: [(3, tacita_sim::Moment::AfterAdvertise)].into(),
        ..tacita_sim::Plan::new()
    };
    // Member 4 was not invited; member 3 did not share: neither has a say afterwards.
    let mut attack = Script::new().more_to_server(|at| match at.stage {
        Stage::Roster => vec![(4, sample_shares())],
        Stage::Sharers => vec![
            (
                3,
                ClientMessage::Chunk(UploadChunk {
                    index: 0,
                    packed: vec![0; 24].into(),
                }),
            ),
            (
                3,
                ClientMessage::UploadEnd(UploadEnd {
                    suspects: vec![].into(),
                    signature: [0; 64],
                }),
            ),
        ],
        Stage::Agree => vec![(3, ClientMessage::Agreement(Agreement { signature: [0; 64] }))],
        Stage::Reveal => vec![(3, sample_reveal())],
        _ => Vec::new(),
    });
    let report = world.run(&plan, &mut attack).unwrap();
    turned(&report, 0, &[const { Refusal::NotAMember }; 5]);
    assert_eq!(report.result().unwrap().survivors, [0, 1, 2]);
    private(&report);
}

fn sample_shares() -> ClientMessage {
    let share_root = tacita_protocol::messages::ShareRoot {
        root: [0; 32],
        self_commitment: [0; 32],
        signature: [0; 64],
    };
    ClientMessage::Shares(Shares {
        share_root,
        own_pair: vec![].into(),
        boxes: vec![].into(),
    })
}

fn sample_reveal() -> ClientMessage {
    ClientMessage::Reveal(Reveal {
        shares: vec![].into(),
        cosigned_at: 0,
        cosignature: [0; 64],
    })
}

/// Failure: boxes that are not one for each neighbour, or cannot be what they should, are taken.
#[test]
fn malformed_shares() {
    let boxes = |edit: fn(&mut Vec<DealtBox>)| {
        twice(is_shares, move |_, message| {
            let ClientMessage::Shares(shares) = message else {
                return;
            };
            let mut list = shares.boxes.as_slice().to_vec();
            edit(&mut list);
            shares.boxes = list.into();
        })
    };
    let missing = Refusal::Shares("not one box per neighbour");
    turned_down_once(&boxes(|list| drop(list.pop())), missing.clone());
    turned_down_once(&boxes(|list| list.swap(0, 1)), missing.clone());
    turned_down_once(&boxes(|list| list.push(list[0].clone())), missing.clone());
    turned_down_once(&boxes(|list| list[0].peer = 3), missing);
    let size = Refusal::Shares("a box of impossible size");
    turned_down_once(
        &boxes(|list| list[1].ciphertext = vec![0; 79].into()),
        size.clone(),
    );
    turned_down_once(&boxes(|list| list[1].ciphertext = vec![0; 4000].into()), size);
    let report = twice(is_shares, |_, message| {
        let ClientMessage::Shares(shares) = message else {
            return;
        };
        shares.share_root.root[0] ^= 1;
    });
    turned_down_once(&report, Refusal::SharerEntry(3));
}

/// Failure: chunks out of order, of another size or with spare bits are added.
#[test]
fn malformed_chunks() {
    let mut world = four();
    world.setting().dimension = 200;
    let chunks = |edit: fn(&mut UploadChunk)| {
        let mut world = four();
        world.setting().dimension = 200;
        run(
            &mut world,
            Script::new().from_clients(move |_, from, message| match &message {
                ClientMessage::Chunk(chunk) if from == 3 && chunk.index == 1 => {
                    let mut edited = chunk.clone();
                    edit(&mut edited);
                    vec![ClientMessage::Chunk(edited), message]
                }
                _ => vec![message],
            }),
        )
    };
    // 256 coordinates after padding make four chunks of 64.
    turned_down_once(&chunks(|chunk| chunk.index = 2), Refusal::Chunk(2));
    turned_down_once(&chunks(|chunk| chunk.index = 0), Refusal::Chunk(0));
    turned_down_once(&chunks(|chunk| chunk.index = 4), Refusal::Chunk(4));
    turned_down_once(&chunks(|chunk| chunk.index = u32::MAX), Refusal::Chunk(u32::MAX));
    turned_down_once(
        &chunks(|chunk| chunk.packed = vec![0; 3].into()),
        Refusal::Chunk(1),
    );
    turned_down_once(
        &chunks(|chunk| chunk.packed = vec![0; 4096].into()),
        Refusal::Chunk(1),
    );
    // An upload that is closed early is forgotten; its sender is a drop-out.
    let early = Script::new().from_clients(|_, from, message| match &message {
        ClientMessage::Chunk(chunk) if from == 3 && chunk.index == 3 => Vec::new(),
        _ => vec![message],
    });
    let report = run(&mut world, early);
    turned(&report, 0, &[Refusal::Chunk(3)]);
    exact(&report, &[0, 1, 2]);
    private(&report);
}

/// Failure: an upload counts whose bytes, suspects or sender are not those that were signed.
#[test]
fn upload_not_as_signed() {
    let ends = |edit: fn(&mut UploadEnd)| {
        run(
            &mut four(),
            Script::new().edit_back(move |_, from, message| {
                if let (ClientMessage::UploadEnd(end), 3) = (message, from) {
                    edit(end);
                }
            }),
        )
    };
    let edits: [fn(&mut UploadEnd); 5] = [
        |end| end.signature[0] ^= 1,
        |end| end.suspects = vec![1].into(),
        |end| end.suspects = vec![2, 1].into(),
        |end| end.suspects = vec![1, 1].into(),
        |end| end.suspects = vec![3].into(),
    ];
    for edit in edits {
        let report = ends(edit);
        turned(&report, 0, &[Refusal::UploadSignature]);
        exact(&report, &[0, 1, 2]);
        private(&report);
    }
    let bytes = Script::new().edit_back(|_, from, message| {
        if let (ClientMessage::Chunk(chunk), 3) = (message, from) {
            let mut packed = chunk.packed.as_slice().to_vec();
            packed[0] ^= 1;
            chunk.packed = packed.into();
        }
    });
    let report = run(&mut four(), bytes);
    turned(&report, 0, &[Refusal::UploadSignature]);
    exact(&report, &[0, 1, 2]);
    private(&report);
}

/// Failure: a signature on another statement counts towards the quorum.
#[test]
fn agreement_on_another_statement() {
    let report = twice(is_agreement, |at, message| {
        let ClientMessage::Agreement(agreement) = message else {
            return;
        };
        let mut other = at.views[0].statement().unwrap();
        other[0] ^= 1;
        agreement.signature = forge::sign(
            &at.cast.member(3).unwrap().key,
            labels::STATEMENT_SIGNATURE,
            &other,
        );
    });
    turned_down_once(&report, Refusal::StatementSignature);
}

/// Failure: an answer with shares out of order, or with the cosignature of another head or time, counts.
#[test]
fn malformed_answers() {
    let order = Refusal::Shares("dealers are not strictly rising");
    let report = twice(is_reveal, |_, message| {
        let ClientMessage::Reveal(reveal) = message else {
            return;
        };
        let mut shares = reveal.shares.as_slice().to_vec();
        shares.swap(0, 1);
        reveal.shares = shares.into();
    });
    turned_down_once(&report, order.clone());
    let report = twice(is_reveal, |_, message| {
        let ClientMessage::Reveal(reveal) = message else {
            return;
        };
        let mut shares = reveal.shares.as_slice().to_vec();
        shares.insert(0, shares[0].clone());
        reveal.shares = shares.into();
    });
    turned_down_once(&report, order);
    let edits: [fn(&mut Reveal); 2] = [
        |reveal| reveal.cosignature[5] ^= 1,
        |reveal| reveal.cosigned_at += 1,
    ];
    for edit in edits {
        let report = twice(is_reveal, |_, message| {
            let ClientMessage::Reveal(reveal) = message else {
                return;
            };
            edit(reveal);
        });
        turned_down_once(&report, Refusal::Cosignature);
    }
}
