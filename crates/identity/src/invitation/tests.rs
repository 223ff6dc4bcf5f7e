use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;

const NOW: u64 = 1_800_000_000;

fn invitation() -> Invitation {
    let name = Name::new("alice").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    Invitation::create(
        "authority.example:4430",
        &[5; 32],
        Role::Client,
        &name,
        NOW,
        &mut rng,
    )
    .unwrap()
    .0
}

#[test]
fn the_line_round_trips() {
    let made = invitation();
    let text = made.to_text().unwrap();
    assert!(text.starts_with(INVITATION_PREFIX) && text.len() < 300);
    for line in [text.to_string(), format!("  {}\r\n", *text)] {
        let read = Invitation::parse(&line).unwrap();
        assert_eq!(read.address, "authority.example:4430");
        assert_eq!(
            (read.role, read.name.as_str(), read.root_fingerprint),
            (Role::Client, "alice", [5; 32])
        );
        assert_eq!(read.secret.as_bytes(), made.secret.as_bytes());
    }
}

#[test]
fn secrets_are_random_and_unprinted() {
    let name = Name::new("alice").unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut make = || {
        Invitation::create("a:1", &[5; 32], Role::Client, &name, NOW, &mut rng)
            .unwrap()
            .0
    };
    let (first, second) = (make(), make());
    assert_ne!(first.secret.as_bytes(), second.secret.as_bytes());
    assert_ne!(first.secret.id(), second.secret.id());
    let shown = format!("{first:?}");
    assert!(shown.contains("InvitationSecret(..)"));
    assert!(!shown.contains(&hex::encode(first.secret.as_bytes())));
}

#[test]
fn any_lost_or_changed_character_is_noticed() {
    let text = invitation().to_text().unwrap();
    for at in INVITATION_PREFIX.len()..text.len() {
        let mut lost = text.to_string();
        lost.remove(at);
        assert!(Invitation::parse(&lost).is_err(), "lost {at}");
        let mut changed = text.to_string().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(
            Invitation::parse(&changed).unwrap_err(),
            InvitationError::Damaged,
            "changed {at}"
        );
    }
    let other = text.replace(":v1:", ":v2:");
    assert_eq!(Invitation::parse(&other).unwrap_err(), InvitationError::Prefix);
    assert_eq!(Invitation::parse("").unwrap_err(), InvitationError::Prefix);
    assert_eq!(
        Invitation::parse(&"x".repeat(2_000)).unwrap_err(),
        InvitationError::TooLong
    );
    assert_eq!(
        Invitation::parse(INVITATION_PREFIX).unwrap_err(),
        InvitationError::Damaged
    );
}

/// Whoever makes a line can make its checksum too, so the inside is checked as well.
#[test]
fn the_inside_is_checked_behind_a_good_checksum() {
    let good = invitation().to_text().unwrap();
    let whole = URL_SAFE_NO_PAD.decode(&good[INVITATION_PREFIX.len()..]).unwrap();
    let body = &whole[..whole.len() - CHECKSUM_BYTES];
    let line = |body: &[u8]| {
        let sum = checksum(body);
        format!(
            "{INVITATION_PREFIX}{}",
            URL_SAFE_NO_PAD.encode([body, &sum[..]].concat())
        )
    };
    assert!(Invitation::parse(&line(body)).is_ok());
    let malformed = |body: &[u8]| Invitation::parse(&line(body)).unwrap_err();
    assert_eq!(
        malformed(&[body, &[0]].concat()),
        InvitationError::Malformed(DecodeError::TrailingBytes)
    );
    assert_eq!(
        malformed(&body[..body.len() - 1]),
        InvitationError::Malformed(DecodeError::Truncated)
    );
    let mut role = body.to_vec();
    role[0] = 3;
    assert_eq!(malformed(&role), InvitationError::Malformed(DecodeError::Kind));
    let mut name = body.to_vec();
    name[3] = b'A';
    assert_eq!(malformed(&name), InvitationError::Malformed(DecodeError::Field));
    let mut length = body.to_vec();
    length[1] = 0xff;
    assert_eq!(
        malformed(&length),
        InvitationError::Malformed(DecodeError::TooLong)
    );
    let mut address = body.to_vec();
    address[10] = b' ';
    assert_eq!(malformed(&address), InvitationError::Address);
}

#[test]
fn addresses_are_host_and_port() {
    let longest = format!("{}:65535", "h".repeat(255));
    for good in [
        "localhost:1",
        "10.0.0.1:4430",
        "[::1]:4430",
        "[2001:db8::7]:65535",
        "a-b.example:443",
        &longest,
    ] {
        assert_eq!(check_address(good), Ok(()), "{good}");
    }
    let too_long = format!("{}:1", "h".repeat(256));
    for bad in [
        "",
        ":",
        "host",
        "host:",
        ":1",
        "host:0",
        "host:65536",
        "host:+1",
        "host: 1",
        "ho st:1",
        "host:1/",
        "[::1:1",
        "::1:1",
        "[]:1",
        "[localhost]:1",
        "host\n:1",
        "user@host:1",
        &too_long,
    ] {
        assert_eq!(check_address(bad), Err(InvitationError::Address), "{bad:?}");
    }
}
