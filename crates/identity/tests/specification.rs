//! The numbers of `protocol-spec/07-enrolment.md` are those of the code.
#![allow(clippy::unwrap_used)]

mod fixture;

use fixture::name;
use tacita_identity::{
    BACKDATE_SECONDS, DEFAULT_LIFE_SECONDS, EnrolMessage, INVITATION_LIFE_SECONDS, INVITATION_PREFIX,
    Identity, LONGEST_LIFE_SECONDS, MAX_CERTIFICATE_BYTES, MAX_DENIED_CERTIFICATES, MAX_DENIED_NAMES,
    MAX_INVITATION_TEXT, MAX_LEDGER_KEY, MAX_NAME_BYTES, MAX_REQUEST_BYTES, ROOT_LIFE_SECONDS, RefusalCode,
    Role, SHORTEST_LIFE_SECONDS,
};

const PAGE: &str = include_str!("../../../protocol-spec/07-enrolment.md");

/// 1234567 as the page writes it: 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[test]
fn limits_are_those_of_the_page() {
    let number = |n: usize| grouped(n as u64);
    for phrase in [
        format!("has 1 to {MAX_NAME_BYTES} characters"),
        format!(
            "at least {}, at most {} ",
            grouped(SHORTEST_LIFE_SECONDS),
            grouped(LONGEST_LIFE_SECONDS)
        ),
        format!("{} after issue by default", grouped(DEFAULT_LIFE_SECONDS)),
        format!("| {} after issue |", grouped(ROOT_LIFE_SECONDS)),
        format!("| {BACKDATE_SECONDS} before issue |"),
        format!(
            "a life above {}",
            grouped(LONGEST_LIFE_SECONDS + BACKDATE_SECONDS)
        ),
        format!(
            "more than {} bytes; anything that is not one DER",
            number(MAX_CERTIFICATE_BYTES)
        ),
        format!(
            "refuse more than {} bytes, any other\nencoding",
            number(MAX_REQUEST_BYTES)
        ),
        format!("A line has at most {} bytes", number(MAX_INVITATION_TEXT)),
        format!("An invitation expires {INVITATION_LIFE_SECONDS} after"),
        format!("\n{INVITATION_PREFIX} || "),
        format!("opaque request<0..{MAX_REQUEST_BYTES}>"),
        format!("opaque certificate<0..{MAX_CERTIFICATE_BYTES}>; opaque root<0..{MAX_CERTIFICATE_BYTES}>"),
        format!("opaque ledger_key<0..{MAX_LEDGER_KEY}>"),
        format!("names<0..{MAX_DENIED_NAMES} entries>"),
        format!("fingerprints[32]<0..{MAX_DENIED_CERTIFICATES} entries>"),
        format!("grants from {BACKDATE_SECONDS} before half life"),
    ] {
        assert!(PAGE.contains(&phrase), "the page does not say {phrase:?}");
    }
}

#[test]
fn the_fullest_deny_list_fits_its_bound_on_the_page() {
    let bound: usize = PAGE
        .split("opaque deny_list<0..")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(EnrolMessage::DenyList(vec![0; bound]).encode().is_ok());
    assert!(EnrolMessage::DenyList(vec![0; bound + 1]).encode().is_err());
}

#[test]
fn refusal_codes_are_those_of_the_page() {
    let rows: Vec<_> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split_once(" | "))
        .filter_map(|(code, rest)| Some((code.parse::<u16>().ok()?, rest.split(" | ").next()?)))
        .collect();
    let mut found = 0;
    for (code, called) in rows {
        let [high, low] = code.to_be_bytes();
        let message = EnrolMessage::decode(&[0, 1, 6, high, low]).unwrap();
        let EnrolMessage::Refused(known) = message else {
            unreachable!("kind 6 is a refusal")
        };
        assert_eq!((known.code(), format!("{known:?}").as_str()), (code, called));
        found += 1;
    }
    assert_eq!(
        found,
        usize::from(RefusalCode::Unavailable.code()),
        "every code has its row"
    );
}

#[test]
fn the_example_identity_is_that_of_the_page() {
    let identity = Identity::of(Role::Client, &name("alice"));
    assert!(PAGE.contains(&format!("`tacita:client:alice` is `{identity}`")));
}
