//! Hashes, trees, signatures, scalars, sharing, bits, streams and the graph.

use std::convert::Infallible;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use ed25519_dalek::{SigningKey, VerifyingKey};
use hkdf::Hkdf;
use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tacita_algebra::shamir::{self, Interpolator};
use tacita_algebra::{AlgebraError, RingBits, RingVector, SecretScalar, TaggedHash};
use tacita_ledger::tree::{self, Tree};
use zeroize::Zeroizing;

use super::{Answer, Given, rule, run, word};
use crate::bitmap::Bitmap;
use crate::graph::{Neighbourhood, RoundParameters};
use crate::keys::AgreementKey;
use crate::mask::{Mask, Sign, apply};
use crate::refusal::Refusal;
use crate::signature;

/// The tape of `protocol-spec/10-vectors.md` section 1.
pub(super) struct Tape(Ctr128BE<Aes256>);

impl Tape {
    pub(super) fn new(text: &str) -> Self {
        Self(Ctr128BE::new(&Sha256::digest(text.as_bytes()), &[0; 16].into()))
    }
}

impl TryRng for Tape {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the protocol draws bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the protocol draws bytes")
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.fill(0);
        self.0.apply_keystream(into);
        Ok(())
    }
}

impl TryCryptoRng for Tape {}

fn hexes(values: &[[u8; 32]]) -> Vec<String> {
    values.iter().map(hex::encode).collect()
}

fn hashes(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "tagged hash" => {
            let fields = i.many_bytes("fields");
            let hash = fields
                .iter()
                .fold(TaggedHash::new(i.label()), |hash, field| hash.bytes(field));
            json!({ "hash": hex::encode(hash.finish()) })
        }
        "derive" => {
            let mut key = vec![0; i.int("length") as usize];
            let salt = i.bytes("salt");
            let hkdf = Hkdf::<Sha256>::new(Some(&salt), &i.bytes("secret"));
            hkdf.expand(&i.bytes("info"), &mut key).unwrap();
            if key.len() == 32 {
                let ours = crate::keys::derive(&i.hash("salt"), &i.bytes("secret"), &i.hash("info"));
                assert_eq!(*ours, *key);
            }
            json!({ "key": hex::encode(key) })
        }
        "tree" => {
            let leaves: Vec<_> = i
                .many_bytes("leaves")
                .iter()
                .map(|l| tree::leaf_hash(l))
                .collect();
            let tree = Tree::from_leaves(leaves);
            json!({
                "root": hex::encode(tree.root()),
                "inclusion": hexes(&tree.inclusion_proof(i.int("index")).unwrap()),
                "consistency": hexes(&tree.consistency_proof(i.int("old"), tree.size()).unwrap()),
            })
        }
        "inclusion" => {
            let (leaf, proof, root) = (i.hash("leaf"), i.hashes("proof"), i.hash("root"));
            tree::verify_inclusion(&leaf, i.int("index"), i.int("size"), &proof, &root)
                .map_err(word("proof"))?;
            json!({})
        }
        "consistency" => {
            let (old, new) = (i.int("old"), i.int("new"));
            let proof = i.hashes("proof");
            tree::verify_consistency(old, &i.hash("old_root"), new, &i.hash("new_root"), &proof)
                .map_err(word("proof"))?;
            json!({})
        }
        _ => panic!("{op}"),
    })
}

fn signatures(op: &str, i: &Given<'_>) -> Answer {
    let digest = i.hash("digest");
    match op {
        "sign" => {
            let key = SigningKey::from_bytes(&i.hash("seed"));
            Ok(json!({
                "key": hex::encode(key.verifying_key().as_bytes()),
                "signature": hex::encode(signature::sign(&key, i.label(), &digest)),
            }))
        }
        "signature" => {
            let refused = || "signature".to_owned();
            let signed: [u8; 64] = i.bytes("signature").try_into().unwrap();
            let key = VerifyingKey::from_bytes(&i.hash("key")).map_err(|_| refused())?;
            let alone = signature::verify(&key, i.label(), &digest, &signed);
            let claim = signature::Claim {
                key: &key,
                digest,
                signature: &signed,
            };
            let batch = signature::verify_all(i.label(), &[claim]).is_ok();
            assert_eq!(alone, batch, "one at a time, and in a batch");
            if alone { Ok(json!({})) } else { Err(refused()) }
        }
        _ => panic!("{op}"),
    }
}

fn agreement(op: &str, i: &Given<'_>) -> Answer {
    assert_eq!(op, "agree");
    let private = AgreementKey::from_bytes(&Zeroizing::new(i.hash("private"))).unwrap();
    let weak = crate::keys::is_small_order(&i.hash("public"));
    match private.agree(&i.hash("public")) {
        Some(shared) if !weak => Ok(json!({ "shared": hex::encode(*shared) })),
        None if weak => Err(rule(Refusal::WeakKey(0))),
        _ => panic!("the key is weak for one check and sound for the other"),
    }
}

fn scalar(bytes: &[u8; 32]) -> Result<SecretScalar, String> {
    SecretScalar::from_canonical_bytes(bytes).map_err(word("scalar"))
}

fn sharing_refusal(error: AlgebraError) -> String {
    match error {
        AlgebraError::ZeroAbscissa | AlgebraError::DuplicateAbscissa(_) => "abscissa".into(),
        AlgebraError::Threshold { .. } => "threshold".into(),
        other => other.to_string(),
    }
}

fn scalars(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "scalar" => {
            scalar(&i.hash("bytes"))?;
            json!({})
        }
        "uniform scalar" => {
            let wide = i.bytes("bytes").try_into().unwrap();
            let reduced = SecretScalar::random(&mut Fixed(wide));
            json!({ "scalar": hex::encode(*reduced.to_bytes()) })
        }
        "split" => {
            let secret = scalar(&i.hash("secret"))?;
            let threshold = i.int("threshold") as usize;
            let mut tape = Tape::new(i.text("tape"));
            let shares = shamir::split(&secret, threshold, &i.shorts("abscissae"), &mut tape)
                .map_err(sharing_refusal)?;
            let shares: Vec<_> = shares.iter().map(|s| hex::encode(*s.to_bytes())).collect();
            json!({ "shares": shares })
        }
        "interpolate" => {
            let values = i
                .hashes("values")
                .iter()
                .map(scalar)
                .collect::<Result<Vec<_>, _>>()?;
            let values: Vec<&SecretScalar> = values.iter().collect();
            let at_zero = Interpolator::new(&i.shorts("abscissae")).map_err(sharing_refusal)?;
            let secret = at_zero.reconstruct(&values).map_err(sharing_refusal)?;
            json!({ "secret": hex::encode(*secret.to_bytes()) })
        }
        _ => panic!("{op}"),
    })
}

/// Gives these bytes once.
struct Fixed([u8; 64]);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!()
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

fn ring_bits(i: &Given<'_>) -> RingBits {
    RingBits::new(i.int("bits").try_into().unwrap()).unwrap()
}

fn values(vector: &RingVector) -> Vec<i64> {
    let modulus = 1i64 << vector.bits().get();
    vector.to_signed().iter().map(|v| v.rem_euclid(modulus)).collect()
}

fn packing(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "pack" => {
            let vector = RingVector::from_signed(ring_bits(i), &i.ints("values"));
            json!({ "bytes": hex::encode(vector.pack(0..vector.len())) })
        }
        "unpack" => {
            let count = i.int("count") as usize;
            let mut vector = RingVector::zeros(ring_bits(i), count);
            vector
                .unpack_into(0, count, &i.bytes("bytes"))
                .map_err(word("packing"))?;
            json!({ "values": values(&vector) })
        }
        "bitmap" => {
            let map = Bitmap::decode(i.short("size"), &i.bytes("bytes")).ok_or("bitmap")?;
            json!({ "indices": map.indices().collect::<Vec<_>>() })
        }
        _ => panic!("{op}"),
    })
}

fn keystream(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "keystream" => {
            let mut vector = RingVector::zeros(ring_bits(i), i.int("count") as usize);
            let mask = Mask::new(&i.hash("key"), Sign::Plus);
            apply(&mut vector, i.int("start") as usize, &[mask]).unwrap();
            json!({ "values": values(&vector) })
        }
        "mask" => {
            let mut vector = RingVector::from_signed(ring_bits(i), &i.ints("values"));
            let masks: Vec<Mask> = i
                .list("masks")
                .map(|mask| {
                    let sign = if mask["sign"] == 1 {
                        Sign::Plus
                    } else {
                        Sign::Minus
                    };
                    Mask::new(&Given(mask).hash("key"), sign)
                })
                .collect();
            apply(&mut vector, 0, &masks).unwrap();
            let chunk = i.int("chunk") as usize;
            let starts = (0..vector.len()).step_by(chunk);
            let chunks: Vec<_> = starts
                .map(|start| hex::encode(vector.pack(start..start + chunk)))
                .collect();
            json!({ "chunks": chunks })
        }
        _ => panic!("{op}"),
    })
}

fn graph(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "parameters" => {
            let count = |name| u32::try_from(i.int(name)).unwrap();
            let p = RoundParameters::derive(count("n"), count("c"), count("m"))
                .map_err(|_| rule(Refusal::DerivedParameters))?;
            json!({ "k": p.neighbours, "t": p.threshold, "q": p.quorum })
        }
        "permutation" => {
            let size = i.short("size");
            let ring = Neighbourhood::ring(size, 2, &i.hash("root")).unwrap();
            let mut order: Vec<u16> = (0..size).collect();
            order.sort_by_key(|index| ring.position(*index));
            json!({ "order": order })
        }
        "neighbours" => {
            let complete = i.0["complete"] == Value::Bool(true);
            let graph = if complete {
                Neighbourhood::complete(i.short("size"))
            } else {
                Neighbourhood::ring(i.short("size"), i.short("k"), &i.hash("root"))
            };
            let graph = graph.map_err(|_| rule(Refusal::Roster("")))?;
            let index = i.short("index");
            json!({
                "neighbours": graph.neighbours_of(index),
                "holders": crate::roster::holders(&graph, index),
            })
        }
        _ => panic!("{op}"),
    })
}

#[test]
fn vectors_of_primitives() {
    assert!(run("hashes", hashes).1 > 0);
    assert!(run("signatures", signatures).1 > 0);
    assert!(run("agreement", agreement).1 > 0);
    assert!(run("scalars", scalars).1 > 0);
    assert!(run("shamir", scalars).1 > 0);
    assert!(run("packing", packing).1 > 0);
    assert!(run("keystream", keystream).0 > 0);
    assert!(run("graph", graph).1 > 0);
}
