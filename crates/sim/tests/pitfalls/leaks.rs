//! P9 and P11: what an upload, or anything beside it, says of the update.

use tacita_algebra::RingVector;
use tacita_protocol::messages::{ClientMessage, ServerMessage};
use tacita_sim::{Moment, Plan, Report, Stage, plain};

use crate::desk::{sent, watch};
use crate::{LONG, exact, long, private};

/// Failure: an upload is correlated with what it hides, so that averaging over rounds tells it. Where masks are bounded
/// reals without a modulus, one round is enough.
#[test]
fn pitfall_09_uploads_average_to_nothing() {
    let mut world = long(51);
    // The largest vector there is, one way in half of its values and the other way in the rest.
    let value = |i: u32| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
    let update: Vec<f32> = (0..LONG).map(value).collect();
    let (mut masked, mut bare) = (0.0, 0.0);
    let (mut signal_power, mut upload_power) = (0.0, 0.0);
    for _ in 0..24 {
        let plan = Plan {
            updates: (0..4).map(|member| (member, update.clone())).collect(),
            ..Plan::new()
        };
        let seen = watch(&mut world, &plan);
        exact(&seen.report, &[0, 1, 2, 3]);
        for member in 0..4 {
            let hidden = seen.plain(member).to_signed();
            for (x, y) in hidden.iter().zip(seen.upload(member).to_signed()) {
                let (x, y) = (*x as f64, y as f64);
                masked += x * y;
                bare += x * x;
                signal_power += x * x;
                upload_power += y * y;
            }
        }
    }
    // Correlation coefficients over 393,216 coordinates have a standard deviation of 0.0016.
    let scale = (signal_power * upload_power).sqrt();
    assert!((masked / scale).abs() < 0.01, "correlation {}", masked / scale);
    assert!(bare / signal_power > 0.99, "the statistic sees a bare vector");
}

/// Failure: a drop-out leaves part of its masks in the sum, as it does where they are reals that only cancel in full.
#[test]
fn pitfall_09_a_dropout_breaks_nothing() {
    for moment in [
        Moment::AfterAdvertise,
        Moment::AfterShare,
        Moment::AfterUpload,
        Moment::AfterSign,
    ] {
        let plan = Plan {
            vanish: [(1, moment)].into(),
            ..Plan::new()
        };
        let report = long(52).run_honest(&plan).unwrap();
        assert!(plain::is_exact(&report, report.result().unwrap()));
        private(&report);
    }
}

/// Failure: a vector that nearly fills the ring wraps, or one below a grid step is sent as it is.
#[test]
fn pitfall_09_the_ring_takes_every_clipped_vector() {
    for scale in [1e-30_f32, 1e-3, 1.0, 1e6, 3e38] {
        let plan = Plan {
            updates: (0..4)
                .map(|member| (member, vec![scale; LONG as usize]))
                .collect(),
            ..Plan::new()
        };
        let report = long(53).run_honest(&plan).unwrap();
        exact(&report, &[0, 1, 2, 3]);
        let mean = report.result().unwrap().mean.clone().unwrap();
        let norm = mean.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        assert!(
            norm < 1.05,
            "{scale}: the mean of clipped updates has norm {norm}"
        );
    }
}

/// Rounds of equal chance and different updates of member 0.
fn pair() -> [Report; 2] {
    [vec![0.0; LONG as usize], (0..LONG).map(|i| i as f32).collect()].map(|update| {
        let plan = Plan {
            updates: [(0, update)].into(),
            round_id: Some([7; 32]),
            ..Plan::new()
        };
        long(54).run_honest(&plan).unwrap()
    })
}

/// Failure: something beside the masked vector differs with the update: a count of examples, a metric, a length, or what
/// is said in another phase.
#[test]
fn pitfall_11_nothing_but_the_masked_vector_differs() {
    let [zeros, ramp] = pair();
    assert_ne!(zeros.clients[0].encoded, ramp.clients[0].encoded);
    let (first, second): (Vec<_>, Vec<_>) = (sent(&zeros, 0).collect(), sent(&ramp, 0).collect());
    assert_eq!(first.len(), second.len());
    let mut differing = 0;
    for ((stage, a), (_, b)) in first.iter().zip(&second) {
        assert_eq!(
            a.encode().unwrap().len(),
            b.encode().unwrap().len(),
            "{}",
            a.name()
        );
        match (a, b) {
            (ClientMessage::Chunk(a), ClientMessage::Chunk(b)) => {
                assert_ne!(a.packed, b.packed);
                differing += 1;
            }
            // A signature over the masked bytes, and nothing else.
            (ClientMessage::UploadEnd(a), ClientMessage::UploadEnd(b)) => assert_eq!(a.suspects, b.suspects),
            // The shares are of the same secrets; the head that is cosigned is of this round.
            (ClientMessage::Reveal(a), ClientMessage::Reveal(b)) => assert_eq!(a.shares, b.shares),
            _ => assert_eq!(a, b, "{} at {stage:?}", a.name()),
        }
    }
    assert_eq!(differing, 4);
    // The others' messages up to the agreement do not differ at all: they know nothing of member 0's update.
    for member in 1..4 {
        let quiet = |report: &Report| -> Vec<Vec<u8>> {
            let early = report
                .sent
                .iter()
                .filter(|s| s.from == member && s.stage <= Stage::Agree);
            early.map(|s| s.frame.clone()).collect()
        };
        assert_eq!(quiet(&zeros), quiet(&ramp));
    }
}

/// Failure: what the server hands round of one member to the others depends on its update.
#[test]
fn pitfall_11_members_are_told_nothing_of_each_other() {
    let shown: Vec<Vec<(usize, ServerMessage)>> = [0.0, 1.0]
        .map(|value| {
            let plan = Plan {
                updates: [(0, vec![value; LONG as usize])].into(),
                round_id: Some([8; 32]),
                ..Plan::new()
            };
            let seen = watch(&mut long(55), &plan);
            // Before the result is public: certificates, roster, sharers, survivors.
            seen.shown
                .into_iter()
                .filter(|(_, m)| !matches!(m, ServerMessage::Reveal(_) | ServerMessage::Outcome(_)))
                .collect()
        })
        .into();
    assert!(shown[0].len() > 16);
    assert_eq!(shown[0], shown[1]);
}

/// Failure: the test above could not see a difference: equal chance, but other masks.
#[test]
fn pitfall_11_equal_chance_gives_equal_masks() {
    let [zeros, ramp] = pair();
    let manifest = &zeros.manifest;
    let vector = |report: &Report| {
        let mut vector = RingVector::zeros(manifest.bits(), manifest.padded());
        vector
            .unpack_into(0, manifest.padded(), &crate::desk::packed(report, 0))
            .unwrap();
        let encoded = report.clients[0].encoded.as_ref().unwrap();
        vector
            .sub_assign(&RingVector::from_signed(manifest.bits(), encoded))
            .unwrap();
        vector.to_signed()
    };
    assert_eq!(vector(&zeros), vector(&ramp));
}
