//! F12: values outside the field, not canonical, zero, or of small order. They are never interpolated and never agreed with: the
//! sum is the exact one without them.

use std::sync::Arc;

use tacita_protocol::Refusal;
use tacita_protocol::messages::ClientMessage;
use tacita_sim::{Cast, Plan, Report, Script, Setting, World, forge, plain};

/// l = 2^252 + 27742317777372353535851937790883648493, the order of the field, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn world(cast: &Arc<Cast>) -> World {
    World::new(cast.clone(), Setting::new(4, 1, 3), 1).unwrap()
}

/// A round in which member 3 reveals this in the place of its share of member 1.
fn revealing(cast: &Arc<Cast>, edit: impl Fn(&mut [u8; 32])) -> Report {
    let mut attack = Script::new().edit_back(|_, from, message| {
        if let (ClientMessage::Reveal(reveal), 3) = (message, from) {
            edit(&mut reveal.shares[1].value);
        }
    });
    world(cast).run(&Plan::new(), &mut attack).unwrap()
}

#[track_caller]
fn left_out(report: &Report) {
    let sum = report.result().unwrap();
    assert_eq!(sum.blamed, [Refusal::ShareCommitment { dealer: 1, holder: 3 }]);
    assert_eq!(sum.survivors, [0, 1, 2, 3]);
    assert!(plain::is_exact(report, sum));
}

#[test]
fn every_top_byte_of_a_share() {
    let cast = Arc::new(Cast::new(4, 112).unwrap());
    let mut kept = 0;
    for top in 0..=255 {
        let report = revealing(&cast, |value| value[31] = top);
        let sum = report.result().unwrap();
        assert!(plain::is_exact(&report, sum), "top byte {top}");
        // One of the 256 is what it was.
        if sum.blamed.is_empty() {
            kept += 1;
        } else {
            left_out(&report);
        }
    }
    assert_eq!(kept, 1);
}

#[test]
fn the_order_and_its_neighbours() {
    let cast = Arc::new(Cast::new(4, 113).unwrap());
    let off = |by: i16| {
        let mut value = ORDER;
        value[0] = (i16::from(value[0]) + by).to_le_bytes()[0];
        value
    };
    for value in [off(-1), ORDER, off(1), [0; 32], [0xff; 32]] {
        left_out(&revealing(&cast, |share| *share = value));
    }
    // The same number in another spelling is another share: its own value plus l.
    let report = revealing(&cast, |share| {
        let mut carry = 0;
        for (byte, order) in share.iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
        assert_eq!(carry, 0);
    });
    left_out(&report);
}

/// Public keys that give one shared secret with everybody.
#[test]
fn keys_of_small_order() {
    let cast = Arc::new(Cast::new(4, 114).unwrap());
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    for weak in [[0; 32], one, minus_one] {
        let mut attack = Script::new().edit_back(|at, from, message| {
            if let (ClientMessage::Advertise(advertise), 3) = (message, from) {
                let member = at.cast.member(3).unwrap();
                let fingerprint = &member.certificate.fingerprint;
                let manifest = at.manifest.digest();
                *advertise = forge::advertise(
                    &member.key,
                    manifest,
                    fingerprint,
                    ([9; 32], weak),
                    forge::ANY_KEM,
                    [0; 32],
                );
            }
        });
        let report = world(&cast).run(&Plan::new(), &mut attack).unwrap();
        assert_eq!(report.turned(0), [&Refusal::WeakKey(u16::MAX).into()]);
        let sum = report.result().unwrap();
        assert_eq!(sum.survivors, [0, 1, 2]);
        assert!(plain::is_exact(&report, sum));
    }
}
