use std::sync::atomic::{AtomicU64, Ordering};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tacita_identity::{
    DEFAULT_LIFE_SECONDS, EnrolRequest, Invitation, InvitationSecret, PrivateKey, Role, TrustAnchor,
    renewal_time,
};
use tempfile::TempDir;

use super::*;
use crate::register::KEEP_EXPIRED_SECONDS;
use crate::settings::Settings;

struct Office {
    dir: AuthorityDir,
    path: TempDir,
}

fn office() -> Office {
    let path = tempfile::tempdir().unwrap();
    let settings = Settings {
        address: Some("127.0.0.1:1".to_owned()),
        ..Settings::default()
    };
    let dir = AuthorityDir::init(&path.path().join("a"), &name("test"), settings).unwrap();
    Office { dir, path }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn request(seed: u64) -> Vec<u8> {
    CertificateRequest::create(&PrivateKey::generate(&mut StdRng::seed_from_u64(seed))).unwrap()
}

fn now() -> u64 {
    crate::host::now().unwrap()
}

impl Office {
    fn secret(&self, who: &str) -> InvitationSecret {
        let line = self.dir.invite(&name(who), Role::Client).unwrap();
        EnrolRequest::redeeming(&Invitation::parse(&line).unwrap(), Vec::new()).secret
    }

    fn member(&self, who: &str) -> VerifiedCertificate {
        let response = self.dir.enrol(&self.secret(who), &request(1), now()).unwrap();
        self.read(&response, now())
    }

    fn read(&self, response: &EnrolResponse, at: u64) -> VerifiedCertificate {
        TrustAnchor::from_der(&response.root)
            .unwrap()
            .verify(&response.certificate, Role::Client, at)
            .unwrap()
    }
}

fn code(outcome: Result<EnrolResponse, NotGranted>) -> RefusalCode {
    match outcome.unwrap_err() {
        NotGranted::Refused(code) => code,
        NotGranted::Failed(error) => panic!("{error}"),
    }
}

#[test]
fn renewal_is_granted_from_half_life_once_and_repeated_for_the_same_key() {
    let office = office();
    let first = office.member("alice");
    let half = renewal_time(&first, 0);
    assert_eq!(
        code(office.dir.renew(&first, &request(2), half - 61)),
        RefusalCode::TooEarly
    );
    let renewed = office.dir.renew(&first, &request(2), half).unwrap();
    let second = office.read(&renewed, half);
    assert_eq!((second.identity, &second.name), (first.identity, &first.name));
    assert_ne!(second.key, first.key);
    assert_eq!(second.not_after, half + DEFAULT_LIFE_SECONDS);
    // The answer was lost: the same key again.
    let again = office.dir.renew(&first, &request(2), half + 5).unwrap();
    assert_eq!(again.certificate, renewed.certificate);
    // A thief with the old key comes later, or the owner after the thief: one of the two is told.
    assert_eq!(
        code(office.dir.renew(&first, &request(3), half + 9)),
        RefusalCode::AlreadyRenewed
    );
    // The chain goes on from the successor only.
    assert!(
        office
            .dir
            .renew(&second, &request(4), renewal_time(&second, 0))
            .is_ok()
    );
    assert_eq!(office.dir.list().unwrap().members[0].certificates, 3);
}

#[test]
fn renewal_of_what_is_revoked_or_expired_is_refused() {
    let office = office();
    let alice = office.member("alice");
    let late = alice.not_after + 1;
    assert_eq!(
        code(office.dir.renew(&alice, &request(2), late)),
        RefusalCode::TooEarly
    );
    office.dir.revoke(&name("alice"), Some(Role::Client)).unwrap();
    let half = renewal_time(&alice, 0);
    assert_eq!(
        code(office.dir.renew(&alice, &request(2), half)),
        RefusalCode::Revoked
    );
}

#[test]
fn a_race_in_the_register_has_one_winner() {
    let office = office();
    let secret = office.secret("alice");
    let won = AtomicU64::new(0);
    let handles: Vec<_> = (0..3)
        .map(|_| AuthorityDir::open(&office.path.path().join("a")).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for racer in 0..24u64 {
            let (dir, secret, won) = (&handles[racer as usize % 3], &secret, &won);
            scope.spawn(move || match dir.enrol(secret, &request(racer), now()) {
                Ok(_) => _ = won.fetch_add(1, Ordering::Relaxed),
                Err(NotGranted::Refused(code)) => assert_eq!(code, RefusalCode::InvitationSpent),
                Err(NotGranted::Failed(error)) => panic!("{error}"),
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
    assert_eq!(office.dir.list().unwrap().members[0].certificates, 1);
}

#[test]
fn concurrent_renewals_have_one_winner() {
    let office = office();
    let alice = office.member("alice");
    let half = renewal_time(&alice, 0);
    let won = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for racer in 10..26u64 {
            let (office, alice, won) = (&office, &alice, &won);
            scope.spawn(move || match office.dir.renew(alice, &request(racer), half) {
                Ok(_) => _ = won.fetch_add(1, Ordering::Relaxed),
                Err(NotGranted::Refused(code)) => assert_eq!(code, RefusalCode::AlreadyRenewed),
                Err(NotGranted::Failed(error)) => panic!("{error}"),
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn an_expired_invitation_is_refused_and_stays_unspent() {
    let office = office();
    let secret = office.secret("alice");
    assert_eq!(
        code(office.dir.enrol(&secret, &request(1), now() + 700)),
        RefusalCode::InvitationExpired
    );
    assert!(office.dir.list().unwrap().members.is_empty());
}

#[test]
fn what_is_long_over_is_forgotten_and_what_is_not_is_kept() {
    let office = office();
    let alice = office.member("alice");
    let spent = office.secret("bob");
    office.dir.enrol(&spent, &request(2), now()).unwrap();
    assert_eq!(office.dir.register().prune(now()).unwrap(), 0);
    assert_eq!(
        code(office.dir.enrol(&spent, &request(3), now())),
        RefusalCode::InvitationSpent
    );
    // A day later the invitations go, and a forgotten one is as good as a spent one.
    assert_eq!(office.dir.register().prune(now() + 2 * 86_400).unwrap(), 4);
    assert_eq!(
        code(office.dir.enrol(&spent, &request(3), now())),
        RefusalCode::InvitationUnknown
    );
    assert_eq!(office.dir.list().unwrap().members.len(), 2);
    office
        .dir
        .register()
        .prune(alice.not_after + KEEP_EXPIRED_SECONDS)
        .unwrap();
    assert_eq!(office.dir.list().unwrap().members.len(), 2);
    office
        .dir
        .register()
        .prune(alice.not_after + KEEP_EXPIRED_SECONDS + 60)
        .unwrap();
    assert!(office.dir.list().unwrap().members.is_empty());
}
