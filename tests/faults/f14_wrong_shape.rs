//! F14: an update of another dimension, ring width or order. Each chunk has one size and one turn (TAC-040): the rest is refused
//! before memory is taken for it, and the sender is a drop-out. So is who sends half a message.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, at_once, four, named};
use crate::federation::name;
use crate::federation::relay::Kind;

fn uploading(edit: impl Fn(&mut u32, &mut Vec<u8>) + Send + 'static) {
    let scene = Scene::new(four(1));
    scene.edit_upwards(2, move |message| {
        if let ClientMessage::Chunk(chunk) = message {
            let mut packed = chunk.packed.as_slice().to_vec();
            edit(&mut chunk.index, &mut packed);
            chunk.packed = packed.into();
        }
    });
    let (server, code, _clients) = scene.play();
    assert_eq!(code, 0);
    named(&server, 2, "TAC-040");
    assert_eq!(scene.outcomes(), [(3, 3)]);
    assert_eq!(scene.sent(2, Kind::Reveal), 0);
}

#[test]
fn longer_than_the_ring_vector() {
    uploading(|_, packed| packed.resize(128 * 1024, 0));
}

#[test]
fn shorter_than_the_ring_vector() {
    uploading(|_, packed| packed.truncate(packed.len() - 1));
}

#[test]
fn out_of_turn() {
    uploading(|index, _| *index = u32::MAX);
}

#[test]
fn without_end() {
    // One chunk more than there are.
    let scene = Scene::new(four(1));
    scene
        .relay
        .rewrite_upwards(|from, frame| match ClientMessage::decode(&frame) {
            Ok(ClientMessage::Chunk(mut chunk)) if from == name(2) => {
                chunk.index += 1;
                let more = ClientMessage::Chunk(chunk).encode().unwrap();
                at_once([frame, more])
            }
            _ => at_once([frame]),
        });
    let (server, code, _clients) = scene.play();
    assert_eq!(code, 0);
    named(&server, 2, "TAC-040");
    assert_eq!(scene.outcomes(), [(3, 3)]);
}

#[test]
fn the_end_before_its_chunk() {
    let scene = Scene::new(four(1));
    let mut held = None;
    scene.relay.rewrite_upwards(move |from, frame| {
        if from != name(2) {
            return at_once([frame]);
        }
        match ClientMessage::decode(&frame) {
            Ok(ClientMessage::Chunk(_)) => {
                held = Some(frame);
                at_once([])
            }
            Ok(ClientMessage::UploadEnd(_)) => at_once([frame].into_iter().chain(held.take())),
            _ => at_once([frame]),
        }
    });
    let (server, code, _clients) = scene.play();
    assert_eq!(code, 0);
    named(&server, 2, "TAC-040");
    assert_eq!(scene.outcomes(), [(3, 3)]);
}

/// Half a message is none: the connection ends, and as often as the client comes back it is told where the round is.
#[test]
fn cut_short() {
    let scene = Scene::new(four(1));
    scene.relay.rewrite_upwards(|from, mut frame| {
        if from == name(2) && frame.first() == Some(&(Kind::Shares as u8)) {
            frame.truncate(frame.len() / 2);
        }
        at_once([frame])
    });
    let (server, code, _clients) = scene.play();
    assert_eq!(code, 0);
    named(&server, 2, "malformed message");
    assert_eq!(scene.outcomes(), [(3, 3)]);
}
