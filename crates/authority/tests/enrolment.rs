//! Enrolment, renewal and revocation over real QUIC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod running;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use running::{Office, endpoint, identity, key, name, unix_now};
use tacita_authority::{LOCKOUT_ATTEMPTS, MemberState, Settings};
use tacita_identity::{
    BACKDATE_SECONDS, DenyError, EnrolMessage, EnrolRequest, RefusalCode, RenewRequest, Role, may_renew,
};
use tacita_transport::{
    ClientEndpoint, EnrolError, Limits, ServerEndpoint, TransportError, enrol, fetch_deny_list, renew,
};

fn refused(code: RefusalCode) -> EnrolError {
    EnrolError::Refused(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_becomes_a_certificate_and_members_meet() {
    let office = Office::new(Settings::default());
    let vkey = "tacita.example/ledger+";
    assert!(office.desk.pin_ledger(vkey).is_err());
    let served = office.serve();
    let dialer = endpoint();
    // Invited by another process while the server runs: `office.desk` is a handle of its own.
    let client = office.invite("alice", Role::Client);
    assert_eq!(client.address, served.address.to_string());
    let alice = enrol(&dialer, &client, &key(1)).await.unwrap();
    let hub = enrol(&dialer, &office.invite("hub", Role::Server), &key(2))
        .await
        .unwrap();
    assert_eq!(
        (alice.verified.name.as_str(), alice.verified.role),
        ("alice", Role::Client)
    );
    assert_eq!(alice.verified.key, key(1).verifying_key());
    assert_eq!(alice.ledger_key, None);
    let life = alice.verified.not_after - alice.verified.not_before;
    assert_eq!(life, 24 * 3_600 + BACKDATE_SECONDS);
    // The two certificates are good for a mutual handshake.
    let listening = ServerEndpoint::bind(
        "127.0.0.1:0".parse().unwrap(),
        identity(&hub, &key(2)),
        tacita_transport::Admission::members(),
        Limits::loopback(),
    )
    .unwrap();
    let address = listening.local_addr().unwrap();
    let mine = identity(&alice, &key(1));
    let (made, taken) = tokio::join!(
        dialer.connect(address, &mine, Some(&hub.verified.name)),
        listening.accept()
    );
    assert_eq!(made.unwrap().peer(), Some(&hub.verified));
    assert_eq!(taken.unwrap().unwrap().peer(), Some(&alice.verified));
    // Neither may play the other's part.
    let posing = ServerEndpoint::bind(
        "127.0.0.1:0".parse().unwrap(),
        mine.clone(),
        tacita_transport::Admission::members(),
        Limits::loopback(),
    )
    .unwrap();
    let fooled = dialer.connect(posing.local_addr().unwrap(), &mine, None).await;
    assert!(
        matches!(fooled, Err(TransportError::CertificateRefused(_))),
        "{fooled:?}"
    );
    // The authority's own certificate is no server's.
    let fooled = dialer.connect(served.address, &mine, None).await;
    assert!(
        matches!(fooled, Err(TransportError::CertificateRefused(_))),
        "{fooled:?}"
    );
    let list = office.desk.list().unwrap();
    assert_eq!(list.members.len(), 2);
    assert!(
        list.members
            .iter()
            .all(|member| member.state == MemberState::Valid)
    );
    assert!(list.invitations.is_empty());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_answered_again_and_a_thief_is_not() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let invitation = office.invite("alice", Role::Client);
    let first = enrol(&dialer, &invitation, &key(1)).await.unwrap();
    let again = enrol(&dialer, &invitation, &key(1)).await.unwrap();
    assert_eq!(first.certificate, again.certificate);
    let thief = enrol(&dialer, &invitation, &key(2)).await.unwrap_err();
    assert_eq!(thief, refused(RefusalCode::InvitationSpent));
    // Also after a restart.
    served.stop().await;
    let served = office.serve();
    let mut moved = office.invite("bob", Role::Client);
    moved.secret = invitation.secret;
    moved.name = invitation.name;
    assert_eq!(
        enrol(&dialer, &moved, &key(1)).await.unwrap().certificate,
        first.certificate
    );
    assert_eq!(
        enrol(&dialer, &moved, &key(2)).await.unwrap_err(),
        refused(RefusalCode::InvitationSpent)
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cohort_enrols_at_once() {
    const MEMBERS: usize = 200;
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let clock = Instant::now();
    let invitations: Vec<_> = (0..MEMBERS)
        .map(|i| office.invite(&format!("member-{i}"), Role::Client))
        .collect();
    let invited = clock.elapsed();
    let tasks: Vec<_> = invitations
        .into_iter()
        .enumerate()
        .map(|(i, invitation)| {
            let dialer = dialer.clone();
            tokio::spawn(async move {
                enrol(&dialer, &invitation, &key(i as u64))
                    .await
                    .unwrap()
                    .verified
            })
        })
        .collect();
    let mut identities = BTreeSet::new();
    for (i, task) in tasks.into_iter().enumerate() {
        let verified = task.await.unwrap();
        assert_eq!(verified.name.as_str(), format!("member-{i}"));
        identities.insert(verified.identity);
    }
    println!(
        "{MEMBERS} invited in {invited:.1?}, enrolled in {:.1?}",
        clock.elapsed() - invited
    );
    assert_eq!(
        (identities.len(), office.desk.list().unwrap().members.len()),
        (MEMBERS, MEMBERS)
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_pinned_authority_gets_the_secret() {
    let (ours, theirs) = (Office::new(Settings::default()), Office::new(Settings::default()));
    let (served, trap) = (ours.serve(), theirs.serve());
    let mut invitation = ours.invite("alice", Role::Client);
    invitation.address = trap.address.to_string();
    let error = enrol(&endpoint(), &invitation, &key(1)).await.unwrap_err();
    assert!(
        matches!(error, EnrolError::Transport(TransportError::WrongRoot(_))),
        "{error:?}"
    );
    assert!(theirs.desk.list().unwrap().members.is_empty());
    served.stop().await;
    trap.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_locks_the_source_out() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let good = office.invite("alice", Role::Client);
    for _ in 0..LOCKOUT_ATTEMPTS {
        let other = Office::new(Settings {
            address: Some(served.address.to_string()),
            ..Settings::default()
        });
        let mut guess = other.invite("alice", Role::Client);
        guess.root_fingerprint = *office.desk.fingerprint();
        assert_eq!(
            enrol(&dialer, &guess, &key(3)).await.unwrap_err(),
            refused(RefusalCode::InvitationUnknown)
        );
    }
    let error = enrol(&dialer, &good, &key(1)).await.unwrap_err();
    assert_eq!(error, refused(RefusalCode::LockedOut));
    assert!(error.is_passing());
    assert!(
        fetch_deny_list(&dialer, &good.address, office.desk.authority().anchor())
            .await
            .is_ok()
    );
    served.stop().await;
}

/// Here the clock is real, so the authority says to wait; that it grants later is tested in `grant/tests.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn renewal_needs_the_certificate_and_the_time() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let alice = enrol(&dialer, &office.invite("alice", Role::Client), &key(1))
        .await
        .unwrap();
    assert!(may_renew(&alice.verified, unix_now()).is_err());
    let mine = identity(&alice, &key(1));
    let address = served.address.to_string();
    let early = renew(&dialer, &address, &mine, &alice.verified, &key(2))
        .await
        .unwrap_err();
    assert_eq!(early, refused(RefusalCode::TooEarly));
    // Without a certificate on the connection.
    let request = tacita_identity::CertificateRequest::create(&key(2)).unwrap();
    let bare = raw(&dialer, &office, &EnrolMessage::Renew(RenewRequest { request })).await;
    assert!(matches!(
        bare,
        EnrolMessage::Refused(RefusalCode::CertificateRequired)
    ));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_is_seen_at_once_by_whoever_asks() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let address = served.address.to_string();
    let anchor = office.desk.authority().anchor().clone();
    let alice = enrol(&dialer, &office.invite("alice", Role::Client), &key(1))
        .await
        .unwrap();
    let open = office.invite("alice", Role::Client);
    let before = fetch_deny_list(&dialer, &address, &anchor).await.unwrap();
    assert!(!before.is_revoked(&alice.verified));
    office.desk.revoke(&name("alice"), None).unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let after = before
        .succeeded_by(fetch_deny_list(&dialer, &address, &anchor).await.unwrap())
        .unwrap();
    assert!(after.is_revoked(&alice.verified));
    assert!(matches!(
        after.succeeded_by(before),
        Err(DenyError::Rollback { .. })
    ));
    let mine = identity(&alice, &key(1));
    let renewal = renew(&dialer, &address, &mine, &alice.verified, &key(2))
        .await
        .unwrap_err();
    assert_eq!(renewal, refused(RefusalCode::Revoked));
    // The open invitation died with the name, and no new one is made.
    assert_eq!(
        enrol(&dialer, &open, &key(3)).await.unwrap_err(),
        refused(RefusalCode::InvitationUnknown)
    );
    assert!(office.desk.invite(&name("alice"), Role::Client).is_err());
    // Reinstated, the name gets a new certificate, and the old one stays void.
    office.desk.reinstate(&name("alice"), Role::Client).unwrap();
    let fresh = enrol(&dialer, &office.invite("alice", Role::Client), &key(4))
        .await
        .unwrap();
    assert!(fresh.deny_list.is_revoked(&alice.verified) && !fresh.deny_list.is_revoked(&fresh.verified));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_gets_a_named_refusal_and_leaves_the_server_well() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let code =
        async |bytes: &[u8]| match EnrolMessage::decode(&raw_bytes(&dialer, &office, bytes).await).unwrap() {
            EnrolMessage::Refused(code) => code,
            other => panic!("{other:?}"),
        };
    assert_eq!(code(b"").await, RefusalCode::Malformed);
    assert_eq!(code(&[0, 2, 3]).await, RefusalCode::Version);
    assert_eq!(code(&[0, 1, 99]).await, RefusalCode::Malformed);
    assert_eq!(code(&vec![0xff; 200_000]).await, RefusalCode::Version);
    assert_eq!(
        code(&EnrolMessage::DenyList(vec![1]).encode().unwrap()).await,
        RefusalCode::Malformed
    );
    let invitation = office.invite("alice", Role::Client);
    let bad = EnrolMessage::Enrol(EnrolRequest::redeeming(&invitation, vec![1, 2, 3]));
    assert_eq!(code(&bad.encode().unwrap()).await, RefusalCode::Request);
    // A bad request does not spend the invitation.
    assert!(enrol(&dialer, &invitation, &key(1)).await.is_ok());
    served.stop().await;
}

async fn raw(dialer: &ClientEndpoint, office: &Office, message: &EnrolMessage) -> EnrolMessage {
    EnrolMessage::decode(&raw_bytes(dialer, office, &message.encode().unwrap()).await).unwrap()
}

async fn raw_bytes(dialer: &ClientEndpoint, office: &Office, bytes: &[u8]) -> Vec<u8> {
    let address = office.invite("raw", Role::Client).address.parse().unwrap();
    let made = dialer
        .connect_authority(address, *office.desk.fingerprint(), None)
        .await
        .unwrap();
    let (mut sender, mut receiver) = made.connection.open().await.unwrap();
    sender.send(bytes).await.unwrap();
    sender.finish().await.unwrap();
    receiver.recv().await.unwrap().unwrap()
}
