//! F10, F39: a server that comes back with an older ledger. Its own database remembers the last head, and if that was rolled
//! back too, the clients do.

use std::fs;
use std::path::Path;

use crate::federation::process::until;
use crate::federation::{Federation, Plan, edit, text};
use crate::running::tacita;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn an_older_ledger_is_refused_by_the_server_and_an_older_server_by_its_clients() {
    let federation = Federation::new(Plan {
        rounds: 2,
        wait: 3,
        ..Plan::new(3, 3, 0)
    });
    federation.run_to_the_end();
    let (server, backup) = (federation.path().join("server"), federation.path().join("backup"));
    copy(&server, &backup);
    let config = federation.server_config();
    edit(&config, "rounds = 2", "rounds = 4");
    federation.run_to_the_end();
    assert_eq!(federation.entries_of("outcome").len(), 4);

    // Only the ledger is restored.
    let newer = federation.path().join("newer");
    fs::rename(federation.ledger(), &newer).unwrap();
    copy(&backup.join("ledger"), &federation.ledger());
    edit(&config, "rounds = 4", "rounds = 6");
    let ran = tacita(["server", "run", "--config", text(&config)]);
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("ledger"), "{}", ran.stderr);
    assert_eq!(federation.entries_of("outcome").len(), 2, "nothing was appended");

    // Everything is restored: the server cannot know, its clients do, and keep what they were shown.
    fs::rename(&server, federation.path().join("server-newer")).unwrap();
    fs::rename(&backup, &server).unwrap();
    edit(&config, "rounds = 2", "rounds = 6");
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    until("somebody refuses", || clients.iter_mut().any(|c| !c.is_running()));
    let mut stopped = 0;
    for client in &mut clients {
        if !client.is_running() {
            stopped += 1;
            assert_eq!(client.wait(), 1);
            let said = client.stderr();
            assert!(said.contains("error: ") && said.contains("ledger"), "{said}");
            assert!(
                said.contains("the evidence is kept in") && said.contains("/evidence/fork-"),
                "{said}"
            );
        }
    }
    assert!(stopped > 0);
    assert_ne!(server.wait(), 0, "no cohort is left");
    assert_eq!(
        federation.entries_of("outcome").len(),
        2,
        "no round was played on the old ledger"
    );
}
