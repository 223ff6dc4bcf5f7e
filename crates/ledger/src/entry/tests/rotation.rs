//! The fifth kind of entry.

use super::*;
use crate::note::{KeyType, VerifierKey};

/// The fifth entry of a log: the key of 42s hands it to the key of 43s.
pub(super) fn rotation() -> Rotation {
    let first = [
        Entry::Manifest(manifest(1)),
        Entry::Charge(charge(1)),
        Entry::Outcome(outcome(1)),
        Entry::Release(release(2)),
    ];
    let leaves: Vec<_> = first
        .iter()
        .map(|entry| crate::tree::leaf_hash(&entry.encode().unwrap()))
        .collect();
    let key = |byte| ed25519_dalek::SigningKey::from_bytes(&[byte; 32]);
    let origin = "tacita.example/ledger";
    let next = VerifierKey::new(origin, KeyType::Ed25519, key(43).verifying_key()).unwrap();
    let root = crate::tree::root(&leaves);
    crate::rotation::sign(origin, 4, &root, 1_700_000_100, &key(42), &next).unwrap()
}

#[test]
fn rotation_fields_out_of_range() {
    type Change = fn(&mut Rotation);
    let cases: [(&str, &[Change]); 4] = [
        ("time", &[|e| e.time = u64::MAX]),
        (
            "key",
            &[
                |e| e.key.clear(),
                |e| e.key = format!("{} ", e.key),
                |e| e.key = e.key.replacen("tacita", "cavita", 1),
                |e| e.key = "a".repeat(400),
            ],
        ),
        (
            "next_key",
            &[
                |e| e.next_key = e.key.clone(),
                |e| e.next_key = "elsewhere".to_owned(),
                |e| {
                    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
                    e.next_key = VerifierKey::new("elsewhere", KeyType::Ed25519, key)
                        .unwrap()
                        .to_string();
                },
                |e| {
                    let key = ed25519_dalek::SigningKey::from_bytes(&[43; 32]).verifying_key();
                    let witness = VerifierKey::new("tacita.example/ledger", KeyType::CosignatureV1, key);
                    e.next_key = witness.unwrap().to_string();
                },
            ],
        ),
        (
            "signature",
            &[
                |e| e.signature.clear(),
                |e| e.signature = e.signature.to_uppercase(),
                |e| e.signature.push_str("00"),
            ],
        ),
    ];
    for (field, changes) in cases {
        for (index, change) in changes.iter().enumerate() {
            let mut entry = rotation();
            change(&mut entry);
            assert_eq!(refused(Entry::Rotation(entry)), field, "change {index}");
        }
    }
}
