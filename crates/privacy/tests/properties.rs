//! Properties for arbitrary input: the integer bound on any vector, exact decimals, budgets under any order of events.

// A failed assumption in a test is a failed test.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacita_algebra::RingBits;
use tacita_privacy::*;

fn any_finite() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -1.0f32..1.0,
        2 => any::<f32>().prop_filter("finite", |x| x.is_finite()),
        1 => Just(f32::MAX),
        1 => Just(f32::MIN_POSITIVE / 8.0),
        1 => Just(0.0f32),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the floats, what leaves is within the integer sensitivity: the statement all privacy rests on.
    #[test]
    fn encoded_vectors_stay_within_the_sensitivity(
        values in prop::collection::vec(any_finite(), 1..300),
        log_grid in 0u32..=24,
        clip in 1u64..1_000_000_000,
        seed in any::<u8>(),
    ) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed.into());
        let clip = Decimal::new(clip, 6).unwrap();
        let bits = RingBits::new(30).unwrap();
        let encoding = Encoding::new(values.len() as u32, clip, 1 << log_grid, bits, [seed; 32]).unwrap();
        let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 1).unwrap();
        let clipped = LocalUpdate::new(values).unwrap().clip(&encoding).unwrap();
        let mut ticket = BudgetTicket::without_any_privacy_promise();
        let noised = clipped.encode(&headroom, &mut rng).unwrap().noise(&mut ticket, &mut rng).unwrap();
        let integers = noised.dangerous_into_ring().to_signed();
        prop_assert_eq!(integers.len(), encoding.padded() as usize);
        let squares: u128 = integers.iter().map(|&x| u128::from(x.unsigned_abs()).pow(2)).sum();
        let magnitudes: u128 = integers.iter().map(|&x| u128::from(x.unsigned_abs())).sum();
        prop_assert!(squares <= encoding.squared_l2_sensitivity());
        prop_assert!(magnitudes <= encoding.l1_sensitivity());
    }

    #[test]
    fn decimals_round_trip_and_order_like_numbers(
        a in 0u64..1_000_000_000_000_000_000, p in 0u8..=18,
        b in 0u64..1_000_000_000_000_000_000, q in 0u8..=18,
    ) {
        let (x, y) = (Decimal::new(a, p).unwrap(), Decimal::new(b, q).unwrap());
        prop_assert_eq!(Decimal::from_canonical(&x.to_string()), Ok(x));
        let (left, right) = (
            u128::from(a) * 10u128.pow(18 - u32::from(p)),
            u128::from(b) * 10u128.pow(18 - u32::from(q)),
        );
        prop_assert_eq!(x.cmp(&y), left.cmp(&right));
        prop_assert_eq!(x == y, left == right);
        prop_assert!((x.to_f64() - x.to_string().parse::<f64>().unwrap()).abs() <= x.to_f64() * 5e-16);
    }

    #[test]
    fn no_order_of_events_passes_the_budget(events in prop::collection::vec((0u8..4, 1u32..40), 1..60)) {
        let budget = Budget { epsilon: "3".parse().unwrap(), delta: "0.00001".parse().unwrap() };
        let mut filter = BudgetFilter::new(budget).unwrap();
        let (mut tickets, mut charged) = (Vec::new(), 0u64);
        for (event, honest) in events {
            let release = Release::Skellam(SkellamRelease {
                grid: 256, padded: 256, share_variance_q16: 1_000_000 << 16, honest_shares: honest, shares: 50,
            });
            match event {
                0 | 1 => if let Ok(ticket) = filter.reserve(release) { tickets.push(ticket) },
                2 => if let Some(ticket) = tickets.pop() { filter.commit(ticket).unwrap(); charged += 1 },
                _ => if let Some(ticket) = tickets.pop() { filter.release(ticket).unwrap() },
            }
            prop_assert!(filter.spent().epsilon(budget.delta).unwrap() <= budget.epsilon);
            let state = filter.state();
            prop_assert_eq!(state.committed.iter().map(|&(_, count)| count).sum::<u64>(), charged);
            prop_assert_eq!(state.reserved.len(), tickets.len());
            prop_assert_eq!(BudgetFilter::restore(state.clone()).unwrap().state(), state);
        }
    }

    /// A rule from anybody's manifest or ledger is refused, or steps from every clip norm that it can give, and stays within its bounds.
    #[test]
    fn clip_rules_step_or_are_refused(
        digits in prop::array::uniform5(prop_oneof![0u64..1_000_000_000_000_000_000, 1u64..1_000_000_000, 0u64..3, Just(999_999_999_999_999_999)]),
        places in prop::array::uniform5(0u8..=18),
        within in 0u64..=1_000_000,
        at in 0usize..3,
    ) {
        let parts: Vec<Decimal> = digits.iter().zip(places).map(|(&digits, places)| Decimal::new(digits, places).unwrap()).collect();
        let mut norms = [parts[2], parts[3], parts[4]];
        norms.sort();
        let (quantile, rate) = (Decimal::new(digits[0] % 999_999 + 1, 6).unwrap(), Decimal::new(digits[1] % 2_000_000 + 1, 6).unwrap());
        for (quantile, rate) in [(parts[0], parts[1]), (quantile, rate)] {
            if let Ok(rule) = ClipRule::new(quantile, rate, norms[1], (norms[0], norms[2])) {
                let share = Decimal::new(within, 6).unwrap();
                let next = rule.next(norms[at], share).unwrap();
                prop_assert!(norms[0] <= next && next <= norms[2]);
                prop_assert_eq!(ClipRule::parse(&rule.to_string()), Ok(rule));
            }
        }
    }
}
