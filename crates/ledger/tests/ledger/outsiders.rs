//! Our files read by tools that share no code with us: Cloudflare's `signed_note` and `tlog_tiles`, and openssl with a script
//! of the Python standard library (`protocol-spec/reference/ledger_check.py`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ed25519_dalek::SigningKey;
use signed_note::{Note, StandardVerifier, VerifierList};
use tacita_ledger::{KeyType, MemoryFiles, SignedCheckpoint, VerifierKey};
use tlog_tiles::{Hash, HashReader, Tile, TileHashReader, TileReader};

use crate::world::{ORIGIN, entries, ledger, log_key, vkey};

/// A height of 8 goes into their paths and not into ours.
const HEIGHT: u8 = 8;

/// Their reader over our files.
struct OurTiles<'a>(&'a MemoryFiles);

impl TileReader for OurTiles<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles
            .iter()
            .map(|tile| self.0.contents()[&our_path(tile)].clone())
            .collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

fn our_path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

/// Failure: the notes, heads, tiles or proofs are not those of the public formats.
#[test]
fn another_implementation_reads_heads_tiles_and_proofs() {
    for size in [1usize, 2, 255, 256, 257, 700] {
        let (log, files) = ledger(size, &[]);
        let verifier = StandardVerifier::new(&vkey().to_string()).unwrap();
        let note = Note::from_bytes(&files.contents()["checkpoint"]).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        let (verified, unverified) = note.verify(&known).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((head.origin(), head.size()), (ORIGIN, size as u64));

        // The tiles it would publish are those that we did.
        let mut theirs: Vec<String> = Tile::new_tiles(HEIGHT, 0, size as u64)
            .iter()
            .map(our_path)
            .collect();
        let mut ours: Vec<String> = files
            .contents()
            .keys()
            .filter(|path| path.starts_with("tile/") && !path.starts_with("tile/entries/"))
            .cloned()
            .collect();
        theirs.sort();
        ours.sort();
        assert_eq!(ours, theirs);

        // It reads every leaf through its own check of tiles against the root, and takes our proofs.
        let tiles = OurTiles(&files);
        let reader = TileHashReader::new(head.size(), *head.hash(), &tiles);
        // Its check reads several tiles for every leaf.
        let step = if size > 300 { 23 } else { 7 };
        for (index, entry) in (0u64..).zip(entries(size)).step_by(step) {
            let leaf = tlog_tiles::record_hash(&entry.encode().unwrap());
            let stored = reader
                .read_hashes(&[tlog_tiles::stored_hash_index(0, index)])
                .unwrap();
            assert_eq!(stored[0], leaf);
            let proof: Vec<Hash> = log
                .inclusion_proof(index)
                .unwrap()
                .into_iter()
                .map(Hash)
                .collect();
            tlog_tiles::check_record(&proof, head.size(), *head.hash(), index, leaf).unwrap();
            assert_eq!(
                proof,
                tlog_tiles::prove_record(head.size(), index, &reader).unwrap()
            );
        }
        for old in (1..=size as u64).step_by(step) {
            let root = ledger(old as usize, &[]).0.published().unwrap().checkpoint().root;
            let proof: Vec<Hash> = log
                .consistency_proof(old)
                .unwrap()
                .into_iter()
                .map(Hash)
                .collect();
            tlog_tiles::check_tree(&proof, head.size(), *head.hash(), old, Hash(root)).unwrap();
        }
    }
}

/// Failure: we take a signature line that others do not, or the other way round.
#[test]
fn another_implementation_refuses_what_we_refuse() {
    let (_, files) = ledger(3, &[]);
    let good = files.contents()["checkpoint"].clone();
    let theirs = |bytes: &[u8]| {
        let verifier = StandardVerifier::new(&vkey().to_string()).unwrap();
        Note::from_bytes(bytes).is_ok_and(|note| {
            note.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok()
                && tlog_tiles::Checkpoint::from_bytes(note.text()).is_ok()
        })
    };
    assert!(theirs(&good));
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let ours = SignedCheckpoint::verify(&bad, &vkey()).is_ok();
            assert_eq!((ours, theirs(&bad)), (false, false), "byte {at}, bit {bit}");
        }
    }
}

fn on_disk(files: &MemoryFiles, below: &Path) -> PathBuf {
    let dir = below.join("ledger");
    for (path, bytes) in files.contents() {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// Whether a tool is on this machine. A test that cannot run says so; one that can, runs.
fn is_there(tool: &str, argument: &str) -> bool {
    let there = Command::new(tool)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success());
    if !there {
        println!("NOT RUN: no {tool} on this machine");
    }
    there
}

fn script(arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol-spec/reference/ledger_check.py");
    Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap()
}

/// 300 entries over a tile boundary, a rotation among them, and a head with a cosignature.
fn world(below: &Path) -> (MemoryFiles, PathBuf, PathBuf, PathBuf) {
    let (mut log, mut files) = ledger(299, &[]);
    let next = SigningKey::from_bytes(&[50; 32]);
    let verifier = VerifierKey::new(ORIGIN, KeyType::Ed25519, next.verifying_key()).unwrap();
    log.rotate(&log_key(), &verifier, 100_000).unwrap();
    files.apply_all(&log.publish(&next).unwrap());
    let witness = SigningKey::from_bytes(&[77; 32]);
    let listed = VerifierKey::new("hospital-a", KeyType::CosignatureV1, witness.verifying_key()).unwrap();
    let head = log.published().unwrap().checkpoint().clone();
    let line = head.cosign("hospital-a", 1_700_000_000, &witness).unwrap();
    files.apply(&log.cosign(&[(line, &listed)]).unwrap());
    let dir = on_disk(&files, below);
    let (key, witnesses) = (below.join("ledger.vkey"), below.join("witness.vkeys"));
    fs::write(&key, format!("{}\n", vkey())).unwrap();
    fs::write(&witnesses, format!("{listed}\n")).unwrap();
    (files, dir, key, witnesses)
}

/// Failure: somebody with openssl and Python alone cannot check our ledger, or comes to another result.
#[test]
fn openssl_and_a_short_script_agree() {
    if !is_there("openssl", "version") || !is_there("python3", "--version") {
        return;
    }
    let below = tempfile::tempdir().unwrap();
    let (files, dir, key, witnesses) = world(below.path());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let check = || script(&[&text(&dir), "--key", &text(&key), "--witness", &text(&witnesses)]);
    let ran = check();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(
        ran.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let root = hex::encode(
        tacita_ledger::verify_with(
            &files,
            &tacita_ledger::VerifyOptions {
                log_key: Some(vkey()),
                allow_unlisted: true,
                ..Default::default()
            },
        )
        .unwrap()
        .checkpoint()
        .root,
    );
    for line in [
        &format!("root {root}"),
        "entries 300, each included under the root",
        "tiles 3, each recomputed",
        "key rotations 1",
        "head signed, checked with openssl",
        "cosigned by hospital-a, checked with openssl",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }

    // It is a check that fails: in every file, and for another key.
    for (path, bytes) in files.contents() {
        for at in [0, bytes.len() / 2, bytes.len() - 2] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(dir.join(path), &changed).unwrap();
            assert!(!check().status.success(), "{path} at {at}");
        }
        fs::write(dir.join(path), bytes).unwrap();
    }
    let stranger = SigningKey::from_bytes(&[9; 32]).verifying_key();
    let stranger = VerifierKey::new(ORIGIN, KeyType::Ed25519, stranger).unwrap();
    fs::write(&key, format!("{stranger}\n")).unwrap();
    assert!(!check().status.success());
}
