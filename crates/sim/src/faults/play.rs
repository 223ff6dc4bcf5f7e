//! A member's part in one round: the states in order, what must be durable before what is sent, and the bytes that an
//! identical copy of a message gets again.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tacita_privacy::BudgetTicket;
use tacita_protocol::client::{RecordChange, Refused};
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, Invitation, ServerMessage};
use tacita_protocol::{Hash, Refusal, RoundError};

use super::chance::Chance;
use super::lapse::Lapse;
use super::machines::{self, Act, MemberMachine};
use super::member::{Halt, Member, PAUSES};
use super::mutant::Mutant;
use super::record::DiskRecord;
use super::stagehand::Stagehand;
use super::villains::{self, Standing};
use crate::forge;
use crate::secrets;

/// Slack beyond a phase's deadline before a member gives the server up, in milliseconds.
const SLACK: u64 = 1500;

/// A round in progress.
pub(super) struct Play {
    pub(super) machine: MemberMachine,
    pub(super) manifest: Arc<CheckedManifest>,
    /// The reservation, until it is charged or given back.
    pub(super) ticket: Option<BudgetTicket>,
    pub(super) model: Sha256,
    pub(super) missing: u64,
    /// Frames acted upon, with the answers: an identical copy gets identical bytes again.
    pub(super) answered: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Roster root and own index.
    pub(super) roster: Option<(Hash, u16)>,
    /// What some mutants keep of it.
    pub(super) lapse: Lapse,
    /// The mask secret, which the world knows because it can draw it again.
    mask: [u8; 32],
}

impl Member {
    pub(super) fn begin(
        &mut self,
        frame: Vec<u8>,
        invitation: Invitation,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let (now, missing) = (stage.unix(), invitation.model_length);
        if self.mutant == Mutant::RepeatsRandomness
            && let Some(process) = &mut self.process
        {
            process.rng = Chance::new(7).generator();
        }
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let rng = process.rng.clone();
        let accepted = MemberMachine::accept(
            invitation,
            process.participant.clone(),
            &mut process.record,
            now,
            &mut process.rng,
        );
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(refused) => return Err(self.refuse(refused)),
        };
        stage.watch.accepted(&accepted.manifest);
        let drawn = secrets::of_advertising(rng, accepted.manifest.key_agreement());
        let mask = drawn.first().map_or([0; 32], |(_, mask)| *mask);
        for (what, secret) in drawn {
            stage.watch.secret(what, &secret);
        }
        let manifest = *accepted.manifest.digest();
        let deadline = u64::from(accepted.manifest.fields().deadlines.advertise_ms);
        process.play = Some(Play {
            machine: accepted.machine,
            manifest: accepted.manifest,
            ticket: Some(accepted.ticket),
            model: Sha256::new(),
            missing,
            answered: Vec::new(),
            roster: None,
            lapse: Lapse::default(),
            mask,
        });
        let answers = self.carry_out(&manifest, accepted.acts, stage)?;
        if let Some(play) = self.process.as_mut().and_then(|process| process.play.as_mut()) {
            play.answered.push((frame, answers));
        }
        self.set_timer(deadline + SLACK, stage);
        Ok(())
    }

    pub(super) fn go_on(
        &mut self,
        frame: Vec<u8>,
        message: &ServerMessage,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let now = stage.unix();
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Some(mut play) = process.play.take() else {
            return Ok(());
        };
        let manifest = *play.manifest.digest();
        let mut update = None;
        if play.machine.wants_update(message)
            && let Some(ticket) = &mut play.ticket
        {
            let first = machines::secret_of_noise(&play.manifest, self.update.clone(), process.rng.clone());
            if let Some(first) = first {
                stage.watch.drew_layers(self.number, &manifest, first);
            }
            play.lapse.first_layer = first;
            match machines::prepare(&play.manifest, self.update.clone(), ticket, &mut process.rng) {
                Ok((noised, integers)) => {
                    play.lapse.encoded.clone_from(&integers);
                    stage.watch.encoded(self.number, &manifest, integers);
                    update = Some((noised, play.model.clone().finalize().into()));
                }
                Err(error) => {
                    process.play = None;
                    return Err(Halt::Leave(error, true));
                }
            }
        }
        let mut drawn = Vec::new();
        if let ServerMessage::Roster(roster) = message {
            let identities = forge::listed(roster, play.manifest.fields().cohort);
            let own = self.participant.certificate.identity.0;
            let index = identities.iter().position(|identity| own.starts_with(identity));
            let index = index.and_then(|index| u16::try_from(index).ok());
            play.roster = index.map(|index| (forge::roster_root(&identities, &roster.merkle_root), index));
            drawn = secrets::of_dealing(process.rng.clone(), &play.manifest, roster, &own, &play.mask);
        }
        let stepped = play
            .machine
            .step(message, update, &process.record, now, &mut process.rng);
        let (machine, acts) = match stepped {
            Ok(step) => step,
            Err(refused) => {
                if let Some(ticket) = play.ticket.take() {
                    process.record.give_back(play.manifest.task(), ticket);
                }
                return Err(self.refuse(refused));
            }
        };
        // Of a roster that it refused it drew nothing.
        for (what, secret) in drawn {
            stage.watch.secret(what, &secret);
        }
        stage.watch.took(self.number, &manifest, message);
        let done = matches!(machine, MemberMachine::Done);
        let deadlines = play.manifest.fields().deadlines;
        let wait = match &machine {
            MemberMachine::Shared(_) => deadlines.share_ms,
            MemberMachine::Masked(_) => deadlines.upload_ms,
            MemberMachine::Agreed(_) => deadlines.agree_ms,
            _ => deadlines.reveal_ms,
        };
        process.play = Some(Play { machine, ..play });
        let answers = self.carry_out(&manifest, acts, stage)?;
        if let Some(play) = self.process.as_mut().and_then(|process| process.play.as_mut()) {
            play.answered.push((frame, answers));
        }
        self.pause = PAUSES.0;
        if done {
            if let Some(process) = &mut self.process {
                process.play = None;
            }
            self.timer += 1;
            self.hello(stage)?;
        } else {
            self.set_timer(u64::from(wait) + SLACK, stage);
        }
        Ok(())
    }

    /// Keeps evidence of a fork, and says whether it comes back after this refusal.
    fn refuse(&mut self, refused: Refused) -> Halt {
        if let (Some(process), Some(evidence)) = (&mut self.process, refused.evidence)
            && process.record.apply(RecordChange::Fork(evidence)).is_err()
        {
            return Halt::Exit;
        }
        let comes_back = !matches!(
            refused.error,
            RoundError::Refusal(
                Refusal::LedgerFork | Refusal::Consent(_) | Refusal::Budget(_) | Refusal::Version(_)
            )
        );
        Halt::Leave(refused.error, comes_back)
    }

    /// Carries acts out in order; what was sent, for copies.
    fn carry_out(
        &mut self,
        manifest: &Hash,
        acts: Vec<Act>,
        stage: &mut Stagehand<'_>,
    ) -> Result<Vec<Vec<u8>>, Halt> {
        let mut sent = Vec::new();
        let mut late = None;
        for act in self.reorder(acts) {
            match act {
                Act::Persist(change) => self.record()?.apply(change)?,
                Act::Spend(change, mut packed) => {
                    if self.mutant == Mutant::StoresSecrets {
                        let play = self.process.as_ref().and_then(|process| process.play.as_ref());
                        packed.extend(play.iter().flat_map(|play| play.mask));
                    }
                    let ticket = self.ticket();
                    let spent = if self.mutant == Mutant::KeepsNoCharge {
                        Ok(())
                    } else if self.mutant == Mutant::GivesChargesBack {
                        self.record()?.give_back(crate::cast::TASK, ticket);
                        let free = BudgetTicket::without_any_privacy_promise();
                        self.record()?.spend(change, free, packed)
                    } else {
                        self.record()?.spend(change, ticket, packed)
                    };
                    spent?;
                }
                Act::Send(mut message) => {
                    self.lapse(&mut message);
                    if matches!(message, ClientMessage::Reveal(_)) {
                        if self.mutant == Mutant::CosignsFirst {
                            late = Some(());
                        } else {
                            self.record()?.flush_head()?;
                        }
                    }
                    self.send(manifest, &message, &mut sent, stage)?;
                }
            }
        }
        if late.is_some() {
            self.record()?.flush_head()?;
        }
        Ok(sent)
    }

    /// The order of the acts, which some mutants do not keep.
    fn reorder(&self, mut acts: Vec<Act>) -> Vec<Act> {
        let first = |act: &Act| match act {
            Act::Spend(..) => self.mutant == Mutant::UploadsFirst,
            Act::Persist(RecordChange::Signed { .. }) => self.mutant == Mutant::SignsFirst,
            Act::Persist(RecordChange::FixedSigners { .. }) => self.mutant == Mutant::DrawsFirst,
            _ => false,
        };
        if acts.first().is_some_and(first) {
            acts.rotate_left(1);
        }
        acts
    }

    fn record(&mut self) -> Result<&mut DiskRecord, Halt> {
        self.process
            .as_mut()
            .map(|process| &mut process.record)
            .ok_or(Halt::Exit)
    }

    fn ticket(&mut self) -> BudgetTicket {
        let play = self.process.as_mut().and_then(|process| process.play.as_mut());
        play.and_then(|play| play.ticket.take())
            .unwrap_or_else(BudgetTicket::without_any_privacy_promise)
    }

    fn send(
        &mut self,
        manifest: &Hash,
        message: &ClientMessage,
        sent: &mut Vec<Vec<u8>>,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        self.fuse.step()?;
        let Some(link) = self.link() else { return Ok(()) };
        let number = self.number;
        stage.note(|| format!("member {number} says {}", message.name()));
        let frames = match self.villain {
            None => vec![message.encode().unwrap_or_default()],
            Some(villain) => {
                let play = self.process.as_ref().and_then(|process| process.play.as_ref());
                let roster = play.and_then(|play| play.roster);
                let standing = Standing {
                    own: stage.cast.member(number).map_err(|_| Halt::Exit)?,
                    manifest: *manifest,
                    roster,
                };
                villains::bend(villain, &standing, message, &mut self.chance)
            }
        };
        for frame in frames {
            stage
                .watch
                .member_sends(number, manifest, message, &frame, &self.disk);
            stage.network.send(number, link, true, frame.clone(), None);
            sent.push(frame);
        }
        Ok(())
    }
}
