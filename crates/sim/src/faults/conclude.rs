//! How an attempt ends: with a sum, a model and an outcome, or without a result.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};
use tacita_ledger::entry::{Entry, Outcome, Release, printable_reason};
use tacita_protocol::Refusal;
use tacita_protocol::ledger_entries::hex_digest;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{OutcomeMessage, ServerMessage};

use super::desk::TaskState;
use super::hub::{Doing, Halt, Hub};
use super::machines::{Finished, HubMachine, hex};
use super::mutant::Mutant;
use super::stagehand::Stagehand;
use super::watch::Came;

impl Hub {
    /// Step 9.
    pub(super) fn finish(&mut self, machine: HubMachine, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let mut seedless = BTreeSet::new();
        for blame in machine.blamed() {
            let Some(attempt) = self.attempt() else {
                return Ok(());
            };
            let (Refusal::ShareCommitment { holder, .. } | Refusal::NoiseSeed(holder)) = blame else {
                continue;
            };
            let member = attempt.roster.as_ref().and_then(|roster| roster.member(*holder));
            let member = member.and_then(|member| stage.cast.number_of(&member.certificate.identity.0));
            if let Some(member) = member {
                stage.watch.blamed(member, blame);
                seedless.extend(matches!(blame, Refusal::NoiseSeed(_)).then_some(member));
            }
        }
        let Some(attempt) = self.attempt() else {
            return Ok(());
        };
        let (manifest, roster) = (attempt.manifest.clone(), attempt.roster.clone());
        let mut sum = match machine.finish(&manifest) {
            Ok(sum) => sum,
            Err(error) => return Err(self.aborts(&error, stage)),
        };
        let number_of = |index: &u16| {
            let member = roster.as_ref()?.member(*index)?;
            stage.cast.number_of(&member.certificate.identity.0)
        };
        let survivors: Vec<usize> = sum.survivors.iter().filter_map(number_of).collect();
        let answered: Vec<usize> = sum.answered.iter().filter_map(number_of).collect();
        let mut values = sum.values.clone();
        if self.mutant == Mutant::AddsOne {
            values.iter_mut().take(1).for_each(|value| *value += 1);
        }
        let came = Came {
            survivors: &survivors,
            answered: &answered,
            seedless: &seedless,
            values: &values,
            noise_variance_q16: sum.noise_variance_q16,
        };
        stage.watch.sum(manifest.digest(), &came);
        if let (Mutant::StatesLess, Some(levels)) = (self.mutant, manifest.noise().levels()) {
            sum.noise_variance_q16 = u128::from(levels.base_variance_q16()) * survivors.len() as u128;
        }
        self.conclude(&manifest, &sum, &answered, stage)
    }

    /// The new model is durable before the outcome that names it, the outcome before it is told.
    fn conclude(
        &mut self,
        manifest: &CheckedManifest,
        sum: &Finished,
        answered: &[usize],
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let (now, mutant) = (stage.unix(), self.mutant);
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Doing::Playing(attempt) = &process.doing else {
            return Ok(());
        };
        let charged = attempt.charged.unwrap_or(0);
        let model: Vec<u8> = Sha256::new()
            .chain_update(&process.model)
            .chain_update(sum.digest)
            .finalize()
            .to_vec();
        let digest = hex(&Sha256::digest(&model));
        if mutant != Mutant::PublishesFirst {
            process.desk.save_model(&digest, &model)?;
        }
        let fields = manifest.fields();
        let entry = Entry::Outcome(Outcome {
            round_id: hex_digest(&fields.round_id),
            round: u64::from(fields.round),
            time: process.desk.time(now),
            survivor_count: sum.survivors.len() as u64,
            responders: sum.answered.len() as u64,
            noise_variance_q16: sum.noise_variance_q16.to_string(),
            sum_digest: hex(&sum.digest),
            model_digest: digest.clone(),
            accuracy: None,
            loss: None,
            federated_accuracy: None,
            federated_loss: None,
            federated_error: None,
            within_clip: None,
            epsilon_server: None,
            epsilon_public: None,
        });
        let index = process.desk.append(&entry)?;
        let message = ServerMessage::Outcome(OutcomeMessage {
            checkpoint: process.desk.head()?.to_bytes().into(),
            consistency: process.desk.consistency(charged)?,
            outcome: process.desk.proven(index)?,
        });
        for member in answered {
            self.tell(*member, message.clone(), &[], stage)?;
        }
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        if mutant == Mutant::PublishesFirst {
            process.desk.save_model(&digest, &model)?;
        }
        process.task = TaskState {
            completed: fields.round,
            model: digest,
        };
        process.model = model;
        process.desk.remember(Some(&process.task))?;
        self.done += 1;
        let round = fields.round;
        stage.note(|| format!("server completes round {round}"));
        self.after_attempt(true, stage)
    }

    /// An attempt without a result: members are told, and what was not charged is released.
    pub(super) fn end_attempt(&mut self, reason: &str, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let now = stage.unix();
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Doing::Playing(attempt) = &mut process.doing else {
            return Ok(());
        };
        let charged = attempt.charged.is_some();
        process.desk.settle(attempt.ticket.take(), charged);
        let manifest = attempt.manifest.clone();
        let cohort = attempt.cohort.clone();
        // Members that left the round are told as well: it is over for everybody.
        let gone = std::mem::take(&mut process.gone);
        for member in cohort {
            self.tell(member, ServerMessage::abort(reason), &[], stage)?;
        }
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        process.gone = gone;
        if !charged {
            let fields = manifest.fields();
            let entry = Entry::Release(Release {
                round_id: hex_digest(&fields.round_id),
                round: u64::from(fields.round),
                time: process.desk.time(now),
                reason: printable_reason(reason),
            });
            process.desk.append(&entry)?;
        }
        self.after_attempt(false, stage)
    }
}
