//! The unit of privacy: what a manifest may say about it, and who agreed to what.

use tacita_privacy::{Contribution, Decimal, PrivacyUnit, Release};
use tacita_protocol::Refusal;
use tacita_protocol::client::Participant;
use tacita_protocol::manifest::{CheckedManifest, Manifest, ManifestClip, ManifestMetrics};
use tacita_protocol::messages::ServerMessage;
use tacita_protocol::refusal::ConsentRefusal;
use tacita_sim::{Noise, Plan, Setting};

use crate::{against, exact, four, private, refused, run};

/// The manifest of a noisy round, turned into one of the record unit with room for `largest` records a client.
fn of_records(manifest: &mut Manifest, largest: u32) {
    manifest.unit = 1;
    manifest.sampling = b"0.05".as_slice().into();
    manifest.largest_records = largest;
    manifest.expected_records = 40;
    // Room for them in the ring.
    manifest.bits += 32 - largest.max(1).leading_zeros() as u8;
}

fn noisy() -> Manifest {
    noisy_with(Noise::Skellam(3000 << 16))
}

fn noisy_with(noise: Noise) -> Manifest {
    let setting = Setting {
        noise,
        grid: 64,
        ..Setting::new(4, 1, 3)
    };
    setting.manifest(1, [1; 32], (0, [0; 32]), 0).unwrap()
}

fn records(edit: impl Fn(&mut Manifest)) -> Result<CheckedManifest, Refusal> {
    let mut manifest = noisy();
    of_records(&mut manifest, 90);
    edit(&mut manifest);
    manifest.check()
}

/// Failure: a round of the record unit is charged without amplification, as one of clients, or leaves no room for its records.
#[test]
fn a_round_of_records_is_charged_as_one() {
    for noise in [Noise::Skellam(3000 << 16), Noise::DiscreteGaussian(3000 << 16)] {
        let clients = noisy_with(noise).check().unwrap();
        let mut manifest = noisy_with(noise);
        of_records(&mut manifest, 90);
        let manifest = manifest.check().unwrap();
        assert_eq!(manifest.unit(), PrivacyUnit::Record);
        assert!(manifest.headroom().is_none());
        let Contribution::Record(headroom) = manifest.contribution() else {
            panic!("a record unit without records");
        };
        assert_eq!(headroom.terms().largest(), 90);
        let q: Decimal = "0.05".parse().unwrap();
        let (whole, sampled) = (clients.release().unwrap(), manifest.release().unwrap());
        assert_eq!(sampled, whole.of_records(Some(q)));
        assert!(matches!(sampled, Release::Sampled(_)));
        assert_eq!(sampled.mechanism(), noise.share().0);
        for order in [2u32, 8, 32] {
            assert!(sampled.curve().at(order) < whole.curve().at(order));
        }
    }
}

/// Failure: terms that are none, or a sampling that nobody carries out, are accepted.
#[test]
fn terms_out_of_range() {
    const TERMS: &str = "sampling, largest or expected records";
    type Case = (fn(&mut Manifest), &'static str);
    const ALONE: &str = "nothing travels beside sums of records";
    let cases: [Case; 11] = [
        (|m| m.unit = 2, "unknown"),
        (|m| m.unit = 0, "sampling of clients is carried out by nobody"),
        (|m| m.sampling = Vec::new().into(), TERMS),
        (|m| m.sampling = b"0".as_slice().into(), TERMS),
        (|m| m.sampling = b"1.01".as_slice().into(), TERMS),
        (|m| m.sampling = b"0.050".as_slice().into(), TERMS),
        (|m| m.largest_records = 0, TERMS),
        (|m| m.expected_records = 0, TERMS),
        (|m| m.weighting = 1, "records have no weights"),
        (
            |m| {
                let stated = ManifestMetrics {
                    scale: b"0.2".as_slice().into(),
                    loss_cap: b"4".as_slice().into(),
                };
                m.metrics = vec![stated].into();
            },
            ALONE,
        ),
        (
            |m| {
                let stated = ManifestClip {
                    rule: b"0.5,0.2,1,0.1,10".as_slice().into(),
                    count_scale: b"0.1".as_slice().into(),
                };
                m.adaptive_clip = vec![stated].into();
            },
            ALONE,
        ),
    ];
    for (edit, reason) in cases {
        assert_eq!(records(edit).unwrap_err(), Refusal::Unit(reason));
    }
    assert_eq!(records(|m| m.bits -= 7).unwrap_err(), Refusal::Headroom);
    // A client's round that claims any of it.
    let claims: [fn(&mut Manifest); 3] = [
        |m| m.sampling = b"0.5".as_slice().into(),
        |m| m.largest_records = 1,
        |m| m.expected_records = 1,
    ];
    for claim in claims {
        let mut world = four();
        let report = run(
            &mut world,
            against(&[0], |at, _, message| {
                if let ServerMessage::Invitation(invitation) = message {
                    claim(&mut invitation.manifest);
                    invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
                }
            }),
        );
        let reason = "sampling of clients is carried out by nobody";
        refused(&report, &[0], &Refusal::Unit(reason));
        exact(&report, &[1, 2, 3]);
        private(&report);
    }
}

/// Failure: a participant that agreed to the client unit is given the record unit, or one that wants only records takes part as a whole.
#[test]
fn consent_to_one_unit_is_none_to_the_other() {
    for (agreed, asked) in [
        (PrivacyUnit::Client, PrivacyUnit::Record),
        (PrivacyUnit::Record, PrivacyUnit::Client),
    ] {
        let adjust = move |member: usize, p: &mut Participant| {
            if member == 0 {
                p.policy.units = vec![agreed];
            }
        };
        let plan = Plan {
            adjust: Some(Box::new(adjust)),
            ..Plan::new()
        };
        let mut attack = against(&[0], move |at, _, message| {
            if let (ServerMessage::Invitation(invitation), PrivacyUnit::Record) = (message, asked) {
                of_records(&mut invitation.manifest, 90);
                invitation.signature = invitation.manifest.sign(&at.cast.server().key).unwrap();
            }
        });
        let report = four().run(&plan, &mut attack).unwrap();
        refused(&report, &[0], &Refusal::Consent(ConsentRefusal::Unit(asked)));
        exact(&report, &[1, 2, 3]);
        private(&report);
    }
}
