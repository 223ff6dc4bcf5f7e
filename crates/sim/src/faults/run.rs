//! One seed from beginning to end: a safety phase with faults, a liveness phase without, and the checkers' verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_protocol::certificates::CertificateCache;

use super::chance::Chance;
use super::disk::Disk;
use super::fuse::Fuse;
use super::hub::{Guile, Hub};
use super::meddler::Meddler;
use super::member::Member;
use super::network::{Event, Network};
use super::plan::{Party, SeedPlan, Server};
use super::record;
use super::stagehand::Stagehand;
use super::watch::{End, Honesty, Violation, Watch};
use crate::cast::Cast;
use crate::error::SimError;

/// Simulated time within which a round completes once faults are healed, in milliseconds.
pub const LIVELY: u64 = 20_000;
/// Simulated time for the last words of a round, in milliseconds.
const LAST_WORDS: u64 = 300;
/// Events between one look of a person and the next.
const LOOKS: u64 = 32;
/// Simulated time after faults in which a round may complete, where it need not.
const PERHAPS: u64 = 3000;
/// Milliseconds in which processes of members start.
const STARTS: u64 = 400;
/// Most members whose certificates each have a cache of their own.
const OWN_CACHES: usize = 8;

/// What one seed came to.
#[derive(Debug)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Sums that an honest server came to, all of them exact unless a violation says otherwise.
    pub sums: u64,
    /// Those of them from which surplus noise was taken.
    pub surplus: u64,
    /// Attempts that it aborted, by reason.
    pub aborts: BTreeMap<&'static str, u64>,
    /// Refusals by rule.
    pub refusals: BTreeMap<String, u64>,
    /// Simulated milliseconds.
    pub time: u64,
    /// Simulated milliseconds from the end of all faults to the completion of a round, where one had to complete.
    pub recovery: Option<u64>,
    /// Events.
    pub events: u64,
    /// Steps and writes of each process.
    pub toil: Vec<(Party, u64, u64)>,
    /// The history, if it was asked for.
    pub history: Vec<String>,
}

/// Plays a seed.
pub fn run_seed(cast: &Arc<Cast>, seed: u64, keep_history: bool) -> Verdict {
    let plan = SeedPlan::draw(seed, &mut Chance::new(seed).part("plan"));
    run_plan(cast, &plan, keep_history)
}

/// Plays a plan.
pub fn run_plan(cast: &Arc<Cast>, plan: &SeedPlan, keep_history: bool) -> Verdict {
    let honesty = Honesty {
        villains: plan.villains.keys().copied().collect(),
        server: plan.server == Server::Honest,
        words_change: plan.network.raw && plan.network.corruption > 0,
        words_return: plan.network.raw && plan.network.duplication + plan.network.reordering > 0,
    };
    let mut watch = Watch::new(cast.clone(), honesty, keep_history);
    match World::new(cast, plan) {
        Ok(mut world) => {
            world.play(&mut watch);
            world.verdict(watch)
        }
        Err(error) => {
            watch.world(&error);
            Verdict {
                seed: plan.seed,
                violations: watch.violations().to_vec(),
                sums: 0,
                surplus: 0,
                aborts: BTreeMap::new(),
                refusals: BTreeMap::new(),
                time: 0,
                recovery: None,
                events: 0,
                toil: Vec::new(),
                history: watch.take_history(),
            }
        }
    }
}

struct World<'a> {
    plan: &'a SeedPlan,
    cast: &'a Arc<Cast>,
    network: Network,
    hub: Hub,
    members: Vec<Member>,
    events: u64,
    recovery: Option<u64>,
}

impl<'a> World<'a> {
    fn new(cast: &'a Arc<Cast>, plan: &'a SeedPlan) -> Result<Self, SimError> {
        let mut chance = Chance::new(plan.seed);
        let network = Network::new(plan.members, plan.network, chance.part("network"));
        let fuse = Fuse::default();
        plan.light(Party::Hub, &fuse);
        let faults = plan.disk_of(Party::Hub);
        let disk = Disk::new(chance.part("server's disk"), faults, fuse.clone());
        let key = cast.server().key.clone();
        let mut hub = Hub::new(plan.setting.clone(), key, disk, fuse, chance.part("server"));
        (hub.budget, hub.mutant, hub.crash) = (plan.budget, plan.mutant, plan.crash);
        (hub.clock, hub.guile) = (plan.clock, guile(plan));
        let shared = Arc::new(CertificateCache::default());
        let mut clocks = chance.part("clocks");
        let mut members = Vec::with_capacity(plan.members);
        for number in 0..plan.members {
            let mut participant = cast.participant(number)?;
            participant.cache = if plan.members <= OWN_CACHES {
                Arc::default()
            } else {
                shared.clone()
            };
            let fuse = Fuse::default();
            plan.light(Party::Member(number), &fuse);
            let faults = plan.disk_of(Party::Member(number));
            let disk = Disk::new(chance.part("a member's disk"), faults, fuse.clone());
            let update = plan.setting.unit_update(number);
            let chance = chance.part("a member");
            let mut member = Member::new(number, Arc::new(participant), disk, fuse, update, chance);
            (member.budget, member.mutant, member.crash) = (plan.budget, plan.mutant, plan.crash);
            member.villain = plan.villains.get(&number).copied();
            member.answers_copies = plan.answers_copies;
            if clocks.hits(plan.clock) {
                member.skew = clocks.skew();
            }
            members.push(member);
        }
        Ok(Self {
            plan,
            cast,
            network,
            hub,
            members,
            events: 0,
            recovery: None,
        })
    }

    fn play(&mut self, watch: &mut Watch) {
        self.network.after(0, Event::StartHub);
        for number in 0..self.members.len() {
            // All of them within the server's patience.
            let start = 1 + number as u64 % STARTS;
            self.network.after(start, Event::StartMember(number));
        }
        self.network.after(self.plan.safety, Event::Heal);
        let mut end = u64::MAX;
        let mut goal = None;
        while self.network.now() < end {
            let Some(event) = self.network.next_event() else {
                break;
            };
            self.events += 1;
            let enough = self.hub.begun > self.plan.attempts;
            if goal.is_none() && end == u64::MAX && (enough || matches!(event, Event::Heal)) {
                self.heal(watch);
                // A plan that crashes one process at one step heals from the start: its round is the one that counts.
                goal = Some(self.hub.done + 1);
                end = self.network.now() + LIVELY;
            }
            self.dispatch(event, watch);
            if end < u64::MAX && self.events.is_multiple_of(LOOKS) {
                self.look(watch);
            }
            watch.queues(self.network.waiting(), self.members.len());
            if goal.is_some_and(|goal| self.hub.done >= goal) {
                self.hub.last = self.hub.begun;
                let healed = end.saturating_sub(LIVELY);
                self.recovery = Some(self.network.now() - healed);
                end = end.min(self.network.now() + LAST_WORDS);
                goal = None;
            } else if goal.is_some() && !self.plan.must_live() {
                // One more attempt by a server that is honest again, whatever comes of it.
                self.hub.last = self.hub.begun + 1;
                end = end.min(self.network.now() + PERHAPS);
                goal = None;
            }
        }
        if goal.is_some() {
            let completed = self.hub.completed();
            watch.violation(
                "liveness",
                format!("no round completed in {LIVELY} ms without faults; completed before: {completed:?}"),
            );
        }
    }

    fn dispatch(&mut self, event: Event, watch: &mut Watch) {
        let mut stage = Stagehand {
            network: &mut self.network,
            watch,
            cast: self.cast,
            skew: 0,
        };
        match &event {
            Event::Weather => stage.network.weather(),
            Event::StartHub
            | Event::Connect(..)
            | Event::ToHub(..)
            | Event::HubLost(..)
            | Event::HubTimer(_) => {
                self.hub.handle(event, &mut stage);
            }
            Event::Answered(member, ..)
            | Event::ToMember(member, ..)
            | Event::MemberLost(member, _)
            | Event::MemberTimer(member, _)
            | Event::StartMember(member) => {
                if let Some(member) = self.members.get_mut(*member) {
                    member.handle(event, &mut stage);
                }
            }
            Event::Heal => {}
        }
    }

    /// All faults end, everybody is honest from now on, and a person looks at evidence that is none.
    fn heal(&mut self, watch: &mut Watch) {
        watch.note(self.network.now(), || "faults are healed".to_owned());
        self.network.heal();
        self.hub.disk.heal();
        (self.hub.crash, self.hub.guile) = (0, None);
        self.hub.set_clock();
        for member in &mut self.members {
            member.disk.heal();
            (member.crash, member.skew, member.villain) = (0, 0, None);
        }
        self.look(watch);
    }

    /// A person looks at evidence of a fork that an honest server cannot have given: a network that changes or repeats
    /// words did. (What was on its way before the faults were healed may still arrive after.)
    fn look(&mut self, watch: &mut Watch) {
        if self.plan.server != Server::Honest {
            return;
        }
        for member in self.members.iter_mut().filter(|member| member.stopped) {
            if !member.disk.durable_space(record::FORK).is_empty() {
                let number = member.number;
                watch.note(self.network.now(), || {
                    format!("a person looks at the evidence of member {number}")
                });
                member.disk.clear_space(record::FORK);
                member.stopped = false;
                self.network.after(1, Event::StartMember(member.number));
            }
        }
    }

    fn verdict(&self, mut watch: Watch) -> Verdict {
        watch.end(&End {
            hub: &self.hub.disk,
            account: self.hub.account(),
            members: self.members.iter().map(|member| &member.disk).collect(),
            rolled_back: self.hub.rolled_back,
        });
        let of_members = self.members.iter().map(|member| {
            let party = Party::Member(member.number);
            (party, member.fuse.steps(), member.disk.writes())
        });
        let toil = std::iter::once((Party::Hub, self.hub.fuse.steps(), self.hub.disk.writes()))
            .chain(of_members)
            .collect();
        Verdict {
            seed: self.plan.seed,
            violations: watch.violations().to_vec(),
            sums: watch.sums,
            surplus: watch.surplus,
            aborts: std::mem::take(&mut watch.aborts),
            refusals: std::mem::take(&mut watch.refusals),
            time: self.network.now(),
            recovery: self.recovery,
            events: self.events,
            toil,
            history: watch.take_history(),
        }
    }
}

fn guile(plan: &SeedPlan) -> Option<Guile> {
    let helpers = plan.villains.keys().copied().collect();
    let mut guile = Guile {
        meddler: None,
        split: None,
        helpers,
        rollback: None,
    };
    match &plan.server {
        Server::Honest => return None,
        Server::Meddles(rate) => guile.meddler = Some(Meddler::new(*rate)),
        Server::Splits(victims, audience) => guile.split = Some((victims.clone(), audience.clone())),
        Server::RollsBack(with_ids) => guile.rollback = Some((None, *with_ids)),
    }
    Some(guile)
}
