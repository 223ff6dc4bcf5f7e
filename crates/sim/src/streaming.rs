//! A round for vectors of which not many fit in memory: honest members upload one after another, each with a vector from a
//! generator, chunk by chunk through the wire format to a server whose uploads in flight lie wherever the caller says.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sha2::{Digest as _, Sha256};
use tacita_privacy::{BudgetTicket, EncodedUpdate, NoisedUpdate};
use tacita_protocol::client::{
    Advertised, Agreed, Answer, Drawn, Effect, Invited, Masked, Participant, RecordChange, Refused, Revealed,
    Shared, Upload,
};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, Invitation, ServerMessage};
use tacita_protocol::spool::{MemoryStash, Spool};
use tacita_protocol::{Misuse, RoundError};

use crate::canary::Canaries;
use crate::cast::{Cast, NOW};
use crate::error::SimError;
use crate::ledger::Ledger;
use crate::once::Once;
use crate::record::MemoryRecord;
use crate::scale::Meter;
use crate::secrets;
use crate::setting::Setting;
use crate::stage::Stage;
use crate::view::View;

/// Coordinates of a member's vector from a place on.
pub type Fill<'a> = &'a dyn Fn(usize, &mut [i32]);

enum State {
    Advertised(Box<Advertised>),
    Shared(Box<Shared>),
    Masked(Box<Masked>),
    Agreed(Box<Agreed>),
    Drawn(Box<Drawn>),
    Revealed(Box<Revealed>),
    Done,
}

struct Member {
    participant: Arc<Participant>,
    record: MemoryRecord,
    rng: ChaCha20Rng,
    ticket: Option<BudgetTicket>,
    state: Option<State>,
}

/// A round under way.
pub struct Streaming<'a> {
    cast: &'a Cast,
    manifest: Arc<CheckedManifest>,
    model: [u8; 32],
    view: View,
    members: Vec<Member>,
    meter: Meter,
    once: Once,
    canaries: Canaries,
}

impl<'a> Streaming<'a> {
    /// Everybody advertises and shares; uploads are awaited.
    ///
    /// # Errors
    /// [`SimError`] if the setting makes no round.
    pub fn open(cast: &'a Cast, setting: &Setting, disk: Box<dyn Spool>) -> Result<Self, SimError> {
        let ledger = Ledger::create(cast.log_key().clone(), cast.log_verifier().clone())?;
        let manifest = setting.manifest(1, [7; 32], (ledger.size(), ledger.root()), NOW)?;
        let invitation = Invitation {
            signature: manifest.sign(&cast.server().key)?,
            manifest: manifest.clone(),
            checkpoint: ledger.checkpoint().into(),
            consistency: Vec::new().into(),
            model_length: setting.model.len() as u64,
            previous: Vec::new().into(),
        };
        let manifest = Arc::new(manifest.check()?);
        let mut round = Self {
            cast,
            view: View::open(manifest.clone(), ledger, (disk, Box::new(MemoryStash::default())))?,
            manifest,
            model: Sha256::digest(&setting.model).into(),
            members: Vec::new(),
            meter: Meter::default(),
            once: Once::without_boxes(),
            canaries: Canaries::of(cast),
        };
        for number in 0..cast.len() {
            round.invite(number, invitation.clone())?;
        }
        round.view.close(Stage::Invite, cast)?;
        for number in 0..cast.len() {
            for message in round.view.messages(Stage::Roster, cast, number)? {
                round.hear(number, &message)?;
            }
        }
        round.view.close(Stage::Roster, cast)?;
        Ok(round)
    }

    /// The manifest.
    pub fn manifest(&self) -> &Arc<CheckedManifest> {
        &self.manifest
    }

    /// Hands the server a message from a member as it comes off the wire.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn feed(&mut self, number: usize, message: &ClientMessage) -> Result<(), RoundError> {
        let message = self.meter.up(message)?;
        self.view.receive(self.cast, number, message)
    }

    fn invite(&mut self, number: usize, invitation: Invitation) -> Result<(), SimError> {
        let participant = Arc::new(self.cast.participant(number)?);
        let mut record = MemoryRecord::default();
        let mut rng = ChaCha20Rng::seed_from_u64(number as u64);
        // Not the one that the keys of a cast are drawn from.
        rng.set_stream(1);
        let message = ServerMessage::Invitation(Box::new(invitation.clone()));
        self.meter.down(&message, "")?;
        let (invited, ticket, _) =
            Invited::accept(invitation, participant.clone(), &mut record, NOW).map_err(refused)?;
        for (what, secret) in secrets::of_advertising(rng.clone(), self.manifest.key_agreement()) {
            self.canaries.add(what, &secret);
        }
        let (advertised, effects) = invited.advertise(&mut rng).map_err(refused)?;
        self.members.push(Member {
            participant,
            record,
            rng,
            ticket: Some(ticket),
            state: Some(State::Advertised(Box::new(advertised))),
        });
        self.carry_out(number, effects)
    }

    fn member(&mut self, number: usize) -> Result<&mut Member, SimError> {
        self.members.get_mut(number).ok_or(SimError::NoMember(number))
    }

    /// Hands a member a message other than the one that asks for its upload.
    fn hear(&mut self, number: usize, message: &ServerMessage) -> Result<(), SimError> {
        let certificates = match self.members.get(number).and_then(|m| m.state.as_ref()) {
            Some(State::Advertised(_)) => "certificates of neighbours",
            _ => "certificates of signers",
        };
        let message = &self.meter.down(message, certificates)?;
        let member = self.member(number)?;
        if let ServerMessage::Certificates(bundle) = message {
            let ders = bundle.as_slice().iter().map(|der| der.as_slice());
            member.participant.admit_certificates(ders, NOW);
            return Ok(());
        }
        let unexpected = || RoundError::from(Misuse::Argument("an unexpected message"));
        let (state, effects) = match (member.state.take().ok_or_else(unexpected)?, message) {
            (State::Advertised(state), ServerMessage::Roster(roster)) => {
                let step = state.handle_roster(roster.clone(), NOW, &mut member.rng);
                let (next, effects) = step.map_err(refused)?;
                (State::Shared(Box::new(next)), effects)
            }
            (State::Masked(state), ServerMessage::Agree(request)) => {
                let (next, effects) = state.handle_agree(request, &member.record).map_err(refused)?;
                (State::Agreed(Box::new(next)), effects)
            }
            (State::Agreed(state), ServerMessage::Reveal(request)) => {
                let (next, effects) = state.handle_reveal_request(request, NOW).map_err(refused)?;
                (State::Revealed(Box::new(next)), effects)
            }
            (State::Agreed(state), ServerMessage::Signers(signers)) => {
                let step = state.handle_signers(signers, &member.record, &mut member.rng);
                let (next, effects) = step.map_err(refused)?;
                (State::Drawn(Box::new(next)), effects)
            }
            (State::Drawn(state), ServerMessage::Sampled(request)) => {
                let (next, effects) = state.handle_sampled_request(request, NOW).map_err(refused)?;
                (State::Revealed(Box::new(next)), effects)
            }
            (State::Revealed(state), ServerMessage::Outcome(outcome)) => {
                let (_, effects) = state.handle_outcome(outcome).map_err(refused)?;
                (State::Done, effects)
            }
            _ => return Err(unexpected().into()),
        };
        member.state = Some(state);
        self.carry_out(number, effects)
    }

    fn carry_out(&mut self, number: usize, effects: Vec<Effect>) -> Result<(), SimError> {
        for effect in effects {
            match effect {
                Effect::Persist(RecordChange::Head(_)) => {}
                Effect::Persist(change) => self.member(number)?.record.apply(change),
                Effect::Send(message) => {
                    self.watch(number, &message)?;
                    self.feed(number, &message)?;
                }
                Effect::Upload { update, end } => {
                    let upload = Answer::Upload(Box::new(Upload::new(update, end)));
                    for message in upload.messages(0) {
                        self.feed(number, &message)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What leaves a member: one-time values and secrets. Chunks alone are let pass, which are many and masked.
    fn watch(&mut self, number: usize, message: &ClientMessage) -> Result<(), SimError> {
        let frame = message.encode()?;
        self.once.leaves(number, &self.manifest, message, &frame);
        let mut wrong = self.once.wrong();
        wrong.extend(self.canaries.in_bytes(&frame).map(str::to_owned));
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(SimError::Checker(wrong.join("; ")))
        }
    }

    /// A member makes its vector, masks it in place, and uploads it. `masked` is called in between.
    ///
    /// # Errors
    /// [`SimError`] if the vector does not fit, or the server refuses it.
    pub fn upload(
        &mut self,
        number: usize,
        fill: Fill<'_>,
        masked: &mut dyn FnMut(),
    ) -> Result<(), SimError> {
        let sharers = self.view.messages(Stage::Sharers, self.cast, number)?;
        let (manifest, model) = (self.manifest.clone(), self.model);
        for message in &sharers {
            self.meter.down(message, "")?;
        }
        let member = self.member(number)?;
        let wrong = || RoundError::from(Misuse::Argument("no upload is awaited"));
        let (Some(State::Shared(shared)), Some(ServerMessage::Sharers(message))) =
            (member.state.take(), sharers.first())
        else {
            return Err(wrong().into());
        };
        let update = member.make(&manifest, fill)?;
        let (next, effects) = shared.handle_sharers(message, update, &model).map_err(refused)?;
        member.state = Some(State::Masked(Box::new(next)));
        masked();
        self.carry_out(number, effects)
    }

    /// Agreement, reveal, unmasking and outcome; the server's machine with the sum, and in `meter` what it all cost.
    ///
    /// # Errors
    /// [`SimError`] if the round does not end in a sum.
    pub fn finish(mut self, meter: &mut Meter) -> Result<View, SimError> {
        self.view.close(Stage::Sharers, self.cast)?;
        for stage in [Stage::Agree, Stage::Reveal, Stage::Outcome] {
            let twice = stage == Stage::Reveal && self.manifest.is_sampled();
            for number in 0..self.cast.len() {
                // The outcome is for those that revealed.
                let revealed = |member: &Member| matches!(member.state, Some(State::Revealed(_)));
                if stage == Stage::Outcome && !self.members.get(number).is_some_and(revealed) {
                    continue;
                }
                // A list of signers is drawn from before what was drawn is shown.
                for _ in 0..=usize::from(twice) {
                    for message in self.view.messages(stage, self.cast, number)? {
                        self.hear(number, &message)?;
                    }
                }
            }
            self.view.close(stage, self.cast)?;
        }
        *meter = self.meter;
        match self.view.abort() {
            None => Ok(self.view),
            Some(error) => Err(error.clone().into()),
        }
    }
}

impl Member {
    fn make(&mut self, manifest: &CheckedManifest, fill: Fill<'_>) -> Result<NoisedUpdate, SimError> {
        let wrong = |e: &dyn std::fmt::Display| SimError::Setting(e.to_string());
        let ticket = self.ticket.as_mut().ok_or_else(|| wrong(&"no ticket"))?;
        let headroom = manifest.headroom().ok_or_else(|| wrong(&"not the client unit"))?;
        EncodedUpdate::dangerous_from_integers(headroom, fill)
            .map_err(|e| wrong(&e))?
            .noise(ticket, &mut self.rng)
            .map_err(|e| wrong(&e))
    }
}

fn refused(refused: Refused) -> SimError {
    refused.error.into()
}
