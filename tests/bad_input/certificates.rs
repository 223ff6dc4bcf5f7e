//! Certificates that are not good enough.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use tacita_identity::{Authority, CertificateRequest, Life, Name, PrivateKey, Role, pem};

use super::{complaint, files_below, says};
use crate::federation::{Federation, Plan, edit, name, redeem, succeeded, text};
use crate::running::{Ran, tacita};

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn join(federation: &Federation, index: u16) -> Ran {
    tacita([
        "client",
        "join",
        "--config",
        text(&federation.client_config(index)),
    ])
}

fn run(federation: &Federation) -> Ran {
    tacita(["server", "run", "--config", text(&federation.server_config())])
}

/// Replaces the certificate in a state directory by one for the same key, issued by the federation's own authority.
fn reissue(federation: &Federation, state: &Path, role: Role, name: &str, time: u64) {
    let dir = federation.path().join("authority");
    let root = pem::decode("CERTIFICATE", &fs::read_to_string(dir.join("root.pem")).unwrap()).unwrap();
    let key = PrivateKey::from_pkcs8_pem(&fs::read_to_string(dir.join("root.key")).unwrap()).unwrap();
    let authority = Authority::open(&root, key).unwrap();
    let own = PrivateKey::from_pkcs8_pem(&fs::read_to_string(state.join("key.pem")).unwrap()).unwrap();
    let request = CertificateRequest::check(&CertificateRequest::create(&own).unwrap()).unwrap();
    let issued = authority
        .issue(
            &request,
            role,
            &Name::new(name).unwrap(),
            Life::from_seconds(300).unwrap(),
            time,
            &mut ChaCha20Rng::seed_from_u64(time),
        )
        .unwrap();
    let path = state.join("enrolment.json");
    let mut enrolment: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    enrolment["certificate"] = hex::encode(&issued.der).into();
    fs::write(&path, enrolment.to_string()).unwrap();
}

#[test]
fn expired_not_yet_valid_or_of_another_role() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let client = federation.client_dir(0).join("state");
    reissue(&federation, &client, Role::Client, "client-0000", now() - 1000);
    says(1, &join(&federation, 0), &["expired", "clock"]);
    reissue(&federation, &client, Role::Client, "client-0000", now() + 100_000);
    says(1, &join(&federation, 0), &["clock"]);
    reissue(&federation, &client, Role::Server, "aggregator", now());
    says(1, &join(&federation, 0), &["role"]);
    // A participant cannot pose as the server.
    let server = federation.server_state();
    reissue(&federation, &server, Role::Client, "client-0001", now());
    says(1, &run(&federation), &["role"]);
    reissue(&federation, &server, Role::Server, "aggregator", now() - 1000);
    says(1, &run(&federation), &["expired"]);
    let check = tacita(["server", "check", "--config", text(&federation.server_config())]);
    says(1, &check, &["expired"]);
    assert!(federation.entries().is_empty());
    // A fresh one mends it, with the same key.
    let key = fs::read(client.join("key.pem")).unwrap();
    reissue(&federation, &client, Role::Client, "client-0000", now());
    reissue(&federation, &server, Role::Server, "aggregator", now());
    federation.run_to_the_end();
    assert_eq!(fs::read(client.join("key.pem")).unwrap(), key);
}

#[test]
fn members_of_another_authority_are_kept_out_by_both_sides() {
    let ours = Federation::new(Plan {
        rounds: 5,
        ..Plan::new(3, 3, 0)
    });
    let mut server = ours.start_server();
    let theirs = Federation::new(Plan::new(3, 3, 0));
    theirs.write_client(0, ours.port);
    let state = theirs.client_dir(0).join("state");
    let before = files_below(&state);
    says(1, &join(&theirs, 0), &["another authority"]);
    assert_eq!(files_below(&state), before);
    // It claims our root as its own: then its own certificate is foreign to it.
    let enrolment = |federation: &Federation| -> Value {
        let path = federation.client_dir(0).join("state/enrolment.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let mut forged = enrolment(&theirs);
    for key in ["root", "deny_list"] {
        forged[key] = enrolment(&ours)[key].clone();
    }
    fs::write(state.join("enrolment.json"), forged.to_string()).unwrap();
    says(1, &join(&theirs, 0), &["another authority"]);
    // Nobody noticed.
    ours.finish(&mut server, &mut ours.start_clients());
}

#[test]
fn another_server_than_the_one_asked_for() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let _server = federation.start_server();
    edit(
        &federation.client_config(0),
        "server_name = \"aggregator\"",
        "server_name = \"elsewhere\"",
    );
    says(1, &join(&federation, 0), &["aggregator", "not elsewhere"]);
    edit(
        &federation.client_config(0),
        "server_name = \"elsewhere\"",
        "server_name = \"Else Where\"",
    );
    says(2, &join(&federation, 0), &["server_name"]);
}

#[test]
fn a_revoked_member_is_not_let_in() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let dir = federation.path().join("authority");
    succeeded(&tacita(["authority", "revoke", &name(1), "--dir", text(&dir)]));
    let _server = federation.start_server();
    let said = join(&federation, 1);
    says(1, &said, &["revoked", "operator"]);
    // Nor invited, nor served without an invitation.
    let again = tacita([
        "authority",
        "invite",
        &name(1),
        "--role",
        "client",
        "--dir",
        text(&dir),
    ]);
    says(3, &again, &["revoked"]);
}

#[test]
fn damaged_state_is_named_and_left_alone() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let state = federation.client_dir(0).join("state");
    for (file, words) in [
        (
            "enrolment.json",
            &["enrolment.json", "damaged", "enrol again"][..],
        ),
        ("key.pem", &["key"]),
    ] {
        let path = state.join(file);
        let good = fs::read(&path).unwrap();
        fs::write(&path, &good[..good.len() / 2]).unwrap();
        let before = files_below(&state);
        says(1, &join(&federation, 0), words);
        assert_eq!(files_below(&state), before);
        fs::write(&path, good).unwrap();
    }
    // The key of somebody else.
    fs::copy(
        federation.client_dir(1).join("state/key.pem"),
        state.join("key.pem"),
    )
    .unwrap();
    complaint(1, &join(&federation, 0));
    // A database that is none.
    let server = federation.server_state().join("server.sqlite");
    fs::write(&server, "nothing of the kind, and longer than a header of one hundred bytes would be, which is read first of all")
        .unwrap();
    #[cfg(unix)]
    fs::set_permissions(&server, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let before = fs::read(&server).unwrap();
    says(1, &run(&federation), &["server.sqlite", "left untouched"]);
    assert_eq!(fs::read(&server).unwrap(), before);
}

#[test]
fn a_ledger_key_that_is_not_the_servers() {
    let federation = Federation::new(Plan {
        rounds: 1,
        wait: 5,
        attempts: 1,
        ..Plan::new(3, 3, 0)
    });
    let other = Federation::new(Plan::new(3, 3, 0));
    let pinned = federation.client_dir(2).join("other.vkey");
    fs::copy(other.path().join("server/ledger.vkey"), &pinned).unwrap();
    edit(
        &federation.client_config(2),
        "../server/ledger.vkey",
        "other.vkey",
    );
    let mut server = federation.start_server();
    let mut clients = federation.start_clients();
    assert_ne!(server.wait(), 0);
    assert!(
        !clients[2].stderr().contains("consented"),
        "{}",
        clients[2].stderr()
    );
    assert_eq!(federation.entries_of("charge").len(), 0);
    for client in &mut clients {
        client.kill();
    }
    assert_eq!(federation.status(2)["uploads"], 0);
    for (content, code) in [("nonsense", 2), ("", 2)] {
        fs::write(&pinned, content).unwrap();
        says(code, &join(&federation, 2), &["ledger key"]);
    }
    fs::remove_file(&pinned).unwrap();
    says(1, &join(&federation, 2), &["ledger_key", "other.vkey"]);
    succeeded(&redeem(
        "client",
        &federation.client_config(2),
        &federation.invite("client", &name(2)),
    ));
}
