//! A server whose certificate changes while its task runs: members come back to the new one, and no round is lost.

use tacita_client::{Machine, enrolment};
use tacita_identity::{Invitation, Role};
use tacita_server::config::ServerConfig;
use tacita_server::{Server, ServerSetup, TaskEnd};
use tokio::sync::watch;

use crate::federation::process::until;
use crate::federation::{Federation, Plan};

#[test]
fn a_server_changes_its_certificate_between_two_rounds() {
    let federation = Federation::new(Plan {
        rounds: 60,
        ..Plan::new(3, 3, 0)
    });
    let path = federation.server_config();
    let config = ServerConfig::read(&path).unwrap();
    let ledger_key = Machine::new(&config.server.state.join("ledger-key"))
        .key(&mut rand::rng())
        .unwrap();
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let me = Machine::new(&config.server.state)
        .load(Role::Server, now)
        .unwrap();
    let old = me.standing.certificate.clone();
    let (standing, watched) = watch::channel(me.standing);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let setup = ServerSetup {
        standing: watched,
        ledger_key: ledger_key.signing_key().clone(),
        observer: None,
    };
    let (_stop, stopped) = watch::channel(false);
    let mut server = {
        let _inside = runtime.enter();
        Server::open(config, &path, setup, stopped).unwrap()
    };
    let serving = runtime.spawn(async move { server.run().await });
    let mut clients = federation.start_clients();
    let rounds = || federation.entries_of("outcome").len();
    until("five rounds", || rounds() >= 5);

    // As after a renewal: the same name and role, another key and certificate.
    let invitation = Invitation::parse(&federation.invite("server", "aggregator")).unwrap();
    let next = Machine::new(&federation.path().join("server/next"));
    let renewed = runtime.block_on(async {
        let endpoint = enrolment::endpoint().unwrap();
        enrolment::enrol(&endpoint, &next, &invitation).await.unwrap();
        next.load(Role::Server, now + 1).unwrap().standing
    });
    assert_ne!(renewed.certificate.fingerprint, old.fingerprint);
    assert!(rounds() < 60, "the task is not over yet");
    standing.send(renewed).unwrap();

    let end = runtime.block_on(serving).unwrap().unwrap();
    assert_eq!(end, TaskEnd::Completed);
    for client in &mut clients {
        assert_eq!(client.wait(), 0, "{}", client.stderr());
        let said = client.stderr();
        assert!(said.contains("certificate was renewed"), "{said}");
    }
    assert_eq!(rounds(), 60);
    assert_eq!(federation.entries_of("manifest").len(), 60, "no attempt was lost");
    federation.report();
}
