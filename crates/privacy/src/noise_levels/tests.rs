//! Exact integers: never under V, at most 5 % over when everybody reveals, for every number of survivors.

use serde_json::Value;

use super::*;

/// (n, m, c) of rounds with 5, 10, 20 and 25 % drop-outs, small and large.
const COHORTS: [(u32, u32, u32); 12] = [
    (4, 3, 1),
    (10, 8, 1),
    (20, 18, 1),
    (20, 15, 1),
    (50, 40, 2),
    (100, 95, 5),
    (100, 90, 5),
    (100, 80, 5),
    (100, 75, 5),
    (500, 400, 25),
    (1000, 800, 50),
    (1000, 750, 50),
];

/// Shares that divide nothing evenly.
const SHARES: [u64; 3] = [6_553_600_001, 153_391_689_331, NoiseShare::MAX_VARIANCE_Q16 - 7];

#[test]
fn honest_survivors_hold_v_and_at_most_five_percent_more() {
    for (n, m, c) in COHORTS {
        let found = FoundLevels::find(n, m, c).unwrap();
        assert!(found.meets_target(), "{n} {m} {c}: {found:?}");
        for share in SHARES {
            let total = u128::from(share) * u128::from(m - c);
            let levels = NoiseLevels::derive((n, m, c), share, &found.dropouts).unwrap();
            assert_eq!(levels.share_variance_q16(), share, "all layers are the share");
            let mut worst = 0;
            for survivors in m..=n {
                let kept = levels.kept_variance_q16(survivors);
                let honest = u128::from(kept) * u128::from(survivors - c);
                assert!(
                    honest >= total,
                    "{n} {m} {c}: {survivors} survivors keep too little"
                );
                assert!(
                    20 * honest <= 21 * total,
                    "{n} {m} {c}: {survivors} survivors keep too much"
                );
                worst = worst.max((honest * 1000).div_ceil(total) - 1000);
                // What is kept is some level's, and the surplus starts right behind it.
                let rest = &levels.levels()[levels.layers_kept(survivors)..];
                let surplus: u64 = rest.iter().map(|level| level.variance_q16).sum();
                assert_eq!(kept + surplus, share);
                let first = levels.first_surplus(survivors);
                assert_eq!(first.is_some(), !rest.is_empty());
                assert!(first.is_none_or(|first| first == levels.layers_kept(survivors) + 1));
            }
            // What the levels are said to reach is what they reach, but for the rounding up of each K_l.
            let said = u128::from(found.excess_per_mille);
            assert!(
                (said..=said + 1).contains(&worst) || worst + 1 == said,
                "{worst} {said}"
            );
            assert_eq!(
                levels.kept_variance_q16(m),
                share,
                "at |U2| = m nothing is surplus"
            );
        }
    }
}

#[test]
fn layers_kept_by_hand() {
    // n = 100, c = 5: 95, 85, 75 honest survivors of a total of 75 x 1,000,000.
    let levels = NoiseLevels::derive((100, 80, 5), 1_000_000, &[10, 20]).unwrap();
    assert_eq!(levels.base_variance_q16(), 789_474); // 75 / 95, rounded up
    let variances: Vec<u64> = levels.levels().iter().map(|level| level.variance_q16).collect();
    assert_eq!(variances, [882_353 - 789_474, 1_000_000 - 882_353]); // 75 / 85
    for (survivors, kept, first) in [
        (101, 0, Some(1)),
        (100, 0, Some(1)),
        (99, 1, Some(2)),
        (90, 1, Some(2)),
        (89, 2, None),
        (80, 2, None),
        (79, 2, None),
    ] {
        assert_eq!(levels.layers_kept(survivors), kept, "{survivors}");
        assert_eq!(levels.first_surplus(survivors), first, "{survivors}");
    }
    assert_eq!(levels.to_string(), "10,20");
    assert_eq!(parse_dropouts("10,20"), Some(vec![10, 20]));
    for other in ["", ",", "10,", "010", "+1", "1, 2", "4294967296", "-1", "1;2"] {
        assert_eq!(parse_dropouts(other), None, "{other:?}");
    }
}

/// One level for every drop-out and no colluders: the golden values of XNoise itself.
#[test]
fn golden_components() {
    let text = include_str!("../../tests/golden/xnoise.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let cases: Vec<&Value> = document["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["name"] == "xnoise_components")
        .collect();
    assert!(!cases.is_empty(), "no golden case");
    let mut compared = 0;
    for case in cases {
        let params = &case["params"];
        let n = u32::try_from(params["sampled"].as_u64().unwrap()).unwrap();
        let most = u32::try_from(params["max_dropout"].as_u64().unwrap()).unwrap();
        // In units of 2^-32, so that rounding up an integer stays inside the window; the share times m is then a bit more
        // than the target, by less than m units.
        let scale = 2f64.powi(32);
        let share = (params["target_variance"].as_f64().unwrap() * scale / f64::from(n - most)).ceil() as u64;
        // No more than eight levels at a time: the first eight drop-outs, and the last.
        let chosen: Vec<u32> = if most <= 8 {
            (1..=most).collect()
        } else {
            [1, 2, 3, 4, 5, 6, most - 1, most].to_vec()
        };
        let levels = NoiseLevels::derive((n, n - most, 0), share, &chosen).unwrap();
        for expected in case["expect"].as_array().unwrap() {
            let values: Vec<u64> = match expected["metric"].as_str().unwrap() {
                "base_variance_per_client" => vec![levels.base_variance_q16()],
                "variance_per_client_before_removal" => vec![levels.share_variance_q16()],
                "component_variance" => {
                    let index = expected["index"].as_u64().unwrap();
                    let at = chosen.iter().position(|r| u64::from(*r) == index);
                    at.map(|at| levels.levels()[at].variance_q16)
                        .into_iter()
                        .collect()
                }
                "aggregate_variance_after_removal" => chosen
                    .iter()
                    .map(|r| levels.kept_variance_q16(n - r) * u64::from(n - r))
                    .collect(),
                other => panic!("{other}"),
            };
            // Ceilings of K_l cost up to one unit a client.
            let slack = 2.0 * f64::from(n) / scale;
            for value in values {
                let value = value as f64 / scale;
                assert!(
                    value >= expected["accept_min"].as_f64().unwrap() - slack,
                    "{expected}"
                );
                assert!(
                    value <= expected["accept_max"].as_f64().unwrap() + slack,
                    "{expected}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn what_eight_levels_reach() {
    let find = |n, m, c| FoundLevels::find(n, m, c).unwrap();
    // No drop-outs, no levels.
    assert_eq!(find(20, 20, 1).dropouts, [0; 0]);
    // So few that every one has its level, and nothing is left over.
    assert_eq!(
        (find(10, 8, 1).dropouts, find(10, 8, 1).excess_per_mille),
        (vec![1, 2], 0)
    );
    // From 62 honest survivors to 95 is too far; eight levels leave more than 5 %.
    let far = find(100, 60, 5);
    assert!(!far.meets_target() && far.dropouts.len() == 8, "{far:?}");
    assert_eq!(far.dropouts.last(), Some(&40));
    // Fewer levels or other ones are never better: every list of eight ends at n - m and has its own worst gap.
    let even: Vec<u32> = (1..=8).map(|step| step * 5).collect();
    let given = FoundLevels::of(100, 60, 5, &even).unwrap();
    assert!(
        given.excess_per_mille >= far.excess_per_mille,
        "{given:?} {far:?}"
    );
    // The page's table: the least m for which eight levels keep to 5 %.
    let page = include_str!("../../../../protocol-spec/04-privacy.md");
    for (n, c) in [(20, 1), (50, 2), (100, 5), (200, 10), (500, 25), (1000, 50)] {
        let least = (c + 1..=n).find(|m| find(n, *m, c).meets_target()).unwrap();
        assert!((least..=n).all(|m| find(n, m, c).meets_target()));
        let row = format!("| {n} | {c} | {least} |");
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn impossible_levels_are_named() {
    let derive = |dropouts: &[u32]| NoiseLevels::derive((100, 80, 5), 1 << 40, dropouts).unwrap_err();
    assert_eq!(derive(&[]), LevelsError::Count);
    assert_eq!(derive(&[1, 2, 3, 4, 5, 6, 7, 8, 20]), LevelsError::Count);
    assert_eq!(derive(&[0, 20]), LevelsError::NotRising);
    assert_eq!(derive(&[10, 10, 20]), LevelsError::NotRising);
    assert_eq!(derive(&[12, 10, 20]), LevelsError::NotRising);
    assert_eq!(derive(&[10, 19]), LevelsError::Last(20));
    assert_eq!(derive(&[10, 21]), LevelsError::Last(20));
    let of = |n, m, c, share| NoiseLevels::derive((n, m, c), share, &[n.saturating_sub(m)]).unwrap_err();
    assert_eq!(of(10, 11, 1, 1 << 40), LevelsError::Cohort);
    assert_eq!(of(10, 5, 5, 1 << 40), LevelsError::Cohort);
    assert_eq!(of(10, 8, 1, 0), LevelsError::NoNoise);
    // 9 honest clients share 7 x 1 unit: K_0 = K_1 = 1.
    assert_eq!(of(10, 8, 1, 1), LevelsError::TooLittleNoise);
    assert_eq!(FoundLevels::find(10, 11, 1), None);
    assert_eq!(FoundLevels::find(10, 5, 5), None);
    assert_eq!(FoundLevels::of(10, 8, 1, &[1]), None);
}
