//! Vectors of the list of signers above 1,000 members.

use num_bigint::BigUint;
use serde_json::json;

use super::primitives::Tape;
use super::{Answer, Given, rule, run};
use crate::bitmap::Bitmap;
use crate::limits::{MAX_COHORT, SAMPLE, SAMPLED_PERCENT, UNSAMPLED_COHORT};
use crate::messages::{Draws, Proof, ProvenEntry, RevealRequest, SampledRequest};
use crate::refusal::Refusal;
use crate::signers::{self, FixedList, SignerTree};

fn listed(i: &Given<'_>) -> Bitmap {
    Bitmap::decode(i.short("size"), &i.bytes("signers")).unwrap()
}

fn signers(op: &str, i: &Given<'_>) -> Answer {
    Ok(match op {
        "fix signers" => {
            let survivors = Bitmap::decode(i.short("size"), &i.bytes("survivors")).unwrap();
            let (near, threshold) = (i.shorts("neighbours"), i.short("threshold"));
            let list = signers::check_list(&i.bytes("signers"), &survivors).map_err(rule)?;
            signers::check_counts(&list, i.short("minimum"), near.into_iter(), threshold).map_err(rule)?;
            let fixed = i.0.get("fixed").map(|_| i.hash("fixed"));
            signers::check_first(fixed.as_ref()).map_err(rule)?;
            json!({
                "digest": hex::encode(signers::digest(&i.hash("statement"), &list, &i.hash("root"))),
                "drawn": signers::draw(&list, &mut Tape::new(i.text("tape"))),
            })
        }
        "draws" => {
            let list = listed(i);
            let all: Vec<(u16, [u8; 64])> = list.indices().map(|index| (index, [0; 64])).collect();
            let tree = SignerTree::of(
                list.size(),
                all.iter().map(|(index, signature)| (index, signature)),
            );
            let drawn = i.shorts("drawn").into();
            tree.check(&Draws { drawn }).map_err(rule)?;
            json!({})
        }
        "shown" => {
            let list = FixedList {
                signers: listed(i),
                root: i.hash("root"),
                drawn: i.shorts("drawn"),
            };
            let near = i.shorts("neighbours");
            let expected = signers::shown(&list.signers, &list.drawn, &near, i.short("threshold"));
            let signatures = i.many_bytes("signatures").into_iter();
            let signatures: Vec<[u8; 64]> = signatures.map(|s| s.try_into().unwrap()).collect();
            let proofs: Vec<Proof> = i
                .list("proofs")
                .map(|nodes| {
                    let nodes = nodes.as_array().unwrap().iter();
                    let nodes = nodes.map(|n| hex::decode(n.as_str().unwrap()).unwrap());
                    nodes
                        .map(|n| n.try_into().unwrap())
                        .collect::<Vec<[u8; 32]>>()
                        .into()
                })
                .collect();
            let entry = || ProvenEntry {
                index: 0,
                bytes: Vec::new().into(),
                proof: Vec::new().into(),
            };
            let message = SampledRequest {
                request: RevealRequest {
                    signers: i.bytes("shown").into(),
                    signatures: signatures.into(),
                    checkpoint: Vec::new().into(),
                    consistency: Vec::new().into(),
                    manifest: entry(),
                    charge: entry(),
                    upload_proof: Vec::new().into(),
                },
                proofs: proofs.into(),
            };
            list.check(&message, &expected).map_err(rule)?;
            json!({ "shown": expected.indices().collect::<Vec<u16>>() })
        }
        _ => panic!("{op}"),
    })
}

#[test]
fn vectors_of_signers() {
    assert!(run("signers", signers).1 > 0);
}

/// 02 section 3.8, in integers: for every n + c that a cohort can have, a list of the least m signers of which as many are
/// genuine as a second statement can have passes 66 draws with probability below 2^-40; 65 would not do.
#[test]
fn a_false_list_passes_with_probability_below_two_to_the_minus_forty() {
    let product = |of: u32, draws: usize| {
        (0..)
            .take(draws)
            .map(|i| BigUint::from(of - i))
            .product::<BigUint>()
    };
    let passes_rarely = |genuine: u32, listed: u32, draws: usize| {
        (product(genuine, draws) << 40usize) < product(listed, draws)
    };
    let mut tight = false;
    for voices in u32::from(UNSAMPLED_COHORT) + 1.. {
        let least = (SAMPLED_PERCENT * voices).div_ceil(100);
        if least > u32::from(MAX_COHORT) {
            break;
        }
        assert!(passes_rarely(voices / 2, least, SAMPLE), "n + c = {voices}");
        tight |= !passes_rarely(voices / 2, least, SAMPLE - 1);
    }
    assert!(tight);
    assert_eq!(
        Refusal::Draws.to_string(),
        "TAC-083: the draws are not 66 signers of the list"
    );
}

/// Draws are distinct, of the list, and no place comes more often than another.
#[test]
fn draws_are_even() {
    let list = Bitmap::from_indices(100, (0..100).filter(|i| i % 10 != 3));
    let mut often = [0u32; 100];
    let mut tape = Tape::new("even draws");
    for _ in 0..2000 {
        let drawn = signers::draw(&list, &mut tape);
        assert_eq!(drawn.len(), SAMPLE);
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
        drawn.iter().for_each(|i| often[usize::from(*i)] += 1);
    }
    // 2,000 x 66 / 90 = 1,467 each, standard deviation 20.
    for (index, count) in often.into_iter().enumerate() {
        assert!(
            if index % 10 == 3 {
                count == 0
            } else {
                (1350..1590).contains(&count)
            },
            "{index}: {count}"
        );
    }
}
