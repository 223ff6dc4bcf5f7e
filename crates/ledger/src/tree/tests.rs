//! Published Certificate Transparency vectors, and every proof of every size up to 70.

use super::*;

/// The leaf inputs of the Certificate Transparency reference tests (RFC 6962 authors' test suite).
fn ct_leaves() -> Vec<Hash> {
    [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    .iter()
    .map(|text| leaf_hash(&hex::decode(text).unwrap()))
    .collect()
}

const CT_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hashes(list: &[&str]) -> Vec<Hash> {
    list.iter()
        .map(|text| hex::decode(text).unwrap().try_into().unwrap())
        .collect()
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&(i as u32).to_be_bytes())).collect()
}

/// The definition of RFC 6962 section 2.1, word for word, as an independent check of the cached tree.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

#[test]
fn published_roots() {
    let leaves = ct_leaves();
    let mut tree = Tree::new();
    for (size, expected) in CT_ROOTS.iter().enumerate() {
        assert_eq!(hex::encode(root(&leaves[..size])), *expected, "root of {size}");
        assert_eq!(hex::encode(tree.root()), *expected, "tree of {size}");
        if size < leaves.len() {
            tree.append(leaves[size]);
        }
    }
}

#[test]
fn published_inclusion_proofs() {
    let tree = Tree::from_leaves(ct_leaves());
    let first = hashes(&[
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]);
    let sixth = hashes(&[
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert_eq!(tree.inclusion_proof(0).unwrap(), first);
    assert_eq!(tree.inclusion_proof(5).unwrap(), sixth);
}

#[test]
fn published_consistency_proofs() {
    let tree = Tree::from_leaves(ct_leaves());
    let cases: [(u64, u64, &[&str]); 4] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ];
    for (old, new, expected) in cases {
        assert_eq!(
            tree.consistency_proof(old, new).unwrap(),
            hashes(expected),
            "{old} to {new}"
        );
    }
}

#[test]
fn every_root_and_subtree_up_to_70() {
    let all = leaves(70);
    let mut grown = Tree::new();
    for size in 0..=70 {
        let expected = mth(&all[..size]);
        assert_eq!(root(&all[..size]), expected);
        assert_eq!(grown.root(), expected);
        let built = Tree::from_leaves(all[..size].to_vec());
        assert_eq!(built.root(), expected);
        assert_eq!(built.size(), size as u64);
        for past in 0..=size {
            assert_eq!(grown.root_at(past as u64).unwrap(), mth(&all[..past]));
        }
        if size < 70 {
            grown.append(all[size]);
        }
    }
    assert_eq!(grown.subtree(3, 2), Some(mth(&all[16..24])));
    assert_eq!(grown.subtree(6, 1), None, "an incomplete subtree has no hash");
}

#[test]
fn every_inclusion_proof_up_to_70() {
    let tree = Tree::from_leaves(leaves(70));
    for size in 1..=70u64 {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let leaf = tree.leaf(index).unwrap();
            let proof = tree.inclusion_proof_at(index, size).unwrap();
            verify_inclusion(&leaf, index, size, &proof, &root).unwrap();
            // Another place of the same tree, or the same place of another size with the same root.
            for other in (0..size).filter(|&other| other != index) {
                assert!(verify_inclusion(&leaf, other, size, &proof, &root).is_err());
            }
            let mut longer = proof.clone();
            longer.push([0; 32]);
            assert!(verify_inclusion(&leaf, index, size, &longer, &root).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify_inclusion(&leaf, index, size, shorter, &root).is_err());
            }
        }
        assert_eq!(
            tree.inclusion_proof_at(size, size),
            Err(TreeError::IndexOutOfRange { index: size, size })
        );
    }
    assert_eq!(
        verify_inclusion(&[0; 32], 0, 0, &[], &empty_root()),
        Err(TreeError::IndexOutOfRange { index: 0, size: 0 })
    );
}

#[test]
fn every_changed_byte_of_an_inclusion_proof_is_refused() {
    let tree = Tree::from_leaves(leaves(70));
    for size in 1..=70u64 {
        let root = tree.root_at(size).unwrap();
        for index in 0..size {
            let leaf = tree.leaf(index).unwrap();
            let proof = tree.inclusion_proof_at(index, size).unwrap();
            for hash in 0..proof.len() {
                for byte in 0..32 {
                    let mut changed = proof.clone();
                    changed[hash][byte] ^= 1 << (byte % 8);
                    assert_eq!(
                        verify_inclusion(&leaf, index, size, &changed, &root),
                        Err(TreeError::RootMismatch)
                    );
                }
            }
        }
    }
}

#[test]
fn every_consistency_proof_up_to_70() {
    let tree = Tree::from_leaves(leaves(70));
    for new in 0..=70u64 {
        let new_root = tree.root_at(new).unwrap();
        for old in 0..=new {
            let old_root = tree.root_at(old).unwrap();
            let proof = tree.consistency_proof(old, new).unwrap();
            verify_consistency(old, &old_root, new, &new_root, &proof).unwrap();
            let mut longer = proof.clone();
            longer.push([0; 32]);
            assert!(verify_consistency(old, &old_root, new, &new_root, &longer).is_err());
            if let Some((_, shorter)) = proof.split_last() {
                assert!(verify_consistency(old, &old_root, new, &new_root, shorter).is_err());
            }
            let mut wrong = old_root;
            wrong[31] ^= 1;
            assert!(verify_consistency(old, &wrong, new, &new_root, &proof).is_err());
            if old > 0 {
                let mut wrong = new_root;
                wrong[0] ^= 128;
                assert!(verify_consistency(old, &old_root, new, &wrong, &proof).is_err());
            }
            for hash in 0..proof.len() {
                for byte in 0..32 {
                    let mut changed = proof.clone();
                    changed[hash][byte] ^= 1 << (byte % 8);
                    assert_eq!(
                        verify_consistency(old, &old_root, new, &new_root, &changed),
                        Err(TreeError::RootMismatch),
                        "{old} to {new}, hash {hash}, byte {byte}"
                    );
                }
            }
            if new > old {
                assert!(verify_consistency(new, &new_root, old, &old_root, &proof).is_err());
            }
        }
        assert!(tree.consistency_proof(new, 71).is_err());
    }
}

#[test]
fn a_rewritten_leaf_breaks_consistency() {
    let honest = leaves(70);
    for old in 1..70usize {
        let mut forked = honest.clone();
        forked[old - 1] = leaf_hash(b"another entry");
        let fork = Tree::from_leaves(forked);
        let proof = fork.consistency_proof(old as u64, 70).unwrap();
        let result = verify_consistency(old as u64, &root(&honest[..old]), 70, &fork.root(), &proof);
        assert_eq!(result, Err(TreeError::RootMismatch));
    }
}

#[test]
fn sizes_near_the_integer_limit_neither_overflow_nor_pass() {
    let proof = vec![[7; 32]; 64];
    for size in [u64::MAX, u64::MAX - 1, 1 << 63] {
        assert!(verify_inclusion(&[1; 32], size - 1, size, &proof, &[2; 32]).is_err());
        assert!(verify_inclusion(&[1; 32], 0, size, &proof, &[2; 32]).is_err());
        assert!(verify_consistency(1, &[1; 32], size, &[2; 32], &proof).is_err());
        assert!(verify_consistency(size - 1, &[1; 32], size, &[2; 32], &proof).is_err());
    }
}
