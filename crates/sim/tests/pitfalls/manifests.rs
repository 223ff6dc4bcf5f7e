//! P5, P12, P15 and P17: what the server writes into a manifest, or leaves out.

use tacita_algebra::RingVector;
use tacita_privacy::{Alongside, BudgetTicket, DecodedMean, Headroom, LocalUpdate, NoiseShare};
use tacita_protocol::client::Participant;
use tacita_protocol::manifest::Manifest;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_protocol::refusal::ConsentRefusal;
use tacita_protocol::{Abort, Refusal};
use tacita_sim::forge::ForgedRoster;
use tacita_sim::{NOW, Plan, Report, Script, Setting, Stage};

use crate::desk::sent;
use crate::{aborted, exact, four, noisy, nothing_exposed, private, refused};

/// Members that want c = 1, m - c = 2 and a clip norm of at most 1.
fn firm(_: usize, participant: &mut Participant) {
    participant.policy.least_colluders = 1;
    participant.policy.smallest_honest = 2;
    participant.policy.largest_clip = "1".parse().unwrap();
}

/// Some members are invited with an edited manifest, properly signed.
fn invite<'a>(victims: &'a [usize], edit: impl Fn(&mut Manifest) + 'a) -> Script<'a> {
    Script::new().edit(move |at, to, message| {
        if let (ServerMessage::Invitation(invitation), true) = (message, victims.contains(&to)) {
            edit(&mut invitation.manifest);
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
    })
}

const ALL: &[usize] = &[0, 1, 2, 3];

/// Failure: a member takes the server's word for how many shares make a secret, for the clip norm or for the ring. All
/// members are told the same, so nothing but their own rules can object.
#[test]
fn pitfall_05_the_server_does_not_choose_thresholds() {
    type Case = (fn(&mut Manifest), Refusal);
    let consent = Refusal::Consent;
    let cases: [Case; 9] = [
        // The example that was shipped: three shares, two of which make a secret.
        (
            |m| (m.neighbours, m.threshold) = (2, 2),
            Refusal::DerivedParameters,
        ),
        (|m| m.threshold = 2, Refusal::DerivedParameters),
        (|m| m.threshold = 0, Refusal::DerivedParameters),
        (|m| m.threshold = u16::MAX, Refusal::DerivedParameters),
        (|m| m.quorum = 1, Refusal::DerivedParameters),
        // Consistent in itself: nobody is taken to collude.
        (|m| m.colluders = 0, consent(ConsentRefusal::Colluders(0, 1))),
        (
            |m| m.clip = b"1000000".as_slice().into(),
            consent(ConsentRefusal::Clip("1000000".into(), "1".into())),
        ),
        (|m| m.bits = 8, Refusal::Headroom),
        (|m| m.cohort = 2, Refusal::ManifestField("cohort")),
    ];
    for (edit, reason) in cases {
        let plan = Plan {
            adjust: Some(Box::new(firm)),
            ..Plan::new()
        };
        let report = four(61).run(&plan, &mut invite(ALL, edit)).unwrap();
        refused(&report, ALL, &reason);
        assert!(report.sent.is_empty(), "{reason}: not even keys are made");
        aborted(&report, &Abort::TooFewMembers(0, 3));
    }
    // And the policy is not so firm that it refuses an honest round.
    let plan = Plan {
        adjust: Some(Box::new(firm)),
        ..Plan::new()
    };
    exact(&four(61).run_honest(&plan).unwrap(), ALL);
}

/// Failure: the ring is wide enough for as many vectors as there are shares, not for the cohort, and nobody minds.
#[test]
fn pitfall_12_the_ring_is_sized_for_the_cohort() {
    let bits = |grid, clients| {
        Headroom::needed_bits(grid, 16, &NoiseShare::none(), clients)
            .unwrap()
            .get()
    };
    // t = 3 of n = 4.
    let grid = (64..4096).find(|grid| bits(*grid, 3) < bits(*grid, 4)).unwrap();
    let mut world = four(62);
    world.setting().grid = grid;
    let report = world
        .run(&Plan::new(), &mut invite(ALL, move |m| m.bits = bits(grid, 3)))
        .unwrap();
    refused(&report, ALL, &Refusal::Headroom);
    assert!(report.sent.is_empty());
    // In the ring that the protocol chooses, everybody's longest vector in one direction does not wrap.
    let mut world = four(62);
    world.setting().grid = grid;
    let plan = Plan {
        updates: (0..4).map(|member| (member, vec![100.0; 16])).collect(),
        ..Plan::new()
    };
    let report = world.run_honest(&plan).unwrap();
    exact(&report, ALL);
    let mean = report.result().unwrap().mean.clone().unwrap();
    assert!(mean.iter().all(|value| (value - 0.25).abs() < 0.1), "{mean:?}");
}

/// Failure: large values are cut one by one without a word, so that any large update becomes the same wrong one.
#[test]
fn pitfall_12_clipping_keeps_the_direction() {
    let mut update = vec![0.0; 16];
    (update[2], update[9]) = (30.0, -40.0);
    let plan = Plan {
        updates: (0..4).map(|member| (member, update.clone())).collect(),
        ..Plan::new()
    };
    let report = four(63).run_honest(&plan).unwrap();
    let mean = report.result().unwrap().mean.clone().unwrap();
    for (at, value) in mean.iter().enumerate() {
        let expected = [0.6, -0.8, 0.0][match at {
            2 => 0,
            9 => 1,
            _ => 2,
        }];
        assert!((value - expected).abs() < 0.01, "{at}: {value}");
    }
}

/// A weighted manifest of three members, as the rule of 04 has it.
fn weighted(m: &mut Manifest) {
    m.weighting = 1;
    m.weight_cap = 100;
    m.weight_scale = b"0.6".as_slice().into();
    m.update_clip = b"0.8".as_slice().into();
}

/// Failure: a round is weighted for some and uniform for others, or only in name, and nobody can tell.
#[test]
fn pitfall_15_one_member_cannot_be_told_otherwise() {
    let report = four(64).run(&Plan::new(), &mut invite(&[0], weighted)).unwrap();
    // The clip norm 1 is the joint one of 0.8 and 0.6, so member 0 accepts; but in another round than the rest.
    refused(&report, &[], &Refusal::NotAMember);
    assert_eq!(
        report.turned(0),
        [&Refusal::AdvertisementSignature(u16::MAX).into()]
    );
    exact(&report, &[1, 2, 3]);
    private(&report);
    // Weights without a cap, or beside a clip norm that leaves no room for them, are no weights.
    for edit in [
        (|m| {
            weighted(m);
            m.weight_cap = 0
        }) as fn(&mut Manifest),
        |m| {
            weighted(m);
            m.update_clip = b"1".as_slice().into()
        },
        |m| {
            weighted(m);
            m.weighting = 0
        },
    ] {
        let report = four(64).run(&Plan::new(), &mut invite(ALL, edit)).unwrap();
        refused(&report, ALL, &Refusal::ManifestField("weighting"));
    }
}

fn beside(examples: u64) -> Alongside {
    Alongside {
        examples,
        ..Alongside::default()
    }
}

/// Failure: the mean of a weighted round is the plain one: weights are multiplied by one on the way.
#[test]
fn pitfall_15_weights_have_their_say() {
    let mut manifest = Setting {
        dimension: 17,
        ..Setting::new(4, 1, 3)
    }
    .manifest(1, [9; 32], (0, tacita_ledger::tree::empty_root()), NOW)
    .unwrap();
    weighted(&mut manifest);
    let manifest = manifest.check().unwrap();
    let terms = manifest.terms().unwrap();
    let mut rng = crate::desk::chance(65);
    let mut sum = RingVector::zeros(manifest.bits(), manifest.padded());
    // 10 and 90 examples, opposite updates: -0.4 against 0.4 is 0 uniformly and 0.32 weighted.
    for (value, examples) in [(-0.4, 10), (0.4, 90)] {
        let mut update = vec![0.0; 16];
        update[3] = value;
        let mut ticket = BudgetTicket::without_any_privacy_promise();
        let noised = LocalUpdate::joint(update, terms, beside(examples))
            .and_then(|update| update.clip(manifest.encoding()))
            .unwrap()
            .encode(manifest.headroom().unwrap(), &mut rng)
            .unwrap()
            .noise(&mut ticket, &mut rng)
            .unwrap();
        sum.add_assign(noised.dangerous_inspect()).unwrap();
    }
    let noise = manifest.noise();
    let mean = DecodedMean::from_sum(&sum, manifest.encoding(), &noise, 2, Some(terms)).unwrap();
    assert!(
        (mean.weight_sum().unwrap() - 1.0).abs() < 0.02,
        "{:?}",
        mean.weight_sum()
    );
    assert!((mean.values()[3] - 0.32).abs() < 0.02, "{}", mean.values()[3]);
    assert_eq!(mean.values().len(), 16, "the weight itself is not among them");
}

fn model_for(member: usize) -> Vec<u8> {
    format!("the model made for {member}").into_bytes()
}

/// Failure: a model of its own, named in a manifest of its own, makes a victim mask in the others' round, so that the
/// sum is its update and a known rest.
#[test]
fn pitfall_17_a_model_of_its_own_isolates_nobody() {
    let own = std::cell::RefCell::new(None);
    let attack = Script::new()
        .to_clients(|at, to, mut message| {
            match &mut message {
                ServerMessage::Invitation(invitation) if to == 0 => {
                    invitation.manifest.model_digest =
                        <sha2::Sha256 as sha2::Digest>::digest(model_for(0)).into();
                    invitation.model_length = model_for(0).len() as u64;
                    invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
                }
                ServerMessage::Model(part) if to == 0 => *part = model_for(0).into(),
                _ => {}
            }
            vec![message]
        })
        .from_clients(|_, from, message| {
            if let (ClientMessage::Advertise(advertise), 0) = (&message, from) {
                *own.borrow_mut() = Some(advertise.clone());
            }
            vec![message]
        })
        .more_to_clients(|at| {
            // Everybody is shown a roster with all four in it.
            let (Stage::Roster, Some(roster)) = (at.stage, at.views[0].roster()) else {
                return Vec::new();
            };
            let mut forged = ForgedRoster::of(&roster.message(0).unwrap());
            let member = at.cast.member(0).unwrap();
            for entry in &mut forged.entries {
                entry.index += 1;
            }
            let mut first = forged.entries[0].clone();
            first.index = 0;
            first.identity = member.certificate.identity.0;
            first.fingerprint = member.certificate.fingerprint;
            first.advertise = own.borrow().clone().unwrap();
            forged.entries.insert(0, first);
            vec![(0, ServerMessage::Roster(forged.message()))]
        });
    let report = crate::run(&mut four(66), attack);
    assert_eq!(report.refusal(0), Some(&Refusal::AdvertisementSignature(1)));
    assert_eq!(sent(&report, 0).count(), 1, "it advertised and no more");
    exact(&report, &[1, 2, 3]);
    private(&report);
}

/// Failure: with one manifest for all and different bytes for the model, updates to different models are summed.
#[test]
fn pitfall_17_the_model_is_the_manifests_or_nothing_is_sent() {
    for victims in [&[0][..], &[0, 1], ALL] {
        let attack = Script::new().edit(|_, to, message| {
            if let (ServerMessage::Model(part), true) = (message, victims.contains(&to)) {
                *part = model_for(to).into();
            }
        });
        let report: Report = crate::run(&mut four(67), attack);
        refused(&report, victims, &Refusal::ModelDigest);
        for member in victims {
            let late = sent(&report, *member).any(|(stage, _)| stage >= Stage::Sharers);
            assert!(!late, "member {member} sent masked bytes");
        }
        if victims.len() > 1 {
            nothing_exposed(&report);
        }
        private(&report);
    }
}

/// Failure: noise and clip norm differ between members of one sum, as the server told them different ones.
#[test]
fn pitfall_17_nor_are_other_parameters_divided() {
    let edits: [fn(&mut Manifest); 3] = [
        |m| m.training = b"{ }".as_slice().into(),
        |m| m.rounds = 999,
        |m| (m.share_variance_q16, m.total_variance_q16) = (767_999 << 16, 1_535_998 << 16),
    ];
    for edit in edits {
        let report = noisy(68, "30")
            .run(&Plan::new(), &mut invite(&[1], edit))
            .unwrap();
        assert_eq!(
            report.turned(0),
            [&Refusal::AdvertisementSignature(u16::MAX).into()]
        );
        assert_eq!(report.result().unwrap().survivors, [0, 2, 3]);
        private(&report);
    }
}
