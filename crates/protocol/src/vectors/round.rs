//! Digests, keys, shares, entries and messages of a round.

use serde_json::{Value, json};
use tacita_algebra::RingBits;
use tacita_privacy::{BudgetTicket, Decimal, Encoding, Headroom, LocalUpdate, NoiseShare};

use super::Given;

/// The diagonal of the rotation, read from outside: coordinate 0 of H E e_i has the sign of entry i.
pub(super) fn rotation_signs(i: &Given<'_>) -> Value {
    let count = u32::try_from(i.int("count")).unwrap();
    let clip = Decimal::new(1, 0).unwrap();
    let bits = RingBits::new(40).unwrap();
    let encoding = Encoding::new(count, clip, 1 << 20, bits, i.hash("seed")).unwrap();
    let headroom = Headroom::prove(encoding, NoiseShare::none(), 3).unwrap();
    let sign = |at: usize| {
        let mut update = vec![0.0; count as usize];
        update[at] = 1.0;
        let mut rng = super::primitives::Tape::new("rounding");
        let mut ticket = BudgetTicket::without_any_privacy_promise();
        let noised = LocalUpdate::new(update)
            .and_then(|update| update.clip(headroom.encoding()))
            .unwrap()
            .encode(&headroom, &mut rng)
            .unwrap()
            .noise(&mut ticket, &mut rng)
            .unwrap();
        noised.dangerous_inspect().to_signed()[0].signum()
    };
    json!({ "signs": (0..count as usize).map(sign).collect::<Vec<_>>() })
}
