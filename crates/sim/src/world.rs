//! The world: a cast, its durable records, the server's ledger, and one round after another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tacita_protocol::RoundError;
use tacita_protocol::client::Participant;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, Invitation, RosterMessage, ServerMessage, SharersMessage};

use crate::cast::{Cast, NOW};
use crate::client::{Client, State};
use crate::disk::Disk;
use crate::error::SimError;
use crate::eyes::Eyes;
use crate::knowledge::Knowledge;
use crate::ledger::Ledger;
use crate::record::MemoryRecord;
use crate::report::{ClientEnd, Report, Sent, Turned, ViewEnd};
use crate::setting::Setting;
use crate::stage::{Attack, Backstage, Honest, Moment, Stage};
use crate::view::{Desk, View};

/// Changes what one member is and trusts, before the round.
pub type Adjust<'a> = Box<dyn Fn(usize, &mut Participant) + 'a>;

/// What shall happen in a round, apart from attacks.
#[derive(Default)]
pub struct Plan<'a> {
    /// Members that vanish; the others stay.
    pub vanish: BTreeMap<usize, Moment>,
    /// Members that are not invited.
    pub absent: BTreeSet<usize>,
    /// Changes to participants.
    pub adjust: Option<Adjust<'a>>,
    /// Updates other than the setting's unit vectors.
    pub updates: BTreeMap<usize, Vec<f32>>,
    /// Members whose update was prepared under another manifest than that of the round.
    pub prepared_for: BTreeMap<usize, Arc<CheckedManifest>>,
    /// The server's disk for uploads in flight.
    pub disk: Disk,
    /// The server's ledger desk, if it does not bring back what was committed.
    pub desk: Option<Desk>,
    /// The id of the attempt, if it shall not be fresh.
    pub round_id: Option<[u8; 32]>,
}

impl Plan<'_> {
    /// Nobody vanishes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The members in order of their number vanish at these moments.
    pub fn history(moments: &[Moment]) -> Self {
        Self {
            vanish: moments.iter().copied().enumerate().collect(),
            ..Self::default()
        }
    }
}

/// A world.
pub struct World {
    cast: Arc<Cast>,
    setting: Setting,
    records: Vec<MemoryRecord>,
    ledger: Ledger,
    rng: ChaCha20Rng,
    eyes: Eyes,
    round: u32,
    now: u64,
}

impl World {
    /// A world with fresh records and an empty ledger; chance comes from `seed` alone.
    ///
    /// # Errors
    /// [`SimError::Log`] if the ledger cannot be created.
    pub fn new(cast: Arc<Cast>, setting: Setting, seed: u64) -> Result<Self, SimError> {
        let ledger = Ledger::create(cast.log_key().clone(), cast.log_verifier().clone())?;
        let records = (0..cast.len()).map(|_| MemoryRecord::default()).collect();
        Ok(Self {
            eyes: Eyes::new(&cast),
            rng: chance(seed, &cast),
            cast,
            setting,
            records,
            ledger,
            round: 1,
            now: NOW,
        })
    }

    /// The cast.
    pub fn cast(&self) -> &Arc<Cast> {
        &self.cast
    }

    /// The setting of the next round.
    pub fn setting(&mut self) -> &mut Setting {
        &mut self.setting
    }

    /// The ledger of the server.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Puts another ledger in the server's hands: an older copy, or a fork.
    pub fn replace_ledger(&mut self, ledger: Ledger) -> Ledger {
        std::mem::replace(&mut self.ledger, ledger)
    }

    /// The durable record of a member.
    ///
    /// # Errors
    /// [`SimError::NoMember`].
    pub fn record(&mut self, member: usize) -> Result<&mut MemoryRecord, SimError> {
        self.records.get_mut(member).ok_or(SimError::NoMember(member))
    }

    /// Shares revealed in all rounds so far of which the world knew beforehand that they were dealt, and all.
    pub fn shares_known(&self) -> (u64, u64) {
        self.eyes.shares()
    }

    /// Starts the chance of members over, as in a virtual machine that was put back.
    pub fn rewind(&mut self, seed: u64) {
        self.rng = chance(seed, &self.cast);
    }

    /// The clock of clients, in unix seconds; [`NOW`] unless moved.
    pub fn set_now(&mut self, now: u64) {
        self.now = now;
    }

    /// The manifest that the next round will have, for a given attempt.
    ///
    /// # Errors
    /// [`SimError::Setting`].
    pub fn manifest(&self, round_id: [u8; 32]) -> Result<tacita_protocol::manifest::Manifest, SimError> {
        self.setting.manifest(
            self.round,
            round_id,
            (self.ledger.size(), self.ledger.root()),
            NOW,
        )
    }

    /// Runs one round with an honest server.
    ///
    /// # Errors
    /// As [`World::run`].
    pub fn run_honest(&mut self, plan: &Plan<'_>) -> Result<Report, SimError> {
        self.run(plan, &mut Honest)
    }

    /// Runs one round to its end.
    ///
    /// # Errors
    /// [`SimError::Checker`] if a one-time value was used twice or a secret shows; another [`SimError`] if the world itself
    /// cannot go on. Whatever else the round comes to is in the report.
    pub fn run(&mut self, plan: &Plan<'_>, attack: &mut dyn Attack) -> Result<Report, SimError> {
        let mut round_id = [0u8; 32];
        self.rng.fill_bytes(&mut round_id);
        let manifest = self.manifest(plan.round_id.unwrap_or(round_id))?;
        let signature = manifest.sign(&self.cast.server().key)?;
        let checked = Arc::new(manifest.clone().check()?);
        let views = (0..attack.views())
            .map(|_| {
                let disk = (Box::new(plan.disk.clone()) as _, Box::new(plan.disk.clone()) as _);
                let mut view = View::open(checked.clone(), self.ledger.clone(), disk)?;
                plan.desk.iter().for_each(|desk| view.replace_desk(desk.clone()));
                Ok(view)
            })
            .collect::<Result<Vec<_>, SimError>>()?;
        let cast = self.cast.clone();
        let clients = self.clients(plan)?;
        let mut round = Round {
            clients,
            turned: vec![Vec::new(); views.len()],
            knowledge: Knowledge::new(
                *checked.digest(),
                checked.threshold(),
                checked.is_complete(),
                checked.fields().cohort,
                cast.len(),
                &attack.colluders(),
            ),
            cast: &cast,
            ledger: &self.ledger,
            invitation: (manifest, signature),
            model: &self.setting.model,
            manifest: checked,
            views,
            sent: Vec::new(),
            seen: vec![(None, None); cast.len()],
            eyes: &mut self.eyes,
        };
        for stage in Stage::ALL {
            round.stage(stage, plan, attack)?;
        }
        let (report, ledger) = round.finish(&mut self.records);
        if let Some(ledger) = ledger {
            self.ledger = ledger;
        }
        self.round = self.round.saturating_add(1);
        match self.eyes.wrong() {
            None => Ok(report),
            Some(wrong) => Err(SimError::Checker(wrong)),
        }
    }

    fn clients(&mut self, plan: &Plan<'_>) -> Result<Vec<Client>, SimError> {
        let mut clients = Vec::with_capacity(self.cast.len());
        for member in 0..self.cast.len() {
            let mut participant = self.cast.participant(member)?;
            if let Some(adjust) = &plan.adjust {
                adjust(member, &mut participant);
            }
            let mut seed = [0u8; 32];
            self.rng.fill_bytes(&mut seed);
            let record = self
                .records
                .get_mut(member)
                .map(std::mem::take)
                .unwrap_or_default();
            let update = plan
                .updates
                .get(&member)
                .cloned()
                .unwrap_or_else(|| self.setting.unit_update(member));
            let rng = ChaCha20Rng::from_seed(seed);
            let mut client = Client::new(Arc::new(participant), record, rng, update, self.now);
            if let Some(other) = plan.prepared_for.get(&member) {
                client.prepare_for(other.clone());
            }
            clients.push(client);
        }
        Ok(clients)
    }
}

/// The chance of a world. With the seed of its cast it is a stream of its own: round ids are public, and keys are not.
fn chance(seed: u64, cast: &Cast) -> ChaCha20Rng {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(cast.seed == Some(seed)));
    rng
}

/// One round under way.
struct Round<'a> {
    cast: &'a Cast,
    ledger: &'a Ledger,
    invitation: (tacita_protocol::manifest::Manifest, [u8; 64]),
    model: &'a [u8],
    manifest: Arc<CheckedManifest>,
    views: Vec<View>,
    clients: Vec<Client>,
    sent: Vec<Sent>,
    turned: Vec<Vec<Turned>>,
    knowledge: Knowledge,
    /// The last roster and sharers list that each client was handed.
    seen: Vec<(Option<RosterMessage>, Option<SharersMessage>)>,
    eyes: &'a mut Eyes,
}

impl Round<'_> {
    fn backstage(&self, stage: Stage) -> Backstage<'_> {
        Backstage {
            stage,
            cast: self.cast,
            manifest: &self.manifest,
            views: &self.views,
            ledger: self.ledger,
        }
    }

    fn stage(&mut self, stage: Stage, plan: &Plan<'_>, attack: &mut dyn Attack) -> Result<(), SimError> {
        let hears = |member: usize| {
            !plan.absent.contains(&member)
                && plan.vanish.get(&member).is_none_or(|moment| moment.hears(stage))
        };
        for member in (0..self.clients.len()).filter(|member| hears(*member)) {
            self.speak(stage, member, attack)?;
            if stage == Stage::Reveal && self.manifest.is_sampled() {
                // The list of signers was drawn from: now what was drawn.
                self.speak(stage, member, attack)?;
            }
        }
        for (member, message) in attack.more_to_clients(&self.backstage(stage)) {
            if hears(member) {
                self.deliver(stage, member, message, attack)?;
            }
        }
        for (member, message) in attack.more_to_server(&self.backstage(stage)) {
            self.feed(stage, member, message, attack)?;
        }
        for view in &mut self.views {
            view.close(stage, self.cast)?;
        }
        Ok(())
    }

    fn speak(&mut self, stage: Stage, member: usize, attack: &mut dyn Attack) -> Result<(), SimError> {
        for message in self.outgoing(stage, member, attack)? {
            self.eyes.says(&message, &message.encode()?);
            for message in attack.to_client(&self.backstage(stage), member, message) {
                self.deliver(stage, member, message, attack)?;
            }
        }
        Ok(())
    }

    fn outgoing(
        &mut self,
        stage: Stage,
        member: usize,
        attack: &mut dyn Attack,
    ) -> Result<Vec<ServerMessage>, SimError> {
        if stage == Stage::Invite {
            return self.invite(member);
        }
        let Some(view) = self.views.get_mut(attack.shows(stage, member)) else {
            return Ok(Vec::new());
        };
        match view.messages(stage, self.cast, member) {
            // What was dealt does not come back from the disk: this view's attempt is over.
            Err(SimError::Round(error @ RoundError::Abort(_))) => {
                view.give_up(error);
                Ok(Vec::new())
            }
            said => said,
        }
    }

    /// Invitation and model. A client whose head is ahead of the ledger gets no consistency proof: there is none.
    fn invite(&self, member: usize) -> Result<Vec<ServerMessage>, SimError> {
        let head = self
            .clients
            .get(member)
            .and_then(|client| client.record().head_size());
        let consistency = match head {
            Some(size) if size <= self.ledger.size() => self.ledger.consistency(size)?,
            _ => Vec::new().into(),
        };
        let (manifest, signature) = self.invitation.clone();
        let invitation = Invitation {
            manifest,
            signature,
            checkpoint: self.ledger.checkpoint().into(),
            consistency,
            model_length: self.model.len() as u64,
            previous: Vec::new().into(),
        };
        Ok(vec![
            ServerMessage::Invitation(Box::new(invitation)),
            ServerMessage::Model(self.model.into()),
        ])
    }

    /// Through the wire to a client, and its answers through the wire back.
    fn deliver(
        &mut self,
        stage: Stage,
        member: usize,
        message: ServerMessage,
        attack: &mut dyn Attack,
    ) -> Result<(), SimError> {
        let message = ServerMessage::decode(&message.encode()?)?;
        let Some(client) = self.clients.get_mut(member) else {
            return Ok(());
        };
        let answers = client.handle(message.clone());
        self.eyes.took(member, &self.manifest, client, &message);
        if let Some(seen) = self.seen.get_mut(member) {
            match message {
                ServerMessage::Roster(roster) => seen.0 = Some(roster),
                ServerMessage::Sharers(sharers) => seen.1 = Some(sharers),
                _ => {}
            }
        }
        for answer in answers {
            let frame = answer.encode()?;
            let answer = ClientMessage::decode(&frame)?;
            let encoded = self.clients.get(member).and_then(Client::encoded);
            self.eyes
                .leaves(member, &self.manifest, encoded, (&answer, &frame));
            if let Some((roster, sharers)) = self.seen.get(member) {
                self.knowledge
                    .learn(self.cast, member, roster.as_ref(), sharers.as_ref(), &answer);
            }
            self.sent.push(Sent {
                from: member,
                stage,
                frame,
            });
            for message in attack.to_server(&self.backstage(stage), member, answer) {
                self.feed(stage, member, message, attack)?;
            }
        }
        Ok(())
    }

    fn feed(
        &mut self,
        stage: Stage,
        from: usize,
        message: ClientMessage,
        attack: &mut dyn Attack,
    ) -> Result<(), SimError> {
        let frame = message.encode()?;
        for (number, (view, turned)) in self.views.iter_mut().zip(&mut self.turned).enumerate() {
            if attack.hears(number, stage, from)
                && let Err(error) = view.receive(self.cast, from, ClientMessage::decode(&frame)?)
            {
                turned.push(Turned { stage, from, error });
            }
        }
        Ok(())
    }

    fn finish(self, records: &mut [MemoryRecord]) -> (Report, Option<Ledger>) {
        let cast = self.cast;
        // The server goes on with the ledger of a view that charged, if one did.
        let kept = self
            .views
            .iter()
            .find(|view| view.charged().is_some())
            .or(self.views.first());
        let ledger = kept.map(|view| view.ledger().clone());
        let views = self
            .views
            .iter()
            .zip(self.turned)
            .map(|(view, turned)| ViewEnd {
                result: view.sum(cast),
                turned,
                suspects: view.suspects().to_vec(),
                indices: (0..cast.len())
                    .map(|member| view.index_of(cast, member))
                    .collect(),
            })
            .collect();
        let mut clients = Vec::with_capacity(self.clients.len());
        for (client, record) in self.clients.into_iter().zip(records) {
            let state = client.state();
            if let Some(refusal) = client.refusal() {
                self.eyes.prints(refusal);
            }
            clients.push(ClientEnd {
                state,
                refusal: client.refusal().cloned().filter(|_| state == State::Refused),
                encoded: client.encoded().map(<[i64]>::to_vec),
                outcome: client.outcome().cloned(),
            });
            *record = client.into_record();
        }
        let report = Report {
            manifest: self.manifest,
            views,
            clients,
            sent: self.sent,
            knowledge: self.knowledge,
        };
        (report, ledger)
    }
}
