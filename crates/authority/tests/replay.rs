//! F26: one invitation, raced by a thousand keys over real QUIC and through several servers, is one certificate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod running;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use running::{Office, endpoint, key, name};
use tacita_authority::{LOCKOUT_ATTEMPTS, Settings};
use tacita_identity::{Invitation, PrivateKey, RefusalCode, Role};
use tacita_transport::{ClientEndpoint, EnrolError, Limits, enrol};
use tokio::sync::Barrier;

type Outcome = Result<Vec<u8>, EnrolError>;

/// Asks until there is an answer: a server that is busy with so many at once may ask to come again.
async fn insist(dialer: &ClientEndpoint, invitation: &Invitation, key: &PrivateKey) -> Outcome {
    loop {
        match enrol(dialer, invitation, key).await {
            Err(EnrolError::Transport(error)) if error.is_passing() => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            outcome => return outcome.map(|enrolled| enrolled.certificate),
        }
    }
}

/// `racers` tasks that present one invitation in the same instant, racer i from `dialers[i % n]` with `key(seed(i))`.
async fn race(line: &str, dialers: &[ClientEndpoint], racers: usize, seed: fn(usize) -> u64) -> Vec<Outcome> {
    let start = Arc::new(Barrier::new(racers));
    let tasks: Vec<_> = (0..racers)
        .map(|racer| {
            let (dialer, start) = (dialers[racer % dialers.len()].clone(), Arc::clone(&start));
            let (invitation, key) = (Invitation::parse(line).unwrap(), key(seed(racer)));
            tokio::spawn(async move {
                start.wait().await;
                tokio::time::timeout(Duration::from_secs(120), insist(&dialer, &invitation, &key))
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// From many addresses (Linux answers on all of 127.0.0.0/8), so that the lock-out of sources plays no part.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_racers_get_one_certificate() {
    const RACERS: usize = 1_000;
    const SOURCES: u8 = 125;
    let office = Office::new(Settings::default());
    let served = office.serve();
    let line = office.desk.invite(&name("alice"), Role::Client).unwrap();
    let from = |host| {
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 7, host), 0));
        ClientEndpoint::bind(address, &Limits::loopback()).unwrap()
    };
    let dialers: Vec<_> = (1..=SOURCES).map(from).collect();
    let clock = Instant::now();
    let outcomes = race(&line, &dialers, RACERS, |racer| racer as u64).await;
    let certificates: BTreeSet<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.as_ref().ok())
        .collect();
    let spent = Err(EnrolError::Refused(RefusalCode::InvitationSpent));
    let refused = outcomes.iter().filter(|outcome| **outcome == spent).count();
    println!("{RACERS} racers in {:.1?}", clock.elapsed());
    assert_eq!((certificates.len(), refused), (1, RACERS - 1));
    assert_eq!(office.desk.list().unwrap().members[0].certificates, 1);
    served.stop().await;
}

/// The owner's own retries, all at once: the same certificate for each, and only one issued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_gets_one_certificate_however_often_it_asks() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let line = office.desk.invite(&name("alice"), Role::Client).unwrap();
    let outcomes = race(&line, &[endpoint()], 100, |_| 1).await;
    let certificates: BTreeSet<_> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(certificates.len(), 1);
    assert_eq!(office.desk.list().unwrap().members[0].certificates, 1);
    served.stop().await;
}

/// The race is decided in the register, not in a process.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_register_issue_once() {
    let office = Office::new(Settings::default());
    let (first, second) = (office.serve(), office.serve());
    let dialer = endpoint();
    // Fewer rounds than lost races lock the source out.
    for round in 0..u64::from(LOCKOUT_ATTEMPTS - 1) {
        let line = office.desk.invite(&name("alice"), Role::Client).unwrap();
        let (mut here, mut there) = (
            Invitation::parse(&line).unwrap(),
            Invitation::parse(&line).unwrap(),
        );
        here.address = first.address.to_string();
        there.address = second.address.to_string();
        let (one, two) = (key(2 * round), key(2 * round + 1));
        let (one, two) = tokio::join!(enrol(&dialer, &here, &one), enrol(&dialer, &there, &two));
        let won = usize::from(one.is_ok()) + usize::from(two.is_ok());
        assert_eq!(won, 1, "round {round}: {one:?} {two:?}");
    }
    first.stop().await;
    second.stop().await;
}
