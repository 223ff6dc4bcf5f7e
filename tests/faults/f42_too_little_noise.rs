//! F42: too few survivors for the noise that was promised. Nobody is asked for a share, and the round ends; a server that asks
//! all the same gets none.

use tacita_protocol::messages::ServerMessage;

use crate::dishonest::{Scene, four, index_of, named};
use crate::federation::process::until;
use crate::federation::relay::{Death, Kind, Relay};
use crate::federation::{Federation, Plan};

/// n = m = 4, c = 1, with a budget.
fn noisy() -> Plan {
    Plan {
        attempts: 1,
        rounds: 1,
        epsilon: Some("10"),
        deadline: 2,
        wait: 10,
        ..Plan::new(4, 4, 1)
    }
}

/// Failure: the server unmasks, or asks for shares of, a sum with less noise than its manifest promised.
#[test]
fn one_survivor_too_few_and_nobody_is_asked() {
    let federation = Federation::new(noisy());
    let relay = Relay::start(&federation);
    let mut server = federation.start_server();
    let mut clients = vec![federation.start_client(0)];
    // Its boxes arrive, its upload does not.
    relay.kill_after(0, Kind::Shares, clients[0].pid(), Death::Silent);
    clients.extend([1, 2, 3].map(|index| federation.start_client(index)));
    until("the member dies", || relay.is_quiet());
    assert_ne!(server.wait(), 0);
    let said = |kind: Kind| {
        let received = relay.received();
        received
            .iter()
            .filter(|r| r.frame.first() == Some(&(kind as u8)))
            .count()
    };
    assert_eq!((said(Kind::Agreement), said(Kind::Reveal)), (0, 0));
    assert!(federation.entries_of("charge").is_empty());
    let reason = federation.entries_of("release")[0]["reason"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(reason.contains('3') && reason.contains('4'), "{reason}");
    for client in &mut clients {
        client.kill();
    }
    // Nothing was charged in the ledger; the three that uploaded have charged themselves.
    let report = federation.report();
    assert_eq!(report["tasks"][0]["epsilon_server"], 0.0);
    for index in 1..4 {
        assert_eq!(federation.status(index)["uploads"], 1);
    }
}

/// Failure: clients sign, and later reveal, for a list with fewer survivors than the noise was planned for.
#[test]
fn a_server_that_wants_a_smaller_list_gets_no_signature() {
    let scene = Scene::new(Plan {
        epsilon: Some("10"),
        ..four(1)
    });
    scene.edit_downwards(|to, message| {
        if let ServerMessage::Agree(request) = message {
            // Two survivors, each reader among them; m = 3.
            let own = 1u8 << index_of(to);
            let other = if own == 1 { 2 } else { 1 };
            request.survivors = vec![own | other].into();
        }
    });
    let (server, code, _clients) = scene.play();
    assert_ne!(code, 0);
    for client in 0..4 {
        named(&server, client, "TAC-052");
    }
    assert_eq!(scene.sent_by_all(Kind::Agreement), 0);
    scene.ended_without_a_sum("0 signed the statement, 3 are needed");
}
