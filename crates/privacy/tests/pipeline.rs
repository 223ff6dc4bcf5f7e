//! The whole walk, client to mean, through the public interface only.

// A failed assumption in a test is a failed test.
#![allow(clippy::unwrap_used)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacita_algebra::{RingBits, RingVector};
use tacita_privacy::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn update(client: usize, dimension: usize, norm: f32) -> Vec<f32> {
    let raw: Vec<f32> = (0..dimension)
        .map(|i| ((i * 7919 + client * 104_729) % 1009) as f32 / 504.5 - 1.0)
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x * norm / length).collect()
}

fn encoding(dimension: u32, clip: &str, grid: u32, bits: u8) -> Encoding {
    Encoding::new(dimension, d(clip), grid, RingBits::new(bits).unwrap(), [3; 32]).unwrap()
}

fn release(encoding: &Encoding, share: &NoiseShare, honest: u32) -> Release {
    Release::of_round(encoding, share, honest, honest).unwrap()
}

fn generous() -> BudgetFilter {
    BudgetFilter::new(Budget {
        epsilon: d("40"),
        delta: d("0.01"),
    })
    .unwrap()
}

fn rms(a: &[f32], b: &[f64]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(x, y)| (f64::from(*x) - y).powi(2)).sum();
    (squares / a.len() as f64).sqrt()
}

/// 50 clients, 1,024 values, share deviation 0.1 model units: the error of the decoded sum is that of its noise and rounding.
#[test]
fn decoded_error_is_the_predicted_one() {
    let (n, dimension) = (50u32, 1024usize);
    let mut rng = ChaCha20Rng::seed_from_u64(11);
    let encoding = encoding(1024, "1", 256, 20);
    // 0.1 model units are 25.6 grid steps.
    let share = NoiseShare::skellam((25.6f64 * 25.6 * 65536.0) as u64).unwrap();
    let headroom = Headroom::prove(encoding.clone(), share, n).unwrap();
    let mut filter = generous();
    let mut sum = RingVector::zeros(encoding.bits(), 1024);
    let mut expected = vec![0.0f64; dimension];
    for client in 0..n as usize {
        let values = update(client, dimension, 1.0);
        for (total, value) in expected.iter_mut().zip(&values) {
            *total += f64::from(*value) / f64::from(n);
        }
        let mut ticket = filter.reserve(release(&encoding, &share, n)).unwrap();
        let noised = LocalUpdate::new(values)
            .unwrap()
            .clip(&encoding)
            .unwrap()
            .encode(&headroom, &mut rng)
            .unwrap()
            .noise(&mut ticket, &mut rng)
            .unwrap();
        filter.release(ticket).unwrap();
        sum.add_assign(&noised.dangerous_into_ring()).unwrap();
    }
    let mean = DecodedMean::from_sum(&sum, &encoding, &share, n, None).unwrap();
    let error = rms(mean.values(), &expected) * f64::from(n);
    let predicted = (50.0f64 * 0.01 + 50.0 / (4.0 * 256.0 * 256.0)).sqrt();
    // The rms of 1,024 errors is within 1/sqrt(2048) = 2.2 % of its expectation at one deviation.
    assert!(
        (error / predicted - 1.0).abs() < 0.1,
        "{error} against {predicted}"
    );
    assert_eq!(mean.contributors(), n);
}

/// Failure: discrete Gaussian noise has another law or scale than the one that is charged, or a ticket for one law pays for another.
#[test]
fn discrete_gaussian_rounds_are_noised_and_charged_as_such() {
    let mut rng = ChaCha20Rng::seed_from_u64(10);
    let encoding = encoding(1024, "1", 256, 20);
    // sigma 12.8: 0.05 model units.
    let share = NoiseShare::discrete_gaussian((12.8f64 * 12.8 * 65536.0) as u64).unwrap();
    let headroom = Headroom::prove(encoding.clone(), share, 50).unwrap();
    let skellam = NoiseShare::skellam(share.variance_q16()).unwrap();
    let mut filter = generous();
    let mut sum = RingVector::zeros(encoding.bits(), 1024);
    for _ in 0..50 {
        let encoded = || {
            let local = LocalUpdate::new(vec![0.0; 1024]).unwrap();
            let clipped = local.clip(&encoding).unwrap();
            clipped
                .encode(&headroom, &mut ChaCha20Rng::seed_from_u64(1))
                .unwrap()
        };
        let mut wrong = filter.reserve(release(&encoding, &skellam, 50)).unwrap();
        let refused = encoded().noise(&mut wrong, &mut rng).err();
        assert_eq!(refused, Some(NoiseError::TicketMismatch));
        filter.release(wrong).unwrap();
        let mut ticket = filter.reserve(release(&encoding, &share, 50)).unwrap();
        let noised = encoded().noise(&mut ticket, &mut rng).unwrap();
        filter.release(ticket).unwrap();
        sum.add_assign(&noised.dangerous_into_ring()).unwrap();
    }
    let squares: i64 = sum.to_signed().iter().map(|x| x * x).sum();
    let ratio = squares as f64 / 1024.0 / (50.0 * 12.8 * 12.8);
    // Five deviations of the variance of 1,024 values.
    assert!((ratio - 1.0).abs() < 0.22, "{ratio}");
    // As a Skellam of that variance costs, without its correction.
    let cost = |share: &NoiseShare| {
        release(&encoding, share, 50)
            .curve()
            .epsilon(d("0.00001"))
            .unwrap()
    };
    let (ours, theirs) = (cost(&share).to_f64(), cost(&skellam).to_f64());
    assert!(ours < theirs && ours > 0.99 * theirs, "{ours} {theirs}");
}

#[test]
fn without_noise_the_sum_is_the_exact_sum_of_the_encoded_vectors() {
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    let (encoding, none) = (encoding(1000, "2", 1 << 16, 24), NoiseShare::none());
    let headroom = Headroom::prove(encoding.clone(), none, 20).unwrap();
    let mut sum = RingVector::zeros(encoding.bits(), 1024);
    let mut plain = vec![0i64; 1024];
    let mut expected = vec![0.0f64; 1000];
    for client in 0..20usize {
        // Half of them are longer than the clip norm.
        let norm = if client % 2 == 0 { 1.0 } else { 6.0 };
        let values = update(client, 1000, norm);
        for (total, value) in expected.iter_mut().zip(&values) {
            *total += f64::from(*value) * f64::from((2.0 / norm).min(1.0)) / 20.0;
        }
        let mut ticket = BudgetTicket::without_any_privacy_promise();
        let clipped = LocalUpdate::new(values).unwrap().clip(&encoding).unwrap();
        let noised = clipped
            .encode(&headroom, &mut rng)
            .unwrap()
            .noise(&mut ticket, &mut rng)
            .unwrap();
        let integers = noised.dangerous_inspect().to_signed();
        let squares: u128 = integers.iter().map(|&x| (x * x) as u128).sum();
        assert!(squares <= encoding.squared_l2_sensitivity());
        for (total, x) in plain.iter_mut().zip(&integers) {
            *total += x;
        }
        sum.add_assign(noised.dangerous_inspect()).unwrap();
    }
    assert_eq!(sum.to_signed(), plain);
    let mean = DecodedMean::from_sum(&sum, &encoding, &none, 20, None).unwrap();
    assert_eq!(mean.values().len(), 1000);
    // Rounding alone: half a grid step at most per value and client, 2 / 65,536 model units a step.
    assert!(rms(mean.values(), &expected) < 1e-5);
}

#[test]
fn weights_count_examples_and_are_capped() {
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let weighting = ExampleWeighting {
        cap: 100,
        scale: d("0.5"),
    };
    let terms = JointTerms::new(d("1"), Some(weighting), None, None).unwrap();
    let encoding = Encoding::new(65, terms.clip(), 1 << 16, RingBits::new(24).unwrap(), [1; 32]).unwrap();
    let none = NoiseShare::none();
    let headroom = Headroom::prove(encoding.clone(), none, 3).unwrap();
    let mut sum = RingVector::zeros(encoding.bits(), 128);
    let mut expected = vec![0.0f64; 64];
    // Weights 0.25, 1 and, capped, 1.
    for (client, (examples, weight)) in [(25u64, 0.25), (100, 1.0), (4000, 1.0)].into_iter().enumerate() {
        let values = update(client, 64, 0.8);
        for (total, value) in expected.iter_mut().zip(&values) {
            *total += f64::from(*value) * weight / 2.25;
        }
        let mut ticket = BudgetTicket::without_any_privacy_promise();
        let noised = LocalUpdate::joint(
            values,
            &terms,
            Alongside {
                examples,
                ..Alongside::default()
            },
        )
        .unwrap()
        .clip(&encoding)
        .unwrap()
        .encode(&headroom, &mut rng)
        .unwrap()
        .noise(&mut ticket, &mut rng)
        .unwrap();
        sum.add_assign(noised.dangerous_inspect()).unwrap();
    }
    let mean = DecodedMean::from_sum(&sum, &encoding, &none, 3, Some(&terms)).unwrap();
    assert!((mean.weight_sum().unwrap() - 2.25).abs() < 1e-3);
    assert_eq!(mean.values().len(), 64);
    assert!(rms(mean.values(), &expected) < 1e-4);
    let empty = RingVector::zeros(encoding.bits(), 128);
    let refused = DecodedMean::from_sum(&empty, &encoding, &none, 3, Some(&terms));
    assert!(matches!(refused, Err(DecodeError::WeightSum { .. })));
}

#[test]
fn a_sum_that_is_too_long_or_of_another_shape_is_refused() {
    let encoding = encoding(64, "1", 256, 20);
    let share = NoiseShare::skellam(100 << 16).unwrap();
    let decode = |values: &[i64], bits: u8, contributors| {
        let sum = RingVector::from_signed(RingBits::new(bits).unwrap(), values);
        DecodedMean::from_sum(&sum, &encoding, &share, contributors, None)
    };
    // 10 clients of 256 steps in one direction, and noise of sqrt(10 x 100) = 32 steps in 64 coordinates.
    let mut values = vec![0i64; 64];
    values[0] = 2560;
    assert!(decode(&values, 20, 10).is_ok());
    values[0] = 3200;
    assert!(matches!(
        decode(&values, 20, 10),
        Err(DecodeError::Implausible { .. })
    ));
    assert_eq!(decode(&values, 21, 10), Err(DecodeError::Shape));
    assert_eq!(decode(&values[..63], 20, 10), Err(DecodeError::Shape));
    assert_eq!(decode(&[0; 64], 20, 0), Err(DecodeError::NoContributors));
}

#[test]
fn bad_vectors_are_refused_at_the_door() {
    assert_eq!(LocalUpdate::new(vec![]).err(), Some(UpdateError::Empty));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(
            LocalUpdate::new(vec![0.0, bad]).err(),
            Some(UpdateError::NotFinite)
        );
    }
    let encoding = encoding(64, "1", 256, 20);
    let wrong = LocalUpdate::new(vec![0.0; 63]).unwrap().clip(&encoding).err();
    assert_eq!(
        wrong,
        Some(UpdateError::Dimension {
            expected: 64,
            got: 63
        })
    );
    // The largest floats there are still clip to a plain vector.
    let huge = LocalUpdate::new(vec![f32::MAX; 64])
        .unwrap()
        .clip(&encoding)
        .unwrap();
    let headroom = Headroom::prove(encoding, NoiseShare::none(), 1).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(14);
    assert!(huge.encode(&headroom, &mut rng).is_ok());
}

#[test]
fn a_ticket_pays_once_and_only_for_what_it_was_reserved_for() {
    let mut rng = ChaCha20Rng::seed_from_u64(15);
    let encoding = encoding(64, "1", 256, 24);
    let share = NoiseShare::skellam(10_000 << 16).unwrap();
    let headroom = Headroom::prove(encoding.clone(), share, 10).unwrap();
    let mut encoded = || {
        let clipped = LocalUpdate::new(update(1, 64, 1.0))
            .unwrap()
            .clip(&encoding)
            .unwrap();
        clipped.encode(&headroom, &mut rng).unwrap()
    };
    let mut rng = ChaCha20Rng::seed_from_u64(16);
    let mut filter = generous();

    let mut none = BudgetTicket::without_any_privacy_promise();
    assert_eq!(
        encoded().noise(&mut none, &mut rng).err(),
        Some(NoiseError::TicketMismatch)
    );
    let other = NoiseShare::skellam(20_000 << 16).unwrap();
    let mut ticket = filter.reserve(release(&encoding, &other, 10)).unwrap();
    assert_eq!(
        encoded().noise(&mut ticket, &mut rng).err(),
        Some(NoiseError::TicketMismatch)
    );

    let mut ticket = filter.reserve(release(&encoding, &share, 10)).unwrap();
    let noised = encoded().noise(&mut ticket, &mut rng).unwrap();
    assert_eq!(noised.noise_share(), share);
    assert_eq!(noised.encoding(), &encoding);
    assert_eq!(
        encoded().noise(&mut ticket, &mut rng).err(),
        Some(NoiseError::TicketUsed)
    );

    // After a restart the reservation can be settled, but pays for no second vector.
    let id = ticket.reservation().unwrap();
    let mut restarted = BudgetFilter::restore(filter.state()).unwrap();
    let mut resumed = restarted.resume(id).unwrap();
    assert_eq!(
        encoded().noise(&mut resumed, &mut rng).err(),
        Some(NoiseError::TicketUsed)
    );
    restarted.commit(resumed).unwrap();
    filter.commit(ticket).unwrap();
}

#[test]
fn noise_reaches_every_coordinate_padding_included() {
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    // 5,000 values in 5,120 coordinates; more than one block of the pipeline, and of the rotation.
    let encoding = encoding(5000, "1", 512, 24);
    let share = NoiseShare::skellam(10_000 << 16).unwrap();
    let headroom = Headroom::prove(encoding.clone(), share, 10).unwrap();
    let mut ticket = generous().reserve(release(&encoding, &share, 10)).unwrap();
    let noised = LocalUpdate::new(vec![0.0; 5000])
        .unwrap()
        .clip(&encoding)
        .unwrap()
        .encode(&headroom, &mut rng)
        .unwrap()
        .noise(&mut ticket, &mut rng)
        .unwrap();
    let values = noised.dangerous_into_ring().to_signed();
    assert_eq!(values.len(), 5120);
    for part in values.chunks(1024) {
        let variance = part.iter().map(|&x| (x * x) as f64).sum::<f64>() / 1024.0;
        // Five deviations of the variance of 1,024 values: 22 %.
        assert!((variance / 10_000.0 - 1.0).abs() < 0.22, "{variance}");
    }
}

#[test]
fn nothing_on_the_way_prints_its_content() {
    let mut rng = ChaCha20Rng::seed_from_u64(18);
    let encoding = encoding(4, "1", 256, 24);
    let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 1).unwrap();
    let local = LocalUpdate::new(vec![0.5; 4]).unwrap();
    assert_eq!(format!("{local:?}"), "LocalUpdate(..)");
    let clipped = local.clip(&encoding).unwrap();
    assert_eq!(format!("{clipped:?}"), "ClippedUpdate(..)");
    let encoded = clipped.encode(&headroom, &mut rng).unwrap();
    assert_eq!(format!("{encoded:?}"), "EncodedUpdate(..)");
    let mut ticket = BudgetTicket::without_any_privacy_promise();
    let noised = encoded.noise(&mut ticket, &mut rng).unwrap();
    assert_eq!(format!("{noised:?}"), "NoisedUpdate(..)");
}

#[test]
fn integers_of_a_harness_are_checked_like_those_of_training() {
    let encoding = encoding(64, "1", 256, 24);
    let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 3).unwrap();
    let bound = encoding.squared_l2_sensitivity();
    // The largest single coordinate that passes, and the next.
    let edge = i32::try_from(bound.isqrt()).unwrap();
    let with = |value: i32| {
        EncodedUpdate::dangerous_from_integers(&headroom, |start, values| {
            assert_eq!((start, values.len()), (0, 64));
            values[5] = -value;
        })
    };
    assert!(matches!(with(edge + 1), Err(EncodeError::NormExceeded)));
    let mut ticket = BudgetTicket::without_any_privacy_promise();
    let mut rng = ChaCha20Rng::seed_from_u64(19);
    let noised = with(edge).unwrap().noise(&mut ticket, &mut rng).unwrap();
    assert_eq!(noised.dangerous_inspect().to_signed()[5], -i64::from(edge));
}
