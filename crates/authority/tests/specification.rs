//! The numbers of `protocol-spec/07-enrolment.md` that the running authority decides.

use tacita_authority::{
    CONNECTION_SECONDS, CRL_LIFE_SECONDS, LOCKOUT_ATTEMPTS, LOCKOUT_SECONDS, MAX_REQUESTS_PER_CONNECTION,
    MAX_TRACKED_SOURCES, MAX_WORKERS, REQUEST_SECONDS,
};

const PAGE: &str = include_str!("../../../protocol-spec/07-enrolment.md");

#[test]
fn limits_are_those_of_the_page() {
    let (sources, crl) = ("4,096", "3,600");
    assert_eq!((MAX_TRACKED_SOURCES, CRL_LIFE_SECONDS), (4_096, 3_600));
    for phrase in [
        format!(
            "presents {LOCKOUT_ATTEMPTS} unknown or foreign-spent secrets within {LOCKOUT_SECONDS} seconds"
        ),
        format!("until {LOCKOUT_SECONDS} seconds after the last"),
        format!("remembers at most {sources} sources"),
        format!("may carry {MAX_REQUESTS_PER_CONNECTION} requests within {CONNECTION_SECONDS} seconds"),
        format!("has to arrive within {REQUEST_SECONDS} seconds"),
        format!("works on at most {MAX_WORKERS} at once"),
        format!("update {crl} after this update"),
    ] {
        assert!(PAGE.contains(&phrase), "the page does not say {phrase:?}");
    }
}
