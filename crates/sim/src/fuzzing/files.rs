//! A ledger's directory after somebody's edits, and proofs of a tree after somebody's edits.

use std::sync::LazyLock;

use tacita_ledger::tree::{Tree, leaf_hash, verify_consistency, verify_inclusion};
use tacita_ledger::{MemoryFiles, Verified, VerifyOptions, verify_with};

use super::bytes::Bytes;
use super::corpus;
use super::decoders::CAST;

/// The files of a real ledger, made once.
static LEDGER: LazyLock<Option<MemoryFiles>> = LazyLock::new(|| corpus::ledger().ok());

/// The same, verified.
static VERIFIED: LazyLock<Option<Verified>> =
    LazyLock::new(|| verify_with(LEDGER.as_ref()?, &pinned()?).ok());

fn pinned() -> Option<VerifyOptions> {
    Some(VerifyOptions {
        log_key: Some(CAST.as_ref()?.log_verifier().clone()),
        ..VerifyOptions::default()
    })
}

/// Whether a note is taken for a head that this ledger continues.
pub(super) fn is_earlier_head(note: &[u8]) -> bool {
    let verified = VERIFIED.as_ref();
    verified.is_some_and(|verified| verified.cosigned_head(note, &[]).is_ok())
}

/// Edits to a ledger's files: a file, a place, how much goes, what comes. The check of an auditor with the pinned key accepts
/// nothing but what the log signed.
pub(super) fn ledger(data: &[u8]) -> bool {
    let (Some(original), Some(options)) = (LEDGER.as_ref(), pinned()) else {
        return false;
    };
    let mut files = original.clone();
    let mut bytes = Bytes::new(data);
    for _ in 0..8 {
        if bytes.is_empty() {
            break;
        }
        let paths: Vec<String> = files.contents().keys().cloned().collect();
        let path = paths.get(bytes.below(paths.len())).cloned().unwrap_or_default();
        match bytes.byte() % 4 {
            0 => drop(files.contents_mut().remove(&path)),
            1 => {
                // Under a name of the attacker's choice.
                let name = String::from_utf8_lossy(bytes.slice()).into_owned();
                let content = files.contents().get(&path).cloned().unwrap_or_default();
                files.contents_mut().insert(name, content);
            }
            _ => {
                let (at, less, more) = (bytes.number(), bytes.below(64), bytes.slice());
                if let Some(content) = files.contents_mut().get_mut(&path) {
                    let at = at.min(content.len());
                    let end = at.saturating_add(less).min(content.len());
                    content.splice(at..end, more.iter().copied());
                }
            }
        }
    }
    // An auditor without the key sees the same, or an error: never a panic.
    let _ = verify_with(&files, &VerifyOptions::default());
    let Ok(verified) = verify_with(&files, &options) else {
        return false;
    };
    let head = verify_with(original, &options);
    assert_eq!(
        Some(verified.checkpoint()),
        head.as_ref().ok().map(|h| h.checkpoint())
    );
    assert!(
        head.is_ok_and(|head| head.entries == verified.entries),
        "other entries under the same head"
    );
    true
}

/// A tree of up to 64 leaves, a place in it, and a proof that was tampered with. Nothing but the true one is accepted.
pub(super) fn proofs(data: &[u8]) -> bool {
    let mut bytes = Bytes::new(data);
    let size = bytes.below(64) as u64 + 1;
    let tree = Tree::from_leaves((0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect());
    let (index, old) = (
        bytes.below(size as usize) as u64,
        bytes.below(size as usize + 1) as u64,
    );
    let (Ok(inclusion), Ok(consistency), Ok(old_root)) = (
        tree.inclusion_proof(index),
        tree.consistency_proof(old, size),
        tree.root_at(old),
    ) else {
        return false;
    };
    let tampered = |proof: &[[u8; 32]], bytes: &mut Bytes<'_>| {
        let mut proof = proof.to_vec();
        for _ in 0..bytes.byte() % 4 {
            let at = bytes.below(proof.len() + 1);
            match bytes.byte() % 4 {
                0 => proof.insert(at, [bytes.byte(); 32]),
                1 if at < proof.len() => drop(proof.remove(at)),
                2 if at > 0 && at < proof.len() => proof.swap(at, at - 1),
                _ => {
                    if let Some(hash) = proof.get_mut(at) {
                        hash[usize::from(bytes.byte() % 32)] ^= bytes.byte();
                    }
                }
            }
        }
        proof
    };
    let (mine, other) = (
        tampered(&inclusion, &mut bytes),
        tampered(&consistency, &mut bytes),
    );
    let leaf = leaf_hash(&index.to_be_bytes());
    let included = verify_inclusion(&leaf, index, size, &mine, &tree.root()).is_ok();
    assert_eq!(included, mine == inclusion);
    let consistent = verify_consistency(old, &old_root, size, &tree.root(), &other).is_ok();
    assert_eq!(consistent, other == consistency);
    // The same proof for another place; for another size as well it may hold under the same root, which is why a head signs both.
    let (other_index, other_size) = (bytes.number() as u64, bytes.number() as u64);
    let _ = verify_consistency(other_index, &old_root, other_size, &tree.root(), &other);
    let _ = verify_inclusion(&leaf, other_index, other_size, &mine, &tree.root());
    if other_index != index {
        let moved = verify_inclusion(&leaf, other_index, size, &mine, &tree.root());
        assert!(moved.is_err(), "a leaf at two places");
    }
    included && consistent
}
