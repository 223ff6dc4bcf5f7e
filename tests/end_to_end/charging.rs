//! A participant's charge is on its disk before its first masked byte leaves, and stays there whatever happens after.

use std::sync::Arc;
use std::time::Duration;

use tacita_client::config::ClientConfig;
use tacita_client::{
    CertificateCache, Client, ClientSetup, Hooks, Machine, SqliteStore, Stopper, Store, enrolment, load_parts,
};
use tacita_identity::{Name, Role};
use tacita_ledger::note::VerifierKey;
use tacita_store::{Batch, CommitFuture, Entries, Operation, Sharing, Stats, StoreError};

use crate::federation::process::until;
use crate::federation::{Federation, Plan};

/// When the participant's machine dies.
#[derive(Clone, Copy, PartialEq)]
enum Dies {
    BeforeTheCharge,
    AfterTheCharge,
}

/// A disk that dies with its machine: whoever waits for the charge of a round waits for ever.
struct Dying {
    disk: SqliteStore,
    dies: Dies,
}

impl Store for Dying {
    fn get(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.disk.get(space, key)
    }

    fn scan(&self, space: &str, prefix: &[u8]) -> Result<Entries, StoreError> {
        self.disk.scan(space, prefix)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.disk.commit(batch)
    }

    fn commit_async(&self, batch: Batch) -> CommitFuture {
        let charges = batch.operations().iter().any(|operation| match operation {
            Operation::InsertNew { space, .. } => space == "client/spent",
            _ => false,
        });
        if !charges {
            return self.disk.commit_async(batch);
        }
        let charged = (self.dies == Dies::AfterTheCharge).then(|| self.disk.commit_async(batch));
        Box::pin(async {
            if let Some(charged) = charged {
                charged.await.unwrap();
            }
            std::future::pending().await
        })
    }

    fn stats(&self) -> Stats {
        self.disk.stats()
    }
}

/// The last participant, in this process, until its machine dies in the round that is charged next.
fn dies_in_a_round(federation: &Federation, dies: Dies) {
    let path = federation.client_config(federation.plan.clients - 1);
    let before = federation.entries_of("charge").len();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ClientConfig::read(&path).unwrap();
    let machine = Machine::new(&config.client.state);
    let renewed = enrolment::in_standing(&machine, Role::Client, Duration::from_secs(60));
    let (me, standing) = runtime.block_on(renewed).unwrap();
    runtime.spawn(async move {
        let key = std::fs::read_to_string(config.client.ledger_key.as_ref().unwrap()).unwrap();
        let disk = SqliteStore::open(config.store_path(), Sharing::Exclusive).unwrap();
        let (data, held_out) = load_parts(&config.data).unwrap();
        let mut client = Client::open(ClientSetup {
            standing,
            anchor: Arc::new(me.anchor),
            log_key: VerifierKey::parse(key.trim()).unwrap(),
            server: config.client.server.parse().unwrap(),
            server_name: Name::new(&config.client.server_name).unwrap(),
            policy: config.consent.policy(),
            caps: config.budget.clone(),
            evidence: config.client.state.join("evidence"),
            store: Arc::new(Dying { disk, dies }),
            data,
            held_out,
            endpoint: enrolment::endpoint().unwrap(),
            cache: Arc::<CertificateCache>::default(),
            hooks: Hooks::default(),
        })
        .unwrap();
        let (_stop, stopped) = tokio::sync::watch::channel(false);
        client.join(Stopper::new(stopped)).await.unwrap();
    });
    until("the others are charged without it", || {
        federation.entries_of("charge").len() > before
    });
    // Its store is closed when this returns: the next one opens it.
    runtime.shutdown_timeout(Duration::from_secs(10));
    let charge = &federation.entries_of("charge")[before];
    assert_eq!(charge["roster_size"], 3, "it was a member");
    assert_eq!(
        charge["survivor_count"], 2,
        "something masked left before its charge was durable"
    );
}

/// Failure: masked bytes leave before the charge is durable; or a crash between the two, after which they may be anywhere, is taken
/// back; or the participant does not come back, or is not charged for the next attempts.
#[test]
fn a_crash_on_either_side_of_the_charge() {
    let federation = Federation::new(Plan {
        rounds: 5,
        epsilon: Some("20"),
        deadline: 4,
        ..Plan::new(3, 2, 0)
    });
    let mut server = federation.start_server();
    let mut clients = vec![federation.start_client(0), federation.start_client(1)];
    dies_in_a_round(&federation, Dies::BeforeTheCharge);
    assert_eq!(
        federation.status(2)["uploads"],
        0,
        "nothing left, nothing is charged"
    );
    dies_in_a_round(&federation, Dies::AfterTheCharge);
    let status = federation.status(2);
    assert_eq!(status["uploads"], 1, "it may have left, so it is charged");
    assert_eq!(status["rounds"][0]["revealed"], serde_json::Value::Null);
    clients.push(federation.start_client(2));
    // Its status can be asked for while it runs.
    until("it is back", || {
        federation.status(2)["uploads"].as_u64().unwrap() > 1
    });
    assert!(clients[2].is_running());
    federation.finish(&mut server, &mut clients);
    let status = federation.status(2);
    let rounds = status["rounds"].as_array().unwrap();
    let charges = federation.entries_of("charge");
    let counted = charges
        .iter()
        .filter(|charge| charge["survivor_count"] == 3)
        .count();
    assert_eq!(
        rounds.len(),
        counted + 1,
        "each attempt once, the one that nobody saw too"
    );
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let task = &status["tasks"][0];
    // Whoever sees the results knows its own share; the server without colluders knows none.
    let (server, public) = (number(&task["epsilon_server"]), number(&task["epsilon_public"]));
    assert!(0.0 < server && server < public, "{server} {public}");
    for (round, terms) in rounds.iter().map(|round| (round, &round["terms"])) {
        assert_eq!(terms["server"], "aggregator");
        assert_eq!(terms["server_address"], format!("127.0.0.1:{}", federation.port));
        let manifests = federation.entries_of("manifest");
        let manifest = manifests
            .iter()
            .find(|m| m["round_id"] == round["round_id"])
            .unwrap();
        assert_eq!(terms["model_digest"], manifest["model_digest"]);
        assert_eq!(terms["certificate"], status["certificate"]["fingerprint"]);
        assert_eq!(terms["certificate_expires"], status["certificate"]["not_after"]);
    }
    let told = &rounds.last().unwrap()["revealed"];
    assert_eq!(
        (&told["self_mask_shares"], &told["mask_shares"]),
        (&3.into(), &0.into())
    );
    federation.report();
}
