//! A member that is revoked while a task runs is out of every roster from then on, without a restart of anybody; the
//! certificates of the others are renewed by themselves (that part is tested in `crates/authority/tests/keeper.rs`).

use crate::federation::process::until;
use crate::federation::{Federation, Plan};
use crate::running::tacita;

#[test]
fn a_revoked_member_is_out_of_the_next_roster() {
    let federation = Federation::new(Plan {
        rounds: 400,
        wait: 1,
        // What the killed member's round waits for: a lost connection may come back until then.
        deadline: 5,
        ..Plan::new(4, 3, 0)
    });
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    let counts = || -> Vec<u64> {
        let outcomes = federation.entries_of("outcome");
        outcomes
            .iter()
            .map(|outcome| outcome["survivor_count"].as_u64().unwrap())
            .collect()
    };
    until("a round of four", || counts().contains(&4));
    let authority = federation.path().join("authority");
    let dir = authority.to_str().unwrap();
    let revoked = tacita(["authority", "revoke", "client-0003", "--dir", dir]);
    assert_eq!(revoked.code, 0, "{}", revoked.stderr);
    server.wait_for("a newer deny list was taken over");
    // The round under way may still end with it.
    let before = counts().len() + 1;
    until("three rounds more", || counts().len() >= before + 3);
    server.wait_for("not in the roster");
    assert!(
        counts()[before..].iter().all(|count| *count == 3),
        "{:?}",
        counts()
    );
    // Nor does it get in again.
    clients[3].kill();
    clients[3] = federation.start_client(3);
    clients[3].wait_for("revoked");
    assert_ne!(clients[3].wait(), 0);
    for client in &mut clients[..3] {
        assert!(client.is_running(), "{}", client.stderr());
        client.signal("TERM");
        assert_eq!(client.wait(), 0, "{}", client.stderr());
    }
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "{}", server.stderr());
    federation.report();
}
