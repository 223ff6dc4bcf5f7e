//! G2 for six members: drop-out histories over the five moments. The long form is
//! `cargo run --release -p tacita-sim -- --exhaustive 6`, all 15,625.

use std::collections::BTreeMap;
use std::sync::Arc;

use tacita_sim::histories::{Bounds, Histories, count, expected};
use tacita_sim::{Cast, Setting};

/// Failure: a sample of the 15,625 histories of six members does not come to what m, t and Q say.
#[test]
fn a_sample_of_the_histories_of_six() {
    let cast = Arc::new(Cast::new(6, 2).unwrap());
    let setting = Setting::new(6, 1, 4);
    let mut world = Histories::new(cast, setting, 6).unwrap();
    let mut ended = BTreeMap::new();
    // 97 and 5 have no common factor: the sample walks through all moments of all members.
    for number in (0..count(6)).step_by(97) {
        let ending = world.run(number).unwrap().unwrap();
        *ended.entry(ending.name()).or_insert(0) += 1;
    }
    assert_eq!(ended.len(), 5, "{ended:?}");
    world.verify().unwrap();
}

/// Failure: the rule that says what a history must come to counts otherwise than a person who counts.
#[test]
fn histories_are_counted() {
    let bounds = |minimum, threshold, quorum| Bounds {
        minimum,
        threshold,
        quorum,
    };
    // Four members, m = t = Q = 3: all stay, or all but one that leaves at any of four moments.
    let four = expected(4, &bounds(3, 3, 3));
    assert_eq!(four["sum"], 1 + 4 * 4);
    assert_eq!(four.values().sum::<u64>(), 625);
    // Six members, m = t = Q = 4: two, one or none leave.
    let six = expected(6, &bounds(4, 4, 4));
    assert_eq!(six["sum"], 1 + 6 * 4 + 15 * 16);
    assert_eq!(six.values().sum::<u64>(), 15_625);
}
