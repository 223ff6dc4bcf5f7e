//! Real processes in one directory: commands beside a running server, and a server that is killed while it issues.
//! The test binary starts itself again; the `child_*` tests do nothing unless started that way.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod running;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use running::{Office, endpoint, key, name};
use tacita_authority::{AuthorityDir, AuthorityServer, Settings};
use tacita_identity::{Invitation, Role};
use tacita_transport::{EnrolError, Limits, enrol};

const DIR: &str = "TACITA_TEST_DIR";
const LISTEN: &str = "TACITA_TEST_LISTEN";
const MARK: &str = "child says: ";

fn start(test: &str, dir: &Path, listen: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(DIR, dir)
        .env(LISTEN, listen)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn said(child: &mut Child) -> String {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    // The test runner writes the name of the test on the same line first.
    let said = |line: std::io::Result<String>| Some(line.ok()?.split_once(MARK)?.1.to_owned());
    lines.into_iter().find_map(said).unwrap()
}

fn directory() -> Option<AuthorityDir> {
    Some(AuthorityDir::open(Path::new(&std::env::var_os(DIR)?)).unwrap())
}

#[test]
fn child_invites() {
    let Some(desk) = directory() else { return };
    println!("{MARK}{}", *desk.invite(&name("alice"), Role::Client).unwrap());
}

#[test]
fn child_revokes() {
    let Some(desk) = directory() else { return };
    println!(
        "{MARK}{}",
        desk.revoke(&name("alice"), None).unwrap().content().number
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn child_serves() {
    let Some(desk) = directory() else { return };
    let listen = std::env::var(LISTEN).unwrap().parse().unwrap();
    let server = AuthorityServer::start(desk, listen, Limits::loopback()).unwrap();
    println!("{MARK}{}", server.local_addr().unwrap());
    server.run(std::future::pending()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_other_processes_reach_the_running_server() {
    let office = Office::new(Settings::default());
    let served = office.serve();
    let mut child = start("child_invites", &office.path(), "");
    let invitation = Invitation::parse(&said(&mut child)).unwrap();
    child.wait().unwrap();
    let alice = enrol(&endpoint(), &invitation, &key(1)).await.unwrap();
    let mut child = start("child_revokes", &office.path(), "");
    let number: u64 = said(&mut child).parse().unwrap();
    child.wait().unwrap();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let anchor = office.desk.authority().anchor();
    let list = tacita_transport::fetch_deny_list(&endpoint(), &invitation.address, anchor)
        .await
        .unwrap();
    assert_eq!(list.content().number, number);
    assert!(list.is_revoked(&alice.verified));
    served.stop().await;
}

/// Kill -9 at arbitrary moments of a crowd's enrolment: whoever asks again with the same key gets the certificate that
/// was issued, and each invitation has issued one.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_issues_each_certificate_once() {
    const MEMBERS: usize = 60;
    const KILLS: u64 = 8;
    let office = Office::new(Settings::default());
    let mut child = start("child_serves", &office.path(), "127.0.0.1:0");
    let address: SocketAddr = said(&mut child).parse().unwrap();
    let dialer =
        tacita_transport::ClientEndpoint::bind("127.0.0.1:0".parse().unwrap(), &Limits::default()).unwrap();
    let members: Vec<_> = (0..MEMBERS)
        .map(|i| {
            let invitation = office.invite(&format!("member-{i}"), Role::Client);
            assert_eq!(invitation.address, address.to_string());
            let dialer = dialer.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(40 * i as u64)).await;
                let key = key(i as u64);
                loop {
                    let attempt = enrol(&dialer, &invitation, &key);
                    match tokio::time::timeout(Duration::from_secs(2), attempt).await {
                        Ok(Ok(enrolled)) => return enrolled.certificate,
                        Ok(Err(EnrolError::Refused(code))) => panic!("member {i}: {code}"),
                        // Killed: the next server answers.
                        Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    }
                }
            })
        })
        .collect();
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(150 + 37 * kill)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        child = start("child_serves", &office.path(), &address.to_string());
        assert_eq!(said(&mut child), address.to_string());
    }
    for member in members {
        tokio::time::timeout(Duration::from_secs(60), member)
            .await
            .unwrap()
            .unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let list = office.desk.list().unwrap();
    assert_eq!(list.members.len(), MEMBERS);
    assert!(list.members.iter().all(|member| member.certificates == 1));
}
