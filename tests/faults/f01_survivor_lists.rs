//! F01: the server sends different survivor lists to different clients. Two lists cannot both have a quorum: nobody reveals.

use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, four, index_of};
use crate::federation::relay::Kind;

#[test]
fn two_lists_have_no_quorum() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let ServerMessage::Agree(request) = message {
            // Two are told that member 3 dropped out, two that member 0 did.
            let list = if index_of(to) < 2 { 0b0111 } else { 0b1110 };
            request.survivors = vec![list].into();
        }
    });
    let (server, code, _clients) = scene.play();
    assert_ne!(code, 0);
    assert_eq!(
        scene.sent_by_all(Kind::Agreement),
        4,
        "each signed what it was shown"
    );
    assert!(server.stderr().contains("TAC-054"), "{}", server.stderr());
    scene.ended_without_a_sum("0 signed the statement, 3 are needed");
}

#[test]
fn one_liar_of_a_list_is_outvoted() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Agree(request), 0) = (message, index_of(to)) {
            request.survivors = vec![0b0111].into();
        }
    });
    let (_, code, _clients) = scene.play();
    assert_eq!(code, 0);
    // Its signature is on another statement: it is not asked for shares, and the other three are enough.
    assert_eq!(scene.outcomes(), [(4, 3)]);
    assert_eq!(scene.sent_by_all(Kind::Reveal), 3);
}
