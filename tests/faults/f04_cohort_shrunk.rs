//! F04: the server shrinks the cohort below what a client wants. The client's own floor refuses before it masks (TAC-007), and
//! before it signs (TAC-052).

use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, client_at, four, index_of};
use crate::federation::edit;
use crate::federation::process::until;
use crate::federation::relay::Kind;

#[test]
fn a_floor_of_the_client_stands_before_its_keys() {
    let scene = Scene::new(four(1));
    for client in 0..4 {
        let config = scene.federation.client_config(client);
        edit(&config, "smallest_cohort = 3", "smallest_cohort = 4");
    }
    let _server = scene.federation.start_server();
    let mut clients = scene.federation.start_clients();
    until("everybody leaves", || {
        clients.iter_mut().all(|client| !client.is_running())
    });
    for client in &mut clients {
        assert_ne!(client.wait(), 0);
        let said = client.stderr();
        assert!(
            said.contains("TAC-007") && said.contains("below the floor 4"),
            "{said}"
        );
    }
    assert_eq!(scene.sent_by_all(Kind::Advertise), 0);
}

#[test]
fn a_list_below_the_minimum_is_not_signed() {
    let scene = Scene::new(four(1));
    scene.edit_downwards(|to, message| {
        if let (ServerMessage::Agree(request), 0) = (message, index_of(to)) {
            request.survivors = vec![0b0011].into();
        }
    });
    let (_, code, mut clients) = scene.play();
    assert_eq!(code, 0);
    let victim = client_at(0);
    clients[usize::from(victim)].wait_for("TAC-052");
    assert_eq!(scene.sent(victim, Kind::Agreement), 0);
    assert_eq!(scene.outcomes(), [(4, 3)]);
}
