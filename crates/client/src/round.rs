//! One round, as the shell walks it: the protocol's states in order, effects carried out between them. Which connection
//! carries it is the business of `line.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tacita_learn::GlobalModel;
use tacita_privacy::{BudgetTicket, NoisedUpdate};
use tacita_protocol::client::{Answer, Effect, Invited, Mark, Participant, RecordChange, Refused, Upload};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{AbortMessage, ClientMessage, Invitation, ServerMessage};
use tacita_protocol::{Refusal, RoundError};

use crate::evidence::Evidence;
use crate::line::Line;
use crate::link::{Link, LinkError};
use crate::record::{Papers, RecordError, Revealed, Terms};
use crate::{Client, Moment, cpu, now, random};

/// Largest model taken from a server, in bytes: every parameter of the largest dimension, and a header.
const MAX_MODEL: u64 = 4 * tacita_protocol::limits::MAX_DIMENSION as u64 + (1 << 16);
/// Slack beyond a phase's deadline before the client gives up on the server.
const SLACK: Duration = Duration::from_secs(30);

/// How a round ended for this client.
#[derive(Debug)]
pub enum RoundEnd {
    /// The outcome was verified in the ledger.
    Done,
    /// The server aborted, with its reason.
    Aborted(String),
    /// The client vanished on purpose (demonstrations and tests only).
    Vanished(Moment),
}

/// Why a round ended early on this side.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The client refused: a rule was broken, or its policy or budget forbids the round.
    #[error("{0}")]
    Refused(Refusal),
    /// The client refused, and holds proof that the server lied.
    #[error("{refusal}; the evidence is kept in {}", file.display())]
    Evidence {
        /// Why it refused.
        refusal: RoundError,
        /// Where the evidence lies.
        file: PathBuf,
    },
    /// The state machine failed on our side.
    #[error("{0}")]
    Round(RoundError),
    /// The durable record failed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Local training failed.
    #[error("training: {0}")]
    Training(String),
    /// The server was silent beyond the deadline of its own manifest.
    #[error("the server did not answer within the deadline of its manifest")]
    Deadline,
    /// The process is out of worker threads.
    #[error("a worker thread failed")]
    Worker,
}

impl ClientError {
    /// What the server may be told: the number of the rule, and nothing that depends on data or budget (G1).
    fn outward(&self) -> String {
        match self {
            Self::Evidence {
                refusal: RoundError::Refusal(refusal),
                ..
            }
            | Self::Refused(refusal) => refusal.to_string().chars().take_while(|c| *c != ':').collect(),
            _ => "this client cannot go on".to_owned(),
        }
    }
}

impl Client {
    /// Plays one round. Whatever ends it on this side is told to the server as `leave`, so that it need not wait.
    pub(crate) async fn play(
        &mut self,
        link: &mut Link,
        participant: &Arc<Participant>,
        mark: Mark,
        invitation: Invitation,
    ) -> Result<RoundEnd, ClientError> {
        let attempt = invitation.manifest.round_id;
        let mut line = Line::new(link, participant.clone(), attempt);
        let end = self.walk(&mut line, mark, invitation).await;
        if let Err(error) = &end
            && !matches!(error, ClientError::Link(_))
        {
            let reason = AbortMessage {
                reason: error.outward().into_bytes().into(),
            };
            line.leave(&ClientMessage::Leave(reason)).await;
        }
        end
    }

    async fn walk(
        &mut self,
        line: &mut Line<'_>,
        mark: Mark,
        invitation: Invitation,
    ) -> Result<RoundEnd, ClientError> {
        let model_length = invitation.model_length;
        let participant = line.participant().clone();
        let papers = Papers {
            certificates: self.certificates.clone(),
            manifest_signature: invitation.signature,
        };
        let accepted = Invited::accept(invitation, participant, &mut self.record, now());
        let (invited, ticket, mut effects) = self.refused(accepted).await?;
        let manifest = invited.manifest().clone();
        let round = manifest.fields().round;
        tracing::info!(round, task = manifest.task(), "consented to round");

        let deadlines = manifest.fields().deadlines;
        let within = |ms: u32| Duration::from_millis(u64::from(ms)) + SLACK;
        // Messages of a member's own are made in turns while the phase that they open runs already.
        let or_in_turn = |closing: u32, opened: u32| within(closing.saturating_add(opened));
        let advertised = async {
            let step = cpu::run(move || invited.advertise(&mut random()))
                .await
                .ok_or(ClientError::Worker)?;
            let (advertised, more) = self.refused(step).await?;
            effects.extend(more);
            self.answer(line, mark, effects).await?;

            // A thousand members may take the model at once, and it is needed no sooner than the roster.
            let patience = or_in_turn(deadlines.advertise_ms, deadlines.share_ms);
            let model = match self.receive_model(line, model_length, patience).await? {
                Ok(model) => model,
                Err(end) => return Ok(Err(end)),
            };
            let digest = model.digest().map_err(|e| ClientError::Training(e.to_string()))?;
            // TAC-012, before anything is learnt from data with a model that nobody signed.
            if digest != manifest.fields().model_digest {
                return Err(ClientError::Refused(Refusal::ModelDigest));
            }
            if self.vanishes(round, Moment::AfterAdvertise) {
                return Ok(Err(RoundEnd::Vanished(Moment::AfterAdvertise)));
            }
            Ok(Ok((advertised, model, digest)))
        }
        .await;
        let (advertised, model, digest) = match advertised {
            Ok(Ok(advertised)) => advertised,
            ended => {
                self.record.give_back(manifest.task(), ticket);
                return ended.map(|end| end.err().unwrap_or(RoundEnd::Done));
            }
        };
        let training = tokio::spawn(self.train(model, manifest.clone(), ticket));

        let early = async {
            let (message, mark) = self
                .awaited(line, or_in_turn(deadlines.advertise_ms, deadlines.share_ms))
                .await?;
            let ServerMessage::Roster(roster) = message else {
                return unexpected(message);
            };
            let step = cpu::run(move || advertised.handle_roster(roster, now(), &mut random()))
                .await
                .ok_or(ClientError::Worker)?;
            let (shared, effects) = self.refused(step).await?;
            self.answer(line, mark, effects).await?;
            if self.vanishes(round, Moment::AfterShare) {
                return Ok(Err(RoundEnd::Vanished(Moment::AfterShare)));
            }
            let (message, mark) = self
                .awaited(line, or_in_turn(deadlines.share_ms, deadlines.upload_ms))
                .await?;
            let ServerMessage::Sharers(sharers) = message else {
                return unexpected(message);
            };
            Ok(Ok((shared, sharers, mark)))
        }
        .await;
        // The training task holds the reservation; wait for it whatever happened, to return or charge it.
        let trained = training.await.map_err(|_| ClientError::Worker)?;
        let (shared, sharers, mark, update, ticket) = match (early, trained) {
            (Ok(Ok((shared, sharers, mark))), Ok((update, ticket))) => {
                (shared, sharers, mark, update, ticket)
            }
            (early, trained) => {
                let (failure, ticket) = match trained {
                    Ok((_, ticket)) => (None, ticket),
                    Err((error, ticket)) => (Some(error), ticket),
                };
                self.record.give_back(manifest.task(), ticket);
                return match (early, failure) {
                    (Ok(Err(end)), _) => Ok(end),
                    (Err(error), _) | (_, Some(error)) => Err(error),
                    _ => Err(ClientError::Worker),
                };
            }
        };
        self.observe(&manifest, &update);
        let step = cpu::run(move || shared.handle_sharers(&sharers, update, &digest))
            .await
            .ok_or(ClientError::Worker)?;
        let (masked, effects) = match self.refused(step).await {
            Ok(step) => step,
            Err(error) => {
                self.record.give_back(manifest.task(), ticket);
                return Err(error);
            }
        };
        let terms = Terms::of(&manifest, line.participant(), &self.address.server.to_string());
        self.charge_and_upload(line, mark, effects, ticket, (terms, papers))
            .await?;
        if self.vanishes(round, Moment::AfterUpload) {
            return Ok(RoundEnd::Vanished(Moment::AfterUpload));
        }

        let (message, mark) = self.awaited(line, within(deadlines.upload_ms)).await?;
        let ServerMessage::Agree(request) = message else {
            return end_of(message);
        };
        let step = masked.handle_agree(&request, &self.record);
        let (agreed, effects) = self.refused(step).await?;
        self.answer(line, mark, effects).await?;
        if self.vanishes(round, Moment::AfterSign) {
            return Ok(RoundEnd::Vanished(Moment::AfterSign));
        }

        let (message, mark) = self
            .awaited(line, or_in_turn(deadlines.agree_ms, deadlines.reveal_ms))
            .await?;
        let survivors = agreed.survivors().clone();
        let (step, mark) = match message {
            ServerMessage::Reveal(request) => {
                let step = cpu::run(move || agreed.handle_reveal_request(&request, now()));
                (step.await, mark)
            }
            // Above 1,000 members a list of signers is fixed and drawn from first.
            ServerMessage::Signers(signers) => {
                let step = agreed.handle_signers(&signers, &self.record, &mut random());
                let (drawn, effects) = self.refused(step).await?;
                self.answer(line, mark, effects).await?;
                let (message, mark) = self.awaited(line, within(deadlines.reveal_ms)).await?;
                let ServerMessage::Sampled(request) = message else {
                    return end_of(message);
                };
                let step = cpu::run(move || drawn.handle_sampled_request(&request, now()));
                (step.await, mark)
            }
            message => return end_of(message),
        };
        let (revealed, effects) = self.refused(step.ok_or(ClientError::Worker)?).await?;
        for effect in &effects {
            if let Effect::Send(ClientMessage::Reveal(reveal)) = effect {
                let told = Revealed::of(reveal, |dealer| survivors.contains(dealer), now());
                self.record.reveals(manifest.fields().round_id, told);
            }
        }
        self.answer(line, mark, effects).await?;

        let (message, mark) = self.awaited(line, within(deadlines.reveal_ms)).await?;
        let ServerMessage::Outcome(outcome) = message else {
            return end_of(message);
        };
        let (done, effects) = self.refused(revealed.handle_outcome(&outcome)).await?;
        self.answer(line, mark, effects).await?;
        tracing::info!(round, survivors = done.outcome().survivor_count, "round done");
        Ok(RoundEnd::Done)
    }

    /// Carries effects out in order, then says the messages among them; a head about to be cosigned is durable before.
    async fn answer(
        &mut self,
        line: &mut Line<'_>,
        mark: Mark,
        effects: Vec<Effect>,
    ) -> Result<(), ClientError> {
        let mut messages = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(change) => self.record.apply(change).await?,
                Effect::Send(message) => {
                    if matches!(message, ClientMessage::Reveal(_)) {
                        self.record.flush_head().await?;
                    }
                    messages.push(message);
                }
                Effect::Upload { .. } => return Err(ClientError::Worker),
            }
        }
        line.say(mark, Answer::Messages(messages)).await
    }

    /// The first durable commit, then the upload.
    async fn charge_and_upload(
        &mut self,
        line: &mut Line<'_>,
        mark: Mark,
        effects: Vec<Effect>,
        ticket: BudgetTicket,
        under: (Terms, Papers),
    ) -> Result<(), ClientError> {
        let mut effects = effects.into_iter();
        let (Some(Effect::Persist(spent @ RecordChange::Spent { .. })), Some(Effect::Upload { update, end })) =
            (effects.next(), effects.next())
        else {
            return Err(ClientError::Worker);
        };
        let bytes = update.packed_len() as u64;
        self.record.spend(spent, ticket, under, bytes, now()).await?;
        line.say(mark, Answer::Upload(Box::new(Upload::new(update, end))))
            .await
    }

    /// Keeps evidence against the server, turns a refusal into an error.
    async fn refused<T>(&mut self, step: Result<T, Refused>) -> Result<T, ClientError> {
        match step {
            Ok(value) => Ok(value),
            Err(refused) => {
                let kept = match (&refused.evidence, &refused.statements) {
                    (Some(fork), _) => Some(Evidence::of_fork(fork)),
                    (None, Some(statements)) => Some(Evidence::of_statements(statements)),
                    (None, None) => None,
                };
                if let Some(evidence) = kept {
                    self.record.keep_evidence(&evidence).await?;
                    let file = evidence.write(&self.evidence).map_err(RecordError::Evidence)?;
                    let refusal = refused.error;
                    return Err(ClientError::Evidence { refusal, file });
                }
                Err(match refused.error {
                    RoundError::Refusal(refusal) => ClientError::Refused(refusal),
                    other => ClientError::Round(other),
                })
            }
        }
    }

    /// The next message within `limit`, and its mark.
    async fn awaited(
        &self,
        line: &mut Line<'_>,
        limit: Duration,
    ) -> Result<(ServerMessage, Mark), ClientError> {
        let message = line.next(&self.record, limit).await?;
        let mark = Mark::of(&message).map_err(LinkError::from)?;
        Ok((message, mark))
    }

    async fn receive_model(
        &self,
        line: &mut Line<'_>,
        length: u64,
        patience: Duration,
    ) -> Result<Result<GlobalModel, RoundEnd>, ClientError> {
        if length == 0 || length > MAX_MODEL {
            return Err(ClientError::Training(format!(
                "the server announces a model of {length} bytes"
            )));
        }
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            let message = line.next(&self.record, patience).await?;
            let ServerMessage::Model(part) = message else {
                return unexpected(message);
            };
            bytes.extend_from_slice(part.as_slice());
            line.model_received = bytes.len() as u64;
            if part.as_slice().is_empty() || bytes.len() as u64 > length {
                return Err(ClientError::Training("the model is longer than announced".into()));
            }
        }
        GlobalModel::from_bytes(&bytes)
            .map(Ok)
            .map_err(|e| ClientError::Training(e.to_string()))
    }

    fn vanishes(&self, round: u32, moment: Moment) -> bool {
        self.hooks
            .vanish
            .as_ref()
            .is_some_and(|plan| plan(&self.name, round) == Some(moment))
    }

    fn observe(&self, manifest: &CheckedManifest, update: &NoisedUpdate) {
        if let Some(probe) = &self.hooks.probe {
            probe(&self.name, &manifest.fields().round_id, update);
        }
    }
}

/// An abort ends the round; anything else breaks the rules.
fn end_of(message: ServerMessage) -> Result<RoundEnd, ClientError> {
    match message {
        ServerMessage::Abort(abort) => Ok(RoundEnd::Aborted(abort.text())),
        other => Err(ClientError::Refused(Refusal::Unexpected(other.name()))),
    }
}

fn unexpected<T>(message: ServerMessage) -> Result<Result<T, RoundEnd>, ClientError> {
    end_of(message).map(Err)
}
