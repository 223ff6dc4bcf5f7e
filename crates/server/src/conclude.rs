//! Steps 8 and 9 as the shell walks them: the charge is committed, so whatever happens now, it stands.

use std::sync::Arc;
use std::time::Instant;

use tacita_learn::{Evaluation, GlobalModel};
use tacita_ledger::entry::{Entry, Outcome};
use tacita_privacy::{Contribution, DecodedMean, Published};
use tacita_protocol::ledger_entries::{NoisyFigures, hex_digest};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, OutcomeMessage, ServerMessage};
use tacita_protocol::roster::Roster;
use tacita_protocol::server::{Revealing, UnmaskedSum};
use tacita_protocol::{Abort, Refusal, RoundError};
use tokio::task::block_in_place;

use crate::attempt::{Attempt, Failed};
use crate::floor::Progress;
use crate::lobby::Session;
use crate::phases::{Called, called, identities, ms, name_of, send};
use crate::server::{RoundReport, Server, ServerError, ServerEvent};

impl Server {
    /// Steps 8 and 9. The charge is committed: whatever happens now, it stands.
    pub(crate) async fn after_charge(
        &mut self,
        mut attempt: Attempt<'_>,
        mut revealing: Revealing,
        cohort: &[Arc<Session>],
    ) -> Result<(RoundReport, GlobalModel), Failed> {
        let since = Instant::now();
        let roster = revealing.roster().clone();
        let signers: Vec<u16> = revealing.signers().collect();
        match revealing.list_message() {
            // The same for everybody, and small.
            Some(list) => self.tell_all(&roster, &signers, &list)?,
            None => self.ask(&roster, &signers),
        }
        let limit = ms(attempt.manifest.fields().deadlines.reveal_ms);
        let expected = identities(&roster, signers.iter().copied());
        self.floor
            .phase(limit, expected, |call| {
                let (index, message) = match called(&roster, call)? {
                    Called::Said(index, message) => (index, *message),
                    Called::Back(session, index) => {
                        if index.is_some() {
                            session.ask();
                        }
                        return Ok(Progress::More);
                    }
                    Called::Turn(session, index, turn) => {
                        let shown: Vec<u16> = revealing.signers_shown_to(index).collect();
                        send(session, &roster, &shown, &revealing.message(index), &turn)?;
                        return Ok(Progress::More);
                    }
                    Called::Away(..) => return Ok(Progress::More),
                };
                match message {
                    ClientMessage::Draws(draws) => {
                        revealing.handle_draws(index, &draws)?;
                        Ok(Progress::Reply)
                    }
                    ClientMessage::Reveal(reveal) => {
                        let before = revealing.blamed().len();
                        revealing.handle_reveal(index, &reveal)?;
                        let blames = revealing.blamed().get(before..).unwrap_or_default();
                        name_liar(&roster, index, blames);
                        Ok(Progress::Done)
                    }
                    other => Err(Refusal::Unexpected(other.name()).into()),
                }
            })
            .await?;
        attempt.mark("reveal", since);
        let since = Instant::now();
        let charged = self.desk.head().map_err(ServerError::from)?.clone();
        let finished = block_in_place(|| revealing.close())
            .map_err(|e| e.to_string())
            .and_then(|sum| {
                let next = block_in_place(|| self.apply(&attempt.manifest, &sum, attempt.papers.model()))?;
                Ok((sum, next))
            });
        let (sum, next) = match finished {
            Ok(done) => done,
            Err(reason) => {
                self.tell(cohort, &ServerMessage::abort(&reason));
                return Err(Failed::Attempt(reason));
            }
        };
        match charged.with_cosignatures(sum.cosignatures()) {
            Ok(note) => {
                let note = note.to_bytes();
                self.desk.publish_cosigned(&note).map_err(ServerError::from)?;
                self.state
                    .keep_cosignatures(&attempt.manifest.fields().round_id, note)
                    .map_err(ServerError::from)?;
            }
            // The sum stands without them; auditors see that nobody witnessed it.
            Err(error) => tracing::warn!(%error, "the members' cosignatures make no note"),
        }
        let evaluation = self.evaluate(&next)?;
        attempt.mark("unmask", since);
        let report = self.conclude(
            &mut attempt,
            &sum,
            &next,
            evaluation,
            &roster,
            charged.checkpoint().size,
        )?;
        Ok((report, next))
    }

    /// Decodes the mean and applies it.
    fn apply(
        &self,
        manifest: &CheckedManifest,
        sum: &UnmaskedSum,
        model: &GlobalModel,
    ) -> Result<GlobalModel, String> {
        let survivors = u32::from(sum.survivors().count());
        let mean = match manifest.contribution() {
            Contribution::Client(headroom) => DecodedMean::from_sum(
                sum.vector(),
                headroom.encoding(),
                &headroom.noise_share(),
                survivors,
                manifest.terms(),
            ),
            Contribution::Record(headroom) => DecodedMean::from_records(sum.vector(), headroom, survivors),
        }
        .map_err(|e| format!("{}: {e}", Abort::Implausible))?;
        let rate = self.config.training.server_learning_rate.to_f64() as f32;
        model.apply(mean.values(), rate).map_err(|e| e.to_string())
    }

    /// Step 9: the outcome in the ledger, and to everybody who is still there.
    fn conclude(
        &mut self,
        attempt: &mut Attempt<'_>,
        sum: &UnmaskedSum,
        next: &GlobalModel,
        evaluation: Option<Evaluation>,
        roster: &Arc<Roster>,
        charged_size: u64,
    ) -> Result<RoundReport, Failed> {
        let since = Instant::now();
        let manifest = attempt.manifest.clone();
        let fields = manifest.fields();
        let epsilon_server = self.account.epsilon_server();
        let epsilon_public = self.account.epsilon_public();
        let (accuracy, loss) = match &evaluation {
            None => (None, None),
            Some(e) => (e.score(), Some(e.loss())),
        };
        let figures = figures(&manifest, sum)?;
        let decimal = |value: f64| format!("{:.6}", value.max(0.0));
        let survivors = sum.survivors().count();
        let digest = self.state.save_model(next).map_err(ServerError::from)?;
        let entry = Entry::Outcome(Outcome {
            round_id: hex_digest(&fields.round_id),
            round: u64::from(fields.round),
            time: self.ledger_time(),
            survivor_count: u64::from(survivors),
            responders: u64::from(sum.responders()),
            noise_variance_q16: sum.noise_variance_q16().to_string(),
            sum_digest: hex::encode(sum.digest()),
            model_digest: digest.clone(),
            accuracy: accuracy.map(decimal).map(|t| canonical(&t)),
            loss: loss.map(decimal).map(|t| canonical(&t)),
            federated_accuracy: figures.accuracy.clone(),
            federated_loss: figures.loss.clone(),
            federated_error: figures.error.clone(),
            within_clip: figures.within_clip.clone(),
            epsilon_server: epsilon_server.map(|e| e.to_string()),
            epsilon_public: epsilon_public.map(|e| e.to_string()),
        });
        let index = self.append(&entry)?;
        let message = ServerMessage::Outcome(OutcomeMessage {
            checkpoint: self.desk.head().map_err(ServerError::from)?.to_bytes().into(),
            consistency: self.desk.consistency(charged_size).map_err(ServerError::from)?,
            outcome: self.desk.proven(index, &entry).map_err(ServerError::from)?,
        });
        let answered: Vec<u16> = sum.answered().indices().collect();
        self.tell_all(roster, &answered, &message)?;
        let frame = Arc::new(message.encode().map_err(RoundError::from)?);
        self.floor
            .end(Some((identities(roster, answered.iter().copied()), frame)));
        attempt.mark("outcome", since);

        let names = sum
            .survivors()
            .indices()
            .filter_map(|i| roster.member(i).map(|m| m.certificate.name.to_string()))
            .collect();
        let report = RoundReport {
            round: fields.round,
            round_id: fields.round_id,
            cohort: roster.size(),
            survivors,
            survivor_names: names,
            noise: (sum.surplus_removed(), sum.noise_variance_q16()),
            accuracy,
            loss,
            figures: (
                figures,
                manifest
                    .terms()
                    .map_or(manifest.clip(), |terms| terms.update_clip()),
            ),
            epsilon_server,
            epsilon_public,
            seconds: attempt.started.elapsed().as_secs_f64(),
            phases: std::mem::take(&mut attempt.phases),
            upload_bytes: attempt.received.values().copied().max().unwrap_or(0),
            model_digest: digest,
        };
        self.tell_observer(ServerEvent::RoundDone {
            report: &report,
            sum: sum.vector(),
        });
        Ok(report)
    }
}

/// Names the member whose answer was wrong (TAC-064, TAC-073), at once: whatever the round comes to, the log has it. One line for
/// each rule: an answer can be wrong about every dealer.
fn name_liar(roster: &Roster, index: u16, blames: &[Refusal]) {
    let rule = std::mem::discriminant::<Refusal>;
    for same in blames.chunk_by(|a, b| rule(a) == rule(b)) {
        let Some(error) = same.first() else { continue };
        let dealer = match error {
            Refusal::ShareCommitment { dealer, .. } => Some(name_of(roster, *dealer)),
            _ => None,
        };
        let (client, dealer) = (name_of(roster, index), dealer.map(tracing::field::display));
        tracing::warn!(%client, dealer, times = same.len(), %error, "left out of the answer; its sender is to blame");
    }
}

/// What the sum says besides the mean: from noised coordinates only.
fn figures(manifest: &CheckedManifest, sum: &UnmaskedSum) -> Result<NoisyFigures, Failed> {
    let Some(terms) = manifest.terms() else {
        return Ok(NoisyFigures::default());
    };
    let survivors = u32::from(sum.survivors().count());
    let variance = sum.noise_variance_q16();
    Published::from_sum(sum.vector(), manifest.encoding(), terms, survivors, variance)
        .map(|published| NoisyFigures::of(&published))
        .map_err(|e| Failed::Attempt(e.to_string()))
}

/// The ledger's canonical decimal text of a plain one.
fn canonical(text: &str) -> String {
    text.parse::<tacita_privacy::Decimal>()
        .map_or_else(|_| "0".to_owned(), |d| d.to_string())
}
