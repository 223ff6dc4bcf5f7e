use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::authority::Authority;

const NOW: u64 = 1_800_000_000;

fn authority(seed: u64) -> Authority {
    let name = Name::new("test").unwrap();
    Authority::create(&name, NOW, &mut ChaCha20Rng::seed_from_u64(seed)).unwrap()
}

fn content(number: u64) -> DenyListContent {
    let mut content = DenyListContent {
        number,
        issued_at: NOW,
        ..DenyListContent::default()
    };
    content.names.insert((Role::Client, Name::new("alice").unwrap()));
    content.names.insert((Role::Server, Name::new("hub").unwrap()));
    content.certificates.insert([3; 32]);
    content
}

#[test]
fn round_trips_through_the_signed_form() {
    let authority = authority(1);
    for content in [DenyListContent::default(), content(7)] {
        let list = authority.sign_deny_list(content.clone()).unwrap();
        let read = DenyList::verify(list.as_bytes(), authority.anchor()).unwrap();
        assert_eq!(read.content(), &content);
        assert_eq!(read, list);
    }
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    let authority = authority(1);
    let list = authority.sign_deny_list(content(7)).unwrap();
    let bytes = list.as_bytes();
    for cut in 0..bytes.len() {
        assert!(
            DenyList::verify(&bytes[..cut], authority.anchor()).is_err(),
            "cut at {cut}"
        );
    }
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(DenyList::verify(&bad, authority.anchor()).is_err(), "bit {bit}");
    }
}

#[test]
fn another_authority_cannot_sign_for_ours() {
    let (ours, theirs) = (authority(1), authority(2));
    let list = theirs.sign_deny_list(content(7)).unwrap();
    assert_eq!(
        DenyList::verify(list.as_bytes(), ours.anchor()),
        Err(DenyError::ForeignAuthority)
    );
    let forged = DenyList::sign(content(7), ours.anchor().fingerprint(), |message| {
        ed25519_dalek::Signer::sign(theirs.private_key().signing_key(), message)
    })
    .unwrap();
    assert_eq!(
        DenyList::verify(forged.as_bytes(), ours.anchor()),
        Err(DenyError::Signature)
    );
}

/// Signed by the right key, but in an encoding that is not the one for its content.
#[test]
fn entries_must_ascend() {
    let authority = authority(1);
    let list = authority.sign_deny_list(content(7)).unwrap();
    let mut body = list.as_bytes()[..list.as_bytes().len() - 64].to_vec();
    let count_at = body.len() - 32 - 2;
    body[count_at + 1] = 2;
    body.extend_from_slice(&[3; 32]);
    let signature = ed25519_dalek::Signer::sign(authority.private_key().signing_key(), &body);
    body.extend_from_slice(&signature.to_bytes());
    let refused = DenyList::verify(&body, authority.anchor());
    assert_eq!(refused, Err(DenyError::Decode(DecodeError::Field)));
}

#[test]
fn bounds_hold_when_signing_and_the_fullest_list_fits() {
    let authority = authority(1);
    let mut full = DenyListContent::default();
    for i in 0..MAX_DENIED_NAMES {
        full.names
            .insert((Role::Client, Name::new(&format!("{i:063}")).unwrap()));
        full.certificates.insert(crate::hash::sha256(&i.to_be_bytes()));
    }
    let list = authority.sign_deny_list(full.clone()).unwrap();
    assert_eq!(list.as_bytes().len(), MAX_DENY_LIST_BYTES);
    assert!(DenyList::verify(list.as_bytes(), authority.anchor()).is_ok());
    full.names.insert((Role::Server, Name::new("one-more").unwrap()));
    assert_eq!(
        authority.sign_deny_list(full),
        Err(DenyError::Decode(DecodeError::TooLong))
    );
}

#[test]
fn an_older_list_or_a_second_history_is_refused() {
    let authority = authority(1);
    let sign = |content| authority.sign_deny_list(content).unwrap();
    let known = sign(content(7));
    let refused = known.succeeded_by(sign(content(6))).unwrap_err();
    assert_eq!(refused, DenyError::Rollback { known: 7, offered: 6 });
    let other = DenyListContent {
        number: 7,
        issued_at: NOW,
        ..DenyListContent::default()
    };
    assert_eq!(
        known.succeeded_by(sign(other)).unwrap_err(),
        DenyError::Fork { number: 7 }
    );
    let fresher = sign(DenyListContent {
        issued_at: NOW + 60,
        ..content(7)
    });
    let kept = known.succeeded_by(fresher).unwrap();
    assert_eq!(kept.age(NOW + 90), 30);
    assert_eq!(
        kept.succeeded_by(known).unwrap().age(NOW + 90),
        30,
        "a staler copy does not replace a fresher one"
    );
    assert_eq!(kept.succeeded_by(sign(content(8))).unwrap().content().number, 8);
}
