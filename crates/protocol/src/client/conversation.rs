//! What a client said last, kept so that it can be said again byte for byte on another connection, and nothing else in its place.

use sha2::{Digest as _, Sha256};

use crate::Hash;
use crate::mask::MaskedUpdate;
use crate::messages::{ClientMessage, ServerMessage, UploadChunk};
use crate::refusal::{Misuse, Refusal};

/// A masked vector and what closes its upload.
pub struct Upload {
    update: MaskedUpdate,
    end: ClientMessage,
}

impl Upload {
    /// From the effect of the state that masked it.
    #[must_use]
    pub fn new(update: MaskedUpdate, end: ClientMessage) -> Self {
        Self { update, end }
    }

    /// Number of chunks; the end comes behind them.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.update.chunks()).unwrap_or(u32::MAX)
    }

    /// Chunk `index`, always of the same bytes; the end behind the last.
    #[must_use]
    pub fn message(&self, index: u32) -> ClientMessage {
        if index < self.chunks() {
            let packed = self.update.packed(index as usize).into();
            ClientMessage::Chunk(UploadChunk { index, packed })
        } else {
            self.end.clone()
        }
    }
}

/// The answer to one message of the server.
pub enum Answer {
    /// Messages, in order.
    Messages(Vec<ClientMessage>),
    /// An upload.
    Upload(Box<Upload>),
}

impl Answer {
    /// The messages from number `from` on, made one at a time.
    pub fn messages(&self, from: u32) -> impl Iterator<Item = ClientMessage> + '_ {
        let count = match self {
            Self::Messages(messages) => u32::try_from(messages.len()).unwrap_or(u32::MAX),
            Self::Upload(upload) => upload.chunks().saturating_add(1),
        };
        (from..count).filter_map(move |index| match self {
            Self::Messages(messages) => messages.get(index as usize).cloned(),
            Self::Upload(upload) => Some(upload.message(index)),
        })
    }
}

/// Which message it was: its kind, and a hash of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    name: &'static str,
    digest: Hash,
}

impl Mark {
    /// Of a message.
    ///
    /// # Errors
    /// [`Misuse::Encoding`] never for a message that was decoded.
    pub fn of(message: &ServerMessage) -> Result<Self, Misuse> {
        Ok(Self {
            name: message.name(),
            digest: Sha256::digest(message.encode()?).into(),
        })
    }
}

/// What a message is for a client that answered another one before.
pub enum Heard<'a> {
    /// Something for the state machine.
    New,
    /// The same as before, or a part of it: the same answer from this number on.
    Again(&'a Answer, u32),
}

/// The last message that a client acted on in this round, and its answer. What was said before it is not said again.
#[derive(Default)]
pub struct Conversation {
    last: Option<(Mark, Answer)>,
}

impl Conversation {
    /// Remembers that a message was acted on.
    pub fn acted(&mut self, on: Mark, answer: Answer) {
        self.last = Some((on, answer));
    }

    /// The last answer.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        self.last.as_ref().map(|(_, answer)| answer)
    }

    /// Tells a repeated message from a new one.
    ///
    /// # Errors
    /// [`Refusal::Repeated`] for a message of the last one's kind with other bytes, [`Refusal::Resume`] for a part of an
    /// upload that there is not. The round is over for this client then.
    pub fn hear(&self, message: &ServerMessage) -> Result<Heard<'_>, Refusal> {
        if let ServerMessage::Resume(resume) = message {
            return match &self.last {
                // The first chunk is asked for by the message that asked for the upload.
                Some((_, answer @ Answer::Upload(upload)))
                    if (1..=upload.chunks()).contains(&resume.next) =>
                {
                    Ok(Heard::Again(answer, resume.next))
                }
                _ => Err(Refusal::Resume(resume.next)),
            };
        }
        match &self.last {
            Some((mark, answer)) if mark.name == message.name() => {
                if Mark::of(message).ok() == Some(*mark) {
                    Ok(Heard::Again(answer, 0))
                } else {
                    Err(Refusal::Repeated(mark.name))
                }
            }
            _ => Ok(Heard::New),
        }
    }
}
