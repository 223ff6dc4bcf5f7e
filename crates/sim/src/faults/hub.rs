//! The server's process, as the server shell runs it: a lobby of connections, attempts at rounds one after the other, a
//! phase that ends when everybody answered or is gone or its deadline has passed. It loses an attempt in a crash and
//! recovers from its disk as the shell does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use tacita_privacy::Budget;
use tacita_protocol::Hash;
use tacita_protocol::messages::ServerMessage;
use tacita_protocol::roster::Member as RosterMember;

use super::attempt::Attempt;
use super::chance::Chance;
use super::desk::{Desk, DeskError, Started, TaskState};
use super::disk::{Disk, Snapshot};
use super::fuse::{Dead, Fuse};
use super::lobby::Session;
use super::machines::{bundles, hex};
use super::meddler::Meddler;
use super::mutant::Mutant;
use super::network::Event;
use super::stagehand::Stagehand;
use crate::setting::Setting;

/// Attempts at a round before the process ends with an error.
const ATTEMPTS: u32 = 4;
/// How long the server waits for a cohort, in milliseconds.
const COHORT: u64 = 700;
/// Pause before another attempt, in milliseconds: clients that left come back after pauses of their own.
const AGAIN: u64 = 300;

/// What the process is doing.
pub(super) enum Doing {
    /// Waiting for a cohort, until enough are ready or the time is up.
    Waiting { until: u64 },
    /// A round.
    Playing(Box<Attempt>),
}

/// A running process.
pub(super) struct Process {
    pub(super) desk: Desk,
    pub(super) task: TaskState,
    pub(super) model: Vec<u8>,
    pub(super) lobby: BTreeMap<usize, Session>,
    /// Members of the round in progress that left it.
    pub(super) gone: BTreeSet<usize>,
    pub(super) doing: Doing,
    pub(super) attempts: u32,
}

/// Why a handler ends.
pub(super) enum Halt {
    /// The process is dead, or ends with an error; the next start goes on from the disk.
    Exit(String),
    /// The attempt ends without a result.
    Attempt(String),
}

impl From<Dead> for Halt {
    fn from(Dead: Dead) -> Self {
        Self::Exit("dies".to_owned())
    }
}

impl From<DeskError> for Halt {
    fn from(error: DeskError) -> Self {
        Self::Exit(format!("exits: {error}"))
    }
}

/// What a dishonest server does.
pub struct Guile {
    /// Its hand on messages, if it has one.
    pub meddler: Option<Meddler>,
    /// Members from which a second machine never hears the upload, and those that are shown that machine's rounds.
    pub split: Option<(BTreeSet<usize>, BTreeSet<usize>)>,
    /// Members that help it.
    pub helpers: BTreeSet<usize>,
    /// An earlier state of its disk, to which it may be put back in a crash, with its generator or without.
    pub rollback: Option<(Option<Snapshot>, bool)>,
}

/// The server.
pub struct Hub {
    /// Its disk.
    pub disk: Disk,
    /// What its process's life hangs on.
    pub fuse: Fuse,
    /// The task.
    pub setting: Setting,
    /// The task's budget.
    pub budget: Option<Budget>,
    /// Its dishonesty.
    pub guile: Option<Guile>,
    /// A fault put into this shell on purpose.
    pub mutant: Mutant,
    /// How often its process dies in a phase, per thousand.
    pub crash: u64,
    /// How often its clock is wrong after a start, per thousand.
    pub clock: u64,
    skew: i64,
    pub(super) key: SigningKey,
    pub(super) chance: Chance,
    /// Round ids; a snapshot of the machine may bring this back too.
    pub(super) ids: Chance,
    pub(super) process: Option<Process>,
    timer: u64,
    /// Whether anything was ever put back.
    pub rolled_back: bool,
    /// Rounds that this world's server completed.
    pub done: u64,
    /// Attempts that it began.
    pub begun: u64,
    /// The attempt after which it begins no other.
    pub last: u64,
    kept_ids: Option<Chance>,
}

impl Hub {
    /// A server whose process has not started yet.
    pub fn new(setting: Setting, key: SigningKey, disk: Disk, fuse: Fuse, mut chance: Chance) -> Self {
        let ids = chance.part("round ids");
        Self {
            disk,
            fuse,
            setting,
            budget: None,
            guile: None,
            mutant: Mutant::None,
            crash: 0,
            clock: 0,
            skew: 0,
            key,
            chance,
            ids,
            process: None,
            timer: 0,
            rolled_back: false,
            done: 0,
            begun: 0,
            last: u64::MAX,
            kept_ids: None,
        }
    }

    /// The clock is right again, and stays so.
    pub fn set_clock(&mut self) {
        (self.clock, self.skew) = (0, 0);
    }

    /// Whether its process runs.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Rounds completed, as the process knows; `None` while it is down.
    pub fn completed(&self) -> Option<u32> {
        self.process.as_ref().map(|process| process.task.completed)
    }

    /// The live account, if the process runs and the task has noise.
    pub fn account(&self) -> Option<&tacita_privacy::BudgetFilter> {
        self.process
            .as_ref()
            .and_then(|process| process.desk.account.as_ref())
    }

    /// Whether an attempt is under way.
    pub fn is_playing(&self) -> bool {
        let doing = self.process.as_ref().map(|process| &process.doing);
        matches!(doing, Some(Doing::Playing(_)))
    }

    /// Takes an event.
    pub fn handle(&mut self, event: Event, stage: &mut Stagehand<'_>) {
        stage.skew = self.skew;
        let done = match event {
            Event::StartHub => self.start(stage),
            Event::Connect(member, link) => self.connects(member, link, stage),
            Event::ToHub(member, link, frame, hello) => self.hear(member, link, &frame, hello, stage),
            Event::HubLost(member, link) => self.lost(member, link, stage),
            Event::HubTimer(timer) if timer == self.timer => self.rings(stage),
            _ => Ok(()),
        };
        if let Err(halt) = done {
            self.halt(halt, stage);
        }
        if self.fuse.is_dead() && self.process.is_some() {
            self.halt(Halt::Exit("dies".to_owned()), stage);
        }
    }

    fn halt(&mut self, halt: Halt, stage: &mut Stagehand<'_>) {
        match halt {
            Halt::Exit(how) => {
                stage.note(|| format!("server {how}"));
                stage.watch.output(&how);
                if let Some(process) = self.process.take() {
                    for (member, session) in process.lobby {
                        stage.network.hang_up(member, session.link, false);
                    }
                }
                self.snapshot();
                let pause = self.chance.between(20, 1000);
                stage.network.after(pause, Event::StartHub);
            }
            Halt::Attempt(reason) => {
                stage.note(|| format!("server ends the attempt: {reason}"));
                let ended = self.end_attempt(&reason, stage);
                if let Err(halt) = ended {
                    self.halt(halt, stage);
                }
            }
        }
    }

    /// A machine of which snapshots are taken: now and then it comes back as it was.
    fn snapshot(&mut self) {
        let Some((kept, with_generator)) = self.guile.as_mut().and_then(|guile| guile.rollback.as_mut())
        else {
            return;
        };
        match kept {
            Some(snapshot) if self.chance.hits(500) => {
                self.disk.restore(snapshot);
                self.rolled_back = true;
                if let (true, Some(ids)) = (*with_generator, self.kept_ids.clone()) {
                    self.ids = ids;
                }
            }
            _ => {
                *kept = Some(self.disk.snapshot());
                self.kept_ids = Some(self.ids.clone());
            }
        }
    }

    pub(super) fn set_timer(&mut self, delay: u64, stage: &mut Stagehand<'_>) {
        self.timer += 1;
        stage.network.after(delay, Event::HubTimer(self.timer));
    }

    fn start(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        if self.process.is_some() {
            return Ok(());
        }
        self.fuse.replace();
        self.skew = if self.chance.hits(self.clock) {
            self.chance.skew()
        } else {
            0
        };
        stage.skew = self.skew;
        let opened = Desk::open(
            &self.disk,
            stage.cast.log_key().clone(),
            stage.cast.log_verifier().clone(),
            self.budget,
        );
        let Started { desk, task } = match opened {
            Ok(started) => started,
            Err(error) => {
                if let DeskError::Broken(text) = &error {
                    stage
                        .watch
                        .violation("start", format!("the server does not start: {text}"));
                }
                return Err(error.into());
            }
        };
        let (task, model) = match task {
            Some(task) => {
                let model = desk.load_model(&task.model)?;
                (task, model)
            }
            None => {
                let model = self.setting.model.clone();
                let digest = hex(&Sha256::digest(&model));
                desk.save_model(&digest, &model)?;
                let task = TaskState {
                    completed: 0,
                    model: digest,
                };
                (task, model)
            }
        };
        let completed = task.completed;
        stage.note(|| format!("server starts, {completed} rounds are completed"));
        self.process = Some(Process {
            desk,
            task,
            model,
            lobby: BTreeMap::new(),
            gone: BTreeSet::new(),
            doing: Doing::Waiting { until: 0 },
            attempts: 0,
        });
        self.wait(COHORT, stage);
        Ok(())
    }

    /// Waits for a cohort.
    pub(super) fn wait(&mut self, delay: u64, stage: &mut Stagehand<'_>) {
        let until = stage.network.now() + delay;
        if let Some(process) = &mut self.process {
            process.doing = Doing::Waiting { until };
        }
        self.set_timer(delay, stage);
    }

    /// After an attempt: the next round, another attempt at the same one, or the end of this process.
    pub(super) fn after_attempt(&mut self, completed: bool, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if completed {
            process.attempts = 0;
        } else if process.attempts >= ATTEMPTS {
            return Err(Halt::Exit("exits: all attempts at the round failed".to_owned()));
        } else if self.mutant == Mutant::GivesUp {
            process.doing = Doing::Waiting { until: u64::MAX };
            self.timer += 1;
            return Ok(());
        }
        self.wait(if completed { COHORT } else { AGAIN + COHORT }, stage);
        Ok(())
    }

    /// Goes on if nothing is awaited any more.
    pub(super) fn proceed(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let wanted = usize::from(self.setting.cohort);
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match &mut process.doing {
            Doing::Waiting { until } if *until != u64::MAX => {
                let ready = process.lobby.values().filter(|session| session.ready).count();
                if ready >= wanted && process.attempts == 0 {
                    return self.invite(stage);
                }
                Ok(())
            }
            Doing::Playing(attempt) if attempt.expected.is_empty() => self.close_phase(stage),
            _ => Ok(()),
        }
    }

    fn rings(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let smallest = self.smallest();
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        match &process.doing {
            Doing::Waiting { .. } => {
                let ready = process.lobby.values().filter(|session| session.ready).count();
                if ready < smallest {
                    return Err(Halt::Exit(format!("exits: only {ready} clients are connected")));
                }
                self.invite(stage)
            }
            Doing::Playing(_) => {
                stage.note(|| "server: the deadline has passed".to_owned());
                self.close_phase(stage)
            }
        }
    }

    fn smallest(&self) -> usize {
        let minimum = usize::from(self.setting.minimum_survivors);
        match self.setting.parameters() {
            Ok(p) if p.neighbours + 1 < u32::from(self.setting.cohort) => minimum.max(
                usize::try_from(p.neighbours)
                    .unwrap_or(usize::MAX)
                    .saturating_add(1),
            ),
            _ => minimum,
        }
    }

    /// Sends a message, after the certificates that its reader lacks; a dishonest server may send something else.
    pub(super) fn tell(
        &mut self,
        member: usize,
        message: ServerMessage,
        needed: &[(usize, RosterMember)],
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let gone = process.gone.contains(&member);
        let Some(session) = process.lobby.get_mut(&member).filter(|_| !gone) else {
            return Ok(());
        };
        let unseen: Vec<RosterMember> = needed
            .iter()
            .filter(|(number, _)| session.shown.insert(*number))
            .map(|(_, member)| member.clone())
            .collect();
        let link = session.link;
        let mut messages = if unseen.is_empty() {
            Vec::new()
        } else {
            bundles(&unseen)
        };
        match self.guile.as_mut().and_then(|guile| guile.meddler.as_mut()) {
            Some(meddler) => messages.extend(meddler.bend(member, message, &self.key, &mut self.chance)),
            None => messages.push(message),
        }
        let copies = if self.mutant == Mutant::Floods { 100 } else { 1 };
        for message in messages {
            stage.note(|| format!("server tells member {member}: {}", message.name()));
            for _ in 0..copies {
                self.fuse.step()?;
                let frame = message.encode().map_err(|e| Halt::Exit(e.to_string()))?;
                stage.watch.hub_sends(&message, &frame, &self.disk);
                stage.network.send(member, link, false, frame, None);
            }
        }
        Ok(())
    }

    /// A fresh id for an attempt.
    pub(super) fn round_id(&mut self) -> Hash {
        if self.mutant == Mutant::RepeatsRoundIds {
            return [7; 32];
        }
        std::array::from_fn(|_| u8::try_from(self.ids.below(256)).unwrap_or(0))
    }

    /// The roster's view of a member of the cast.
    pub(super) fn roster_member(member: usize, stage: &Stagehand<'_>) -> Result<RosterMember, Halt> {
        let member = stage.cast.member(member).map_err(|e| Halt::Exit(e.to_string()))?;
        Ok(member.member())
    }
}

/// A manifest digest as few characters.
pub(super) fn short(manifest: &Arc<tacita_protocol::manifest::CheckedManifest>) -> String {
    hex(manifest.digest()).chars().take(8).collect()
}
