//! The pages of `protocol-spec/` against the code: limits, rules, labels, messages, and the tests that the threat model
//! cites.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed assumption is a failed test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tacita_protocol::kem::KEM_CIPHERTEXT;
use tacita_protocol::messages::{
    ClientMessage, Hello, SealedBox, ServerMessage, ShareRoot, SharerEntry, SharersMessage,
};
use tacita_protocol::parts::Assembler;
use tacita_protocol::{labels, limits};

const THREATS: &str = include_str!("../../../protocol-spec/01-threat-model.md");
const ROUND: &str = include_str!("../../../protocol-spec/02-round.md");
const WIRE: &str = include_str!("../../../protocol-spec/05-wire.md");
const LIMITS: &str = include_str!("../../../protocol-spec/08-limits.md");

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The part of a page from the heading that starts with `from` to the next of the same level.
fn section<'a>(page: &'a str, from: &str) -> &'a str {
    let start = page
        .find(from)
        .unwrap_or_else(|| panic!("the page has no '{from}'"));
    let rest = &page[start + from.len()..];
    rest.split("\n## ").next().unwrap()
}

/// First and second cell of each row whose first cell is in backticks.
fn rows(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            Some((name.to_owned(), cells.next()?.to_owned()))
        })
        .collect()
}

#[test]
fn every_limit_of_the_page_is_the_one_in_the_code() {
    macro_rules! named {
        ($($name:ident),* $(,)?) => { vec![$((stringify!($name).to_owned(), limits::$name.to_string())),*] };
    }
    let code: Vec<(String, String)> = named![
        VERSION,
        MAX_FRAME,
        MAX_MESSAGE,
        MIN_COHORT,
        MAX_COHORT,
        UNSAMPLED_COHORT,
        SAMPLE,
        SAMPLED_PERCENT,
        IDENTITY_PREFIX,
        MAX_LIST,
        MAX_NEIGHBOURS,
        MAX_DIMENSION,
        MAX_CHUNK_BYTES,
        CHUNK_ALIGNMENT,
        MAX_CHUNK,
        MAX_TASK,
        MAX_TRAINING,
        MAX_DECIMAL,
        MAX_CERTIFICATE,
        MAX_ROUND_PROOF,
        MAX_SHARE_PROOF,
        MIN_BOX,
        MAX_BOX,
        MAX_LEDGER_PROOF,
        MAX_ENTRY,
        MAX_CHECKPOINT,
        MAX_BUNDLE,
        MAX_REASON,
        MAX_LOSS_CAP,
        MAX_DEADLINE_MS,
    ];
    assert_eq!(rows(section(LIMITS, "\n## 1. ")), code);
    // None of the code's is missing from the list above.
    let source: Vec<&str> = include_str!("../src/limits.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split(':').next())
        .collect();
    let mut listed: Vec<&str> = code.iter().map(|(name, _)| name.as_str()).collect();
    listed.retain(|name| source.contains(name));
    let all: BTreeSet<&str> = source.iter().copied().collect();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), all);
}

/// Where 02 says a limit in words, it is the one in the code.
#[test]
fn limits_in_the_steps_are_those_of_the_code() {
    use limits::{CHUNK_ALIGNMENT, MAX_BOX, MAX_CHUNK, MAX_CHUNK_BYTES, MAX_LOSS_CAP, MIN_BOX};
    let (bytes, thousand) = (MAX_CHUNK_BYTES, 1000);
    let said = [
        format!("exactly one box for each neighbour, rising; {MIN_BOX} to {MAX_BOX} bytes each"),
        format!(
            "`chunk` is a positive multiple of {CHUNK_ALIGNMENT}, at most 2^{}, and packs to at most {},{:03} bytes",
            MAX_CHUNK.ilog2(),
            bytes / thousand,
            bytes % thousand
        ),
        format!("`loss_cap` below 10^{}", MAX_LOSS_CAP.ilog10()),
    ];
    for said in said {
        assert!(ROUND.contains(&said), "02 does not say '{said}'");
    }
    assert!(MAX_CHUNK.is_power_of_two() && MAX_LOSS_CAP == 10u64.pow(MAX_LOSS_CAP.ilog10()));
}

/// The numbers nnn of TAC-nnn in a text, in order.
fn rules(text: &str) -> Vec<&str> {
    text.match_indices("TAC-")
        .filter_map(|(at, _)| text.get(at + 4..at + 7))
        .filter(|number| number.bytes().all(|b| b.is_ascii_digit()))
        .collect()
}

#[test]
fn every_rule_of_the_page_is_in_the_code_and_the_other_way_round() {
    let in_code: BTreeSet<&str> = rules(include_str!("../src/refusal.rs")).into_iter().collect();
    assert_eq!(rules(ROUND).into_iter().collect::<BTreeSet<_>>(), in_code);
    // Section 7 has one row for each, in order; every other section but the list cites it where it is checked.
    let list = section(ROUND, "\n## 7. ");
    let listed: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("| TAC-"))
        .flat_map(rules)
        .collect();
    assert_eq!(listed, in_code.iter().copied().collect::<Vec<_>>());
    let steps: BTreeSet<&str> = rules(section(ROUND, "\n## 3. ")).into_iter().collect();
    assert_eq!(steps, in_code, "checks without a place in a step");
}

#[test]
fn every_label_is_on_the_page_and_used_in_one_place() {
    let page = section(ROUND, "\n## 2. ");
    for label in labels::ALL {
        assert!(page.contains(&format!("`{label}`")), "{label}");
    }
    let mut places: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for room in fs::read_dir(crates()).unwrap() {
        let mut open = vec![room.unwrap().path().join("src")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let is_code = path.extension().is_some_and(|e| e == "rs");
            let text = if is_code {
                fs::read_to_string(&path).unwrap()
            } else {
                String::new()
            };
            // Comments and documentation may quote what they like.
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for (at, _) in line.match_indices("\"tacita/1 ") {
                    let label = line[at + 1..].split('"').next().unwrap();
                    if label == "tacita/1 " {
                        continue; // what every label begins with
                    }
                    places.entry(label.to_owned()).or_default().insert(path.clone());
                }
            }
        }
    }
    assert!(places.len() > labels::ALL.len(), "{places:?}");
    for (label, files) in places {
        assert!(
            page.contains(&format!("`{label}`")),
            "{label} of {files:?} is not in the table of protocol-spec/02-round.md section 2"
        );
        // The simulator's checkers compute for themselves what they check.
        let product = files.iter().filter(|file| !file.iter().any(|part| part == "sim"));
        let used = product.count().max(usize::from(files.len() == 1));
        assert_eq!(used, 1, "{label} is used in {files:?}");
    }
}

/// `UploadEnd` as the code's messages name themselves: `upload end`.
fn spoken(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[test]
fn message_kinds_are_those_of_the_page() {
    let on_page: BTreeMap<u8, String> = WIRE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("case ")?.split_once(": "))
        .map(|(kind, rest)| (kind.parse().unwrap(), spoken(rest.split(';').next().unwrap())))
        .collect();
    let mut in_code = BTreeMap::new();
    for kind in 0..=u8::MAX {
        // So many zero bytes behind the kind are a message with all lists empty.
        for zeros in 0..600 {
            let mut frame = vec![0; zeros + 1];
            frame[0] = kind;
            let name = ClientMessage::decode(&frame)
                .map(|message| message.name())
                .or_else(|_| ServerMessage::decode(&frame).map(|message| message.name()));
            if let Ok(name) = name {
                in_code.insert(kind, name.to_owned());
                break;
            }
        }
    }
    // Parts are frames of their own, below the messages.
    for (kind, mut assembler) in [(9, Assembler::of_client()), (75, Assembler::of_server())] {
        let part = vec![kind, 1, 0, 0, 0, 0];
        assert!(assembler.push(part, 0).is_err());
        assert!(in_code.insert(kind, "part".to_owned()).is_none());
    }
    assert_eq!(in_code, on_page);
}

#[test]
fn the_hello_of_the_page() {
    let hello = ClientMessage::Hello(Hello::fresh(258));
    let body = hello.encode().unwrap();
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    let hex: String = length.iter().chain(&body).map(|b| format!("{b:02x}")).collect();
    let printed = WIRE
        .split("with its length, `")
        .nth(1)
        .unwrap()
        .split('`')
        .next()
        .unwrap();
    assert_eq!(printed.replace(' ', ""), hex);
}

/// The largest message there can be is the one that the page names, and it fits.
#[test]
fn the_largest_messages_fit() {
    let neighbours = limits::MAX_NEIGHBOURS;
    let depth = |leaves: u16| usize::try_from((leaves - 1).ilog2() + 1).unwrap();
    let entry = |index| SharerEntry {
        index,
        share_root: ShareRoot {
            root: [1; 32],
            self_commitment: [2; 32],
            signature: [3; 64],
        },
        // Every neighbour has the smaller fingerprint.
        mask_ciphertext: vec![7; KEM_CIPHERTEXT].into(),
        ciphertext_proof: vec![[8; 32]; depth(4 * neighbours)].into(),
        proof: vec![[4; 32]; depth(limits::MAX_COHORT)].into(),
    };
    let path = depth(4 * neighbours) - 1;
    let sealed = |peer| SealedBox {
        peer,
        share_ciphertext: vec![9; KEM_CIPHERTEXT].into(),
        ciphertext: vec![5; 64 + 32 * path + 16].into(),
    };
    let message = ServerMessage::Sharers(SharersMessage {
        sharers: vec![0xff; usize::from(limits::MAX_COHORT).div_ceil(8)].into(),
        merkle_root: [6; 32],
        entries: (0..=neighbours).map(entry).collect::<Vec<_>>().into(),
        boxes: (0..neighbours).map(sealed).collect::<Vec<_>>().into(),
    })
    .encode()
    .unwrap();
    assert!(LIMITS.contains("takes 1.8 million;"));
    assert_eq!(message.len(), 1_697_064 + 501 * 4 * 32 + 1_125);
}

#[test]
fn tests_that_the_threat_model_cites_exist() {
    let mut cited = 0;
    for quoted in THREATS.split('`').skip(1).step_by(2) {
        let Some((file, test)) = quoted.split_once("::") else {
            continue;
        };
        if !file.contains(".rs") {
            continue;
        }
        let path = if file.contains('/') {
            crates().join("..").join(file)
        } else {
            crates().join("sim/tests/attacks").join(file)
        };
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
        cited += 1;
    }
    assert!(cited > 50, "{cited}");
}
