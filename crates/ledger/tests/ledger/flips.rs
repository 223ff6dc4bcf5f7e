//! Every flipped bit and every truncation of every file is an error. No bit of the directory is left out: the head is
//! flipped under the log's key, bundles and tiles even without one.

use tacita_ledger::{KeyType, MemoryFiles, VerifierKey, verify};

use crate::world::{ledger, vkey};

/// 64 entries, the last of which hands the log to another key: entries of every kind.
fn sixty_four() -> MemoryFiles {
    let (mut log, mut files) = ledger(63, &[]);
    let next = ed25519_dalek::SigningKey::from_bytes(&[50; 32]);
    let verifier = VerifierKey::new(crate::world::ORIGIN, KeyType::Ed25519, next.verifying_key()).unwrap();
    log.rotate(&crate::world::log_key(), &verifier, 100_000).unwrap();
    files.apply_all(&log.publish(&next).unwrap());
    assert_eq!(log.size(), 64);
    files
}

/// The bits of `path`, of every `step`-th byte, whose flip still verifies; on all cores.
fn passing_flips(
    files: &MemoryFiles,
    path: &str,
    key: Option<&VerifierKey>,
    step: usize,
) -> Vec<(usize, u8)> {
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    let length = files.contents()[path].len();
    let flip = &|worker: usize| {
        let mut changed = files.clone();
        let mut passed = Vec::new();
        for at in (worker * step..length).step_by(workers * step) {
            for bit in 0..8 {
                changed.contents_mut().get_mut(path).unwrap()[at] ^= 1 << bit;
                if verify(&changed, key).is_ok() {
                    passed.push((at, bit));
                }
                changed.contents_mut().get_mut(path).unwrap()[at] ^= 1 << bit;
            }
        }
        passed
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || flip(worker)))
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().unwrap())
            .collect()
    })
}

fn passing_cuts(files: &MemoryFiles, path: &str) -> Vec<usize> {
    let whole = files.contents()[path].clone();
    let mut changed = files.clone();
    (0..whole.len())
        .filter(|&cut| {
            changed
                .contents_mut()
                .insert(path.to_owned(), whole[..cut].to_vec());
            verify(&changed, (path == "checkpoint").then(vkey).as_ref()).is_ok()
        })
        .collect()
}

/// Failure: a file of the ledger can be changed without anybody noticing.
#[test]
fn every_bit_of_a_ledger_of_64_entries() {
    let files = sixty_four();
    for path in files.contents().keys() {
        let key = (path == "checkpoint").then(vkey);
        assert_eq!(passing_flips(&files, path, key.as_ref(), 1), [], "{path}");
    }
}

/// Failure: a file can be cut short at some byte.
#[test]
fn every_truncation_of_a_ledger_of_64_entries() {
    let files = sixty_four();
    for path in files.contents().keys() {
        assert_eq!(passing_cuts(&files, path), Vec::<usize>::new(), "{path}");
    }
}

#[test]
fn sampled_bits_across_a_tile_boundary() {
    let (_, files) = ledger(260, &[]);
    assert_eq!(files.contents().len(), 6);
    for path in files.contents().keys() {
        let step = if path == "checkpoint" { 1 } else { 97 };
        assert_eq!(passing_flips(&files, path, Some(&vkey()), step), [], "{path}");
    }
}

/// What the check without a key is worth, to the bit: only the key id and signature of the log's own line,
/// 92 base64 characters, can change unnoticed; an origin that changes no longer matches the line's name.
#[test]
fn without_a_key_only_the_log_signature_is_unchecked() {
    let (_, files) = ledger(70, &[]);
    let head = files.contents()["checkpoint"].clone();
    let signature = head.len() - 1 - 92..head.len() - 1;
    let passed = passing_flips(&files, "checkpoint", None, 1);
    assert!(!passed.is_empty());
    assert!(passed.iter().all(|(at, _)| signature.contains(at)), "{passed:?}");
    assert!(!verify(&files, None).unwrap().origin_checked);
}
