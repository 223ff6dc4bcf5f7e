//! F02: the server asks one client for both secrets of one peer, at once or after it came back. It signs one list a round, says
//! TAC-076 to the second, and TAC-008 to a round that it has been in.

use std::collections::HashMap;

use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, at_once, client_at, four, index_of};
use crate::federation::process::until;
use crate::federation::relay::Kind;

#[test]
fn a_second_list_ends_the_round_for_the_client() {
    let scene = Scene::new(four(1));
    scene
        .relay
        .rewrite_downwards(|to, frame| match ServerMessage::decode(&frame) {
            Ok(ServerMessage::Agree(mut request)) if index_of(to) == 0 => {
                request.survivors = vec![0b0111].into();
                let second = ServerMessage::Agree(request).encode().unwrap();
                at_once([frame, second])
            }
            _ => at_once([frame]),
        });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for("TAC-076");
    // It may be gone before the first signature is on its way.
    assert!(scene.sent(victim, Kind::Agreement) <= 1);
    assert_eq!(scene.sent(victim, Kind::Reveal), 0);
    assert_eq!(scene.outcomes(), [(4, 3)]);
}

#[test]
fn an_old_invitation_is_refused() {
    let scene = Scene::new(four(2));
    let mut first: HashMap<String, Vec<u8>> = HashMap::new();
    scene
        .relay
        .rewrite_downwards(move |to, frame| match ServerMessage::decode(&frame) {
            Ok(ServerMessage::Invitation(_)) if index_of(to) == 0 => {
                // In the second round it is invited to the first once more.
                let frame = first.entry(to.to_owned()).or_insert(frame).clone();
                at_once([frame])
            }
            _ => at_once([frame]),
        });
    let mut server = scene.federation.start_server();
    let mut clients = scene.federation.start_clients();
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for("TAC-008");
    until("the second round ends", || scene.outcomes().len() == 2);
    assert_eq!(scene.outcomes(), [(4, 4), (3, 3)]);
    assert_eq!(
        scene.sent(victim, Kind::UploadEnd),
        1,
        "nothing of a second round"
    );
    assert_eq!(server.wait(), 0);
}
