//! Weights, metrics and the count for the clip norm, through the whole pipeline: what they say, how noisy it is, and what they cannot do.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed assumption is a failed test.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacita_algebra::{RingBits, RingVector};
use tacita_privacy::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Everything beside an update: C_u = 0.64, b = 0.48, k = 0.6 and, with weights, a = 0.75; 1 without and 1.25 with them.
fn terms(weighted: bool) -> JointTerms {
    let weighting = ExampleWeighting {
        cap: 10,
        scale: d("0.75"),
    };
    let metrics = MetricTerms {
        scale: d("0.75"),
        loss_cap: d("4"),
    };
    let terms = JointTerms::new(
        d("0.64"),
        weighted.then_some(weighting),
        Some(metrics),
        Some(d("0.9375")),
    )
    .unwrap();
    assert_eq!(terms.clip(), d(if weighted { "1.25" } else { "1" }));
    terms
}

fn beside(examples: u64, loss: f64, score: f64) -> Alongside {
    Alongside {
        examples,
        figures: LocalFigures {
            loss: Some(loss),
            score: Some(score),
        },
    }
}

/// An encoding of `values` values and what is beside them, each coordinate rotated alone if `block` is 1.
fn encoding(terms: &JointTerms, clip: Decimal, values: u32, grid: u32, block: Option<u32>) -> Encoding {
    let bits = RingBits::new(32).unwrap();
    let encoding = Encoding::new(values + terms.extra(), clip, grid, bits, [7; 32]).unwrap();
    block.map_or(encoding.clone(), |block| encoding.with_block(block).unwrap())
}

fn noised(
    update: Vec<f32>,
    terms: &JointTerms,
    own: Alongside,
    headroom: &Headroom,
    rng: &mut ChaCha20Rng,
) -> NoisedUpdate {
    let share = headroom.noise_share();
    let mut ticket = match share.mechanism() {
        Mechanism::None => BudgetTicket::without_any_privacy_promise(),
        _ => {
            let budget = Budget {
                epsilon: d("40"),
                delta: d("0.01"),
            };
            let release = Release::of_round(headroom.encoding(), &share, 1, headroom.clients()).unwrap();
            BudgetFilter::new(budget).unwrap().reserve(release).unwrap()
        }
    };
    LocalUpdate::joint(update, terms, own)
        .unwrap()
        .clip(headroom.encoding())
        .unwrap()
        .encode(headroom, rng)
        .unwrap()
        .noise(&mut ticket, rng)
        .unwrap()
}

fn squares(update: &NoisedUpdate) -> u128 {
    let integers = update.dangerous_inspect().to_signed();
    integers
        .iter()
        .map(|&x| u128::from(x.unsigned_abs()).pow(2))
        .sum()
}

/// Failure: the longest vector that a client can have is longer than the noise was made for, or is cut although it is within the joint norm.
#[test]
fn the_joint_norm_is_reached_and_not_passed() {
    let mut rng = ChaCha20Rng::seed_from_u64(21);
    let terms = terms(true);
    let grid = 1 << 16;
    let encoding = encoding(&terms, terms.clip(), 60, grid, None);
    let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 8).unwrap();
    let b2 = encoding.squared_l2_sensitivity();
    for (loss, score) in [(0.0, 0.0), (0.0, 1.0), (4.0, 0.0), (4.0, 1.0)] {
        // Longer than the update clip: weight, metrics and bit at their largest too.
        let longest = noised(
            vec![1.0; 60],
            &terms,
            beside(10, loss, score),
            &headroom,
            &mut rng,
        );
        let found = squares(&longest);
        assert!(found <= b2);
        // Within 2^-13 of the grid's square: nothing of it was scaled away.
        let full = u128::from(grid).pow(2);
        assert!(found > full - full / 8192, "{found} of {full}");
    }
}

/// Failure: a loss that is huge or no number, or a client without examples, passes the norm that noise is made for.
#[test]
fn no_figure_passes_the_norm() {
    let mut rng = ChaCha20Rng::seed_from_u64(22);
    let terms = terms(true);
    let encoding = encoding(&terms, terms.clip(), 60, 256, None);
    let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 8).unwrap();
    for loss in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
        for score in [f64::NAN, 1e300, -1e300] {
            for examples in [0, 1, u64::MAX] {
                let own = beside(examples, loss, score);
                let update = noised(vec![3e37; 60], &terms, own, &headroom, &mut rng);
                assert!(squares(&update) <= encoding.squared_l2_sensitivity());
            }
        }
    }
    // And where the encoding's clip norm is smaller than that of the terms, the whole vector is clipped, not the update alone.
    let small = Headroom::prove(
        self::encoding(&terms, d("0.5"), 60, 256, None),
        NoiseShare::none(),
        8,
    )
    .unwrap();
    let update = noised(vec![1.0; 60], &terms, beside(10, 4.0, 1.0), &small, &mut rng);
    assert!(squares(&update) <= small.encoding().squared_l2_sensitivity());
}

/// Failure: a figure is read from another coordinate, is not centred, or counts by weight; or a bit says the opposite.
#[test]
fn figures_come_back() {
    let mut rng = ChaCha20Rng::seed_from_u64(23);
    for weighted in [true, false] {
        let terms = terms(weighted);
        // 70,000 values: what is beside them lies in the last of several blocks.
        for values in [60, 70_000] {
            let encoding = encoding(&terms, terms.clip(), values, 1 << 20, None);
            let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 4).unwrap();
            let mut sum = RingVector::zeros(encoding.bits(), encoding.padded() as usize);
            // Norms 0.5, 0.64 exactly below, 0.7 and 0; examples that are capped, and none.
            let members = [
                (0.5, 5, 1.0, 1.0),
                (0.6399, 40, 3.0, 0.5),
                (0.7, 10, 9.0, 0.25),
                (0.0, 0, 0.0, 0.75),
            ];
            for (norm, examples, loss, score) in members {
                let mut update = vec![0.0; values as usize];
                update[11] = norm;
                let own = beside(examples, loss, score);
                let noised = noised(update, &terms, own, &headroom, &mut rng);
                sum.add_assign(noised.dangerous_inspect()).unwrap();
            }
            let published = Published::from_sum(&sum, &encoding, &terms, 4, 0).unwrap();
            let close = |figure: Option<Figure>, expected: f64| {
                let found = figure.unwrap().value;
                assert!((found - expected).abs() < 1e-4, "{found} instead of {expected}");
            };
            close(published.loss, (1.0 + 3.0 + 4.0 + 0.0) / 4.0);
            close(published.score, 2.5 / 4.0);
            close(published.within_clip, 0.75);
            assert!((published.share().unwrap().to_f64() - 0.75).abs() < 1e-4);
            let mean = DecodedMean::from_sum(&sum, &encoding, &NoiseShare::none(), 4, Some(&terms)).unwrap();
            assert_eq!(mean.values().len(), values as usize);
            let expected = if weighted {
                (0.5 * 0.5 + 0.6399 + 0.64) / 2.5
            } else {
                (0.5 + 0.6399 + 0.64) / 4.0
            };
            let found = f64::from(mean.values()[11]);
            assert!((found - expected).abs() < 1e-3, "{found} instead of {expected}");
        }
    }
}

/// Failure: a coordinate beside the update has no noise, or less than the others, or the stated error is not the true one. Coordinates are rotated
/// alone, so that the noise of one cannot stand in for that of another.
#[test]
fn every_figure_is_as_noisy_as_it_says() {
    const ROUNDS: usize = 2000;
    let mut rng = ChaCha20Rng::seed_from_u64(24);
    let terms = terms(false);
    let encoding = encoding(&terms, terms.clip(), 5, 64, Some(1));
    let share = NoiseShare::skellam(900 << 16).unwrap();
    let headroom = Headroom::prove(encoding.clone(), share, 3).unwrap();
    let mut squares = [0.0f64; 3];
    for _ in 0..ROUNDS {
        let mut sum = RingVector::zeros(encoding.bits(), encoding.padded() as usize);
        for (loss, score) in [(1.0, 0.5), (2.0, 0.75), (3.0, 1.0)] {
            let own = beside(1, loss, score);
            let noised = noised(vec![0.1; 5], &terms, own, &headroom, &mut rng);
            sum.add_assign(noised.dangerous_inspect()).unwrap();
        }
        let found = Published::from_sum(&sum, &encoding, &terms, 3, 3 * (900 << 16)).unwrap();
        let expected = [(found.loss, 2.0), (found.score, 0.75), (found.within_clip, 1.0)];
        for (square, (figure, expected)) in squares.iter_mut().zip(expected) {
            let figure = figure.unwrap();
            *square += ((figure.value - expected) / figure.error).powi(2) / ROUNDS as f64;
        }
    }
    // Noise of 2,000 rounds: five deviations of its variance are 0.16. Rounding adds less than the 1/4 that is stated, of 900.
    for (square, name) in squares.iter().zip(["loss", "score", "within"]) {
        assert!((square - 1.0).abs() < 0.16, "{name}: {square}");
    }
    // The count's own standard deviation in clients: sqrt(3 x 900) steps of 1/64 over 2 k.
    let deviation = (2700f64).sqrt() / 64.0 / (2.0 * 0.6);
    let stated = 3.0 * figure_error(0.6 * 64.0, 3, 3 * (900 << 16));
    assert!((stated / deviation - 1.0).abs() < 1e-3, "{stated} {deviation}");
}

/// Failure: the count is charged apart, or for nothing: one release at the joint norm must cost what the two of the split cost together.
#[test]
fn a_joint_release_costs_what_its_parts_cost_together() {
    // z = 2 in all, of which the count of 100 clients takes its part by the coordinate's size.
    let split = ClipNoiseSplit::of_total(2.0, ClipNoiseSplit::usual_count_std(100)).unwrap();
    let scale = d(&format!("{:.9}", split.count_scale()));
    let terms = JointTerms::new(d("3"), None, None, Some(scale)).unwrap();
    let plan = |clip: Decimal, dimension| {
        let request = PlanRequest {
            epsilon: Some(d("8")),
            delta: d("0.00001"),
            rounds: 50,
            clients: 100,
            minimum_survivors: 90,
            colluders: 5,
            dimension,
            block: None,
            clip,
            noise_levels: Vec::new(),
            mechanism: Mechanism::Skellam,
            records: None,
        };
        Plan::calibrate(request).unwrap()
    };
    let joint = plan(terms.clip(), 651);
    // The same charge as a round without the count, whose vector has as many coordinates after padding.
    let alone = plan(d("3"), 650);
    assert_eq!(joint.release(), alone.release());
    assert_eq!(joint.epsilon_planned(), alone.epsilon_planned());
    // And at any clip norm that the rule may lead to.
    let moved = joint.with_clip(d("0.001234567")).unwrap();
    assert_eq!(moved.release(), joint.release());
    assert_eq!(moved.bits(), joint.bits());
    assert!((moved.noise_multiplier() / joint.noise_multiplier() - 1.0).abs() < 1e-12);
    // What the values get of it: their noise over their own norm is the split's.
    let z = joint.noise_multiplier();
    let own = ClipNoiseSplit::of_total(z, z / (2.0 * scale.to_f64()) * terms.clip().to_f64() / 3.0).unwrap();
    let of_values = z * terms.clip().to_f64() / 3.0;
    assert!((own.value_noise_multiplier() / of_values - 1.0).abs() < 1e-6);
}

/// Failure: a ring holds updates of the clip norm and wraps when everybody's figures point the same way.
#[test]
fn headroom_holds_for_the_figures_too() {
    let mut rng = ChaCha20Rng::seed_from_u64(25);
    let terms = terms(true);
    let base = encoding(&terms, terms.clip(), 12, 64, Some(1));
    let bits = Headroom::needed_bits(64, base.padded(), &NoiseShare::none(), 1000).unwrap();
    let encoding = Encoding::new(base.dimension(), terms.clip(), 64, bits, [7; 32])
        .and_then(|encoding| encoding.with_block(1))
        .unwrap();
    let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 1000).unwrap();
    let mut sum = RingVector::zeros(encoding.bits(), encoding.padded() as usize);
    for _ in 0..1000 {
        // All in what is beside: an update of zero is within the clip.
        let noised = noised(vec![0.0; 12], &terms, beside(10, 4.0, 1.0), &headroom, &mut rng);
        sum.add_assign(noised.dangerous_inspect()).unwrap();
    }
    let published = Published::from_sum(&sum, &encoding, &terms, 1000, 0).unwrap();
    assert!((published.within_clip.unwrap().value - 1.0).abs() < 0.01);
    assert!((published.loss.unwrap().value - 4.0).abs() < 0.05);
    assert!((published.score.unwrap().value - 1.0).abs() < 0.01);
}
