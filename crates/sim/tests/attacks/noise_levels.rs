//! Noise levels: what is taken off a sum, and what a server or a member tries with the seeds.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tacita_privacy::{Budget, BudgetFilter, Mechanism, NoiseLevels, NoiseShare, SurplusSeed};
use tacita_protocol::Refusal;
use tacita_protocol::messages::{ClientMessage, Reveal, ServerMessage};
use tacita_sim::{Attack, Cast, MemoryRecord, Moment, Noise, Plan, Report, Script, Setting, World, plain};

use crate::{private, refused, turned};

/// Variance of a whole share, in grid steps.
const SHARE: u64 = 6_000;
/// Values in a vector: the deviation of a measured variance is sqrt(2 / 8,192) = 1.6 %.
const LONG: u32 = 8192;

/// n = 7, c = 1, m = 5, levels at 1 and 2 drop-outs, zero updates; V = 4 shares.
fn world(long: bool) -> World {
    let cast = std::sync::Arc::new(Cast::new(7, 41).unwrap());
    let mut setting = Setting::new(7, 1, 5);
    setting.noise = Noise::Skellam(SHARE << 16);
    setting.levels = vec![1, 2];
    setting.grid = 64;
    if long {
        (setting.dimension, setting.chunk) = (LONG, 1024);
    }
    let mut world = World::new(cast, setting, 5).unwrap();
    for member in 0..7 {
        let budget = Budget {
            epsilon: "30".parse().unwrap(),
            delta: "0.00001".parse().unwrap(),
        };
        *world.record(member).unwrap() = MemoryRecord::new(Some(BudgetFilter::new(budget).unwrap()));
    }
    world
}

fn levels() -> NoiseLevels {
    NoiseLevels::derive((7, 5, 1), SHARE << 16, &[1, 2]).unwrap()
}

fn plan(world: &mut World, vanish: &[(usize, Moment)]) -> Plan<'static> {
    let length = world.setting().dimension as usize;
    Plan {
        updates: (0..7).map(|member| (member, vec![0.0; length])).collect(),
        vanish: vanish.iter().copied().collect(),
        ..Plan::new()
    }
}

fn play(long: bool, vanish: &[(usize, Moment)], mut attack: impl Attack) -> Report {
    let mut world = world(long);
    let plan = plan(&mut world, vanish);
    let report = world.run(&plan, &mut attack).unwrap();
    private(&report);
    report
}

fn variance(values: &[i64]) -> f64 {
    values.iter().map(|value| (*value as f64).powi(2)).sum::<f64>() / values.len() as f64
}

/// What the outcome in the ledger says is left.
fn stated(report: &Report) -> u128 {
    let outcome = report.clients.iter().find_map(|client| client.outcome.as_ref());
    outcome.unwrap().noise_variance_q16.parse().unwrap()
}

/// Measured, stated and planned noise agree: `survivors` of whom `revealed` had their surplus taken off.
#[track_caller]
fn left(report: &Report, survivors: u32, revealed: u32) {
    let kept = u128::from(levels().kept_variance_q16(survivors));
    let expected = kept * u128::from(revealed) + u128::from(SHARE << 16) * u128::from(survivors - revealed);
    // Exactly: whoever reveals what, |U2| - c honest members hold V = 4 shares or more.
    assert!(kept * u128::from(survivors - 1) >= u128::from((4 * SHARE) << 16));
    assert_eq!(stated(report), expected);
    let sum = report.result().unwrap();
    let measured = variance(&sum.values) / (expected as f64 / 65536.0);
    // Five deviations, and the quarter step that rounding zeros does not add.
    assert!((0.92..1.08).contains(&measured), "{measured} of the noise stated");
}

/// Failure: more or less noise stays than the level says, at any number of drop-outs.
#[test]
fn the_sum_keeps_the_planned_variance() {
    for vanishing in 0..=2usize {
        let vanish: Vec<_> = (0..vanishing)
            .map(|member| (member, Moment::AfterShare))
            .collect();
        let report = play(true, &vanish, Script::new());
        let survivors = 7 - u32::try_from(vanishing).unwrap();
        assert!(report.result().unwrap().blamed.is_empty());
        // At two drop-outs everything is kept, and nobody has anything to reveal.
        left(&report, survivors, if vanishing == 2 { 0 } else { survivors });
        let exact = plain::is_exact(&report, report.result().unwrap());
        assert_eq!(exact, vanishing == 2, "surplus was taken off unless all is kept");
    }
}

/// Failure: a member that goes before it reveals takes its surplus with it, or ends the round.
#[test]
fn who_vanishes_before_the_reveal_leaves_its_surplus() {
    let report = play(true, &[(3, Moment::AfterSign)], Script::new());
    left(&report, 7, 6);
}

/// Failure: a wrong seed takes anything off the sum, ends the round, or blames another.
#[test]
fn a_wrong_seed_blames_its_sender_and_leaves_its_surplus() {
    let edits: [fn(&mut Vec<u8>); 4] = [
        |seed| seed[0] ^= 1,
        |seed| seed.clear(),
        |seed| seed.push(0),
        |seed| *seed = vec![7; 32],
    ];
    for edit in edits {
        let attack = Script::new().edit_back(move |_, from, message| {
            if let (2, ClientMessage::Reveal(reveal)) = (from, message) {
                let mut seed = reveal.noise_seed.as_slice().to_vec();
                edit(&mut seed);
                reveal.noise_seed = seed.into();
            }
        });
        let report = play(true, &[], attack);
        assert_eq!(report.result().unwrap().blamed, [Refusal::NoiseSeed(2)]);
        left(&report, 7, 6);
    }
}

/// Failure: an upload without its anchor, or with another than it was signed with, is taken.
#[test]
fn an_upload_without_its_anchor() {
    let with = |anchor: Vec<u8>| {
        Script::new().from_clients(move |_, from, message| {
            let ClientMessage::UploadEnd(end) = &message else {
                return vec![message];
            };
            let mut end = end.clone();
            if from == 2 {
                end.noise_anchor = anchor.clone().into();
            }
            vec![ClientMessage::UploadEnd(end)]
        })
    };
    for (anchor, reason) in [
        (vec![], Refusal::NoiseAnchor),
        (vec![0; 31], Refusal::NoiseAnchor),
        (vec![0; 32], Refusal::UploadSignature),
    ] {
        let report = play(false, &[], with(anchor));
        turned(&report, 0, &[reason]);
        assert_eq!(report.result().unwrap().survivors, [0, 1, 3, 4, 5, 6]);
    }
}

/// Failure: levels that a member did not compute itself decide what is taken off.
#[test]
fn levels_that_do_not_follow_from_the_share() {
    let edits: [fn(&mut tacita_protocol::manifest::Manifest); 3] = [
        |m| {
            let mut stated = m.noise_levels.as_slice().to_vec();
            stated[0].variance_q16 += 1;
            m.noise_levels = stated.into();
        },
        |m| m.noise_levels = m.noise_levels.as_slice()[..1].to_vec().into(),
        |m| (m.mechanism, m.share_variance_q16, m.total_variance_q16) = (0, 0, 0),
    ];
    for edit in edits {
        let attack = Script::new().edit(move |at, to, message| {
            if let (0, ServerMessage::Invitation(invitation)) = (to, message) {
                edit(&mut invitation.manifest);
                invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
            }
        });
        let report = play(false, &[], attack);
        refused(&report, &[0], &Refusal::NoiseLevels);
    }
}

/// Runs an attack and gives every answer to a reveal request, by member.
fn reveals(edit: impl Fn(usize, &mut ServerMessage), twice: bool) -> (Report, BTreeMap<usize, Vec<Reveal>>) {
    let seen: RefCell<BTreeMap<usize, Vec<Reveal>>> = RefCell::default();
    let attack = Script::new()
        .to_clients(|_, to, mut message| {
            edit(to, &mut message);
            let again = twice && matches!(message, ServerMessage::Reveal(_));
            vec![message; 1 + usize::from(again)]
        })
        .from_clients(|_, from, message| {
            if let ClientMessage::Reveal(reveal) = &message {
                seen.borrow_mut().entry(from).or_default().push(reveal.clone());
            }
            vec![message]
        });
    let report = play(false, &[(6, Moment::AfterShare)], attack);
    (report, seen.into_inner())
}

/// Failure: a member gives a seed for other survivors than it signed, because the server shows the others more or fewer.
#[test]
fn a_seed_for_other_survivors() {
    // Six survive, {0, .., 5}. Member 0 is told of seven, for which layer 1 would be surplus too, or of five.
    for told in [0x7f, 0x1f] {
        let edit = |to: usize, message: &mut ServerMessage| {
            if let (0, ServerMessage::Agree(request)) = (to, message) {
                request.survivors = vec![told].into();
            }
        };
        let (report, seen) = reveals(edit, false);
        // Roster indices are rising identities, members of the cast too.
        assert!(
            !seen.contains_key(&0),
            "member 0 revealed for what nobody else signed"
        );
        for answers in seen.values() {
            assert_eq!(answers.len(), 1);
        }
        assert_eq!(report.result().unwrap().survivors, [0, 1, 2, 3, 4, 5]);
    }
}

/// Failure: what a survivor reveals gives the server a layer that is kept; or a second request gets another seed out of it.
#[test]
fn one_seed_and_no_kept_layer() {
    let (report, seen) = reveals(|_, _| {}, true);
    assert_eq!(seen.len(), 6);
    for answers in seen.values() {
        let [first, second] = answers.as_slice() else {
            panic!("{} answers", answers.len());
        };
        assert_eq!(first, second);
        let seed: [u8; 32] = first.noise_seed.as_slice().try_into().unwrap();
        // With one drop-out layer 1 is kept: the seed is that of layer 2, one step from the anchor.
        let anchor: [u8; 32] = tacita_algebra::TaggedHash::new("tacita/1 noise chain")
            .u64(2)
            .bytes(&seed)
            .finish();
        assert!(SurplusSeed::check(&seed, 6, &levels(), &anchor).is_some());
        assert!(SurplusSeed::check(&seed, 7, &levels(), &anchor).is_none());
    }
    let share = NoiseShare::of_round(Mechanism::Skellam, SHARE << 16, (7, 5, 1), &[1, 2]).unwrap();
    assert_eq!(stated(&report), 6 * u128::from(share.kept_variance_q16(6)));
}

/// Failure: an update is masked whose noise has no layers in a round that takes some off, or has them where none are.
#[test]
fn updates_of_rounds_with_other_levels() {
    for (before, now) in [(Vec::new(), vec![1, 2]), (vec![1, 2], Vec::new())] {
        let mut world = world(false);
        world.setting().levels = before;
        let honest = plan(&mut world, &[]);
        let first = world.run_honest(&honest).unwrap();
        world.setting().levels = now;
        let mut confused = plan(&mut world, &[]);
        confused.prepared_for.insert(0, first.manifest);
        let report = world.run_honest(&confused).unwrap();
        refused(&report, &[0], &Refusal::Update("noise levels"));
        assert_eq!(report.result().unwrap().survivors.len(), 6);
        private(&report);
    }
}
