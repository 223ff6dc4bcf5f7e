use tacita_privacy::{Budget, PrivacyUnit, SkellamRelease};
use tacita_protocol::client::{SignedSharers, SignedStatement, StatementSignature};
use tacita_store::{Sharing, SqliteReader, SqliteStore};
use tempfile::TempDir;

use super::*;
use crate::status::Status;

mod lists;

const NAME: &str = "hospital-a";
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

fn budget(epsilon: &str) -> Budget {
    Budget {
        epsilon: epsilon.parse().unwrap(),
        delta: "0.0001".parse().unwrap(),
    }
}

fn caps(task: &str, day: Option<&str>, total: Option<&str>) -> Option<Caps> {
    Some(Caps {
        task: budget(task),
        day: day.map(budget),
        total: total.map(budget),
    })
}

/// About epsilon 1 at delta 0.0001.
fn release() -> Release {
    release_of(30)
}

fn release_of(honest_shares: u32) -> Release {
    Release::Skellam(SkellamRelease {
        grid: 256,
        padded: 1024,
        share_variance_q16: (192 * 192) << 16,
        honest_shares,
        shares: 50,
    })
}

fn terms() -> Terms {
    Terms {
        server: "aggregator".to_owned(),
        server_address: "192.0.2.1:7443".to_owned(),
        server_certificate: "aa".repeat(32),
        model_digest: "bb".repeat(32),
        delta: Some("0.0001".parse().unwrap()),
        certificate: "cc".repeat(32),
        certificate_expires: NOW + DAY,
        release_public: Some(release_of(31)),
    }
}

fn papers() -> Papers {
    Papers {
        certificates: Certificates::default(),
        manifest_signature: [3; 64],
    }
}

fn signed_sharers() -> SignedSharers {
    SignedSharers {
        manifest_digest: [4; 32],
        roster_root: [5; 32],
        roster_size: 4,
        sharers: vec![0b1111],
        share_roots: [6; 32],
        index: 0,
        suspects: Vec::new(),
        noise_anchor: Vec::new(),
        packed: [7; 32],
        signature: [8; 64],
    }
}

struct Bench {
    dir: TempDir,
    caps: Option<Caps>,
}

impl Bench {
    fn new(caps: Option<Caps>) -> Self {
        let dir = TempDir::new().unwrap();
        Self { dir, caps }
    }

    /// The record as a process that starts now finds it.
    fn open(&self) -> Result<StoreRecord, RecordError> {
        let store = SqliteStore::open(self.dir.path().join("record"), Sharing::Exclusive)?;
        StoreRecord::open(Arc::new(store), NAME, self.caps.clone())
    }

    fn status(&self, now: u64) -> Status {
        let store = SqliteReader::open(self.dir.path().join("record"))
            .unwrap()
            .unwrap();
        let record = StoreRecord::read(Arc::new(store), NAME, self.caps.clone()).unwrap();
        Status::of(record.history().unwrap(), self.caps.as_ref(), now).unwrap()
    }
}

fn spent(id: u8, task: &str, release: Option<Release>) -> RecordChange {
    RecordChange::Spent {
        round_id: [id; 32],
        round: u32::from(id),
        task: task.to_owned(),
        release,
        upload_digest: [id; 32],
        signed: Box::new(signed_sharers()),
    }
}

/// One attempt up to its charge.
async fn charge(record: &mut StoreRecord, id: u8, task: &str, now: u64) -> Result<(), String> {
    let ticket = record.reserve(task, Some(&release()), now)?;
    let change = spent(id, task, Some(release()));
    let charged = record.spend(change, ticket, (terms(), papers()), 1000, now).await;
    charged.map_err(|error| error.to_string())
}

/// As many attempts as the caps admit.
async fn exhaust(record: &mut StoreRecord, from: u8, task: &str, now: u64) -> (u8, String) {
    for id in from..=u8::MAX {
        if let Err(refusal) = charge(record, id, task, now).await {
            return (id - from, refusal);
        }
    }
    panic!("the caps admit everything")
}

/// Failure: what was charged before a crash is forgotten or given back by the next start, so that a crash between charge and
/// upload, which may have happened on either side of the first byte, costs nothing.
#[tokio::test]
async fn a_charge_outlives_the_process_that_made_it() {
    let bench = Bench::new(caps("4", None, None));
    let (all, _) = exhaust(&mut bench.open().unwrap(), 1, "a", NOW).await;
    assert!(all >= 4, "{all}");

    let bench = Bench::new(caps("4", None, None));
    for id in 1..=all {
        // The process dies as soon as the charge is durable.
        let mut record = bench.open().unwrap();
        assert!((1..id).all(|earlier| record.is_spent(&[earlier; 32])));
        charge(&mut record, id, "a", NOW).await.unwrap();
    }
    let mut record = bench.open().unwrap();
    let refusal = charge(&mut record, 100, "a", NOW).await.unwrap_err();
    assert!(refusal.contains("privacy budget of epsilon 4"), "{refusal}");
    assert!(!record.is_spent(&[100; 32]));
    let status = bench.status(NOW);
    assert_eq!(status.tasks[0].spent.rounds, usize::from(all));
    assert_eq!(status.tasks[0].rounds_left, Some(0));
}

/// Failure: a retried round is charged once for all its attempts, or an attempt can be charged, and its masks used, twice.
#[tokio::test]
async fn every_attempt_is_charged_and_none_twice() {
    let bench = Bench::new(caps("8", None, None));
    let mut record = bench.open().unwrap();
    for id in [1, 2] {
        let ticket = record.reserve("a", Some(&release()), NOW).unwrap();
        let RecordChange::Spent {
            round_id,
            task,
            release,
            upload_digest,
            signed,
            ..
        } = spent(id, "a", Some(release()))
        else {
            unreachable!()
        };
        // The same round of the task.
        let change = RecordChange::Spent {
            round_id,
            round: 7,
            task,
            release,
            upload_digest,
            signed,
        };
        record
            .spend(change, ticket, (terms(), papers()), 1000, NOW)
            .await
            .unwrap();
    }
    let (once, twice) = {
        let status = bench.status(NOW);
        assert_eq!(status.tasks[0].spent.rounds, 2);
        let one = release()
            .curve()
            .epsilon_with_sampler("0.0001".parse().unwrap(), release().draws());
        (one.unwrap(), status.tasks[0].spent.epsilon_server.unwrap())
    };
    assert!(twice > once, "{twice} {once}");
    let again = charge(&mut record, 2, "a", NOW).await.unwrap_err();
    assert!(again.contains("never written twice"), "{again}");
}

/// Failure: a round that ended before anything left costs budget, or one that was charged can be had back.
#[tokio::test]
async fn only_what_did_not_leave_is_given_back() {
    let bench = Bench::new(caps("4", Some("4"), Some("4")));
    let (all, _) = exhaust(&mut bench.open().unwrap(), 1, "a", NOW).await;

    let bench = Bench::new(caps("4", Some("4"), Some("4")));
    let mut record = bench.open().unwrap();
    for _ in 0..50 {
        let ticket = record.reserve("a", Some(&release()), NOW).unwrap();
        record.give_back("a", ticket);
    }
    charge(&mut record, 1, "a", NOW).await.unwrap();
    // A round that is given up after another was charged.
    let ticket = record.reserve("a", Some(&release()), NOW).unwrap();
    record.give_back("a", ticket);
    let (rest, _) = exhaust(&mut record, 2, "a", NOW).await;
    assert_eq!(rest + 1, all);
}

/// Failure: tasks do not count together, so that one participant's data is spent as often as there are tasks; or a refusal
/// leaves its part reserved in the other caps.
#[tokio::test]
async fn the_total_covers_all_tasks() {
    let bench = Bench::new(caps("4", None, Some("5")));
    let mut record = bench.open().unwrap();
    let (first, refusal) = exhaust(&mut record, 1, "a", NOW).await;
    assert!(
        refusal.contains("cap on the task") && refusal.contains("epsilon 4"),
        "{refusal}"
    );
    let (second, refusal) = exhaust(&mut record, 100, "b", NOW).await;
    assert!(
        refusal.contains("all tasks together") && refusal.contains("epsilon 5"),
        "{refusal}"
    );
    assert!(second > 0 && second < first, "{first} {second}");
    // Refusals by the total took nothing of task b; without the total it goes on, as after a restart.
    drop(record);
    let status = bench.status(NOW);
    let total = &status.total;
    let of = |at: usize| status.tasks[at].spent.epsilon_server.unwrap();
    assert!(total.epsilon_server.unwrap() > of(0) && of(0) > of(1));
    assert_eq!(total.epsilon_budget, Some("5".parse().unwrap()));
    assert_eq!(status.tasks[1].rounds_left, Some(0), "the total, not the task");
    let bench = Bench {
        caps: caps("4", None, None),
        ..bench
    };
    let mut record = bench.open().unwrap();
    let (third, _) = exhaust(&mut record, 150, "b", NOW).await;
    assert_eq!(second + third, first);
}

/// Failure: a cap that the participant lowers, or adds, does not hold for what was charged before it.
#[tokio::test]
async fn a_changed_cap_holds_from_the_next_start() {
    let mut bench = Bench::new(caps("8", None, None));
    for id in 1..=3 {
        charge(&mut bench.open().unwrap(), id, "a", NOW).await.unwrap();
    }
    for lowered in [
        caps("1", None, None),
        caps("8", None, Some("1")),
        caps("8", Some("1"), None),
    ] {
        bench.caps = lowered;
        let refusal = charge(&mut bench.open().unwrap(), 4, "a", NOW).await.unwrap_err();
        assert!(refusal.contains("epsilon 1 "), "{refusal}");
    }
    bench.caps = None;
    let refusal = charge(&mut bench.open().unwrap(), 4, "a", NOW).await.unwrap_err();
    assert!(refusal.contains("no [budget]"), "{refusal}");
    bench.caps = caps("9", None, None);
    charge(&mut bench.open().unwrap(), 4, "a", NOW).await.unwrap();
}

/// Failure: the daily cap is one for all days, or a restart forgets the day's charges.
#[tokio::test]
async fn the_daily_cap_is_for_each_day_and_task() {
    let bench = Bench::new(caps("30", Some("2"), None));
    let (first, refusal) = exhaust(&mut bench.open().unwrap(), 1, "a", NOW).await;
    assert!(
        refusal.contains("daily cap") && refusal.contains("epsilon 2 "),
        "{refusal}"
    );
    let (again, _) = exhaust(&mut bench.open().unwrap(), 50, "a", NOW).await;
    let (other, _) = exhaust(&mut bench.open().unwrap(), 100, "b", NOW).await;
    let (next, _) = exhaust(&mut bench.open().unwrap(), 150, "a", NOW + DAY).await;
    assert!(first > 0);
    assert_eq!((again, other, next), (0, first, first));
    let today = |now| bench.status(now).tasks[0].today.clone().unwrap().rounds;
    assert_eq!(
        (today(NOW), today(NOW + DAY), today(NOW + 2 * DAY)),
        (usize::from(first), usize::from(first), 0)
    );
}

/// Failure: a round that is reserved before midnight and leaves after it is on neither day's account, or on another after a restart.
#[tokio::test]
async fn a_round_counts_on_the_day_on_which_it_leaves() {
    let bench = Bench::new(caps("30", Some("2"), None));
    let (all, _) = exhaust(&mut bench.open().unwrap(), 1, "a", NOW).await;

    let bench = Bench::new(caps("30", Some("2"), None));
    let mut record = bench.open().unwrap();
    for id in 1..=all {
        let ticket = record.reserve("a", Some(&release()), NOW).unwrap();
        let change = spent(id, "a", Some(release()));
        let left = record
            .spend(change, ticket, (terms(), papers()), 1000, NOW + DAY)
            .await;
        left.unwrap();
    }
    let refusal = charge(&mut record, 100, "a", NOW + DAY).await.unwrap_err();
    assert!(refusal.contains("daily cap"), "{refusal}");
    drop(record);
    let refusal = charge(&mut bench.open().unwrap(), 100, "a", NOW + DAY).await;
    assert!(refusal.unwrap_err().contains("daily cap"));
}

/// Failure: rounds that protect single records are added to rounds that protect whole clients, or said to be about the client.
#[tokio::test]
async fn units_are_told_apart() {
    let sampled = release().of_records(Some("0.2".parse().unwrap()));
    let bench = Bench::new(caps("8", None, None));
    let mut record = bench.open().unwrap();
    let ticket = record.reserve("records", Some(&sampled), NOW).unwrap();
    let of_records = Terms {
        release_public: Some(release_of(31).of_records(Some("0.2".parse().unwrap()))),
        ..terms()
    };
    let change = spent(1, "records", Some(sampled));
    record
        .spend(change, ticket, (of_records, papers()), 1000, NOW)
        .await
        .unwrap();
    let whole = bench.status(NOW);
    let spent = &whole.tasks[0].spent;
    assert_eq!(
        (spent.unit, whole.total.unit),
        (Some(PrivacyUnit::Record), Some(PrivacyUnit::Record))
    );
    let expected = sampled
        .curve()
        .epsilon_with_sampler("0.0001".parse().unwrap(), sampled.draws());
    assert_eq!(spent.epsilon_server, Some(expected.unwrap()));
    // The same task in another unit, and another task of another unit.
    let refusal = record.reserve("records", Some(&release()), NOW).unwrap_err();
    assert!(refusal.contains("single records"), "{refusal}");
    charge(&mut record, 2, "clients", NOW).await.unwrap();
    let both = bench.status(NOW);
    let units: Vec<_> = both.tasks.iter().map(|task| task.spent.unit).collect();
    assert_eq!(units, [Some(PrivacyUnit::Client), Some(PrivacyUnit::Record)]);
    assert!(both.tasks.iter().all(|task| task.spent.epsilon_server.is_some()));
    assert_eq!(
        (
            both.total.unit,
            both.total.epsilon_server,
            both.total.epsilon_public
        ),
        (None, None, None)
    );
}

/// Failure: a round without noise is left out of what a task cost, which then looks bounded.
#[tokio::test]
async fn a_sum_without_noise_has_no_epsilon() {
    let bench = Bench::new(caps("8", None, None));
    let mut record = bench.open().unwrap();
    charge(&mut record, 1, "a", NOW).await.unwrap();
    let before = bench.status(NOW).tasks[0].spent.clone();
    assert!(before.epsilon_server.is_some() && before.epsilon_public < before.epsilon_server);
    let ticket = record.reserve("a", None, NOW).unwrap();
    let change = spent(2, "a", None);
    record
        .spend(change, ticket, (terms(), papers()), 500, NOW)
        .await
        .unwrap();
    let after = bench.status(NOW).tasks[0].spent.clone();
    assert_eq!(
        (after.epsilon_server, after.epsilon_left),
        (None, Some("0".parse().unwrap()))
    );
    assert_eq!(
        (after.rounds, after.rounds_without_noise, after.upload_bytes),
        (2, 1, 1500)
    );
}

/// Failure: what left the machine is not on its disk when it leaves, or the record of an earlier version is taken for damage.
#[tokio::test]
async fn what_left_is_found_again() {
    let bench = Bench::new(caps("8", None, None));
    let mut record = bench.open().unwrap();
    charge(&mut record, 1, "a", NOW).await.unwrap();
    let told = Revealed {
        self_mask_shares: 4,
        mask_shares: 1,
        surplus_noise_seed: true,
        time: NOW + 1,
    };
    let signed = RecordChange::Signed {
        round_id: [1; 32],
        signed: Box::new(SignedStatement {
            statement: [9; 32],
            ..SignedStatement::default()
        }),
    };
    record.apply(signed).await.unwrap();
    assert_eq!(bench.status(NOW).rounds[0].revealed, None, "not yet");
    record.reveals([1; 32], told);
    record.flush_head().await.unwrap();
    let rounds = bench.status(NOW).rounds;
    assert_eq!(rounds[0].revealed, Some(told));
    assert_eq!(rounds[0].signed, Some("09".repeat(32)));
    assert_eq!(rounds[0].spent.terms, Some(terms()));
    assert_eq!(rounds[0].round_id, "01".repeat(32));

    // A row as versions before this one wrote it.
    let mut batch = Batch::new();
    let row =
        r#"{"task":"a","round":2,"release":null,"upload_digest":"00","upload_bytes":7,"time":1800000001}"#;
    batch.insert_new(SPENT, key(NAME, &[2; 32]), row.as_bytes().to_vec());
    record.store.commit(batch).unwrap();
    let rounds = bench.status(NOW).rounds;
    // Before all that have a number.
    assert_eq!((rounds.len(), &rounds[0].spent.terms), (2, &None));
    let mut batch = Batch::new();
    batch.insert_new(SPENT, key(NAME, &[3; 32]), b"{}".to_vec());
    record.store.commit(batch).unwrap();
    drop(record);
    assert!(matches!(
        bench.open(),
        Err(RecordError::Damaged {
            what: "spent round",
            ..
        })
    ));
}

/// Failure: the Renyi order that a budget of records watches is found anew at a restart, by ids that the server draws: what was refused before is
/// admitted after.
#[tokio::test]
async fn the_order_watched_outlives_the_process() {
    let q = Some("0.01".parse().unwrap());
    let sampled = |deviation: u64| {
        let whole = SkellamRelease {
            grid: 256,
            padded: 1024,
            share_variance_q16: (deviation * deviation) << 16,
            honest_shares: 30,
            shares: 50,
        };
        Release::Skellam(whole).of_records(q)
    };
    let (quiet, loud) = (sampled(192), sampled(40));
    let mut admitted = Vec::new();
    for restarts in [false, true] {
        let bench = Bench::new(caps("2", None, None));
        let mut record = bench.open().unwrap();
        // A round that ends before anything left chooses nothing, as no record tells of it.
        let ticket = record.reserve("records", Some(&loud), NOW).unwrap();
        record.give_back("records", ticket);
        let mut now = NOW;
        let mut left = None;
        for (count, id) in [200u8, 1].into_iter().chain(2..=199).enumerate() {
            let release = if id == 200 { quiet } else { loud };
            if restarts && count == 2 {
                drop(record);
                record = bench.open().unwrap();
            }
            let Ok(ticket) = record.reserve("records", Some(&release), now) else {
                left = Some(count);
                break;
            };
            let change = spent(id, "records", Some(release));
            record
                .spend(change, ticket, (terms(), papers()), 1000, now)
                .await
                .unwrap();
            // A clock that goes back decides nothing either.
            now -= 1;
        }
        admitted.push(left.unwrap_or(200));
    }
    assert_eq!(admitted[0], admitted[1], "{admitted:?}");
    assert!((5..150).contains(&admitted[0]), "{admitted:?}");
}
