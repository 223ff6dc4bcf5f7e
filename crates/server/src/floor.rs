//! The floor of the server: events from all connections, the lobby, and waiting for a phase to close.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::{Hash, RoundError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::gate::Held;
use crate::lobby::{Event, Lobby, Session, What};

/// What a message did for its phase.
pub(crate) enum Progress {
    /// The member is done with this phase.
    Done,
    /// More is to come from it.
    More,
}

/// What one event was for the round in progress.
enum Step {
    /// Somebody came, or an event of a dead session.
    Nothing,
    /// A member left the round.
    Left(Hash),
    /// A message of a live session, and the places it takes.
    Message(Hash, ClientMessage, Held),
}

/// Events in, lobby kept.
pub(crate) struct Floor {
    events: mpsc::Receiver<Event>,
    pub(crate) lobby: Lobby,
    /// Members of the round in progress that left it.
    pub(crate) gone: HashSet<Hash>,
    stop: watch::Receiver<bool>,
}

impl Floor {
    pub(crate) fn new(events: mpsc::Receiver<Event>, stop: watch::Receiver<bool>) -> Self {
        Self {
            events,
            lobby: Lobby::default(),
            gone: HashSet::new(),
            stop,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Handles one event before `deadline`; `None` at the deadline.
    async fn step(&mut self, deadline: Instant) -> Option<Step> {
        let event = timeout_at(deadline, self.events.recv()).await.ok()??;
        Some(match event.what {
            What::Joined(session) => {
                self.join(session);
                Step::Nothing
            }
            What::Gone => {
                if self.lobby.leave(&event.identity, event.session) {
                    self.gone.insert(event.identity);
                    Step::Left(event.identity)
                } else {
                    Step::Nothing
                }
            }
            What::Message(message) => match self.lobby.get(&event.identity) {
                Some(session) if session.id == event.session => {
                    if let ClientMessage::Hello(hello) = &message {
                        // Done with its round, however it ended for it.
                        session.is_back(hello.ledger_size);
                        self.gone.insert(event.identity);
                        Step::Left(event.identity)
                    } else if let ClientMessage::Leave(reason) = &message {
                        tracing::warn!(client = %session.certificate.name, reason = %reason.text(), "left the round");
                        self.gone.insert(event.identity);
                        Step::Left(event.identity)
                    } else {
                        Step::Message(event.identity, message, event.held)
                    }
                }
                _ => Step::Nothing,
            },
        })
    }

    fn join(&mut self, session: Arc<Session>) {
        let name = session.certificate.name.clone();
        if self.lobby.join(session.clone()) {
            tracing::debug!(client = %name, waiting = self.lobby.len(), "joined");
        } else {
            session.close("this name is connected already");
            tracing::warn!(client = %name, "refused a second session of a connected name");
        }
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

    /// Waits until every connection is gone, or `limit` has passed.
    pub(crate) async fn drain(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.lobby.len() > 0 && self.step(deadline).await.is_some() {}
    }

    /// Runs one phase: until everybody in `expected` is done or gone, or `limit` has passed. A refused message takes its
    /// sender out of the round, and it is told; the others go on.
    ///
    /// # Errors
    /// An abort that a message led to.
    pub(crate) async fn phase(
        &mut self,
        limit: Duration,
        mut expected: HashSet<Hash>,
        mut handle: impl FnMut(&Hash, ClientMessage) -> Result<Progress, RoundError>,
    ) -> Result<(), RoundError> {
        let deadline = Instant::now() + limit;
        expected.retain(|identity| !self.gone.contains(identity));
        while !expected.is_empty() {
            let (identity, message, _held) = match self.step(deadline).await {
                Some(Step::Message(identity, message, held)) => (identity, message, held),
                Some(Step::Left(identity)) => {
                    expected.remove(&identity);
                    continue;
                }
                Some(Step::Nothing) => continue,
                None => {
                    tracing::info!(missing = expected.len(), "deadline passed");
                    return Ok(());
                }
            };
            if self.gone.contains(&identity) || !expected.contains(&identity) {
                continue;
            }
            let kind = message.name();
            match handle(&identity, message) {
                Ok(Progress::Done) => drop(expected.remove(&identity)),
                Ok(Progress::More) => {}
                Err(error @ RoundError::Abort(_)) => return Err(error),
                Err(error) => {
                    if let Some(session) = self.lobby.get(&identity) {
                        tracing::warn!(client = %session.certificate.name, message = kind, %error, "refused");
                        // It need not wait for a round that goes on without it. A session that is gone is noticed elsewhere.
                        let _ = session.send(&ServerMessage::abort(&error.to_string()));
                    }
                    self.gone.insert(identity);
                    expected.remove(&identity);
                }
            }
        }
        Ok(())
    }
}
