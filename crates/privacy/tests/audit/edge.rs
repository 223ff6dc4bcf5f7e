//! Vectors that rounding makes as long as it can: every coordinate half-way between two integers.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tacita_algebra::{RingBits, RingVector};
use tacita_privacy::*;

/// 16 coordinates of 100.5 grid steps: rounding moves the sum of squares by 402 either way, and 16.6 % of all roundings pass B2.
const GRID: u32 = 402;
const COORDINATES: usize = 16;
const TRIES: usize = 300;

/// Failure: a rounding is sent that moves the sum further than the noise was made for. An encoder that does not check would send one in
/// three hundred tries, except with probability 10^-20.
#[test]
fn no_rounding_passes_the_sensitivity_and_an_unchecked_one_would() {
    let bits = RingBits::new(24).unwrap();
    let encoding = Encoding::new(COORDINATES as u32, "1".parse().unwrap(), GRID, bits, [6; 32]).unwrap();
    // What decodes from 100.5 in every coordinate, at twice the length to stay an integer.
    let sum = RingVector::from_signed(bits, &[201; COORDINATES]);
    let mean = DecodedMean::from_sum(&sum, &encoding, &NoiseShare::none(), 2, None).unwrap();
    let headroom = Headroom::prove(encoding.clone(), NoiseShare::none(), 1).unwrap();
    let bound = encoding.squared_l2_sensitivity();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let squares = |values: &[i64]| {
        values
            .iter()
            .map(|&x| u128::from(x.unsigned_abs()).pow(2))
            .sum::<u128>()
    };
    let mut rounded_up = 0;
    for _ in 0..TRIES {
        let encoded = LocalUpdate::new(mean.values().to_vec())
            .unwrap()
            .clip(&encoding)
            .unwrap()
            .encode(&headroom, &mut rng)
            .unwrap();
        let mut ticket = BudgetTicket::without_any_privacy_promise();
        let integers = encoded
            .noise(&mut ticket, &mut rng)
            .unwrap()
            .dangerous_into_ring()
            .to_signed();
        assert!(squares(&integers) <= bound);
        rounded_up += integers.iter().filter(|&&x| x == 101).count();
        assert!(integers.iter().all(|&x| x == 100 || x == 101));
    }
    // Rounding is still random: between all down and what the bound admits.
    let share = rounded_up as f64 / (TRIES * COORDINATES) as f64;
    assert!(share > 0.35 && share < 0.5, "{share}");
    let unchecked = (0..TRIES).filter(|_| {
        let word = rng.next_u32();
        let integers: Vec<i64> = (0..COORDINATES).map(|i| 100 + i64::from(word >> i & 1)).collect();
        squares(&integers) > bound
    });
    assert!(unchecked.count() > TRIES / 20);
}
