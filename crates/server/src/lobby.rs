//! Sessions: who is connected, what was sent to them, and the queue of events for the round driver.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tacita_identity::VerifiedCertificate;
use tacita_protocol::Hash;
use tacita_protocol::messages::{ClientMessage, Hello, ServerMessage};
use tacita_protocol::parts::Assembler;
use tacita_protocol::refusal::Misuse;
use tacita_transport::{
    CLOSE_COME_BACK, CLOSE_REFUSED, Connection, FrameSender, Pace, ServerEndpoint, TransportError,
};
use tokio::sync::mpsc;

use crate::gate::{Gate, Held, Turn};

/// Frames waiting for a slow reader, in bytes, before it is dropped.
const MAX_QUEUED: usize = 4 << 20;
/// Malformed or unexpected messages before a session is closed (F23).
pub(crate) const MAX_STRIKES: u32 = 16;
/// Time a new connection has to say hello.
const HELLO: std::time::Duration = std::time::Duration::from_secs(10);
/// Time that the machine behind a session has for a sign of life when another one claims its name.
const SIGN_OF_LIFE: std::time::Duration = std::time::Duration::from_secs(1);
/// Bytes of one model part.
pub(crate) const MODEL_PART: usize = 128 * 1024;

/// What waits for a session's writer.
enum Outgoing {
    /// A frame; the bytes that count as this reader's own; the turn that it was made in.
    Frame(Arc<Vec<u8>>, usize, Option<Turn>),
    /// The driver has a large message for it, and makes it when it is this session's turn.
    Ask,
}

/// One live connection of a member.
pub(crate) struct Session {
    pub(crate) id: u64,
    pub(crate) certificate: Arc<VerifiedCertificate>,
    pub(crate) der: Arc<Vec<u8>>,
    /// What it said first.
    hello: Hello,
    /// The ledger head that the client remembers, as its last hello said.
    ledger_size: AtomicU64,
    /// Whether it said hello since its last round: only then is it invited.
    ready: AtomicBool,
    pub(crate) received: Arc<AtomicU64>,
    out: mpsc::UnboundedSender<Outgoing>,
    queued: Arc<AtomicUsize>,
    connection: Connection,
    /// Bytes of parts that are taken from it: those of one `shares` after a roster, else none.
    parts: Arc<AtomicUsize>,
    /// Certificates of others that this connection was sent, by a keyed hash of their fingerprints: a quarter of the memory,
    /// and nobody can make two collide.
    shown: Mutex<HashSet<u64>>,
    hashing: RandomState,
    /// Whether it is being asked for a sign of life.
    probed: AtomicBool,
}

impl Session {
    /// Queues a frame that all members share, such as a part of the model: it is held once, whoever is slow.
    pub(crate) fn send_shared(&self, frame: Arc<Vec<u8>>) {
        // A closed connection is noticed by its reader.
        let _ = self.out.send(Outgoing::Frame(frame, 0, None));
    }

    /// Queues a frame; a reader that lets too much pile up is dropped.
    pub(crate) fn send_frame(&self, frame: Arc<Vec<u8>>) {
        self.queue(frame, None);
    }

    fn queue(&self, frame: Arc<Vec<u8>>, turn: Option<Turn>) {
        let bytes = frame.len();
        if self
            .queued
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes)
            > MAX_QUEUED
        {
            self.connection.close(CLOSE_COME_BACK, "reads too slowly");
            return;
        }
        // A closed connection is noticed by its reader.
        let _ = self.out.send(Outgoing::Frame(frame, bytes, turn));
    }

    /// Encodes and queues a message.
    pub(crate) fn send(&self, message: &ServerMessage) -> Result<(), Misuse> {
        self.send_in(message, None)
    }

    /// Encodes and queues a message in this session's turn.
    pub(crate) fn send_in(&self, message: &ServerMessage, turn: Option<&Turn>) -> Result<(), Misuse> {
        for frame in message.frames()? {
            self.queue(Arc::new(frame), turn.cloned());
        }
        Ok(())
    }

    /// Asks for a turn, behind everything that is queued: [`What::Turn`] comes when it is there.
    pub(crate) fn ask(&self) {
        // A closed connection is noticed by its reader.
        let _ = self.out.send(Outgoing::Ask);
    }

    /// A roster went out: shares of up to so many bytes may come back in parts, once.
    pub(crate) fn expect_parts(&self, bytes: usize) {
        self.parts.store(bytes, Ordering::Relaxed);
    }

    /// Of `members`, those whose certificate this connection has not seen; they count as shown from now on.
    pub(crate) fn unseen<'a>(
        &self,
        members: impl Iterator<Item = &'a tacita_protocol::roster::Member>,
    ) -> Vec<&'a tacita_protocol::roster::Member> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        members
            .filter(|m| shown.insert(self.hashing.hash_one(m.certificate.fingerprint)))
            .collect()
    }

    /// The first hello of the connection.
    pub(crate) fn hello(&self) -> &Hello {
        &self.hello
    }

    pub(crate) fn ledger_size(&self) -> u64 {
        self.ledger_size.load(Ordering::Relaxed)
    }

    /// A hello on a live connection: done with its last round, ready for the next.
    pub(crate) fn is_back(&self, ledger_size: u64) {
        self.ledger_size.store(ledger_size, Ordering::Relaxed);
        self.ready.store(true, Ordering::Relaxed);
    }

    /// Takes it into a round.
    pub(crate) fn take(&self) {
        self.ready.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Asks for a sign of life, and closes the connection if none comes: a machine that crashed and came back should not
    /// have to wait for its own ghost to time out.
    fn probe(self: &Arc<Self>) {
        if self.probed.swap(true, Ordering::Relaxed) {
            return;
        }
        let (_, before) = self.connection.traffic();
        // An empty list changes nothing; what counts is that the machine acknowledges it.
        let _ = self.send(&ServerMessage::Certificates(Vec::new().into()));
        let session = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(SIGN_OF_LIFE).await;
            if session.connection.traffic().1 == before {
                session.close("silent, while another session of its name waits");
            }
            session.probed.store(false, Ordering::Relaxed);
        });
    }

    /// Closes it: its owner has to mend something first.
    pub(crate) fn refuse(&self, reason: &str) {
        self.connection.close(CLOSE_REFUSED, reason);
    }

    /// Closes it for now: its owner may come back.
    pub(crate) fn close(&self, reason: &str) {
        self.connection.close(CLOSE_COME_BACK, reason);
    }
}

/// What happened on a connection.
pub(crate) enum What {
    /// A member said hello.
    Joined(Arc<Session>),
    /// A message came.
    Message(Box<ClientMessage>),
    /// It is this session's turn to be told what it asked for.
    Turn(Turn),
    /// The connection ended.
    Gone,
}

/// An event for the driver.
pub(crate) struct Event {
    pub(crate) identity: Hash,
    pub(crate) session: u64,
    pub(crate) what: What,
    /// Places that it takes until it was dealt with.
    pub(crate) held: Held,
}

/// How sessions reach the driver.
#[derive(Clone)]
pub(crate) struct Ways {
    /// What happened.
    pub(crate) events: mpsc::Sender<Event>,
    /// Turns, which are dealt with first: a member that was not told yet waits for the others' answers otherwise.
    pub(crate) turns: mpsc::Sender<Event>,
}

/// The sessions, by identity. One live session per name: the first admitted stays (F24).
#[derive(Default)]
pub(crate) struct Lobby {
    sessions: HashMap<Hash, Arc<Session>>,
    /// What newcomers are told once the task is over.
    farewell: Option<ServerMessage>,
}

impl Lobby {
    pub(crate) fn join(&mut self, session: Arc<Session>) -> bool {
        let identity = session.certificate.identity.0;
        match self.sessions.get(&identity) {
            Some(live) => {
                live.probe();
                false
            }
            None => {
                if session.is_ready() {
                    self.greet(&session);
                }
                self.sessions.insert(identity, session);
                true
            }
        }
    }

    /// Somebody is ready for a round: it hears if there will be none.
    pub(crate) fn greet(&self, session: &Session) {
        if let Some(message) = &self.farewell {
            // A connection that is gone already is noticed by its reader.
            let _ = session.send(message);
        }
    }

    /// Tells everybody, and everybody who comes later, that the task is over.
    pub(crate) fn bid_farewell(&mut self, message: ServerMessage) {
        for session in self.sessions.values() {
            let _ = session.send(&message);
        }
        self.farewell = Some(message);
    }

    /// Closes all connections; their owners come back.
    pub(crate) fn send_away(&mut self, reason: &str) {
        for (_, session) in self.sessions.drain() {
            session.close(reason);
        }
    }

    /// Removes a session if it is still the live one.
    pub(crate) fn leave(&mut self, identity: &Hash, session: u64) -> bool {
        if self.sessions.get(identity).is_some_and(|s| s.id == session) {
            self.sessions.remove(identity);
            return true;
        }
        false
    }

    pub(crate) fn get(&self, identity: &Hash) -> Option<&Arc<Session>> {
        self.sessions.get(identity)
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Those that can be invited.
    pub(crate) fn ready(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.sessions.values().filter(|session| session.is_ready())
    }
}

/// Takes connections in and serves each.
pub(crate) async fn accept(endpoint: Arc<ServerEndpoint>, ways: Ways, gate: Gate) {
    let mut id = 0u64;
    while let Some(arrival) = endpoint.accept().await {
        match arrival {
            Ok(connection) => {
                id += 1;
                let Some(der) = connection.peer_certificate_der() else {
                    continue;
                };
                tokio::spawn(serve(connection, id, der, ways.clone(), gate.clone()));
            }
            Err(failed) => {
                tracing::debug!(remote = %failed.remote, error = %failed.error, "handshake failed")
            }
        }
    }
}

/// Serves one accepted connection: hello, then frames both ways until it ends.
pub(crate) async fn serve(
    connection: Connection,
    id: u64,
    der: Vec<u8>,
    Ways { events, turns }: Ways,
    gate: Gate,
) {
    let Some(certificate) = connection.peer().cloned() else {
        return;
    };
    let identity = certificate.identity.0;
    let name = certificate.name.clone();
    let Ok(Ok((sender, mut receiver))) = tokio::time::timeout(HELLO, connection.accept()).await else {
        connection.close(CLOSE_COME_BACK, "no hello");
        return;
    };
    receiver.set_pace(Some(Pace::default()));
    let hello = match tokio::time::timeout(HELLO, receiver.recv()).await {
        Ok(Ok(Some(frame))) => ClientMessage::decode(&frame),
        _ => {
            connection.close(CLOSE_COME_BACK, "no hello");
            return;
        }
    };
    // Of whatever version: the driver refuses another one by name.
    let Ok(ClientMessage::Hello(hello)) = hello else {
        connection.close(CLOSE_REFUSED, "the first message must be a hello");
        return;
    };
    let (out, queue) = mpsc::unbounded_channel();
    let queued = Arc::new(AtomicUsize::new(0));
    let received = Arc::new(AtomicU64::new(0));
    let parts = Arc::new(AtomicUsize::new(0));
    let session = Arc::new(Session {
        id,
        certificate: Arc::new(certificate),
        der: Arc::new(der),
        ledger_size: AtomicU64::new(hello.ledger_size),
        // Who would go on with a round is not ready for another.
        ready: AtomicBool::new(hello.attempt.as_slice().is_empty()),
        hello,
        received: received.clone(),
        out,
        queued: queued.clone(),
        connection: connection.clone(),
        parts: parts.clone(),
        shown: Mutex::default(),
        hashing: RandomState::new(),
        probed: AtomicBool::new(false),
    });
    let event = |what, held| Event {
        identity,
        session: id,
        what,
        held,
    };
    let joined = event(What::Joined(session.clone()), Held::default());
    if events.send(joined).await.is_err() {
        return;
    }
    drop(session);
    let writer = tokio::spawn(write(
        sender,
        queue,
        queued,
        connection.clone(),
        (identity, id, turns, gate.clone()),
    ));
    let mut strikes = 0u32;
    let mut turnstile = gate.turnstile();
    let mut assembler = Assembler::of_client();
    loop {
        receiver.set_pace(Some(turnstile.pace()));
        let since = Instant::now();
        let announced = receiver.announced().await;
        let mut waited = since.elapsed();
        if let Ok(Some((length, kind))) = announced {
            let room = parts.load(Ordering::Relaxed);
            // What a peer said before it closed counts: the place first.
            let admitted = tokio::select! {
                biased;
                admitted = turnstile.admit(kind, length, room) => admitted,
                _ = connection.closed() => None,
            };
            if admitted.is_none() {
                break;
            }
        }
        let since = Instant::now();
        match receiver.recv().await {
            Ok(Some(frame)) => {
                waited = waited.saturating_add(since.elapsed());
                received.fetch_add(frame.len() as u64 + 4, Ordering::Relaxed);
                let whole = match assembler.push(frame, parts.load(Ordering::Relaxed)) {
                    Ok(None) => continue,
                    whole => whole.map(Option::unwrap_or_default),
                };
                let bytes = whole.as_ref().map_or(0, Vec::len);
                match whole.and_then(|whole| ClientMessage::decode(&whole)) {
                    Ok(message) => {
                        if matches!(message, ClientMessage::Shares(_)) {
                            parts.store(0, Ordering::Relaxed);
                        }
                        let held = turnstile.pass(&message, bytes, waited);
                        if events
                            .send(event(What::Message(Box::new(message)), held))
                            .await
                            .is_err()
                        {
                            break;
                        }
                    }
                    Err(error) => {
                        turnstile.discard();
                        strikes += 1;
                        tracing::warn!(client = %name, %error, "malformed message");
                        if strikes >= MAX_STRIKES {
                            connection.close(CLOSE_REFUSED, "too many malformed messages");
                            break;
                        }
                    }
                }
            }
            Ok(None) => break,
            Err(error) => {
                if error == TransportError::Silent {
                    connection.close(CLOSE_COME_BACK, "the upload is too slow");
                }
                tracing::debug!(client = %name, %error, "connection ended");
                break;
            }
        }
    }
    drop(turnstile);
    let _ = events.send(event(What::Gone, Held::default())).await;
    writer.abort();
}

/// Hands to QUIC what the driver queues, and asks it for what it makes in turns.
async fn write(
    mut sender: FrameSender,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
    queued: Arc<AtomicUsize>,
    connection: Connection,
    (identity, session, turns, gate): (Hash, u64, mpsc::Sender<Event>, Gate),
) {
    while let Some(outgoing) = queue.recv().await {
        let (frame, counted, turn) = match outgoing {
            Outgoing::Frame(frame, counted, turn) => (frame, counted, turn),
            Outgoing::Ask => {
                if sender.flush().await.is_err() {
                    return;
                }
                let Some(turn) = gate.turn().await else { return };
                let event = Event {
                    identity,
                    session,
                    what: What::Turn(turn),
                    held: Held::default(),
                };
                if turns.send(event).await.is_err() {
                    return;
                }
                continue;
            }
        };
        queued.fetch_sub(counted, Ordering::Relaxed);
        let bytes = frame.len();
        let sending = async {
            sender.queue_shared(frame).await?;
            // Several small frames share packets; flush when nothing waits.
            if queue.is_empty() {
                sender.flush().await?;
            }
            Ok::<(), TransportError>(())
        };
        let sent = match &turn {
            None => sending.await.is_ok(),
            // Others wait for the turn: its frames go as fast as frames must come.
            Some(_) => {
                let limit = Pace::default().allowance(bytes);
                match tokio::time::timeout(limit, sending).await {
                    Ok(sent) => sent.is_ok(),
                    Err(_) => {
                        connection.close(CLOSE_COME_BACK, "reads too slowly");
                        false
                    }
                }
            }
        };
        if !sent {
            return;
        }
    }
    let _ = sender.finish_and_wait().await;
}
