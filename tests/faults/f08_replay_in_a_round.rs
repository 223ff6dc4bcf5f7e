//! F08: a client's messages come again in their phase, the same bytes or others (TAC-072). The first counts. The same bytes change
//! nothing; other bytes, and anything in place of an upload that was added or an answer that was taken, take their sender out of
//! the round, by name and with one line of log. The others do not notice.

use std::time::Duration;

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, at_once, four, named};
use crate::federation::name;
use crate::federation::relay::Kind;

/// Rounds in which client 2 says more than it should: in round i its first message of kind `kinds[i]` is followed by three
/// copies that `again` makes. The others wait before each answer, so that the phase is still open then.
fn repeated(kinds: &'static [Kind], again: fn(&mut ClientMessage)) -> Scene {
    let scene = Scene::new(four(u32::try_from(kinds.len()).unwrap()));
    let mut round = 0;
    scene.relay.rewrite_upwards(move |from, frame| {
        let mut message = ClientMessage::decode(&frame).unwrap();
        match message {
            ClientMessage::Hello(_) | ClientMessage::Chunk(_) => return at_once([frame]),
            _ if from != name(2) => return vec![(Duration::from_millis(400), frame)],
            _ => {}
        }
        round += usize::from(frame.first() == Some(&(Kind::Advertise as u8)));
        if frame.first() != kinds.get(round - 1).map(|kind| *kind as u8).as_ref() {
            return at_once([frame]);
        }
        again(&mut message);
        let again = message.encode().unwrap();
        at_once([frame, again.clone(), again.clone(), again])
    });
    scene
}

/// Plays it: the outcomes are these, the others never hear of it, and client 2 is refused once in each of so many rounds.
#[track_caller]
fn ends_in(scene: &Scene, outcomes: &[(u64, u64)], refusals: usize) {
    let (server, code, mut clients) = scene.play();
    let said = server.stderr();
    assert_eq!(code, 0, "{said}");
    assert_eq!(scene.outcomes(), outcomes, "{said}");
    if refusals > 0 {
        named(&server, 2, "TAC-072");
    }
    assert_eq!(said.matches("TAC-072").count(), refusals, "{said}");
    assert_eq!(said.matches("refused").count(), refusals, "{said}");
    for client in &mut clients {
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    let score = scene.federation.plan.task.score(&scene.federation.last_model());
    assert!(score > 0.8, "{score}");
    scene.federation.report();
}

#[test]
fn the_same_bytes_change_nothing() {
    let scene = repeated(&[Kind::Advertise, Kind::Shares, Kind::Agreement], |_| {});
    ends_in(&scene, &[(4, 4), (4, 4), (4, 4)], 0);
}

/// An upload that was added is not looked at again, nor is an answer: the same bytes are refused too.
#[test]
fn what_was_added_or_answered_is_refused_whatever_it_is() {
    let scene = repeated(&[Kind::UploadEnd, Kind::Reveal], |_| {});
    ends_in(&scene, &[(4, 3), (4, 4)], 2);
}

#[test]
fn other_bytes_take_their_sender_out() {
    let kinds = &[
        Kind::Advertise,
        Kind::Shares,
        Kind::UploadEnd,
        Kind::Agreement,
        Kind::Reveal,
    ];
    let scene = repeated(kinds, |message| match message {
        ClientMessage::Advertise(m) => m.nonce[0] ^= 1,
        ClientMessage::Shares(m) => m.share_root.root[0] ^= 1,
        ClientMessage::UploadEnd(m) => m.signature[0] ^= 1,
        ClientMessage::Agreement(m) => m.signature[0] ^= 1,
        ClientMessage::Reveal(m) => m.shares[0].value[0] ^= 1,
        _ => {}
    });
    // What it had said until then stands: its upload is in the sum, its shares rebuild secrets.
    ends_in(&scene, &[(3, 3), (3, 3), (4, 3), (4, 3), (4, 4)], 5);
}
