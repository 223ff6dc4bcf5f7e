//! The line to the server through one round. It outlives connections: what was said last is said again, byte for byte, on the
//! next one (spec 02 section 4).

use std::sync::Arc;
use std::time::Duration;

use tacita_protocol::client::{Answer, ClientRecord as _, Conversation, Heard, Mark, Participant};
use tacita_protocol::messages::{ClientMessage, Hello, ServerMessage};
use tokio::time::timeout;

use crate::link::{Link, LinkError};
use crate::record::StoreRecord;
use crate::round::ClientError;

/// One round's line.
pub(crate) struct Line<'a> {
    link: &'a mut Link,
    participant: Arc<Participant>,
    attempt: [u8; 32],
    /// Bytes of the model that have arrived.
    pub(crate) model_received: u64,
    conversation: Conversation,
}

impl<'a> Line<'a> {
    /// In the attempt of this id.
    pub(crate) fn new(link: &'a mut Link, participant: Arc<Participant>, attempt: [u8; 32]) -> Self {
        Self {
            link,
            participant,
            attempt,
            model_received: 0,
            conversation: Conversation::default(),
        }
    }

    /// The participant.
    pub(crate) fn participant(&self) -> &Arc<Participant> {
        &self.participant
    }

    /// Says `answer` to the message of this mark. If the connection is lost meanwhile, it is said again when the server asks
    /// on the next one.
    pub(crate) async fn say(&mut self, mark: Mark, answer: Answer) -> Result<(), ClientError> {
        self.conversation.acted(mark, answer);
        self.repeat(0).await
    }

    async fn repeat(&mut self, from: u32) -> Result<(), ClientError> {
        let Some(answer) = self.conversation.answer() else {
            return Ok(());
        };
        match self.link.send_all(answer.messages(from)).await {
            Err(error) if !error.is_passing() => Err(error.into()),
            // A lost connection is noticed by the reader, which is where another one is made.
            _ => Ok(()),
        }
    }

    /// Tells the server that this client leaves. It need not hear it.
    pub(crate) async fn leave(&mut self, message: &ClientMessage) {
        let _ = self.link.send(message).await;
    }

    /// The next message that says something new, within `limit`, on as many connections as it takes.
    pub(crate) async fn next(
        &mut self,
        record: &StoreRecord,
        limit: Duration,
    ) -> Result<ServerMessage, ClientError> {
        timeout(limit, self.next_new(record))
            .await
            .map_err(|_| ClientError::Deadline)?
    }

    async fn next_new(&mut self, record: &StoreRecord) -> Result<ServerMessage, ClientError> {
        loop {
            let message = match self.link.next(&self.participant).await {
                Ok(message) => message,
                Err(error) if error.is_passing() => {
                    self.come_back(record, error).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let from = match self.conversation.hear(&message).map_err(ClientError::Refused)? {
                Heard::New => return Ok(message),
                Heard::Again(_, from) => from,
            };
            tracing::info!(message = message.name(), from, "answering again");
            self.repeat(from).await?;
        }
    }

    /// Another connection in place of the lost one, and a hello that names the attempt.
    async fn come_back(&mut self, record: &StoreRecord, lost: LinkError) -> Result<(), ClientError> {
        let name = &self.participant.certificate.name;
        tracing::info!(client = %name, error = %lost, "connection lost; going on with the round on another one");
        tokio::time::sleep(self.link.pause()).await;
        if self.link.connect().await?.is_none() {
            // Asked to stop: the round is not worth waiting for a server that is away.
            return Err(lost.into());
        }
        let hello = Hello {
            attempt: self.attempt.to_vec().into(),
            model_received: self.model_received,
            ..Hello::fresh(record.head().map_or(0, |head| head.size))
        };
        match self.link.send(&ClientMessage::Hello(hello)).await {
            Err(error) if !error.is_passing() => Err(error.into()),
            _ => Ok(()),
        }
    }
}
