//! F24: one certificate used from two machines at once. The first stays, the second waits outside.

use std::fs;

use crate::federation::process::until;
use crate::federation::{Federation, Plan};

#[test]
fn the_first_session_of_a_name_stays() {
    let federation = Federation::new(Plan {
        rounds: 60,
        ..Plan::new(3, 3, 0)
    });
    let mut server = federation.start_server();
    let mut clients = vec![federation.start_client(0)];
    server.wait_for("client=client-0000");
    // A copy of its state directory: same key, same certificate, a record of its own.
    let (from, to) = (federation.client_dir(0), federation.path().join("client-0009"));
    fs::create_dir_all(to.join("state")).unwrap();
    for file in ["client.toml", "data.csv", "state/key.pem", "state/enrolment.json"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let mut twin = federation.start_client(9);
    server.wait_for("refused a second session of a connected name");
    twin.wait_for("this name is connected already");
    clients.extend([1, 2].map(|index| federation.start_client(index)));
    until("rounds", || federation.entries_of("outcome").len() > 5);
    assert!(twin.is_running(), "it waits: {}", twin.stderr());
    assert!(!twin.stderr().contains("consented"), "{}", twin.stderr());
    // Nor does it ask without end.
    let asked = twin.stderr().matches("connected already").count();
    assert!(asked < 30, "{asked} times");
    federation.finish(&mut server, &mut clients);
    for outcome in federation.entries_of("outcome") {
        assert_eq!(outcome["survivor_count"], 3);
    }
    drop(twin);
    assert_eq!(federation.status(9)["uploads"], 0);
    federation.report();
}
