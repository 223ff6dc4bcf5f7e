//! The stages of a round as the world walks them, and the two things a test can bend: when members vanish, and what a
//! dishonest server does to messages.

use std::sync::Arc;

use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{ClientMessage, ServerMessage};

use crate::cast::Cast;
use crate::ledger::Ledger;
use crate::view::View;

/// One exchange: the server speaks, the members answer, the server closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Invitation and model out, advertisements in.
    Invite,
    /// Certificates and roster out, boxes in.
    Roster,
    /// U1 and boxes out, masked uploads in.
    Sharers,
    /// U2 out, signatures in.
    Agree,
    /// Quorum and charge out, shares in.
    Reveal,
    /// Outcome out.
    Outcome,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 6] = [
        Self::Invite,
        Self::Roster,
        Self::Sharers,
        Self::Agree,
        Self::Reveal,
        Self::Outcome,
    ];
}

/// When a member vanishes: its last words are those of the named step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// It advertises and is gone.
    AfterAdvertise,
    /// It deals its shares and is gone.
    AfterShare,
    /// It uploads and is gone.
    AfterUpload,
    /// It signs the statement and is gone.
    AfterSign,
    /// It stays.
    Never,
}

impl Moment {
    /// All moments, in the order of the round.
    pub const ALL: [Self; 5] = [
        Self::AfterAdvertise,
        Self::AfterShare,
        Self::AfterUpload,
        Self::AfterSign,
        Self::Never,
    ];

    /// Whether a member with this moment still listens in `stage`.
    pub fn hears(self, stage: Stage) -> bool {
        let last = match self {
            Self::AfterAdvertise => Stage::Invite,
            Self::AfterShare => Stage::Roster,
            Self::AfterUpload => Stage::Sharers,
            Self::AfterSign => Stage::Agree,
            Self::Never => Stage::Outcome,
        };
        stage <= last
    }
}

/// What a dishonest server holds when it decides: all keys of the server, its ledgers, and every view.
pub struct Backstage<'a> {
    /// Where the round stands.
    pub stage: Stage,
    /// The cast; an attacker uses of it the server's and the log's key, and the keys of its colluders.
    pub cast: &'a Cast,
    /// The manifest.
    pub manifest: &'a Arc<CheckedManifest>,
    /// The honest machines that it runs.
    pub views: &'a [View],
    /// The ledger before this round, without the manifest entry.
    pub ledger: &'a Ledger,
}

/// A dishonest server, or members that collude with it. Every method has the honest default.
pub trait Attack {
    /// Members that work for the server. Whatever they hold counts as known to it.
    fn colluders(&self) -> Vec<usize> {
        Vec::new()
    }

    /// How many honest machines the server runs side by side.
    fn views(&self) -> usize {
        1
    }

    /// Which view talks to a member.
    fn shows(&mut self, _stage: Stage, _to: usize) -> usize {
        0
    }

    /// Whether a view is fed what a member said.
    fn hears(&mut self, _view: usize, _stage: Stage, _from: usize) -> bool {
        true
    }

    /// What goes out to a member in place of `message`.
    fn to_client(&mut self, _at: &Backstage<'_>, _to: usize, message: ServerMessage) -> Vec<ServerMessage> {
        vec![message]
    }

    /// What the views are fed in place of `message`.
    fn to_server(&mut self, _at: &Backstage<'_>, _from: usize, message: ClientMessage) -> Vec<ClientMessage> {
        vec![message]
    }

    /// What else goes out to members before the stage closes, by member.
    fn more_to_clients(&mut self, _at: &Backstage<'_>) -> Vec<(usize, ServerMessage)> {
        Vec::new()
    }

    /// What else the views are fed before the stage closes, by the member it seems to come from.
    fn more_to_server(&mut self, _at: &Backstage<'_>) -> Vec<(usize, ClientMessage)> {
        Vec::new()
    }
}

/// Nobody attacks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Honest;

impl Attack for Honest {}
