//! The directory: what `init` leaves, and what `open` refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod running;

use std::fs;

use running::{Office, name};
use tacita_authority::{AuthorityDir, AuthorityError, Settings};
use tacita_identity::{Invitation, Role, TrustAnchor, pem};

fn with_address() -> Settings {
    Settings {
        address: Some("authority.example:4430".to_owned()),
        ..Settings::default()
    }
}

#[test]
fn init_leaves_an_authority_that_opens_again() {
    let office = Office::new(with_address());
    let opened = AuthorityDir::open(&office.path()).unwrap();
    assert_eq!(opened.fingerprint(), office.desk.fingerprint());
    assert_eq!(opened.settings(), office.desk.settings());
    assert_eq!(opened.deny_list().unwrap().content().number, 0);
    let root = pem::decode(
        "CERTIFICATE",
        &fs::read_to_string(office.path().join("root.pem")).unwrap(),
    )
    .unwrap();
    assert_eq!(
        TrustAnchor::from_der(&root).unwrap().fingerprint(),
        opened.fingerprint()
    );
    let again = AuthorityDir::init(&office.path(), &name("test"), Settings::default());
    assert!(matches!(again, Err(AuthorityError::Exists { .. })));
    assert_eq!(
        AuthorityDir::open(&office.path()).unwrap().fingerprint(),
        opened.fingerprint()
    );
}

#[cfg(unix)]
#[test]
fn keys_are_private_and_exposed_ones_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let office = Office::new(with_address());
    let mode = |file: &str| {
        fs::metadata(office.path().join(file))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("root.key"), mode("authority.db"), mode("")),
        (0o600, 0o600, 0o700)
    );
    let key = office.path().join("root.key");
    for exposed in [0o640, 0o604, 0o644, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(exposed)).unwrap();
        let refused = AuthorityDir::open(&office.path());
        assert!(matches!(refused, Err(AuthorityError::KeyExposed { mode, .. }) if mode == exposed));
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let moved = office.path().join("elsewhere");
    fs::rename(&key, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &key).unwrap();
    assert!(matches!(
        AuthorityDir::open(&office.path()),
        Err(AuthorityError::NotAFile { .. })
    ));
}

#[test]
fn a_missing_or_foreign_part_is_named() {
    for part in ["root.key", "root.pem", "authority.toml", "authority.db"] {
        let office = Office::new(with_address());
        let path = office.path();
        let Office { root: _root, desk } = office;
        drop(desk);
        fs::remove_file(path.join(part)).unwrap();
        let refused = AuthorityDir::open(&path).unwrap_err();
        assert!(
            matches!(&refused, AuthorityError::Missing { path } if path.ends_with(part)),
            "{part}: {refused}"
        );
    }
    let (ours, theirs) = (Office::new(with_address()), Office::new(with_address()));
    fs::copy(theirs.path().join("root.pem"), ours.path().join("root.pem")).unwrap();
    let refused = AuthorityDir::open(&ours.path()).unwrap_err();
    assert!(
        matches!(
            refused,
            AuthorityError::Issue(tacita_identity::IssueError::KeyMismatch)
        ),
        "{refused}"
    );
}

#[test]
fn settings_are_checked() {
    let office = Office::new(with_address());
    let path = office.path().join("authority.toml");
    for bad in [
        "certificate_life_seconds = 10\n",
        "lifetime = 3600\n",
        "certificate_life_seconds = \"day\"\n",
    ] {
        fs::write(&path, bad).unwrap();
        assert!(AuthorityDir::open(&office.path()).is_err(), "{bad}");
    }
    fs::write(&path, "certificate_life_seconds = 3600\n").unwrap();
    let opened = AuthorityDir::open(&office.path()).unwrap();
    assert!(matches!(
        opened.invite(&name("a"), Role::Client),
        Err(AuthorityError::NoAddress)
    ));
}

#[test]
fn invitations_are_made_listed_and_not_stored() {
    let office = Office::new(with_address());
    let line = office.desk.invite(&name("alice"), Role::Client).unwrap();
    let invitation = Invitation::parse(&line).unwrap();
    assert_eq!(invitation.address, "authority.example:4430");
    assert_eq!(&invitation.root_fingerprint, office.desk.fingerprint());
    let list = office.desk.list().unwrap();
    assert_eq!(list.invitations.len(), 1);
    assert_eq!(
        (list.invitations[0].role, list.invitations[0].name.as_str()),
        (Role::Client, "alice")
    );
    // Neither the line nor its secret is in any file.
    let text = line.as_bytes();
    for file in fs::read_dir(office.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(40)
                .any(|window| text.windows(40).any(|part| part == window))
        );
    }
}

#[test]
fn names_are_revoked_by_role_and_unknown_ones_are_refused() {
    let office = Office::new(with_address());
    let nobody = office.desk.revoke(&name("nobody"), None);
    assert!(matches!(nobody, Err(AuthorityError::UnknownName { .. })));
    office.desk.invite(&name("both"), Role::Client).unwrap();
    office.desk.invite(&name("both"), Role::Server).unwrap();
    assert!(office.desk.revoke(&name("nobody"), None).is_err());
    let list = office.desk.revoke(&name("both"), Some(Role::Client)).unwrap();
    assert_eq!(list.content().names.len(), 1);
    assert!(office.desk.invite(&name("both"), Role::Client).is_err());
    assert!(office.desk.invite(&name("both"), Role::Server).is_ok());
    let again = office.desk.revoke(&name("both"), None).unwrap();
    assert_eq!(again.content().names.len(), 2);
    assert!(again.content().number > list.content().number);
    // Nothing new: the number stays. The invitations are gone, so the name is unknown by now.
    assert!(matches!(
        office.desk.revoke(&name("both"), None),
        Err(AuthorityError::UnknownName { .. })
    ));
    assert_eq!(office.desk.deny_list().unwrap(), again);
}

/// Many processes that revoke at once lose nothing, and every number names one list.
#[test]
fn concurrent_revocations_are_all_kept() {
    let office = Office::new(with_address());
    let names: Vec<_> = (0..24).map(|i| name(&format!("member-{i}"))).collect();
    for name in &names {
        office.desk.invite(name, Role::Client).unwrap();
    }
    let desks: Vec<_> = (0..4)
        .map(|_| AuthorityDir::open(&office.path()).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for (i, name) in names.iter().enumerate() {
            let desk = &desks[i % 4];
            scope.spawn(move || desk.revoke(name, Some(Role::Client)).unwrap());
        }
    });
    let list = office.desk.deny_list().unwrap();
    assert_eq!(list.content().names.len(), 24);
}

/// A register restored from a backup goes on above what members may have seen from the one that was lost.
#[test]
fn a_restored_register_does_not_repeat_a_number() {
    let office = Office::new(with_address());
    office.desk.invite(&name("alice"), Role::Client).unwrap();
    office.desk.invite(&name("bob"), Role::Client).unwrap();
    let Office { root, desk } = office;
    drop(desk);
    let path = root.path().join("authority");
    let backup = fs::read(path.join("authority.db")).unwrap();
    let desk = AuthorityDir::open(&path).unwrap();
    let lost = desk.revoke(&name("alice"), None).unwrap();
    drop(desk);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(path.join(format!("authority.db{suffix}")));
    }
    fs::write(path.join("authority.db"), backup).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let desk = AuthorityDir::open(&path).unwrap();
    assert_eq!(desk.deny_list().unwrap().content().number, 0);
    let again = desk.revoke(&name("bob"), None).unwrap();
    assert!(lost.succeeded_by(again).is_ok());
}

#[test]
fn the_list_for_outsiders_is_signed_and_current() {
    let office = Office::new(with_address());
    let list = office.desk.revocation_list().unwrap();
    assert!(list.starts_with(&[0x30]));
}
