//! Invitations that are wrong, used up, too old or for somebody else.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use tacita_identity::{Invitation, Name, Role};
use tacita_store::{Batch, Sharing, SqliteStore, Store};

use super::{files_below, says};
use crate::federation::{Federation, Plan, edit, name, redeem, succeeded, text};
use crate::running::tacita;

#[test]
fn what_is_no_invitation_or_not_for_this_machine() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let config = federation.client_config(0);
    let state = federation.client_dir(0).join("state");
    let before = files_below(&state);
    let good = federation.invite("client", &name(0));
    let good = good.trim();
    let mut typo = good.to_owned();
    let at = typo.len() - 20;
    let other = if &typo[at..=at] == "x" { "y" } else { "x" };
    typo.replace_range(at..=at, other);
    for bad in ["", "hello", &good[..good.len() - 4], &typo, &"a".repeat(10_000)] {
        says(
            2,
            &redeem("client", &config, bad),
            &["invitation on standard input"],
        );
    }
    says(
        2,
        &redeem("client", &config, &federation.invite("client", &name(1))),
        &["client-0001", "client-0000"],
    );
    says(
        2,
        &redeem("client", &config, &federation.invite("server", "aggregator")),
        &["as a server"],
    );
    says(
        2,
        &redeem("server", &federation.server_config(), good),
        &["as a client"],
    );
    assert_eq!(files_below(&state), before);
    // After all that it is still good, once.
    succeeded(&redeem("client", &config, good));
    let key = fs::read(state.join("key.pem")).unwrap();
    assert_eq!(
        before[text(&state.join("key.pem"))],
        key,
        "the same key, a new certificate"
    );
}

#[test]
fn an_invitation_used_by_another_key() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let config = federation.client_config(0);
    let line = federation.invite("client", &name(0));
    succeeded(&redeem("client", &config, &line));
    // Somebody else finds the line.
    let thief = federation.client_dir(7);
    fs::create_dir_all(&thief).unwrap();
    fs::copy(&config, thief.join("client.toml")).unwrap();
    let ran = redeem("client", &thief.join("client.toml"), &line);
    says(1, &ran, &["was used before", "operator"]);
    assert!(!thief.join("state/enrolment.json").exists());
    // The first owner may ask again, after a lost answer.
    succeeded(&redeem("client", &config, &line));
}

#[test]
fn expired_and_unknown_invitations() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let config = federation.client_config(0);
    let good = federation.invite("client", &name(0));
    let good = Invitation::parse(good.trim()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let make = |time: u64| {
        Invitation::create(
            &good.address,
            &good.root_fingerprint,
            Role::Client,
            &Name::new(&name(0)).unwrap(),
            time,
            &mut ChaCha20Rng::seed_from_u64(time),
        )
        .unwrap()
    };
    let (unknown, _) = make(now);
    says(
        1,
        &redeem("client", &config, &unknown.to_text().unwrap()),
        &["no such invitation"],
    );
    // One that was made eleven minutes ago, written where the authority keeps them.
    let (old, record) = make(now - 660);
    let register =
        SqliteStore::open(federation.path().join("authority/authority.db"), Sharing::Shared).unwrap();
    let mut batch = Batch::new();
    batch.put("invitation", record.id().0, record.to_bytes().unwrap());
    register.commit(batch).unwrap();
    drop(register);
    says(
        1,
        &redeem("client", &config, &old.to_text().unwrap()),
        &["expired", "new one"],
    );
    // Another authority's address with our fingerprint: the secret stays here.
    let other = Federation::new(Plan::new(3, 3, 0));
    let theirs = other.invite("client", &name(0));
    let theirs = Invitation::parse(theirs.trim()).unwrap();
    let (mixed, _) = Invitation::create(
        &theirs.address,
        &good.root_fingerprint,
        Role::Client,
        &Name::new(&name(0)).unwrap(),
        now,
        &mut ChaCha20Rng::seed_from_u64(1),
    )
    .unwrap();
    says(
        1,
        &redeem("client", &config, &mixed.to_text().unwrap()),
        &["not the one of the invitation"],
    );
}

#[test]
fn no_invitation_is_taken_from_the_command_line() {
    let federation = Federation::new(Plan::new(3, 3, 0));
    let line = federation.invite("client", &name(0));
    let config = federation.client_config(0);
    for args in [
        vec!["client", "enrol", "--config", text(&config), line.trim()],
        vec!["client", "enrol", line.trim(), "--config", text(&config)],
        vec![
            "client",
            "enrol",
            "--invitation",
            line.trim(),
            "--config",
            text(&config),
        ],
        vec!["server", "enrol", "--config", text(&config), line.trim()],
    ] {
        let ran = tacita(args);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: unexpected argument"),
            "{}",
            ran.stderr
        );
    }
    // The line was not redeemed on the way.
    succeeded(&redeem("client", &config, &line));
    // And the name in the file decides, not the one in the line.
    edit(&config, "name = \"client-0000\"", "name = \"somebody\"");
    says(2, &redeem("client", &config, &line), &["client-0000", "somebody"]);
}
