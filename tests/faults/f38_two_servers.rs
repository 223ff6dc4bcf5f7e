//! F38: a second server, or client, on one state directory.

use crate::federation::process::until;
use crate::federation::{Federation, Plan, edit, free_port, text};
use crate::running::tacita;

#[test]
fn a_second_process_on_one_state_directory_is_refused() {
    let federation = Federation::new(Plan {
        rounds: 30,
        wait: 60,
        ..Plan::new(3, 2, 0)
    });
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("a round", || !federation.entries_of("outcome").is_empty());
    // On another port, so that only the directory is shared.
    let config = federation.server_config();
    edit(
        &config,
        &format!(":{}", federation.port),
        &format!(":{}", free_port()),
    );
    let ran = tacita(["server", "run", "--config", text(&config)]);
    assert_ne!(ran.code, 0);
    assert!(ran.error().contains("server.sqlite is in use"), "{}", ran.stderr);
    let config = federation.client_config(1);
    let ran = tacita(["client", "join", "--config", text(&config)]);
    assert_ne!(ran.code, 0);
    assert!(ran.error().contains("client.sqlite is in use"), "{}", ran.stderr);
    // The first ones did not notice.
    federation.finish(&mut server, &mut clients);
    federation.report();
}
