//! `tacita authority`: one process serves, others invite and revoke in the same directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A failed assumption is a failed test.

mod running;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use running::{Ran, command, tacita};
use serde_json::Value;
use tacita_identity::{Invitation, PrivateKey, RefusalCode, Role};
use tacita_transport::{ClientEndpoint, EnrolError, Enrolled, Limits, enrol};
use tempfile::TempDir;

/// An initialised directory.
struct Office {
    root: TempDir,
}

impl Office {
    fn new(rest: &[&str]) -> Self {
        let office = Self {
            root: tempfile::tempdir().unwrap(),
        };
        let made = office.run(&[&["init"], rest].concat());
        assert_eq!(made.code, 0, "{}", made.stderr);
        office
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("authority")
    }

    /// `tacita authority ... --dir DIR`
    fn run(&self, args: &[&str]) -> Ran {
        let dir = self.dir();
        tacita([&["authority"], args, &["--dir", dir.to_str().unwrap()]].concat())
    }

    fn list(&self) -> Value {
        let ran = self.run(&["list", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    }

    fn serve(&self) -> Served {
        let mut child = command()
            .args(["authority", "serve", "--listen", "127.0.0.1:0", "--dir"])
            .arg(self.dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("Listening on ")
            .and_then(|rest| rest.split(',').next());
        let address = address.unwrap_or_else(|| panic!("{line}")).to_owned();
        Served {
            child,
            stdout,
            address,
        }
    }
}

/// A serving process, ended with the test.
struct Served {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Served {
    /// Asks it to stop, as an init system would; its exit code, and what else it said.
    #[cfg(unix)]
    fn terminate(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap();
        assert!(killed.success());
        let code = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut rest)
            .unwrap();
        (code, rest)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Redeems an invitation as a participant's machine would.
fn redeem(line: &str, seed: u64) -> Result<Enrolled, EnrolError> {
    let invitation = Invitation::parse(line.trim()).unwrap();
    let key = PrivateKey::generate(&mut ChaCha20Rng::seed_from_u64(seed));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let dialer = ClientEndpoint::bind("127.0.0.1:0".parse().unwrap(), &Limits::loopback()).unwrap();
        enrol(&dialer, &invitation, &key).await
    })
}

#[test]
fn a_root_is_made_once_and_its_key_is_private() {
    let office = Office::new(&["--address", "enrol.example.org:7442", "--name", "root-a"]);
    let key = office.dir().join("root.key");
    let before = fs::read(&key).unwrap();
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = office.run(&["init", "--json"]);
    assert_eq!(again.code, 3);
    assert!(again.error().contains("already"), "{}", again.stderr);
    assert_eq!(again.json()["exit_code"], 3);
    assert_eq!(fs::read(&key).unwrap(), before);
    // The address of the settings goes into invitations although nothing serves.
    let invited = office.run(&["invite", "alice", "--role", "client"]);
    let invitation = Invitation::parse(invited.stdout.trim()).unwrap();
    assert_eq!(invitation.address, "enrol.example.org:7442");
    assert_eq!(
        (invitation.role, invitation.name.as_str()),
        (Role::Client, "alice")
    );
}

#[cfg(unix)]
#[test]
fn others_invite_list_and_revoke_while_it_serves() {
    let office = Office::new(&[]);
    let served = office.serve();
    let file = office.root.path().join("alice.invitation");
    let ran = office.run(&[
        "invite",
        "alice",
        "--role",
        "client",
        "--out",
        file.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let line = fs::read_to_string(&file).unwrap();
    assert!(
        !ran.stdout.contains(line.trim()),
        "the secret is in the file only"
    );
    assert_eq!(Invitation::parse(line.trim()).unwrap().address, served.address);
    assert_eq!(office.list()["invitations"][0]["name"], "alice");

    let enrolled = redeem(&line, 1).unwrap();
    assert_eq!(
        (enrolled.verified.name.as_str(), enrolled.verified.role),
        ("alice", Role::Client)
    );
    assert!(matches!(
        redeem(&line, 2),
        Err(EnrolError::Refused(RefusalCode::InvitationSpent))
    ));
    let list = office.list();
    assert_eq!(list["members"][0]["state"], "valid");
    assert_eq!(
        list["members"][0]["fingerprint"],
        hex::encode(enrolled.verified.fingerprint)
    );
    assert_eq!(list["invitations"].as_array().unwrap().len(), 0);

    let revoked = office.run(&["revoke", "alice", "--json"]);
    assert_eq!(
        (revoked.code, &revoked.json()["deny_list"]),
        (0, &office.list()["deny_list"]["number"])
    );
    assert_eq!(office.list()["members"][0]["state"], "revoked");
    let refused = office.run(&["invite", "alice", "--role", "client"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (3, ""));
    // An invitation made before its name is revoked dies with it.
    let line = office.run(&["invite", "bob", "--role", "client"]).stdout;
    assert_eq!(office.run(&["revoke", "bob"]).code, 0);
    assert!(redeem(&line, 3).is_err());
    assert_eq!(office.run(&["reinstate", "alice", "--role", "client"]).code, 0);
    let line = office.run(&["invite", "alice", "--role", "client"]).stdout;
    // The list shows the newest certificate, by the second.
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(redeem(&line, 4).is_ok());
    let text = office.run(&["list"]).stdout;
    assert!(text.contains("Members: 1\n  client alice  valid"), "{text}");

    let crl = office.root.path().join("crl.der");
    assert_eq!(office.run(&["crl", "--out", crl.to_str().unwrap()]).code, 0);
    assert!(fs::metadata(&crl).unwrap().len() > 100);
    let (code, log) = served.terminate();
    assert_eq!(code, Some(0), "{log}");
    // The one thing to tell an operator, without colours in a pipe.
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(
        log.contains("an invitation was presented again") && !log.contains('\u{1b}'),
        "{log}"
    );
}

#[test]
fn everyone_who_enrols_gets_the_pinned_ledger_key() {
    let office = Office::new(&[]);
    let file = office.root.path().join("ledger.vkey");
    fs::write(&file, "nonsense").unwrap();
    assert_eq!(office.run(&["pin-ledger", file.to_str().unwrap()]).code, 2);
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
    let vkey =
        tacita_ledger::VerifierKey::new("tacita.test/ledger", tacita_ledger::KeyType::Ed25519, key).unwrap();
    fs::write(&file, format!("{vkey}\n")).unwrap();
    assert_eq!(office.run(&["pin-ledger", file.to_str().unwrap()]).code, 0);
    let served = office.serve();
    let line = office.run(&["invite", "alice", "--role", "client"]).stdout;
    assert_eq!(redeem(&line, 1).unwrap().ledger_key, Some(vkey.to_string()));
    drop(served);
}

#[test]
fn wrong_usage_and_missing_directories() {
    let office = Office::new(&[]);
    for args in [
        &["invite"][..],
        &["invite", "alice"],
        &["invite", "alice", "--role", "admin"],
        &["invite", "Alice", "--role", "client"],
        &["invite", "../alice", "--role", "client"],
        &["revoke", ""],
        &["serve", "--listen", "nowhere"],
        &["init", "--address", "no-port"],
        &["enrol"],
    ] {
        assert_eq!(office.run(args).code, 2, "{args:?}");
    }
    let elsewhere = Office {
        root: tempfile::tempdir().unwrap(),
    };
    assert_eq!(elsewhere.run(&["init", "--certificate-life", "1"]).code, 2);
    for args in [
        &["list"][..],
        &["serve"],
        &["invite", "alice", "--role", "client"],
        &["revoke", "alice"],
    ] {
        let ran = elsewhere.run(args);
        assert_eq!(ran.code, 1, "{args:?}");
        assert!(ran.error().contains("tacita authority init"), "{}", ran.stderr);
    }
    // Nobody serves and no address is set: nothing could redeem an invitation.
    let ran = office.run(&["invite", "alice", "--role", "client"]);
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("address"), "{}", ran.stderr);
    assert_eq!(office.run(&["revoke", "nobody"]).code, 1);
    let taken = office.root.path().join("taken");
    fs::write(&taken, "x").unwrap();
    assert_eq!(
        office
            .run(&[
                "invite",
                "alice",
                "--role",
                "client",
                "--out",
                taken.to_str().unwrap()
            ])
            .code,
        3
    );
    assert_eq!(fs::read(&taken).unwrap(), b"x");
}
