//! The pitfalls P1 to P22 that were found in other implementations of secure aggregation, each as the attack that works
//! there and fails here. The table in `protocol-spec/01-threat-model.md` section 5 says where each was seen and what its tests
//! show. A test is named after its pitfall and says in one sentence what would count as failure.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

mod desk;
mod leaks;
mod lists;
mod manifests;
mod masks;
mod noise;
mod rounds;
mod secrets;
mod trust;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use tacita_privacy::{Budget, BudgetFilter};
use tacita_protocol::{Abort, Refusal, RoundError};
use tacita_sim::{Attack, Cast, MemoryRecord, Noise, Plan, Report, Setting, State, World, plain};

static CAST: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(4, 71).unwrap()));

/// n = 4, c = 1, m = 3: t = Q = 3.
fn four(seed: u64) -> World {
    World::new(CAST.clone(), Setting::new(4, 1, 3), seed).unwrap()
}

/// The same with vectors long enough for statistics.
fn long(seed: u64) -> World {
    let mut world = four(seed);
    world.setting().dimension = LONG;
    world.setting().chunk = 1024;
    world
}

/// Values of [`long`].
const LONG: u32 = 4096;

/// Variance of a share of [`noisy`], in grid steps; the clip norm is [`GRID`] steps.
const SHARE_VARIANCE: u32 = 768_000;
const GRID: u32 = 1024;

/// A world with noise, whose members have budgets.
fn noisy(seed: u64, epsilon: &str) -> World {
    let mut world = four(seed);
    world.setting().noise = Noise::Skellam(u64::from(SHARE_VARIANCE) << 16);
    world.setting().grid = GRID;
    for member in 0..4 {
        let budget = Budget {
            epsilon: epsilon.parse().unwrap(),
            delta: "0.00001".parse().unwrap(),
        };
        *world.record(member).unwrap() = MemoryRecord::new(Some(BudgetFilter::new(budget).unwrap()));
    }
    world
}

fn run(world: &mut World, mut attack: impl Attack) -> Report {
    world.run(&Plan::new(), &mut attack).unwrap()
}

/// Of all that the server and its colluders know, at most one sum can be unmasked: the honest part of one agreed U2,
/// of at least m - c members; and nobody revealed shares of both secrets of one dealer.
#[track_caller]
fn private(report: &Report) {
    assert!(report.knowledge.double_reveals().is_empty());
    assert_eq!(report.knowledge.unclassified(), 0);
    let exposed = report.knowledge.exposed();
    assert!(exposed.len() <= 1, "two sums are exposed: {exposed:?}");
    let fields = report.manifest.fields();
    let floor = usize::from(fields.minimum_survivors - fields.colluders);
    for set in &exposed {
        assert!(set.len() >= floor, "a sum over {set:?} is exposed");
        for sum in report.views.iter().filter_map(|view| view.result.as_ref().ok()) {
            let agreed: BTreeSet<usize> = sum.survivors.iter().copied().collect();
            assert!(
                set.is_subset(&agreed),
                "{set:?} is exposed, {agreed:?} was agreed"
            );
        }
    }
}

/// As [`private`], and not even a sum is exposed.
#[track_caller]
fn nothing_exposed(report: &Report) {
    private(report);
    assert_eq!(report.knowledge.exposed(), Vec::<BTreeSet<usize>>::new());
}

/// The round ended in the exact sum of these members.
#[track_caller]
fn exact(report: &Report, survivors: &[usize]) {
    let sum = report.result().unwrap_or_else(|error| panic!("no sum: {error}"));
    assert_eq!(sum.survivors, survivors);
    assert!(plain::is_exact(report, sum), "not the sum of the survivors");
}

#[track_caller]
fn aborted(report: &Report, abort: &Abort) {
    assert_eq!(report.result().err(), Some(&RoundError::Abort(abort.clone())));
}

/// These members refused for this reason, and no other member refused.
#[track_caller]
fn refused(report: &Report, members: &[usize], reason: &Refusal) {
    for (member, client) in report.clients.iter().enumerate() {
        let expected = members.contains(&member).then_some(reason);
        assert_eq!(report.refusal(member), expected, "member {member}");
        assert_eq!(
            client.state == State::Refused,
            expected.is_some(),
            "member {member}"
        );
    }
}

/// Pearson's statistic of byte values, 255 degrees of freedom: uniform bytes stay within [`UNIFORM`].
fn chi_square(bytes: impl IntoIterator<Item = u8>) -> f64 {
    let (mut counts, mut total) = ([0u32; 256], 0u32);
    for byte in bytes {
        counts[usize::from(byte)] += 1;
        total += 1;
    }
    let expected = f64::from(total) / 256.0;
    counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum()
}

/// 255 and six standard deviations of 22.6 on either side.
const UNIFORM: std::ops::Range<f64> = 119.0..391.0;
