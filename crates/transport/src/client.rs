//! The connecting side.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ClientConfig, ConnectionError, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use rustls::client::danger::ServerCertVerifier;
use tacita_identity::{Name, TrustAnchor, VerifiedAuthority};
use tokio::time::{sleep, timeout};

use crate::backoff::Backoff;
use crate::connection::Connection;
use crate::error::TransportError;
use crate::limits::Limits;
use crate::local::LocalIdentity;
use crate::socket::{self, SocketBuffers};
use crate::tls::{self, RootCheck, ServerCheck};

/// QUIC wants a name to connect to; ours are in the certificates, and this one is never sent.
const NO_NAME: &str = "tacita.invalid";

/// One UDP socket for all connections of a process, whichever identities they carry. Clones share the socket.
#[derive(Clone)]
pub struct ClientEndpoint {
    endpoint: Endpoint,
    transport: Arc<TransportConfig>,
    handshake: Duration,
    buffers: SocketBuffers,
}

/// A connection to the enrolment authority, with what it proved.
#[derive(Clone, Debug)]
pub struct AuthorityConnection {
    /// The connection; its [`peer`](Connection::peer) is `None`.
    pub connection: Connection,
    /// The root certificate that carries the pinned fingerprint.
    pub anchor: TrustAnchor,
    /// The authority's own certificate.
    pub authority: VerifiedAuthority,
}

impl ClientEndpoint {
    /// Takes a local address: port 0 of the unspecified address of the wanted family, as a rule. Has to be
    /// called on a tokio runtime.
    ///
    /// # Errors
    /// [`TransportError::AddressInUse`] or what else the system says against the address.
    pub fn bind(addr: SocketAddr, limits: &Limits) -> Result<Self, TransportError> {
        let (socket, buffers) = socket::bind(addr, limits.socket_buffer)?;
        let endpoint = Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
            .map_err(|e| TransportError::Bind {
                addr,
                reason: e.to_string(),
            })?;
        Ok(Self {
            endpoint,
            transport: limits.transport(),
            handshake: limits.handshake,
            buffers,
        })
    }

    /// Connects as `identity` to a server of the same authority, to the one called `expected` if given.
    /// Returns when the server has accepted our certificate too.
    ///
    /// # Errors
    /// [`TransportError::NoAnswer`], [`TransportError::Busy`]; [`TransportError::CertificateRefused`] or
    /// [`TransportError::WrongServer`] for a server that we refuse; [`TransportError::RefusedByPeer`] when it
    /// refuses us.
    pub async fn connect(
        &self,
        addr: SocketAddr,
        identity: &LocalIdentity,
        expected: Option<&Name>,
    ) -> Result<Connection, TransportError> {
        let check = Arc::new(ServerCheck::new(Arc::clone(&identity.anchor), expected.cloned()));
        let outcome = self.dial(addr, Arc::clone(&check) as _, Some(identity)).await;
        let connection = outcome.map_err(|error| check.verdict.explain(error))?;
        let peer = check.verdict.get().ok_or(TransportError::NoCertificate)??;
        Ok(Connection::new(connection, Some(peer)))
    }

    /// As [`connect`](Self::connect), again and again with growing random pauses while the server is busy or
    /// away. Gives up on errors that waiting does not mend, and never otherwise: bound it with a timeout.
    ///
    /// # Errors
    /// As [`connect`](Self::connect), but none that [`TransportError::is_passing`].
    pub async fn connect_patiently(
        &self,
        addr: SocketAddr,
        identity: &LocalIdentity,
        expected: Option<&Name>,
        backoff: &mut Backoff,
    ) -> Result<Connection, TransportError> {
        loop {
            match self.connect(addr, identity, expected).await {
                Err(error) if error.is_passing() => {
                    let pause = backoff.pause();
                    tracing::debug!(%addr, %error, ?pause, "trying again");
                    sleep(pause).await;
                }
                outcome => {
                    backoff.worked();
                    return outcome;
                }
            }
        }
    }

    /// Connects to the enrolment authority whose root certificate has the SHA-256 fingerprint `pin`: without a
    /// certificate to enrol, with `identity` to renew.
    ///
    /// # Errors
    /// [`TransportError::WrongRoot`] or [`TransportError::NoRoot`] for another authority, otherwise as
    /// [`connect`](Self::connect).
    pub async fn connect_authority(
        &self,
        addr: SocketAddr,
        pin: [u8; 32],
        identity: Option<&LocalIdentity>,
    ) -> Result<AuthorityConnection, TransportError> {
        let check = Arc::new(RootCheck::new(pin));
        let outcome = self.dial(addr, Arc::clone(&check) as _, identity).await;
        let connection = outcome.map_err(|error| check.verdict.explain(error))?;
        let (anchor, authority) = check.verdict.get().ok_or(TransportError::NoCertificate)??;
        Ok(AuthorityConnection {
            connection: Connection::new(connection, None),
            anchor,
            authority,
        })
    }

    async fn dial(
        &self,
        addr: SocketAddr,
        check: Arc<dyn ServerCertVerifier>,
        identity: Option<&LocalIdentity>,
    ) -> Result<quinn::Connection, TransportError> {
        let mut config = ClientConfig::new(Arc::new(tls::client(check, identity)?));
        config.transport_config(Arc::clone(&self.transport));
        let connecting =
            self.endpoint
                .connect_with(config, addr, NO_NAME)
                .map_err(|e| TransportError::Unreachable {
                    addr,
                    reason: e.to_string(),
                })?;
        let handshake = async {
            let connection = connecting.await?;
            confirmed(&connection).await?;
            Ok::<_, ConnectionError>(connection)
        };
        match timeout(self.handshake, handshake).await {
            Ok(outcome) => outcome.map_err(TransportError::from),
            Err(_) => Err(TransportError::NoAnswer { addr }),
        }
    }

    /// The local address.
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

    /// Closes all connections.
    pub fn close(&self, code: u32, reason: &str) {
        self.endpoint.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// Waits until the peers of closed connections have been told.
    pub async fn wait_idle(&self) {
        self.endpoint.wait_idle().await;
    }
}

/// Waits for the server's HANDSHAKE_DONE (RFC 9001 section 4.1.2): in TLS 1.3 the client's side is complete
/// before the server has looked at the client's certificate. quinn shows that frame in its counters only.
async fn confirmed(connection: &quinn::Connection) -> Result<(), ConnectionError> {
    let mut pause = Duration::from_millis(1);
    while connection.stats().frame_rx.handshake_done == 0 {
        tokio::select! {
            error = connection.closed() => return Err(error),
            () = sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(Duration::from_millis(50));
    }
    Ok(())
}

impl fmt::Debug for ClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientEndpoint({:?})", self.endpoint.local_addr().ok())
    }
}
