//! F32: `kill -9` of a client at random moments of a task. It resumes nothing, sits the round out and comes back; no round id
//! is spent twice, and what it charged is not forgotten.

use std::collections::HashSet;
use std::time::Duration;

use crate::federation::data::Numbers;
use crate::federation::process::until;
use crate::federation::{Federation, Plan};

const KILLS: usize = 10;

#[test]
fn killed_at_random_moments_it_forgets_nothing_and_comes_back() {
    let federation = Federation::new(Plan {
        rounds: 80,
        attempts: 10,
        deadline: 1,
        wait: 20,
        epsilon: Some("10"),
        ..Plan::new(4, 3, 1)
    });
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    // Another seed in every run: whichever moments are found, they must be survived.
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut numbers = Numbers::new(seed);
    let mut spent = [0; 4];
    for kill in 0..KILLS {
        let victim = usize::try_from(numbers.next() % 4).unwrap();
        let rounds = federation.entries_of("outcome").len();
        until("the task goes on", || {
            assert!(server.is_running(), "{}", server.stderr());
            federation.entries_of("outcome").len() > rounds
        });
        // A round takes some tens of milliseconds.
        std::thread::sleep(Duration::from_micros(u64::from(numbers.next() % 40_000)));
        clients[victim].kill();
        let status = federation.status(u16::try_from(victim).unwrap());
        let uploads = status["uploads"].as_u64().unwrap();
        assert!(uploads >= spent[victim], "kill {kill}: {status:#}");
        spent[victim] = uploads;
        // Every upload that the server counted was charged before it left.
        clients[victim] = federation.start_client(u16::try_from(victim).unwrap());
    }
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    for client in &mut clients {
        client.signal("TERM");
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    let report = federation.report();
    let charges = federation.entries_of("charge");
    let manifests = federation.entries_of("manifest");
    assert!(charges.len() >= KILLS);
    let ids: HashSet<_> = manifests.iter().map(|m| m["round_id"].to_string()).collect();
    assert_eq!(ids.len(), manifests.len(), "every attempt has an id of its own");
    // Members of all charged sums: together the clients charged themselves at least as often as they were counted.
    let counted: u64 = charges
        .iter()
        .map(|c| c["survivor_count"].as_u64().unwrap())
        .sum();
    let mut charged = 0;
    for index in 0..4 {
        let status = federation.status(index);
        let rounds = status["rounds"].as_array().unwrap();
        let digests: HashSet<_> = rounds.iter().map(|r| r["upload_digest"].to_string()).collect();
        assert_eq!(digests.len(), rounds.len(), "no mask was used twice");
        assert!(rounds.len() <= manifests.len());
        let epsilon: f64 = status["tasks"][0]["epsilon_spent"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(epsilon > 0.0 && epsilon <= 30.0);
        charged += u64::try_from(rounds.len()).unwrap();
    }
    assert!(charged >= counted, "{charged} uploads charged, {counted} counted");
    println!(
        "{} rounds, {} charges, {:?}",
        manifests.len(),
        charges.len(),
        report["tasks"][0]["released"]
    );
}
