//! One honest round, step by step, with every message of every party kept: what the vectors of
//! `protocol-spec/10-vectors.md` section 3 say of a round.
//!
//! In each step the server speaks to every member that still listens, by rising number; then all answers reach it, by
//! rising number of their sender; then it closes the phase.

use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_ledger::Entry;
use tacita_protocol::client::RecordChange;
use tacita_protocol::manifest::{CheckedManifest, Manifest};
use tacita_protocol::messages::{ClientMessage, Invitation, ServerMessage};
use tacita_protocol::{LedgerHead, RoundError};

use crate::cast::Cast;
use crate::client::Client;
use crate::disk::Disk;
use crate::error::SimError;
use crate::ledger::Ledger;
use crate::report::Sum;
use crate::stage::Stage;
use crate::view::View;

/// Everything that a round follows from, beside its members.
#[derive(Debug, Clone)]
pub struct Score {
    /// The manifest, over the ledger that `prior` makes.
    pub manifest: Manifest,
    /// The global model.
    pub model: Vec<u8>,
    /// The first stage in which a member is silent, by number.
    pub silent: BTreeMap<usize, Stage>,
    /// Entries of the ledger before the round.
    pub prior: Vec<Entry>,
    /// Size of the ledger head that each member remembers; 0, or no number at all, is none.
    pub remembered: Vec<u64>,
}

/// One message: to a member, or from one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// In which step.
    pub stage: Stage,
    /// The member.
    pub member: usize,
    /// Whether it went to the member.
    pub to_member: bool,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A round under way.
pub struct Walk<'a> {
    cast: &'a Cast,
    score: &'a Score,
    manifest: Arc<CheckedManifest>,
    /// The ledger before the round.
    before: Ledger,
    view: View,
    clients: Vec<Client>,
    said: Vec<Said>,
}

impl<'a> Walk<'a> {
    /// Opens a round for these members, the first ones of the cast.
    ///
    /// # Errors
    /// [`SimError`] if the score does not fit together.
    pub fn open(cast: &'a Cast, score: &'a Score, mut clients: Vec<Client>) -> Result<Self, SimError> {
        let mut before = Ledger::create(cast.log_key().clone(), cast.log_verifier().clone())?;
        let mut heads = vec![head(&before)];
        for entry in &score.prior {
            before.append(entry)?;
            heads.push(head(&before));
        }
        for (client, size) in clients.iter_mut().zip(&score.remembered) {
            let known = usize::try_from(*size).ok().filter(|size| *size > 0);
            if let Some(head) = known.and_then(|size| heads.get(size)) {
                client.record_mut().apply(RecordChange::Head(head.clone()));
            }
        }
        let manifest = Arc::new(score.manifest.clone().check()?);
        Ok(Self {
            cast,
            score,
            view: View::open(
                manifest.clone(),
                before.clone(),
                (Box::<Disk>::default(), Box::<Disk>::default()),
            )?,
            manifest,
            before,
            clients,
            said: Vec::new(),
        })
    }

    /// The manifest, checked.
    pub fn manifest(&self) -> &Arc<CheckedManifest> {
        &self.manifest
    }

    /// The server.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The members.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// One member, to be told or to be meddled with.
    ///
    /// # Errors
    /// [`SimError::NoMember`].
    pub fn client(&mut self, member: usize) -> Result<&mut Client, SimError> {
        self.clients.get_mut(member).ok_or(SimError::NoMember(member))
    }

    /// All messages so far, in order.
    pub fn said(&self) -> &[Said] {
        &self.said
    }

    fn listens(&self, member: usize, stage: Stage) -> bool {
        self.score.silent.get(&member).is_none_or(|last| stage < *last)
    }

    /// What the server says to one member in a stage.
    ///
    /// # Errors
    /// [`SimError`] if a proof cannot be made.
    pub fn said_to(&self, member: usize, stage: Stage) -> Result<Vec<ServerMessage>, SimError> {
        if stage != Stage::Invite {
            return self.view.messages(stage, self.cast, member);
        }
        let heard = self.score.remembered.get(member).copied().unwrap_or(0);
        let invitation = Invitation {
            manifest: self.score.manifest.clone(),
            signature: self.score.manifest.sign(&self.cast.server().key)?,
            checkpoint: self.before.checkpoint().into(),
            consistency: self.before.consistency(heard)?,
            model_length: self.score.model.len() as u64,
        };
        Ok(vec![
            ServerMessage::Invitation(Box::new(invitation)),
            ServerMessage::Model(self.score.model.clone().into()),
        ])
    }

    /// One message from one member to the server.
    ///
    /// # Errors
    /// What the server refuses.
    pub fn receive(&mut self, member: usize, message: ClientMessage) -> Result<(), RoundError> {
        self.view.receive(self.cast, member, message)
    }

    /// One step.
    ///
    /// # Errors
    /// [`SimError`] if an honest party refuses another: the round is not one that was meant to work.
    pub fn step(&mut self, stage: Stage) -> Result<(), SimError> {
        let refused = |what: &dyn std::fmt::Display| SimError::Setting(format!("{stage:?}: {what}"));
        let mut answers = Vec::new();
        for member in 0..self.clients.len() {
            if !self.listens(member, stage) {
                continue;
            }
            for message in self.said_to(member, stage)? {
                self.note(stage, member, true, message.encode()?);
                let client = self.client(member)?;
                let said = client.handle(message);
                if let Some(error) = client.refusal() {
                    return Err(refused(error));
                }
                answers.extend(said.into_iter().map(|answer| (member, answer)));
            }
        }
        for (member, answer) in answers {
            self.note(stage, member, false, answer.encode()?);
            self.receive(member, answer).map_err(|error| refused(&error))?;
        }
        self.view.close(stage, self.cast)?;
        match self.view.abort() {
            Some(error) => Err(refused(error)),
            None => Ok(()),
        }
    }

    fn note(&mut self, stage: Stage, member: usize, to_member: bool, bytes: Vec<u8>) {
        self.said.push(Said {
            stage,
            member,
            to_member,
            bytes,
        });
    }

    /// All steps before `stage`.
    ///
    /// # Errors
    /// As [`Walk::step`].
    pub fn until(&mut self, stage: Stage) -> Result<(), SimError> {
        Stage::ALL
            .into_iter()
            .filter(|before| *before < stage)
            .try_for_each(|before| self.step(before))
    }

    /// All steps; gives the sum.
    ///
    /// # Errors
    /// As [`Walk::step`].
    pub fn run(&mut self) -> Result<Sum, SimError> {
        Stage::ALL.into_iter().try_for_each(|stage| self.step(stage))?;
        self.view
            .sum(self.cast)
            .map_err(|error| SimError::Setting(error.to_string()))
    }
}

fn head(ledger: &Ledger) -> LedgerHead {
    LedgerHead {
        size: ledger.size(),
        root: ledger.root(),
        note: ledger.checkpoint(),
    }
}
