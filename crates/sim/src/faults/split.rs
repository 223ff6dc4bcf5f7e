//! A server that runs two honest machines in one attempt and shows some members one round and the rest another: the second
//! machine does not hear certain uploads, and from then on its own audience.

use std::collections::BTreeSet;
use std::sync::Arc;

use tacita_protocol::labels;
use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{Agreement, ClientMessage};
use tacita_protocol::roster::{Member as RosterMember, Roster};
use tacita_protocol::server::CommittedCharge;

use super::desk::Desk;
use super::hub::Guile;
use super::machines::HubMachine;
use crate::cast::Cast;
use crate::forge;

/// The second machine.
pub(super) struct Twin {
    machine: Option<HubMachine>,
    roster: Option<Arc<Roster>>,
    /// Members whose upload it does not hear.
    victims: BTreeSet<usize>,
    /// Members that are shown its round.
    audience: BTreeSet<usize>,
    /// Members that sign whatever the server wants.
    helpers: BTreeSet<usize>,
    desk: Desk,
    charged: bool,
}

impl Twin {
    /// Opens one, if the server is of that kind, on a ledger of its own that begins as the real one.
    pub(super) fn open(guile: Option<&Guile>, manifest: &Arc<CheckedManifest>, desk: &Desk) -> Option<Self> {
        let guile = guile?;
        let (victims, audience) = guile.split.clone()?;
        Some(Self {
            machine: Some(HubMachine::open(manifest.clone())),
            roster: None,
            victims,
            audience,
            helpers: guile.helpers.clone(),
            desk: desk.fork(),
            charged: false,
        })
    }

    /// Whether it speaks to a member: from the agreement on, to its audience.
    pub(super) fn shows(&self, member: usize) -> bool {
        let late = matches!(
            self.machine,
            Some(HubMachine::Agreeing(_) | HubMachine::Revealing(_))
        );
        late && self.audience.contains(&member)
    }

    /// The machine.
    pub(super) fn machine(&self) -> Option<&HubMachine> {
        self.machine.as_ref()
    }

    /// Hears what a member says, unless it is a victim's upload.
    pub(super) fn hear(&mut self, member: usize, card: &RosterMember, message: &ClientMessage) {
        let upload = matches!(message, ClientMessage::Chunk(_) | ClientMessage::UploadEnd(_));
        if upload && self.victims.contains(&member) {
            return;
        }
        let identity = &card.certificate.identity.0;
        let index = self.roster.as_ref().and_then(|roster| roster.index_of(identity));
        if let Some(machine) = &mut self.machine {
            // What it refuses it refuses; it has no say in the attempt.
            let _ = machine.receive(card, index, message.clone());
        }
    }

    /// Closes a phase along with the first machine.
    pub(super) fn close(&mut self) {
        self.machine = self.machine.take().and_then(|machine| machine.close().ok());
        let roster = self.machine.as_ref().and_then(HubMachine::roster);
        self.roster = roster.or(self.roster.take());
    }

    /// Whether it charged its own round.
    pub(super) fn is_charged(&self) -> bool {
        self.charged
    }

    /// Lets its helpers sign its statement, and if that makes a quorum charges it on its own ledger.
    pub(super) fn charge(&mut self, cast: &Cast, reserved: u64, size: u64, now: u64) {
        let (Some(mut machine), Some(roster)) = (self.machine.take(), &self.roster) else {
            return;
        };
        sign_all(&self.helpers, &mut machine, roster, cast);
        self.machine = self.commit(machine, cast, reserved, size, now);
        self.charged = self.machine.is_some();
    }

    fn commit(
        &mut self,
        machine: HubMachine,
        cast: &Cast,
        reserved: u64,
        size: u64,
        now: u64,
    ) -> Option<HubMachine> {
        let entry = machine.charge(self.desk.time(now)).ok()?;
        let index = self.desk.append(&entry).ok()?;
        let committed = CommittedCharge {
            checkpoint: self.desk.head().ok()?.to_bytes(),
            consistency: self.desk.consistency(size).ok()?,
            manifest: self.desk.proven(reserved).ok()?,
            charge: self.desk.proven(index).ok()?,
        };
        machine.commit(committed, cast.log_verifier()).ok()
    }
}

/// Lets members that help the server sign a machine's statement, whatever it says.
pub(super) fn sign_all(helpers: &BTreeSet<usize>, machine: &mut HubMachine, roster: &Roster, cast: &Cast) {
    let Some((statement, _)) = machine.statement() else {
        return;
    };
    for helper in helpers.iter().filter_map(|helper| cast.member(*helper).ok()) {
        let signature = forge::sign(&helper.key, labels::STATEMENT_SIGNATURE, &statement);
        let index = roster.index_of(&helper.certificate.identity.0);
        let message = ClientMessage::Agreement(Agreement { signature });
        // One that signed already is refused, and has signed.
        let _ = machine.receive(&helper.member(), index, message);
    }
}
