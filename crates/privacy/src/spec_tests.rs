//! The limits of `protocol-spec/04-privacy.md` against the constants.

use tacita_algebra::RingBits;

use crate::*;

const SPEC: &str = include_str!("../../../protocol-spec/04-privacy.md");

#[test]
fn every_limit_of_the_spec_is_the_one_in_the_code() {
    let stated: Vec<(&str, i128)> = SPEC
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name, cells.next()?.parse().ok()?))
        })
        .collect();
    let limits: Vec<(&str, i128)> = vec![
        ("MAX_DIMENSION", Encoding::MAX_DIMENSION.into()),
        ("MAX_GRID", Encoding::MAX_GRID.into()),
        ("RING_BITS_MIN", RingBits::MIN.into()),
        ("RING_BITS_MAX", RingBits::MAX.into()),
        ("MAX_ROUNDING_DRAWS", rounding::MAX_DRAWS as i128),
        ("MAX_SHARE_VARIANCE_Q16", NoiseShare::MAX_VARIANCE_Q16.into()),
        ("WIDEST_TABLE_Q16", sampler::WIDEST_TABLE_Q16.into()),
        ("MAX_PARTS", sampler::MAX_PARTS.into()),
        ("MIN_GAUSSIAN_Q16", NoiseShare::MIN_GAUSSIAN_Q16.into()),
        ("MAX_NOISE_LEVELS", NoiseLevels::MAX as i128),
        ("NOISE_LEVELS_TARGET", NoiseLevels::TARGET_PER_MILLE.into()),
        ("HEADROOM_FAILURE_LOG2", Headroom::FAILURE_LOG2.into()),
        ("MAX_BUDGET_EPSILON", Budget::MAX_EPSILON.into()),
        ("MAX_OPEN_RESERVATIONS", BudgetFilter::MAX_OPEN as i128),
        ("MAX_PLAN_CLIENTS", Plan::MAX_CLIENTS.into()),
        ("MAX_PLAN_ROUNDS", Plan::MAX_ROUNDS.into()),
        ("MAX_LARGEST_RECORDS", RecordTerms::MAX_LARGEST.into()),
    ];
    assert_eq!(stated, limits);
}
