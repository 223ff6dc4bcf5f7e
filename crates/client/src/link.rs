//! One connection to the server: messages in, messages out.

use std::sync::Arc;

use tacita_protocol::client::Participant;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::{DecodeError, Misuse};
use tacita_transport::{Connection, FrameReceiver, FrameSender, TransportError};

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

/// The one stream of a connection.
pub(crate) struct Link {
    connection: Connection,
    sender: FrameSender,
    receiver: FrameReceiver,
}

impl Link {
    pub(crate) async fn open(connection: Connection) -> Result<Self, LinkError> {
        let (sender, receiver) = connection.open().await?;
        Ok(Self {
            connection,
            sender,
            receiver,
        })
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) -> Result<(), LinkError> {
        self.sender.send(&message.encode()?).await?;
        Ok(())
    }

    /// Queues without flushing, for the chunks of an upload.
    pub(crate) async fn queue(&mut self, message: &ClientMessage) -> Result<(), LinkError> {
        self.sender.queue(&message.encode()?).await?;
        Ok(())
    }

    /// The next message other than a certificate bundle; those go to the participant's cache.
    pub(crate) async fn next(&mut self, participant: &Arc<Participant>) -> Result<ServerMessage, LinkError> {
        loop {
            let frame = self.receiver.recv().await?.ok_or(LinkError::Closed)?;
            let message = ServerMessage::decode(&frame)?;
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

    pub(crate) fn close(&self, reason: &str) {
        self.connection.close(0, reason);
    }
}
