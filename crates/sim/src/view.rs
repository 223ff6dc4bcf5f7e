//! One honest server machine: the protocol's server states behind one dispatcher, as a shell would drive them.

use std::sync::Arc;

use tacita_ledger::entry::{Entry, Outcome, Release};
use tacita_privacy::{DecodedMean, Published};
use tacita_protocol::ledger_entries::{self, NoisyFigures, hex_digest};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, OutcomeMessage, ServerMessage};
use tacita_protocol::roster::Roster;
use tacita_protocol::server::{
    Agreeing, Collecting, CommittedCharge, Gathering, Revealing, Sharing, UnmaskedSum, certificate_bundles,
};
use tacita_protocol::spool::{MemoryStash, Spool, Stash};
use tacita_protocol::{Abort, Refusal, RoundError};

use crate::cast::{Cast, NOW};
use crate::error::SimError;
use crate::ledger::Ledger;
use crate::report::Sum;
use crate::stage::Stage;

/// Where a view stands.
enum Phase {
    Gathering(Gathering),
    Sharing(Sharing),
    Collecting(Box<Collecting>),
    Agreeing(Box<Agreeing>),
    Revealing(Box<Revealing>),
    Finished(Box<UnmaskedSum>),
    Over(RoundError),
}

/// What a ledger desk that is not to be trusted makes of the committed charge that it was to bring back.
pub type Desk = Arc<dyn Fn(&View, &mut CommittedCharge) + Send + Sync>;

/// An honest server machine in one round.
pub struct View {
    manifest: Arc<CheckedManifest>,
    phase: Phase,
    roster: Option<Arc<Roster>>,
    ledger: Ledger,
    reserved: u64,
    charged: Option<u64>,
    suspects: Vec<(u16, u16)>,
    outcome: Option<OutcomeMessage>,
    disk: Box<dyn Spool>,
    desk: Option<Desk>,
    /// Until the roster is fixed.
    stash: Option<Box<dyn Stash>>,
}

impl View {
    /// Opens a round: the manifest is reserved in this view's ledger. Uploads in flight go to the spool, dealings
    /// to the stash.
    ///
    /// # Errors
    /// [`SimError`] if the ledger refuses the reserve.
    pub fn open(
        manifest: Arc<CheckedManifest>,
        mut ledger: Ledger,
        (disk, stash): (Box<dyn Spool>, Box<dyn Stash>),
    ) -> Result<Self, SimError> {
        let reserved = ledger.append(&ledger_entries::reserve(&manifest, NOW))?;
        let phase = Phase::Gathering(Gathering::open(manifest.clone()));
        Ok(Self {
            manifest,
            phase,
            roster: None,
            ledger,
            reserved,
            charged: None,
            suspects: Vec::new(),
            outcome: None,
            disk,
            desk: None,
            stash: Some(stash),
        })
    }

    /// Puts the ledger desk in other hands.
    pub fn replace_desk(&mut self, desk: Desk) {
        self.desk = Some(desk);
    }

    /// The exact sum, once the round is finished.
    pub fn unmasked(&self) -> Option<&UnmaskedSum> {
        match &self.phase {
            Phase::Finished(sum) => Some(sum),
            _ => None,
        }
    }

    /// The manifest of the round.
    pub fn manifest(&self) -> &Arc<CheckedManifest> {
        &self.manifest
    }

    /// The roster, once fixed.
    pub fn roster(&self) -> Option<&Arc<Roster>> {
        self.roster.as_ref()
    }

    /// This view's ledger, its own entries of this round included.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Ledger index of the reserve entry.
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Ledger index of the charge entry, once committed.
    pub fn charged(&self) -> Option<u64> {
        self.charged
    }

    /// Pairs (dealer, holder) of roster indices whose box did not open.
    pub fn suspects(&self) -> &[(u16, u16)] {
        &self.suspects
    }

    /// Holders that revealed a share other than the committed one, while revealing.
    pub fn blamed(&self) -> &[Refusal] {
        match &self.phase {
            Phase::Revealing(revealing) => revealing.blamed(),
            _ => &[],
        }
    }

    /// The statement digest, while agreeing.
    pub fn statement(&self) -> Option<[u8; 32]> {
        match &self.phase {
            Phase::Agreeing(agreeing) => Some(*agreeing.statement()),
            _ => None,
        }
    }

    /// Why the round is over here, if it ended without a sum.
    pub fn abort(&self) -> Option<&RoundError> {
        match &self.phase {
            Phase::Over(error) => Some(error),
            _ => None,
        }
    }

    /// The roster index of a member of the cast.
    pub fn index_of(&self, cast: &Cast, member: usize) -> Option<u16> {
        let identity = cast.member(member).ok()?.certificate.identity.0;
        self.roster.as_ref()?.index_of(&identity)
    }

    /// The member of the cast at a roster index.
    pub fn member_at(&self, cast: &Cast, index: u16) -> Option<usize> {
        cast.number_of(&self.roster.as_ref()?.member(index)?.certificate.identity.0)
    }

    /// What this view says to a member in a stage; nothing if it has nothing for it.
    ///
    /// # Errors
    /// [`SimError::Misuse`] never for members of the roster.
    pub fn messages(&self, stage: Stage, cast: &Cast, member: usize) -> Result<Vec<ServerMessage>, SimError> {
        let Some(index) = self.index_of(cast, member) else {
            return Ok(Vec::new());
        };
        Ok(match (stage, &self.phase) {
            (Stage::Roster, Phase::Sharing(sharing)) => {
                let mut out = self.certificates(sharing.roster().neighbours(index));
                out.push(ServerMessage::Roster(sharing.roster_message(index)?));
                out
            }
            (Stage::Sharers, Phase::Collecting(collecting)) if collecting.sharers().contains(index) => {
                vec![ServerMessage::Sharers(collecting.sharers_message(index)?)]
            }
            (Stage::Agree, Phase::Agreeing(agreeing)) if agreeing.survivors().contains(index) => {
                vec![ServerMessage::Agree(agreeing.request())]
            }
            (Stage::Reveal, Phase::Revealing(revealing)) if revealing.has_signed(index) => {
                let mut out = self.certificates(revealing.signers_shown_to(index));
                out.push(revealing.message(index));
                out
            }
            (Stage::Outcome, _) => self.outcome.iter().cloned().map(ServerMessage::Outcome).collect(),
            _ => Vec::new(),
        })
    }

    /// The attempt is over.
    pub fn give_up(&mut self, error: RoundError) {
        self.phase = Phase::Over(error);
    }

    fn certificates(&self, indices: impl IntoIterator<Item = u16>) -> Vec<ServerMessage> {
        let Some(roster) = &self.roster else {
            return Vec::new();
        };
        let ders: Vec<Arc<Vec<u8>>> = indices
            .into_iter()
            .filter_map(|i| roster.member(i).map(|m| m.der.clone()))
            .collect();
        certificate_bundles(ders.iter().map(|der| der.as_slice()))
    }

    /// Takes what a member said over its authenticated connection.
    ///
    /// # Errors
    /// The refusal; nothing has changed then.
    pub fn receive(&mut self, cast: &Cast, member: usize, message: ClientMessage) -> Result<(), RoundError> {
        let name = message.name();
        if let (Phase::Gathering(gathering), ClientMessage::Advertise(advertise)) =
            (&mut self.phase, &message)
        {
            let member = cast.member(member).map_err(|_| Refusal::NotAMember)?;
            return Ok(gathering.handle_advertise(member.member(), advertise.clone())?);
        }
        let index = match self.index_of(cast, member) {
            Some(index) => index,
            // Before the roster nobody has an index, and only an advertisement is expected.
            None if self.roster.is_none() => return Err(Refusal::Unexpected(name).into()),
            None => return Err(Refusal::NotAMember.into()),
        };
        match (&mut self.phase, message) {
            (Phase::Sharing(sharing), ClientMessage::Shares(shares)) => {
                sharing.handle_shares(index, &shares)?
            }
            (Phase::Collecting(collecting), ClientMessage::Chunk(chunk)) => {
                collecting.handle_chunk(index, &chunk, &mut self.disk)?;
            }
            (Phase::Collecting(collecting), ClientMessage::UploadEnd(end)) => {
                collecting.handle_end(index, &end, &mut self.disk)?;
            }
            (Phase::Agreeing(agreeing), ClientMessage::Agreement(agreement)) => {
                agreeing.handle_agreement(index, &agreement)?;
            }
            (Phase::Revealing(revealing), ClientMessage::Draws(draws)) => {
                revealing.handle_draws(index, &draws)?;
            }
            (Phase::Revealing(revealing), ClientMessage::Reveal(reveal)) => {
                revealing.handle_reveal(index, &reveal)?;
            }
            _ => return Err(Refusal::Unexpected(name).into()),
        }
        Ok(())
    }

    /// Closes a stage: everybody answered or is gone.
    ///
    /// # Errors
    /// [`SimError`] if the ledger refuses what the protocol asks it to write.
    pub fn close(&mut self, stage: Stage, cast: &Cast) -> Result<(), SimError> {
        let over = Phase::Over(Abort::Stopped.into());
        let phase = std::mem::replace(&mut self.phase, over);
        self.phase = match (stage, phase) {
            (Stage::Invite, Phase::Gathering(gathering)) => next(
                gathering
                    .close(
                        self.stash
                            .take()
                            .unwrap_or_else(|| Box::new(MemoryStash::default())),
                    )
                    .inspect(|sharing| self.roster = Some(sharing.roster().clone())),
                Phase::Sharing,
            ),
            (Stage::Roster, Phase::Sharing(sharing)) => {
                next(sharing.close(), |c| Phase::Collecting(Box::new(c)))
            }
            (Stage::Sharers, Phase::Collecting(collecting)) => {
                let agreeing = collecting.close();
                self.suspects = agreeing
                    .as_ref()
                    .map(|a| a.suspects().to_vec())
                    .unwrap_or_default();
                next(agreeing, |a| Phase::Agreeing(Box::new(a)))
            }
            (Stage::Agree, Phase::Agreeing(agreeing)) => match agreeing.charge(NOW) {
                Err(abort) => Phase::Over(abort.into()),
                Ok(charge) => {
                    let committed = self.commit(&charge)?;
                    next(agreeing.commit(committed, cast.log_verifier()), |r| {
                        Phase::Revealing(Box::new(r))
                    })
                }
            },
            (Stage::Reveal, Phase::Revealing(revealing)) => {
                next(revealing.close(), |sum| Phase::Finished(Box::new(sum)))
            }
            (_, phase) => phase,
        };
        if stage == Stage::Reveal {
            self.publish_outcome()?;
        }
        Ok(())
    }

    fn commit(&mut self, charge: &Entry) -> Result<CommittedCharge, SimError> {
        let index = self.ledger.append(charge)?;
        self.charged = Some(index);
        let mut committed = CommittedCharge {
            checkpoint: self.ledger.checkpoint(),
            consistency: self.ledger.consistency(self.manifest.fields().ledger_size)?,
            manifest: self.ledger.proven(self.reserved)?,
            charge: self.ledger.proven(index)?,
        };
        if let Some(desk) = &self.desk {
            desk(self, &mut committed);
        }
        Ok(committed)
    }

    /// The outcome of a finished round, or the release of one that was never charged.
    /// What the round says besides its mean.
    fn figures(&self, sum: &UnmaskedSum) -> Result<NoisyFigures, SimError> {
        let Some(terms) = self.manifest.terms() else {
            return Ok(NoisyFigures::default());
        };
        let survivors = u32::from(sum.survivors().count());
        let variance = sum.noise_variance_q16();
        Published::from_sum(sum.vector(), self.manifest.encoding(), terms, survivors, variance)
            .map(|published| NoisyFigures::of(&published))
            .map_err(|e| SimError::Setting(e.to_string()))
    }

    fn publish_outcome(&mut self) -> Result<(), SimError> {
        let fields = self.manifest.fields();
        let (round, round_id) = (u64::from(fields.round), hex_digest(&fields.round_id));
        match &self.phase {
            Phase::Finished(sum) => {
                let figures = self.figures(sum)?;
                let outcome = Entry::Outcome(Outcome {
                    round_id,
                    round,
                    time: NOW,
                    survivor_count: u64::from(sum.survivors().count()),
                    responders: u64::from(sum.responders()),
                    noise_variance_q16: sum.noise_variance_q16().to_string(),
                    sum_digest: hex_digest(&sum.digest()),
                    model_digest: hex_digest(&fields.model_digest),
                    accuracy: None,
                    loss: None,
                    federated_accuracy: figures.accuracy,
                    federated_loss: figures.loss,
                    federated_error: figures.error,
                    within_clip: figures.within_clip,
                    epsilon_server: None,
                    epsilon_public: None,
                });
                // The head that every member which revealed has verified.
                let seen = self.ledger.size();
                let index = self.ledger.append(&outcome)?;
                self.outcome = Some(OutcomeMessage {
                    checkpoint: self.ledger.checkpoint().into(),
                    consistency: self.ledger.consistency(seen)?,
                    outcome: self.ledger.proven(index)?,
                });
            }
            Phase::Over(error) if self.charged.is_none() => {
                let reason = tacita_ledger::entry::printable_reason(&error.to_string());
                self.ledger.append(&Entry::Release(Release {
                    round_id,
                    round,
                    time: NOW,
                    reason,
                }))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The sum, if the round finished here.
    ///
    /// # Errors
    /// Why it did not.
    pub fn sum(&self, cast: &Cast) -> Result<Sum, RoundError> {
        match &self.phase {
            Phase::Finished(unmasked) => Ok(Sum {
                values: unmasked.vector().to_signed(),
                survivors: unmasked
                    .survivors()
                    .indices()
                    .filter_map(|i| self.member_at(cast, i))
                    .collect(),
                responders: usize::from(unmasked.responders()),
                cosignatures: unmasked.cosignatures().len(),
                blamed: unmasked.blamed().to_vec(),
                mean: DecodedMean::from_sum(
                    unmasked.vector(),
                    self.manifest.encoding(),
                    &self.manifest.noise(),
                    u32::from(unmasked.survivors().count()),
                    self.manifest.terms(),
                )
                .ok()
                .map(DecodedMean::into_values),
            }),
            Phase::Over(error) => Err(error.clone()),
            _ => Err(Abort::Stopped.into()),
        }
    }
}

fn next<S>(step: Result<S, RoundError>, wrap: impl FnOnce(S) -> Phase) -> Phase {
    match step {
        Ok(state) => wrap(state),
        Err(error) => Phase::Over(error),
    }
}
