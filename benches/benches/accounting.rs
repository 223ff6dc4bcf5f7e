//! Epsilon of 10,000 rounds, and the budget that decides before each of them.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // A bench prints, and fails on a failed assumption.

use std::hint::black_box;

use criterion::Criterion;
use tacita_benches::{Effort, Race};
use tacita_privacy::account::FineOrders;
use tacita_privacy::account::pld::{LossBounds, LossDistribution, STEP};
use tacita_privacy::account::schedule::{GaussianRounds, GaussianSchedule, Sampling};
use tacita_privacy::{
    Adjacency, Adversary, Budget, BudgetFilter, Decimal, Plan, PlanRequest, RdpCurve, Release, SkellamRelease,
};

const ROUNDS: u32 = 10_000;

fn request() -> PlanRequest {
    PlanRequest {
        noise_levels: Vec::new(),
        mechanism: tacita_privacy::Mechanism::Skellam,
        records: None,
        epsilon: Some("8".parse().unwrap()),
        delta: delta(),
        rounds: ROUNDS,
        clients: 500,
        minimum_survivors: 475,
        colluders: 25,
        dimension: 650,
        block: None,
        clip: "1".parse().unwrap(),
    }
}

fn delta() -> Decimal {
    "0.0001".parse().unwrap()
}

/// One round's release at the survivors of this round: from m to n, so that no two neighbours are alike.
fn release(plan: &Plan, round: u32) -> Release {
    let Some(Release::Skellam(planned)) = plan.release_for(Adversary::Server { colluders: 25 }) else {
        unreachable!("a plan with an epsilon has noise")
    };
    Release::Skellam(SkellamRelease {
        honest_shares: planned.honest_shares + round % 26,
        ..planned
    })
}

/// All rounds alike: one curve, multiplied.
fn alike(plan: &Plan) -> Decimal {
    release(plan, 0)
        .curve()
        .times(u64::from(ROUNDS))
        .epsilon(delta())
        .unwrap()
}

/// Each round with its own survivors, as an auditor recomputes it from the ledger.
fn one_by_one(plan: &Plan) -> Decimal {
    (0..ROUNDS)
        .fold(RdpCurve::zero(), |sum, round| {
            sum.plus(&release(plan, round).curve())
        })
        .epsilon(delta())
        .unwrap()
}

/// Reserve and commit for every round, as the server and each client do before it starts.
fn filtered(plan: &Plan) -> u32 {
    let mut filter = BudgetFilter::new(Budget {
        epsilon: "8".parse().unwrap(),
        delta: delta(),
    })
    .unwrap();
    let mut granted = 0;
    for round in 0..ROUNDS {
        let Ok(ticket) = filter.reserve(release(plan, round)) else {
            break;
        };
        filter.commit(ticket).unwrap();
        granted += 1;
    }
    granted
}

/// The schedule that dp-accounting's figures are known for: 10,000 rounds of Gaussian noise, q = 0.01, noise multiplier 1.
fn sampled() -> GaussianSchedule {
    let rounds = GaussianRounds {
        noise_multiplier: 1.0,
        sampling: Sampling::Poisson(0.01),
        count: u64::from(ROUNDS),
    };
    GaussianSchedule::new(vec![rounds], Adjacency::AddRemove).unwrap()
}

/// Its loss distribution from nothing: tabulated, composed in both directions, and read.
fn losses(step: f64) -> LossBounds {
    let losses = LossDistribution::gaussian(&sampled(), step, 1e-6).unwrap();
    losses.epsilon(1e-6).unwrap()
}

/// Fifty kinds of rounds, twenty of each.
fn fifty_kinds() -> LossBounds {
    let rounds = (0..50).map(|i| GaussianRounds {
        noise_multiplier: 1.0 + f64::from(i) * 0.05,
        sampling: Sampling::Poisson(0.01),
        count: 20,
    });
    let schedule = GaussianSchedule::new(rounds.collect(), Adjacency::AddRemove).unwrap();
    let losses = LossDistribution::gaussian(&schedule, 1e-3, 1e-6).unwrap();
    losses.epsilon(1e-6).unwrap()
}

fn moments() -> f64 {
    sampled().curve::<FineOrders>().epsilon_bound(1e-6).unwrap()
}

fn groups(criterion: &mut Criterion) {
    let plan = Plan::calibrate(request()).unwrap();
    criterion.bench_function("epsilon of 10,000 rounds, all alike", |b| {
        b.iter(|| alike(black_box(&plan)))
    });
    criterion.bench_function("epsilon of 10,000 rounds, one by one", |b| {
        b.iter(|| one_by_one(black_box(&plan)))
    });
    criterion.bench_function("losses of 10,000 sampled rounds, step 1e-4", |b| {
        b.iter(|| losses(black_box(STEP)))
    });
    criterion.bench_function("losses of 10,000 sampled rounds, step 1e-3", |b| {
        b.iter(|| losses(black_box(1e-3)))
    });
    criterion.bench_function("losses of 50 kinds of rounds, step 1e-3", |b| b.iter(fifty_kinds));
    criterion.bench_function("moments of 10,000 sampled rounds", |b| b.iter(moments));
    let one = release(&plan, 0).curve();
    let sum = one.times(u64::from(ROUNDS));
    criterion.bench_function("one more charge on a running curve", |b| {
        b.iter(|| black_box(&sum).plus(black_box(&one)))
    });
}

fn report(effort: Effort) {
    let plan = Plan::calibrate(request()).unwrap();
    println!("\n10,000 rounds, n = 500, m = 475, c = 25, planned for epsilon 8 at delta 0.0001");
    println!(
        "    epsilon {} if all rounds end with m survivors; {} with m to n of them; the filter grants {} rounds",
        alike(&plan),
        one_by_one(&plan),
        filtered(&plan)
    );
    let found = losses(STEP);
    println!(
        "    sampled rounds: epsilon within [{}, {}] at delta 1e-6, {} by moments",
        found.lower,
        found.upper,
        moments()
    );
    println!(
        "    {:<44} {:>10} {:>10} {:>10}  ms",
        "", "best", "median", "worst"
    );
    let spreads = Race::new()
        .enter("epsilon, all alike", || alike(&plan))
        .enter("epsilon, one by one", || one_by_one(&plan))
        .enter("budget filter, reserve and commit each", || filtered(&plan))
        .enter("calibration of the plan", || Plan::calibrate(request()).unwrap())
        .enter("losses of sampled rounds, step 1e-4", || losses(STEP))
        .enter("losses of sampled rounds, step 1e-3", || losses(1e-3))
        .enter("losses of 50 kinds of rounds, step 1e-3", fifty_kinds)
        .enter("moments of sampled rounds", moments)
        .run(effort.laps());
    for spread in spreads {
        let [best, median, worst] =
            [spread.best(), spread.median(), spread.worst()].map(|lap| lap.as_secs_f64() * 1e3);
        println!(
            "    {:<44} {best:>10.3} {median:>10.3} {worst:>10.3}",
            spread.name
        );
    }
}

fn main() {
    let mut criterion = tacita_benches::criterion();
    groups(&mut criterion);
    criterion.final_summary();
    let effort = Effort::from_args();
    if effort != Effort::None {
        report(effort);
    }
}
