//! F30: a connection is lost in the middle of a round, in each phase and direction. The client goes on with the round on another
//! one, the sum still contains it, and nothing is said twice in other words.

use std::collections::BTreeMap;

use crate::federation::process::until;
use crate::federation::relay::{Kind, Relay};
use crate::federation::{Federation, Plan};

/// Client whose connection is cut.
const VICTIM: u16 = 1;

/// One round that needs all three members, one attempt at it, and a vector of two chunks.
fn plan() -> Plan {
    Plan {
        rounds: 1,
        attempts: 1,
        model: Some("mlp 2 4096 2"),
        ..Plan::new(3, 3, 0)
    }
}

/// Runs the round with the victim's connection cut at these messages; what the server received from it, by kind.
fn cut_at(cuts: &[(Kind, bool)]) -> BTreeMap<u8, Vec<Vec<u8>>> {
    cut_in(plan(), cuts)
}

fn cut_in(plan: Plan, cuts: &[(Kind, bool)]) -> BTreeMap<u8, Vec<Vec<u8>>> {
    let federation = Federation::new(plan);
    let relay = Relay::start(&federation);
    let mut server = federation.start_server();
    let mut clients = vec![federation.start_client(VICTIM)];
    for (kind, arrives) in cuts {
        relay.cut_at(VICTIM, *kind, *arrives);
    }
    clients.extend([0, 2].map(|index| federation.start_client(index)));
    until("all cuts", || relay.is_quiet());
    federation.finish(&mut server, &mut clients);
    let outcomes = federation.entries_of("outcome");
    assert_eq!(outcomes.len(), 1);
    assert_eq!(outcomes[0]["survivor_count"], 3);
    assert_eq!(outcomes[0]["responders"], 3);
    assert_eq!(federation.entries_of("manifest").len(), 1, "in the first attempt");
    assert_eq!(federation.status(VICTIM)["uploads"], 1);
    let left = std::fs::read_dir(federation.server_state().join("spool")).unwrap();
    assert_eq!(left.count(), 0, "no upload is left on the disk");
    federation.report();
    let mut said: BTreeMap<u8, Vec<Vec<u8>>> = BTreeMap::new();
    for received in relay.received() {
        if received.from == crate::federation::name(VICTIM) {
            said.entry(received.frame[0]).or_default().push(received.frame);
        }
    }
    // Whatever was said again was said with the same bytes.
    for (kind, frames) in &said {
        let distinct: std::collections::BTreeSet<_> = frames.iter().collect();
        match kind {
            // Hello differs by design; an upload has two chunks.
            1 => {}
            4 => assert_eq!(distinct.len(), 2),
            _ => assert_eq!(distinct.len(), 1, "kind {kind}"),
        }
    }
    said
}

#[test]
fn a_message_is_lost_with_its_connection() {
    for kind in [
        Kind::Advertise,
        Kind::Shares,
        Kind::UploadEnd,
        Kind::Agreement,
        Kind::Reveal,
    ] {
        let said = cut_at(&[(kind, false)]);
        assert_eq!(said[&(kind as u8)].len(), 2, "{kind:?}");
    }
}

#[test]
fn the_connection_is_lost_behind_a_message() {
    for kind in [Kind::Advertise, Kind::Shares, Kind::Agreement, Kind::Reveal] {
        let said = cut_at(&[(kind, true)]);
        // It arrived, and nobody asked for it again.
        assert_eq!(said[&(kind as u8)].len(), 1, "{kind:?}");
    }
}

#[test]
fn a_message_of_the_server_is_lost() {
    for kind in [
        Kind::Model,
        Kind::Roster,
        Kind::Sharers,
        Kind::AgreeRequest,
        Kind::RevealRequest,
        Kind::Outcome,
    ] {
        cut_at(&[(kind, false)]);
    }
}

#[test]
fn an_upload_goes_on_at_the_missing_chunk() {
    // The first chunk arrives, the second does not: only that one is sent again.
    let said = cut_at(&[(Kind::Chunk, true)]);
    let chunks = &said[&(Kind::Chunk as u8)];
    let index = |frame: &Vec<u8>| u32::from_be_bytes(frame[1..5].try_into().unwrap());
    let indices: Vec<u32> = chunks.iter().map(index).collect();
    assert_eq!(indices, [0, 1]);
    // The first is lost: from the start.
    let said = cut_at(&[(Kind::Chunk, false)]);
    let indices: Vec<u32> = said[&(Kind::Chunk as u8)].iter().map(index).collect();
    assert_eq!(indices, [0, 0, 1]);
}

#[test]
fn a_lost_connection_gives_its_place_to_the_next() {
    // Uploads go one after another, and the one that holds the place is cut.
    let plan = Plan { places: 1, ..plan() };
    let said = cut_in(plan, &[(Kind::Chunk, true), (Kind::UploadEnd, false)]);
    assert!(said[&(Kind::UploadEnd as u8)].len() >= 2);
}

#[test]
fn again_and_again() {
    cut_at(&[
        (Kind::Advertise, false),
        (Kind::Roster, false),
        (Kind::Shares, true),
        (Kind::Sharers, false),
        (Kind::Chunk, true),
        (Kind::UploadEnd, false),
        (Kind::AgreeRequest, false),
        (Kind::Agreement, true),
        (Kind::RevealRequest, true),
        (Kind::Reveal, false),
        (Kind::Outcome, false),
    ]);
}
