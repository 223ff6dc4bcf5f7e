//! What the authority signs, judged by OpenSSL: chains, usages and the revocation list mean to others what they mean to
//! us. Where no `openssl` is installed there is nobody to ask, and the test says so.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod running;

use std::fs;
use std::path::Path;
use std::process::Command;

use running::{Office, endpoint, key, name};
use tacita_authority::Settings;
use tacita_identity::{Role, pem};
use tacita_transport::enrol;

fn openssl(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let out = Command::new("openssl")
        .current_dir(dir)
        .args(arguments)
        .output()
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_agrees_on_chains_usages_and_revocation() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("no openssl here: not asked");
        return;
    }
    let office = Office::new(Settings::default());
    let served = office.serve();
    let dialer = endpoint();
    let dir = office.path();
    for (file, who, role, seed) in [
        ("alice.pem", "alice", Role::Client, 1),
        ("bob.pem", "bob", Role::Client, 2),
        ("hub.pem", "hub", Role::Server, 3),
    ] {
        let enrolled = enrol(&dialer, &office.invite(who, role), &key(seed))
            .await
            .unwrap();
        fs::write(dir.join(file), pem::encode("CERTIFICATE", &enrolled.certificate)).unwrap();
    }
    served.stop().await;
    let verify = |purpose: &str, file: &str| {
        openssl(
            &dir,
            &[
                "verify",
                "-x509_strict",
                "-CAfile",
                "root.pem",
                "-purpose",
                purpose,
                file,
            ],
        )
    };
    for (purpose, file, good) in [
        ("sslclient", "alice.pem", true),
        ("sslserver", "hub.pem", true),
        ("sslserver", "alice.pem", false),
        ("sslclient", "hub.pem", false),
    ] {
        let (passed, text) = verify(purpose, file);
        assert_eq!(passed, good, "{purpose} {file}: {text}");
    }
    office.desk.revoke(&name("bob"), None).unwrap();
    fs::write(
        dir.join("list.pem"),
        pem::encode("X509 CRL", &office.desk.revocation_list().unwrap()),
    )
    .unwrap();
    let check = |file: &str| {
        openssl(
            &dir,
            &[
                "verify",
                "-crl_check",
                "-CRLfile",
                "list.pem",
                "-CAfile",
                "root.pem",
                file,
            ],
        )
    };
    let (passed, text) = check("alice.pem");
    assert!(passed, "{text}");
    let (passed, text) = check("bob.pem");
    assert!(!passed && text.contains("certificate revoked"), "{text}");
    let (_, text) = openssl(&dir, &["x509", "-in", "alice.pem", "-noout", "-text"]);
    assert!(
        text.contains("URI:tacita:client:alice") && text.contains("ED25519"),
        "{text}"
    );
}
