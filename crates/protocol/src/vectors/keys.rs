//! Keys, shares and boxes.

use serde_json::json;
use tacita_algebra::SecretScalar;
use tacita_ledger::tree;
use tls_codec::{Deserialize as _, Serialize as _};
use zeroize::Zeroizing;

use super::{Answer, Given, rule, run, word};
use crate::Hash;
use crate::kem::{self, KemPair, KemSecret, KeyAgreement};
use crate::keys::{Binding, BoxEnd, End, Key, MaskSecret, PairSecret, SelfSecret, box_key};
use crate::messages::{RevealedShare, ShareRoot};
use crate::refusal::Refusal;
use crate::share_tree::CiphertextKind;
use crate::sharing::{self, Place, SecretKind};

fn scalar(i: &Given<'_>) -> Result<SecretScalar, String> {
    SecretScalar::from_canonical_bytes(&i.hash("secret")).map_err(word("scalar"))
}

fn keys(op: &str, i: &Given<'_>) -> Answer {
    let manifest = i.hash("manifest");
    Ok(match op {
        "mask key" => {
            let key = MaskSecret(scalar(i)?).key(&manifest).unwrap();
            json!({ "key": hex::encode(key.public()) })
        }
        "self key" => {
            let key = SelfSecret(scalar(i)?).stream_key(&manifest, &i.hash("roster"));
            json!({ "key": hex::encode(*key) })
        }
        "self commitment" => {
            let secret = SelfSecret(scalar(i)?);
            let hash = secret.commitment(&manifest, &i.hash("roster"), i.short("dealer"));
            json!({ "hash": hex::encode(hash) })
        }
        "box key" => json!({ "key": hex::encode(a_box_key(i)) }),
        "pair key" => json!({ "key": hex::encode(a_pair_key(i)) }),
        _ => panic!("{op}"),
    })
}

/// What a pair shares: its Diffie-Hellman secret, and the secret of its ciphertext.
struct Shared {
    dh: Key,
    kem: KemSecret,
    ciphertext: Vec<u8>,
}

impl Shared {
    fn of(i: &Given<'_>) -> Self {
        Self {
            dh: Zeroizing::new(i.hash("dh")),
            kem: KemSecret::of(&i.bytes("secret")),
            ciphertext: i.bytes("ciphertext"),
        }
    }

    fn secret(&self) -> PairSecret<'_> {
        PairSecret {
            shared: &self.dh,
            kem: &self.kem,
            ciphertext: &self.ciphertext,
        }
    }
}

fn a_box_key(i: &Given<'_>) -> Hash {
    let (sender, receiver) = (i.of("sender"), i.of("receiver"));
    let (from, to) = (sender.hash("fingerprint"), receiver.hash("fingerprint"));
    let (from_key, to_key) = (sender.hash("share_key"), receiver.hash("share_key"));
    let end = |fingerprint, share_key| BoxEnd {
        fingerprint,
        share_key,
    };
    let ends = (end(&from, &from_key), end(&to, &to_key));
    let shared = Shared::of(i);
    let (manifest, roster) = (i.hash("manifest"), i.hash("roster"));
    *box_key(
        &shared.secret(),
        &manifest,
        &roster,
        ends,
        &receiver.bytes("share_kem_key"),
    )
}

fn a_pair_key(i: &Given<'_>) -> Hash {
    let (manifest, model, roster) = (i.hash("manifest"), i.hash("model"), i.hash("roster"));
    let binding = Binding {
        manifest: &manifest,
        model: &model,
        roster: &roster,
    };
    let (a, b) = (i.of("a"), i.of("b"));
    let (a_key, b_key) = (a.hash("mask_key"), b.hash("mask_key"));
    let (a_kem, b_kem) = (a.bytes("mask_kem_key"), b.bytes("mask_kem_key"));
    let (a_print, b_print) = (a.hash("fingerprint"), b.hash("fingerprint"));
    let shared = Shared::of(i);
    *binding.pair_key(
        &shared.secret(),
        End {
            index: a.short("index"),
            mask_key: &a_key,
            mask_kem_key: &a_kem,
            fingerprint: &a_print,
        },
        End {
            index: b.short("index"),
            mask_key: &b_key,
            mask_kem_key: &b_kem,
            fingerprint: &b_print,
        },
    )
}

fn kem(op: &str, i: &Given<'_>) -> Answer {
    // Keys are checked when they are advertised, by this check alone.
    let sound = |key: &[u8]| {
        if kem::is_valid(key, KeyAgreement::Hybrid) {
            Ok(())
        } else {
            Err(rule(Refusal::KemKey(0)))
        }
    };
    Ok(match op {
        "mask kem key" => {
            let pair = MaskSecret(scalar(i)?).kem_key(&i.hash("manifest"), KeyAgreement::Hybrid);
            json!({ "key": hex::encode(pair.public()) })
        }
        "mask encapsulation" => {
            let key = i.bytes("key");
            sound(&key)?;
            let (ciphertext, secret) = MaskSecret(scalar(i)?)
                .encapsulate(
                    &i.hash("manifest"),
                    &i.hash("roster"),
                    &i.hash("fingerprint"),
                    &key,
                )
                .unwrap();
            json!({ "secret": hex::encode(secret.bytes()), "ciphertext": hex::encode(ciphertext) })
        }
        "kem" => {
            let pair = KemPair::from_seed(&Zeroizing::new(i.bytes("seed").try_into().unwrap()));
            let randomness = Zeroizing::new(i.hash("randomness"));
            let (ciphertext, secret) = kem::encapsulate(pair.public(), &randomness).unwrap();
            let given = match i.0.get("ciphertext") {
                Some(_) => i.bytes("ciphertext"),
                None => ciphertext.clone(),
            };
            json!({
                "key": hex::encode(pair.public()),
                "secret": hex::encode(secret.bytes()),
                "ciphertext": hex::encode(ciphertext),
                "decapsulated": hex::encode(pair.decapsulate(&given).unwrap().bytes()),
            })
        }
        "kem key" => {
            sound(&i.bytes("key"))?;
            json!({})
        }
        _ => panic!("{op}"),
    })
}

fn shares(op: &str, i: &Given<'_>) -> Answer {
    let manifest = i.hash("manifest");
    if op == "seal" {
        let key = Zeroizing::new(i.hash("key"));
        let sealed = sharing::seal(&key, &manifest, &i.bytes("plain")).unwrap();
        return Ok(json!({ "ciphertext": hex::encode(sealed) }));
    }
    let roster = i.hash("roster");
    if op == "share root" {
        let root = ShareRoot {
            root: i.hash("root"),
            self_commitment: i.hash("self_commitment"),
            signature: [0; 64],
        };
        let digest = sharing::share_root_digest(&manifest, &roster, i.short("dealer"), &root);
        return Ok(json!({ "digest": hex::encode(digest) }));
    }
    let place = Place {
        manifest: &manifest,
        roster: &roster,
        dealer: i.short("dealer"),
        holder: i.short("holder"),
    };
    Ok(match op {
        "share leaves" => share_leaves(i, &place),
        "open" => {
            let key = Zeroizing::new(i.hash("key"));
            let open = || {
                let (holders, root) = (i.shorts("holders"), i.hash("root"));
                sharing::open_box(&key, &place, &holders, &root, &i.bytes("ciphertext")).ok_or("box")
            };
            let reveal = |kind| {
                let share = open()?.reveal(kind);
                Ok::<_, String>(hex::encode(share.tls_serialize_detached().unwrap()))
            };
            json!({ "self": reveal(SecretKind::SelfMask)?, "mask": reveal(SecretKind::Mask)? })
        }
        "revealed share" => {
            let share = RevealedShare::tls_deserialize(&mut i.bytes("share").as_slice()).unwrap();
            let kind = if i.int("kind") == 0 {
                SecretKind::SelfMask
            } else {
                SecretKind::Mask
            };
            let (holders, root) = (i.shorts("holders"), i.hash("root"));
            sharing::check_revealed(&share, &place, kind, &holders, &root).map_err(rule)?;
            json!({})
        }
        _ => panic!("{op}"),
    })
}

fn share_leaves(i: &Given<'_>, place: &Place<'_>) -> serde_json::Value {
    let leaves = [
        place.leaf(SecretKind::SelfMask, &i.hash("self_share")),
        place.leaf(SecretKind::Mask, &i.hash("mask_share")),
        place.ciphertext_leaf(CiphertextKind::Mask, &i.bytes("mask_ciphertext")),
        place.ciphertext_leaf(CiphertextKind::Share, &i.bytes("share_ciphertext")),
    ];
    let [first, second, ..] = &leaves;
    json!({
        "pair": hex::encode(tree::node_hash(first, second)),
        "leaves": leaves.iter().map(hex::encode).collect::<Vec<_>>(),
    })
}

#[test]
fn vectors_of_keys() {
    assert!(run("keys", keys).1 > 0);
}

#[test]
fn vectors_of_kem() {
    assert!(run("kem", kem).1 > 0);
}

#[test]
fn vectors_of_shares() {
    assert!(run("shares", shares).1 > 0);
}
