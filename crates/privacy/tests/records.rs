//! The record unit from coins to a decoded mean: what one record can move, what the coins can move, and what is refused.

// A failed assumption in a test is a failed test.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::convert::Infallible;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Rng, SeedableRng, TryCryptoRng, TryRng};
use tacita_algebra::{RingBits, RingVector};
use tacita_privacy::{
    Budget, BudgetFilter, BudgetRefusal, BudgetTicket, Contribution, Decimal, DecodedMean, Encoding,
    HeadroomError, LocalUpdate, Mechanism, NoiseError, NoiseShare, Plan, PlanRequest, PrivacyUnit,
    RecordError, RecordHeadroom, RecordSample, RecordTerms, RecordTermsError, UpdateError,
};

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn terms(sampling: &str, largest: u32) -> RecordTerms {
    RecordTerms::new(d(sampling), largest, 10).unwrap()
}

fn encoding(dimension: u32, grid: u32, bits: u8) -> Encoding {
    Encoding::new(dimension, d("1"), grid, RingBits::new(bits).unwrap(), [7; 32]).unwrap()
}

fn noiseless(dimension: u32, grid: u32, terms: RecordTerms) -> RecordHeadroom {
    RecordHeadroom::prove(encoding(dimension, grid, 40), NoiseShare::none(), 4, terms).unwrap()
}

/// The integers that a client with these records would add noise to.
fn integers(records: &[Vec<f32>], headroom: &RecordHeadroom, seed: u64) -> Vec<i64> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let sample = RecordSample::draw(records.len() as u32, headroom.terms(), &mut rng);
    let mut ticket = BudgetTicket::without_any_privacy_promise();
    let noised = sample
        .encode(headroom, &mut rng, |rows| vectors(records, rows))
        .unwrap()
        .noise(&mut ticket, &mut rng)
        .unwrap();
    noised.dangerous_inspect().signed(0).collect()
}

fn vectors(records: &[Vec<f32>], rows: &[u32]) -> Result<Vec<LocalUpdate>, UpdateError> {
    rows.iter()
        .map(|&row| LocalUpdate::new(records[row as usize].clone()))
        .collect()
}

fn noise_of(seed: u64, len: usize, norm: f32) -> Vec<f32> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let raw: Vec<f32> = (0..len)
        .map(|_| rng.next_u32() as f32 / u32::MAX as f32 - 0.5)
        .collect();
    let length = raw.iter().map(|v| v * v).sum::<f32>().sqrt();
    raw.iter().map(|v| v * norm / length).collect()
}

/// Failure: a record moves the sum by more than the accountant takes, as when the sum is clipped instead of each record, when the sum is
/// rounded instead of each record, or when records beyond the largest number push others out.
#[test]
fn one_record_moves_the_sum_by_one_rounded_vector() {
    const DIMENSION: usize = 13;
    for grid in [1u32, 4, 64, 1024] {
        for (largest, count) in [(64, 20), (64, 1), (2, 50)] {
            let headroom = noiseless(DIMENSION as u32, grid, terms("1", largest));
            let bound = headroom.encoding().sensitivity();
            // All in one direction, so that a clamp or a clipped sum would bind.
            let mut records = vec![vec![5.0 / (DIMENSION as f32).sqrt(); DIMENSION]; count];
            records.push(noise_of(1, DIMENSION, 0.3));
            for (seed, odd) in [
                vec![-100.0; DIMENSION],
                vec![100.0; DIMENSION],
                noise_of(2, DIMENSION, 1.0),
                noise_of(3, DIMENSION, 1e-3),
                vec![0.0; DIMENSION],
            ]
            .into_iter()
            .enumerate()
            {
                // The last one draws its rounding last: all others are rounded alike on both sides.
                let without = integers(&records, &headroom, seed as u64);
                let mut more = records.clone();
                more.push(odd);
                let with = integers(&more, &headroom, seed as u64);
                let differences = with.iter().zip(&without).map(|(a, b)| (a - b).unsigned_abs());
                let (mut l1, mut l2) = (0u128, 0u128);
                for difference in differences {
                    l1 += u128::from(difference);
                    l2 += u128::from(difference).pow(2);
                }
                assert!(
                    l2 <= bound.squared_l2 && l1 <= bound.l1,
                    "{grid} {largest}: {l2} {l1}"
                );
            }
        }
    }
}

/// Failure: the ring is one that the sum of a whole cohort of full clients leaves.
#[test]
fn the_extreme_sum_does_not_wrap_and_one_bit_less_is_refused() {
    // d = 1, S = 10: a coordinate is at most 10, so that K = 50, and three clients reach 150: 2^8 > 150 >= 2^7.
    let terms = terms("1", 5);
    let share = NoiseShare::none();
    let headroom = RecordHeadroom::prove(encoding(1, 10, 9), share, 3, terms).unwrap();
    assert_eq!(headroom.clamp(), 50);
    assert_eq!(
        RecordHeadroom::prove(encoding(1, 10, 8), share, 3, terms),
        Err(HeadroomError::Wraps { needed: 9, bits: 8 })
    );
    let mut sum = RingVector::zeros(RingBits::new(9).unwrap(), 1);
    for client in 0..3 {
        let mut rng = ChaCha20Rng::seed_from_u64(client);
        // Forty records, eight times what headroom counts.
        let noised = RecordSample::draw(40, &terms, &mut rng)
            .encode(&headroom, &mut rng, |rows| vectors(&vec![vec![3.0]; 40], rows))
            .unwrap()
            .noise(&mut BudgetTicket::without_any_privacy_promise(), &mut rng)
            .unwrap();
        sum.add_assign(noised.dangerous_inspect()).unwrap();
    }
    assert_eq!(sum.signed(0).map(i64::abs).collect::<Vec<_>>(), [150]);
    // K beyond 32 bits fits no vector of a client.
    let wide = RecordTerms::new(d("1"), RecordTerms::MAX_LARGEST, 1).unwrap();
    let refused = RecordHeadroom::prove(encoding(1, 1 << 24, 62), share, 3, wide);
    assert_eq!(refused, Err(HeadroomError::TooWide));
}

/// A generator that counts what is asked of it.
struct Counting(ChaCha20Rng, usize);

impl TryRng for Counting {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.1 += 4;
        Ok(self.0.next_u32())
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.1 += 8;
        Ok(self.0.next_u64())
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.1 += bytes.len();
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

fn require_secure(_: &impl CryptoRng) {}

/// Failure: how many records were sampled, or which, shows in the work done, in the randomness used, or in a vector to which the records
/// themselves add nothing.
#[test]
fn coins_show_in_nothing_but_the_sum() {
    let mut seen = Vec::new();
    for (records, sampling) in [
        (40u32, "0.5"),
        (40, "0.000001"),
        (3, "0.5"),
        (0, "0.5"),
        (16, "1"),
    ] {
        let headroom = noiseless(8, 64, terms(sampling, 40));
        for seed in 0..4 {
            let mut rng = Counting(ChaCha20Rng::seed_from_u64(seed), 0);
            require_secure(&rng);
            let mut asked = Vec::new();
            let sample = RecordSample::draw(records, headroom.terms(), &mut rng);
            assert_eq!(format!("{sample:?}"), "RecordSample(..)");
            let encoded = sample
                .encode(&headroom, &mut rng, |rows| {
                    asked.push(rows.len());
                    vectors(&vec![vec![0.0; 8]; 40], rows)
                })
                .unwrap();
            let noised = encoded
                .noise(&mut BudgetTicket::without_any_privacy_promise(), &mut rng)
                .unwrap();
            assert!(noised.dangerous_inspect().signed(0).all(|value| value == 0));
            if records > 0 {
                seen.push((asked, rng.1));
            }
        }
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    assert_eq!(seen[0].0, [40]);
}

/// Failure: a coin falls on heads more often than is accounted for, two rounds use the same coins, or records are chosen together.
#[test]
fn coins_are_fair_to_q_and_fresh() {
    const RECORDS: u32 = 20_000;
    let headroom = noiseless(1, 8, terms("0.05", RECORDS));
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut rounds: Vec<Vec<u32>> = Vec::new();
    for _ in 0..10 {
        let sample = RecordSample::draw(RECORDS, headroom.terms(), &mut rng);
        let mut chosen = Vec::new();
        sample
            .encode(&headroom, &mut ChaCha20Rng::seed_from_u64(1), |rows| {
                // Rows are in order; what fills the request up starts from 0 again.
                let end = rows
                    .windows(2)
                    .position(|pair| pair[0] >= pair[1])
                    .map_or(rows.len(), |at| at + 1);
                chosen.extend_from_slice(&rows[..end]);
                Ok::<_, UpdateError>(
                    rows.iter()
                        .map(|_| LocalUpdate::new(vec![0.0]).unwrap())
                        .collect(),
                )
            })
            .unwrap();
        rounds.push(chosen);
    }
    let heads: usize = rounds.iter().map(Vec::len).sum();
    // 200,000 coins of q = 0.05: mean 10,000, standard deviation 97.5; five of them.
    assert!((9_512..=10_488).contains(&heads), "{heads}");
    // Two rounds share 50 records in the mean, with standard deviation 7.
    for pair in rounds.windows(2) {
        let common = pair[0].iter().filter(|row| pair[1].contains(row)).count();
        assert!((15..=85).contains(&common), "{common}");
    }
    // A neighbour is chosen no more often for it: 500 of 10,000 in the mean, standard deviation 22.
    let neighbours: usize = rounds
        .iter()
        .map(|rows| rows.windows(2).filter(|pair| pair[1] == pair[0] + 1).count())
        .sum();
    assert!((390..=610).contains(&neighbours), "{neighbours}");
}

/// Failure: the sum is divided by what was sampled, or by the number of clients, instead of by the public number.
#[test]
fn the_sum_is_divided_by_a_public_number() {
    let terms = RecordTerms::new(d("1"), 8, 30).unwrap();
    let headroom = RecordHeadroom::prove(encoding(3, 1 << 16, 40), NoiseShare::none(), 4, terms).unwrap();
    let records = vec![vec![0.25, -0.5, 0.125]; 6];
    let mut sum = RingVector::zeros(RingBits::new(40).unwrap(), 4);
    for client in 0..2 {
        let mut rng = ChaCha20Rng::seed_from_u64(client);
        let noised = RecordSample::draw(6, &terms, &mut rng)
            .encode(&headroom, &mut rng, |rows| vectors(&records, rows))
            .unwrap()
            .noise(&mut BudgetTicket::without_any_privacy_promise(), &mut rng)
            .unwrap();
        sum.add_assign(noised.dangerous_inspect()).unwrap();
    }
    // Two of four clients: 12 records over 30 x 2 / 4 = 15.
    let mean = DecodedMean::from_records(&sum, &headroom, 2).unwrap();
    for (value, expected) in mean.values().iter().zip([0.2, -0.4, 0.1]) {
        assert!((value - expected).abs() < 1e-4, "{value} {expected}");
    }
    assert_eq!(mean.values().len(), 3);
}

fn request(sampling: &str) -> PlanRequest {
    PlanRequest {
        epsilon: Some(d("2")),
        delta: d("0.0001"),
        rounds: 30,
        clients: 4,
        minimum_survivors: 3,
        colluders: 1,
        dimension: 28,
        block: None,
        clip: d("1"),
        noise_levels: Vec::new(),
        mechanism: Mechanism::Skellam,
        records: Some(terms(sampling, 64)),
    }
}

/// Failure: amplification is not credited, or a plan misses its target, or leaves noise on the table.
#[test]
fn a_plan_meets_its_target_with_less_noise_for_fewer_records() {
    [Mechanism::Skellam, Mechanism::DiscreteGaussian]
        .into_iter()
        .for_each(meets_its_target);
}

fn meets_its_target(mechanism: Mechanism) {
    let plans: Vec<Plan> = ["1", "0.5", "0.1"]
        .into_iter()
        .map(|sampling| {
            let request = PlanRequest {
                mechanism,
                ..request(sampling)
            };
            Plan::calibrate(request).unwrap()
        })
        .collect();
    for plan in &plans {
        let epsilon = plan.epsilon_planned().unwrap();
        assert!(epsilon <= d("2") && epsilon > d("1.99"), "{epsilon}");
        let release = plan.release().unwrap();
        assert_eq!(release.unit(), PrivacyUnit::Record);
        assert_eq!(release.mechanism(), mechanism);
        let budget = Budget {
            epsilon: d("2"),
            delta: d("0.0001"),
        };
        let mut filter = BudgetFilter::new(budget).unwrap();
        for _ in 0..30 {
            let ticket = filter.reserve(release).unwrap();
            filter.commit(ticket).unwrap();
            // The order chosen for the first release stays through a restart.
            filter = BudgetFilter::restore(filter.state()).unwrap();
        }
        assert!(filter.reserve(release).is_err());
        let spent = filter
            .spent()
            .epsilon_with_sampler(d("0.0001"), release.draws() * 30);
        assert_eq!(spent.unwrap(), epsilon);
    }
    let noise: Vec<f64> = plans.iter().map(Plan::noise_multiplier).collect();
    assert!(
        noise[1] < 0.7 * noise[0] && noise[2] < 0.3 * noise[0],
        "{noise:?}"
    );
}

/// Failure: a finest grid on which no ring holds the records ends the search, though a coarser one has a ring.
#[test]
fn a_grid_without_a_ring_is_made_coarser() {
    let plan = Plan::calibrate(PlanRequest {
        epsilon: None,
        dimension: 1 << 24,
        records: Some(terms("1", 65_536)),
        ..request("1")
    })
    .unwrap();
    // 2^17 to begin with, where the sum of one client is no 32-bit integer.
    assert_eq!(plan.encoding().grid(), 1 << 14);
    assert!(!plan.bits().is_narrow());
}

/// Failure: a budget for single clients is spent on single records or the other way round, or a ticket for one pays for the other.
#[test]
fn units_do_not_mix() {
    let plan = Plan::calibrate(request("0.1")).unwrap();
    let client = Plan::calibrate(PlanRequest {
        records: None,
        ..request("0.1")
    })
    .unwrap();
    let budget = Budget {
        epsilon: d("20"),
        delta: d("0.0001"),
    };
    let (of_records, of_clients) = (plan.release().unwrap(), client.release().unwrap());
    let mut filter = BudgetFilter::new(budget).unwrap();
    let _open = filter.reserve(of_clients).unwrap();
    assert_eq!(
        filter.reserve(of_records).unwrap_err(),
        BudgetRefusal::OtherUnit {
            spent: PrivacyUnit::Client,
            asked: PrivacyUnit::Record
        }
    );
    // The same integers as the record plan, charged as a client's.
    let Contribution::Record(headroom) = plan.contribution() else {
        panic!("not the record unit");
    };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut encoded = || {
        RecordSample::draw(5, headroom.terms(), &mut rng)
            .encode(headroom, &mut ChaCha20Rng::seed_from_u64(2), |rows| {
                vectors(&vec![vec![0.0; 28]; 5], rows)
            })
            .unwrap()
    };
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let tacita_privacy::Release::Sampled(sampled) = of_records else {
        panic!("not sampled");
    };
    let mut filter = BudgetFilter::new(Budget {
        epsilon: d("40"),
        ..budget
    })
    .unwrap();
    let mut as_client = filter.reserve(sampled.of.into()).unwrap();
    let refused = encoded().noise(&mut as_client, &mut rng);
    assert_eq!(refused.unwrap_err(), NoiseError::TicketMismatch);
    let mut other_q = BudgetFilter::new(budget).unwrap();
    let mut ticket = other_q.reserve(tacita_privacy::Release::from(sampled.of).of_records(Some(d("0.05"))));
    let refused = encoded().noise(ticket.as_mut().unwrap(), &mut rng);
    assert_eq!(refused.unwrap_err(), NoiseError::TicketMismatch);
    let mut right = BudgetFilter::new(budget).unwrap();
    let mut ticket = right.reserve(of_records).unwrap();
    let noised = encoded().noise(&mut ticket, &mut rng).unwrap();
    assert_eq!(noised.sampling(), Some(d("0.1")));
}

/// Failure: terms without meaning make a record unit, or a sample drawn under one set of terms is summed under another.
#[test]
fn meaningless_terms_are_refused() {
    let make = |q: &str, largest, expected| RecordTerms::new(d(q), largest, expected);
    assert_eq!(make("0", 1, 1), Err(RecordTermsError::Sampling(d("0"))));
    assert_eq!(
        make("1.000001", 1, 1),
        Err(RecordTermsError::Sampling(d("1.000001")))
    );
    assert_eq!(make("0.5", 0, 1), Err(RecordTermsError::Largest(0)));
    assert_eq!(make("0.5", 65_537, 1), Err(RecordTermsError::Largest(65_537)));
    assert_eq!(make("0.5", 1, 0), Err(RecordTermsError::Expected));
    let headroom = noiseless(2, 8, terms("0.5", 4));
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let sample = RecordSample::draw(10, &terms("0.9", 4), &mut rng);
    let refused = sample.encode(&headroom, &mut rng, |_| Ok::<_, UpdateError>(Vec::new()));
    assert!(matches!(refused, Err(RecordError::Terms)));
    let sample = RecordSample::draw(10, headroom.terms(), &mut rng);
    let refused = sample.encode(&headroom, &mut rng, |_| Ok::<_, UpdateError>(Vec::new()));
    assert!(matches!(
        refused,
        Err(RecordError::Vectors { expected: 4, got: 0 })
    ));
}
