//! The X.509 revocation list, read by a verifier that is not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod fixture;

use fixture::{Fixture, NOW};
use rustls_pki_types::{CertificateDer, UnixTime};
use tacita_identity::{CrlEntry, CrlError, Role};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};

fn outcome(f: &Fixture, leaf: &[u8], list: &[u8]) -> Result<(), Error> {
    let root = CertificateDer::from(f.authority.anchor().der());
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let list = CertRevocationList::Borrowed(BorrowedCertRevocationList::from_der(list).unwrap());
    let lists = [&list];
    let options = RevocationOptionsBuilder::new(&lists)
        .unwrap()
        .with_expiration_policy(ExpirationPolicy::Enforce)
        .build();
    let leaf = CertificateDer::from(leaf);
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW + 1));
    EndEntityCert::try_from(&leaf)
        .unwrap()
        .verify_for_usage(
            &[webpki::aws_lc_rs::ED25519],
            &anchors,
            &[],
            time,
            KeyUsage::client_auth(),
            Some(options),
            None,
        )
        .map(|_| ())
}

#[test]
fn names_exactly_the_revoked_certificate() {
    let f = Fixture::new();
    let (_, revoked) = f.issue(Role::Client, "mallory");
    let (_, good) = f.issue(Role::Client, "alice");
    let entry = CrlEntry {
        serial: revoked.serial,
        revoked_at: NOW,
    };
    let list = f.authority.sign_crl(&[entry], 1, NOW, NOW + 3_600).unwrap();
    assert_eq!(outcome(&f, &revoked.der, &list), Err(Error::CertRevoked));
    assert_eq!(outcome(&f, &good.der, &list), Ok(()));
    let empty = f.authority.sign_crl(&[], 2, NOW, NOW + 3_600).unwrap();
    assert_eq!(outcome(&f, &revoked.der, &empty), Ok(()));
}

#[test]
fn times_must_make_sense() {
    let f = Fixture::new();
    assert_eq!(f.authority.sign_crl(&[], 1, NOW, NOW), Err(CrlError::Time));
    assert_eq!(f.authority.sign_crl(&[], 1, NOW, u64::MAX), Err(CrlError::Time));
}
