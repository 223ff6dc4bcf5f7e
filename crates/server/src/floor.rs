//! The floor of the server: events from all connections, the lobby, and waiting for a phase to close.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::server::{check_version, resumes};
use tacita_protocol::{Hash, Refusal, RoundError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::gate::{Held, Turn};
use crate::lobby::{Event, Lobby, Session, What};

/// What a message did for its phase.
pub(crate) enum Progress {
    /// The member is done with this phase.
    Done,
    /// More is to come from it.
    More,
    /// More is to come from it once it hears what the phase says to it now.
    Reply,
}

/// What a phase is told of.
pub(crate) enum Call<'a> {
    /// A member said something.
    Said(&'a Hash, Box<ClientMessage>),
    /// A member is back on another connection; whether something is awaited from it.
    Back(&'a Session, bool),
    /// It is the turn of a member, from whom something is awaited, to be told what it asked for.
    Turn(&'a Session, Turn),
    /// A member lost its connection, or left for good.
    Away(&'a Hash, Absence),
}

/// How a member is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// It may come back until the deadline.
    Lost,
    /// It is out of the round.
    Left,
}

/// What one event was for the round in progress.
enum Step {
    /// Nothing.
    Nothing,
    /// A member is away.
    Away(Hash, Absence),
    /// A member is back in the round on another connection.
    Back(Arc<Session>),
    /// It is a live session's turn.
    Turn(Arc<Session>, Turn),
    /// A message of a live session, and the places it takes.
    Message(Hash, Box<ClientMessage>, Held),
}

/// An attempt, for those who come back to it.
struct Attempt {
    id: [u8; 32],
    members: HashSet<Hash>,
    /// What they are waiting for, once all is over.
    outcome: Option<Arc<Vec<u8>>>,
}

/// Events in, lobby kept.
pub(crate) struct Floor {
    events: mpsc::Receiver<Event>,
    turns: mpsc::Receiver<Event>,
    pub(crate) lobby: Lobby,
    /// Members of the round in progress that left it.
    pub(crate) gone: HashSet<Hash>,
    running: Option<Attempt>,
    /// The last one that ended in an outcome.
    concluded: Option<Attempt>,
    /// Who was refused for its version since the last attempt began: the log has each name once.
    strangers: HashSet<Hash>,
    stop: watch::Receiver<bool>,
}

impl Floor {
    pub(crate) fn new(
        events: mpsc::Receiver<Event>,
        turns: mpsc::Receiver<Event>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self {
            events,
            turns,
            lobby: Lobby::default(),
            gone: HashSet::new(),
            running: None,
            concluded: None,
            strangers: HashSet::new(),
            stop,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// An attempt with these members begins.
    pub(crate) fn begin(&mut self, id: [u8; 32], members: HashSet<Hash>) {
        self.gone.clear();
        self.strangers.clear();
        self.concluded = None;
        self.running = Some(Attempt {
            id,
            members,
            outcome: None,
        });
    }

    /// It ended; `outcome` is for the `members` that do not have it yet.
    pub(crate) fn end(&mut self, outcome: Option<(HashSet<Hash>, Arc<Vec<u8>>)>) {
        let ended = self.running.take();
        self.concluded = ended.zip(outcome).map(|(attempt, (members, frame))| Attempt {
            members,
            outcome: Some(frame),
            ..attempt
        });
    }

    /// Whether somebody is in the attempt that is under way.
    fn is_in(&self, identity: &Hash) -> bool {
        let member = |attempt: &Attempt| attempt.members.contains(identity);
        self.running.as_ref().is_some_and(member) && !self.gone.contains(identity)
    }

    /// Takes a member out of the round and, if it is there, tells it why: it need not wait for what goes on without it.
    pub(crate) fn turn_away(&mut self, identity: &Hash, why: &str) {
        self.gone.insert(*identity);
        if let Some(session) = self.lobby.get(identity) {
            // A session that is gone already is noticed by its reader.
            let _ = session.send(&ServerMessage::abort(why));
        }
    }

    /// Handles one event before `deadline`; `None` at the deadline.
    async fn step(&mut self, deadline: Instant) -> Option<Step> {
        let next = async {
            tokio::select! {
                biased;
                Some(turn) = self.turns.recv() => Some(turn),
                event = self.events.recv() => event,
            }
        };
        let event = timeout_at(deadline, next).await.ok()??;
        let left = |floor: &mut Self| floor.left(event.identity);
        Some(match event.what {
            What::Joined(session) => self.join(session),
            What::Gone => {
                if self.lobby.leave(&event.identity, event.session) {
                    Step::Away(event.identity, Absence::Lost)
                } else {
                    Step::Nothing
                }
            }
            What::Turn(turn) => match self.lobby.get(&event.identity) {
                Some(session) if session.id == event.session => Step::Turn(session.clone(), turn),
                _ => Step::Nothing,
            },
            What::Message(message) => match self.lobby.get(&event.identity) {
                Some(session) if session.id == event.session => match *message {
                    ClientMessage::Hello(hello) if check_version(&hello).is_err() => {
                        let session = session.clone();
                        // Not invited, for as long as the connection takes to end.
                        session.take();
                        self.refuse_version(&session, &Refusal::Version(hello.version));
                        left(self)
                    }
                    ClientMessage::Hello(hello) if hello.attempt.as_slice().is_empty() => {
                        // Done with its round, however it ended for it.
                        session.is_back(hello.ledger_size);
                        self.lobby.greet(session);
                        left(self)
                    }
                    ClientMessage::Leave(reason) => {
                        tracing::warn!(client = %session.certificate.name, reason = %reason.text(), "left the round");
                        // Not invited again before its next hello.
                        session.take();
                        left(self)
                    }
                    other => Step::Message(event.identity, Box::new(other), event.held),
                },
                _ => Step::Nothing,
            },
        })
    }

    /// TAC-001.
    fn refuse_version(&mut self, session: &Session, refusal: &Refusal) {
        if self.strangers.insert(session.certificate.identity.0) {
            tracing::warn!(client = %session.certificate.name, message = "hello", error = %refusal, "refused");
        }
        session.refuse(&refusal.to_string());
    }

    fn join(&mut self, session: Arc<Session>) -> Step {
        let (name, identity) = (session.certificate.name.clone(), session.certificate.identity.0);
        if let Err(refusal) = check_version(session.hello()) {
            self.refuse_version(&session, &refusal);
            return Step::Nothing;
        }
        if !self.lobby.join(session.clone()) {
            session.close("this name is connected already");
            tracing::warn!(client = %name, "refused a second session of a connected name");
            return Step::Nothing;
        }
        tracing::debug!(client = %name, waiting = self.lobby.len(), "joined");
        let is_in = self.is_in(&identity);
        match resumes(session.hello(), self.running.as_ref().map(|r| &r.id), is_in) {
            Ok(true) => {
                tracing::info!(client = %name, "back in the round on another connection");
                return Step::Back(session);
            }
            // It begins anew, maybe in the middle of a round that it was in: a crash.
            Ok(false) => return self.left(identity),
            Err(refusal) => {
                let named = session.hello().attempt.as_slice();
                let concluded = self.concluded.as_ref();
                let missed = concluded.filter(|c| c.id.as_slice() == named && c.members.contains(&identity));
                match missed.and_then(|attempt| attempt.outcome.clone()) {
                    Some(outcome) => session.send_frame(outcome),
                    // A session that is gone already is noticed by its reader.
                    None => drop(session.send(&ServerMessage::abort(&refusal.to_string()))),
                }
            }
        }
        self.gone.insert(identity);
        Step::Away(identity, Absence::Left)
    }

    /// Out of whatever round it was in, and owed nothing by it.
    fn left(&mut self, identity: Hash) -> Step {
        self.gone.insert(identity);
        if let Some(attempt) = &mut self.concluded {
            attempt.members.remove(&identity);
        }
        Step::Away(identity, Absence::Left)
    }

    /// Waits until `enough` members are ready for a round, `wait` has passed or the server is stopping.
    pub(crate) async fn gather(&mut self, enough: usize, wait: Duration) {
        let deadline = Instant::now() + wait;
        let mut stop = self.stop.clone();
        while self.lobby.ready().count() < enough && !self.is_stopping() {
            tokio::select! {
                step = self.step(deadline) => if step.is_none() { return },
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    /// Waits until everybody who is owed an outcome has it, or `limit` has passed: who has it says hello for the next round.
    pub(crate) async fn settle(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let owes = |floor: &Self| {
            floor
                .concluded
                .as_ref()
                .is_some_and(|attempt| !attempt.members.is_empty())
        };
        while owes(self) && self.step(deadline).await.is_some() {}
    }

    /// Waits until every connection is gone, or `limit` has passed.
    pub(crate) async fn drain(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.lobby.len() > 0 && self.step(deadline).await.is_some() {}
    }

    /// Runs one phase: until everybody in `expected` is done or out, or `limit` has passed. Who lost its connection may come
    /// back until then; who said `leave` is not waited for. A refused message takes its sender out of the round, and it is
    /// told; the others go on. That holds for who is done with the phase too (TAC-072): its first answer stands, and nothing that
    /// it says after the refusal is heard or logged.
    ///
    /// # Errors
    /// An abort that a message led to, or what is wrong with one that was to be made.
    pub(crate) async fn phase(
        &mut self,
        limit: Duration,
        mut expected: HashSet<Hash>,
        mut desk: impl FnMut(Call<'_>) -> Result<Progress, RoundError>,
    ) -> Result<(), RoundError> {
        let deadline = Instant::now() + limit;
        expected.retain(|identity| !self.gone.contains(identity));
        let mut done = HashSet::new();
        while !expected.is_empty() {
            let (identity, message, _held) = match self.step(deadline).await {
                Some(Step::Message(identity, message, held)) => (identity, message, held),
                Some(Step::Away(identity, absence)) => {
                    if absence == Absence::Left {
                        expected.remove(&identity);
                    }
                    // What it leaves behind can be made room of.
                    let _ = desk(Call::Away(&identity, absence));
                    continue;
                }
                Some(Step::Back(session)) => {
                    let awaited = expected.contains(&session.certificate.identity.0);
                    if let Err(error) = desk(Call::Back(&session, awaited)) {
                        tracing::warn!(client = %session.certificate.name, %error, "could not be told where the round is");
                    }
                    continue;
                }
                Some(Step::Turn(session, turn)) => {
                    if expected.contains(&session.certificate.identity.0) {
                        desk(Call::Turn(&session, turn))?;
                    }
                    continue;
                }
                Some(Step::Nothing) => continue,
                None => {
                    tracing::info!(missing = expected.len(), "deadline passed");
                    for identity in expected {
                        self.turn_away(
                            &identity,
                            "the round goes on without this client: it missed a deadline",
                        );
                        let _ = desk(Call::Away(&identity, Absence::Left));
                    }
                    return Ok(());
                }
            };
            let repeats = done.contains(&identity);
            // Who is not in this phase may not know yet that its last attempt is over.
            if self.gone.contains(&identity) || !(repeats || expected.contains(&identity)) {
                continue;
            }
            let kind = message.name();
            match desk(Call::Said(&identity, message)) {
                // The same bytes once more change nothing.
                Ok(_) if repeats => {}
                Ok(Progress::Done) => {
                    expected.remove(&identity);
                    done.insert(identity);
                }
                Ok(Progress::More) => {}
                Ok(Progress::Reply) => {
                    if let Some(session) = self.lobby.get(&identity).cloned()
                        && let Err(error) = desk(Call::Back(&session, true))
                    {
                        tracing::warn!(client = %session.certificate.name, %error, "could not be answered");
                    }
                }
                Err(error @ RoundError::Abort(_)) => return Err(error),
                Err(error) => {
                    let name = self.lobby.get(&identity).map(|s| s.certificate.name.to_string());
                    tracing::warn!(client = %name.unwrap_or_default(), message = kind, %error, "refused");
                    self.turn_away(&identity, &error.to_string());
                    expected.remove(&identity);
                    let _ = desk(Call::Away(&identity, Absence::Left));
                }
            }
        }
        Ok(())
    }
}
