//! P3, P9, P11: what leaves a client says nothing of its update to anybody who lacks the masks.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use tacita_algebra::{RingBits, RingVector};
use tacita_protocol::messages::ClientMessage;
use tacita_sim::{Cast, Noise, Plan, Report, Setting, World, plain};

/// Coordinates of an update; 13 bits each fill 6,656 bytes.
const DIMENSION: u32 = 4096;

fn world(seed: u64) -> World {
    let setting = Setting {
        dimension: DIMENSION,
        chunk: 1024,
        ..Setting::new(4, 1, 3)
    };
    World::new(Arc::new(Cast::new(4, 51).unwrap()), setting, seed).unwrap()
}

/// A round in which member 0 contributes this update.
fn round(update: Vec<f32>, seed: u64) -> Report {
    let plan = Plan {
        updates: [(0, update)].into(),
        ..Plan::new()
    };
    let report = world(seed).run_honest(&plan).unwrap();
    assert!(plain::is_exact(&report, report.result().unwrap()));
    report
}

/// All packed bytes of a member's upload.
fn uploaded(report: &Report, member: usize) -> Vec<u8> {
    let chunks = report
        .sent
        .iter()
        .filter(|sent| sent.from == member)
        .filter_map(|sent| match sent.message().unwrap() {
            ClientMessage::Chunk(chunk) => Some(chunk.packed.as_slice().to_vec()),
            _ => None,
        });
    chunks.flatten().collect()
}

/// Pearson's statistic of the byte values, 255 degrees of freedom.
fn chi_square(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = bytes.len() as f64 / 256.0;
    counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected)
        .sum()
}

/// Failure: the bytes of an upload are not uniform, whatever the update is; or the statistic cannot tell.
#[test]
fn uploads_are_uniform() {
    let constant = vec![1.0 / 64.0; DIMENSION as usize];
    let one = (0..DIMENSION).map(|i| f32::from(u8::from(i == 7))).collect();
    let updates: [(&str, Vec<f32>); 3] = [
        ("zeros", vec![0.0; DIMENSION as usize]),
        ("constant", constant),
        ("one value", one),
    ];
    let mut all = Vec::new();
    for (seed, (what, update)) in (60..).zip(updates) {
        let report = round(update, seed);
        let bits = report.manifest.bits();
        // Unmasked, the same packing is far from uniform: the statistic has the power to notice.
        let encoded = report.clients[0].encoded.as_ref().unwrap();
        let bare = RingVector::from_signed(bits, encoded).pack(0..encoded.len());
        assert!(chi_square(&bare) > 1000.0, "{what}: {}", chi_square(&bare));
        for member in 0..4 {
            let bytes = uploaded(&report, member);
            assert_eq!(bytes.len(), bare.len());
            // 255 + 6 standard deviations of 22.6, below 120 the bytes would be too even.
            let x = chi_square(&bytes);
            assert!((120.0..391.0).contains(&x), "{what}, member {member}: {x}");
            all.extend(bytes);
        }
    }
    let x = chi_square(&all);
    assert!((120.0..391.0).contains(&x), "all together: {x}");
}

/// Failure: two uploads of one member in two rounds share masks, so that their difference is that of the updates.
#[test]
fn masks_are_fresh_in_every_round() {
    let mut world = world(61);
    let zeros = vec![0.0; DIMENSION as usize];
    let plan = Plan {
        updates: [(0, zeros)].into(),
        ..Plan::new()
    };
    let first = uploaded(&world.run_honest(&plan).unwrap(), 0);
    let second = uploaded(&world.run_honest(&plan).unwrap(), 0);
    let difference: Vec<u8> = first.iter().zip(&second).map(|(a, b)| a ^ b).collect();
    let x = chi_square(&difference);
    assert!((120.0..391.0).contains(&x), "{x}");
}

/// Every way in which a vector could be written down by mistake.
fn spellings(bits: RingBits, values: &[i64]) -> Vec<(&'static str, Vec<u8>)> {
    let packed = RingVector::from_signed(bits, values).pack(0..values.len());
    let words = |width: usize, big: bool| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| {
                let mut bytes = value.to_le_bytes()[..width].to_vec();
                if big {
                    bytes.reverse();
                }
                bytes
            })
            .collect()
    };
    vec![
        ("packed", packed),
        ("16 bit", words(2, false)),
        ("32 bit", words(4, false)),
        ("32 bit, big-endian", words(4, true)),
        ("64 bit", words(8, false)),
        ("64 bit, big-endian", words(8, true)),
    ]
}

fn occurs(needle: &[u8], hay: &[u8]) -> bool {
    hay.windows(needle.len()).any(|window| window == needle)
}

/// Failure: anywhere in all that the server receives from a client in a round, any 16 bytes of its encoded update occur,
/// or of its weights and metrics: there are none outside the vector.
#[test]
fn the_update_occurs_nowhere() {
    for noise in [Noise::None, Noise::Skellam(3000 << 16)] {
        let mut world = world(62);
        world.setting().noise = noise;
        world.setting().grid = 64;
        for member in 0..4 {
            let budget = tacita_privacy::Budget {
                epsilon: "30".parse().unwrap(),
                delta: "0.00001".parse().unwrap(),
            };
            let filter = tacita_privacy::BudgetFilter::new(budget).unwrap();
            *world.record(member).unwrap() = tacita_sim::MemoryRecord::new(Some(filter));
        }
        // A dense update: its pieces are not runs of zeros, which may occur by chance in any message.
        let dense: Vec<f32> = (0..DIMENSION)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 2000.0)
            .collect();
        let plan = Plan {
            updates: [(0, dense.clone())].into(),
            ..Plan::new()
        };
        let report = world.run_honest(&plan).unwrap();
        assert!(report.result().is_ok(), "{:?}", report.result().err());
        let encoded = report.clients[0].encoded.as_ref().unwrap();
        let received: Vec<u8> = report
            .sent
            .iter()
            .filter(|sent| sent.from == 0)
            .flat_map(|sent| sent.frame.clone())
            .collect();
        assert!(received.len() > 6000);
        for (spelling, bytes) in spellings(report.manifest.bits(), encoded) {
            // Control: the search finds what is there.
            assert!(occurs(&bytes[..16], &[&received[..], &bytes[..16]].concat()));
            for at in (0..bytes.len() - 16).step_by(97) {
                let piece = &bytes[at..at + 16];
                assert!(!occurs(piece, &received), "{spelling}: 16 bytes from {at} on");
            }
        }
        let floats: Vec<u8> = dense.iter().flat_map(|value| value.to_le_bytes()).collect();
        for at in (0..floats.len() - 16).step_by(97) {
            assert!(!occurs(&floats[at..at + 16], &received), "floats from {at} on");
        }
    }
}

/// Failure: the messages of a client differ in number or length with what its update is.
#[test]
fn lengths_say_nothing() {
    let lengths = |report: &Report| -> Vec<usize> {
        report
            .sent
            .iter()
            .filter(|sent| sent.from == 0)
            .map(|sent| sent.frame.len())
            .collect()
    };
    let zeros = round(vec![0.0; DIMENSION as usize], 63);
    let large = round((0..DIMENSION).map(|i| i as f32).collect(), 64);
    assert_eq!(lengths(&zeros), lengths(&large));
}
