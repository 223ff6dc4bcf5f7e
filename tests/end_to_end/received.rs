//! Everything that the server receives, recorded between the processes: no client's update is in it, nor in what the server
//! keeps.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::federation::process::Process;
use crate::federation::relay::{Kind, Relay};
use crate::federation::{Federation, Plan, name};
use crate::running::command;

/// A client that also prints its vector before it is masked, as a demonstration's clients do.
fn start_probed(federation: &Federation, index: u16) -> Process {
    Process::start(
        command()
            .args(["demo-part", "client", "--config"])
            .arg(federation.client_config(index)),
        &federation.path().join(format!("{}.log", name(index))),
    )
}

/// The vectors that a client printed, one a round, as centred integers, and the width of the ring.
fn vectors(process: &Process) -> (u8, Vec<Vec<i64>>) {
    let mut width = 0;
    let found = process
        .stdout()
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let vector = &line["Vector"];
            width = u8::try_from(vector["bits"].as_u64().expect("bits")).expect("small");
            let packed = hex::decode(vector["packed"].as_str().expect("hex")).expect("hex");
            let length = vector["len"].as_u64().expect("a length") as usize;
            (0..length).map(|i| coordinate(&packed, width, i)).collect()
        })
        .collect();
    (width, found)
}

/// Coordinate `i` of little-endian packed `bits`-bit words, centred.
fn coordinate(packed: &[u8], bits: u8, i: usize) -> i64 {
    let mut value = 0i64;
    for bit in 0..usize::from(bits) {
        let at = i * usize::from(bits) + bit;
        value |= i64::from(packed[at / 8] >> (at % 8) & 1) << bit;
    }
    if value >> (bits - 1) == 1 {
        value - (1 << bits)
    } else {
        value
    }
}

/// Every way in which the values could be written down by mistake, with the length of the pieces to look for: long enough
/// that none occurs by chance.
fn spellings(values: &[i64], bits: u8) -> Vec<(usize, Vec<u8>)> {
    let words = |width: usize| -> Vec<u8> {
        let bytes = values.iter().map(|value| value.to_le_bytes());
        bytes.flat_map(|bytes| bytes[..width].to_vec()).collect()
    };
    let big: Vec<u8> = values.iter().flat_map(|v| (*v as i32).to_be_bytes()).collect();
    let mut packed = vec![0u8; (values.len() * usize::from(bits)).div_ceil(8)];
    for (i, value) in values.iter().enumerate() {
        for bit in 0..usize::from(bits) {
            let at = i * usize::from(bits) + bit;
            packed[at / 8] |= u8::from(value >> bit & 1 == 1) << (at % 8);
        }
    }
    let text = values.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let hex = hex::encode(&packed).into_bytes();
    vec![
        (6, packed),
        (8, words(2)),
        (12, words(4)),
        (16, words(8)),
        (12, big),
        (12, text.into_bytes()),
        (16, hex),
    ]
}

/// All files below a directory, one behind the other.
fn everything_below(dir: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            everything_below(&path, found);
        } else {
            found.extend(fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn the_server_receives_and_keeps_no_clients_update() {
    for epsilon in [None, Some("30")] {
        let federation = Federation::new(Plan {
            epsilon,
            ..Plan::new(3, 3, 0)
        });
        let mut server = federation.start_server();
        let relay = Relay::start(&federation);
        let mut clients: Vec<Process> = (0..3).map(|index| start_probed(&federation, index)).collect();
        federation.finish(&mut server, &mut clients);
        federation.report();

        let received = relay.received();
        let mut kinds: BTreeMap<u8, usize> = BTreeMap::new();
        received
            .iter()
            .for_each(|message| *kinds.entry(message.frame[0]).or_default() += 1);
        // The recording is whole: three rounds of three clients.
        for kind in [
            Kind::Advertise,
            Kind::Shares,
            Kind::Chunk,
            Kind::UploadEnd,
            Kind::Agreement,
            Kind::Reveal,
        ] {
            assert_eq!(kinds.get(&(kind as u8)), Some(&9), "{kinds:?}");
        }
        let mut seen: Vec<u8> = received
            .iter()
            .flat_map(|message| message.frame.clone())
            .collect();
        everything_below(&federation.path().join("server"), &mut seen);
        let pieces = |length: usize| -> HashSet<&[u8]> { seen.windows(length).collect() };
        let pieces: BTreeMap<usize, HashSet<&[u8]>> = [6, 8, 12, 16].map(|n| (n, pieces(n))).into();

        let mut looked = 0;
        for (index, client) in clients.iter().enumerate() {
            let (bits, rounds) = vectors(client);
            assert_eq!(rounds.len(), 3);
            for (round, values) in rounds.iter().enumerate() {
                assert!(
                    values.iter().any(|value| *value != 0),
                    "an update that is nothing"
                );
                for (length, spelling) in spellings(values, bits) {
                    for piece in spelling.windows(length) {
                        // Runs of zeros and the like stand in every file.
                        if piece.iter().collect::<HashSet<_>>().len() < 4 {
                            continue;
                        }
                        looked += 1;
                        let found = pieces[&length].contains(piece);
                        assert!(!found, "client {index}, round {round}: {piece:?}");
                    }
                }
            }
        }
        assert!(looked > 100, "{looked} pieces compared");
        // Control: the search finds what is there, an uploaded chunk and a name of the ledger.
        let chunks: Vec<&[u8]> = received
            .iter()
            .filter(|message| message.frame[0] == Kind::Chunk as u8)
            .map(|message| &message.frame[message.frame.len() - 12..])
            .collect();
        assert!(pieces[&12].contains(chunks[0]) && pieces[&6].contains(&b"tacita.test"[..6]));
        // Uploads of three clients with nearly the same data have nothing in common.
        assert_eq!(chunks.iter().collect::<HashSet<_>>().len(), 9);
    }
}
