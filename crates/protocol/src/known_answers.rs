//! The known answers of `protocol-spec/02-round.md` section 8, which were computed from the text by another program in
//! another language.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use tacita_algebra::{RingBits, RingVector, SecretScalar, TaggedHash};

use crate::bitmap::Bitmap;
use crate::kem::KeyAgreement;
use crate::keys::{AgreementKey, Binding, BoxEnd, End, MaskSecret, PairSecret, SelfSecret, box_key};
use crate::mask::{Mask, Sign, apply};
use crate::messages::{Advertise, ShareRoot};
use crate::roster::PublicKeys;
use crate::share_tree::CiphertextKind;
use crate::sharing::{Place, SecretKind, share_root_digest};
use crate::{Hash, labels, roster, sharers, signature, upload};

const M: Hash = [0x11; 32];
const R: Hash = [0x22; 32];
const G: Hash = [0x33; 32];
const F1: Hash = [0x44; 32];
const F2: Hash = [0x55; 32];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn scalar(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = value;
    bytes
}

fn mask_key(value: u8) -> AgreementKey {
    let secret = MaskSecret(SecretScalar::from_canonical_bytes(&scalar(value)).unwrap());
    secret.key(&M).unwrap()
}

/// The table as the page prints it.
fn page() -> BTreeMap<&'static str, &'static str> {
    include_str!("../../../protocol-spec/02-round.md")
        .split("\n## 8. ")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, _, value, _] = cells.as_slice() else {
                return None;
            };
            Some((*name, value.strip_prefix('`')?.strip_suffix('`')?))
        })
        .collect()
}

fn of_keys(out: &mut BTreeMap<&'static str, String>) {
    let (five, six) = (mask_key(5), mask_key(6));
    out.insert("mask key of scalar 5", hex(five.public()));
    out.insert("mask key of scalar 6", hex(six.public()));
    let signing = SigningKey::from_bytes(&[7; 32]);
    let kem = |value: u8| {
        let secret = MaskSecret(SecretScalar::from_canonical_bytes(&scalar(value)).unwrap());
        secret.kem_key(&M, KeyAgreement::Hybrid)
    };
    let (kem_five, kem_six) = (kem(5), kem(6));
    let sha = |bytes: &[u8]| hex(&<[u8; 32]>::from(Sha256::digest(bytes)));
    out.insert("SHA-256 of the mask KEM key of scalar 5", sha(kem_five.public()));
    out.insert("SHA-256 of the mask KEM key of scalar 6", sha(kem_six.public()));
    let keys = PublicKeys {
        mask: (five.public(), kem_five.public()),
        share: (six.public(), kem_six.public()),
    };
    let advertise = Advertise::sign(&signing, &M, &F1, keys, [0x66; 32]);
    out.insert(
        "advertisement digest",
        hex(&roster::advertisement_digest(&M, &F1, &advertise)),
    );
    out.insert("advertisement signature", hex(&advertise.signature));
    let own = SelfSecret(SecretScalar::from_canonical_bytes(&scalar(5)).unwrap());
    out.insert("self-mask key", hex(own.stream_key(&M, &R).as_ref()));
    out.insert("self commitment", hex(&own.commitment(&M, &R, 2)));

    let shared = five.agree(six.public()).unwrap();
    let secret = MaskSecret(SecretScalar::from_canonical_bytes(&scalar(5)).unwrap());
    let (ciphertext, kem) = secret.encapsulate(&M, &R, &F2, kem_six.public()).unwrap();
    out.insert("SHA-256 of the mask ciphertext", sha(&ciphertext));
    let secret = PairSecret {
        shared: &shared,
        kem: &kem,
        ciphertext: &ciphertext,
    };
    out.insert("derivation input of the pair", hex(&kem.behind(&shared)));
    let place = Place {
        manifest: &M,
        roster: &R,
        dealer: 2,
        holder: 7,
    };
    out.insert(
        "mask-ciphertext leaf",
        hex(&place.ciphertext_leaf(CiphertextKind::Mask, &ciphertext)),
    );
    out.insert(
        "share-ciphertext leaf",
        hex(&place.ciphertext_leaf(CiphertextKind::Share, &[])),
    );
    let ends = (
        BoxEnd {
            fingerprint: &F1,
            share_key: five.public(),
        },
        BoxEnd {
            fingerprint: &F2,
            share_key: six.public(),
        },
    );
    let key = box_key(&secret, &M, &R, ends, kem_six.public());
    out.insert("box key", hex(key.as_ref()));
    let plain = [scalar(9), scalar(10), [0xaa; 32]].concat();
    let payload = Payload { msg: &plain, aad: &M };
    let sealed = Aes256Gcm::new((&*key).into())
        .encrypt(&Nonce::default(), payload)
        .unwrap();
    assert_eq!(crate::sharing::seal(&key, &M, &plain).unwrap(), sealed);
    out.insert("box", hex(&sealed));

    let end = |index, key, kem: &'static [u8], fingerprint| End {
        index,
        mask_key: key,
        mask_kem_key: kem,
        fingerprint,
    };
    let binding = Binding {
        manifest: &M,
        model: &G,
        roster: &R,
    };
    let kem_keys = (
        kem_five.public().to_vec().leak(),
        kem_six.public().to_vec().leak(),
    );
    let pair = binding.pair_key(
        &secret,
        end(2, five.public(), kem_keys.0, &F1),
        end(7, six.public(), kem_keys.1, &F2),
    );
    out.insert("pair key", hex(pair.as_ref()));
    let mut vector = RingVector::zeros(RingBits::new(32).unwrap(), 4);
    apply(&mut vector, 0, &[Mask::new(&pair, Sign::Plus)]).unwrap();
    out.insert("pair keystream", hex(&vector.pack(0..4)));
}

fn of_digests(out: &mut BTreeMap<&'static str, String>) {
    let rotation = TaggedHash::new(labels::ROTATION).bytes(&M).finish();
    out.insert("rotation seed", hex(&rotation));
    let identities = [[1; 32], [2; 32], [3; 32]];
    out.insert(
        "roster root",
        hex(&roster::roster_root(
            identities.iter().map(|id| &id[..]),
            &[0x77; 32],
        )),
    );
    let place = Place {
        manifest: &M,
        roster: &R,
        dealer: 2,
        holder: 7,
    };
    out.insert(
        "self-share leaf",
        hex(&place.leaf(SecretKind::SelfMask, &scalar(9))),
    );
    out.insert("mask-share leaf", hex(&place.leaf(SecretKind::Mask, &scalar(9))));
    let root = ShareRoot {
        root: [0x88; 32],
        self_commitment: [0x99; 32],
        signature: [0; 64],
    };
    out.insert("share-root digest", hex(&share_root_digest(&M, &R, 2, &root)));
    let bitmap = Bitmap::decode(9, &[0xfb, 0x01]).unwrap();
    out.insert("sharers digest", hex(&sharers::digest(&bitmap, &[0xbb; 32])));
    let packed = upload::upload_digest(
        &M,
        &R,
        &[0xcc; 32],
        2,
        &[3, 7],
        &[],
        &upload::packed_hash([b"pack".as_slice(), b"ed"].into_iter()),
    );
    out.insert("upload digest", hex(&packed));

    let statement = tacita_ledger::entry::statement_digest(&M, &R, &[0xcc; 32], 9, bitmap.bytes());
    out.insert("statement", hex(&statement));
    // The ledger computes it without the algebra room: it is the same encoding.
    let tagged = TaggedHash::new(tacita_ledger::entry::STATEMENT_LABEL)
        .bytes(&M)
        .bytes(&R)
        .bytes(&[0xcc; 32])
        .u64(9)
        .bytes(bitmap.bytes())
        .finish();
    assert_eq!(statement, tagged);
    let signing = SigningKey::from_bytes(&[7; 32]);
    let signed = signature::sign(&signing, labels::STATEMENT_SIGNATURE, &statement);
    out.insert("statement signature", hex(&signed));
}

#[test]
fn the_code_gives_the_answers_of_the_page() {
    let mut code = BTreeMap::new();
    of_keys(&mut code);
    of_digests(&mut code);
    let code: BTreeMap<&str, &str> = code.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(code, page());
}
