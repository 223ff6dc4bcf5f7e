//! What the releases so far cost each adversary.

use std::collections::{BTreeMap, HashSet};

use tacita_privacy::{Decimal, ORDERS, RdpCurve, Release};

use super::charge::Noise;
use super::model::{RenyiBound, Spent};

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
    releases: BTreeMap<Release, u64>,
    /// The sum of their curves, one by one, and of their draws.
    curve: RdpCurve,
    draws: u128,
    /// Something was released whose noise this adversary knows, or that has none.
    bare: bool,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            releases: BTreeMap::new(),
            curve: RdpCurve::zero(),
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
        let count = self.releases.entry(release).or_insert(0);
        *count = count.saturating_add(1);
        self.curve = self.curve.plus(&release.curve());
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
            |curve: RdpCurve, (release, &count): (&Release, &u64)| curve.plus(&release.curve().times(count));
        Some(self.releases.iter().fold(RdpCurve::zero(), sum))
    }

    /// Epsilon of everything so far, rounded up; `None` if no finite value can be certified.
    pub(super) fn epsilon(&self, delta: Option<Decimal>) -> Option<Decimal> {
        self.epsilon_of(self.total().as_ref(), delta)
    }

    fn epsilon_of(&self, total: Option<&RdpCurve>, delta: Option<Decimal>) -> Option<Decimal> {
        let total = total?;
        if self.releases.is_empty() {
            return Some(Decimal::ZERO);
        }
        total.epsilon_with_sampler(delta?, self.draws).ok()
    }
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

    /// The whole guarantee: epsilon at each delta of [`CURVE_DELTAS`], and the Renyi bounds behind it. Empty before the first
    /// charge.
    pub(super) fn guarantee(&self) -> (Vec<Spent>, Vec<RenyiBound>) {
        if self.rounds.is_empty() {
            return (Vec::new(), Vec::new());
        }
        let (server, public) = (self.server.total(), self.public.total());
        let deltas = CURVE_DELTAS.iter().filter_map(|delta| delta.parse().ok());
        let curve = deltas.map(|delta| Spent {
            delta: Some(delta),
            epsilon_server: self.server.epsilon_of(server.as_ref(), Some(delta)),
            epsilon_public: self.public.epsilon_of(public.as_ref(), Some(delta)),
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
        (curve.collect(), renyi.collect())
    }
}
