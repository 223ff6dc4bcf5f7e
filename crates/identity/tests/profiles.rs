//! `keys/profiles/*.toml`, the issued certificates and the constants say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod fixture;

use fixture::{Fixture, NOW, rng};
use tacita_identity::{
    BACKDATE_SECONDS, DEFAULT_LIFE_SECONDS, LONGEST_LIFE_SECONDS, Profile, ROOT_LIFE_SECONDS, Role,
    SHORTEST_LIFE_SECONDS,
};
use toml::Table;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

fn page(text: &str) -> Table {
    text.parse().unwrap()
}

fn text<'a>(page: &'a Table, key: &str) -> &'a str {
    page[key].as_str().unwrap()
}

fn seconds(page: &Table, key: &str) -> u64 {
    u64::try_from(page[key].as_integer().unwrap()).unwrap()
}

fn only<'a>(page: &'a Table, key: &str) -> &'a str {
    let list = page[key].as_array().unwrap();
    assert_eq!(list.len(), 1, "{key}");
    list[0].as_str().unwrap()
}

/// Compares a certificate issued for `holder` with the page of its profile.
fn compare(page: &Table, profile: Profile, der: &[u8], holder: &str, not_after: u64) {
    let (_, cert) = X509Certificate::from_der(der).unwrap();
    let tbs = &cert.tbs_certificate;
    let uri = text(page, "san").replace("NAME", holder);
    let names = &tbs
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names;
    assert_eq!(format!("{names:?}"), format!("[URI({uri:?})]"));
    let subject = text(page, "subject_common_name").replace("NAME", holder);
    assert_eq!(cert.subject().to_string(), format!("CN={subject}"));
    assert_eq!(
        (text(page, "key"), text(page, "signature")),
        ("Ed25519", "Ed25519")
    );
    assert_eq!(tbs.subject_pki.algorithm, cert.signature_algorithm);
    assert_eq!(only(page, "key_usage"), "digitalSignature");
    assert_eq!(tbs.key_usage().unwrap().unwrap().value.flags, 1);
    assert_eq!(only(page, "extended_key_usage"), profile.extended_key_usage());
    let usage = tbs.extended_key_usage().unwrap().unwrap().value;
    let found = [
        (usage.client_auth, "clientAuth"),
        (usage.server_auth, "serverAuth"),
        (usage.any, "any"),
    ];
    let found: Vec<_> = found
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| name)
        .collect();
    assert_eq!(found, [profile.extended_key_usage()]);
    assert_eq!(Some(tbs.is_ca()), page["authority"].as_bool());
    assert_eq!(tbs.raw_serial().len() as u64, seconds(page, "serial_bytes"));
    assert_eq!(seconds(page, "backdate_seconds"), BACKDATE_SECONDS);
    assert_eq!(tbs.validity.not_before.timestamp() as u64, NOW - BACKDATE_SECONDS);
    assert_eq!(tbs.validity.not_after.timestamp() as u64, not_after);
}

#[test]
fn members_certificates_follow_their_pages() {
    let f = Fixture::new();
    for (role, profile, source) in [
        (
            Role::Client,
            Profile::Client,
            include_str!("../../../keys/profiles/client.toml"),
        ),
        (
            Role::Server,
            Profile::Server,
            include_str!("../../../keys/profiles/server.toml"),
        ),
    ] {
        let page = page(source);
        let (_, issued) = f.issue(role, "ward-3");
        compare(
            &page,
            profile,
            &issued.der,
            "ward-3",
            NOW + seconds(&page, "life_seconds"),
        );
        assert_eq!(seconds(&page, "life_seconds"), DEFAULT_LIFE_SECONDS);
        assert_eq!(seconds(&page, "shortest_life_seconds"), SHORTEST_LIFE_SECONDS);
        assert_eq!(seconds(&page, "longest_life_seconds"), LONGEST_LIFE_SECONDS);
    }
}

#[test]
fn the_authority_s_certificate_follows_its_page() {
    let f = Fixture::new();
    let page = page(include_str!("../../../keys/profiles/authority.toml"));
    let own = f
        .authority
        .issue_own(&f.key(1).verifying_key(), NOW, &mut rng(2))
        .unwrap();
    assert_eq!(text(&page, "life"), "root");
    compare(
        &page,
        Profile::Authority,
        &own.der,
        "test",
        NOW + ROOT_LIFE_SECONDS,
    );
}
