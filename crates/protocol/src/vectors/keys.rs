//! Keys, shares and boxes.

use serde_json::json;
use tacita_algebra::SecretScalar;
use tacita_ledger::tree;
use tls_codec::{Deserialize as _, Serialize as _};
use zeroize::Zeroizing;

use super::{Answer, Given, rule, run, word};
use crate::keys::{Binding, End, MaskSecret, SelfSecret, box_key};
use crate::messages::{RevealedShare, ShareRoot};
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

fn a_box_key(i: &Given<'_>) -> [u8; 32] {
    let (sender, receiver) = (i.of("sender"), i.of("receiver"));
    *box_key(
        &Zeroizing::new(i.hash("dh")),
        &i.hash("manifest"),
        &i.hash("roster"),
        &sender.hash("fingerprint"),
        &receiver.hash("fingerprint"),
    )
}

fn a_pair_key(i: &Given<'_>) -> [u8; 32] {
    let (manifest, model, roster) = (i.hash("manifest"), i.hash("model"), i.hash("roster"));
    let binding = Binding {
        manifest: &manifest,
        model: &model,
        roster: &roster,
    };
    let (a, b) = (i.of("a"), i.of("b"));
    let (a_key, b_key) = (a.hash("mask_key"), b.hash("mask_key"));
    let (a_print, b_print) = (a.hash("fingerprint"), b.hash("fingerprint"));
    let end = |of: &Given<'_>, mask_key, fingerprint| End {
        index: of.short("index"),
        mask_key,
        fingerprint,
    };
    let shared = Zeroizing::new(i.hash("dh"));
    *binding.pair_key(&shared, end(&a, &a_key, &a_print), end(&b, &b_key, &b_print))
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
    ];
    let [first, second] = &leaves;
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
fn vectors_of_shares() {
    assert!(run("shares", shares).1 > 0);
}
