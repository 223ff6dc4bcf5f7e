//! The connection to the server: messages in, messages out, and another connection in its place when it is lost.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tacita_identity::{Name, VerifiedCertificate};
use tacita_protocol::client::Participant;
use tacita_protocol::limits::MAX_MESSAGE;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::parts::Assembler;
use tacita_protocol::{DecodeError, Misuse};
use tacita_transport::{
    Backoff, ClientEndpoint, Connection, FrameReceiver, FrameSender, LocalIdentity, TransportError,
};
use tokio::time::timeout;

use crate::record::Certificates;
use crate::session::Stopper;

/// How long the last message may take before a connection is closed for good.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long after a lost connection the first attempt at another one comes, jitter aside.
const FIRST_RECONNECT: Duration = Duration::from_millis(50);
/// The longest that attempts lie apart.
const SLOWEST_RECONNECT: Duration = Duration::from_secs(5);

/// Messages read ahead while something is being sent.
const EARLY: usize = 4;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The transport failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server sent something that is no message.
    #[error("the server sent a malformed message: {0}")]
    Decode(#[from] DecodeError),
    /// A message of ours could not be encoded.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
}

impl LinkError {
    /// Whether another connection may go on where this one ended.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Transport(TransportError::Truncated | TransportError::StreamReset { .. })
            | Self::Closed => true,
            Self::Transport(error) => error.is_passing(),
            Self::Decode(_) | Self::Misuse(_) => false,
        }
    }
}

/// Where the server is, and as whom to go there.
pub(crate) struct Address {
    pub(crate) endpoint: ClientEndpoint,
    pub(crate) server: SocketAddr,
    pub(crate) server_name: Name,
}

/// The one stream of a connection.
struct Open {
    connection: Connection,
    sender: FrameSender,
    receiver: FrameReceiver,
    parts: Assembler,
    /// Messages that came while something was being sent.
    early: VecDeque<ServerMessage>,
}

/// The way to the server.
pub(crate) struct Link {
    address: Arc<Address>,
    identity: LocalIdentity,
    backoff: Backoff,
    stop: Stopper,
    open: Option<Open>,
}

impl Link {
    /// Not connected yet.
    pub(crate) fn new(address: Arc<Address>, identity: LocalIdentity, stop: Stopper) -> Self {
        Self {
            address,
            identity,
            backoff: Backoff::new(FIRST_RECONNECT, SLOWEST_RECONNECT),
            stop,
            open: None,
        }
    }

    /// As whom to connect from now on.
    pub(crate) fn take_on(&mut self, identity: LocalIdentity) {
        self.identity = identity;
    }

    /// Connects, however long it takes; the server's certificate. `None` if the process was asked to stop before.
    pub(crate) async fn connect(&mut self) -> Result<Option<Arc<VerifiedCertificate>>, LinkError> {
        let Address {
            endpoint,
            server,
            server_name,
        } = &*self.address;
        let identity = &self.identity;
        self.open = None;
        let connected = tokio::select! {
            connected = endpoint.connect_patiently(*server, identity, Some(server_name), &mut self.backoff) => connected?,
            () = self.stop.wait() => return Ok(None),
        };
        let peer = connected.peer().cloned().ok_or(TransportError::NoCertificate)?;
        let (sender, receiver) = connected.open().await?;
        self.open = Some(Open {
            connection: connected,
            sender,
            receiver,
            parts: Assembler::of_server(),
            early: VecDeque::new(),
        });
        Ok(Some(Arc::new(peer)))
    }

    /// The certificates of both ends of this connection.
    pub(crate) fn certificates(&self) -> Certificates {
        let peer = self
            .open
            .as_ref()
            .and_then(|open| open.connection.peer_certificate_der());
        Certificates {
            own: self.identity.certificate_der().clone(),
            server: peer.unwrap_or_default().into(),
        }
    }

    /// The pause before the next attempt; longer each time until a connection lasts.
    pub(crate) fn pause(&mut self) -> Duration {
        self.backoff.pause()
    }

    fn open(&mut self) -> Result<&mut Open, LinkError> {
        self.open.as_mut().ok_or(LinkError::Closed)
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Result<(), LinkError> {
        let sender = &mut self.open()?.sender;
        for frame in message.frames()? {
            sender.queue(&frame).await?;
        }
        sender.flush().await?;
        Ok(())
    }

    /// Sends messages one after another, each made when there is room for it. Ends early if the server aborts meanwhile:
    /// nobody wants the rest then.
    pub(crate) async fn send_all(
        &mut self,
        messages: impl Iterator<Item = ClientMessage>,
    ) -> Result<(), LinkError> {
        let Open {
            sender,
            receiver,
            early,
            parts,
            ..
        } = self.open()?;
        // A message in parts is not left in the middle: what comes next would be taken for a part of it.
        let in_parts = AtomicBool::new(false);
        let sending = async {
            for message in messages {
                let frames = message.frames()?;
                in_parts.store(frames.len() > 1, Ordering::Relaxed);
                for frame in frames {
                    sender.queue(&frame).await?;
                }
            }
            Ok(sender.flush().await?)
        };
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return sent,
                frame = receiver.recv(), if early.len() < EARLY => {
                    let frame = frame?.ok_or(LinkError::Closed)?;
                    let Some(bytes) = parts.push(frame, MAX_MESSAGE)? else {
                        continue;
                    };
                    let message = ServerMessage::decode(&bytes)?;
                    let aborted = matches!(message, ServerMessage::Abort(_));
                    early.push_back(message);
                    if aborted && !in_parts.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The next message other than a certificate bundle; those go to the participant's cache.
    pub(crate) async fn next(&mut self, participant: &Arc<Participant>) -> Result<ServerMessage, LinkError> {
        loop {
            let open = self.open()?;
            let message = match open.early.pop_front() {
                Some(message) => message,
                None => {
                    let frame = open.receiver.recv().await?.ok_or(LinkError::Closed)?;
                    let Some(bytes) = open.parts.push(frame, MAX_MESSAGE)? else {
                        continue;
                    };
                    ServerMessage::decode(&bytes)?
                }
            };
            let ServerMessage::Certificates(bundle) = message else {
                return Ok(message);
            };
            let participant = participant.clone();
            let now = crate::now();
            let rejected = crate::cpu::run(move || {
                participant.admit_certificates(bundle.as_slice().iter().map(|der| der.as_slice()), now)
            })
            .await;
            if let Some(count) = rejected.filter(|count| *count > 0) {
                tracing::warn!(count, "certificates of other members did not verify");
            }
        }
    }

    /// Closes at once.
    pub(crate) fn close(&mut self, reason: &str) {
        if let Some(open) = self.open.take() {
            open.connection.close(0, reason);
        }
    }

    /// Closes once the server has what was sent, or soon.
    pub(crate) async fn finish(&mut self, reason: &str) {
        if let Some(open) = self.open.take() {
            let _ = timeout(LAST_WORDS, open.sender.finish_and_wait()).await;
            open.connection.close(0, reason);
        }
    }
}
