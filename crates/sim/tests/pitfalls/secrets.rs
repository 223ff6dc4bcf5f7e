//! P3 and P8: who learns which secret, and whether what should be random is.

use std::collections::BTreeSet;

use tacita_protocol::messages::ClientMessage;
use tacita_sim::{Moment, Plan, Script, Stage};

use crate::desk::{interpolated, occurs, reveals, watch};
use crate::{SHARE_VARIANCE, exact, four, long, noisy, nothing_exposed, private, run};

/// Failure: what a set-up hands to the server, with the boxes of as many colluders as are provided for, is enough for any
/// honest member's secret.
#[test]
fn pitfall_03_the_set_up_says_no_secret() {
    for colluder in 0..4 {
        // Everybody deals, nobody says more.
        let plan = Plan::history(&[Moment::AfterShare; 4]);
        let mut attack = Script::new().colluders([colluder]);
        let report = four(11).run(&plan, &mut attack).unwrap();
        let alone = BTreeSet::from([colluder]);
        assert_eq!(report.knowledge.secrets_known(), (alone.clone(), alone));
        nothing_exposed(&report);
    }
}

/// Failure: after a round without drop-outs the server knows a mask secret, or a self-mask secret of somebody whose sum
/// was not agreed; the round itself gives it no more than one sum.
#[test]
fn pitfall_03_a_whole_round_says_one_kind_of_secret() {
    for colluder in 0..4 {
        let report = run(&mut four(12), Script::new().colluders([colluder]));
        exact(&report, &[0, 1, 2, 3]);
        let (self_known, mask_known) = report.knowledge.secrets_known();
        assert_eq!(self_known, [0, 1, 2, 3].into());
        assert_eq!(mask_known, [colluder].into());
        let honest: BTreeSet<usize> = (0..4).filter(|member| *member != colluder).collect();
        assert_eq!(report.knowledge.exposed(), [honest]);
        private(&report);
    }
}

/// Failure: a share that is revealed later, or the secret behind it, was readable in the set-up.
#[test]
fn pitfall_03_shares_travel_sealed() {
    let seen = watch(&mut four(13), &Plan::new());
    let early: Vec<u8> = seen
        .report
        .sent
        .iter()
        .filter(|sent| sent.stage < Stage::Reveal)
        .flat_map(|sent| sent.frame.clone())
        .collect();
    for dealer in 0..4 {
        let shares = seen.shares_of(dealer);
        assert_eq!(shares.len(), 4);
        let secret = *seen.rebuilt(dealer).to_bytes();
        for value in shares.values().map(|share| share.value).chain([secret]) {
            assert!(!occurs(&value, &early));
            // The search finds what is there.
            assert!(occurs(&value, &[&early[..], &value].concat()));
        }
    }
}

/// Failure: a mask is one number for a whole vector.
#[test]
fn pitfall_03_every_coordinate_has_a_mask_of_its_own() {
    let mut world = long(14);
    let plan = Plan {
        updates: [(0, vec![0.0; crate::LONG as usize])].into(),
        ..Plan::new()
    };
    let seen = watch(&mut world, &plan);
    assert!(seen.plain(0).to_signed().iter().all(|value| *value == 0));
    let upload = seen.upload(0).to_signed();
    let steps: BTreeSet<i64> = upload.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // 4,095 differences of values of 13 bits.
    assert!(steps.len() > 2500, "{} different steps", steps.len());
}

/// Failure: the polynomials behind the shares have fewer random coefficients than t - 1, so that fewer holders than t
/// can compute a secret, or the shares are the secret.
#[test]
fn pitfall_08_polynomials_have_full_degree() {
    let seen = watch(&mut four(15), &Plan::new());
    for dealer in 0..4 {
        let shares = seen.shares_of(dealer);
        let secret = *seen.rebuilt(dealer).to_bytes();
        let of = |holders: &[u16]| {
            *interpolated(shares.iter().filter(|(holder, _)| holders.contains(holder))).to_bytes()
        };
        for three in [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]] {
            assert_eq!(of(&three), secret);
        }
        let mut less = BTreeSet::new();
        for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
            less.insert(of(&[a, b]));
        }
        less.extend((0..4).map(|holder| shares[&holder].value));
        assert_eq!(less.len(), 10, "a line or a constant fits the shares of {dealer}");
        assert!(!less.contains(&secret));
    }
}

/// Failure: the noise that a member owes is not drawn, is drawn once for two rounds, or has another variance.
#[test]
fn pitfall_08_the_noise_is_drawn() {
    let mut world = noisy(16, "30");
    world.setting().dimension = crate::LONG;
    let zeros = || Plan {
        updates: (0..4)
            .map(|member| (member, vec![0.0; crate::LONG as usize]))
            .collect(),
        ..Plan::new()
    };
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let report = world.run_honest(&zeros()).unwrap();
        assert!(report.result().is_ok(), "{:?}", report.refusal(0));
        for client in &report.clients {
            let noise = client.encoded.clone().unwrap();
            let variance = noise.iter().map(|v| (*v as f64).powi(2)).sum::<f64>() / noise.len() as f64;
            // The variance of 4,096 draws is within six of its standard deviations of sqrt(2 / 4096).
            let ratio = variance / f64::from(SHARE_VARIANCE);
            assert!((0.86..1.14).contains(&ratio), "{ratio} of the share");
            seen.insert(noise);
        }
    }
    assert_eq!(seen.len(), 8, "a draw is used twice");
}

/// Failure: printing what a member holds or sends for the sake of a log shows shares or masked values.
#[test]
fn pitfall_08_debug_output_is_mute() {
    let seen = watch(&mut four(17), &Plan::new());
    for (_, reveal) in reveals(&seen.report) {
        let printed = format!("{reveal:?}");
        for share in reveal.shares.as_slice() {
            let bytes = share.value.map(|byte| byte.to_string());
            assert!(!printed.contains(&bytes.join(", ")), "{printed}");
        }
        assert!(printed.contains("RevealedShare"));
    }
    let masked = tacita_privacy::LocalUpdate::new(vec![0.123_456; 4]).unwrap();
    assert!(!format!("{masked:?}").contains("123"));
    let sealed = seen
        .report
        .sent
        .iter()
        .any(|sent| matches!(sent.message(), Ok(ClientMessage::Shares(_))));
    assert!(sealed);
}
