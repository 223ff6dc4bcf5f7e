//! What a member that comes back to an attempt may lack: the invitation as it was sent to it, and the rest of the model.

use std::collections::HashMap;
use std::sync::Arc;

use tacita_learn::GlobalModel;
use tacita_protocol::messages::ServerMessage;
use tacita_protocol::{Hash, RoundError};

use crate::lobby::{MODEL_PART, Session};

/// The papers of one attempt.
pub(crate) struct Papers<'m> {
    model: &'m GlobalModel,
    /// Bytes of the model.
    length: u64,
    invitations: HashMap<Hash, Arc<Vec<u8>>>,
}

impl<'m> Papers<'m> {
    /// For a model of so many bytes.
    pub(crate) fn new(model: &'m GlobalModel, length: u64) -> Self {
        Self {
            model,
            length,
            invitations: HashMap::new(),
        }
    }

    /// The model that the round started from.
    pub(crate) fn model(&self) -> &'m GlobalModel {
        self.model
    }

    /// Keeps the invitation of a member.
    pub(crate) fn keep(&mut self, identity: Hash, frame: Arc<Vec<u8>>) {
        self.invitations.insert(identity, frame);
    }

    /// Sends the invitation once more, byte for byte.
    pub(crate) fn invite_again(&self, session: &Session) {
        if let Some(frame) = self.invitations.get(&session.certificate.identity.0) {
            session.send_frame(frame.clone());
        }
    }

    /// Sends what the member says it lacks of the model.
    pub(crate) fn rest_of_model(&self, session: &Session) -> Result<(), RoundError> {
        let have = session.hello().model_received;
        if have >= self.length {
            return Ok(());
        }
        let bytes = self.model.to_bytes().unwrap_or_default();
        let rest = usize::try_from(have).ok().and_then(|have| bytes.get(have..));
        for part in rest.unwrap_or_default().chunks(MODEL_PART) {
            let frame = ServerMessage::Model(part.to_vec().into()).encode()?;
            session.send_shared(Arc::new(frame));
        }
        Ok(())
    }
}
