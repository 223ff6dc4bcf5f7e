//! A relay between clients and the server that reads every frame: to each client it is the server, with the server's own key
//! and certificate, and to the server it is each client. A test can so record all that the server receives, end a client or
//! cut its connection at an exact point of a round, and be a dishonest server to real clients or a dishonest client to a real
//! server.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tacita_identity::Role;
use tacita_transport::{
    Admission, ClientEndpoint, Connection, FrameReceiver, FrameSender, Limits, Machine, MachineIdentity,
    ServerEndpoint, TransportError,
};
use tokio::runtime::Runtime;

use super::process::signal;
use super::{Federation, name};

/// The kind of a message: the first byte of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Advertise = 2,
    Shares = 3,
    Chunk = 4,
    UploadEnd = 5,
    Agreement = 6,
    Reveal = 7,
    // From the server.
    Invitation = 65,
    Model = 66,
    Roster = 68,
    Sharers = 69,
    AgreeRequest = 70,
    RevealRequest = 71,
    Outcome = 72,
}

/// What the server hears after the client's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Nothing, until the client comes back: a crash.
    Silent,
    /// That the connection was closed.
    Announced,
}

/// A frame on its way to the server.
#[derive(Debug, Clone)]
pub struct Received {
    pub from: String,
    pub frame: Vec<u8>,
}

/// What goes on instead of a frame of the named client: frames, each after a pause.
pub type Rewrite = Box<dyn FnMut(&str, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + Send>;

/// What a trap does.
#[derive(Debug, Clone, Copy)]
enum Act {
    /// Ends the client.
    Kill(u32, Death),
    /// Cuts its connection; whether the frame still arrives.
    Cut(bool),
}

struct Trap {
    client: String,
    kind: Kind,
    act: Act,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    traps: Mutex<Vec<Trap>>,
    /// The connection to the server on behalf of each client.
    upstream: Mutex<HashMap<String, Connection>>,
    /// Frames on their way to the server, and to clients.
    upwards: Mutex<Option<Rewrite>>,
    downwards: Mutex<Option<Rewrite>>,
}

/// A running relay.
pub struct Relay {
    pub port: u16,
    shared: Arc<Shared>,
    /// Ends all connections when dropped.
    _runtime: Runtime,
}

impl Relay {
    /// Starts it, and has the clients of `federation` connect to it.
    pub fn start(federation: &Federation) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let shared = Arc::new(Shared::default());
        let server = identity(federation.server_state(), Role::Server);
        let listening = runtime
            .block_on(async {
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                ServerEndpoint::bind(
                    any,
                    server.standing.identity,
                    Admission::members(),
                    Limits::loopback(),
                )
            })
            .expect("a port");
        let port = listening.local_addr().expect("an address").port();
        let mut members = HashMap::new();
        for index in 0..federation.plan.clients {
            federation.write_client(index, port);
            let state = federation.client_dir(index).join("state");
            members.insert(name(index), identity(state, Role::Client));
        }
        let (members, server) = (
            Arc::new(members),
            SocketAddr::from(([127, 0, 0, 1], federation.port)),
        );
        runtime.spawn(accept(listening, members, server, Arc::clone(&shared)));
        Self {
            port,
            shared,
            _runtime: runtime,
        }
    }

    /// Ends process `pid` of client `index` as soon as its next message of this kind went on to the server. Nothing later
    /// passes in either direction.
    pub fn kill_after(&self, index: u16, after: Kind, pid: u32, death: Death) {
        self.set(index, after, Act::Kill(pid, death));
    }

    /// Cuts the connection of client `index` at its next message of this kind, in either direction; `arrives` says whether
    /// the message comes through. What the client does next reaches the server on another connection.
    pub fn cut_at(&self, index: u16, kind: Kind, arrives: bool) {
        self.set(index, kind, Act::Cut(arrives));
    }

    fn set(&self, index: u16, kind: Kind, act: Act) {
        let client = name(index);
        lock(&self.shared.traps).push(Trap { client, kind, act });
    }

    /// Replaces what clients say.
    pub fn rewrite_upwards(
        &self,
        rewrite: impl FnMut(&str, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + Send + 'static,
    ) {
        *lock(&self.shared.upwards) = Some(Box::new(rewrite));
    }

    /// Replaces what the server says.
    pub fn rewrite_downwards(
        &self,
        rewrite: impl FnMut(&str, Vec<u8>) -> Vec<(Duration, Vec<u8>)> + Send + 'static,
    ) {
        *lock(&self.shared.downwards) = Some(Box::new(rewrite));
    }

    /// Whether every trap has sprung.
    pub fn is_quiet(&self) -> bool {
        lock(&self.shared.traps).is_empty()
    }

    /// All that was received so far.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends on what a rewrite makes of a frame; false at the end of the connection.
async fn pass(name: &str, frame: Vec<u8>, rewrite: &Mutex<Option<Rewrite>>, to: &mut FrameSender) -> bool {
    let frames = match lock(rewrite).as_mut() {
        Some(rewrite) => rewrite(name, frame),
        None => vec![(Duration::ZERO, frame)],
    };
    for (pause, frame) in frames {
        tokio::time::sleep(pause).await;
        if to.send(&frame).await.is_err() {
            return false;
        }
    }
    true
}

impl Shared {
    /// The trap that this frame springs.
    fn spring(&self, name: &str, frame: &[u8]) -> Option<Act> {
        let mut traps = lock(&self.traps);
        let springs = |trap: &Trap| trap.client == name && frame.first() == Some(&(trap.kind as u8));
        let at = traps.iter().position(springs)?;
        Some(traps.remove(at).act)
    }
}

fn identity(state: PathBuf, role: Role) -> MachineIdentity {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    Machine::new(&state).load(role, now.as_secs()).expect("enrolled")
}

async fn accept(
    listening: ServerEndpoint,
    members: Arc<HashMap<String, MachineIdentity>>,
    server: SocketAddr,
    shared: Arc<Shared>,
) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let dialer = ClientEndpoint::bind(any, &Limits::loopback()).expect("a port");
    while let Some(arrival) = listening.accept().await {
        let Ok(client) = arrival else { continue };
        let (dialer, members, shared) = (dialer.clone(), Arc::clone(&members), Arc::clone(&shared));
        tokio::spawn(async move {
            // An error is the end of one of the two connections; the other one was told.
            let _ = relay(client, &dialer, &members, server, &shared).await;
        });
    }
}

async fn relay(
    client: Connection,
    dialer: &ClientEndpoint,
    members: &HashMap<String, MachineIdentity>,
    server: SocketAddr,
    shared: &Arc<Shared>,
) -> Result<(), TransportError> {
    let name = client.peer().expect("a member").name.to_string();
    let (to_client, from_client) = client.accept().await?;
    if let Some(old) = lock(&shared.upstream).remove(&name) {
        old.close(0, "back on another connection");
    }
    let upstream = match dialer
        .connect(server, &members[&name].standing.identity, None)
        .await
    {
        Ok(upstream) => upstream,
        Err(error) => {
            client.close(2, "the server is away");
            return Err(error);
        }
    };
    let (mut to_server, from_server) = upstream.open().await?;
    lock(&shared.upstream).insert(name.clone(), upstream.clone());
    let dead = Arc::new(AtomicBool::new(false));
    tokio::spawn(downwards(
        name.clone(),
        (upstream.clone(), from_server),
        (client.clone(), to_client),
        Arc::clone(&dead),
        Arc::clone(shared),
    ));
    match upwards(&name, from_client, &mut to_server, shared, &dead).await {
        // Its streams stay open with the connection.
        Some(Act::Kill(_, Death::Silent)) => drop(upstream.closed().await),
        Some(Act::Cut(arrives)) => {
            if arrives {
                let _ = tokio::time::timeout(Duration::from_secs(5), to_server.finish_and_wait()).await;
            }
            cut(&client, &upstream).await;
        }
        Some(Act::Kill(_, Death::Announced)) => upstream.close(0, "gone"),
        // What it said last arrives before its end does.
        None => {
            let _ = tokio::time::timeout(Duration::from_secs(2), to_server.finish_and_wait()).await;
            upstream.close(0, "gone");
        }
    }
    Ok(())
}

/// Once what was sent has arrived: closing drops what is on its way.
async fn cut(client: &Connection, upstream: &Connection) {
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.close(2, "cut");
    upstream.close(0, "cut");
}

async fn downwards(
    name: String,
    (upstream, mut from_server): (Connection, FrameReceiver),
    (client, mut to_client): (Connection, FrameSender),
    dead: Arc<AtomicBool>,
    shared: Arc<Shared>,
) {
    while let Ok(Some(frame)) = from_server.recv().await {
        if let Some(Act::Cut(arrives)) = shared.spring(&name, &frame) {
            if arrives {
                let _ = to_client.send(&frame).await;
            }
            dead.store(true, Ordering::SeqCst);
            return cut(&client, &upstream).await;
        }
        let alive = !dead.load(Ordering::SeqCst);
        if alive && !pass(&name, frame, &shared.downwards, &mut to_client).await {
            return;
        }
    }
    match upstream.closed().await {
        TransportError::ClosedByPeer { code, reason } => {
            client.close(u32::try_from(code).unwrap_or(2), &reason)
        }
        _ => client.close(2, "the server is away"),
    }
}

/// Until either connection ends, or a trap springs.
async fn upwards(
    name: &str,
    mut from_client: FrameReceiver,
    to_server: &mut FrameSender,
    shared: &Arc<Shared>,
    dead: &AtomicBool,
) -> Option<Act> {
    while let Ok(Some(frame)) = from_client.recv().await {
        lock(&shared.received).push(Received {
            from: name.to_owned(),
            frame: frame.clone(),
        });
        let trap = shared.spring(name, &frame);
        if trap.is_some() {
            // Before the server can answer this frame.
            dead.store(true, Ordering::SeqCst);
        }
        let lost = matches!(trap, Some(Act::Cut(false)));
        if !lost && !pass(name, frame, &shared.upwards, to_server).await {
            return None;
        }
        match trap {
            None => {}
            Some(act) => {
                if let Act::Kill(pid, _) = act {
                    signal(pid, "KILL");
                }
                return Some(act);
            }
        }
    }
    None
}
