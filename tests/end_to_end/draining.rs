//! SIGTERM: the round in progress is finished, nothing is lost, and the task goes on at the next start.

use crate::federation::process::until;
use crate::federation::{Federation, Plan};

/// The rounds of the outcomes, in order.
fn rounds(federation: &Federation) -> Vec<u64> {
    let outcomes = federation.entries_of("outcome");
    outcomes.iter().map(|o| o["round"].as_u64().unwrap()).collect()
}

#[test]
fn a_server_told_to_stop_finishes_its_round_and_goes_on_at_the_next_start() {
    let federation = Federation::new(Plan {
        rounds: 60,
        epsilon: Some("10"),
        ..Plan::new(3, 2, 0)
    });
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("three rounds", || rounds(&federation).len() >= 3);
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    assert!(server.stdout().contains("task stopped"), "{}", server.stdout());
    let first = rounds(&federation);
    assert!(first.len() < 60, "stopped before the end");
    assert_eq!(first, (1..=first.len() as u64).collect::<Vec<_>>());
    // Every round that was started was finished.
    assert_eq!(federation.entries_of("manifest").len(), first.len());
    assert_eq!(federation.entries_of("charge").len(), first.len());
    assert_eq!(federation.entries_of("release").len(), 0);
    federation.report();

    // The participants wait for their server.
    for client in &mut clients {
        assert!(client.is_running(), "{}", client.stderr());
    }
    let mut server = federation.start_server();
    federation.finish(&mut server, &mut clients);
    assert_eq!(rounds(&federation), (1..=60).collect::<Vec<_>>());
    let report = federation.report();
    assert_eq!(report["tasks"][0]["attempts"], 60, "{report:#}");
    assert!(report["tasks"][0]["epsilon_server"].as_f64().unwrap() <= 10.0);
    for index in 0..3 {
        let status = federation.status(index);
        assert!(status["uploads"].as_u64().unwrap() <= 60, "{status:#}");
    }
}

#[test]
fn a_participant_told_to_stop_leaves_and_may_come_back() {
    let federation = Federation::new(Plan {
        rounds: 80,
        wait: 2,
        ..Plan::new(3, 2, 0)
    });
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("a round", || !rounds(&federation).is_empty());
    clients[1].signal("TERM");
    assert_eq!(clients[1].wait(), 0, "{}", clients[1].stderr());
    assert!(clients[1].stdout().contains("task stopped"));
    let uploads = federation.status(1)["uploads"].as_u64().unwrap();
    let gone = rounds(&federation).len();
    until("a round without it", || rounds(&federation).len() > gone);
    assert_eq!(federation.status(1)["uploads"], uploads);
    clients[1] = federation.start_client(1);
    let last = rounds(&federation).len();
    until("rounds with it", || rounds(&federation).len() > last + 2);
    clients[1].signal("TERM");
    assert_eq!(clients[1].wait(), 0, "{}", clients[1].stderr());
    assert!(federation.status(1)["uploads"].as_u64().unwrap() > uploads);
    // The last survivor counts show both kinds of round.
    let counts: Vec<u64> = federation
        .entries_of("outcome")
        .iter()
        .map(|outcome| outcome["survivor_count"].as_u64().unwrap())
        .collect();
    assert!(counts.contains(&2) && counts.contains(&3), "{counts:?}");
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    federation.report();
}
