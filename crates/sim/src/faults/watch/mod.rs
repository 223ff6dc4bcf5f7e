//! The checkers that every run carries: they see what leaves each machine and what is durable at that moment, and at the
//! end what the server could know and what the ledger says.

mod end;
mod layers;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tacita_protocol::manifest::CheckedManifest;
use tacita_protocol::messages::{RevealRequest, RosterMessage, ServerMessage, SharersMessage};
use tacita_protocol::{Abort, Hash, Refusal, RoundError};

use crate::cast::Cast;
use crate::error::SimError;
use crate::knowledge::Knowledge;
use crate::once::Once;

pub use crate::canary::Canaries;
pub use end::End;
pub use layers::Came;

/// A guarantee that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which checker saw it.
    pub checker: &'static str,
    /// What it saw.
    pub text: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.checker, self.text)
    }
}

/// What was seen of one attempt, by manifest digest.
struct Seen {
    manifest: Arc<CheckedManifest>,
    knowledge: Knowledge,
    /// The integers that members masked.
    encoded: BTreeMap<usize, Vec<i64>>,
    rosters: BTreeMap<usize, RosterMessage>,
    sharers: BTreeMap<usize, SharersMessage>,
    /// Size of the head that a member was last shown.
    shown: BTreeMap<usize, u64>,
    /// Honest members of the committed U2, if the server is honest and committed one.
    charged: Option<BTreeSet<usize>>,
    /// Members of which any of the upload left them.
    uploaded: BTreeSet<usize>,
    layers: layers::Layers,
}

impl Seen {
    fn head_shown(&mut self, member: usize, request: &RevealRequest) {
        if let Ok(signed) = tacita_ledger::SignedCheckpoint::parse_unverified(request.checkpoint.as_slice()) {
            self.shown.insert(member, signed.checkpoint().size);
        }
    }
}

/// Who is dishonest, and what the world can do to honest words.
#[derive(Debug, Clone, Default)]
pub struct Honesty {
    /// Members that do not follow the protocol, or that help the server.
    pub villains: BTreeSet<usize>,
    /// Whether the server follows it.
    pub server: bool,
    /// Whether the network can change what an honest party said.
    pub words_change: bool,
    /// Whether it can bring old words back.
    pub words_return: bool,
}

/// All checkers.
pub struct Watch {
    cast: Arc<Cast>,
    honesty: Honesty,
    rounds: BTreeMap<Hash, Seen>,
    once: Once,
    /// The last ledger head that each member had kept.
    heads: BTreeMap<usize, (u64, Hash)>,
    canaries: Canaries,
    violations: Vec<Violation>,
    history: Option<Vec<String>>,
    /// Sums that an honest server came to.
    pub sums: u64,
    /// Those of them from which surplus noise was taken.
    pub surplus: u64,
    /// Attempts that it aborted, by reason.
    pub aborts: BTreeMap<&'static str, u64>,
    /// Refusals by rule, on either side.
    pub refusals: BTreeMap<String, u64>,
}

impl Watch {
    /// Nothing was seen yet; a history is kept if `keep_history`.
    pub fn new(cast: Arc<Cast>, honesty: Honesty, keep_history: bool) -> Self {
        let canaries = Canaries::of(&cast);
        Self {
            cast,
            honesty,
            rounds: BTreeMap::new(),
            once: Once::default(),
            heads: BTreeMap::new(),
            canaries,
            violations: Vec::new(),
            history: keep_history.then(Vec::new),
            sums: 0,
            surplus: 0,
            aborts: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
    }

    /// Something that must not be.
    pub fn violation(&mut self, checker: &'static str, text: impl Into<String>) {
        let violation = Violation {
            checker,
            text: text.into(),
        };
        if let Some(history) = &mut self.history {
            history.push(format!("          !! {violation}"));
        }
        self.violations.push(violation);
    }

    /// What was seen so far that must not be.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// A line of the history.
    pub fn note(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(history) = &mut self.history {
            history.push(format!("{now:>8}  {}", line()));
        }
    }

    /// The history, if it was kept.
    pub fn take_history(&mut self) -> Vec<String> {
        self.history.take().unwrap_or_default()
    }

    /// Whether a member follows the protocol and helps nobody.
    pub fn is_honest(&self, member: usize) -> bool {
        !self.honesty.villains.contains(&member)
    }

    /// Whether the server is honest.
    pub fn server_is_honest(&self) -> bool {
        self.honesty.server
    }

    /// A secret that a machine drew.
    pub fn secret(&mut self, what: &'static str, secret: &[u8]) {
        self.canaries.add(what, secret);
    }

    /// One-time values that were used twice.
    fn judge(&mut self) {
        for text in self.once.wrong() {
            self.violation("once", text);
        }
    }

    /// Text that a machine prints, logs or tells a peer.
    pub fn output(&mut self, text: &str) {
        if let Some(what) = self.canaries.in_text(text) {
            self.violation("canary", format!("{what} shows in \"{text}\""));
        }
    }

    /// An error that a machine reports. A refusal names its rule.
    pub fn error(&mut self, error: &RoundError) {
        let text = error.to_string();
        self.output(&text);
        self.output(&format!("{error:?}"));
        if let RoundError::Refusal(refusal) = error {
            self.refusal(refusal);
        }
    }

    fn refusal(&mut self, refusal: &Refusal) {
        let text = refusal.to_string();
        match rule(&text) {
            Some(rule) => *self.refusals.entry(rule.to_owned()).or_insert(0) += 1,
            None => self.violation("refusal", format!("no rule is named in \"{text}\"")),
        }
    }

    /// What a member tells the server when it leaves over a refusal: the rule's number and nothing else.
    pub fn parting(&mut self, text: &str) {
        self.output(text);
        if rule(text) != Some(text) {
            self.violation("refusal", format!("a member left with \"{text}\""));
        }
    }

    /// An honest server aborts an attempt.
    pub fn aborted(&mut self, error: &RoundError, networked: bool) {
        self.error(error);
        let reason = match error {
            RoundError::Abort(Abort::TooFewMembers(..)) => "too few members",
            RoundError::Abort(Abort::TooFewSharers(..)) => "too few sharers",
            RoundError::Abort(Abort::TooFewSurvivors(..)) => "too few survivors",
            RoundError::Abort(Abort::NoQuorum(..)) => "no quorum",
            RoundError::Abort(Abort::TooFewShares { .. }) => "too few shares",
            RoundError::Abort(Abort::DishonestDealer { name, .. }) => {
                let member = self.cast.members().iter().position(|m| m.name == *name);
                let guilty = member.is_some_and(|member| !self.is_honest(member));
                if !guilty && !self.honesty.words_change {
                    self.violation("blame", format!("an honest dealer is blamed: {error}"));
                }
                "dishonest dealer"
            }
            RoundError::Abort(Abort::Implausible) => {
                // Nobody in this world masks anything but a clipped update.
                self.violation("sum", "the mean of clipped updates is implausible");
                "implausible mean"
            }
            _ if networked => "other",
            _ => {
                self.violation("abort", format!("an honest server ended an attempt with {error}"));
                "other"
            }
        };
        *self.aborts.entry(reason).or_insert(0) += 1;
    }

    /// Holders that an honest server blames for a share: none of them is honest.
    pub fn blamed(&mut self, member: usize, blame: &Refusal) {
        self.refusal(blame);
        if self.is_honest(member) && !self.honesty.words_change {
            self.violation("blame", format!("honest member {member} is blamed: {blame}"));
        }
    }

    /// A member consented to a manifest.
    pub fn accepted(&mut self, manifest: &Arc<CheckedManifest>) {
        let colluders: Vec<usize> = self.honesty.villains.iter().copied().collect();
        let cast = &self.cast;
        self.rounds.entry(*manifest.digest()).or_insert_with(|| Seen {
            manifest: manifest.clone(),
            knowledge: Knowledge::new(
                *manifest.digest(),
                manifest.threshold(),
                manifest.is_complete(),
                manifest.fields().cohort,
                cast.len(),
                &colluders,
            ),
            encoded: BTreeMap::new(),
            rosters: BTreeMap::new(),
            sharers: BTreeMap::new(),
            shown: BTreeMap::new(),
            charged: None,
            uploaded: BTreeSet::new(),
            layers: layers::Layers::default(),
        });
    }

    /// A member's state accepted a message.
    pub fn took(&mut self, member: usize, manifest: &Hash, message: &ServerMessage) {
        if let ServerMessage::Agree(request) = message {
            let survivors = request.survivors.as_slice().iter();
            self.signs(member, manifest, survivors.map(|byte| byte.count_ones()).sum());
        }
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        match message {
            ServerMessage::Roster(roster) => drop(seen.rosters.insert(member, roster.clone())),
            ServerMessage::Sharers(sharers) => drop(seen.sharers.insert(member, sharers.clone())),
            ServerMessage::Reveal(request) => seen.head_shown(member, request),
            ServerMessage::Sampled(sampled) => seen.head_shown(member, &sampled.request),
            _ => {}
        }
    }

    /// The integers that a member is about to mask, noise included.
    pub fn encoded(&mut self, member: usize, manifest: &Hash, integers: Vec<i64>) {
        let Some(seen) = self.rounds.get_mut(manifest) else {
            return;
        };
        if seen.encoded.insert(member, integers).is_some() && seen.uploaded.contains(&member) {
            self.violation(
                "noise",
                format!("member {member} noised a second vector for one attempt"),
            );
        }
    }

    /// An honest server committed a charge for these members.
    pub fn charged(&mut self, manifest: &Hash, survivors: &[usize]) {
        let honest = survivors.iter().copied().filter(|m| self.is_honest(*m)).collect();
        if let Some(seen) = self.rounds.get_mut(manifest)
            && seen.charged.replace(honest).is_some()
        {
            self.violation("charge", "an attempt was charged twice");
        }
    }

    /// Frames on their way at once: the queue of the server's events, and what waits for one member.
    pub fn queues(&mut self, (to_hub, to_member): (usize, usize), members: usize) {
        // A copy of everything that a member may say in two attempts at once, and some of what the server says.
        let (hub_limit, member_limit) = (HUB_FRAMES * members, MEMBER_FRAMES);
        if to_hub > hub_limit || to_member > member_limit {
            self.violation(
                "queue",
                format!("{to_hub} frames wait for the server, {to_member} for one member"),
            );
        }
    }

    /// The world itself failed, which no seed may bring about.
    pub fn world(&mut self, error: &SimError) {
        self.violation("world", error.to_string());
    }
}

/// Frames of one member that may be on their way to the server.
const HUB_FRAMES: usize = 64;
/// Frames that may be on their way to one member.
const MEMBER_FRAMES: usize = 96;

/// The rule that a text begins with.
pub fn rule(text: &str) -> Option<&str> {
    let rule = text.get(..7)?;
    let digits = rule.strip_prefix("TAC-")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(rule)
}
