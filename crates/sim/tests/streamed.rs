//! A round of members that upload one after another is the same round: the sum of what they made, to the last coordinate.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use tacita_sim::scale::Meter;
use tacita_sim::{Cast, Disk, Setting, Streaming};

fn value(member: usize, at: usize) -> i32 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 + member as u64);
    (mixed >> 58) as i32 - 32
}

#[test]
fn the_sum_is_exact_across_chunks_and_pieces() {
    let cast = Cast::new(5, 6).unwrap();
    let setting = Setting {
        dimension: 150_001,
        grid: 1 << 20,
        chunk: 4096,
        ..Setting::new(5, 1, 4)
    };
    let mut round = Streaming::open(&cast, &setting, Box::new(Disk::default())).unwrap();
    // Member 3 stays silent: its masks are rebuilt and taken off.
    for member in [4, 0, 2, 1] {
        let fill = |start: usize, values: &mut [i32]| {
            (start..).zip(values).for_each(|(at, to)| *to = value(member, at));
        };
        round.upload(member, &fill, &mut || {}).unwrap();
    }
    let view = round.finish(&mut Meter::default()).unwrap();
    let sum = view.unmasked().unwrap();
    assert!(sum.vector().len() > 150_001);
    for (at, got) in sum.vector().signed(0).enumerate() {
        let expected: i32 = [0, 1, 2, 4].iter().map(|member| value(*member, at)).sum();
        assert_eq!(got, i64::from(expected), "coordinate {at}");
    }
}
