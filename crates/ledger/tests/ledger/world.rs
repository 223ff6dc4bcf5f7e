//! Keys, entries and ledgers that the tests share.

use ed25519_dalek::SigningKey;
use tacita_ledger::entry::{Adjacency, Mechanism, Unit};
use tacita_ledger::{
    Charge, Entry, KeyType, Log, Manifest, MemoryFiles, Outcome, Release, VerifierKey, statement_digest,
};

pub(crate) const ORIGIN: &str = "tacita.example/ledger";

pub(crate) fn log_key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

pub(crate) fn vkey() -> VerifierKey {
    VerifierKey::new(ORIGIN, KeyType::Ed25519, log_key().verifying_key()).unwrap()
}

fn digest(kind: u8, round: u64) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&round.to_be_bytes());
    bytes
}

fn hexed(kind: u8, round: u64) -> String {
    hex::encode(digest(kind, round))
}

/// The manifest of round `round` at time `10 round`: n = 10, c = 1, m = 8.
pub(crate) fn manifest(round: u64) -> Manifest {
    Manifest {
        task: "heart".to_owned(),
        round,
        round_id: hexed(1, round),
        manifest_digest: hexed(2, round),
        time: 10 * round,
        cohort: 10,
        colluders: 1,
        minimum_survivors: 8,
        neighbours: 9,
        threshold: 6,
        quorum: 6,
        bits: 24,
        dimension: 14,
        padded: 16,
        clip: "0.5".to_owned(),
        grid: 1024,
        mechanism: Mechanism::Skellam,
        share_variance_q16: "6553600".to_owned(),
        noise_levels: None,
        update_clip: None,
        metrics: None,
        clip_rule: None,
        count_scale: None,
        unit: Unit::Client,
        adjacency: Adjacency::ZeroOut,
        sampling: None,
        largest_records: None,
        budget_epsilon: Some("10".to_owned()),
        budget_delta: Some("0.00001".to_owned()),
        planned_rounds: 10_000,
        model_digest: hexed(3, round),
    }
}

/// The charge of that round, whose survivors are those of `bitmap` among 10.
pub(crate) fn charge_of(round: u64, bitmap: [u8; 2]) -> Charge {
    let (manifest, roster, sharers) = (digest(2, round), digest(4, round), digest(5, round));
    Charge {
        task: "heart".to_owned(),
        round,
        round_id: hexed(1, round),
        time: 10 * round + 5,
        manifest_digest: hex::encode(manifest),
        roster_root: hex::encode(roster),
        sharers_digest: hex::encode(sharers),
        roster_size: 10,
        survivors: hex::encode(bitmap),
        statement: hex::encode(statement_digest(&manifest, &roster, &sharers, 10, &bitmap)),
        survivor_count: u64::from(bitmap[0].count_ones() + bitmap[1].count_ones()),
        uploads_root: hexed(6, round),
    }
}

pub(crate) fn charge(round: u64) -> Charge {
    charge_of(round, [0xdf, 0x03])
}

pub(crate) fn outcome(round: u64) -> Outcome {
    Outcome {
        round_id: hexed(1, round),
        round,
        time: 10 * round + 9,
        survivor_count: 9,
        responders: 8,
        noise_variance_q16: "0".to_owned(),
        sum_digest: hexed(6, round),
        model_digest: hexed(3, round + 1),
        accuracy: Some("0.75".to_owned()),
        loss: Some("0.5".to_owned()),
        federated_accuracy: None,
        federated_loss: None,
        federated_error: None,
        within_clip: None,
        epsilon_server: Some("1.25".to_owned()),
        epsilon_public: None,
    }
}

pub(crate) fn release(round: u64) -> Release {
    Release {
        round_id: hexed(1, round),
        round,
        time: 10 * round + 1,
        reason: "quorum not reached".to_owned(),
    }
}

/// `count` entries of honest rounds: three entries each, every seventh round released instead.
pub(crate) fn entries(count: usize) -> Vec<Entry> {
    let round = |round: u64| {
        if round % 7 == 6 {
            vec![Entry::Manifest(manifest(round)), Entry::Release(release(round))]
        } else {
            vec![
                Entry::Manifest(manifest(round)),
                Entry::Charge(charge(round)),
                Entry::Outcome(outcome(round)),
            ]
        }
    };
    (0..).flat_map(round).take(count).collect()
}

/// A published ledger of `count` entries, with heads signed at the given sizes on the way.
pub(crate) fn ledger(count: usize, heads: &[usize]) -> (Log, MemoryFiles) {
    let mut log = Log::create(ORIGIN).unwrap();
    let mut files = MemoryFiles::new();
    for (index, entry) in entries(count).iter().enumerate() {
        if heads.contains(&index) {
            files.apply_all(&log.publish(&log_key()).unwrap());
        }
        assert_eq!(log.append(entry).unwrap(), index as u64);
    }
    files.apply_all(&log.publish(&log_key()).unwrap());
    (log, files)
}
