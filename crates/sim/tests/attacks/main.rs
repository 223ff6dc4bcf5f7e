//! G1: what a malicious server with up to c colluders tries, one named test each. Every test says in one sentence what
//! would count as failure, and ends in [`private`]: nothing was exposed but the one sum that honest members agreed to.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

mod boxes;
mod charge;
mod checker;
mod clips;
mod codec;
mod dealers;
mod desk;
mod disk;
mod flips;
mod manifest;
mod noise_levels;
mod phases;
mod post_quantum;
mod quorum;
mod record;
mod resumption;
mod rogue;
mod roster;
mod sampled;
mod server_side;
mod sharers;
mod survivors;
mod unit;
mod views;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use tacita_protocol::messages::ServerMessage;
use tacita_protocol::{Abort, Refusal, RoundError};
use tacita_sim::{Attack, Backstage, Cast, Plan, Report, Script, Setting, State, World, plain};

static FOUR: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(4, 11).unwrap()));
static FIVE: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(5, 12).unwrap()));
static RING: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(66, 13).unwrap()));

/// n = 4, c = 1, m = 3: t = Q = 3.
fn four() -> World {
    World::new(FOUR.clone(), Setting::new(4, 1, 3), 1).unwrap()
}

/// n = 5, c = 1, m = 4: t = Q = 4.
fn five() -> World {
    World::new(FIVE.clone(), Setting::new(5, 1, 4), 2).unwrap()
}

/// n = 66, c = 2, m = 60 on the ring: Q = 35.
fn ring() -> World {
    World::new(
        RING.clone(),
        Setting {
            dimension: 128,
            ..Setting::new(66, 2, 60)
        },
        3,
    )
    .unwrap()
}

fn run(world: &mut World, mut attack: impl Attack) -> Report {
    world.run(&Plan::new(), &mut attack).unwrap()
}

/// What every test of an attack ends in: no honest member revealed shares of both secrets of one dealer, and of all that
/// the server and its colluders know, at most one sum can be unmasked: the honest part of one agreed U2, of at
/// least m - c members.
#[track_caller]
fn private(report: &Report) {
    assert!(
        report.knowledge.double_reveals().is_empty(),
        "both secrets: {:?}",
        report.knowledge.double_reveals()
    );
    assert_eq!(
        report.knowledge.unclassified(),
        0,
        "a share of no dealing was revealed"
    );
    let exposed = report.knowledge.exposed();
    assert!(exposed.len() <= 1, "two sums are exposed: {exposed:?}");
    let fields = report.manifest.fields();
    for set in &exposed {
        let floor = usize::from(fields.minimum_survivors - fields.colluders);
        assert!(set.len() >= floor, "a sum over {set:?} is exposed");
        for sum in report.views.iter().filter_map(|view| view.result.as_ref().ok()) {
            let agreed: BTreeSet<usize> = sum.survivors.iter().copied().collect();
            assert!(
                set.is_subset(&agreed),
                "{set:?} is exposed, {agreed:?} was agreed"
            );
        }
    }
}

/// As [`private`], and nothing at all is exposed.
#[track_caller]
fn nothing_exposed(report: &Report) {
    private(report);
    assert!(
        report.knowledge.exposed().is_empty(),
        "{:?}",
        report.knowledge.exposed()
    );
}

/// The round ended in the exact sum of these members, each counted once.
#[track_caller]
fn exact(report: &Report, survivors: &[usize]) {
    let sum = report.result().unwrap_or_else(|error| panic!("no sum: {error}"));
    assert_eq!(sum.survivors, survivors);
    assert!(plain::is_exact(report, sum), "not the sum of the survivors");
    let counts = plain::counts(sum).unwrap();
    for (member, count) in counts.iter().enumerate().take(report.clients.len()) {
        assert_eq!(
            *count,
            i64::from(survivors.contains(&member)),
            "member {member} counts {count}"
        );
    }
}

#[track_caller]
fn aborted(report: &Report, abort: Abort) {
    match report.result() {
        Err(RoundError::Abort(got)) => assert_eq!(*got, abort),
        Err(error) => panic!("ended with {error}"),
        Ok(_) => panic!("ended with a sum"),
    }
}

/// These members refused for this reason, and no other member refused.
#[track_caller]
fn refused(report: &Report, members: &[usize], reason: &Refusal) {
    for (member, client) in report.clients.iter().enumerate() {
        if members.contains(&member) {
            assert_eq!(client.state, State::Refused, "member {member} went on");
            assert_eq!(report.refusal(member), Some(reason), "member {member}");
        } else {
            assert_ne!(
                client.state,
                State::Refused,
                "member {member}: {:?}",
                client.refusal
            );
        }
    }
}

/// The messages that the honest server turned down have exactly these reasons.
#[track_caller]
fn turned(report: &Report, view: usize, reasons: &[Refusal]) {
    let expected: Vec<RoundError> = reasons.iter().cloned().map(RoundError::from).collect();
    assert_eq!(report.turned(view), expected.iter().collect::<Vec<_>>());
}

/// Edits what the members `victims` are sent.
fn against<'a>(
    victims: &'a [usize],
    mut f: impl FnMut(&Backstage<'_>, usize, &mut ServerMessage) + 'a,
) -> Script<'a> {
    Script::new().edit(move |at, to, message| {
        if victims.contains(&to) {
            f(at, to, message);
        }
    })
}

/// Flips the lowest bit of a byte in a list of bytes that the codec keeps behind its own vector type.
fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at] ^= 1;
    out
}
