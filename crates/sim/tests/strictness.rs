//! Rules at the edges of a round: what a manifest may not spell or size otherwise, whom a roster leaves out, which charge
//! is not worth making, and which outcome is not that of the round.

// Helpers of tests may unwrap like the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tacita_ledger::Entry;
use tacita_protocol::client::Invited;
use tacita_protocol::limits::MAX_LOSS_CAP;
use tacita_protocol::manifest::{Manifest, ManifestClip, ManifestMetrics};
use tacita_protocol::messages::{ClientMessage, DealtBox, Invitation, ServerMessage, ShareRoot, Shares};
use tacita_protocol::server::Gathering;
use tacita_protocol::spool::MemoryStash;
use tacita_protocol::{Abort, DecodeError, Misuse, Refusal, RoundError, limits};
use tacita_sim::{Cast, MemoryRecord, Moment, NOW, Noise, Plan, Script, Setting, State, World, forge};

static FOUR: LazyLock<Arc<Cast>> = LazyLock::new(|| Arc::new(Cast::new(4, 21).unwrap()));

fn four() -> World {
    World::new(FOUR.clone(), Setting::new(4, 1, 3), 1).unwrap()
}

fn manifest(setting: &Setting) -> Manifest {
    setting
        .manifest(1, [7; 32], (0, tacita_ledger::tree::empty_root()), NOW)
        .unwrap()
}

/// Failure: one number has two spellings in what is signed, so that the manifest and its ledger entry could differ.
#[test]
fn decimals_have_one_spelling() {
    let noisy = Setting {
        noise: Noise::Skellam(3000 << 16),
        ..Setting::new(4, 1, 3)
    };
    type Case = (fn(&mut Manifest), &'static str);
    let cases: [Case; 5] = [
        (|m| m.clip = b"1.0".as_slice().into(), "clip"),
        (|m| m.clip = b"01".as_slice().into(), "clip"),
        (|m| m.epsilon = b"08".as_slice().into(), "epsilon"),
        (|m| m.epsilon = b"8.".as_slice().into(), "epsilon"),
        (|m| m.delta = b"0.000010".as_slice().into(), "delta"),
    ];
    for (edit, field) in cases {
        let mut manifest = manifest(&noisy);
        assert!(manifest.clone().check().is_ok());
        edit(&mut manifest);
        assert_eq!(manifest.check().unwrap_err(), Refusal::ManifestField(field));
    }
}

/// Failure: a manifest passes whose vectors the privacy room does not take, or whose neighbourhoods no message holds.
#[test]
fn sizes_that_cannot_be_served() {
    let mut large = manifest(&Setting::new(4, 1, 3));
    large.dimension = limits::MAX_DIMENSION + 1;
    large.block = 1;
    large.padded = large.dimension;
    assert_eq!(large.check().unwrap_err(), Refusal::ManifestField("dimension"));
    // n = 1000, c = 100, m = 580 needs more than 520 neighbours.
    let wide = Setting::new(1000, 100, 580);
    assert!(wide.parameters().unwrap().neighbours > u32::from(limits::MAX_NEIGHBOURS));
    assert_eq!(
        manifest(&wide).check().unwrap_err(),
        Refusal::ManifestField("neighbours")
    );
    assert!(manifest(&Setting::new(500, 25, 375)).check().is_ok());
}

/// Failure: a manifest too long to be written down is signed for, or checked, as some other one.
#[test]
fn manifests_that_cannot_be_written_down() {
    let mut long = manifest(&Setting::new(4, 1, 3));
    // One byte more than its length counts. No peer can send it; a caller of this process can make it.
    long.epsilon = vec![b'1'; 256].into();
    assert_eq!(long.digest(), Err(Misuse::Encoding));
    assert_eq!(
        long.clone().check().unwrap_err(),
        Refusal::ManifestField("length")
    );
    let invitation = Invitation {
        manifest: long,
        signature: [0; 64],
        checkpoint: Vec::new().into(),
        consistency: Vec::new().into(),
        model_length: 0,
        previous: Vec::new().into(),
    };
    let member = Arc::new(FOUR.participant(0).unwrap());
    let accepted = Invited::accept(invitation, member, &mut MemoryRecord::new(None), NOW);
    let refused = accepted.err().map(|refused| refused.error);
    assert_eq!(refused, Some(Refusal::ManifestField("length").into()));
}

/// 0.64, 0.48 and 0.6 side by side: the clip norm is 1.
fn beside(m: &mut Manifest) {
    m.update_clip = b"0.64".as_slice().into();
    m.metrics = vec![metrics(b"0.75", b"4")].into();
    m.adaptive_clip = vec![clip(b"0.5,0.2,0.64,0.1,10", b"0.9375")].into();
}

fn metrics(scale: &[u8], loss_cap: &[u8]) -> ManifestMetrics {
    ManifestMetrics {
        scale: scale.into(),
        loss_cap: loss_cap.into(),
    }
}

fn clip(rule: &[u8], count_scale: &[u8]) -> ManifestClip {
    ManifestClip {
        rule: rule.into(),
        count_scale: count_scale.into(),
    }
}

/// 0.8 and 0.6 side by side.
fn weighted(m: &mut Manifest) {
    m.weighting = 1;
    m.weight_cap = 100;
    m.weight_scale = b"0.6".as_slice().into();
    m.update_clip = b"0.8".as_slice().into();
}

/// Failure: what travels beside the update has no size, several, or one that no clip norm follows from.
#[test]
fn what_travels_beside_an_update() {
    type Edit = fn(&mut Manifest);
    let base = manifest(&Setting::new(4, 1, 3));
    for good in [beside as Edit, weighted] {
        let mut manifest = base.clone();
        good(&mut manifest);
        assert!(manifest.check().is_ok());
    }
    let cases: [(Edit, Edit, &str); 17] = [
        (
            weighted,
            |m| m.weight_scale = b"0".as_slice().into(),
            "weight scale",
        ),
        (weighted, |m| m.weight_scale = Vec::new().into(), "weight scale"),
        (weighted, |m| m.update_clip = Vec::new().into(), "update clip"),
        (
            weighted,
            |m| m.update_clip = b"0".as_slice().into(),
            "update clip",
        ),
        (weighted, |m| m.weighting = 2, "weighting"),
        (
            beside,
            |m| m.metrics = vec![metrics(b"0", b"4")].into(),
            "metrics",
        ),
        (
            beside,
            |m| m.metrics = vec![metrics(b"0.75", b"0")].into(),
            "metrics",
        ),
        (
            beside,
            |m| m.metrics = vec![metrics(b"0.75", b"4"); 2].into(),
            "metrics",
        ),
        (
            beside,
            |m| m.metrics = vec![metrics(b"0.75", MAX_LOSS_CAP.to_string().as_bytes())].into(),
            "metrics",
        ),
        (
            beside,
            |m| m.adaptive_clip = vec![clip(b"0.5", b"0.9375")].into(),
            "adaptive clip",
        ),
        (
            beside,
            |m| m.adaptive_clip = vec![clip(b"0.5,0.2,0.64,0.1,10", b"0")].into(),
            "adaptive clip",
        ),
        (
            beside,
            |m| m.adaptive_clip = vec![clip(b"0.5,0.2,0.64,0.1,10", b"0.9375"); 2].into(),
            "adaptive clip",
        ),
        // A clip norm of the update above all that the rule can give.
        (
            beside,
            |m| m.adaptive_clip = vec![clip(b"0.5,0.2,0.5,0.1,0.6", b"0.9375")].into(),
            "update clip",
        ),
        (beside, |m| m.clip = b"1.5".as_slice().into(), "weighting"),
        // All coordinates are taken by what is beside an update of none.
        (
            beside,
            |m| (m.dimension, m.block, m.padded) = (3, 4, 4),
            "dimension",
        ),
        (|_| {}, |m| m.update_clip = b"1".as_slice().into(), "weighting"),
        (|_| {}, |m| m.weight_scale = b"0.6".as_slice().into(), "weighting"),
    ];
    for (good, edit, field) in cases {
        let mut manifest = base.clone();
        good(&mut manifest);
        edit(&mut manifest);
        assert_eq!(manifest.check().unwrap_err(), Refusal::ManifestField(field));
    }
    // The largest loss that counts, but one.
    let mut manifest = base.clone();
    beside(&mut manifest);
    let most = (MAX_LOSS_CAP - 1).to_string();
    manifest.metrics = vec![metrics(b"0.75", most.as_bytes())].into();
    assert!(manifest.check().is_ok());
}

/// Failure: a small frame of empty elements becomes a message many times its size.
#[test]
fn lists_longer_than_a_cohort() {
    let empty = |peer| DealtBox {
        peer,
        pair: [0; 32],
        mask_ciphertext: Vec::new().into(),
        share_ciphertext: Vec::new().into(),
        ciphertext: Vec::new().into(),
    };
    let longest = u16::try_from(limits::MAX_LIST).unwrap();
    let shares = |count: u16| {
        ClientMessage::Shares(Shares {
            share_root: ShareRoot {
                root: [0; 32],
                self_commitment: [0; 32],
                signature: [0; 64],
            },
            own_pair: Vec::new().into(),
            boxes: (0..count).map(empty).collect::<Vec<_>>().into(),
        })
        .encode()
        .unwrap()
    };
    assert!(ClientMessage::decode(&shares(longest)).is_ok());
    assert_eq!(
        ClientMessage::decode(&shares(longest + 1)),
        Err(DecodeError::TooMany("boxes"))
    );
    let certificates = vec![Vec::new().into(); limits::MAX_LIST + 1];
    let frame = ServerMessage::Certificates(certificates.into()).encode().unwrap();
    assert_eq!(
        ServerMessage::decode(&frame),
        Err(DecodeError::TooMany("certificates"))
    );
}

/// Failure: a member whose certificate is revoked or runs out stays in the roster, which all its neighbours would refuse.
#[test]
fn members_that_neighbours_would_refuse_are_screened() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    // Issued, and over, a quarter of an hour before the others.
    let short = FOUR.certify("member-short", NOW - 900, &mut rng).unwrap();
    let checked = Arc::new(manifest(&Setting::new(4, 1, 3)).check().unwrap());
    let open = || {
        let mut gathering = Gathering::open(checked.clone());
        for member in FOUR.members().iter().take(3).chain([&short]) {
            let advertise = forge::advertise(
                &member.key,
                checked.digest(),
                &member.certificate.fingerprint,
                ([9; 32], [9; 32]),
                forge::ANY_KEM,
                [1; 32],
            );
            gathering.handle_advertise(member.member(), advertise).unwrap();
        }
        gathering
    };
    let nobody = FOUR.deny_list([]).unwrap();
    let revoked = FOUR.deny_list([1]).unwrap();
    let names = |deny, until| -> Vec<String> {
        let mut gathering = open();
        let turned = gathering.screen(deny, NOW, until);
        assert_eq!(gathering.count(), 4 - turned.len());
        assert!(
            turned
                .iter()
                .all(|(_, refusal)| matches!(refusal, Refusal::Certificate(..)))
        );
        turned
            .into_iter()
            .map(|(member, _)| member.certificate.name.to_string())
            .collect()
    };
    let end = short.certificate.not_after;
    assert!(names(&nobody, end).is_empty());
    assert_eq!(names(&nobody, end + 1), ["member-short"]);
    assert_eq!(names(&revoked, end), [FOUR.member(1).unwrap().name.clone()]);
    // An `until` in the past does not soften the present.
    let mut gathering = open();
    assert_eq!(gathering.screen(&nobody, end + 1, 0).len(), 1);
    assert_eq!(
        gathering.close(Box::new(MemoryStash::default())).err(),
        None,
        "three members are enough for this round"
    );
}

/// Failure: on the ring a quorum signs, but for one member's secrets the signers cannot have t shares, and the round is
/// charged all the same.
#[test]
fn no_charge_for_a_sum_that_cannot_be_had() {
    let cast = Arc::new(Cast::new(66, 22).unwrap());
    let setting = Setting {
        dimension: 64,
        ..Setting::new(66, 2, 60)
    };
    let quorum = usize::try_from(setting.parameters().unwrap().quorum).unwrap();
    let mut world = World::new(cast, setting, 3).unwrap();
    // Everybody uploads, no more than a quorum signs: far more silent members than the six that are tolerated.
    let silent: BTreeMap<usize, Moment> = (quorum..66).map(|member| (member, Moment::AfterUpload)).collect();
    let report = world
        .run_honest(&Plan {
            vanish: silent,
            ..Plan::new()
        })
        .unwrap();
    match report.result() {
        Err(RoundError::Abort(Abort::TooFewShares { have, need, .. })) => assert!(have < need),
        other => panic!("{:?}", other.err()),
    }
    assert!(report.knowledge.exposed().is_empty());
    let entries = world.ledger().verify().unwrap().entries;
    assert!(
        matches!(entries.as_slice(), [Entry::Manifest(_), Entry::Release(_)]),
        "{entries:?}"
    );
}

/// Failure: an outcome counts that is of other survivors than those agreed upon, or of another round's number.
#[test]
fn outcome_of_other_survivors() {
    for edit in [
        |outcome: &mut tacita_ledger::Outcome| outcome.survivor_count -= 1,
        |outcome: &mut tacita_ledger::Outcome| outcome.round += 1,
    ] {
        let mut attack = Script::new().edit(|at, to, message| {
            let (ServerMessage::Outcome(outcome), 0) = (message, to) else {
                return;
            };
            let ledger = at.views[0].ledger();
            let mut entries = ledger.entries().to_vec();
            let Ok(Entry::Outcome(mut forged)) = Entry::decode(entries.last().unwrap()) else {
                panic!("the last entry is the outcome");
            };
            forged.responders = 1;
            edit(&mut forged);
            *entries.last_mut().unwrap() = Entry::Outcome(forged).encode().unwrap();
            let index = entries.len() as u64 - 1;
            let forged = ledger.forge(entries).unwrap();
            outcome.checkpoint = forged.checkpoint.clone().into();
            outcome.consistency = forged.consistency(index);
            outcome.outcome = forged.proven(index);
        });
        let report = four().run(&Plan::new(), &mut attack).unwrap();
        assert_eq!(report.refusal(0), Some(&Refusal::LedgerInclusion));
        for member in 1..4 {
            assert_eq!(report.clients[member].state, State::Done);
        }
    }
}
