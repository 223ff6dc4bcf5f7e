//! The listening side.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use quinn::{Connecting, Endpoint, EndpointConfig, Incoming, ServerConfig, TokioRuntime, VarInt};
use quinn_proto::HashedConnectionIdGenerator;
use tacita_identity::{CertificateError, VerifiedCertificate};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::connection::Connection;
use crate::door::{Decision, Door, Slot};
use crate::error::TransportError;
use crate::limits::{INCOMING_BUFFER, LINGER, Limits, RETRY_TOKEN_LIFE};
use crate::local::LocalIdentity;
use crate::socket::{self, SocketBuffers};
use crate::tls::{self, ClientCheck, Clients, Screen};

/// Whom an endpoint lets in.
#[derive(Clone)]
pub struct Admission {
    clients: Clients,
    screen: Option<Arc<Screen>>,
}

impl Admission {
    /// Members with the role of a client, as the aggregation server wants them.
    #[must_use]
    pub fn members() -> Self {
        Self {
            clients: Clients::Required,
            screen: None,
        }
    }

    /// Anybody, as the enrolment authority must: newcomers have no certificate. One that is shown is checked
    /// all the same, and may be of either role.
    #[must_use]
    pub fn newcomers() -> Self {
        Self {
            clients: Clients::Optional,
            screen: None,
        }
    }

    /// Asks `screen` about every certificate that is otherwise good, during the handshake: the place for a deny
    /// list. It must answer at once.
    #[must_use]
    pub fn screened_by(
        mut self,
        screen: impl Fn(&VerifiedCertificate) -> Result<(), CertificateError> + Send + Sync + 'static,
    ) -> Self {
        self.screen = Some(Arc::new(screen));
        self
    }
}

/// A handshake that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedHandshake {
    /// Where it came from.
    pub remote: SocketAddr,
    /// Why it failed.
    pub error: TransportError,
}

/// What became of connection attempts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Handshakes completed.
    pub accepted: u64,
    /// Handshakes that failed.
    pub failed: u64,
    /// Attempts refused for lack of room.
    pub refused: u64,
    /// Attempts answered by Retry.
    pub retried: u64,
    /// Attempts left without answer, over the share of their prefix.
    pub ignored: u64,
}

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    retried: AtomicU64,
    ignored: AtomicU64,
}

type Arrival = Result<Connection, FailedHandshake>;

/// A listening UDP port.
pub struct ServerEndpoint {
    endpoint: Endpoint,
    host: Arc<Host>,
    arrivals: Mutex<mpsc::Receiver<Arrival>>,
    porter: JoinHandle<()>,
    buffers: SocketBuffers,
}

/// What every handshake needs.
struct Host {
    limits: Limits,
    identity: RwLock<LocalIdentity>,
    admission: Admission,
    template: ServerConfig,
    counters: Counters,
}

impl ServerEndpoint {
    /// Listens on `addr`. Has to be called on a tokio runtime, which then runs the handshakes.
    ///
    /// # Errors
    /// [`TransportError::AddressInUse`] or what else the system says against the address.
    pub fn bind(
        addr: SocketAddr,
        identity: LocalIdentity,
        admission: Admission,
        limits: Limits,
    ) -> Result<Self, TransportError> {
        let (socket, buffers) = socket::bind(addr, limits.socket_buffer)?;
        let check = ClientCheck::new(Arc::clone(&identity.anchor), admission.clients, None);
        let crypto = tls::server(Arc::new(check), &identity)?;
        let mut template = ServerConfig::with_crypto(Arc::new(crypto));
        template
            .transport_config(limits.transport())
            .migration(false)
            .retry_token_lifetime(RETRY_TOKEN_LIFE)
            .max_incoming(limits.pending)
            .incoming_buffer_size(INCOMING_BUFFER.0)
            .incoming_buffer_size_total(INCOMING_BUFFER.1);
        // No tokens for later connections: they would let an address skip the proof, and link its visits.
        let mut tokens = quinn::ValidationTokenConfig::default();
        tokens.sent(0);
        template.validation_token_config(tokens);
        let mut config = EndpointConfig::new(Arc::new(identity.resets.tokens.clone()));
        let ids = identity.resets.ids;
        config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
        let endpoint = Endpoint::new(config, Some(template.clone()), socket, Arc::new(TokioRuntime))
            .map_err(|e| TransportError::Bind {
                addr,
                reason: e.to_string(),
            })?;
        let (arrived, arrivals) = mpsc::channel(limits.pending.max(1));
        let host = Arc::new(Host {
            limits,
            identity: RwLock::new(identity),
            admission,
            template,
            counters: Counters::default(),
        });
        let porter = tokio::spawn(receive(endpoint.clone(), Arc::clone(&host), arrived));
        Ok(Self {
            endpoint,
            host,
            arrivals: Mutex::new(arrivals),
            porter,
            buffers,
        })
    }

    /// The next connection, or a handshake that failed; `None` once the endpoint is closed. Cancel-safe.
    /// Failures beyond what the caller picks up are counted only.
    pub async fn accept(&self) -> Option<Result<Connection, FailedHandshake>> {
        self.arrivals.lock().await.recv().await
    }

    /// Uses another certificate for handshakes from now on, after a renewal.
    pub fn set_identity(&self, identity: LocalIdentity) {
        *self.host.identity.write().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// The address listened on, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> Result<SocketAddr, TransportError> {
        self.endpoint.local_addr().map_err(|e| TransportError::Protocol {
            reason: e.to_string(),
        })
    }

    /// The buffers of the UDP socket.
    #[must_use]
    pub fn buffers(&self) -> SocketBuffers {
        self.buffers
    }

    /// Connections now open, those in their handshake included.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.endpoint.open_connections()
    }

    /// Counters since the start.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        let counters = &self.host.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ServerStats {
            accepted: get(&counters.accepted),
            failed: get(&counters.failed),
            refused: get(&counters.refused),
            retried: get(&counters.retried),
            ignored: get(&counters.ignored),
        }
    }

    /// Closes all connections and the port.
    pub fn close(&self, code: u32, reason: &str) {
        self.endpoint.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// Waits until the peers of closed connections have been told.
    pub async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

impl Drop for ServerEndpoint {
    fn drop(&mut self) {
        self.endpoint.close(VarInt::from_u32(0), b"");
        self.porter.abort();
    }
}

/// Looks at every first packet and starts the handshakes that may start.
async fn receive(endpoint: Endpoint, host: Arc<Host>, arrived: mpsc::Sender<Arrival>) {
    let door = Arc::new(Door::default());
    let count = |counter: &AtomicU64| _ = counter.fetch_add(1, Ordering::Relaxed);
    while let Some(incoming) = endpoint.accept().await {
        let remote = incoming.remote_address();
        let proved = incoming.remote_address_validated();
        match door.decide(&host.limits, remote.ip(), proved, endpoint.open_connections()) {
            Decision::Admit(slot) => {
                tokio::spawn(shake_hands(
                    incoming,
                    remote,
                    slot,
                    Arc::clone(&host),
                    arrived.clone(),
                ));
            }
            Decision::Retry => {
                count(&host.counters.retried);
                // Fails only for an address that has proved itself, and those are not asked.
                let _ = incoming.retry();
            }
            Decision::Ignore => {
                count(&host.counters.ignored);
                incoming.ignore();
            }
            Decision::Refuse => {
                count(&host.counters.refused);
                incoming.refuse();
            }
        }
    }
}

async fn shake_hands(
    incoming: Incoming,
    remote: SocketAddr,
    slot: Slot,
    host: Arc<Host>,
    arrived: mpsc::Sender<Arrival>,
) {
    let (outcome, lingers) = match host.begin(incoming) {
        Ok((connecting, check)) => (host.complete(connecting, &check, remote).await, true),
        Err(error) => (Err(error), false),
    };
    match outcome {
        Ok(connection) => {
            host.counters.accepted.fetch_add(1, Ordering::Relaxed);
            // Waits for the caller with the slot held, so that an overloaded server stops taking handshakes.
            let _ = arrived.send(Ok(connection)).await;
        }
        Err(error) => {
            host.counters.failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%remote, %error, "handshake failed");
            let _ = arrived.try_send(Err(FailedHandshake { remote, error }));
            if lingers {
                sleep(LINGER).await;
            }
        }
    }
    drop(slot);
}

impl Host {
    /// Fails for packets that only look like the start of a connection.
    fn begin(&self, incoming: Incoming) -> Result<(Connecting, Arc<ClientCheck>), TransportError> {
        let identity = self
            .identity
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let check = Arc::new(ClientCheck::new(
            Arc::clone(&identity.anchor),
            self.admission.clients,
            self.admission.screen.clone(),
        ));
        let mut config = self.template.clone();
        config.crypto = Arc::new(tls::server(Arc::clone(&check), &identity)?);
        Ok((incoming.accept_with(Arc::new(config))?, check))
    }

    async fn complete(
        &self,
        connecting: Connecting,
        check: &ClientCheck,
        remote: SocketAddr,
    ) -> Result<Connection, TransportError> {
        let outcome = match timeout(self.limits.handshake, connecting).await {
            Ok(outcome) => outcome.map_err(TransportError::from),
            Err(_) => Err(TransportError::NoAnswer { addr: remote }),
        };
        let connection = outcome.map_err(|error| check.verdict.explain(error))?;
        let peer = check.verdict.get().transpose()?;
        if peer.is_none() && self.admission.clients == Clients::Required {
            // rustls does not complete such a handshake; should it ever, it ends here.
            return Err(TransportError::NoCertificate);
        }
        Ok(Connection::new(connection, peer))
    }
}

impl fmt::Debug for ServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerEndpoint({:?})", self.endpoint.local_addr().ok())
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Admission({:?}, screened: {})",
            self.clients,
            self.screen.is_some()
        )
    }
}
