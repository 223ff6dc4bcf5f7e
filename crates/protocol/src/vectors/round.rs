//! Digests, entries, heads and messages of a round.

use ed25519_dalek::SigningKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tacita_algebra::{RingBits, RingVector};
use tacita_ledger::note::{KeyType, VerifierKey};
use tacita_ledger::tree;
use tacita_ledger::{Checkpoint, SignedCheckpoint};
use tacita_privacy::{ClipRule, NoiseLevels, SurplusSeed};
use tls_codec::Serialize as _;

use super::{Answer, Given, rule, run, word};
use crate::bitmap::Bitmap;
use crate::head;
use crate::manifest::Manifest;
use crate::messages::{Advertise, ClientMessage, ServerMessage, ShareRoot};
use crate::refusal::DecodeError;
use crate::{ledger_entries, parts, roster, server, sharers, upload};

/// A struct that takes up all of its bytes.
fn read<T: tls_codec::Deserialize>(bytes: &[u8]) -> Result<T, String> {
    let mut rest = bytes;
    let value = T::tls_deserialize(&mut rest).map_err(word("malformed"))?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err("malformed".into())
    }
}

fn manifest(op: &str, i: &Given<'_>) -> Answer {
    assert_eq!(op, "manifest");
    let bytes = i.bytes("bytes");
    let manifest: Manifest = read(&bytes)?;
    assert_eq!(manifest.tls_serialize_detached().unwrap(), bytes);
    let checked = manifest.check().map_err(rule)?;
    let entry = ledger_entries::reserve(&checked, i.int("time"));
    Ok(json!({
        "digest": hex::encode(checked.digest()),
        "rotation_seed": hex::encode(checked.encoding().rotation_seed()),
        "entry": String::from_utf8(entry.encode().unwrap()).unwrap(),
    }))
}

fn rosters(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "advertisement" => {
            let mut advertise: Advertise = read(&i.bytes("advertise"))?;
            let (manifest, fingerprint) = (i.hash("manifest"), i.hash("fingerprint"));
            let digest = roster::advertisement_digest(&manifest, &fingerprint, &advertise);
            let key = SigningKey::from_bytes(&i.hash("seed"));
            advertise.signature = crate::signature::sign(&key, crate::labels::ADVERTISEMENT, &digest);
            json!({
                "digest": hex::encode(digest),
                "advertise": hex::encode(advertise.tls_serialize_detached().unwrap()),
            })
        }
        "roster" => {
            let mut identities = Vec::new();
            let mut leaves = Vec::new();
            for (entry, index) in i.list("entries").zip(0u16..) {
                let entry = Given(entry);
                let (identity, fingerprint) = (entry.hash("identity"), entry.hash("fingerprint"));
                let advertise: Advertise = read(&entry.bytes("advertise"))?;
                leaves.push(roster::leaf(index, &identity, &fingerprint, &advertise).unwrap());
                identities.push(identity);
            }
            let merkle_root = tree::root(&leaves);
            json!({
                "leaves": leaves.iter().map(hex::encode).collect::<Vec<_>>(),
                "merkle_root": hex::encode(merkle_root),
                "root": hex::encode(roster::roster_root(identities.iter().map(|id| &id[..]), &merkle_root)),
            })
        }
        _ => panic!("{op}"),
    })
}

fn sharer_lists(op: &str, i: &Given<'_>) -> Answer {
    assert_eq!(op, "sharers");
    let mut map = Bitmap::empty(i.short("size"));
    let mut leaves = Vec::new();
    for entry in i.list("sharers") {
        let entry = Given(entry);
        let share_root: ShareRoot = read(&entry.bytes("share_root"))?;
        leaves.push(sharers::leaf(entry.short("index"), &share_root).unwrap());
        map.insert(entry.short("index"));
    }
    let merkle_root = tree::root(&leaves);
    Ok(json!({
        "bitmap": hex::encode(map.bytes()),
        "merkle_root": hex::encode(merkle_root),
        "digest": hex::encode(sharers::digest(&map, &merkle_root)),
    }))
}

fn uploads(op: &str, i: &Given<'_>) -> Answer {
    assert_eq!(op, "upload digest");
    let digest = upload::upload_digest(
        &i.hash("manifest"),
        &i.hash("roster"),
        &i.hash("sharers"),
        i.short("index"),
        &i.shorts("suspects"),
        &i.bytes("noise_anchor"),
        &upload::packed_hash(i.many_bytes("chunks").into_iter()),
    );
    Ok(json!({ "digest": hex::encode(digest) }))
}

/// The clip norm of the next round.
fn clips(op: &str, i: &Given<'_>) -> Answer {
    assert_eq!(op, "next clip");
    let rule = ClipRule::parse(i.text("rule")).map_err(word("TAC-003"))?;
    let (clip, within) = (i.text("clip").parse().unwrap(), i.text("within").parse().unwrap());
    Ok(json!({ "clip": rule.next(clip, within).unwrap().to_string() }))
}

/// Levels and surplus noise, by what the privacy room shows of them.
fn noise_layers(op: &str, i: &Given<'_>) -> Answer {
    let counts = (i.int("n") as u32, i.int("m") as u32, i.int("c") as u32);
    let dropouts: Vec<u32> = i.shorts("dropouts").into_iter().map(u32::from).collect();
    let levels = NoiseLevels::derive(counts, i.int("share"), &dropouts).map_err(word("TAC-063"))?;
    Ok(match op {
        "levels" => {
            let layers: Vec<u64> = levels.levels().iter().map(|level| level.variance_q16).collect();
            json!({ "base": levels.base_variance_q16(), "layers": layers })
        }
        "surplus" => {
            let survivors = i.int("survivors") as u32;
            let seed = SurplusSeed::check(&i.hash("seed"), survivors, &levels, &i.hash("anchor"));
            let mut sum = RingVector::zeros(RingBits::new(62).unwrap(), i.int("count") as usize);
            seed.ok_or("TAC-064")?.remove_at(0, sum.words_mut()).unwrap();
            sum.reduce();
            let values: Vec<i64> = sum.to_signed().iter().map(|value| -value).collect();
            json!({ "first": levels.first_surplus(survivors), "values": values })
        }
        _ => panic!("{op}"),
    })
}

fn statements(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "statement" => {
            let size = i.int("size");
            let survivors = Bitmap::decode(size as u16, &i.bytes("survivors")).unwrap();
            let digest = tacita_ledger::statement_digest(
                &i.hash("manifest"),
                &i.hash("roster"),
                &i.hash("sharers"),
                size,
                survivors.bytes(),
            );
            json!({ "digest": hex::encode(digest) })
        }
        "head" => {
            let key = SigningKey::from_bytes(&i.hash("seed"));
            let verifier = VerifierKey::new(i.text("origin"), KeyType::Ed25519, key.verifying_key()).unwrap();
            let head = Checkpoint {
                origin: i.text("origin").to_owned(),
                size: i.int("size"),
                root: i.hash("root"),
            };
            let note = head.sign(&key).unwrap().to_bytes();
            assert!(SignedCheckpoint::verify(&note, &verifier).is_ok());
            let member = SigningKey::from_bytes(&i.hash("member_seed"));
            let cosignature = head.cosign("member", i.int("time"), &member).unwrap();
            json!({
                "vkey": verifier.to_string(),
                "note": String::from_utf8(note).unwrap(),
                "cosignature": hex::encode(cosignature.signature),
            })
        }
        "read head" => {
            let key = ed25519_dalek::VerifyingKey::from_bytes(&i.hash("key")).unwrap();
            let key = VerifierKey::new(i.text("origin"), KeyType::Ed25519, key).unwrap();
            let note = i.text("note").as_bytes();
            match head::extend(None, note, &Vec::new().into(), &key) {
                Ok((head, _)) => json!({ "size": head.size, "root": hex::encode(head.root) }),
                Err(head::HeadError::Refusal(refusal)) => return Err(rule(refusal)),
                Err(head::HeadError::Fork(_)) => panic!("a fork of nothing"),
            }
        }
        _ => panic!("{op}"),
    })
}

fn malformed(_: DecodeError) -> String {
    "malformed".to_owned()
}

/// The struct's name in 05 section 3.
fn name(message: &str) -> String {
    let mut words = message.split(' ').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.by_ref().collect()
}

fn wire(op: &str, i: &Given<'_>) -> Answer {
    let bytes = i.bytes("bytes");
    let (found, again) = match op {
        "read from member" => {
            let message = ClientMessage::decode(&bytes).map_err(malformed)?;
            (message.name(), message.encode().unwrap())
        }
        "read from server" => {
            let message = ServerMessage::decode(&bytes).map_err(malformed)?;
            (message.name(), message.encode().unwrap())
        }
        _ => panic!("{op}"),
    };
    assert_eq!(again, bytes);
    Ok(json!({ "name": name(found) }))
}

#[test]
fn vectors_of_manifests_and_heads() {
    assert!(run("manifest", manifest).1 > 0);
    assert!(run("statement", statements).1 > 0);
    assert!(run("clip", clips).1 > 0);
}

/// Which attempt a member goes on with.
fn hellos(op: &str, i: &Given<'_>) -> Answer {
    assert_eq!(op, "goes on");
    let ClientMessage::Hello(hello) = ClientMessage::decode(&i.bytes("hello")).unwrap() else {
        panic!("not a hello");
    };
    let running = i.0["running"].as_str().map(|_| i.hash("running"));
    let is_in = i.0["is_in"].as_bool().unwrap();
    let goes_on = server::resumes(&hello, running.as_ref(), is_in).map_err(rule)?;
    Ok(json!({ "goes_on": goes_on }))
}

/// A frame of megabytes in a few: its first bytes, then zeros.
fn frame(of: &Given<'_>) -> Vec<u8> {
    let mut bytes = of.bytes("head");
    bytes.resize(bytes.len() + of.int("zeros") as usize, 0);
    bytes
}

fn in_parts(op: &str, i: &Given<'_>) -> Answer {
    let sha = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    Ok(match op {
        "divide" => {
            let frames = parts::frames(frame(&i.of("message")), i.int("kind") as u8).unwrap();
            let frames: Vec<_> = frames
                .iter()
                .map(|f| json!({ "length": f.len(), "head": hex::encode(&f[..6]), "sha256": sha(f) }))
                .collect();
            json!({ "frames": frames })
        }
        "assemble" => {
            let frames: Vec<Vec<u8>> = i.list("frames").map(|of| frame(&Given(of))).collect();
            let mut assembler = match frames.first().and_then(|frame| frame.first()) {
                Some(&parts::SERVER_PART) => parts::Assembler::of_server(),
                _ => parts::Assembler::of_client(),
            };
            let mut out = Vec::new();
            for frame in frames {
                let taken = assembler.push(frame, i.int("room") as usize);
                out.extend(taken.map_err(malformed)?);
            }
            let out: Vec<_> = out
                .iter()
                .map(|m| json!({ "length": m.len(), "sha256": sha(m) }))
                .collect();
            json!({ "messages": out })
        }
        _ => panic!("{op}"),
    })
}

#[test]
fn vectors_of_messages() {
    assert!(run("wire", wire).1 > 0);
    assert!(run("parts", in_parts).1 > 0);
    assert!(run("hello", hellos).1 > 0);
}

#[test]
fn vectors_of_round_digests() {
    assert!(run("roster", rosters).0 > 0);
    assert!(run("sharers", sharer_lists).0 > 0);
    assert!(run("upload", uploads).0 > 0);
    assert!(run("noise", noise_layers).1 > 0);
}
