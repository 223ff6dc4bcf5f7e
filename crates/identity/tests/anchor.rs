//! What may and may not be a root certificate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod fixture;

use fixture::{Fixture, NOW, name, rng};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose as Ku};
use tacita_identity::{AnchorError as E, Authority, IssueError, PrivateKey, TrustAnchor, fingerprint};

fn root(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![Ku::KeyCertSign, Ku::CrlSign];
    change(&mut params);
    params
        .self_signed(&PrivateKey::generate(&mut rng(1)))
        .unwrap()
        .der()
        .to_vec()
}

fn refusal(der: &[u8]) -> E {
    TrustAnchor::from_der(der).unwrap_err()
}

#[test]
fn only_the_profile_of_a_root_is_a_root() {
    assert!(TrustAnchor::from_der(&root(|_| ())).is_ok());
    assert_eq!(refusal(&root(|p| p.is_ca = IsCa::NoCa)), E::Profile);
    assert_eq!(refusal(&root(|p| p.is_ca = IsCa::ExplicitNoCa)), E::Profile);
    assert_eq!(
        refusal(&root(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
        E::Profile
    );
    assert_eq!(
        refusal(&root(|p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)))),
        E::Profile
    );
    assert_eq!(
        refusal(&root(|p| p.key_usages = vec![Ku::KeyCertSign])),
        E::Profile
    );
    assert_eq!(
        refusal(&root(|p| p.key_usages.push(Ku::DigitalSignature))),
        E::Profile
    );
    assert_eq!(refusal(&root(|p| p.key_usages.clear())), E::Profile);
    let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    assert_eq!(
        refusal(CertificateParams::default().self_signed(&p256).unwrap().der()),
        E::KeyType
    );
}

#[test]
fn a_root_signs_itself() {
    let f = Fixture::new();
    let (_, leaf) = f.issue(tacita_identity::Role::Client, "alice");
    assert_eq!(refusal(&leaf.der), E::NotSelfSigned);
    let der = f.authority.anchor().der();
    for bit in 0..der.len() * 8 {
        let mut bad = der.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(TrustAnchor::from_der(&bad).is_err(), "bit {bit}");
    }
    for cut in 0..der.len() {
        assert_eq!(refusal(&der[..cut]), E::Malformed);
    }
    assert_eq!(refusal(&[der, &[0]].concat()), E::Malformed);
    assert_eq!(refusal(&vec![0; 4_096]), E::TooLarge);
}

#[test]
fn a_pinned_root_is_that_root_only() {
    let f = Fixture::new();
    let der = f.authority.anchor().der();
    let pin = fingerprint(der);
    assert_eq!(
        TrustAnchor::from_pinned_der(der, &pin).unwrap().fingerprint(),
        &pin
    );
    let other = Authority::create(&name("test"), NOW, &mut rng(9)).unwrap();
    let refused = TrustAnchor::from_pinned_der(other.anchor().der(), &pin).unwrap_err();
    assert_eq!(refused, E::Fingerprint);
}

#[test]
fn an_authority_opens_only_roots_made_by_it() {
    let foreign = root(|_| ());
    let key = PrivateKey::generate(&mut rng(1));
    assert_eq!(Authority::open(&foreign, key).unwrap_err(), IssueError::RootName);
}
