//! What one seed decides before anything happens: how large the world is, how it fails, who in it is dishonest.

use std::collections::{BTreeMap, BTreeSet};

use tacita_privacy::{Budget, Decimal, NoiseLevels};
use tacita_protocol::graph::RoundParameters;

use super::chance::Chance;
use super::disk::DiskFaults;
use super::fuse::Fuse;
use super::mutant::Mutant;
use super::network::NetworkFaults;
use super::villains::Villain;
use crate::setting::{Noise, Setting};

/// Largest member count of any plan: the size of the cast that all worlds share.
pub const LARGEST: usize = 82;

/// Members of [`SeedPlan::large`].
pub const LARGE: u16 = 1_001;

/// Variance of a member's noise, in 2^-16 squared grid steps.
const SHARE: u64 = (256 * 256) << 16;

/// What a server does besides following the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// Nothing.
    Honest,
    /// Bends messages, so many of a thousand.
    Meddles(u64),
    /// Runs a second machine that misses the uploads of some, for the audience of others.
    Splits(BTreeSet<usize>, BTreeSet<usize>),
    /// Comes back from a crash as it was some time ago, now and then; its round ids with it, or not.
    RollsBack(bool),
}

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The server.
    Hub,
    /// A member.
    Member(usize),
}

/// What befalls one process, at a point counted on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It dies before the step after so many, and perhaps once more so many steps after its next start.
    Death(Party, u64, Option<u64>),
    /// The write with this number fails.
    FailedWrite(Party, u64),
}

/// A seed's decisions.
#[derive(Debug, Clone)]
pub struct SeedPlan {
    /// The seed.
    pub seed: u64,
    /// The task; members beyond its cohort wait for a place.
    pub setting: Setting,
    /// Members in the world.
    pub members: usize,
    /// Faults of the network.
    pub network: NetworkFaults,
    /// Faults of every disk.
    pub disk: DiskFaults,
    /// Processes that die in a phase, per thousand.
    pub crash: u64,
    /// Clocks that are wrong, per thousand: a member's for as long as faults last, the server's from a start to the next.
    pub clock: u64,
    /// Dishonest members; no more than the setting withstands.
    pub villains: BTreeMap<usize, Villain>,
    /// The server.
    pub server: Server,
    /// Budget of every member and of the task, with noise.
    pub budget: Option<Budget>,
    /// Whether that budget runs out on the way.
    pub tight: bool,
    /// Whether members answer identical copies of messages.
    pub answers_copies: bool,
    /// How long faults last, in milliseconds of simulated time.
    pub safety: u64,
    /// How many attempts they last at most.
    pub attempts: u64,
    /// What befalls one process at one point of its own.
    pub mishap: Option<Mishap>,
    /// A fault put into the shells on purpose.
    pub mutant: Mutant,
}

/// n, c, m of rings just above the complete graph.
const RINGS: [(u16, u16, u16); 3] = [(66, 2, 60), (68, 3, 62), (70, 3, 66)];

impl SeedPlan {
    /// The decisions of a seed, from `chance`.
    pub fn draw(seed: u64, chance: &mut Chance) -> Self {
        let (cohort, colluders, minimum) = shape(chance);
        let budgeted = chance.hits(350);
        let setting = Setting {
            dimension: *chance.pick(&[16, 40, 130]).unwrap_or(&16),
            grid: 64,
            noise: if budgeted {
                Noise::Skellam(SHARE)
            } else {
                Noise::None
            },
            model: (0..100).collect(),
            ..Setting::new(cohort, colluders, minimum)
        };
        let members = usize::from(cohort) + chance.index(3);
        let raw = chance.hits(600);
        let network = NetworkFaults {
            raw,
            loss: chance.rate(if raw { 150 } else { 300 }),
            duplication: chance.rate(500),
            corruption: chance.rate(100),
            reordering: if raw { chance.rate(200) } else { 0 },
            delay: *chance.pick(&[5, 20, 60, 150]).unwrap_or(&5),
            partition: chance.rate(200),
        };
        let server = draw_server(chance, members);
        let most = usize::from(colluders);
        let count = if most > 0 && chance.hits(600) {
            1 + chance.index(most)
        } else {
            0
        };
        let villains = chance
            .sample(members, count)
            .into_iter()
            .map(|member| (member, *chance.pick(&Villain::ALL).unwrap_or(&Villain::Informs)))
            .collect();
        let tight = budgeted && chance.hits(100);
        let epsilon = if tight { 3 } else { 30 };
        let budget = Decimal::new(epsilon, 0)
            .and_then(|epsilon| Ok((epsilon, Decimal::new(1, 5)?)))
            .ok()
            .filter(|_| budgeted)
            .map(|(epsilon, delta)| Budget { epsilon, delta });
        let mut plan = Self {
            seed,
            setting,
            members,
            network,
            disk: DiskFaults {
                failed: chance.rate(100),
                ..DiskFaults::default()
            },
            crash: chance.rate(200),
            clock: chance.rate(200),
            villains,
            server,
            budget,
            tight,
            answers_copies: raw || chance.hits(300),
            safety: chance.between(2000, 8000),
            attempts: if cohort > 12 { 2 } else { chance.between(2, 4) },
            mishap: None,
            mutant: Mutant::None,
        };
        // Drawn last, so that the rest of a seed is what it was before noise came in kinds.
        if budgeted {
            plan.draw_noise(chance);
        }
        plan
    }

    /// Which noise: layers in half of the rounds that tolerate drop-outs, and a discrete Gaussian, which has none, now and
    /// then.
    fn draw_noise(&mut self, chance: &mut Chance) {
        let tolerated = u32::from(self.setting.cohort - self.setting.minimum_survivors);
        if tolerated > 0 && chance.hits(500) {
            let below = usize::try_from(tolerated - 1).unwrap_or(0);
            let more = chance.index(below.min(NoiseLevels::MAX - 1) + 1);
            let mut levels: Vec<u32> = chance
                .sample(below, more)
                .into_iter()
                .filter_map(|at| u32::try_from(at + 1).ok())
                .chain([tolerated])
                .collect();
            levels.sort_unstable();
            self.setting.levels = levels;
        } else if chance.hits(300) {
            self.setting.noise = Noise::DiscreteGaussian(SHARE);
        }
    }

    /// Four members, no faults, one round: the world in which every crash point is tried.
    pub fn calm(seed: u64) -> Self {
        Self {
            seed,
            setting: Setting {
                grid: 64,
                noise: Noise::Skellam(SHARE),
                levels: vec![1],
                dimension: 130,
                model: (0..100).collect(),
                ..Setting::new(4, 1, 3)
            },
            members: 4,
            network: NetworkFaults {
                delay: 10,
                ..NetworkFaults::default()
            },
            disk: DiskFaults::default(),
            crash: 0,
            clock: 0,
            villains: BTreeMap::new(),
            server: Server::Honest,
            budget: Decimal::new(30, 0)
                .and_then(|epsilon| Ok((epsilon, Decimal::new(1, 5)?)))
                .ok()
                .map(|(epsilon, delta)| Budget { epsilon, delta }),
            tight: false,
            answers_copies: false,
            safety: 1,
            attempts: 1,
            mishap: None,
            mutant: Mutant::None,
        }
    }

    /// A calm world of a cohort just above 1,000, which samples its signers.
    pub fn large(seed: u64) -> Self {
        Self {
            setting: Setting {
                model: (0..100).collect(),
                ..Setting::new(LARGE, 0, LARGE - 1)
            },
            members: usize::from(LARGE),
            budget: None,
            ..Self::calm(seed)
        }
    }

    /// The same with a fault put into the shells, and where it takes a stage of its own, on that.
    #[must_use]
    pub fn with_mutant(mut self, mutant: Mutant) -> Self {
        self.mutant = mutant;
        match mutant {
            Mutant::DisksLie => self.disk.lies = true,
            Mutant::ForgetsRounds => {
                self.server = Server::RollsBack(true);
                (self.crash, self.attempts, self.safety) = (400, 12, 20_000);
                (self.budget, self.setting.noise) = (None, Noise::None);
                self.setting.levels.clear();
            }
            Mutant::TooManyColluders => {
                // Everybody but two honest members helps a server that shows each of the two another round.
                self.setting = Setting::new(6, 1, 4);
                self.members = 6;
                self.villains = (2..6).map(|member| (member, Villain::Informs)).collect();
                self.server = Server::Splits([0].into(), [1, 2, 3].into());
                self.budget = None;
            }
            Mutant::GivesUp | Mutant::BlamesAnyone | Mutant::RepeatsRoundIds => {
                (self.server, self.tight) = (Server::Honest, false);
            }
            Mutant::TellsMore | Mutant::TellsSecrets => self.server = Server::Meddles(300),
            Mutant::RevealsAnotherLevel | Mutant::StatesLess => self.loses_members(),
            Mutant::NoisesAgain => {
                // Much is heard twice, and then answered again.
                self.loses_members();
                (self.crash, self.answers_copies) = (0, true);
                self.network = NetworkFaults {
                    raw: true,
                    duplication: 300,
                    ..Self::calm(self.seed).network
                };
            }
            _ => {}
        }
        self
    }

    /// A cohort of six with layers of noise at one drop-out and at two, of which now and then one drops out.
    fn loses_members(&mut self) {
        self.setting = Setting {
            levels: vec![1, 2],
            ..Self::calm(self.seed).setting
        };
        (self.setting.cohort, self.setting.minimum_survivors) = (6, 4);
        (self.members, self.attempts, self.crash) = (6, 6, 60);
        (self.villains, self.server) = (BTreeMap::new(), Server::Honest);
        (self.budget, self.tight) = (Self::calm(self.seed).budget, false);
    }

    /// Whether, all faults healed, a round has to complete.
    pub fn must_live(&self) -> bool {
        self.server == Server::Honest && !self.tight
    }

    /// Lights the fuse of a process whose death is planned.
    pub fn light(&self, party: Party, fuse: &Fuse) {
        if let Some(Mishap::Death(planned, step, again)) = self.mishap
            && planned == party
        {
            fuse.light(step);
            fuse.light_again(again);
        }
    }

    /// The faults of a process's disk.
    pub fn disk_of(&self, party: Party) -> DiskFaults {
        let failed_at = match self.mishap {
            Some(Mishap::FailedWrite(planned, number)) if planned == party => Some(number),
            _ => None,
        };
        DiskFaults {
            failed_at,
            ..self.disk
        }
    }
}

/// n, c and m: mostly small, now and then a ring.
fn shape(chance: &mut Chance) -> (u16, u16, u16) {
    if chance.below(300) == 0 {
        return *chance.pick(&RINGS).unwrap_or(&(66, 2, 60));
    }
    let cohort = match chance.below(100) {
        0..62 => chance.between(3, 5),
        62..86 => chance.between(6, 9),
        86..97 => chance.between(10, 17),
        _ => chance.between(18, 30),
    };
    let most = cohort / 4;
    let colluders = if chance.hits(600) {
        chance.between(most.min(1), most)
    } else {
        chance.below(most + 1)
    };
    let possible: Vec<u64> = (1..=cohort)
        .filter(|minimum| {
            let narrow = |value: u64| u32::try_from(value).unwrap_or(0);
            RoundParameters::derive(narrow(cohort), narrow(colluders), narrow(*minimum)).is_ok()
        })
        .collect();
    // Few drop-outs are the usual case, many the interesting one.
    let minimum = chance.pick(&possible).copied().unwrap_or(cohort);
    let narrow = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
    (narrow(cohort), narrow(colluders), narrow(minimum))
}

fn draw_server(chance: &mut Chance, members: usize) -> Server {
    match chance.below(10) {
        0..7 => Server::Honest,
        7 => Server::Meddles(chance.between(20, 300)),
        8 => {
            let victims = 1 + chance.index(2);
            let victims = chance.sample(members, victims).into_iter().collect();
            Server::Splits(victims, chance.some(members, 500).into_iter().collect())
        }
        _ => Server::RollsBack(chance.hits(500)),
    }
}
