//! Whole rounds with every party in this process: the real client and server states, the messages encoded and decoded,
//! each client's durable record in one SQLite file as the shells keep it, the ledger in memory, no network.
//!
//! What a step costs is processor time of the one thread that does everything in turn. Drop-outs vanish after dealing
//! their shares: the dearest moment, since the server then rebuilds their mask keys and expands their pair masks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use tacita_client::record::{Papers, StoreRecord, Terms};
use tacita_client::{Sharing, SqliteStore, Stats, Store};
use tacita_privacy::{Budget, BudgetTicket, Decimal, LocalUpdate, NoisedUpdate};
use tacita_protocol::client::{
    Advertised, Agreed, Effect, Invited, Masked, Participant, RecordChange, Revealed, Shared,
};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, Invitation, ServerMessage, UploadChunk};
use tacita_sim::{Cast, Disk, Ledger, NOW, Noise, Setting, Stage, View};

use crate::checks::Checks;
use crate::cpu;
use crate::times::Times;

/// What a round looks like from outside.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// n.
    pub clients: u16,
    /// c.
    pub colluders: u16,
    /// m.
    pub minimum_survivors: u16,
    /// How many vanish after dealing their shares.
    pub vanish: u16,
    /// Coordinates, a power of two.
    pub dimension: u32,
}

impl Shape {
    /// The demo's rule: c = n / 20 (at least 1), m = floor((0.95 - F) n) and at least the quorum, F n vanish.
    #[must_use]
    pub fn usual(clients: u16, drop_percent: u16, dimension: u32) -> Self {
        let colluders = (clients / 20).max(1);
        let quorum = (clients + colluders) / 2 + 1;
        let part = u32::from(clients) * u32::from(95 - drop_percent) / 100;
        let minimum_survivors = u16::try_from(part).expect("at most n").max(quorum);
        Self {
            clients,
            colluders,
            minimum_survivors,
            vanish: clients * drop_percent / 100,
            dimension,
        }
    }

    fn setting(&self) -> Setting {
        let mut setting = Setting::new(self.clients, self.colluders, self.minimum_survivors);
        setting.dimension = self.dimension;
        setting.chunk = 16_384;
        // A standard deviation of two clip norms in the sum of the honest: a budget of 20 covers it many times.
        let honest = u64::from(self.minimum_survivors - self.colluders);
        let deviation = 2 * u64::from(setting.grid);
        setting.noise = Noise::Skellam(((deviation * deviation) << 16) / honest);
        setting
    }
}

/// What a round cost.
pub struct Account {
    /// Its manifest.
    pub manifest: Arc<CheckedManifest>,
    /// Members in the sum.
    pub survivors: usize,
    /// Steps of clients, all clients together.
    pub clients: Times,
    /// Phases of the server.
    pub server: Times,
    /// Encoding and decoding of all messages, all parties.
    pub wire: Duration,
    /// Signatures that all clients checked.
    pub client_checks: Checks,
    /// Signatures that the server checked.
    pub server_checks: Checks,
    /// What the store with the records of all clients did.
    pub store: Stats,
    /// Waiting for it, on the wall.
    pub durable: Duration,
    /// Bytes of one client's masked vector in its frames.
    pub upload_bytes: usize,
    /// Edges between a drop-out and a survivor: pair masks that the server takes off.
    pub dropout_edges: usize,
    /// The server from the first answer to the sum, on the wall: shares checked, then secrets rebuilt and masks taken off.
    pub unmask: [Duration; 2],
}

impl Account {
    /// Processor time of all parties.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.clients.total() + self.server.total() + self.wire
    }
}

enum State {
    Invited,
    Advertised(Box<Advertised>),
    Shared(Box<Shared>),
    Masked(Box<Masked>),
    Agreed(Box<Agreed>),
    Revealed(Box<Revealed>),
    Done,
}

/// What must be durable, in order.
enum Durable {
    Change(RecordChange),
    Spend(RecordChange, BudgetTicket, Box<(Terms, Papers)>, u64),
    Head,
}

struct Member {
    participant: Arc<Participant>,
    record: StoreRecord,
    state: State,
    ticket: Option<BudgetTicket>,
    papers: Option<Papers>,
    rng: ChaCha20Rng,
    update: Vec<f32>,
    durable: Vec<Durable>,
    answers: Vec<ClientMessage>,
}

/// Everybody's certificate verified and known to all, as after the first round of a task.
///
/// Returns the time of one chain check.
pub fn introduce(cast: &Cast) -> Duration {
    let somebody = cast.participant(0).expect("a member");
    let ders = cast.members().iter().map(|member| member.der.as_slice());
    let (refused, time) = cpu::time(|| somebody.admit_certificates(ders, NOW));
    assert_eq!(refused, 0, "a certificate of the cast was refused");
    time / u32::try_from(cast.len()).expect("a small cast")
}

/// Walks one round and checks that it ends with the sum of those who stayed.
#[must_use]
pub fn walk(cast: &Arc<Cast>, shape: &Shape) -> Account {
    let setting = shape.setting();
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(shape.clients));
    let ledger = Ledger::create(cast.log_key().clone(), cast.log_verifier().clone()).expect("a ledger");
    let mut round_id = [0; 32];
    rng.fill_bytes(&mut round_id);
    let head = (ledger.size(), ledger.root());
    let manifest = setting.manifest(1, round_id, head, NOW).expect("a manifest");
    let signature = manifest.sign(&cast.server().key).expect("a signature");
    let invitation = Invitation {
        manifest: manifest.clone(),
        signature,
        checkpoint: ledger.checkpoint().into(),
        consistency: Vec::new().into(),
        model_length: setting.model.len() as u64,
        previous: Vec::new().into(),
    };
    let checked = Arc::new(manifest.check().expect("a valid manifest"));

    let place = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(place.path().join("records"), Sharing::Exclusive).expect("a store");
    let store: Arc<dyn Store> = Arc::new(store);
    let mut members = members(cast, shape, &setting, &store, &mut rng);
    let mut walk = Walk {
        cast,
        model: Sha256::digest(&setting.model).into(),
        view: View::open(
            checked.clone(),
            ledger,
            (Box::<Disk>::default(), Box::<Disk>::default()),
        )
        .expect("the manifest is reserved"),
        runtime: tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime"),
        account: Account {
            manifest: checked,
            survivors: 0,
            clients: Times::default(),
            server: Times::default(),
            wire: Duration::ZERO,
            client_checks: Checks::default(),
            server_checks: Checks::default(),
            store: store.stats(),
            durable: Duration::ZERO,
            upload_bytes: 0,
            dropout_edges: 0,
            unmask: [Duration::ZERO; 2],
        },
    };
    for stage in Stage::ALL {
        walk.stage(stage, &mut members, &invitation, shape);
    }
    let sum = walk.view.sum(cast).expect("the round ends with a sum");
    assert_eq!(sum.survivors.len(), usize::from(shape.clients - shape.vanish));
    walk.account.survivors = sum.survivors.len();
    let roster = walk.view.roster().expect("a roster").clone();
    let staying: Vec<u16> = (0..usize::from(shape.clients - shape.vanish))
        .filter_map(|number| walk.view.index_of(cast, number))
        .collect();
    walk.account.dropout_edges = (0..roster.size())
        .filter(|index| !staying.contains(index))
        .flat_map(|index| roster.neighbours(index))
        .filter(|neighbour| staying.contains(neighbour))
        .count();
    walk.account.store = store.stats();
    walk.account
}

fn members(
    cast: &Cast,
    shape: &Shape,
    setting: &Setting,
    store: &Arc<dyn Store>,
    rng: &mut ChaCha20Rng,
) -> Vec<Member> {
    let budget = Budget {
        epsilon: Decimal::new(20, 0).expect("a decimal"),
        delta: "0.00001".parse().expect("a decimal"),
    };
    (0..usize::from(shape.clients))
        .map(|number| {
            let caps = tacita_client::config::Caps {
                task: budget,
                day: None,
                total: None,
            };
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            let name = &cast.member(number).expect("a member").name;
            Member {
                participant: Arc::new(cast.participant(number).expect("a member")),
                record: StoreRecord::open(store.clone(), name, Some(caps)).expect("a record"),
                state: State::Invited,
                ticket: None,
                papers: None,
                rng: ChaCha20Rng::from_seed(seed),
                update: setting.unit_update(number),
                durable: Vec::new(),
                answers: Vec::new(),
            }
        })
        .collect()
}

struct Walk<'a> {
    cast: &'a Arc<Cast>,
    model: [u8; 32],
    view: View,
    runtime: tokio::runtime::Runtime,
    account: Account,
}

impl Walk<'_> {
    fn stage(&mut self, stage: Stage, members: &mut Vec<Member>, invitation: &Invitation, shape: &Shape) {
        let phase = match stage {
            Stage::Invite => "advertise",
            Stage::Roster => "share",
            Stage::Sharers => "upload",
            Stage::Agree => "agree",
            Stage::Reveal => "reveal, unmask",
            Stage::Outcome => "outcome",
        };
        let staying = members.len()
            - if stage > Stage::Roster {
                usize::from(shape.vanish)
            } else {
                0
            };
        for number in 0..staying {
            let messages = if stage == Stage::Invite {
                vec![ServerMessage::Invitation(Box::new(invitation.clone()))]
            } else {
                let (messages, time) = cpu::time(|| self.view.messages(stage, self.cast, number));
                self.account.server.add(phase, time);
                messages.expect("a member of the roster")
            };
            let member = members.get_mut(number).expect("a member");
            for message in messages {
                // Everybody is known to everybody: the shell would not send certificates.
                if !matches!(message, ServerMessage::Certificates(_)) {
                    self.deliver(member, message);
                }
            }
        }
        self.make_durable(members);
        let began = Instant::now();
        for (number, member) in members.iter_mut().enumerate() {
            for answer in std::mem::take(&mut member.answers) {
                self.receive(phase, number, answer);
            }
        }
        let answered = Instant::now();
        let (closed, time) = cpu::time(|| self.view.close(stage, self.cast));
        if stage == Stage::Reveal {
            self.account.unmask = [answered - began, answered.elapsed()];
        }
        closed.expect("the ledger takes the entries of the round");
        self.account.server.add(phase, time);
    }

    fn deliver(&mut self, member: &mut Member, message: ServerMessage) {
        let (message, time) = cpu::time(|| {
            let frame = message.encode().expect("it encodes");
            ServerMessage::decode(&frame).expect("it decodes")
        });
        self.account.wire += time;
        self.account.client_checks += Checks::by_client(&message);
        member.step(message, &self.model, &mut self.account);
    }

    fn receive(&mut self, phase: &'static str, number: usize, answer: ClientMessage) {
        let (message, time) = cpu::time(|| {
            let frame = answer.encode().expect("it encodes");
            if number == 0 && matches!(answer, ClientMessage::Chunk(_)) {
                self.account.upload_bytes += frame.len();
            }
            ClientMessage::decode(&frame).expect("it decodes")
        });
        self.account.wire += time;
        self.account.server_checks += Checks::by_server(&message);
        let (taken, time) = cpu::time(|| self.view.receive(self.cast, number, message));
        taken.expect("the server takes what an honest member says");
        self.account.server.add(phase, time);
    }

    /// All members at once, so that their commits group as they do between the clients of one process.
    fn make_durable(&mut self, members: &mut Vec<Member>) {
        let start = Instant::now();
        *members = self.runtime.block_on(async {
            let tasks: Vec<_> = members
                .drain(..)
                .map(|member| tokio::spawn(member.make_durable()))
                .collect();
            let mut done = Vec::with_capacity(tasks.len());
            for task in tasks {
                done.push(task.await.expect("the commit does not panic"));
            }
            done
        });
        self.account.durable += start.elapsed();
    }
}

impl Member {
    async fn make_durable(mut self) -> Self {
        for change in std::mem::take(&mut self.durable) {
            match change {
                Durable::Change(change) => self.record.apply(change).await,
                Durable::Spend(change, ticket, terms, bytes) => {
                    self.record.spend(change, ticket, *terms, bytes, NOW).await
                }
                Durable::Head => self.record.flush_head().await,
            }
            .expect("the record takes the change");
        }
        self
    }

    fn step(&mut self, message: ServerMessage, model: &[u8; 32], account: &mut Account) {
        let state = std::mem::replace(&mut self.state, State::Done);
        let (name, (state, effects), time) = match (state, message) {
            (State::Invited, ServerMessage::Invitation(invitation)) => {
                let (step, time) = cpu::time(|| self.accept(*invitation));
                ("advertise", step, time)
            }
            (State::Advertised(state), ServerMessage::Roster(roster)) => {
                let (step, time) = cpu::time(|| state.handle_roster(roster, NOW, &mut self.rng));
                let (next, effects) = step.expect("an honest roster");
                ("roster, deal", (State::Shared(Box::new(next)), effects), time)
            }
            (State::Shared(state), ServerMessage::Sharers(sharers)) => {
                let (update, time) = cpu::time(|| self.prepare(&account.manifest));
                account.clients.add("clip to noise", time);
                let (step, time) = cpu::time(|| state.handle_sharers(&sharers, update, model));
                let (next, effects) = step.expect("honest sharers");
                ("sharers, mask", (State::Masked(Box::new(next)), effects), time)
            }
            (State::Masked(state), ServerMessage::Agree(request)) => {
                let (step, time) = cpu::time(|| state.handle_agree(&request, &self.record));
                let (next, effects) = step.expect("an honest request");
                ("agree", (State::Agreed(Box::new(next)), effects), time)
            }
            (State::Agreed(state), ServerMessage::Reveal(request)) => {
                let (step, time) = cpu::time(|| state.handle_reveal_request(&request, NOW));
                let (next, effects) = step.expect("an honest quorum");
                ("quorum, reveal", (State::Revealed(Box::new(next)), effects), time)
            }
            (State::Revealed(state), ServerMessage::Outcome(outcome)) => {
                let (step, time) = cpu::time(|| state.handle_outcome(&outcome));
                let (_, effects) = step.expect("an honest outcome");
                ("outcome", (State::Done, effects), time)
            }
            (_, other) => unreachable!("an honest server does not say {} here", other.name()),
        };
        account.clients.add(name, time);
        self.state = state;
        self.carry_out(effects, account);
    }

    fn accept(&mut self, invitation: Invitation) -> (State, Vec<Effect>) {
        // As long as certificates are here.
        self.papers = Some(Papers::new(&[1; 400], &[2; 400], invitation.signature));
        let accepted = Invited::accept(invitation, self.participant.clone(), &mut self.record, NOW);
        let (invited, ticket, mut effects) = accepted.expect("an honest invitation");
        self.ticket = Some(ticket);
        let (advertised, more) = invited.advertise(&mut self.rng).expect("keys");
        effects.extend(more);
        (State::Advertised(Box::new(advertised)), effects)
    }

    fn prepare(&mut self, manifest: &CheckedManifest) -> NoisedUpdate {
        let ticket = self.ticket.as_mut().expect("a ticket");
        LocalUpdate::new(std::mem::take(&mut self.update))
            .and_then(|update| update.clip(manifest.encoding()))
            .expect("a finite update of the right dimension")
            .encode(manifest.headroom().expect("the client unit"), &mut self.rng)
            .expect("a clipped update")
            .noise(ticket, &mut self.rng)
            .expect("a fresh ticket")
    }

    fn carry_out(&mut self, effects: Vec<Effect>, account: &mut Account) {
        let mut spent = None;
        for effect in effects {
            match effect {
                Effect::Persist(change @ RecordChange::Spent { .. }) => spent = Some(change),
                Effect::Persist(change) => self.durable.push(Durable::Change(change)),
                Effect::Send(message) => {
                    if matches!(message, ClientMessage::Reveal(_)) {
                        self.durable.push(Durable::Head);
                    }
                    self.answers.push(message);
                }
                Effect::Upload { update, end } => {
                    let change = spent.take().expect("the charge comes before the upload");
                    let ticket = self.ticket.take().expect("a ticket");
                    let bytes = update.packed_len() as u64;
                    let terms = Terms::of(&account.manifest, &self.participant, "127.0.0.1:1");
                    let terms = Box::new((terms, self.papers.take().expect("an invitation")));
                    self.durable.push(Durable::Spend(change, ticket, terms, bytes));
                    let (chunks, time) = cpu::time(|| {
                        (0u32..)
                            .zip(0..update.chunks())
                            .map(|(index, at)| {
                                let packed = update.packed(at).into();
                                ClientMessage::Chunk(UploadChunk { index, packed })
                            })
                            .collect::<Vec<_>>()
                    });
                    account.clients.add("pack", time);
                    self.answers.extend(chunks);
                    self.answers.push(end);
                }
            }
        }
    }
}
