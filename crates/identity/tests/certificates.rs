//! F25: every certificate that must be refused, made for real and refused by name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod fixture;

use std::time::Instant;

use fixture::{Fixture, NOW, SECRET_SEED, name, rng};
use rcgen::{ExtendedKeyUsagePurpose as Eku, IsCa, KeyUsagePurpose as Ku, SanType};
use tacita_identity::{
    Authority, BACKDATE_SECONDS, CertificateError as E, CertificateRequest, DEFAULT_LIFE_SECONDS,
    DenyListContent, Identity, LONGEST_LIFE_SECONDS, Life, MAX_CERTIFICATE_BYTES, PrivateKey,
    ROOT_LIFE_SECONDS, Role, fingerprint,
};

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

#[test]
fn a_good_certificate_says_who_it_is() {
    let f = Fixture::new();
    for role in [Role::Client, Role::Server] {
        let (key, issued) = f.issue(role, "alice");
        let seen = f.authority.anchor().verify(&issued.der, role, NOW).unwrap();
        assert_eq!((seen.role, seen.name.as_str()), (role, "alice"));
        assert_eq!(seen.identity, Identity::of(role, &name("alice")));
        assert_eq!(seen.key, key.verifying_key());
        assert_eq!(seen.fingerprint, fingerprint(&issued.der));
        assert_eq!(
            (seen.not_before, seen.not_after),
            (NOW - BACKDATE_SECONDS, NOW + DEFAULT_LIFE_SECONDS)
        );
        assert_eq!(
            f.authority.anchor().verify_member(&issued.der, NOW).unwrap(),
            seen
        );
    }
}

#[test]
fn validity_holds_to_the_second_and_blames_the_clock() {
    let f = Fixture::new();
    let (_, issued) = f.issue(Role::Client, "alice");
    let at = |now| {
        f.authority
            .anchor()
            .verify(&issued.der, Role::Client, now)
            .map(|_| ())
    };
    assert_eq!(at(issued.not_after), Ok(()));
    assert_eq!(at(issued.not_before), Ok(()));
    let now = issued.not_after + 1;
    assert_eq!(
        at(now),
        Err(E::Expired {
            not_after: issued.not_after,
            now
        })
    );
    let now = issued.not_before - 1;
    let early = at(now).unwrap_err();
    assert_eq!(
        early,
        E::NotYetValid {
            not_before: issued.not_before,
            now
        }
    );
    assert!(early.to_string().contains("check your clock"));
    assert!(matches!(at(0), Err(E::NotYetValid { .. })));
    assert!(matches!(at(u64::MAX), Err(E::Expired { .. })));
    // A certificate that claims to outlive its root, or to be older.
    for now in [NOW + ROOT_LIFE_SECONDS + 1, NOW - BACKDATE_SECONDS - 1] {
        let mut params = f.params("tacita:client:alice", Eku::ClientAuth);
        params.not_before = time::OffsetDateTime::from_unix_timestamp(now as i64 - 60).unwrap();
        params.not_after = time::OffsetDateTime::from_unix_timestamp(now as i64 + 60).unwrap();
        let got = f.authority.anchor().verify(&f.sign(&params), Role::Client, now);
        assert_eq!(got.unwrap_err(), E::AuthorityExpired);
    }
}

#[test]
fn strangers_are_refused() {
    let f = Fixture::new();
    let check = |der: &[u8]| f.authority.anchor().verify(der, Role::Client, NOW).map(|_| ());
    // An authority of another name, and one that took our name.
    for other in ["other", "test"] {
        let other = Authority::create(&name(other), NOW, &mut rng(77)).unwrap();
        let key = PrivateKey::generate(&mut rng(5));
        let request = CertificateRequest::check(&CertificateRequest::create(&key).unwrap()).unwrap();
        let issued = other
            .issue(
                &request,
                Role::Client,
                &name("alice"),
                Life::default(),
                NOW,
                &mut rng(6),
            )
            .unwrap();
        assert_eq!(check(&issued.der), Err(E::ForeignAuthority));
    }
    let params = f.params("tacita:client:alice", Eku::ClientAuth);
    let own = params.self_signed(&PrivateKey::generate(&mut rng(8))).unwrap();
    assert_eq!(check(own.der()), Err(E::SelfSigned));
    // A member that signs for another member.
    let (key, issued) = f.issue(Role::Client, "mallory");
    let der = fixture::signed_by(
        &f.params("tacita:client:alice", Eku::ClientAuth),
        &issued.der,
        &key,
    );
    assert_eq!(check(&der), Err(E::ForeignAuthority));
    assert_eq!(check(f.authority.anchor().der()), Err(E::MissingName));
}

#[test]
fn roles_do_not_mix() {
    let f = Fixture::new();
    let anchor = f.authority.anchor();
    let (_, client) = f.issue(Role::Client, "alice");
    let (_, server) = f.issue(Role::Server, "hub");
    assert_eq!(
        anchor.verify(&client.der, Role::Server, NOW).unwrap_err(),
        E::WrongRole { wanted: Role::Server }
    );
    assert_eq!(
        anchor.verify(&server.der, Role::Client, NOW).unwrap_err(),
        E::WrongRole { wanted: Role::Client }
    );
    let key = PrivateKey::generate(&mut rng(9));
    let own = f
        .authority
        .issue_own(&key.verifying_key(), NOW, &mut rng(10))
        .unwrap();
    assert_eq!(
        anchor.verify_authority(&own.der, NOW).unwrap().name.as_str(),
        "test"
    );
    // The authority can pose neither as server nor as client, and nobody can pose as the authority.
    assert_eq!(
        anchor.verify(&own.der, Role::Server, NOW).unwrap_err(),
        E::WrongRole { wanted: Role::Server }
    );
    assert_eq!(
        anchor.verify(&own.der, Role::Client, NOW).unwrap_err(),
        E::WrongRole { wanted: Role::Client }
    );
    assert_eq!(
        anchor.verify_member(&own.der, NOW).unwrap_err(),
        E::AuthorityUsedAsMember
    );
    assert_eq!(
        anchor.verify_authority(&server.der, NOW).unwrap_err(),
        E::WrongUsage
    );
    assert_eq!(
        anchor.verify_authority(&client.der, NOW).unwrap_err(),
        E::WrongUsage
    );
}

/// Certificates that this very authority signed, but outside the profile.
#[test]
fn profile_violations_are_refused_even_from_the_right_authority() {
    let f = Fixture::new();
    let base = || f.params("tacita:client:alice", Eku::ClientAuth);
    let mut fixtures = Vec::new();
    let mut add = |what: &'static str, expected: E, change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let mut params = base();
        change(&mut params);
        fixtures.push((what, f.sign(&params), expected));
    };
    add("server usage on a client name", E::WrongUsage, &|p| {
        p.extended_key_usages = vec![Eku::ServerAuth]
    });
    add("both usages", E::WrongUsage, &|p| {
        p.extended_key_usages = vec![Eku::ClientAuth, Eku::ServerAuth]
    });
    add("any usage", E::WrongUsage, &|p| {
        p.extended_key_usages = vec![Eku::ClientAuth, Eku::Any]
    });
    add("code signing too", E::WrongUsage, &|p| {
        p.extended_key_usages = vec![Eku::ClientAuth, Eku::CodeSigning]
    });
    add("no extended usage", E::WrongUsage, &|p| {
        p.extended_key_usages.clear()
    });
    add("no key usage", E::WrongUsage, &|p| p.key_usages.clear());
    add("may sign certificates", E::WrongUsage, &|p| {
        p.key_usages.push(Ku::KeyCertSign)
    });
    add("an authority", E::AuthorityUsedAsMember, &|p| {
        p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    add("no name", E::MissingName, &|p| p.subject_alt_names.clear());
    add("two names", E::SeveralNames, &|p| {
        p.subject_alt_names.push(uri("tacita:client:bob"))
    });
    add("the same name twice", E::SeveralNames, &|p| {
        p.subject_alt_names.push(uri("tacita:client:alice"))
    });
    add("a host name too", E::SeveralNames, &|p| {
        p.subject_alt_names.push(dns("alice.example"))
    });
    add("a host name only", E::MalformedName, &|p| {
        p.subject_alt_names = vec![dns("alice.example")]
    });
    add("an upper-case name", E::MalformedName, &|p| {
        p.subject_alt_names = vec![uri("tacita:client:Alice")]
    });
    add("another scheme", E::MalformedName, &|p| {
        p.subject_alt_names = vec![uri("https://alice.example/")]
    });
    add("no name after the role", E::MalformedName, &|p| {
        p.subject_alt_names = vec![uri("tacita:client:")]
    });
    add("an unknown role", E::MalformedName, &|p| {
        p.subject_alt_names = vec![uri("tacita:admin:alice")]
    });
    add("a week and two minutes", E::LifeTooLong, &|p| {
        p.not_after = p.not_before + time::Duration::seconds(LONGEST_LIFE_SECONDS as i64 + 121);
    });
    add("an unknown critical extension", E::Malformed, &|p| {
        let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99], vec![5, 0]);
        extension.set_criticality(true);
        p.custom_extensions = vec![extension];
    });
    for (what, der, expected) in &fixtures {
        let got = f.authority.anchor().verify(der, Role::Client, NOW).map(|_| ());
        assert_eq!(got, Err(*expected), "{what}");
        assert_eq!(
            f.authority.anchor().verify_member(der, NOW).map(|_| ()),
            Err(*expected),
            "{what}"
        );
    }
    assert!(fixtures.len() >= 12);
    assert!(
        f.authority
            .anchor()
            .verify(&f.sign(&base()), Role::Client, NOW)
            .is_ok(),
        "the base itself is good"
    );
}

#[test]
fn keys_must_be_sound_ed25519() {
    let f = Fixture::new();
    let params = f.params("tacita:client:alice", Eku::ClientAuth);
    let check = |der: &[u8]| f.authority.anchor().verify(der, Role::Client, NOW).map(|_| ());
    let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    assert_eq!(check(&f.sign_key(&params, &p256)), Err(E::WrongKeyType));
    let mut order_one = [0u8; 32];
    order_one[0] = 1;
    assert_eq!(
        check(&f.sign_key(&params, &fixture::RawKey(order_one))),
        Err(E::WeakKey)
    );
    assert_eq!(
        check(&f.sign_key(&params, &fixture::RawKey([2; 32]))),
        Err(E::WeakKey)
    );
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let f = Fixture::new();
    let (_, issued) = f.issue(Role::Client, "alice");
    let check = |der: &[u8]| f.authority.anchor().verify(der, Role::Client, NOW).is_err();
    for cut in 0..issued.der.len() {
        assert!(check(&issued.der[..cut]), "cut at {cut}");
    }
    for bit in 0..issued.der.len() * 8 {
        let mut der = issued.der.clone();
        der[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&der), "bit {bit}");
    }
    assert!(check(&[&issued.der[..], &[0]].concat()));
    let large = f
        .authority
        .anchor()
        .verify(&vec![0x30; MAX_CERTIFICATE_BYTES + 1], Role::Client, NOW);
    assert_eq!(large.unwrap_err(), E::TooLarge);
}

#[test]
fn revocation_is_by_name_and_by_certificate() {
    let f = Fixture::new();
    let anchor = f.authority.anchor();
    let (_, first) = f.issue(Role::Client, "alice");
    let (_, second) = f.issue(Role::Client, "alice");
    let (_, namesake) = f.issue(Role::Server, "alice");
    let [first, second, namesake] = [
        (&first, Role::Client),
        (&second, Role::Client),
        (&namesake, Role::Server),
    ]
    .map(|(issued, role)| anchor.verify(&issued.der, role, NOW).unwrap());
    let mut content = DenyListContent {
        number: 1,
        issued_at: NOW,
        ..DenyListContent::default()
    };
    content.certificates.insert(first.fingerprint);
    let list = f.authority.sign_deny_list(content.clone()).unwrap();
    assert_eq!(list.check(&first), Err(E::Revoked));
    assert_eq!(list.check(&second), Ok(()));
    content.names.insert((Role::Client, name("alice")));
    let list = f.authority.sign_deny_list(content).unwrap();
    assert!(list.is_revoked(&second));
    assert!(!list.is_revoked(&namesake), "the other role keeps its name");
}

#[test]
fn a_private_key_opens_only_its_own_root() {
    let f = Fixture::new();
    let root = f.authority.anchor().der().to_vec();
    let copy = PrivateKey::from_pkcs8_der(&f.authority.private_key().to_pkcs8_der().unwrap()).unwrap();
    assert_eq!(Authority::open(&root, copy).unwrap().name().as_str(), "test");
    let other = PrivateKey::generate(&mut rng(SECRET_SEED + 1));
    assert!(matches!(
        Authority::open(&root, other),
        Err(tacita_identity::IssueError::KeyMismatch)
    ));
}

#[test]
fn serials_differ_and_nothing_outlives_the_root() {
    let f = Fixture::new();
    let (_, first) = f.issue(Role::Client, "alice");
    let (_, second) = f.issue(Role::Client, "alice");
    assert_ne!(first.serial, second.serial);
    let request = CertificateRequest::check(&CertificateRequest::create(&f.key(1)).unwrap()).unwrap();
    let late = NOW + ROOT_LIFE_SECONDS - DEFAULT_LIFE_SECONDS + 1;
    let refused = f.authority.issue(
        &request,
        Role::Client,
        &name("a"),
        Life::default(),
        late,
        &mut rng(1),
    );
    assert_eq!(refused.unwrap_err(), tacita_identity::IssueError::RootEnding);
    let refused = f.authority.issue(
        &request,
        Role::Client,
        &name("a"),
        Life::default(),
        u64::MAX,
        &mut rng(1),
    );
    assert_eq!(refused.unwrap_err(), tacita_identity::IssueError::Clock);
}

/// A client checks up to a whole cohort's certificates; 150 microseconds each is the budget on an idle core, and the
/// test allows for a busy machine.
#[test]
fn verification_is_fast() {
    let f = Fixture::new();
    let (_, issued) = f.issue(Role::Client, "alice");
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..200 {
            std::hint::black_box(
                f.authority
                    .anchor()
                    .verify(&issued.der, Role::Client, NOW)
                    .unwrap(),
            );
        }
        best = best.min(start.elapsed().as_secs_f64() / 200.0 * 1e6);
    }
    println!("verify: {best:.1} us");
    assert!(best < 1_500.0, "{best} us");
}
