//! F31: `kill -9` of the server. The ledger still verifies, what was reserved and not charged is released at the next start,
//! no charge is lost or made twice, and the task goes on.

use std::collections::HashSet;
use std::time::Duration;

use crate::federation::data::Numbers;
use crate::federation::process::until;
use crate::federation::relay::{Death, Kind, Relay};
use crate::federation::{Federation, Plan};

/// Charges and releases by round id; every manifest ends as one of them, or is the last.
fn settled(federation: &Federation) -> (usize, usize) {
    let of = |kind: &str| -> Vec<String> {
        let entries = federation.entries_of(kind);
        entries.iter().map(|e| e["round_id"].to_string()).collect()
    };
    let (reserved, charged, released) = (of("manifest"), of("charge"), of("release"));
    let once: HashSet<&String> = charged.iter().chain(&released).collect();
    assert_eq!(
        once.len(),
        charged.len() + released.len(),
        "charged or released twice"
    );
    assert_eq!(
        reserved.iter().collect::<HashSet<_>>(),
        once,
        "neither charged nor released"
    );
    (charged.len(), released.len())
}

#[test]
fn killed_at_random_moments_it_goes_on_where_it_stopped() {
    const KILLS: usize = 5;
    let federation = Federation::new(Plan {
        rounds: 20,
        attempts: 5,
        deadline: 2,
        wait: 20,
        epsilon: Some("10"),
        ..Plan::new(3, 2, 0)
    });
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut numbers = Numbers::new(seed);
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    for _ in 0..KILLS {
        let known = federation.entries().len();
        until("the task goes on", || {
            assert!(server.is_running(), "{}", server.stderr());
            federation.entries().len() > known + 1
        });
        std::thread::sleep(Duration::from_micros(u64::from(numbers.next() % 40_000)));
        server.kill();
        server = federation.start_server();
    }
    // A charge that was committed just before a kill is final, and the budget then lacks it for the last round.
    let end = server.wait();
    let outcomes = federation.entries_of("outcome");
    let (charged, released) = settled(&federation);
    let lost = charged - outcomes.len();
    println!("{charged} charged, {lost} of them without outcome, {released} released");
    assert_eq!(end, if lost == 0 { 0 } else { 3 }, "{}", server.stderr());
    if lost == 0 {
        for client in &mut clients {
            assert_eq!(client.wait(), 0, "{}", client.stderr());
        }
    } else {
        assert!(
            server
                .stderr()
                .contains("the privacy budget refuses the next round")
        );
    }
    assert_eq!(charged, 20, "as many rounds as the budget was made for");
    // Each round once, in order.
    let rounds: Vec<u64> = outcomes.iter().map(|o| o["round"].as_u64().unwrap()).collect();
    assert_eq!(rounds, (1..=outcomes.len() as u64).collect::<Vec<_>>());
    let report = federation.report();
    let recomputed = report["tasks"][0]["epsilon_server"].as_f64().unwrap();
    assert!(recomputed <= 10.0, "{recomputed}");
    if federation.entries().last().unwrap()["kind"] == "outcome" {
        let last = outcomes.last().unwrap()["epsilon_server"].as_str().unwrap();
        assert_eq!(last.parse::<f64>().unwrap(), recomputed);
    }
}

/// Runs two rounds, with a member that falls silent in the first and a server that is killed while it waits for it.
fn killed_while_waiting(after: Kind, epsilon: Option<&'static str>) -> (Federation, i32) {
    let federation = Federation::new(Plan {
        rounds: 2,
        epsilon,
        ..Plan::new(3, 3, 0)
    });
    let relay = Relay::start(&federation);
    let mut server = federation.start_server();
    // With m = n and a silent member the attempt waits for its deadline of 30 s.
    let mut clients = vec![federation.start_client(0)];
    relay.kill_after(0, after, clients[0].pid(), Death::Silent);
    clients.extend([1, 2].map(|index| federation.start_client(index)));
    until("the member dies", || relay.is_quiet());
    let charges = usize::from(after == Kind::Agreement);
    until("the charge", || federation.entries_of("charge").len() == charges);
    server.kill();
    assert_eq!(federation.entries_of("release").len(), 0);
    clients[0] = federation.start_client(0);
    let mut server = federation.start_server();
    let releases = federation.entries_of("release");
    assert_eq!(releases.len(), 1 - charges, "before anything else");
    if let Some(release) = releases.first() {
        assert!(release["reason"].as_str().unwrap().contains("restart"));
    }
    let end = server.wait();
    assert_eq!(settled(&federation).1, 1 - charges);
    federation.report();
    (federation, end)
}

#[test]
fn an_open_reserve_is_released() {
    let (federation, end) = killed_while_waiting(Kind::Shares, Some("10"));
    assert_eq!(end, 0);
    assert_eq!(federation.entries_of("outcome").len(), 2);
    assert_eq!(federation.entries_of("charge").len(), 2);
}

#[test]
fn a_charge_stays_and_its_round_is_played_again() {
    let (federation, end) = killed_while_waiting(Kind::Agreement, None);
    assert_eq!(end, 0);
    assert_eq!(federation.entries_of("outcome").len(), 2);
    assert_eq!(federation.entries_of("charge").len(), 3);
    // With noise, the same costs what one of the two planned rounds would have.
    let (federation, end) = killed_while_waiting(Kind::Agreement, Some("10"));
    assert_eq!(end, 3);
    assert_eq!(federation.entries_of("outcome").len(), 1);
    assert_eq!(federation.entries_of("charge").len(), 2);
}
