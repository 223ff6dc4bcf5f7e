//! Ledgers on disk, as an operator would publish them, honest or not.
#![allow(unreachable_pub)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use tacita_ledger::entry::{Adjacency, Mechanism, Unit};
use tacita_ledger::tree::{Tree, leaf_hash};
use tacita_ledger::{
    Charge, Checkpoint, Entry, FileChange, KeyType, Log, Manifest, MemoryFiles, Outcome, Release,
    VerifierKey, layout, statement_digest,
};
use tempfile::TempDir;

use crate::running::{Ran, tacita};

pub const ORIGIN: &str = "tacita.test/ledger";

pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub fn digest(byte: u8) -> String {
    hex::encode([byte; 32])
}

/// Attempt `id` at `round`: n = 10, c = 1, m = 8, d = 650, Skellam.
pub fn manifest(id: u8, round: u64) -> Entry {
    Entry::Manifest(Manifest {
        task: "digits".to_owned(),
        round,
        round_id: digest(id),
        manifest_digest: digest(id ^ 0x80),
        time: 1_700_000_000 + u64::from(id) * 10,
        cohort: 10,
        colluders: 1,
        minimum_survivors: 8,
        neighbours: 9,
        threshold: 6,
        quorum: 6,
        bits: 32,
        dimension: 650,
        padded: 1024,
        clip: "1.0".to_owned(),
        grid: 4096,
        mechanism: Mechanism::Skellam,
        share_variance_q16: "5000000000000".to_owned(),
        noise_levels: None,
        update_clip: None,
        metrics: None,
        clip_rule: None,
        count_scale: None,
        unit: Unit::Client,
        adjacency: Adjacency::ZeroOut,
        sampling: None,
        largest_records: None,
        budget_epsilon: Some("8".to_owned()),
        budget_delta: Some("0.00001".to_owned()),
        planned_rounds: 20,
        model_digest: digest(0x11),
    })
}

/// Nine of ten survive.
pub fn charge(id: u8, round: u64) -> Entry {
    let survivors = [0xff, 0x01];
    let statement = statement_digest(&[id ^ 0x80; 32], &[0x22; 32], &[0x33; 32], 10, &survivors);
    Entry::Charge(Charge {
        task: "digits".to_owned(),
        round,
        round_id: digest(id),
        time: 1_700_000_002 + u64::from(id) * 10,
        manifest_digest: digest(id ^ 0x80),
        roster_root: digest(0x22),
        sharers_digest: digest(0x33),
        roster_size: 10,
        survivors: hex::encode(survivors),
        statement: hex::encode(statement),
        survivor_count: 9,
        uploads_root: digest(0x66),
    })
}

pub fn outcome(id: u8, round: u64, epsilon: &str) -> Entry {
    Entry::Outcome(Outcome {
        round_id: digest(id),
        round,
        time: 1_700_000_004 + u64::from(id) * 10,
        survivor_count: 9,
        responders: 9,
        noise_variance_q16: "45000000000000".to_owned(),
        sum_digest: digest(0x44),
        model_digest: digest(0x55),
        accuracy: Some("0.8125".to_owned()),
        loss: None,
        federated_accuracy: None,
        federated_loss: None,
        federated_error: None,
        within_clip: None,
        epsilon_server: Some(epsilon.to_owned()),
        epsilon_public: Some(epsilon.to_owned()),
    })
}

pub fn release(id: u8, round: u64) -> Entry {
    Entry::Release(Release {
        round_id: digest(id),
        round,
        time: 1_700_000_004 + u64::from(id) * 10,
        reason: "too few clients joined".to_owned(),
    })
}

/// Round 1 done, round 2 given up once, then charged without outcome, then charged again.
pub fn story(claim: &str) -> Vec<Entry> {
    vec![
        manifest(1, 1),
        charge(1, 1),
        outcome(1, 1, claim),
        manifest(2, 2),
        release(2, 2),
        manifest(3, 2),
        charge(3, 2),
        manifest(4, 2),
        charge(4, 2),
        outcome(4, 2, "8"),
    ]
}

/// A ledger on disk with its key file beside it.
pub struct World {
    pub root: TempDir,
    pub log: Log,
}

impl World {
    pub fn new(entries: &[Entry]) -> Self {
        let mut log = Log::create(ORIGIN).unwrap();
        for entry in entries {
            log.append(entry).unwrap();
        }
        let mut files = MemoryFiles::new();
        files.apply_all(&log.publish(&key()).unwrap());
        Self::of(log, &files)
    }

    /// What an operator who has the key can sign: any bytes as entries, fewer than 256 of them.
    pub fn forged(items: &[Vec<u8>]) -> Self {
        let tree = Tree::from_leaves(items.iter().map(|bytes| leaf_hash(bytes)).collect());
        let head = Checkpoint {
            origin: ORIGIN.to_owned(),
            size: tree.size(),
            root: tree.root(),
        };
        let mut files = MemoryFiles::new();
        let all = files.contents_mut();
        all.insert("checkpoint".to_owned(), head.sign(&key()).unwrap().to_bytes());
        for tile in layout::tiles(tree.size()) {
            let bundle = || layout::write_bundle(items.iter().map(Vec::as_slice));
            all.insert(tile.path(), tile.hashes(&tree).or_else(bundle).unwrap());
        }
        Self::of(Log::create(ORIGIN).unwrap(), &files)
    }

    fn of(log: Log, files: &MemoryFiles) -> Self {
        let world = Self {
            root: tempfile::tempdir().unwrap(),
            log,
        };
        for (path, bytes) in files.contents() {
            let path = world.dir().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let vkey = VerifierKey::new(ORIGIN, KeyType::Ed25519, key().verifying_key()).unwrap();
        fs::write(world.key_file(), format!("{vkey}\n")).unwrap();
        world
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path().join("ledger")
    }

    pub fn key_file(&self) -> PathBuf {
        self.root.path().join("ledger.vkey")
    }

    pub fn ledger(&self, action: &str, rest: &[&str]) -> Ran {
        let dir = self.dir();
        let mut args = vec!["ledger", action, dir.to_str().unwrap()];
        args.extend(rest);
        tacita(args)
    }

    pub fn with_key(&self, action: &str, rest: &[&str]) -> Ran {
        let key = self.key_file();
        let mut args = vec!["--key", key.to_str().unwrap()];
        args.extend(rest);
        self.ledger(action, &args)
    }

    /// Every file with its relative path.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(root: &Path, dir: &Path, into: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, into);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    into.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.dir(), &self.dir(), &mut files);
        files
    }

    pub fn put(&self, change: &FileChange) {
        let FileChange::Write { path, bytes } = change else {
            panic!("{change:?}")
        };
        fs::write(self.dir().join(path), bytes).unwrap();
    }
}
