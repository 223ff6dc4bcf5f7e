//! A member's process, as the client shell runs it: connect, say hello, play every round that it is invited to, come back
//! after interruptions; persist before it sends; lose everything but its disk in a crash.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use sha2::Digest as _;
use tacita_privacy::Budget;
use tacita_protocol::client::{ClientRecord as _, Participant};
use tacita_protocol::messages::{AbortMessage, ClientMessage, Hello, ServerMessage};
use tacita_protocol::{Refusal, RoundError};

use super::chance::Chance;
use super::disk::Disk;
use super::fuse::{Dead, Fuse};
use super::machines;
use super::mutant::Mutant;
use super::network::{Event, LinkId};
use super::play::Play;
use super::record::{DiskRecord, RecordError};
use super::stagehand::Stagehand;
use super::villains::Villain;

/// First and longest pause before coming back, in milliseconds.
pub(super) const PAUSES: (u64, u64) = (50, 800);

/// A running process.
pub(super) struct Process {
    pub(super) record: DiskRecord,
    pub(super) participant: Arc<Participant>,
    pub(super) link: Option<LinkId>,
    pub(super) connected: bool,
    pub(super) play: Option<Play>,
    pub(super) rng: ChaCha20Rng,
}

/// Why a handler ends.
pub(super) enum Halt {
    /// The process is dead, or ends itself because its disk failed.
    Exit,
    /// It leaves the round, over a refusal or an error; whether it ever comes back.
    Leave(RoundError, bool),
    /// The connection is of no use any more.
    Reconnect,
}

impl From<Dead> for Halt {
    fn from(Dead: Dead) -> Self {
        Self::Exit
    }
}

impl From<RecordError> for Halt {
    fn from(_: RecordError) -> Self {
        Self::Exit
    }
}

/// One member of the cast.
pub struct Member {
    /// Its number in the cast.
    pub number: usize,
    /// Its disk.
    pub disk: Disk,
    /// What its process's life hangs on.
    pub fuse: Fuse,
    /// What it does besides following the protocol.
    pub villain: Option<Villain>,
    /// Its own budget.
    pub budget: Option<Budget>,
    /// A fault put into this shell on purpose.
    pub mutant: Mutant,
    /// Whether it answers identical copies of messages, as it may.
    pub answers_copies: bool,
    /// How often its process dies in a phase, per thousand.
    pub crash: u64,
    /// By how many seconds its clock is wrong.
    pub skew: i64,
    /// Whether it has stopped for good: evidence of a fork, or a round that it will never consent to.
    pub stopped: bool,
    pub(super) participant: Arc<Participant>,
    pub(super) chance: Chance,
    pub(super) process: Option<Process>,
    pub(super) timer: u64,
    hellos: u64,
    pub(super) pause: u64,
    pub(super) update: Vec<f32>,
}

impl Member {
    /// A member whose process has not started yet.
    pub fn new(
        number: usize,
        participant: Arc<Participant>,
        disk: Disk,
        fuse: Fuse,
        update: Vec<f32>,
        chance: Chance,
    ) -> Self {
        Self {
            number,
            disk,
            fuse,
            villain: None,
            budget: None,
            mutant: Mutant::None,
            answers_copies: true,
            crash: 0,
            skew: 0,
            stopped: false,
            participant,
            chance,
            process: None,
            timer: 0,
            hellos: 0,
            pause: PAUSES.0,
            update,
        }
    }

    /// Whether its process runs.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Takes an event.
    pub fn handle(&mut self, event: Event, stage: &mut Stagehand<'_>) {
        stage.skew = self.skew;
        let done = match event {
            Event::StartMember(_) => self.start(stage),
            Event::Answered(_, link, taken) => self.answered(link, taken, stage),
            Event::ToMember(_, link, frame) => self.hear(link, frame, stage),
            Event::MemberLost(_, link) => self.lost(link),
            Event::MemberTimer(_, timer) if timer == self.timer => self.rings(stage),
            _ => Ok(()),
        };
        if let Err(halt) = done {
            self.halt(halt, stage);
        }
        if self.fuse.is_dead() && self.process.is_some() {
            self.halt(Halt::Exit, stage);
        }
    }

    fn halt(&mut self, halt: Halt, stage: &mut Stagehand<'_>) {
        let number = self.number;
        match halt {
            Halt::Exit => {
                let how = if self.fuse.is_dead() {
                    "dies"
                } else {
                    "exits: its disk failed"
                };
                stage.note(|| format!("member {number} {how}"));
                if let Some(link) = self.process.take().and_then(|process| process.link) {
                    stage.network.hang_up(number, link, true);
                }
                let pause = self.chance.between(20, 1200);
                stage.network.after(pause, Event::StartMember(number));
            }
            Halt::Leave(error, comes_back) => {
                stage.note(|| format!("member {number} leaves: {error}"));
                if self.is_honest() {
                    stage.watch.error(&error);
                }
                self.give_back();
                if let (RoundError::Refusal(_), Some(link)) = (&error, self.link())
                    && self.say_goodbye(&error, link, stage).is_err()
                {
                    return self.halt(Halt::Exit, stage);
                }
                if comes_back {
                    self.reconnect(stage);
                } else {
                    self.stopped = true;
                    if let Some(link) = self.process.take().and_then(|process| process.link) {
                        stage.network.hang_up(number, link, true);
                    }
                }
            }
            Halt::Reconnect => {
                self.give_back();
                self.reconnect(stage);
            }
        }
    }

    pub(super) fn is_honest(&self) -> bool {
        self.villain.is_none()
    }

    pub(super) fn link(&self) -> Option<LinkId> {
        self.process.as_ref().and_then(|process| process.link)
    }

    pub(super) fn set_timer(&mut self, delay: u64, stage: &mut Stagehand<'_>) {
        self.timer += 1;
        stage
            .network
            .after(delay, Event::MemberTimer(self.number, self.timer));
    }

    fn say_goodbye(
        &mut self,
        error: &RoundError,
        link: LinkId,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Dead> {
        let text: String = match self.mutant {
            Mutant::TellsMore => error.to_string(),
            Mutant::TellsSecrets => machines::hex(&self.participant.key.to_bytes()),
            _ => error.to_string().chars().take_while(|c| *c != ':').collect(),
        };
        if self.is_honest() {
            stage.watch.parting(&text);
        }
        let reason = text.into_bytes().into();
        self.fuse.step()?;
        if let Ok(frame) = ClientMessage::Leave(AbortMessage { reason }).encode() {
            stage.network.send(self.number, link, true, frame, None);
        }
        Ok(())
    }

    /// The round is over for this process; what nothing left for is not charged.
    fn give_back(&mut self) {
        let Some(process) = &mut self.process else { return };
        if let Some(mut play) = process.play.take()
            && let Some(ticket) = play.ticket.take()
        {
            process.record.give_back(play.manifest.task(), ticket);
        }
    }

    fn reconnect(&mut self, stage: &mut Stagehand<'_>) {
        let number = self.number;
        if let Some(process) = &mut self.process {
            if let Some(link) = process.link.take() {
                stage.network.hang_up(number, link, true);
            }
            process.connected = false;
        }
        let pause = self.chance.between(self.pause / 2, self.pause);
        self.pause = (self.pause * 2).min(PAUSES.1);
        self.set_timer(pause, stage);
    }

    fn start(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        if self.process.is_some() || self.stopped {
            return Ok(());
        }
        self.fuse.replace();
        let record = match DiskRecord::open(self.disk.open(), self.budget) {
            Ok(mut record) => {
                record.forgets = self.mutant == Mutant::ForgetsRounds;
                record
            }
            Err(RecordError::Forked) => {
                self.stopped = true;
                return Ok(());
            }
            Err(error) => {
                stage
                    .watch
                    .violation("record", format!("member {}: {error}", self.number));
                self.stopped = true;
                return Ok(());
            }
        };
        let number = self.number;
        stage.note(|| format!("member {number} starts"));
        self.process = Some(Process {
            record,
            participant: self.participant.clone(),
            link: None,
            connected: false,
            play: None,
            rng: self.chance.generator(),
        });
        self.pause = PAUSES.0;
        self.connect(stage);
        Ok(())
    }

    fn connect(&mut self, stage: &mut Stagehand<'_>) {
        let link = stage.network.connect(self.number);
        if let Some(process) = &mut self.process {
            (process.link, process.connected) = (Some(link), false);
        }
        // If nobody answers it asks again.
        self.set_timer(1000, stage);
    }

    fn answered(&mut self, link: LinkId, taken: bool, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        if self.link() != Some(link) {
            return Ok(());
        }
        if !taken {
            return Err(Halt::Reconnect);
        }
        if let Some(process) = &mut self.process {
            process.connected = true;
        }
        self.hello(stage)?;
        Ok(())
    }

    fn lost(&mut self, link: LinkId) -> Result<(), Halt> {
        if self.link() == Some(link) {
            return Err(Halt::Reconnect);
        }
        Ok(())
    }

    fn rings(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        match &self.process {
            Some(process) if process.play.is_some() => {
                let number = self.number;
                stage.note(|| format!("member {number} gives the server up"));
                Err(Halt::Reconnect)
            }
            Some(process) if !process.connected => {
                self.connect(stage);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Done with its last round: which head the next invitation must extend.
    pub(super) fn hello(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Dead> {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let Some(link) = process.link else { return Ok(()) };
        let ledger_size = process.record.head().map_or(0, |head| head.size);
        let hello = ClientMessage::Hello(Hello::fresh(ledger_size));
        self.hellos += 1;
        self.fuse.step()?;
        if let Ok(frame) = hello.encode() {
            stage
                .network
                .send(self.number, link, true, frame, Some(self.hellos));
        }
        Ok(())
    }

    fn hear(&mut self, link: LinkId, frame: Vec<u8>, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        if self.link() != Some(link) {
            return Ok(());
        }
        // A malformed message ends the connection.
        let Ok(message) = ServerMessage::decode(&frame) else {
            return Err(Halt::Reconnect);
        };
        let now = stage.unix();
        if let ServerMessage::Certificates(bundle) = &message {
            let ders = bundle.as_slice().iter().map(|der| der.as_slice());
            self.participant.admit_certificates(ders, now);
            return Ok(());
        }
        if !matches!(message, ServerMessage::Model(_)) && self.chance.hits(self.crash) {
            self.fuse.light(self.chance.below(9));
        }
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Some(play) = &mut process.play else {
            return match message {
                ServerMessage::Invitation(invitation) => self.begin(frame, *invitation, stage),
                // What is left of a round that it already left.
                _ => Ok(()),
            };
        };
        if self.answers_copies
            && let Some((_, answers)) = play.answered.iter().find(|(known, _)| *known == frame)
        {
            let (manifest, answers) = (*play.manifest.digest(), answers.clone());
            for frame in self.draw_again(answers) {
                self.fuse.step()?;
                if let Ok(message) = ClientMessage::decode(&frame) {
                    stage
                        .watch
                        .member_sends(self.number, &manifest, &message, &frame, &self.disk);
                }
                stage.network.send(self.number, link, true, frame, None);
            }
            return Ok(());
        }
        match message {
            ServerMessage::Abort(abort) => {
                let (number, text) = (self.number, abort.text());
                stage.note(|| format!("member {number} is told: {text}"));
                self.give_back();
                Ok(self.hello(stage)?)
            }
            ServerMessage::Model(part) if play.missing > 0 => {
                play.missing = play.missing.saturating_sub(part.as_slice().len() as u64);
                play.model.update(part.as_slice());
                play.answered.push((frame, Vec::new()));
                Ok(())
            }
            other if play.missing > 0 => Err(unexpected(&other)),
            message => self.go_on(frame, &message, stage),
        }
    }
}

fn unexpected(message: &ServerMessage) -> Halt {
    Halt::Leave(Refusal::Unexpected(message.name()).into(), true)
}
