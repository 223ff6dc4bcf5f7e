//! `rotation.json`: the signs of the rotation, read from outside.

use serde_json::Value;
use tacita_algebra::RingBits;
use tacita_privacy::{BudgetTicket, Decimal, Encoding, Headroom, LocalUpdate, NoiseShare};
use tacita_sim::Tape;

use super::{bytes, cases, list, number};

/// Coordinate 0 of H E e_i has the sign of entry i.
fn sign(headroom: &Headroom, count: usize, at: usize) -> i64 {
    let mut update = vec![0.0; count];
    update[at] = 1.0;
    let mut rng = Tape::new("rounding");
    let mut ticket = BudgetTicket::without_any_privacy_promise();
    let clipped = LocalUpdate::new(update).and_then(|update| update.clip(headroom.encoding()));
    let encoded = clipped.unwrap().encode(headroom, &mut rng).unwrap();
    let noised = encoded.noise(&mut ticket, &mut rng).unwrap();
    noised.dangerous_inspect().to_signed()[0].signum()
}

#[test]
fn signs_of_the_rotation() {
    for case in cases("rotation") {
        let count = number(&case["in"], "count");
        let seed = bytes(&case["in"], "seed").try_into().unwrap();
        let (clip, bits) = (Decimal::new(1, 0).unwrap(), RingBits::new(40).unwrap());
        let dimension = u32::try_from(count).unwrap();
        let encoding = Encoding::new(dimension, clip, 1 << 20, bits, seed)
            .and_then(|encoding| encoding.with_block(dimension.next_power_of_two()))
            .unwrap();
        let headroom = Headroom::prove(encoding, NoiseShare::none(), 3).unwrap();
        let signs: Vec<i64> = (0..count).map(|at| sign(&headroom, count, at)).collect();
        let expected = list(&case["out"], "signs").iter().map(Value::as_i64);
        assert_eq!(Some(signs), expected.collect(), "{}", case["name"]);
    }
}
