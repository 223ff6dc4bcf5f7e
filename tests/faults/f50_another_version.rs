//! F50: a client of another protocol version. The server refuses it by number and name (TAC-001), in its first hello and in any later
//! one, and goes on with the others.

use tacita_protocol::messages::ClientMessage;

use crate::dishonest::{Scene, four, named};
use crate::federation::Plan;
use crate::federation::relay::Kind;

/// Client 2 speaks version 2 from its hello number `from` on; the server, its code, and what the client said at its end.
fn speaks_another(scene: &Scene, from: usize) -> (crate::federation::process::Process, i32) {
    let mut hellos = 0;
    scene.edit_upwards(2, move |message| {
        if let ClientMessage::Hello(hello) = message {
            hello.version = if hellos >= from { 2 } else { hello.version };
            hellos += 1;
        }
    });
    let (server, code, mut clients) = scene.play();
    named(&server, 2, "TAC-001: protocol version 2");
    assert_eq!(
        server.stderr().matches("TAC-001").count(),
        1,
        "{}",
        server.stderr()
    );
    let mut stranger = clients.remove(2);
    assert_ne!(stranger.wait(), 0, "coming back mends nothing");
    assert!(stranger.stderr().contains("TAC-001"), "{}", stranger.stderr());
    for client in &mut clients {
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    (server, code)
}

#[test]
fn the_first_hello() {
    let scene = Scene::new(Plan { wait: 2, ..four(1) });
    let (_, code) = speaks_another(&scene, 0);
    assert_eq!(code, 0);
    assert_eq!(scene.outcomes(), [(3, 3)]);
    assert_eq!(scene.sent(2, Kind::Advertise), 0);
    scene.federation.report();
}

#[test]
fn a_later_hello() {
    let scene = Scene::new(Plan { wait: 2, ..four(2) });
    let (_, code) = speaks_another(&scene, 1);
    assert_eq!(code, 0);
    assert_eq!(scene.outcomes(), [(4, 4), (3, 3)]);
    assert_eq!(scene.sent(2, Kind::Advertise), 1);
    scene.federation.report();
}
