//! What a manifest may not say.

use tacita_privacy::{Budget, BudgetFilter};
use tacita_protocol::manifest::{Manifest, ManifestLevel};
use tacita_protocol::messages::ServerMessage;
use tacita_protocol::refusal::ConsentRefusal;
use tacita_protocol::{Abort, Refusal};
use tacita_sim::{MemoryRecord, Noise, Plan, Report, Script, World, plain};

use crate::{FOUR, aborted, against, exact, four, nothing_exposed, private, refused, run};

/// Member 0 is invited with an edited manifest, properly signed; the others see the honest one.
fn edited(world: &mut World, edit: impl Fn(&mut Manifest)) -> Report {
    run(
        world,
        against(&[0], |at, _, message| {
            if let ServerMessage::Invitation(invitation) = message {
                edit(&mut invitation.manifest);
                invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
            }
        }),
    )
}

/// Member 0 refuses the edited manifest for this reason; the others finish without it.
#[track_caller]
fn member_0_refuses(edit: impl Fn(&mut Manifest), reason: &Refusal) {
    let report = edited(&mut four(), edit);
    refused(&report, &[0], reason);
    exact(&report, &[1, 2, 3]);
    private(&report);
}

/// A noisy world: 4 members with budgets, variance 3000 a share.
pub(crate) fn noisy(epsilon: &str) -> World {
    let mut world = four();
    world.setting().noise = Noise::Skellam(3000 << 16);
    world.setting().grid = 64;
    for member in 0..4 {
        let budget = Budget {
            epsilon: epsilon.parse().unwrap(),
            delta: "0.00001".parse().unwrap(),
        };
        *world.record(member).unwrap() = MemoryRecord::new(Some(BudgetFilter::new(budget).unwrap()));
    }
    world
}

/// Failure: a client accepts fewer colluders than its thresholds were derived for.
#[test]
fn colluders_lowered() {
    // c = 0 gives other noise shares as well; without noise only k, t and Q could tell, and for n = 4 they do not.
    let mut world = four();
    world.setting().cohort = 4;
    let report = edited(&mut world, |m| {
        m.colluders = 2;
        m.minimum_survivors = 4;
    });
    refused(&report, &[0], &Refusal::DerivedParameters);
    private(&report);
    let policy = |_: usize, p: &mut tacita_protocol::client::Participant| p.policy.least_colluders = 1;
    let plan = Plan {
        adjust: Some(Box::new(policy)),
        ..Plan::new()
    };
    let mut lowered = four();
    let mut attack = against(&[0], |at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            invitation.manifest.colluders = 0;
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
    });
    let report = lowered.run(&plan, &mut attack).unwrap();
    refused(&report, &[0], &Refusal::Consent(ConsentRefusal::Colluders(0, 1)));
    private(&report);
}

/// Failure: a client accepts a threshold other than the one it computes.
#[test]
fn threshold_lowered() {
    member_0_refuses(|m| m.threshold -= 1, &Refusal::DerivedParameters);
}

/// Failure: a client accepts a degree other than the one it computes.
#[test]
fn neighbours_lowered() {
    member_0_refuses(|m| m.neighbours -= 1, &Refusal::DerivedParameters);
}

/// Failure: a client accepts a quorum other than the one it computes.
#[test]
fn quorum_lowered() {
    member_0_refuses(|m| m.quorum -= 1, &Refusal::DerivedParameters);
}

/// Failure: a client accepts m below the quorum, so that U2 could be too small to sign.
#[test]
fn minimum_survivors_lowered() {
    member_0_refuses(|m| m.minimum_survivors = 2, &Refusal::DerivedParameters);
}

/// Failure: a client adds a noise share that is not the promised total divided by m - c.
#[test]
fn noise_share_is_not_the_total_over_honest_survivors() {
    for edit in [
        |m: &mut Manifest| m.total_variance_q16 += 1,
        |m: &mut Manifest| m.share_variance_q16 -= 1,
    ] {
        let mut world = noisy("30");
        let report = edited(&mut world, edit);
        refused(&report, &[0], &Refusal::NoiseShare);
        private(&report);
    }
    // Also where the product would overflow, and where nobody honest remains.
    member_0_refuses(|m| m.share_variance_q16 = u64::MAX, &Refusal::NoiseShare);
}

/// The round ended in the sum of these members, noise and all.
#[track_caller]
fn summed(report: &Report, survivors: &[usize]) {
    let sum = report.result().unwrap_or_else(|error| panic!("no sum: {error}"));
    assert_eq!(sum.survivors, survivors);
    assert!(plain::is_exact(report, sum), "not the sum of the survivors");
}

/// Failure: a client adds discrete Gaussian noise that the account of its sum does not cover, or takes another law's number for Skellam.
#[test]
fn discrete_gaussian_shares_outside_the_proof() {
    let discrete = |share: u64| {
        let mut world = noisy("30");
        world.setting().noise = Noise::DiscreteGaussian(share << 16);
        world
    };
    let report = discrete(3000).run_honest(&Plan::new()).unwrap();
    summed(&report, &[0, 1, 2, 3]);
    private(&report);
    let narrow = |m: &mut Manifest| {
        m.share_variance_q16 = 294_911;
        m.total_variance_q16 = 294_911 * 2;
    };
    let wide = |m: &mut Manifest| {
        m.share_variance_q16 = 6_553_600_000_001;
        m.total_variance_q16 = 6_553_600_000_001 * 2;
    };
    let level = ManifestLevel {
        dropouts: 1,
        variance_q16: 1000 << 16,
    };
    type Edit<'a> = &'a dyn Fn(&mut Manifest);
    let edits: [(Edit<'_>, Refusal); 4] = [
        (&narrow, Refusal::NarrowShare(294_911)),
        (&wide, Refusal::NoiseShare),
        (&|m| m.noise_levels = vec![level].into(), Refusal::NoiseLevels),
        (&|m| m.mechanism = 3, Refusal::ManifestField("mechanism")),
    ];
    for (edit, reason) in edits {
        let report = edited(&mut discrete(3000), edit);
        refused(&report, &[0], &reason);
        summed(&report, &[1, 2, 3]);
        private(&report);
    }
}

/// Failure: a client whose policy has a noise floor takes part below it, or without noise at all.
#[test]
fn noise_lowered() {
    let floor = |_: usize, p: &mut tacita_protocol::client::Participant| {
        p.policy.noise_floor = Some("1".parse().unwrap());
        p.policy.allow_unprotected = false;
    };
    // sqrt(2 x 3000) = 77 steps at m - c = 2 against a floor of 64: above it, so the round goes on.
    let plan = || Plan {
        adjust: Some(Box::new(floor)),
        ..Plan::new()
    };
    let report = noisy("30").run_honest(&plan()).unwrap();
    refused(&report, &[], &Refusal::NotAMember);
    assert!(report.result().is_ok());
    let mut attack = against(&[0], |at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            invitation.manifest.share_variance_q16 = 2000 << 16;
            invitation.manifest.total_variance_q16 = 4000 << 16;
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
    });
    let report = noisy("30").run(&plan(), &mut attack).unwrap();
    refused(
        &report,
        &[0],
        &Refusal::Consent(ConsentRefusal::Noise("1".to_owned())),
    );
    private(&report);
    let report = four().run_honest(&plan()).unwrap();
    refused(
        &report,
        &[0, 1, 2, 3],
        &Refusal::Consent(ConsentRefusal::Unprotected),
    );
    nothing_exposed(&report);
}

/// Failure: a policy's other floors and caps do not bind.
#[test]
fn consent_policy_binds() {
    type Case = (fn(&mut tacita_protocol::consent::ConsentPolicy), ConsentRefusal);
    let cases: [Case; 5] = [
        (
            |p| p.tasks = vec!["another".to_owned()],
            ConsentRefusal::Task("sim".to_owned()),
        ),
        (|p| p.smallest_cohort = 4, ConsentRefusal::SmallestCohort(3, 4)),
        (|p| p.smallest_honest = 3, ConsentRefusal::HonestSurvivors(2, 3)),
        // 26 % of 4 is 1.04, so two colluders.
        (
            |p| p.least_colluders_per_mille = 260,
            ConsentRefusal::Colluders(1, 2),
        ),
        (
            |p| p.largest_clip = "0.5".parse().unwrap(),
            ConsentRefusal::Clip("1".to_owned(), "0.5".to_owned()),
        ),
    ];
    for (change, reason) in cases {
        let adjust = move |member: usize, p: &mut tacita_protocol::client::Participant| {
            if member == 0 {
                change(&mut p.policy);
            }
        };
        let plan = Plan {
            adjust: Some(Box::new(adjust)),
            ..Plan::new()
        };
        let report = four().run_honest(&plan).unwrap();
        refused(&report, &[0], &Refusal::Consent(reason));
        exact(&report, &[1, 2, 3]);
        private(&report);
    }
}

/// Failure: a client takes part in a round that its own budget does not cover.
#[test]
fn budget_exhausted() {
    let mut world = noisy("10");
    let mut rounds = 0;
    let report = loop {
        let report = world.run_honest(&Plan::new()).unwrap();
        private(&report);
        if report.result().is_err() {
            break report;
        }
        rounds += 1;
    };
    assert!((1..50).contains(&rounds), "{rounds} rounds");
    for member in 0..4 {
        assert!(
            matches!(report.refusal(member), Some(Refusal::Budget(_))),
            "{:?}",
            report.refusal(member)
        );
        let charged: u64 = world
            .record(member)
            .unwrap()
            .budget()
            .unwrap()
            .state()
            .committed
            .iter()
            .map(|c| c.1)
            .sum();
        assert_eq!(charged, rounds, "one charge for every round that was masked for");
    }
    aborted(&report, Abort::TooFewMembers(0, 3));
    nothing_exposed(&report);
}

/// Failure: a client accepts a manifest that the server of its connection did not sign.
#[test]
fn manifest_signed_by_another() {
    let attack = against(&[0], |at, _, message| {
        if let ServerMessage::Invitation(invitation) = message {
            // A colluding member's certificate key is no server key.
            invitation.signature = invitation.manifest.sign(&at.cast.member(1).unwrap().key).unwrap();
        }
    });
    let report = run(&mut four(), attack);
    refused(&report, &[0], &Refusal::ManifestSignature);
    exact(&report, &[1, 2, 3]);
    private(&report);
}

/// Failure: a client goes on with another protocol version.
#[test]
fn another_version() {
    member_0_refuses(|m| m.version = 2, &Refusal::Version(2));
}

/// Failure: a client goes on in a ring that the sum could leave.
#[test]
fn ring_too_narrow() {
    member_0_refuses(|m| m.bits -= 1, &Refusal::Headroom);
}

/// Failure: a field outside its range is accepted.
#[test]
fn fields_out_of_range() {
    type Case = (fn(&mut Manifest), &'static str);
    let cases: [Case; 28] = [
        (|m| m.task = Vec::new().into(), "task"),
        (|m| m.task = b"Sim".as_slice().into(), "task"),
        (|m| m.task = vec![b'a'; 65].into(), "task"),
        (|m| m.round = 0, "round"),
        (|m| m.cohort = 2, "cohort"),
        (|m| m.cohort = 10_001, "cohort"),
        (|m| m.dimension = 0, "dimension"),
        (|m| m.dimension = (1 << 28) + 1, "dimension"),
        (|m| m.bits = 7, "bits"),
        (|m| m.bits = 63, "bits"),
        (|m| m.chunk = 0, "chunk"),
        (|m| m.chunk = 65, "chunk"),
        (|m| m.chunk = 1 << 20, "chunk"),
        (|m| m.clip = b"one".as_slice().into(), "clip"),
        (|m| m.grid = 0, "encoding"),
        (|m| m.padded *= 2, "padded"),
        (|m| m.block = 0, "block"),
        (|m| m.block = 12, "block"),
        (|m| m.block *= 2, "block"),
        (|m| m.dimension = 17, "padded"),
        (|m| m.mechanism = 3, "mechanism"),
        (|m| m.rounds = 0, "rounds"),
        (|m| m.epsilon = b"1".as_slice().into(), "epsilon"),
        (|m| m.delta = b"1".as_slice().into(), "delta"),
        (|m| m.weighting = 2, "weighting"),
        (|m| m.weight_cap = 1, "weighting"),
        (|m| m.training = vec![b' '; 4097].into(), "training"),
        (|m| m.deadlines.reveal_ms = 0, "deadlines"),
    ];
    for (edit, field) in cases {
        let report = edited(&mut four(), edit);
        refused(&report, &[0], &Refusal::ManifestField(field));
        private(&report);
    }
}

/// Failure: a client masks twice under one round id, in the same process or after a restart with its record.
#[test]
fn round_id_replayed() {
    let mut world = four();
    let first = world.run_honest(&Plan::new()).unwrap();
    exact(&first, &[0, 1, 2, 3]);
    let spent = first.manifest.fields().round_id;
    assert!(world.record(0).unwrap().spent().contains_key(&spent));
    // The world's clients live for one round: this is a fresh process over the durable record.
    let report = edited(&mut world, |m| m.round_id = spent);
    refused(&report, &[0], &Refusal::RoundReplayed);
    exact(&report, &[1, 2, 3]);
    private(&report);
}

/// Failure: members train from different models and their updates are summed all the same (pitfall P17).
#[test]
fn a_different_model_to_each_member() {
    let attack = Script::new().edit(|_, to, message| {
        if let ServerMessage::Model(part) = message {
            *part = format!("the model for {to}").into_bytes().into();
        }
    });
    let report = run(&mut four(), attack);
    refused(&report, &[0, 1, 2, 3], &Refusal::ModelDigest);
    aborted(&report, Abort::TooFewSurvivors(0, 3));
    nothing_exposed(&report);
}

/// Failure: members whose manifests name different models end up in one sum.
#[test]
fn a_different_model_in_each_manifest() {
    let attack = Script::new().edit(|at, to, message| match message {
        ServerMessage::Invitation(invitation) => {
            let model: [u8; 32] = sha2(format!("the model for {to}").as_bytes());
            invitation.manifest.model_digest = model;
            invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
        }
        ServerMessage::Model(part) => *part = format!("the model for {to}").into_bytes().into(),
        _ => {}
    });
    let report = run(&mut four(), attack);
    // Every advertisement is signed over another manifest: none of them fits any roster.
    refused(&report, &[], &Refusal::ManifestSignature);
    aborted(&report, Abort::TooFewMembers(0, 3));
    nothing_exposed(&report);
}

/// Failure: an update prepared for another manifest is masked in this round.
#[test]
fn update_of_another_manifest() {
    let mut world = four();
    let first = world.run_honest(&Plan::new()).unwrap();
    let mut plan = Plan::new();
    plan.prepared_for.insert(0, first.manifest);
    let report = world.run_honest(&plan).unwrap();
    refused(
        &report,
        &[0],
        &Refusal::Update("encoding, noise or sampling differ from the manifest's"),
    );
    exact(&report, &[1, 2, 3]);
    private(&report);
    assert!(
        world.record(0).unwrap().spent().len() == 1,
        "nothing left member 0 in the second round"
    );
}

/// Failure: the cast of these tests does not finish an honest round, which would make every refusal above worthless.
#[test]
fn the_honest_round_finishes() {
    let report = four().run_honest(&Plan::new()).unwrap();
    exact(&report, &[0, 1, 2, 3]);
    assert_eq!(FOUR.len(), 4);
    let sum = report.result().unwrap();
    assert_eq!((sum.responders, sum.cosignatures), (4, 4));
    assert!(report.clients.iter().all(|client| client.outcome.is_some()));
    private(&report);
}

fn sha2(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
