//! Ledgers that somebody or something damaged: named, located, refused, and left exactly as they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use ed25519_dalek::SigningKey;
use tacita_ledger::{Entry, KeyType, Outcome, VerifierKey};

use crate::ledgers::{ORIGIN, World, charge, manifest, outcome, story};

/// Content and time of change of every file.
fn fingerprint(dir: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    fn walk(dir: &Path, into: &mut BTreeMap<String, (Vec<u8>, SystemTime)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else {
                let changed = fs::metadata(&path).unwrap().modified().unwrap();
                into.insert(
                    path.to_str().unwrap().to_owned(),
                    (fs::read(&path).unwrap(), changed),
                );
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(dir, &mut files);
    files
}

/// Every command refuses with these words, exits with 1, writes no page and touches nothing.
#[track_caller]
fn refused(world: &World, words: &[&str]) {
    let before = fingerprint(&world.dir());
    let page = world.root.path().join("report.html");
    let html = ["--html", page.to_str().unwrap()];
    for (action, rest) in [("verify", &[][..]), ("report", &html[..]), ("key", &[][..])] {
        let ran = world.with_key(action, rest);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (1, ""),
            "{action}: {}",
            ran.stderr
        );
        for word in words {
            assert!(ran.error().contains(word), "{action}, {word}: {}", ran.stderr);
        }
    }
    assert!(!page.exists(), "a page of a ledger that does not verify");
    assert_eq!(fingerprint(&world.dir()), before, "the ledger was touched");
}

/// 600 entries: two full bundles and a partial one.
fn long() -> World {
    let id = |round: u64| hex::encode([round.to_be_bytes(); 4].concat());
    let entries: Vec<Entry> = (0..300u64)
        .flat_map(|round| {
            let (mut reserve, mut release) = (manifest(1, round), crate::ledgers::release(1, round));
            if let (Entry::Manifest(reserve), Entry::Release(release)) = (&mut reserve, &mut release) {
                (reserve.round_id, release.round_id) = (id(round), id(round));
                release.time = reserve.time;
            }
            [reserve, release]
        })
        .collect();
    World::new(&entries)
}

/// Failure: a bundle that lost its end passes, or nobody says which entry is gone.
#[test]
fn a_torn_tail() {
    let world = World::new(&story("8"));
    let path = world.dir().join("tile/entries/000.p/10");
    let whole = fs::read(&path).unwrap();
    for cut in [1, 150, whole.len() / 2] {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let entry = match cut {
            1 | 150 => "entry 9",
            _ => "entry ",
        };
        refused(&world, &["tile/entries/000.p/10", entry, "ends inside"]);
    }
    fs::write(&path, [&whole[..], b"\0"].concat()).unwrap();
    refused(&world, &["tile/entries/000.p/10", "entry 10", "1 bytes follow"]);
}

/// Failure: tiles or bundles in each other's place pass.
#[test]
fn a_swapped_tile() {
    let swap = |world: &World, a: &str, b: &str| {
        let (a, b) = (world.dir().join(a), world.dir().join(b));
        let (first, second) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
        fs::write(a, second).unwrap();
        fs::write(b, first).unwrap();
    };
    let world = long();
    assert_eq!(world.with_key("verify", &[]).code, 0);
    swap(&world, "tile/0/000", "tile/0/001");
    refused(&world, &["tile/entries/000", "entry 0", "tile/0/000"]);
    swap(&world, "tile/0/000", "tile/0/001");
    swap(&world, "tile/entries/000", "tile/entries/001");
    refused(&world, &["tile/entries/000", "entry 0", "tile/0/000"]);
    // Both together are consistent with each other, and not with the level above.
    swap(&world, "tile/0/000", "tile/0/001");
    refused(&world, &["tile/1/000.p/2", "hash 0", "entries from 0"]);
    swap(&world, "tile/0/000", "tile/0/001");
    swap(&world, "tile/entries/000", "tile/entries/001");
    // Two hashes of the level above.
    let upper = world.dir().join("tile/1/000.p/2");
    let mut bytes = fs::read(&upper).unwrap();
    bytes.rotate_left(32);
    fs::write(&upper, bytes).unwrap();
    refused(&world, &["tile/1/000.p/2", "hash 0", "entries from 0"]);
}

/// Failure: another log passes for the pinned one, or is refused without a name.
#[test]
fn a_foreign_key() {
    let world = World::new(&story("8"));
    let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
    let pinned = VerifierKey::new(ORIGIN, KeyType::Ed25519, stranger).unwrap();
    let signed = fs::read_to_string(world.key_file()).unwrap();
    fs::write(world.key_file(), pinned.to_string()).unwrap();
    let name = |vkey: &str| vkey.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
    refused(
        &world,
        &["checkpoint", &name(&signed), &name(&pinned.to_string())],
    );
}

/// Failure: an old head over newer files, or a ledger cut back to one, passes although a later head is known.
#[test]
fn a_rolled_back_checkpoint() {
    let whole = World::new(&story("8"));
    let short = World::new(&story("8")[..7]);
    let newer = fs::read(whole.dir().join("checkpoint")).unwrap();
    fs::copy(short.dir().join("checkpoint"), whole.dir().join("checkpoint")).unwrap();
    refused(
        &whole,
        &[
            "checkpoint",
            "7 entries",
            "tile/entries/000.p/10",
            "10",
            "rolled back",
        ],
    );
    // Cut back as a whole, it is consistent with itself; a head that somebody kept says otherwise.
    assert_eq!(short.with_key("verify", &[]).code, 0);
    let kept = short.root.path().join("kept");
    fs::write(&kept, newer).unwrap();
    let before = fingerprint(&short.dir());
    let ran = short.with_key("verify", &["--cosigned", kept.to_str().unwrap()]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.error().contains("kept") && ran.error().contains("10 entries, the ledger only 7"),
        "{}",
        ran.stderr
    );
    assert_eq!(fingerprint(&short.dir()), before);
}

/// Failure: a ledger whose history was written again is taken although a head of the first one was kept.
#[test]
fn a_rewritten_history() {
    let kept = World::new(&story("8"));
    let other = World::new(&[manifest(1, 1), charge(1, 1), outcome(1, 1, "9"), manifest(9, 2)]);
    assert_eq!(other.with_key("verify", &[]).code, 0);
    let first = World::new(&story("8")[..3]);
    let ran = other.with_key(
        "report",
        &["--cosigned", first.dir().join("checkpoint").to_str().unwrap()],
    );
    assert_eq!(ran.code, 1);
    assert!(ran.error().contains("fork"), "{}", ran.stderr);
    let ran = kept.with_key(
        "report",
        &["--cosigned", first.dir().join("checkpoint").to_str().unwrap()],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Failure: an entry that breaks the format is taken because it was signed.
#[test]
fn an_entry_that_is_none() {
    let good: Vec<Vec<u8>> = story("8").iter().map(|entry| entry.encode().unwrap()).collect();
    let mut items = good.clone();
    items[4] = b"{}".to_vec();
    refused(&World::forged(&items), &["tile/entries/000.p/10", "entry 4"]);
    let mut items = good;
    items[2] = Entry::Outcome(Outcome {
        round: 7,
        ..match outcome(1, 1, "8") {
            Entry::Outcome(outcome) => outcome,
            _ => panic!(),
        }
    })
    .encode()
    .unwrap();
    refused(&World::forged(&items), &["entry 2", "field round", "entry 1"]);
}
