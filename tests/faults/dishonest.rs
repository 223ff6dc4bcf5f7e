//! Four real clients and a real server with a relay between them that has everybody's keys: to the clients a dishonest
//! server, to the server dishonest clients.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tacita_identity::{Identity, Name, Role};
use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::federation::process::Process;
use crate::federation::relay::{Kind, Relay};
use crate::federation::{Federation, Plan, name, succeeded, text};
use crate::running::{Ran, tacita};

/// n = 4, c = 1, m = 3, so that t = Q = 3; one attempt, deadlines of two seconds.
pub(crate) fn four(rounds: u32) -> Plan {
    Plan {
        rounds,
        attempts: 1,
        deadline: 2,
        wait: 10,
        ..Plan::new(4, 3, 1)
    }
}

/// The four, not started yet.
pub(crate) struct Scene {
    pub(crate) federation: Federation,
    pub(crate) relay: Relay,
}

/// What a rewrite gives: frames, each after a pause.
pub(crate) type Frames = Vec<(Duration, Vec<u8>)>;

/// Frames without pauses.
pub(crate) fn at_once(frames: impl IntoIterator<Item = Vec<u8>>) -> Frames {
    frames.into_iter().map(|frame| (Duration::ZERO, frame)).collect()
}

impl Scene {
    pub(crate) fn new(plan: Plan) -> Self {
        let federation = Federation::new(plan);
        let relay = Relay::start(&federation);
        Self { federation, relay }
    }

    /// Edits what the server says to clients, by name.
    pub(crate) fn edit_downwards(&self, mut edit: impl FnMut(&str, &mut ServerMessage) + Send + 'static) {
        self.relay.rewrite_downwards(move |to, frame| {
            let mut message = ServerMessage::decode(&frame).expect("the server's own frame");
            edit(to, &mut message);
            at_once([message.encode().expect("a message")])
        });
    }

    /// Edits what one client says.
    pub(crate) fn edit_upwards(
        &self,
        client: u16,
        mut edit: impl FnMut(&mut ClientMessage) + Send + 'static,
    ) {
        self.relay.rewrite_upwards(move |from, frame| {
            if from != name(client) {
                return at_once([frame]);
            }
            let mut message = ClientMessage::decode(&frame).expect("a client's own frame");
            edit(&mut message);
            at_once([message.encode().expect("a message")])
        });
    }

    /// Starts everybody and waits for the server's end; its exit code, and the clients as they are then.
    pub(crate) fn play(&self) -> (Process, i32, Vec<Process>) {
        let mut server = self.federation.start_server();
        let clients = self.federation.start_clients();
        let code = server.wait();
        (server, code, clients)
    }

    /// How many messages of a kind a client sent.
    pub(crate) fn sent(&self, client: u16, kind: Kind) -> usize {
        let received = self.relay.received();
        let of = |r: &&crate::federation::relay::Received| {
            r.from == name(client) && r.frame.first() == Some(&(kind as u8))
        };
        received.iter().filter(of).count()
    }

    /// How many messages of a kind anybody sent.
    pub(crate) fn sent_by_all(&self, kind: Kind) -> usize {
        (0..4).map(|client| self.sent(client, kind)).sum()
    }

    /// Survivors and responders of each outcome.
    pub(crate) fn outcomes(&self) -> Vec<(u64, u64)> {
        let number = |value: &serde_json::Value| value.as_u64().expect("a number");
        let outcomes = self.federation.entries_of("outcome");
        outcomes
            .iter()
            .map(|o| (number(&o["survivor_count"]), number(&o["responders"])))
            .collect()
    }

    /// What a client hands out of the lists that it signed, as a file.
    pub(crate) fn signed_lists(&self, client: u16) -> PathBuf {
        let config = self.federation.client_config(client);
        let ran = tacita(["client", "evidence", "--json", "--config", text(&config)]);
        succeeded(&ran);
        let file = self.federation.path().join(format!("lists-{client}.json"));
        fs::write(&file, ran.stdout).expect("a file");
        file
    }

    /// What two clients, by roster index, signed in each attempt, beside each other.
    pub(crate) fn compared(&self, first: u16, second: u16) -> Ran {
        let files = [first, second].map(|index| self.signed_lists(client_at(index)));
        compare(text(&files[0]), text(&files[1]))
    }

    /// Everybody dies, and the server is honest from now on: the task is done, in one more attempt.
    pub(crate) fn goes_on_honestly(&self, clients: Vec<Process>) {
        for mut client in clients {
            client.kill();
        }
        self.edit_downwards(|_, _| {});
        self.federation.run_to_the_end();
    }

    /// The round ended without a sum, nobody revealed, and the ledger says why.
    #[track_caller]
    pub(crate) fn ended_without_a_sum(&self, reason: &str) {
        assert_eq!(self.sent_by_all(Kind::Reveal), 0, "somebody revealed");
        assert!(self.outcomes().is_empty());
        assert!(self.federation.entries_of("charge").is_empty());
        let released = self.federation.entries_of("release");
        let said = released[0]["reason"].as_str().expect("text");
        assert!(said.contains(reason), "{said}");
        self.federation.report();
    }
}

/// `tacita client compare`.
pub(crate) fn compare(first: &str, second: &str) -> Ran {
    tacita(["client", "compare", "--json", first, second])
}

/// The server's log says of this client that it broke this rule.
#[track_caller]
pub(crate) fn named(server: &Process, client: u16, rule: &str) {
    let (said, client) = (server.stderr(), format!("client={}", name(client)));
    let line = said
        .lines()
        .find(|line| line.contains(&client) && line.contains(rule));
    assert!(line.is_some(), "no {rule} of {client}: {said}");
}

/// Roster index of a client when all four are in it: members stand in the order of their identities.
pub(crate) fn index_of(client: &str) -> u16 {
    let identity = |of: &str| Identity::of(Role::Client, &Name::new(of).expect("a name")).0;
    let own = identity(client);
    let before = (0..4).filter(|other| identity(&name(*other)) < own).count();
    u16::try_from(before).expect("four")
}

/// The client with a roster index.
pub(crate) fn client_at(index: u16) -> u16 {
    (0..4)
        .find(|client| index_of(&name(*client)) == index)
        .expect("four")
}
