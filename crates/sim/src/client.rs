//! One honest client: the protocol's client states behind one dispatcher, as a shell would drive them.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use sha2::{Digest as _, Sha256};
use tacita_ledger::entry::Outcome;
use tacita_privacy::{
    Alongside, BudgetTicket, Contribution, LocalUpdate, NoisedUpdate, RecordError, RecordSample, UpdateError,
};
use tacita_protocol::client::{
    Advertised, Agreed, Answer, Conversation, Done, Drawn, Effect, Heard, Invited, Mark, Masked, Participant,
    RecordChange, Refused, Revealed, Shared, Upload,
};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::{Misuse, Refusal, RoundError};

use crate::faults::machines;
use crate::record::MemoryRecord;
use crate::secrets::{self, Secret};
use crate::tape::Tape;

/// Where a client stands, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Awaits the invitation.
    Idle,
    /// Awaits the roster.
    Advertised,
    /// Awaits U1.
    Shared,
    /// Awaits U2.
    Masked,
    /// Awaits quorum and charge.
    Agreed,
    /// Fixed a list of signers, awaits those drawn.
    Drawn,
    /// Awaits the outcome.
    Revealed,
    /// Verified the outcome.
    Done,
    /// Refused something and sits the round out.
    Refused,
}

enum Inner {
    Idle,
    Advertised(Box<Advertised>),
    Shared(Box<Shared>),
    Masked(Box<Masked>),
    Agreed(Box<Agreed>),
    Drawn(Box<Drawn>),
    Revealed(Box<Revealed>),
    Done(Box<Done>),
    Refused,
}

/// One client in one round.
pub struct Client {
    participant: Arc<Participant>,
    record: MemoryRecord,
    rng: ChaCha20Rng,
    /// What the protocol draws from instead of `rng`, for vectors.
    tape: Option<Tape>,
    /// What its noise is drawn from instead of `rng`, for vectors.
    noise_tape: Option<Tape>,
    now: u64,
    update: Vec<f32>,
    alongside: Option<Alongside>,
    records: u32,
    inner: Inner,
    manifest: Option<Arc<CheckedManifest>>,
    prepare_for: Option<Arc<CheckedManifest>>,
    ticket: Option<BudgetTicket>,
    model: Sha256,
    encoded: Option<Vec<i64>>,
    refusal: Option<RoundError>,
    conversation: Conversation,
    /// What it drew that nobody may see, until the world takes it.
    secrets: Vec<Secret>,
    mask: [u8; 32],
}

impl Client {
    /// A client with an update to contribute, at time `now` (unix seconds).
    pub fn new(
        participant: Arc<Participant>,
        record: MemoryRecord,
        rng: ChaCha20Rng,
        update: Vec<f32>,
        now: u64,
    ) -> Self {
        Self {
            participant,
            record,
            rng,
            tape: None,
            noise_tape: None,
            now,
            update,
            alongside: None,
            records: 0,
            inner: Inner::Idle,
            manifest: None,
            prepare_for: None,
            ticket: None,
            model: Sha256::new(),
            encoded: None,
            refusal: None,
            conversation: Conversation::default(),
            secrets: Vec::new(),
            mask: [0; 32],
        }
    }

    /// Lets it prepare its update under another manifest than the one it accepts, as a confused shell would.
    pub fn prepare_for(&mut self, manifest: Arc<CheckedManifest>) {
        self.prepare_for = Some(manifest);
    }

    /// Puts this beside its update in rounds that have something there. Without, its update is the whole vector, whatever the
    /// coordinates mean.
    #[must_use]
    pub fn with_alongside(mut self, beside: Alongside) -> Self {
        self.alongside = Some(beside);
        self
    }

    /// Gives it so many records for rounds of the record unit; each one's vector is its update, of another length.
    #[must_use]
    pub fn with_records(mut self, records: u32) -> Self {
        self.records = records;
        self
    }

    /// Lets the protocol draw from the tape of a text, and its noise from the tape beside it. What rounding draws comes from
    /// the generator as before.
    #[must_use]
    pub fn with_tapes(mut self, text: &str) -> Self {
        self.tape = Some(Tape::new(text));
        self.noise_tape = Some(Tape::new(&format!("{text}/noise")));
        self
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        match &self.inner {
            Inner::Idle => State::Idle,
            Inner::Advertised(_) => State::Advertised,
            Inner::Shared(_) => State::Shared,
            Inner::Masked(_) => State::Masked,
            Inner::Agreed(_) => State::Agreed,
            Inner::Drawn(_) => State::Drawn,
            Inner::Revealed(_) => State::Revealed,
            Inner::Done(_) => State::Done,
            Inner::Refused => State::Refused,
        }
    }

    /// Why it sits the round out, if it does.
    pub fn refusal(&self) -> Option<&RoundError> {
        self.refusal.as_ref()
    }

    /// The integers it masked, noise included: what a plain addition would add.
    pub fn encoded(&self) -> Option<&[i64]> {
        self.encoded.as_deref()
    }

    /// The outcome it verified.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.inner {
            Inner::Done(done) => Some(done.outcome()),
            _ => None,
        }
    }

    /// What it drew since the last call that nobody may see.
    pub(crate) fn take_secrets(&mut self) -> Vec<Secret> {
        std::mem::take(&mut self.secrets)
    }

    /// The durable record.
    pub fn record(&self) -> &MemoryRecord {
        &self.record
    }

    /// The durable record, for a test that plays a second process of the same participant.
    pub fn record_mut(&mut self) -> &mut MemoryRecord {
        &mut self.record
    }

    /// The process ends, by plan or by crash; what is durable remains.
    pub fn into_record(mut self) -> MemoryRecord {
        if let Some(ticket) = self.ticket.take() {
            // Nothing left the client: the charge is given back.
            self.record.settle(ticket, false);
        }
        self.record
    }

    /// Takes one message, gives the answers in order. A message that comes again byte for byte gets the same
    /// answer; another message in its place ends the round for this client.
    pub fn handle(&mut self, message: ServerMessage) -> Vec<ClientMessage> {
        if let ServerMessage::Certificates(bundle) = &message {
            let ders = bundle.as_slice().iter().map(|der| der.as_slice());
            self.participant.admit_certificates(ders, self.now);
            return Vec::new();
        }
        if let ServerMessage::Model(part) = &message {
            self.model.update(part.as_slice());
            return Vec::new();
        }
        if self.state() != State::Refused {
            match self.conversation.hear(&message) {
                Ok(Heard::Again(answer, from)) => return answer.messages(from).collect(),
                Ok(Heard::New) => {}
                Err(refusal) => {
                    self.inner = Inner::Refused;
                    self.refusal.get_or_insert(refusal.into());
                    return Vec::new();
                }
            }
        }
        let inner = std::mem::replace(&mut self.inner, Inner::Refused);
        let step = Mark::of(&message)
            .map_err(Refused::from)
            .and_then(|mark| Ok((mark, self.step(inner, &message)?)));
        match step {
            Ok((mark, (inner, effects))) => {
                self.inner = inner;
                let answer = self.carry_out(effects);
                let said = answer.messages(0).collect();
                self.conversation.acted(mark, answer);
                said
            }
            Err(refused) => {
                if let Some(evidence) = refused.evidence {
                    self.record.apply(RecordChange::Fork(evidence));
                }
                if let Some(statements) = refused.statements {
                    self.record.keep(*statements);
                }
                // The first reason stands.
                self.refusal.get_or_insert(refused.error);
                Vec::new()
            }
        }
    }

    fn step(&mut self, inner: Inner, message: &ServerMessage) -> Result<(Inner, Vec<Effect>), Refused> {
        Ok(match (inner, message) {
            (Inner::Idle, ServerMessage::Invitation(invitation)) => {
                let invitation = invitation.as_ref().clone();
                let (invited, ticket, mut effects) =
                    Invited::accept(invitation, self.participant.clone(), &mut self.record, self.now)?;
                self.ticket = Some(ticket);
                self.manifest = Some(invited.manifest().clone());
                if self.tape.is_none() {
                    let agreement = invited.manifest().key_agreement();
                    let drawn = secrets::of_advertising(self.rng.clone(), agreement);
                    self.mask = drawn.first().map_or([0; 32], |(_, mask)| *mask);
                    self.secrets.extend(drawn);
                }
                let (advertised, more) = match &mut self.tape {
                    Some(tape) => invited.advertise(tape)?,
                    None => invited.advertise(&mut self.rng)?,
                };
                effects.extend(more);
                (Inner::Advertised(Box::new(advertised)), effects)
            }
            (Inner::Advertised(state), ServerMessage::Roster(roster)) => {
                let roster = roster.clone();
                if let (None, Some(manifest)) = (&self.tape, &self.manifest) {
                    let (rng, own) = (self.rng.clone(), self.participant.certificate.identity.0);
                    let drawn = secrets::of_dealing(rng, manifest, &roster, &own, &self.mask);
                    self.secrets.extend(drawn);
                }
                let (shared, effects) = match &mut self.tape {
                    Some(tape) => state.handle_roster(roster, self.now, tape)?,
                    None => state.handle_roster(roster, self.now, &mut self.rng)?,
                };
                (Inner::Shared(Box::new(shared)), effects)
            }
            (Inner::Shared(state), ServerMessage::Sharers(sharers)) => {
                let noised = self.prepare()?;
                let encoded = noised.dangerous_inspect().to_signed();
                let model = self.model.clone().finalize().into();
                let (masked, effects) = state.handle_sharers(sharers, noised, &model)?;
                self.encoded = Some(encoded);
                (Inner::Masked(Box::new(masked)), effects)
            }
            (Inner::Masked(state), ServerMessage::Agree(request)) => {
                let (agreed, effects) = state.handle_agree(request, &self.record)?;
                (Inner::Agreed(Box::new(agreed)), effects)
            }
            (Inner::Agreed(state), ServerMessage::Reveal(request)) => {
                let (revealed, effects) = state.handle_reveal_request(request, self.now)?;
                (Inner::Revealed(Box::new(revealed)), effects)
            }
            (Inner::Agreed(state), ServerMessage::Signers(signers)) => {
                let (drawn, effects) = state.handle_signers(signers, &self.record, &mut self.rng)?;
                (Inner::Drawn(Box::new(drawn)), effects)
            }
            (Inner::Drawn(state), ServerMessage::Sampled(request)) => {
                let (revealed, effects) = state.handle_sampled_request(request, self.now)?;
                (Inner::Revealed(Box::new(revealed)), effects)
            }
            (Inner::Revealed(state), ServerMessage::Outcome(outcome)) => {
                let (done, effects) = state.handle_outcome(outcome)?;
                (Inner::Done(Box::new(done)), effects)
            }
            (_, other) => return Err(Refusal::Unexpected(other.name()).into()),
        })
    }

    /// Clips, encodes and noises the update: what local training would hand over.
    fn prepare(&mut self) -> Result<NoisedUpdate, RoundError> {
        let wrong = |_| RoundError::from(Misuse::Argument("the update does not fit the manifest"));
        let manifest = self
            .prepare_for
            .clone()
            .or(self.manifest.clone())
            .ok_or(Misuse::Argument("no manifest"))?;
        if self.noise_tape.is_none() {
            let (update, rng) = (self.update.clone(), self.rng.clone());
            let first = machines::secret_of_noise(&manifest, update, rng);
            let chain = first.map(|first| secrets::chain(&manifest, first));
            let seeds = chain.into_iter().flatten().map(|seed| (secrets::LAYER, seed));
            self.secrets.extend(seeds);
        }
        let encoded = match manifest.contribution() {
            Contribution::Client(headroom) => {
                let update = self.update.clone();
                let local = match (manifest.terms(), self.alongside) {
                    (Some(terms), Some(beside)) => LocalUpdate::joint(update, terms, beside),
                    _ => LocalUpdate::new(update),
                };
                let clipped = local.and_then(|update| update.clip(manifest.encoding()));
                let clipped = clipped.map_err(|e| wrong(e.to_string()))?;
                clipped
                    .encode(headroom, &mut self.rng)
                    .map_err(|e| wrong(e.to_string()))?
            }
            Contribution::Record(headroom) => {
                let sample = RecordSample::draw(self.records, headroom.terms(), &mut self.rng);
                let vector = |row: &u32| {
                    let length = 1.0 / (1 + row) as f32;
                    LocalUpdate::new(self.update.iter().map(|value| value * length).collect())
                };
                sample
                    .encode(headroom, &mut self.rng, |rows| rows.iter().map(vector).collect())
                    .map_err(|e: RecordError<UpdateError>| wrong(e.to_string()))?
            }
        };
        let ticket = self.ticket.as_mut().ok_or(Misuse::Argument("no ticket"))?;
        match &mut self.noise_tape {
            Some(tape) => encoded.noise(ticket, tape),
            None => encoded.noise(ticket, &mut self.rng),
        }
        .map_err(|e| wrong(e.to_string()))
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Answer {
        let mut out = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(change) => {
                    let spent = matches!(change, RecordChange::Spent { .. });
                    self.record.apply(change);
                    if let (true, Some(ticket)) = (spent, self.ticket.take_if(|_| spent)) {
                        self.record.settle(ticket, true);
                    }
                }
                Effect::Send(message) => out.push(message),
                Effect::Upload { update, end } => return Answer::Upload(Box::new(Upload::new(update, end))),
            }
        }
        Answer::Messages(out)
    }
}
