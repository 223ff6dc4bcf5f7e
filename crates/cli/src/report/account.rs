//! What the releases so far cost each adversary.

use std::collections::{BTreeMap, HashSet};

use tacita_privacy::account::gaussian::GaussianPrivacy;
use tacita_privacy::{Concentrated, Decimal, ORDERS, RdpCurve, Release};

use super::charge::Noise;
use super::method::{self, Kinds};
use super::model::{Equivalent, Method, RenyiBound, Spent};
use super::text;

/// Distinct releases that are summed anew for every row.
pub(super) const MAX_DISTINCT: usize = 512;

/// Where the curve of epsilon over delta is read.
pub(super) const CURVE_DELTAS: [&str; 15] = [
    "0.01",
    "0.003",
    "0.001",
    "0.0003",
    "0.0001",
    "0.00003",
    "0.00001",
    "0.000003",
    "0.000001",
    "0.0000003",
    "0.0000001",
    "0.00000003",
    "0.00000001",
    "0.000000001",
    "0.0000000001",
];

/// Releases in one adversary's view.
#[derive(Debug)]
pub(super) struct Account {
    releases: BTreeMap<Release, (u64, RdpCurve, Concentrated)>,
    /// The sum of their curves, one by one, of their lines, and of their draws.
    curve: RdpCurve,
    line: Concentrated,
    draws: u128,
    /// Something was released whose noise this adversary knows, or that has none.
    bare: bool,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            releases: BTreeMap::new(),
            curve: RdpCurve::zero(),
            line: Concentrated::NOTHING,
            draws: 0,
            bare: false,
        }
    }
}

impl Account {
    fn charge(&mut self, release: Option<Release>) {
        let Some(release) = release else {
            self.bare = true;
            return;
        };
        // Once for all that are equal: tau of a sum of discrete Gaussians takes one step a share.
        let (count, curve, line) = self
            .releases
            .entry(release)
            .or_insert_with(|| (0, release.curve(), release.concentrated()));
        *count = count.saturating_add(1);
        self.curve = self.curve.plus(curve);
        self.line = self.line.plus(*line);
        self.draws = self.draws.saturating_add(release.draws());
    }

    /// The sum of all curves; `None` if something was released that no curve covers.
    pub(super) fn total(&self) -> Option<RdpCurve> {
        if self.bare {
            return None;
        }
        // Equal releases are multiplied, as a budget filter does: fewer roundings, so that an honest claim made that
        // way is met to the last digit. A ledger made to have no equal ones must not cost the reader hours.
        if self.releases.len() > MAX_DISTINCT {
            return Some(self.curve.clone());
        }
        let sum =
            |sum: RdpCurve, (count, curve, _): &(u64, RdpCurve, Concentrated)| sum.plus(&curve.times(*count));
        Some(self.releases.values().fold(RdpCurve::zero(), sum))
    }

    /// The sum of all lines; `None` as for [`Account::total`].
    pub(super) fn line(&self) -> Option<Concentrated> {
        (!self.bare).then_some(self.line)
    }

    /// Epsilon of everything so far, rounded up: the least that a proved accountant gives. `None` if no finite value can be
    /// certified.
    pub(super) fn epsilon(&self, delta: Option<Decimal>) -> Option<Decimal> {
        let total = self.total();
        least(ACCOUNTANTS.map(|by| self.epsilon_of(by, total.as_ref(), delta)))
    }

    fn epsilon_of(
        &self,
        by: Accountant,
        total: Option<&RdpCurve>,
        delta: Option<Decimal>,
    ) -> Option<Decimal> {
        let total = total?;
        if self.releases.is_empty() {
            return Some(Decimal::ZERO);
        }
        match by {
            Accountant::Renyi => total.epsilon_with_sampler(delta?, self.draws),
            Accountant::Concentrated => self.line.epsilon_with_sampler(delta?, self.draws),
        }
        .ok()
    }
}

/// How epsilon is computed. Each is an upper bound that is proved for Skellam noise, for sums of discrete Gaussians, and for both in one
/// task, of clients or of sampled records; loss distributions are not, for vectors of which only norms are known.
#[derive(Debug, Clone, Copy)]
enum Accountant {
    /// Renyi bounds at integer orders.
    Renyi,
    /// Concentrated privacy, at every order above 1.
    Concentrated,
}

const ACCOUNTANTS: [Accountant; 2] = [Accountant::Renyi, Accountant::Concentrated];

/// The least of those that there are.
fn least(values: impl IntoIterator<Item = Option<Decimal>>) -> Option<Decimal> {
    values.into_iter().flatten().min()
}

/// What both adversaries have seen of something.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) server: Account,
    pub(super) public: Account,
    /// The smallest delta stated for any of it.
    pub(super) delta: Option<Decimal>,
    /// Rounds that were charged.
    pub(super) rounds: HashSet<u64>,
}

impl Accounts {
    pub(super) fn charge(&mut self, noise: &Noise) {
        self.server.charge(noise.server);
        self.public.charge(noise.public);
        self.delta = match (self.delta, noise.delta) {
            (Some(old), Some(new)) => Some(old.min(new)),
            (old, new) => old.or(new),
        };
    }

    pub(super) fn spent(&self, delta: Option<Decimal>) -> Spent {
        Spent {
            delta,
            epsilon_server: self.server.epsilon(delta),
            epsilon_public: self.public.epsilon(delta),
        }
    }

    /// The whole guarantee; nothing before the first charge.
    pub(super) fn guarantee(&self) -> Guarantee {
        if self.rounds.is_empty() {
            return Guarantee::default();
        }
        let (server, public) = (self.server.total(), self.public.total());
        let of = |by, delta| Spent {
            delta,
            epsilon_server: self.server.epsilon_of(by, server.as_ref(), delta),
            epsilon_public: self.public.epsilon_of(by, public.as_ref(), delta),
        };
        let deltas = || {
            CURVE_DELTAS
                .iter()
                .filter_map(|delta| delta.parse().ok())
                .map(Some)
        };
        let curve = deltas().map(|delta| {
            let points = ACCOUNTANTS.map(|by| of(by, delta));
            Spent {
                delta,
                epsilon_server: least(points.map(|point| point.epsilon_server)),
                epsilon_public: least(points.map(|point| point.epsilon_public)),
            }
        });
        let best = self.spent(self.delta);
        let methods = ACCOUNTANTS.map(|by| {
            let spent = of(by, self.delta);
            Method {
                name: self.name(by),
                version: text::SOFTWARE,
                direction: text::DIRECTION,
                epsilon_server: spent.epsilon_server,
                epsilon_public: spent.epsilon_public,
                is_tightest: spent.epsilon_server.is_some() && spent.epsilon_server == best.epsilon_server,
                curve: deltas().map(|delta| of(by, delta)).collect(),
            }
        });
        let bound = |curve: &Option<RdpCurve>, order| {
            let value = curve.as_ref()?.at(order)?;
            value.is_finite().then_some(value)
        };
        let renyi = ORDERS.into_iter().map(|order| RenyiBound {
            order,
            server: bound(&server, order),
            public: bound(&public, order),
        });
        Guarantee {
            curve: curve.collect(),
            renyi: renyi.collect(),
            methods: methods.into(),
            equivalents: self.equivalents(&best),
        }
    }

    fn name(&self, by: Accountant) -> &'static str {
        let kinds = Kinds::of(self.server.releases.keys().chain(self.public.releases.keys()));
        match by {
            Accountant::Renyi => kinds.renyi(),
            Accountant::Concentrated => kinds.lines(),
        }
    }

    fn equivalents(&self, best: &Spent) -> Vec<Equivalent> {
        let line = |account: &Account| account.line().filter(|line| line.rho.is_finite());
        let (server, public) = (line(&self.server), line(&self.public));
        let gaussian = |epsilon: Option<Decimal>| {
            let delta = best.delta?.to_f64();
            let epsilon = epsilon.filter(|epsilon| !epsilon.is_zero())?.to_f64();
            GaussianPrivacy::largest(epsilon, delta)
                .ok()
                .map(|found| found.mu())
        };
        let of = |name, proven, what, server, public| Equivalent {
            name,
            proven,
            what,
            server,
            public,
        };
        let rho = |line: Option<Concentrated>| line.map(|line| line.rho);
        let xi = |line: Option<Concentrated>| line.map(|line| line.xi);
        vec![
            of("zCDP rho", true, method::LINE, rho(server), rho(public)),
            of("zCDP xi", true, method::LINE, xi(server), xi(public)),
            of(
                "GDP mu",
                false,
                method::GAUSSIAN,
                gaussian(best.epsilon_server),
                gaussian(best.epsilon_public),
            ),
        ]
    }
}

/// Everything that is said about the charges of a task together.
#[derive(Debug, Default)]
pub(super) struct Guarantee {
    /// Epsilon at each delta of [`CURVE_DELTAS`].
    pub(super) curve: Vec<Spent>,
    /// The Renyi bounds behind it.
    pub(super) renyi: Vec<RenyiBound>,
    /// Each accountant alone.
    pub(super) methods: Vec<Method>,
    /// The same in other notions of privacy.
    pub(super) equivalents: Vec<Equivalent>,
}

#[cfg(test)]
mod tests;
