//! F28, F29: one of four clients (c = 1, m = 3) is killed right after a given message has reached the server, and started
//! again. The round ends over the survivors; one drop-out more and it ends without a result, saying why.

use serde_json::Value;

use crate::federation::process::{Process, until};
use crate::federation::relay::{Death, Kind, Relay};
use crate::federation::{Federation, Plan};

/// Client that is killed.
const VICTIM: u16 = 2;

fn plan() -> Plan {
    Plan {
        rounds: 3,
        deadline: 2,
        wait: 10,
        epsilon: Some("10"),
        ..Plan::new(4, 3, 1)
    }
}

/// Survivors of each outcome.
fn survivors(federation: &Federation) -> Vec<u64> {
    let outcomes = federation.entries_of("outcome");
    outcomes
        .iter()
        .map(|outcome| outcome["survivor_count"].as_u64().unwrap())
        .collect()
}

fn uploads(status: &Value) -> u64 {
    status["uploads"].as_u64().unwrap()
}

/// Runs three rounds; the victim dies in the first one and comes back for the others.
fn dies_after(kind: Kind, death: Death, counted: u64, responders: u64) {
    let federation = Federation::new(plan());
    let relay = Relay::start(&federation);
    let mut server = federation.start_server();
    // The trap is set before its round can start: the others are not there yet.
    let mut clients = vec![federation.start_client(VICTIM)];
    relay.kill_after(VICTIM, kind, clients[0].pid(), death);
    clients.extend([0, 1, 3].map(|index| federation.start_client(index)));
    until("the victim is killed", || relay.is_quiet());
    until("it is gone", || !clients[0].is_running());

    // What left the machine was charged before, and the record tells it to whoever asks.
    let charged = u64::from(!matches!(kind, Kind::Advertise | Kind::Shares));
    let status = federation.status(VICTIM);
    assert_eq!(uploads(&status), charged, "{status:#}");
    until("the round ends", || !survivors(&federation).is_empty());
    assert_eq!(survivors(&federation), [counted]);
    assert_eq!(federation.entries_of("outcome")[0]["responders"], responders);

    clients[0] = federation.start_client(VICTIM);
    federation.finish(&mut server, &mut clients);
    assert_eq!(survivors(&federation), [counted, 4, 4]);
    let status = federation.status(VICTIM);
    assert_eq!(uploads(&status), charged + 2, "{status:#}");
    // No round was charged twice: every upload has a digest of its own.
    let rounds = status["rounds"].as_array().unwrap();
    let digests: std::collections::HashSet<_> = rounds
        .iter()
        .map(|r| r["upload_digest"].as_str().unwrap())
        .collect();
    assert_eq!(digests.len(), rounds.len());
    let report = federation.report();
    assert_eq!(report["tasks"][0]["attempts"], 3, "{report:#}");
    let score = federation.plan.task.score(&federation.last_model());
    assert!(score > 0.8, "{score}");
}

#[test]
fn killed_after_its_advertisement() {
    dies_after(Kind::Advertise, Death::Silent, 3, 3);
}

#[test]
fn killed_after_its_shares() {
    dies_after(Kind::Shares, Death::Silent, 3, 3);
}

#[test]
fn killed_in_the_middle_of_its_upload() {
    dies_after(Kind::Chunk, Death::Silent, 3, 3);
}

#[test]
fn killed_after_its_upload() {
    // Its upload counts: it is masked with secrets that the others hold shares of.
    dies_after(Kind::UploadEnd, Death::Silent, 4, 3);
}

#[test]
fn killed_after_its_signature() {
    dies_after(Kind::Agreement, Death::Silent, 4, 3);
}

#[test]
fn killed_after_its_reveal() {
    dies_after(Kind::Reveal, Death::Silent, 4, 4);
}

#[test]
fn a_death_that_is_announced_costs_no_waiting() {
    dies_after(Kind::Shares, Death::Announced, 3, 3);
    dies_after(Kind::Agreement, Death::Announced, 4, 3);
}

/// One more than n - m.
#[test]
fn two_of_four_end_the_round_and_the_next_attempt_works() {
    let federation = Federation::new(Plan {
        rounds: 2,
        attempts: 5,
        ..plan()
    });
    let relay = Relay::start(&federation);
    let mut server = federation.start_server();
    let mut clients: Vec<Process> = [1, 2].map(|index| federation.start_client(index)).into();
    relay.kill_after(1, Kind::Shares, clients[0].pid(), Death::Announced);
    relay.kill_after(2, Kind::Shares, clients[1].pid(), Death::Announced);
    clients.extend([0, 3].map(|index| federation.start_client(index)));
    until("both are killed", || relay.is_quiet());
    until("the attempt ends", || {
        !federation.entries_of("release").is_empty()
    });
    // Nothing was charged, on neither side; the ledger says why.
    assert_eq!(federation.entries_of("charge").len(), 0);
    let release = &federation.entries_of("release")[0];
    let reason = release["reason"].as_str().unwrap();
    assert!(reason.contains("2") && reason.contains("3"), "{reason}");
    assert_eq!(uploads(&federation.status(1)), 0);
    server.wait_for("attempt failed");
    // Those who stayed were told, and stay.
    clients[2].wait_for("the server aborted the round");
    clients[3].wait_for("the server aborted the round");

    clients[0] = federation.start_client(1);
    clients[1] = federation.start_client(2);
    federation.finish(&mut server, &mut clients);
    assert_eq!(survivors(&federation), [4, 4]);
    let report = federation.report();
    assert_eq!(report["tasks"][0]["released"], 1, "{report:#}");
}
