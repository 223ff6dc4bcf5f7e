//! F05: an attacker or the server fills the roster. Only members of this authority have a place, the policy demands c in
//! proportion to the cohort, and above c colluders G1 is void: the checker says so, nothing on the wire can.

use std::sync::Arc;

use tacita_sim::{Cast, Plan as Round, Script, Setting, World};

use crate::dishonest::{Scene, four};
use crate::federation::process::until;
use crate::federation::relay::Kind;
use crate::federation::{Federation, Plan, edit};

#[test]
fn a_member_of_another_authority_stays_outside() {
    let federation = Federation::new(Plan {
        wait: 3,
        rounds: 1,
        ..Plan::new(4, 3, 1)
    });
    let stranger = Federation::new(Plan::new(3, 3, 0));
    stranger.write_client(0, federation.port);
    let mut server = federation.start_server();
    let mut outside = stranger.start_client(0);
    let mut clients: Vec<_> = [1, 2, 3].map(|client| federation.start_client(client)).into();
    federation.finish(&mut server, &mut clients);
    assert_eq!(federation.entries_of("outcome")[0]["survivor_count"], 3);
    // client-0000 of the one authority is not client-0000 of the other.
    assert!(
        !server.stderr().contains("client=client-0000"),
        "{}",
        server.stderr()
    );
    assert!(!outside.stderr().contains("consented"), "{}", outside.stderr());
    until("the stranger gives up", || !outside.is_running());
    assert_ne!(outside.wait(), 0);
}

#[test]
fn a_cohort_with_too_few_colluders_provided_for_is_refused() {
    let scene = Scene::new(four(1));
    for client in 0..4 {
        let config = scene.federation.client_config(client);
        // 30 % of four is more than one.
        edit(
            &config,
            "least_colluders = 1",
            "least_colluders = 1\nleast_colluders_per_mille = 300",
        );
    }
    let _server = scene.federation.start_server();
    let mut clients = scene.federation.start_clients();
    until("everybody leaves", || {
        clients.iter_mut().all(|client| !client.is_running())
    });
    for client in &clients {
        assert!(
            client.stderr().contains("protects against 1 colluders"),
            "{}",
            client.stderr()
        );
    }
    assert_eq!(scene.sent_by_all(Kind::Advertise), 0);
}

#[test]
fn beyond_the_bound_the_promise_is_void() {
    let cast = Arc::new(Cast::new(5, 105).unwrap());
    let exposed = |colluders: &[usize]| {
        let mut world = World::new(cast.clone(), Setting::new(5, 1, 4), 1).unwrap();
        let mut attack = Script::new().colluders(colluders.iter().copied());
        let report = world.run(&Round::new(), &mut attack).unwrap();
        report.knowledge.exposed()
    };
    assert_eq!(exposed(&[4]), [[0, 1, 2, 3].into()]);
    // With four of five, and t = 4, the one honest member stands alone.
    assert_eq!(exposed(&[1, 2, 3, 4]), [[0].into()]);
}
