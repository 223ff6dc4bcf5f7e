//! P18, P19, P20 and P22: what the sum itself says, which no mask hides, and the noise that does.

use std::path::Path;

use tacita_protocol::client::Participant;
use tacita_protocol::refusal::ConsentRefusal;
use tacita_protocol::{Abort, Refusal};
use tacita_sim::{Noise, Plan, World};

use crate::{GRID, LONG, SHARE_VARIANCE, aborted, four, long, noisy, private, refused};

/// Members that want noise, as a participant's configuration does unless it says otherwise.
fn protected(_: usize, participant: &mut Participant) {
    participant.policy.allow_unprotected = false;
    participant.policy.noise_floor = Some("1".parse().unwrap());
}

#[track_caller]
fn refused_without_noise(world: &mut World) {
    let plan = Plan {
        adjust: Some(Box::new(protected)),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    let reason = Refusal::Consent(ConsentRefusal::Unprotected);
    refused(&report, &[0, 1, 2, 3], &reason);
    aborted(&report, &Abort::TooFewMembers(0, 3));
}

/// The decoded sum of a round with these updates, for these members.
fn sum(world: &mut World, updates: impl Fn(usize) -> Vec<f32>, absent: &[usize]) -> Option<Vec<f32>> {
    let plan = Plan {
        updates: (0..4).map(|member| (member, updates(member))).collect(),
        absent: absent.iter().copied().collect(),
        adjust: Some(Box::new(|_, participant: &mut Participant| {
            participant.policy.noise_floor = None;
        })),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    private(&report);
    let sum = report.result().ok()?;
    let members = sum.survivors.len() as f32;
    Some(sum.mean.as_ref()?.iter().map(|value| value * members).collect())
}

fn zeros(length: u32) -> Vec<f32> {
    vec![0.0; length as usize]
}

/// A value of one coordinate alone.
fn touched(length: u32, at: usize, value: f32) -> Vec<f32> {
    let mut update = zeros(length);
    update[at] = value;
    update
}

/// Standard deviation of the noise in a sum of `shares`, in clip norms.
fn deviation(shares: u32) -> f64 {
    f64::from(shares * SHARE_VARIANCE).sqrt() / f64::from(GRID)
}

/// Failure: the coordinate that one member alone touched stands out of the sum in a round that members consent to.
/// Without noise it does, which is why they do not consent to that.
#[test]
fn pitfall_18_a_coordinate_touched_by_one_member() {
    let at = |round: usize| (round * 5) % 16;
    let largest = |sum: &[f32]| (0..sum.len()).max_by(|a, b| sum[*a].total_cmp(&sum[*b])).unwrap();
    let found = |world: &mut World| -> usize {
        let hits = (0..20).filter(|round| {
            let update = |member| {
                if member == 0 {
                    touched(16, at(*round), 1.0)
                } else {
                    zeros(16)
                }
            };
            largest(&sum(world, update, &[]).unwrap()) == at(*round)
        });
        hits.count()
    };
    assert_eq!(
        found(&mut four(71)),
        20,
        "the attack works where there is no noise"
    );
    refused_without_noise(&mut four(71));
    // sqrt(4 x 768,000) / 1,024 = 1.7 clip norms: one in 16 by chance, and little more than that.
    let hits = found(&mut noisy(71, "30"));
    assert!(hits < 11, "{hits} of 20");
}

/// Failure: two rounds that differ in one member show its update, more exactly than the noise of both allows.
#[test]
fn pitfall_19_cohorts_that_differ_by_one() {
    let at = |member: usize| touched(LONG, member, 1.0);
    let difference = |world: &mut World| -> Vec<f64> {
        let (all, rest) = (sum(world, at, &[]).unwrap(), sum(world, at, &[0]).unwrap());
        all.iter().zip(&rest).map(|(a, b)| f64::from(a - b)).collect()
    };
    let open = difference(&mut long(72));
    assert!(
        (open[0] - 1.0).abs() < 0.05,
        "the attack works where there is no noise: {}",
        open[0]
    );
    refused_without_noise(&mut long(72));
    let mut world = noisy(72, "30");
    world.setting().dimension = LONG;
    let shown = difference(&mut world);
    // Seven shares of noise in every coordinate.
    let power = shown.iter().skip(4).map(|v| v * v).sum::<f64>() / f64::from(LONG - 4);
    let ratio = power.sqrt() / deviation(7);
    assert!(
        (0.93..1.07).contains(&ratio),
        "{ratio} of the noise of both rounds"
    );
}

/// Failure: the server repeats such a pair of rounds until the noise averages out.
#[test]
fn pitfall_19_the_budget_ends_the_averaging() {
    let mut world = noisy(73, "10");
    let update = |member| {
        if member == 0 {
            touched(16, 3, 1.0)
        } else {
            zeros(16)
        }
    };
    let (mut total, mut pairs) = (vec![0.0; 16], 0u32);
    while let (Some(a), Some(b)) = (sum(&mut world, update, &[]), sum(&mut world, update, &[0])) {
        for (total, (a, b)) in total.iter_mut().zip(a.iter().zip(&b)) {
            *total += f64::from(a - b);
        }
        pairs += 1;
        assert!(pairs < 200, "no end");
    }
    assert!(pairs > 1);
    // What the average leaves of the noise, against the largest value that there can be: computed, and in the 15 coordinates
    // that nobody touched.
    let left = deviation(7) / f64::from(pairs).sqrt();
    assert!(left > 0.25, "{pairs} pairs leave {left} clip norms");
    let untouched = total.iter().enumerate().filter(|(at, _)| *at != 3);
    let power = untouched
        .map(|(_, v)| (v / f64::from(pairs)).powi(2))
        .sum::<f64>()
        / 15.0;
    let ratio = power / left.powi(2);
    assert!(
        (0.2..3.0).contains(&ratio),
        "{ratio} of the noise that {pairs} pairs should leave"
    );
    let report = world.run_honest(&Plan::new()).unwrap();
    for member in 1..4 {
        assert!(matches!(report.refusal(member), Some(Refusal::Budget(_))));
    }
}

/// Failure: the cohort may shrink until the difference is between a sum and none.
#[test]
fn pitfall_19_cohorts_do_not_shrink_below_the_floor() {
    let mut world = noisy(74, "30");
    for absent in [&[0, 1][..], &[0, 1, 2]] {
        assert_eq!(sum(&mut world, |_| zeros(16), absent), None);
    }
    let entries = world.ledger().verify().unwrap().entries;
    assert!(
        !entries
            .iter()
            .any(|entry| matches!(entry, tacita_ledger::Entry::Charge(_)))
    );
}

/// Failure: in high dimension the honest members' parts can be told apart within an exact sum; where members consent, the
/// noise in every part is larger than the part.
#[test]
fn pitfall_20_parts_of_a_sum_in_high_dimension() {
    // Each member moves a quarter of the coordinates, which the server knows: the sum falls into its four parts.
    let quarter = LONG as usize / 4;
    let value = 1.0 / (quarter as f32).sqrt();
    let part = |member: usize| {
        let mut update = zeros(LONG);
        update[member * quarter..(member + 1) * quarter].fill(value);
        update
    };
    let error = |sum: &[f32]| -> f64 {
        let own = &sum[..quarter];
        own.iter()
            .map(|v| f64::from(v - value).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let open = sum(&mut long(75), part, &[]).unwrap();
    assert!(
        error(&open) < 0.1,
        "the attack works where there is no noise: {}",
        error(&open)
    );
    refused_without_noise(&mut long(75));
    let mut world = noisy(75, "30");
    world.setting().dimension = LONG;
    let hidden = sum(&mut world, part, &[]).unwrap();
    let expected = deviation(4) * (quarter as f64).sqrt();
    let ratio = error(&hidden) / expected;
    assert!((0.85..1.15).contains(&ratio), "{ratio} of the noise");
    assert!(error(&hidden) > 10.0, "the part of member 0 has norm 1");
}

/// Failure: noise that is too small for the policy passes because there is some.
#[test]
fn pitfall_20_a_little_noise_is_not_enough() {
    let mut world = noisy(76, "30");
    world.setting().noise = Noise::Skellam(1 << 16);
    let plan = Plan {
        adjust: Some(Box::new(protected)),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    let reason = Refusal::Consent(ConsentRefusal::Noise("1".to_owned()));
    refused(&report, &[0, 1, 2, 3], &reason);
}

fn source(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join(path)).unwrap();
    // Up to the tests, without comments.
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Failure: a float, or a sampler of floats, comes between the generator and the noise.
#[test]
fn pitfall_22_no_float_in_the_noise() {
    let folder = "crates/privacy/src/sampler";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut files: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".rs") && !name.ends_with("tests.rs"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in ["keystream", "layers", "noise_levels"] {
        files.push(format!("crates/privacy/src/{file}.rs"));
    }
    for file in &files {
        let text = source(file);
        for word in [
            "f32",
            "f64",
            "rand_distr",
            "libm",
            ".ln()",
            ".sqrt()",
            ".exp()",
            "0.5",
        ] {
            assert!(!text.contains(word), "{file}: {word}");
        }
    }
    // The step that adds it, from its signature to the next item.
    let update = source("crates/privacy/src/update.rs");
    let noise = update
        .split("pub fn noise(")
        .nth(1)
        .unwrap()
        .split("\nimpl ")
        .next()
        .unwrap();
    assert!(noise.contains("noise.add_to") && !noise.contains("f64") && !noise.contains("f32"));
    assert!(source("crates/privacy/src/layers.rs").contains("sampler.add_to"));
    // Whoever may draw floats does so for data, not for noise.
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../privacy/Cargo.toml"));
    assert!(!manifest.unwrap().contains("rand_distr"));
}

/// Logarithms of the Skellam law with mean zero and variance `v`: e^-v I_k(v), the Bessel function by its series.
fn skellam(v: f64, largest: usize) -> Vec<f64> {
    let terms = 8000;
    let mut factorial = vec![0.0f64];
    for i in 1..=terms + largest {
        factorial.push(factorial[i - 1] + (i as f64).ln());
    }
    let half = (v / 2.0).ln();
    let of = |k: usize| {
        let logs = (0..terms).map(|j| (2 * j + k) as f64 * half - factorial[j] - factorial[j + k] - v);
        logs.map(f64::exp).sum()
    };
    (0..=largest).map(of).collect()
}

/// Failure: what members add is not distributed as promised: bins, tails or parity are off, as they are for rounded floats.
#[test]
fn pitfall_22_noise_has_the_promised_law() {
    let variance = 3000_u32;
    let mut values = Vec::new();
    for seed in 0..32 {
        // Fresh budgets: this much is more than a participant would allow.
        let mut world = noisy(seed, "30");
        world.setting().noise = Noise::Skellam(u64::from(variance) << 16);
        world.setting().grid = 64;
        world.setting().dimension = 1024;
        let plan = Plan {
            updates: (0..4).map(|member| (member, zeros(1024))).collect(),
            ..Plan::new()
        };
        let report = world.run_honest(&plan).unwrap();
        values.extend(report.clients.iter().filter_map(|c| c.encoded.clone()).flatten());
    }
    assert_eq!(values.len(), 32 * 4 * 1024);
    let total = values.len() as f64;
    // Bins of 16 integers to four standard deviations of 55, then the tails.
    let (width, last) = (16, 224);
    let law = skellam(f64::from(variance), 600);
    let p = |k: i64| law[usize::try_from(k.unsigned_abs()).unwrap()];
    let bin = |k: i64| k.clamp(-last, last - 1).div_euclid(width);
    let mut expected = std::collections::BTreeMap::<i64, f64>::new();
    let mut seen = std::collections::BTreeMap::<i64, f64>::new();
    (-600..=600).for_each(|k| *expected.entry(bin(k)).or_default() += total * p(k));
    values
        .iter()
        .for_each(|k| *seen.entry(bin(*k)).or_default() += 1.0);
    assert_eq!((expected.len(), seen.len()), (28, 28));
    assert!(
        (expected.values().sum::<f64>() / total - 1.0).abs() < 1e-9,
        "the law in this test"
    );
    let chi: f64 = expected.iter().map(|(k, e)| (seen[k] - e).powi(2) / e).sum();
    // 27 degrees of freedom and six standard deviations of 7.3.
    assert!(chi < 71.0, "{chi}");
    let odd = values.iter().filter(|v| **v & 1 == 1).count() as f64;
    assert!(
        (odd - total / 2.0).abs() < 3.0 * total.sqrt(),
        "{odd} of {total} are odd"
    );
}
