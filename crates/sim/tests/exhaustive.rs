//! G2: with an honest server and members that crash, a round ends in the exact sum over the agreed survivors or in the
//! abort that the spec names, and the history alone says which.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use tacita_protocol::{Abort, RoundError};
use tacita_sim::{Cast, Moment, Plan, Report, Setting, State, World, plain};

/// What a history must come to. The rule of the complete graph, in which everybody who answers holds a share of everybody
/// who shared: a step goes on with what the step before it left, if that is enough.
fn verdict(moments: &[Moment], m: usize, t: usize, quorum: usize) -> Result<Vec<usize>, Abort> {
    let beyond = |last: Moment| -> Vec<usize> { (0..moments.len()).filter(|i| moments[*i] > last).collect() };
    let small = |n: usize| u16::try_from(n).unwrap();
    let sharers = beyond(Moment::AfterAdvertise);
    let survivors = beyond(Moment::AfterShare);
    let signers = beyond(Moment::AfterUpload);
    let responders = beyond(Moment::AfterSign);
    if sharers.len() < m {
        return Err(Abort::TooFewSharers(small(sharers.len()), small(m)));
    }
    if survivors.len() < m {
        return Err(Abort::TooFewSurvivors(small(survivors.len()), small(m)));
    }
    if signers.len() < quorum {
        return Err(Abort::NoQuorum(small(signers.len()), small(quorum)));
    }
    if responders.len() < t {
        // The first secret that cannot be rebuilt is that of the first sharer.
        return Err(Abort::TooFewShares {
            dealer: small(sharers[0]),
            name: String::new(),
            have: small(responders.len()),
            need: small(t),
            wrong: 0,
            suspect: 0,
        });
    }
    Ok(survivors)
}

/// The same abort without the member's name, which the rule above does not know.
fn unnamed(error: &RoundError) -> Abort {
    match error {
        RoundError::Abort(Abort::TooFewShares {
            dealer,
            have,
            need,
            wrong,
            suspect,
            ..
        }) => Abort::TooFewShares {
            dealer: *dealer,
            name: String::new(),
            have: *have,
            need: *need,
            wrong: *wrong,
            suspect: *suspect,
        },
        RoundError::Abort(abort) => abort.clone(),
        other => panic!("the server ended a round of crashing members with {other}"),
    }
}

fn check(report: &Report, moments: &[Moment], expected: &Result<Vec<usize>, Abort>) {
    let shown = format!("{moments:?}");
    match (report.result(), expected) {
        (Ok(sum), Ok(survivors)) => {
            assert_eq!(&sum.survivors, survivors, "{shown}");
            assert!(
                plain::is_exact(report, sum),
                "{shown}: not the sum of the survivors"
            );
            let counts = plain::counts(sum).unwrap();
            for (member, count) in counts.iter().take(moments.len()).enumerate() {
                assert_eq!(
                    *count,
                    i64::from(survivors.contains(&member)),
                    "{shown}: member {member}"
                );
            }
            assert!(sum.blamed.is_empty(), "{shown}");
            assert_eq!(
                report.knowledge.exposed(),
                [survivors.iter().copied().collect()],
                "{shown}"
            );
        }
        (Err(error), Err(abort)) => {
            assert_eq!(unnamed(error), *abort, "{shown}");
            assert!(
                report.knowledge.exposed().is_empty(),
                "{shown}: exposed without a sum"
            );
        }
        (got, _) => panic!("{shown}: expected {expected:?}, got {got:?}"),
    }
    assert!(report.knowledge.double_reveals().is_empty(), "{shown}");
    assert_eq!(report.knowledge.unclassified(), 0, "{shown}");
    assert!(
        report.turned(0).is_empty(),
        "{shown}: an honest message was turned down: {:?}",
        report.turned(0)
    );
    for (member, client) in report.clients.iter().enumerate() {
        assert_ne!(
            client.state,
            State::Refused,
            "{shown}: member {member} refused {:?}",
            client.refusal
        );
    }
}

/// Failure: any of the 625 histories of 4 members ends in a sum that is not the plain sum of its survivors, in another
/// abort than the rule names, or with anything exposed beyond the one agreed sum.
#[test]
fn every_history_of_four_members() {
    let cast = Arc::new(Cast::new(4, 1).unwrap());
    let setting = Setting::new(4, 1, 3);
    let p = setting.parameters().unwrap();
    assert_eq!((p.neighbours, p.threshold, p.quorum), (3, 3, 3));
    let mut world = World::new(cast, setting, 2).unwrap();
    let (mut sums, mut aborts) = (0, BTreeMap::new());
    for code in 0..5usize.pow(4) {
        let moments: Vec<Moment> = (0..4).map(|i| Moment::ALL[code / 5usize.pow(i) % 5]).collect();
        let expected = verdict(&moments, 3, 3, 3);
        let report = world.run_honest(&Plan::history(&moments)).unwrap();
        check(&report, &moments, &expected);
        match expected {
            Ok(_) => sums += 1,
            Err(abort) => {
                let reason = format!("{abort:?}")
                    .split(['(', ' '])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                *aborts.entry(reason).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(
        sums, 17,
        "4 or 3 members that stay, the fourth anywhere: 1 + 4 x 4"
    );
    let expected = [
        ("NoQuorum", 185),
        ("TooFewSharers", 113),
        ("TooFewShares", 95),
        ("TooFewSurvivors", 215),
    ];
    assert_eq!(
        aborts,
        expected.map(|(reason, count)| (reason.to_owned(), count)).into()
    );
    world.ledger().verify().unwrap();
}

/// Failure: three members short of the roster do not end the round at once, or a missing fourth ends it.
#[test]
fn too_few_members() {
    let cast = Arc::new(Cast::new(4, 1).unwrap());
    let mut world = World::new(cast, Setting::new(4, 1, 3), 3).unwrap();
    let mut plan = Plan::new();
    plan.absent.insert(1);
    let report = world.run_honest(&plan).unwrap();
    let sum = report.result().unwrap();
    assert_eq!(sum.survivors, [0, 2, 3]);
    assert!(plain::is_exact(&report, sum));
    plan.absent.insert(3);
    let report = world.run_honest(&plan).unwrap();
    assert_eq!(unnamed(report.result().unwrap_err()), Abort::TooFewMembers(2, 3));
}

/// n, c, m of rings just above the complete graph.
const RINGS: [(u16, u16, u16); 3] = [(66, 2, 60), (68, 3, 62), (70, 3, 66)];

fn shuffled(n: usize, rng: &mut ChaCha20Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.next_u32() as usize % (i + 1));
    }
    order
}

/// Failure: on the ring, n - m members that vanish anywhere cost the sum or change it, anything but the agreed sum is
/// exposed, or one more drop-out than n - m yields a sum.
#[test]
fn rings_with_as_many_dropouts_as_promised() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let cast = Arc::new(Cast::new(70, 5).unwrap());
    for (n, c, m) in RINGS {
        let setting = Setting {
            dimension: 128,
            ..Setting::new(n, c, m)
        };
        let parameters = setting.parameters().unwrap();
        assert!(parameters.neighbours < u32::from(n) - 1, "{n}: not a ring");
        let mut world = World::new(cast.clone(), setting, u64::from(n)).unwrap();
        let beyond: Vec<usize> = (usize::from(n)..70).collect();
        // One phase each, then mixtures, always with n - m drop-outs; in the last some never join at all.
        for case in 0..7 {
            let drops = shuffled(usize::from(n), &mut rng);
            let mut plan = Plan {
                absent: beyond.iter().copied().collect(),
                ..Plan::new()
            };
            for (nth, member) in drops.iter().take(usize::from(n - m)).enumerate() {
                let any = rng.next_u32() as usize % 4;
                if case == 6 && nth % 2 == 0 {
                    plan.absent.insert(*member);
                } else {
                    plan.vanish
                        .insert(*member, Moment::ALL[if case < 4 { case } else { any }]);
                }
            }
            let report = world.run_honest(&plan).unwrap();
            let uploaded = |member: &usize| {
                plan.vanish
                    .get(member)
                    .is_none_or(|moment| *moment > Moment::AfterShare)
            };
            let joined = (0..usize::from(n)).filter(|member| !plan.absent.contains(member));
            let survivors: Vec<usize> = joined.filter(uploaded).collect();
            let sum = report.result().unwrap_or_else(|e| panic!("{n} {case}: {e}"));
            assert_eq!(sum.survivors, survivors);
            assert!(plain::is_exact(&report, sum), "{n} {case}");
            assert_eq!(
                report.knowledge.exposed(),
                [survivors.into_iter().collect()],
                "{n} {case}"
            );
            assert!(report.knowledge.double_reveals().is_empty());
            assert!(report.turned(0).is_empty(), "{n} {case}: {:?}", report.turned(0));
        }
        // One more than promised, before the upload: the survivors fall below m.
        let drops = shuffled(usize::from(n), &mut rng);
        for moment in [Moment::AfterAdvertise, Moment::AfterShare] {
            let gone = drops
                .iter()
                .take(usize::from(n - m) + 1)
                .map(|member| (*member, moment));
            let plan = Plan {
                absent: beyond.iter().copied().collect(),
                vanish: gone.collect(),
                ..Plan::new()
            };
            let report = world.run_honest(&plan).unwrap();
            let expected = match moment {
                Moment::AfterAdvertise => Abort::TooFewSharers(m - 1, m),
                _ => Abort::TooFewSurvivors(m - 1, m),
            };
            assert_eq!(unnamed(report.result().unwrap_err()), expected);
            assert!(report.knowledge.exposed().is_empty());
        }
        world.ledger().verify().unwrap();
    }
}
