//! F09: a message of an earlier round, or of another server, in the place of a fresh one. What it is bound to differs: it is
//! refused (TAC-023, TAC-002), and its sender is a drop-out.

use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::dishonest::{Scene, at_once, client_at, four, index_of};
use crate::federation::relay::Kind;
use crate::federation::{Federation, Plan, name};

#[test]
fn an_old_advertisement() {
    let scene = Scene::new(four(2));
    let mut old = None;
    scene
        .relay
        .rewrite_upwards(move |from, frame| match ClientMessage::decode(&frame) {
            Ok(ClientMessage::Advertise(_)) if from == name(1) => at_once([old.get_or_insert(frame).clone()]),
            _ => at_once([frame]),
        });
    let (server, code, _clients) = scene.play();
    assert_eq!(code, 0);
    assert_eq!(scene.outcomes(), [(4, 4), (3, 3)]);
    assert!(server.stderr().contains("TAC-023"), "{}", server.stderr());
    assert_eq!(scene.sent(1, Kind::Advertise), 2);
}

#[test]
fn an_invitation_of_another_server() {
    let scene = Scene::new(four(1));
    // What another server of the same name says to a client of its own.
    let other = Federation::new(Plan {
        rounds: 1,
        ..Plan::new(3, 3, 0)
    });
    let spy = crate::federation::relay::Relay::start(&other);
    let (tell, told) = std::sync::mpsc::channel();
    spy.rewrite_downwards(move |_, frame| {
        if let Ok(ServerMessage::Invitation(_)) = ServerMessage::decode(&frame) {
            let _ = tell.send(frame.clone());
        }
        at_once([frame])
    });
    other.run_to_the_end();
    let foreign = told.recv().unwrap();
    scene
        .relay
        .rewrite_downwards(move |to, frame| match ServerMessage::decode(&frame) {
            Ok(ServerMessage::Invitation(_)) if index_of(to) == 0 => at_once([foreign.clone()]),
            _ => at_once([frame]),
        });
    let mut server = scene.federation.start_server();
    let mut clients = scene.federation.start_clients();
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for("TAC-002");
    assert_eq!(server.wait(), 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
}
