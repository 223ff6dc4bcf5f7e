//! When a certificate may and should be renewed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod fixture;

use fixture::{Fixture, NOW};
use tacita_identity::{
    BACKDATE_SECONDS, DEFAULT_LIFE_SECONDS, RenewalError, Role, VerifiedCertificate, may_renew, renewal_time,
};

fn certificate() -> VerifiedCertificate {
    let f = Fixture::new();
    let (_, issued) = f.issue(Role::Client, "alice");
    f.authority
        .anchor()
        .verify(&issued.der, Role::Client, NOW)
        .unwrap()
}

#[test]
fn members_ask_between_half_and_two_thirds_of_the_life() {
    let cert = certificate();
    let life = DEFAULT_LIFE_SECONDS + BACKDATE_SECONDS;
    let (half, two_thirds) = (cert.not_before + life / 2, cert.not_before + life * 2 / 3);
    assert_eq!(renewal_time(&cert, 0), half);
    let times: Vec<_> = (0..=u16::MAX)
        .step_by(97)
        .map(|jitter| renewal_time(&cert, jitter))
        .collect();
    assert!(times.iter().all(|time| (half..=two_thirds).contains(time)));
    assert!(
        times.is_sorted() && two_thirds - renewal_time(&cert, u16::MAX) <= 1,
        "the whole span is used"
    );
    assert!(
        times.into_iter().all(|time| may_renew(&cert, time).is_ok()),
        "whoever asks in time is served"
    );
}

#[test]
fn the_authority_grants_from_half_life_to_the_end() {
    let cert = certificate();
    let from = renewal_time(&cert, 0) - BACKDATE_SECONDS;
    assert_eq!(may_renew(&cert, from - 1), Err(RenewalError::TooEarly { from }));
    assert_eq!(may_renew(&cert, from), Ok(()));
    assert_eq!(may_renew(&cert, cert.not_after), Ok(()));
    assert_eq!(may_renew(&cert, cert.not_after + 1), Err(RenewalError::Expired));
}
