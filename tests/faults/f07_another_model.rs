//! F07: one client is given another model, or other terms of the round. No masked byte leaves it (TAC-012), or its keys fit no
//! roster (TAC-002): the others go on without it.

use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, client_at, four, index_of};
use crate::federation::relay::Kind;

#[test]
fn another_model() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Model(part), 0) = (message, index_of(to)) {
            let mut bytes = part.as_slice().to_vec();
            // The mantissa of the last weight.
            let at = bytes.len() - 3;
            bytes[at] ^= 1;
            *part = bytes.into();
        }
    });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for("TAC-012");
    assert_eq!(scene.sent(victim, Kind::Chunk), 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
    drop(clients);
    assert_eq!(
        scene.federation.status(victim)["uploads"],
        0,
        "nothing was charged"
    );
}

#[test]
fn other_terms() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Invitation(invitation), 0) = (message, index_of(to)) {
            invitation.manifest.rounds += 1;
        }
    });
    let mut server = scene.federation.start_server();
    let mut clients = scene.federation.start_clients();
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for("TAC-002");
    assert_eq!(server.wait(), 0);
    assert_eq!(scene.sent(victim, Kind::Advertise), 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
}
