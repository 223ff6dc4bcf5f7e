//! F09: a message of an earlier round, or of another server, in the place of a fresh one. What it is bound to differs: it is
//! refused (TAC-023, TAC-002), and its sender is a drop-out. Who comes back to a round that is over is told so (TAC-077).

use std::time::Duration;

use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::dishonest::{Scene, at_once, client_at, four, index_of, named};
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
    named(&server, 1, "TAC-023");
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

#[test]
fn a_hello_for_a_round_that_is_over() {
    let scene = Scene::new(four(2));
    // Its connection is lost, and what it says on the next one comes when the others are done: two seconds are what they wait.
    scene.relay.cut_at(1, Kind::Roster, false);
    scene
        .relay
        .rewrite_upwards(|from, frame| match ClientMessage::decode(&frame) {
            Ok(ClientMessage::Hello(hello)) if from == name(1) && !hello.attempt.is_empty() => {
                vec![(Duration::from_secs(4), frame)]
            }
            _ => at_once([frame]),
        });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    clients[1].wait_for("TAC-077");
    // It said hello anew and was invited to the next round.
    assert_eq!(scene.outcomes(), [(3, 3), (4, 4)]);
    assert_eq!(scene.sent(1, Kind::UploadEnd), 1);
}
