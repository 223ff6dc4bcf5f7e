//! Names and shapes of files: nothing missing, nothing surplus, nothing swapped.

use tacita_ledger::files::FilesError;
use tacita_ledger::verify::VerifyError;
use tacita_ledger::{KeyType, MemoryFiles, VerifierKey, verify};

use crate::world::{entries, ledger, log_key, vkey};

fn check(files: &MemoryFiles) -> VerifyError {
    verify(files, Some(&vkey())).unwrap_err()
}

#[test]
fn a_good_ledger_gives_its_entries() {
    let (_, files) = ledger(70, &[]);
    let verified = verify(&files, Some(&vkey())).unwrap();
    assert_eq!(verified.entries, entries(70));
    assert_eq!(verified.checkpoint().size, 70);
    assert!(verified.origin_checked && verified.witnesses.is_empty());
    assert_eq!(verified.tree.root(), verified.checkpoint().root);
}

#[test]
fn every_missing_file_is_named() {
    let (_, files) = ledger(260, &[]);
    for path in files.contents().keys() {
        let mut changed = files.clone();
        changed.contents_mut().remove(path);
        assert_eq!(check(&changed), VerifyError::Missing { file: path.clone() });
    }
}

#[test]
fn surplus_and_unknown_files_are_named() {
    let (_, files) = ledger(260, &[]);
    // Even a correct tile of an earlier size, or of a later one, does not belong.
    for path in [
        "tile/0/000.p/200",
        "tile/0/002",
        "tile/2/000.p/1",
        "tile/entries/x001/000",
        "tile/7/000",
    ] {
        let mut changed = files.clone();
        changed
            .contents_mut()
            .insert(path.to_owned(), files.contents()["tile/0/000"].clone());
        assert_eq!(
            check(&changed),
            VerifyError::Surplus {
                file: path.to_owned(),
                size: 260
            }
        );
    }
    for path in [
        "README",
        "checkpoint.tmp",
        "tile/0/000.tmp",
        "tile/8/000",
        "tile/0/0000",
        "checkpoint/x",
    ] {
        let mut changed = files.clone();
        changed.contents_mut().insert(path.to_owned(), Vec::new());
        assert_eq!(
            check(&changed),
            VerifyError::Unknown {
                file: path.to_owned()
            }
        );
    }
}

#[test]
fn files_with_more_bytes_than_they_should() {
    let (_, files) = ledger(70, &[]);
    for path in files.contents().keys() {
        let mut changed = files.clone();
        changed.contents_mut().get_mut(path).unwrap().push(b'\n');
        let error = check(&changed);
        match path.as_str() {
            "checkpoint" => assert!(matches!(error, VerifyError::Checkpoint(_)), "{error}"),
            "tile/0/000.p/70" => {
                let file = path.clone();
                assert_eq!(
                    error,
                    VerifyError::TileLength {
                        file,
                        expected: 2240,
                        found: 2241
                    }
                );
            }
            _ => assert!(matches!(error, VerifyError::Bundle { .. }), "{error}"),
        }
    }
    let mut huge = files.clone();
    huge.contents_mut()
        .insert("tile/0/000.p/70".to_owned(), vec![0; 8193]);
    let source = FilesError::TooLong { limit: 8192 };
    assert_eq!(
        check(&huge),
        VerifyError::Read {
            file: "tile/0/000.p/70".to_owned(),
            source
        }
    );
}

#[test]
fn a_wrong_tile_hash_is_named_with_its_entry() {
    let (_, files) = ledger(260, &[]);
    let mut changed = files.clone();
    changed.contents_mut().get_mut("tile/0/001.p/4").unwrap()[2 * 32 + 5] ^= 1;
    let (file, tile) = ("tile/entries/001.p/4".to_owned(), "tile/0/001.p/4".to_owned());
    assert_eq!(
        check(&changed),
        VerifyError::Leaf {
            file,
            tile,
            index: 258
        }
    );
    // The same pair of files is named when the entry changed.
    let mut changed = files.clone();
    *changed
        .contents_mut()
        .get_mut("tile/entries/001.p/4")
        .unwrap()
        .last_mut()
        .unwrap() ^= 1;
    assert!(matches!(check(&changed), VerifyError::Leaf { index: 259, .. }));
    let mut changed = files;
    changed.contents_mut().get_mut("tile/1/000.p/1").unwrap()[0] ^= 1;
    let file = "tile/1/000.p/1".to_owned();
    assert_eq!(
        check(&changed),
        VerifyError::Tile {
            file,
            item: 0,
            entry: 0
        }
    );
}

/// Entries of one round swapped for those of another, same length: tiles and root notice.
#[test]
fn swapped_entries_are_noticed() {
    let (_, files) = ledger(6, &[]);
    let (_, longer) = ledger(9, &[]);
    let mut changed = files.clone();
    let bundle = longer.contents()["tile/entries/000.p/9"].clone();
    changed
        .contents_mut()
        .insert("tile/entries/000.p/6".to_owned(), bundle);
    assert!(matches!(check(&changed), VerifyError::Bundle { .. }));
    // An older head over the newer files.
    let mut changed = longer;
    changed
        .contents_mut()
        .insert("checkpoint".to_owned(), files.contents()["checkpoint"].clone());
    let error = check(&changed);
    assert!(
        matches!(&error, VerifyError::RolledBack { size: 6, found: 9, file } if file == "tile/entries/000.p/9"),
        "{error}"
    );
}

#[test]
fn another_key_or_origin_is_refused() {
    let (_, files) = ledger(3, &[]);
    let other = ed25519_dalek::SigningKey::from_bytes(&[8; 32]).verifying_key();
    let key = VerifierKey::new("tacita.example/ledger", KeyType::Ed25519, other).unwrap();
    let error = verify(&files, Some(&key)).unwrap_err();
    // Both are named: the key that signed and the one that was expected.
    let (ours, pinned) = (hex::encode(vkey().key_id()), hex::encode(key.key_id()));
    assert_eq!(
        error.to_string(),
        format!(
            "checkpoint: the log is signed by tacita.example/ledger+{ours}, not by the pinned key \
             tacita.example/ledger+{pinned}"
        )
    );
    let key = VerifierKey::new("elsewhere", KeyType::Ed25519, log_key().verifying_key()).unwrap();
    let error = verify(&files, Some(&key)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "checkpoint: the checkpoint is of tacita.example/ledger, the key is of elsewhere"
    );
}

#[test]
fn an_empty_directory_is_no_ledger_and_an_empty_ledger_is_one() {
    assert_eq!(
        check(&MemoryFiles::new()),
        VerifyError::Missing {
            file: "checkpoint".to_owned()
        }
    );
    let (_, files) = ledger(0, &[]);
    assert_eq!(files.contents().len(), 1);
    assert!(verify(&files, Some(&vkey())).unwrap().entries.is_empty());
}
