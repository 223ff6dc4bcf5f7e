//! One attempt at a round, as the server shell walks it: the phases in order, the ledger between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tacita_privacy::BudgetTicket;
use tacita_protocol::ledger_entries;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, Invitation, ServerMessage};
use tacita_protocol::roster::{Member as RosterMember, Roster};
use tacita_protocol::server::CommittedCharge;
use tacita_protocol::{Abort, RoundError};

use super::hub::{Doing, Halt, Hub, short};
use super::machines::{HubMachine, Progress};
use super::mutant::Mutant;
use super::split::{Twin, sign_all};
use super::stagehand::Stagehand;
use crate::cast::Cast;

/// A member, what it is told, and the members whose certificates it needs for that.
type Told = (usize, ServerMessage, Vec<(usize, RosterMember)>);

/// An attempt under way.
pub(super) struct Attempt {
    pub(super) manifest: Arc<CheckedManifest>,
    pub(super) reserved: u64,
    pub(super) ticket: Option<BudgetTicket>,
    ledger_size: u64,
    pub(super) cohort: BTreeSet<usize>,
    pub(super) machine: Option<HubMachine>,
    pub(super) roster: Option<Arc<Roster>>,
    /// Members that the phase awaits.
    pub(super) expected: BTreeSet<usize>,
    /// Index of the charge, and the size of its head, once committed.
    pub(super) charged: Option<u64>,
    /// A dishonest server's second machine.
    pub(super) twin: Option<Twin>,
}

impl Attempt {
    /// What the phase says now to the member at an index, if anything.
    fn told(&self, index: u16, cast: &Cast) -> Result<Option<Told>, Halt> {
        let number_of = |index: u16| -> Option<(usize, RosterMember)> {
            let member = self.roster.as_ref()?.member(index)?;
            Some((cast.number_of(&member.certificate.identity.0)?, member.clone()))
        };
        let Some((member, _)) = number_of(index) else {
            return Ok(None);
        };
        let twin = self.twin.as_ref().filter(|twin| twin.shows(member));
        let Some(source) = twin.and_then(Twin::machine).or(self.machine.as_ref()) else {
            return Ok(None);
        };
        let (needed, message) = source.messages(index).map_err(|e| Halt::Exit(e.to_string()))?;
        let needed = needed.into_iter().filter_map(number_of).collect();
        Ok(message.map(|message| (member, message, needed)))
    }
}

impl Hub {
    /// Step 1: reserves in the ledger, invites a cohort, sends the model.
    pub(super) fn invite(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        if self.begun >= self.last {
            return Ok(());
        }
        let round_id = self.round_id();
        let wanted = usize::from(self.setting.cohort);
        let now = stage.unix();
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        process.attempts += 1;
        self.begun += 1;
        process.gone.clear();
        let ready: Vec<usize> = process
            .lobby
            .iter()
            .filter(|(_, session)| session.ready)
            .map(|(member, _)| *member)
            .collect();
        let chosen = self.chance.sample(ready.len(), wanted);
        let cohort: BTreeSet<usize> = chosen.iter().filter_map(|at| ready.get(*at).copied()).collect();

        let round = process.task.completed + 1;
        let mut setting = self.setting.clone();
        setting.model.clone_from(&process.model);
        let (size, root) = process.desk.size_and_root()?;
        let wrong = |e: &dyn std::fmt::Display| Halt::Exit(format!("exits: {e}"));
        let mut manifest = setting
            .manifest(round, round_id, (size, root), now)
            .map_err(|e| wrong(&e))?;
        manifest.deadlines.advertise_ms = 400;
        manifest.deadlines.share_ms = 500;
        manifest.deadlines.upload_ms = 800;
        manifest.deadlines.agree_ms = 500;
        manifest.deadlines.reveal_ms = 500;
        let signature = manifest.sign(&self.key).map_err(|e| wrong(&e))?;
        let checked = Arc::new(manifest.clone().check().map_err(|e| wrong(&e))?);
        stage.watch.accepted(&checked);
        let note = process.desk.head()?.to_bytes();
        let mut invitations = Vec::new();
        for member in &cohort {
            let Some(session) = process.lobby.get_mut(member) else {
                continue;
            };
            session.ready = false;
            let invitation = Invitation {
                manifest: manifest.clone(),
                signature,
                checkpoint: note.clone().into(),
                consistency: process.desk.consistency(session.ledger_size)?,
                model_length: process.model.len() as u64,
                previous: Vec::new().into(),
            };
            invitations.push((*member, invitation));
        }
        let model = process.model.clone();
        let ticket = match process.desk.reserve(checked.release()) {
            Ok(ticket) => ticket,
            Err(refusal) => return Err(Halt::Exit(format!("exits: {refusal}"))),
        };
        let entry = ledger_entries::reserve(&checked, process.desk.time(now));
        let mut late = None;
        let reserved = if self.mutant == Mutant::InvitesFirst {
            let (index, changes) = process.desk.sign(&entry)?;
            late = Some(changes);
            index
        } else {
            process.desk.append(&entry)?
        };
        let twin = Twin::open(self.guile.as_ref(), &checked, &process.desk);
        let digest = short(&checked);
        stage.note(|| format!("server invites {cohort:?} to round {round}, attempt {digest}"));
        process.doing = Doing::Playing(Box::new(Attempt {
            machine: Some(HubMachine::open(checked.clone())),
            manifest: checked,
            reserved,
            ticket,
            ledger_size: size,
            expected: cohort.clone(),
            cohort,
            roster: None,
            charged: None,
            twin,
        }));
        for (member, invitation) in invitations {
            self.tell(
                member,
                ServerMessage::Invitation(Box::new(invitation)),
                &[],
                stage,
            )?;
            for part in model.chunks(40) {
                self.tell(member, ServerMessage::Model(part.to_vec().into()), &[], stage)?;
            }
        }
        if let (Some(changes), Some(process)) = (late, &mut self.process) {
            process.desk.write(&changes)?;
            process.desk.remember(None)?;
        }
        self.set_timer(400, stage);
        self.proceed(stage)
    }

    pub(super) fn attempt(&mut self) -> Option<&mut Attempt> {
        match self.process.as_mut().map(|process| &mut process.doing) {
            Some(Doing::Playing(attempt)) => Some(attempt),
            _ => None,
        }
    }

    /// Takes a message of the round. A refused one takes its sender out of the attempt, not the others.
    pub(super) fn take(
        &mut self,
        member: usize,
        message: ClientMessage,
        stage: &mut Stagehand<'_>,
    ) -> Result<(), Halt> {
        let card = Self::roster_member(member, stage)?;
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let gone = process.gone.contains(&member);
        let Doing::Playing(attempt) = &mut process.doing else {
            return Ok(());
        };
        if let Some(twin) = &mut attempt.twin {
            twin.hear(member, &card, &message);
        }
        if gone || !attempt.expected.contains(&member) {
            return Ok(());
        }
        let index = attempt
            .roster
            .as_ref()
            .and_then(|roster| roster.index_of(&card.certificate.identity.0));
        let Some(machine) = &mut attempt.machine else {
            return Ok(());
        };
        let kind = message.name();
        match machine.receive(&card, index, message) {
            Ok(Progress::Done) => drop(attempt.expected.remove(&member)),
            Ok(Progress::More) => {}
            Ok(Progress::Reply) => {
                let told = index.map_or(Ok(None), |index| attempt.told(index, stage.cast))?;
                if let Some((member, message, needed)) = told {
                    self.tell(member, message, &needed, stage)?;
                }
            }
            Err(error) => {
                stage.note(|| format!("server refuses the {kind} of member {member}: {error}"));
                stage.watch.error(&error);
                attempt.expected.remove(&member);
                process.gone.insert(member);
            }
        }
        Ok(())
    }

    /// Ends a phase: everybody answered or is gone, or the deadline has passed.
    pub(super) fn close_phase(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        if self.chance.hits(self.crash) {
            let steps = 3 * u64::from(self.setting.cohort) + 8;
            self.fuse.light(self.chance.below(steps));
        }
        let Some(attempt) = self.attempt() else {
            return Ok(());
        };
        let Some(machine) = attempt.machine.take() else {
            return Err(Halt::Attempt("its first machine is out".to_owned()));
        };
        let name = machine.name();
        match machine {
            HubMachine::Agreeing(_) => self.charge(machine, stage)?,
            HubMachine::Revealing(_) => return self.finish(machine, stage),
            mut machine => {
                self.screen(&mut machine, stage)?;
                let next = match machine.close() {
                    Ok(next) => next,
                    Err(error) => return Err(self.aborts(&error, stage)),
                };
                let Some(attempt) = self.attempt() else {
                    return Ok(());
                };
                attempt.roster = next.roster().or(attempt.roster.take());
                attempt.machine = Some(next);
                if let Some(twin) = &mut attempt.twin {
                    twin.close();
                }
            }
        }
        stage.note(|| format!("server closes {name}"));
        self.open_phase(stage)
    }

    /// At the roster: a certificate that is not valid now, or not until the round can be over, would make every neighbour
    /// refuse.
    fn screen(&mut self, machine: &mut HubMachine, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let now = stage.unix();
        let any = stage.cast.participant(0).map_err(|e| Halt::Exit(e.to_string()))?;
        for (member, refusal) in machine.screen(&any.deny, now, now + 2) {
            stage.watch.error(&refusal.into());
            let number = stage.cast.number_of(&member.certificate.identity.0);
            if let (Some(process), Some(number)) = (&mut self.process, number) {
                process.gone.insert(number);
            }
        }
        Ok(())
    }

    pub(super) fn aborts(&mut self, error: &RoundError, stage: &mut Stagehand<'_>) -> Halt {
        let networked = !stage.watch.server_is_honest();
        if self.mutant == Mutant::BlamesAnyone
            && let Ok(member) = stage.cast.member(0)
        {
            let (dealer, name) = (0, member.name.clone());
            stage
                .watch
                .aborted(&Abort::DishonestDealer { dealer, name }.into(), networked);
        }
        stage.watch.aborted(error, networked);
        Halt::Attempt(error.to_string())
    }

    /// Sends what the phase begins with, to everybody from whom it awaits something.
    fn open_phase(&mut self, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let Some(attempt) = self.attempt() else {
            return Ok(());
        };
        let Some(roster) = attempt.roster.clone() else {
            return Ok(());
        };
        let machine = attempt.machine.as_ref();
        let number_of = |index: u16| {
            let member = roster.member(index)?;
            stage.cast.number_of(&member.certificate.identity.0)
        };
        let fields = attempt.manifest.fields();
        let limit = match machine {
            Some(HubMachine::Sharing(_)) => fields.deadlines.share_ms,
            Some(HubMachine::Collecting(..)) => fields.deadlines.upload_ms,
            Some(HubMachine::Agreeing(_)) => fields.deadlines.agree_ms,
            _ => fields.deadlines.reveal_ms,
        };
        let mut out = Vec::new();
        for index in 0..roster.size() {
            out.extend(attempt.told(index, stage.cast)?);
        }
        let awaited = machine
            .map(|machine| machine.awaited(&roster))
            .unwrap_or_default();
        let expected: BTreeSet<usize> = awaited.into_iter().filter_map(number_of).collect();
        attempt.expected = expected;
        if let Some(process) = &mut self.process {
            let gone = process.gone.clone();
            if let Doing::Playing(attempt) = &mut process.doing {
                attempt.expected.retain(|member| !gone.contains(member));
            }
        }
        for (member, message, needed) in out {
            self.tell(member, message, &needed, stage)?;
        }
        self.set_timer(u64::from(limit), stage);
        self.proceed(stage)
    }

    /// The charge is durable and under a signed head before anybody is asked for a share.
    fn charge(&mut self, mut machine: HubMachine, stage: &mut Stagehand<'_>) -> Result<(), Halt> {
        let now = stage.unix();
        let mutant = self.mutant;
        let helpers = self.guile.as_ref().map(|guile| guile.helpers.clone());
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let Doing::Playing(attempt) = &mut process.doing else {
            return Ok(());
        };
        if let (Some(helpers), Some(roster)) = (helpers, &attempt.roster) {
            sign_all(&helpers, &mut machine, roster, stage.cast);
        }
        if let Some(twin) = &mut attempt.twin {
            twin.charge(stage.cast, attempt.reserved, attempt.ledger_size, now);
        }
        let entry = match machine.charge(process.desk.time(now)) {
            Ok(entry) => entry,
            Err(error) => {
                // A dishonest server goes on with its other machine for as long as it can.
                if attempt.twin.as_ref().is_some_and(Twin::is_charged) {
                    return Ok(());
                }
                return Err(self.aborts(&error, stage));
            }
        };
        let survivors: Vec<usize> = machine
            .statement()
            .map(|(_, survivors)| survivors)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|index| {
                let member = attempt.roster.as_ref()?.member(index)?;
                stage.cast.number_of(&member.certificate.identity.0)
            })
            .collect();
        let mut late = None;
        let index = if mutant == Mutant::RevealsFirst {
            let (index, changes) = process.desk.sign(&entry)?;
            late = Some(changes);
            index
        } else {
            process.desk.append(&entry)?
        };
        stage.note(|| format!("server charges a round of {survivors:?}"));
        stage.watch.charged(attempt.manifest.digest(), &survivors);
        let committed = CommittedCharge {
            checkpoint: process.desk.head()?.to_bytes(),
            consistency: process.desk.consistency(attempt.ledger_size)?,
            manifest: process.desk.proven(attempt.reserved)?,
            charge: process.desk.proven(index)?,
        };
        process
            .desk
            .settle(attempt.ticket.take(), mutant != Mutant::CountsNoCharge);
        attempt.charged = Some(process.desk.size_and_root()?.0);
        let revealing = machine.commit(committed, stage.cast.log_verifier());
        match revealing {
            Ok(revealing) => attempt.machine = Some(revealing),
            Err(error) => return Err(self.aborts(&error, stage)),
        }
        if let Some(changes) = late {
            self.open_phase(stage)?;
            if let Some(process) = &mut self.process {
                process.desk.write(&changes)?;
                process.desk.remember(None)?;
            }
        }
        Ok(())
    }
}
