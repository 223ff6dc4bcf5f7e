//! F07: one client is given another model, or other terms of the round. No masked byte leaves it (TAC-012), or its keys fit no
//! roster (TAC-002): the others go on without it.

use tacita_protocol::messages::ServerMessage;

use std::fs;

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

/// What a client says, in its own log alone, when it trained on a column of 3e38.
const TRAINED: &str = "grew out of all bounds";

/// Failure: a client trains on its data with a model that nobody signed, and finds out when the vector is ready; what its shell does with the vector
/// then is another matter.
#[test]
fn another_model_is_not_trained() {
    let scene = Scene::new(four(1));
    let (victim, control) = (client_at(0), client_at(1));
    for client in [victim, control] {
        // As large as a feature can be: the second step has no numbers left, which a client that trains says.
        let data = scene.federation.client_dir(client).join("data.csv");
        let text = fs::read_to_string(&data).unwrap();
        let rows = text
            .lines()
            .enumerate()
            .map(|(at, row)| match (at, row.split_once(',')) {
                (1.., Some((_, rest))) => format!("3e38,{rest}"),
                _ => row.to_owned(),
            });
        fs::write(&data, rows.collect::<Vec<_>>().join("\n")).unwrap();
    }
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Model(part), 0) = (message, index_of(to)) {
            let mut bytes = part.as_slice().to_vec();
            let at = bytes.len() - 3;
            bytes[at] ^= 1;
            *part = bytes.into();
        }
    });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    clients[usize::from(victim)].wait_for("TAC-012");
    assert!(clients[usize::from(control)].stderr().contains(TRAINED));
    let said = clients[usize::from(victim)].stderr();
    assert!(!said.contains(TRAINED), "{said}");
    // It left before it answered the roster: the check of the trained update comes later, and would have been too late.
    assert_eq!(scene.sent(victim, Kind::Advertise), 1);
    assert_eq!(scene.sent(victim, Kind::Shares), 0);
    assert_eq!(scene.sent(victim, Kind::UploadEnd), 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
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
