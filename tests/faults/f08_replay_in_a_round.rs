//! F08: a client's messages come again in one round, the same bytes or others. The first counts; a copy that comes when the
//! phase is over makes its sender a drop-out at most (02: a server MAY count it as one); nobody is counted twice.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, at_once, four};
use crate::federation::name;

/// Everything but a hello and the parts of an upload, whose order is fixed.
fn repeated(second: impl Fn(ClientMessage) -> ClientMessage + Send + 'static) {
    let scene = Scene::new(four(1));
    scene.relay.rewrite_upwards(move |from, frame| {
        let message = ClientMessage::decode(&frame).unwrap();
        match message {
            ClientMessage::Hello(_) | ClientMessage::Chunk(_) => at_once([frame]),
            _ if from != name(2) => at_once([frame]),
            message => {
                let again = second(message).encode().unwrap();
                at_once([frame, again.clone(), again])
            }
        }
    });
    let (server, code, clients) = scene.play();
    assert_eq!(code, 0);
    match scene.outcomes().as_slice() {
        [(4, 3 | 4)] => {}
        [(3, 3)] => assert!(server.stderr().contains("TAC-07"), "{}", server.stderr()),
        other => panic!("{other:?}"),
    }
    // The others do not notice.
    for (number, client) in clients.into_iter().enumerate().filter(|(number, _)| *number != 2) {
        let mut client = client;
        assert_eq!(client.wait(), 0, "client {number}: {}", client.stderr());
    }
    let score = scene.federation.plan.task.score(&scene.federation.last_model());
    assert!(score > 0.8, "{score}");
    scene.federation.report();
}

#[test]
fn the_same_bytes_change_nothing() {
    repeated(|message| message);
}

#[test]
fn other_bytes_change_nothing() {
    repeated(|mut message| {
        match &mut message {
            ClientMessage::Advertise(m) => m.nonce[0] ^= 1,
            ClientMessage::Shares(m) => m.share_root.root[0] ^= 1,
            ClientMessage::UploadEnd(m) => m.signature[0] ^= 1,
            ClientMessage::Agreement(m) => m.signature[0] ^= 1,
            ClientMessage::Reveal(m) => m.shares[0].value[0] ^= 1,
            _ => {}
        }
        message
    });
}
