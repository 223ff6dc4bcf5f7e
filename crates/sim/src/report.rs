//! What a round in the world leaves behind.

use std::sync::Arc;

use tacita_ledger::entry::Outcome;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::ClientMessage;
use tacita_protocol::{DecodeError, Refusal, RoundError};

use crate::client::State;
use crate::knowledge::Knowledge;
use crate::stage::Stage;

/// An unmasked sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Sum {
    /// The integers, centred.
    pub values: Vec<i64>,
    /// U2 as members of the cast, rising.
    pub survivors: Vec<usize>,
    /// Members that revealed.
    pub responders: usize,
    /// Cosignatures of the charge's checkpoint.
    pub cosignatures: usize,
    /// Holders that revealed a share other than the committed one.
    pub blamed: Vec<Refusal>,
    /// The decoded mean, unless it is implausible.
    pub mean: Option<Vec<f32>>,
}

/// One frame that a client handed to the network.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The member.
    pub from: usize,
    /// In answer to which stage.
    pub stage: Stage,
    /// The bytes.
    pub frame: Vec<u8>,
}

impl Sent {
    /// The message.
    ///
    /// # Errors
    /// [`DecodeError`] never for a frame that a client encoded.
    pub fn message(&self) -> Result<ClientMessage, DecodeError> {
        ClientMessage::decode(&self.frame)
    }
}

/// A message that a view turned down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// The stage.
    pub stage: Stage,
    /// The member it came from.
    pub from: usize,
    /// Why.
    pub error: RoundError,
}

/// The end of one view.
#[derive(Debug)]
pub struct ViewEnd {
    /// The sum, or why there is none.
    pub result: Result<Sum, RoundError>,
    /// Messages that it turned down.
    pub turned: Vec<Turned>,
    /// Pairs (dealer, holder) of roster indices whose box did not open, as reported with the uploads.
    pub suspects: Vec<(u16, u16)>,
    /// Roster index by member, once there was a roster.
    pub indices: Vec<Option<u16>>,
}

impl ViewEnd {
    /// The member with a roster index.
    pub fn member_at(&self, index: u16) -> Option<usize> {
        self.indices.iter().position(|i| *i == Some(index))
    }
}

/// The end of one client.
#[derive(Debug)]
pub struct ClientEnd {
    /// Where it stood.
    pub state: State,
    /// Why it refused, if it did.
    pub refusal: Option<RoundError>,
    /// The integers it masked.
    pub encoded: Option<Vec<i64>>,
    /// The outcome it verified.
    pub outcome: Option<Outcome>,
}

/// A round's traces.
pub struct Report {
    /// The manifest.
    pub manifest: Arc<CheckedManifest>,
    /// By view.
    pub views: Vec<ViewEnd>,
    /// By member of the cast.
    pub clients: Vec<ClientEnd>,
    /// Every frame that clients sent, in order.
    pub sent: Vec<Sent>,
    /// What the server and its colluders can make of it.
    pub knowledge: Knowledge,
}

impl Report {
    /// The result of an honest server, or of the first view of a dishonest one.
    ///
    /// # Errors
    /// Why there is no sum.
    pub fn result(&self) -> Result<&Sum, &RoundError> {
        // A round has at least one view.
        static NONE: RoundError = RoundError::Abort(tacita_protocol::Abort::Stopped);
        self.views.first().map_or(Err(&NONE), |view| view.result.as_ref())
    }

    /// Why a client refused.
    pub fn refusal(&self, member: usize) -> Option<&Refusal> {
        match self.clients.get(member)?.refusal.as_ref()? {
            RoundError::Refusal(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// What a view turned down, without the where.
    pub fn turned(&self, view: usize) -> Vec<&RoundError> {
        self.views
            .get(view)
            .map(|v| v.turned.iter().map(|t| &t.error).collect())
            .unwrap_or_default()
    }
}
