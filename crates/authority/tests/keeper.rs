//! A machine that runs stays in standing: deny lists reach it, its certificate is renewed in time, and a crash in the
//! middle of a renewal costs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod running;

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use running::{Office, endpoint, name, unix_now};
use tacita_authority::Settings;
use tacita_identity::{CertificateRequest, Life, RefusalCode, Role};
use tacita_transport::{EnrolError, Enrolled, Keeper, KeeperError, Machine, Visit, enrol, renew};

struct Home {
    dir: tempfile::TempDir,
    machine: Machine,
}

impl Home {
    /// A machine enrolled as `who`, whose certificate was issued `age` seconds ago for ten minutes.
    async fn enrolled(office: &Office, who: &str, age: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(&dir.path().join("state"));
        let mut rng = StdRng::seed_from_u64(7);
        let key = machine.key(&mut rng).unwrap();
        let invitation = office.invite(who, Role::Client);
        let mut enrolled: Enrolled = enrol(&endpoint(), &invitation, &key).await.unwrap();
        let request = CertificateRequest::check(&CertificateRequest::create(&key).unwrap()).unwrap();
        let then = unix_now() - age;
        let life = Life::from_seconds(600).unwrap();
        let issued = office
            .desk
            .authority()
            .issue(&request, Role::Client, &name(who), life, then, &mut rng)
            .unwrap();
        enrolled.certificate = issued.der;
        machine.save(&enrolled, &invitation.address).unwrap();
        Self { dir, machine }
    }

    fn file(&self, file: &str) -> std::path::PathBuf {
        self.dir.path().join("state").join(file)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_past_half_of_its_life_is_renewed_for_a_new_key() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let mut rng = StdRng::seed_from_u64(1);
    let now = unix_now();
    // Young: the visit changes nothing.
    let young = Home::enrolled(&office, "young", 0).await;
    let me = young.machine.load(Role::Client, now).unwrap();
    let (mut keeper, watched) = Keeper::new(young.machine.clone(), &me, endpoint());
    assert_eq!(keeper.visit(now, &mut rng).await.unwrap(), Visit::default());
    assert!(!watched.has_changed().unwrap());
    // At two thirds of the life, whatever the jitter, it is due.
    let old = Home::enrolled(&office, "old", 400).await;
    let me = old.machine.load(Role::Client, now).unwrap();
    let before = me.standing.clone();
    let (mut keeper, mut watched) = Keeper::new(old.machine.clone(), &me, endpoint());
    assert!(keeper.visit(now, &mut rng).await.unwrap().renewed);
    let after = watched.borrow_and_update().clone();
    assert_ne!(before.certificate.key, after.certificate.key, "a new key");
    assert_eq!(after.certificate.key, after.key.verifying_key());
    assert_eq!(before.certificate.name, after.certificate.name);
    assert!(after.certificate.not_after > before.certificate.not_after);
    assert!(!old.file("key-next.pem").exists());
    // What runs is what lies on disk, and it is not due again.
    let loaded = old.machine.load(Role::Client, now).unwrap();
    assert_eq!(
        loaded.standing.certificate.fingerprint,
        after.certificate.fingerprint
    );
    assert!(!keeper.visit(now, &mut rng).await.unwrap().renewed);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_was_cut_off_is_finished_with_the_same_key() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let mut rng = StdRng::seed_from_u64(2);
    let now = unix_now();
    let home = Home::enrolled(&office, "alice", 400).await;
    let me = home.machine.load(Role::Client, now).unwrap();
    // The authority answered, and the machine died before it kept the answer.
    let next = home.machine.next_key(&mut rng).unwrap();
    let lost = renew(
        &endpoint(),
        &me.authority,
        &me.standing.identity,
        &me.standing.certificate,
        &next,
    )
    .await
    .unwrap();
    let me = home.machine.load(Role::Client, now).unwrap();
    assert_ne!(me.standing.certificate.fingerprint, lost.verified.fingerprint);
    let (mut keeper, watched) = Keeper::new(home.machine.clone(), &me, endpoint());
    assert!(keeper.visit(now, &mut rng).await.unwrap().renewed);
    assert_eq!(
        watched.borrow().certificate.fingerprint,
        lost.verified.fingerprint
    );

    // Or it died between the new certificate and the new key.
    let home = Home::enrolled(&office, "bob", 400).await;
    let me = home.machine.load(Role::Client, now).unwrap();
    let next = home.machine.next_key(&mut rng).unwrap();
    let kept = renew(
        &endpoint(),
        &me.authority,
        &me.standing.identity,
        &me.standing.certificate,
        &next,
    )
    .await
    .unwrap();
    home.machine.save(&kept, &me.authority).unwrap();
    assert!(home.file("key-next.pem").exists());
    let me = home.machine.load(Role::Client, now).unwrap();
    assert_eq!(me.standing.certificate.fingerprint, kept.verified.fingerprint);
    assert!(!home.file("key-next.pem").exists());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_reach_a_machine_that_runs_and_end_its_own_renewal() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let now = unix_now();
    let home = Home::enrolled(&office, "alice", 0).await;
    let bob = Home::enrolled(&office, "bob", 400).await;
    let me = home.machine.load(Role::Client, now).unwrap();
    let bobs = bob.machine.load(Role::Client, now).unwrap();
    let (keeper, mut watched) = Keeper::new(home.machine.clone(), &me, endpoint());
    let running = tokio::spawn(keeper.run(Duration::from_millis(100), StdRng::seed_from_u64(3)));
    assert!(
        !watched
            .borrow_and_update()
            .deny
            .is_revoked(&bobs.standing.certificate)
    );
    office.desk.revoke(&name("bob"), None).unwrap();
    tokio::time::timeout(Duration::from_secs(10), watched.changed())
        .await
        .unwrap()
        .unwrap();
    assert!(watched.borrow().deny.is_revoked(&bobs.standing.certificate));
    // It is durable: a start without the authority knows it too.
    let loaded = home.machine.load(Role::Client, now).unwrap();
    assert!(loaded.standing.deny.is_revoked(&bobs.standing.certificate));
    // The one who was revoked is told so, and keeps what it had.
    let (mut keeper, _watched) = Keeper::new(bob.machine.clone(), &bobs, endpoint());
    let told = keeper
        .visit(now, &mut StdRng::seed_from_u64(4))
        .await
        .unwrap_err();
    assert!(
        matches!(
            told,
            KeeperError::Authority(EnrolError::Refused(RefusalCode::Revoked))
        ),
        "{told}"
    );
    assert!(bob.machine.load(Role::Client, now).is_ok());
    // Nobody watches any more: the keeper goes home.
    drop(watched);
    tokio::time::timeout(Duration::from_secs(10), running)
        .await
        .unwrap()
        .unwrap();
    served.stop().await;
}
