//! The filter refuses in time, never forgets a charge, and survives a restart.

use super::*;
use crate::account::SkellamRelease;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn budget() -> Budget {
    Budget {
        epsilon: d("4"),
        delta: d("0.00001"),
    }
}

/// About a tenth of the budget each.
fn release(honest_shares: u32) -> Release {
    Release::Skellam(SkellamRelease {
        grid: 256,
        padded: 1024,
        share_variance_q16: 1_500_000 << 16,
        honest_shares,
        shares: 2 * honest_shares,
    })
}

#[test]
fn refuses_before_the_budget_is_exceeded_and_not_much_earlier() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    let rounds = filter.rounds_left(&release(1));
    assert!(rounds > 5, "the test needs a few rounds, got {rounds}");
    for _ in 0..rounds {
        let ticket = filter.reserve(release(1)).unwrap();
        filter.commit(ticket).unwrap();
        let epsilon = filter.spent().epsilon(d("0.00001")).unwrap();
        assert!(epsilon <= d("4"));
    }
    assert_eq!(filter.rounds_left(&release(1)), 0);
    let refused = filter.reserve(release(1)).map(|_| ());
    assert!(matches!(refused, Err(BudgetRefusal::Exhausted { .. })));
    // A refusal changes nothing, and a cheaper release may still fit.
    assert_eq!(filter.state().committed, vec![(release(1), rounds)]);
    let one_more = filter
        .spent()
        .plus(&release(1).curve())
        .epsilon(d("0.00001"))
        .unwrap();
    assert!(one_more > d("3.95"), "stopped too early, at {one_more}");
}

#[test]
fn reservations_count_until_released_and_charges_for_ever() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    let rounds = filter.rounds_left(&release(1));
    let ticket = filter.reserve(release(1)).unwrap();
    assert_eq!(filter.rounds_left(&release(1)), rounds - 1);
    filter.release(ticket).unwrap();
    assert_eq!(filter.rounds_left(&release(1)), rounds);
    let ticket = filter.reserve(release(1)).unwrap();
    let id = ticket.reservation().unwrap();
    filter.commit(ticket).unwrap();
    assert_eq!(filter.rounds_left(&release(1)), rounds - 1);
    // Settled: no ticket comes back for it.
    assert!(filter.resume(id).is_none());
    // A forgotten ticket keeps its reservation.
    drop(filter.reserve(release(1)).unwrap());
    assert_eq!(filter.rounds_left(&release(1)), rounds - 2);
}

#[test]
fn a_forced_charge_may_pass_the_budget_and_blocks_what_follows() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    let rounds = filter.rounds_left(&release(1));
    for _ in 0..=rounds {
        filter.charge_regardless(release(1));
    }
    assert!(filter.spent().epsilon(d("0.00001")).unwrap() > d("3.95"));
    assert!(filter.reserve(release(1000)).is_err());
}

#[test]
fn tickets_of_another_budget_or_of_none_settle_nothing() {
    let (mut one, mut two) = (
        BudgetFilter::new(budget()).unwrap(),
        BudgetFilter::new(budget()).unwrap(),
    );
    let foreign = two.reserve(release(2)).unwrap();
    let own = one.reserve(release(3)).unwrap();
    assert_eq!(foreign.reservation(), own.reservation());
    assert_eq!(one.commit(foreign), Err(BudgetMisuse::UnknownTicket));
    assert_eq!(one.state().reserved, vec![(0, release(3))]);
    let none = BudgetTicket::without_any_privacy_promise();
    assert_eq!(one.release(none), Err(BudgetMisuse::NoCharge));
    one.release(own).unwrap();
}

#[test]
fn state_survives_a_restart_in_full() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    let ticket = filter.reserve(release(1)).unwrap();
    filter.commit(ticket).unwrap();
    filter.charge_regardless(release(2));
    let ticket = filter.reserve(release(5)).unwrap();
    let id = ticket.reservation().unwrap();
    let text = serde_json::to_string(&filter.state()).unwrap();
    assert!(
        text.starts_with(
            r#"{"budget":{"epsilon":"4","delta":"0.00001"},"committed":[[{"skellam":{"grid":256,"#
        )
    );

    let mut back = BudgetFilter::restore(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(back.state(), filter.state());
    assert_eq!(back.spent(), filter.spent());
    assert_eq!(back.rounds_left(&release(1)), filter.rounds_left(&release(1)));
    let resumed = back.resume(id).unwrap();
    assert!(back.resume(id).is_none(), "one ticket a reservation");
    back.commit(resumed).unwrap();
    assert!(back.state().reserved.is_empty());
    assert_eq!(back.state().committed.len(), 3);
    // The numbers go on: a new reservation is not mistaken for an old one.
    assert_eq!(back.reserve(release(1)).unwrap().reservation(), Some(id + 1));
}

#[test]
fn a_doctored_state_is_refused() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    filter.charge_regardless(release(1));
    let _ = filter.reserve(release(1)).unwrap();
    let good = filter.state();
    let mut twice = good.clone();
    twice.committed.push((release(1), 1));
    assert!(matches!(BudgetFilter::restore(twice), Err(BudgetMisuse::State)));
    let mut zero = good.clone();
    zero.committed[0].1 = 0;
    assert!(matches!(BudgetFilter::restore(zero), Err(BudgetMisuse::State)));
    let mut number = good.clone();
    number.next = 0;
    assert!(matches!(BudgetFilter::restore(number), Err(BudgetMisuse::State)));
    assert!(BudgetFilter::restore(good).is_ok());
}

#[test]
fn unusable_budgets_are_named() {
    let make = |epsilon: &str, delta: &str| {
        BudgetFilter::new(Budget {
            epsilon: d(epsilon),
            delta: d(delta),
        })
        .map(|_| ())
    };
    for (epsilon, delta) in [("0", "0.1"), ("101", "0.1"), ("1", "0"), ("1", "0.6")] {
        assert!(
            matches!(make(epsilon, delta), Err(BudgetRefusal::Range { .. })),
            "{epsilon} {delta}"
        );
    }
    assert!(matches!(
        make("0.01", "0.000000000001"),
        Err(BudgetRefusal::TooSmall { .. })
    ));
    // At epsilon 60 the sampler's error alone is beyond any delta.
    let mut filter = BudgetFilter::new(Budget {
        epsilon: d("60"),
        delta: d("0.00001"),
    })
    .unwrap();
    assert!(matches!(
        filter.reserve(release(10)),
        Err(BudgetRefusal::SamplerError { .. })
    ));
}

#[test]
fn open_reservations_are_bounded() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    for _ in 0..BudgetFilter::MAX_OPEN {
        let _ = filter.reserve(release(1_000_000)).unwrap();
    }
    assert!(matches!(
        filter.reserve(release(1_000_000)),
        Err(BudgetRefusal::TooManyOpen)
    ));
}

/// Failure: deciding on a round, or charging it, costs more the more was charged before.
#[test]
fn a_charge_costs_the_same_however_many_there_were() {
    let mut filter = BudgetFilter::new(budget()).unwrap();
    let curves_of_one_more = |filter: &mut BudgetFilter, honest_shares: u32| {
        let before = crate::account::made::so_far();
        let ticket = filter.reserve(release(honest_shares)).unwrap();
        filter.commit(ticket).unwrap();
        crate::account::made::so_far() - before
    };
    // Rounds of as many kinds as there are, so that nothing can be multiplied; each costs next to nothing.
    let mut seen = BTreeSet::new();
    for honest_shares in 10_000..12_000 {
        seen.insert(curves_of_one_more(&mut filter, honest_shares));
    }
    assert!(seen.iter().all(|&curves| curves <= 2), "{seen:?}");
    // Another of the last kind needs no curve at all.
    assert_eq!(curves_of_one_more(&mut filter, 11_999), 0);
    assert_eq!(filter.state().committed.len(), 2000);
    let restored = BudgetFilter::restore(filter.state()).unwrap();
    let (live, again) = (filter.spent(), restored.spent());
    for order in ORDERS {
        let (a, b) = (live.at(order).unwrap(), again.at(order).unwrap());
        assert!((a / b - 1.0).abs() < 1e-12, "{order}: {a} {b}");
    }
}
